//! How long an end spins before it sleeps: as long as sleeping has not been worth it.
//!
//! Waking a sleeper on another core takes tens of microseconds, in which a fast peer fills or
//! empties the whole channel and goes to sleep itself: once both sleep in turns, they would go on
//! doing so, each message paying for a wake-up. So an end whose last sleeps were short spins for
//! longer, until one of the two is awake when the other comes; a long sleep makes it short again.

use core::time::Duration;

/// Rounds of spinning; each is what the machine allows ([`Park::spin_limit`]), a few microseconds
/// at most, and nothing on one core.
///
/// [`Park::spin_limit`]: res_sync::Park::spin_limit
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(u32);

/// The longest spin: about as long as waking a sleeper takes.
const MOST: u32 = 16;

/// A sleep shorter than this was not worth it.
const SHORT: Duration = Duration::from_micros(150);

impl Default for Patience {
    fn default() -> Self {
        Self(1)
    }
}

impl Patience {
    pub(crate) fn rounds(self) -> u32 {
        self.0
    }

    /// The end has slept for so long.
    pub(crate) fn slept(&mut self, span: Duration) {
        self.0 = if span < SHORT { (self.0 * 2).min(MOST) } else { 1 };
    }
}
