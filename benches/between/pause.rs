//! Round trips to somebody who sleeps.

use std::time::{Duration, Instant};

/// Long enough for whoever spins before he sleeps.
const PAUSE: Duration = Duration::from_micros(100);
/// Round trips of a round.
const TRIPS: u32 = 200;

/// Nanoseconds for each time that `trip` is done, without the pauses before it.
pub(crate) fn paused(mut trip: impl FnMut()) -> f64 {
    let mut taken = Duration::ZERO;
    for _ in 0..TRIPS {
        let asleep = Instant::now() + PAUSE;
        while Instant::now() < asleep {
            std::hint::spin_loop();
        }
        let start = Instant::now();
        trip();
        taken += start.elapsed();
    }
    taken.as_nanos() as f64 / f64::from(TRIPS)
}
