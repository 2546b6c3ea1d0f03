//! Time: the cycle counter.

use core::arch::x86_64::_rdtsc;
use core::sync::atomic::Ordering::Relaxed;

use res_sync::Instant;

use super::U64;
use super::interface::Cycles;
use super::interface::sched::sched_get_cpu_freq;

/// Cycles per microsecond.
static FREQUENCY: U64 = U64::new(1);

/// The scheduler's quantum.
const QUANTUM_MICROS: u64 = 10_000;

/// Asks the scheduler for the frequency, which does not change.
pub(super) fn measure() {
    // Relaxed: a number; no other thread of this component runs yet.
    FREQUENCY.store(sched_get_cpu_freq().max(1), Relaxed);
}

/// The cycle counter.
pub(super) fn cycles() -> Cycles {
    // SAFETY: every processor of this architecture has the instruction, and user level may use it.
    unsafe { _rdtsc() }
}

/// The time.
pub(super) fn now() -> Instant {
    Instant::from_nanos(nanos(cycles(), FREQUENCY.load(Relaxed)))
}

/// When the cycle counter will have reached `at`.
pub(super) fn when(at: Instant) -> Cycles {
    reaches(at, FREQUENCY.load(Relaxed))
}

/// How many cycles that many quanta have.
pub(super) fn quanta(count: u64) -> Cycles {
    count * QUANTUM_MICROS * FREQUENCY.load(Relaxed)
}

const fn nanos(cycles: Cycles, per_micro: u64) -> u64 {
    let micros = cycles / per_micro;
    micros.saturating_mul(1_000).saturating_add(cycles % per_micro * 1_000 / per_micro)
}

/// The first count at which `nanos` is not less than `at`.
const fn reaches(at: Instant, per_micro: u64) -> Cycles {
    let (micros, rest) = (at.as_nanos() / 1_000, at.as_nanos() % 1_000);
    micros.saturating_mul(per_micro).saturating_add((rest * per_micro).div_ceil(1_000))
}

const _: () = {
    let at = Instant::from_nanos(1_000_000_007);
    let (odd, even) = (reaches(at, 2_803), reaches(at, 1_000));
    assert!(nanos(odd, 2_803) == 1_000_000_007 && nanos(odd - 1, 2_803) < 1_000_000_007);
    assert!(nanos(even, 1_000) == 1_000_000_007 && even == 1_000_000_007);
    assert!(reaches(Instant::from_nanos(u64::MAX), 3_000) == u64::MAX);
};
