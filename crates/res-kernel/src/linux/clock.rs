//! The monotonic clock.

use res_sync::Instant;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// `CLOCK_MONOTONIC`, by libc, which reads it without entering the system.
pub(super) fn now() -> Instant {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live, exclusively borrowed `timespec`, all that the call writes.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    debug_assert_eq!(result, 0, "every Linux has this clock");
    // Neither part is ever negative on this clock.
    Instant::from_nanos(time.tv_sec as u64 * NANOS_PER_SECOND + time.tv_nsec as u64)
}

/// The same point in time, as Linux writes it.
#[cfg_attr(miri, expect(dead_code, reason = "only the futex takes one"))]
pub(super) fn timespec(at: Instant) -> libc::timespec {
    // 2^64 ns are 1.8e10 s: both parts fit their 64 bits.
    libc::timespec {
        tv_sec: (at.as_nanos() / NANOS_PER_SECOND) as libc::time_t,
        tv_nsec: (at.as_nanos() % NANOS_PER_SECOND) as libc::c_long,
    }
}
