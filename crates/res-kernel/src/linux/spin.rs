//! How long a waiter spins before it parks.
//!
//! A processor's pause takes from 4 ns to 50 ns, and how long one waits before the next look, and
//! before one sleeps, is to be the same everywhere: so it is measured once.

use std::sync::OnceLock;

use res_sync::model::Core;

use super::{clock, cores};

/// Spin hints before a waiter parks, where another core may make it worth while: with the looks
/// between them 1 to 2 us, which is less than parking and being woken costs.
const LIMIT: u32 = 64;

/// About what a spin hint is to take.
const HINT_NANOS: u64 = 20;

/// Pauses that are measured at a time, and how often: it may be interrupted.
const MEASURED: u32 = 64;
const TIMES: u32 = 4;

/// How many spin hints; none on one core. The first call measures how long they take.
pub(super) fn limit() -> u32 {
    static MEASURED_LIMIT: OnceLock<u32> = OnceLock::new();
    *MEASURED_LIMIT.get_or_init(|| {
        if cores::count() < 2 {
            return 0;
        }
        Core::set_pauses(pauses(nanos_of_many()));
        LIMIT
    })
}

/// How many pauses make a hint, if [`MEASURED`] take so long.
fn pauses(nanos_of_many: u64) -> u32 {
    let wanted = HINT_NANOS * u64::from(MEASURED) / nanos_of_many.max(1);
    wanted.clamp(1, 16) as u32
}

fn nanos_of_many() -> u64 {
    let once = || {
        let start = clock::now();
        (0..MEASURED).for_each(|_| core::hint::spin_loop());
        (clock::now() - start).as_nanos() as u64
    };
    (0..TIMES).map(|_| once()).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_takes_as_long_everywhere() {
        let many = u64::from(MEASURED);
        assert_eq!(pauses(4 * many), 5, "a fast pause");
        assert_eq!(pauses(50 * many), 1, "a slow one is one");
        assert_eq!(pauses(0), 16, "a clock that stands still");
    }

    #[test]
    fn it_is_measured_once() {
        assert_eq!(limit(), limit());
        assert_eq!(limit() == 0, cores::count() == 1);
    }
}
