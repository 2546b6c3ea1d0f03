//! What is done after a pause: round trips to somebody who sleeps, starts.

use std::time::{Duration, Instant};

/// Long enough for whoever spins before he sleeps.
const PAUSE: Duration = Duration::from_micros(100);
/// Round trips of a round.
const TRIPS: u32 = 200;

/// Long enough for all that a start leaves to be done.
const REST: Duration = Duration::from_millis(5);
/// Starts of a round.
const STARTS: u32 = 20;

/// Waits until a start leaves nothing more to be done: a while behind it the next domain is forked, and
/// warms up, and would share a core with what is measured.
pub(crate) fn settle() {
    std::thread::sleep(REST);
}

/// Nanoseconds for each time that `trip` is done, without the pauses before it.
pub(crate) fn paused(trip: impl FnMut()) -> f64 {
    apart(TRIPS, PAUSE, trip)
}

/// Nanoseconds for each time that `start` is done, without what it leaves to be ended, and the time
/// that passes between.
pub(crate) fn rested<R>(start: impl FnMut() -> R) -> f64 {
    apart(STARTS, REST, start)
}

fn apart<R>(times: u32, pause: Duration, mut work: impl FnMut() -> R) -> f64 {
    let mut taken = Duration::ZERO;
    for _ in 0..times {
        let asleep = Instant::now() + pause;
        while Instant::now() < asleep {
            std::hint::spin_loop();
        }
        let start = Instant::now();
        let left = work();
        taken += start.elapsed();
        drop(left);
    }
    taken.as_nanos() as f64 / f64::from(times)
}
