//! How long an end spins before it sleeps, and how far a receiver stays back.
//!
//! Waking a sleeper on another core takes tens of microseconds, in which a fast peer fills or
//! empties the whole channel and goes to sleep itself: once both sleep in turns, they would go on
//! doing so, each message paying for a wake-up. So an end whose last sleeps were short spins for
//! longer, until one of the two is awake when the other comes; a long sleep makes it short again.
//!
//! A receiver that has caught up in a stream of messages stays back for a moment before it looks
//! again: otherwise it finds one or two each time, and the two ends take the line that is being
//! written away from each other for each message, which costs several times what a message costs.
//! Where messages come one at a time, as with calls and answers, it looks at once.

use core::time::Duration;

/// What an end has learnt from its last waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Rounds of spinning; each is what the machine allows ([`Park::spin_limit`]), a few
    /// microseconds at most, and nothing on one core.
    ///
    /// [`Park::spin_limit`]: res_sync::Park::spin_limit
    rounds: u32,
    /// Where the queue was at the last wait.
    waited_at: u64,
}

/// The first spin: a few microseconds, in which an answer comes for which somebody has to do a little.
const FIRST_ROUNDS: u32 = 4;

/// The longest spin: about as long as waking a sleeper takes.
const MOST_ROUNDS: u32 = 16;

/// A sleep shorter than this was not worth it.
const SHORT: Duration = Duration::from_micros(150);

/// Spin hints to stay back for, at most: some 0.6 us, in which a fast sender is through with many
/// messages. In a small ring a hint for two slots, or it would run full meanwhile.
const STAY_BACK: u32 = 32;

impl Default for Patience {
    fn default() -> Self {
        Self { rounds: FIRST_ROUNDS, waited_at: 0 }
    }
}

impl Patience {
    pub(crate) fn rounds(self) -> u32 {
        self.rounds
    }

    /// A receiver waits, with its queue of that capacity at that position; how many spin hints to
    /// stay back for.
    pub(crate) fn stay_back(&mut self, capacity: u32, position: u64) -> u32 {
        let stream = position.wrapping_sub(self.waited_at) > 1;
        self.waited_at = position;
        if stream { STAY_BACK.min(capacity / 2) } else { 0 }
    }

    /// The end has slept for so long.
    pub(crate) fn slept(&mut self, span: Duration) {
        self.rounds = if span < SHORT { (self.rounds * 2).min(MOST_ROUNDS) } else { 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stream_keeps_a_receiver_back() {
        let mut patience = Patience::default();
        assert_eq!(patience.stay_back(64, 1), 0, "one message");
        assert_eq!(patience.stay_back(64, 1), 0, "none");
        assert_eq!(patience.stay_back(64, 3), STAY_BACK, "several");
        assert_eq!(patience.stay_back(64, 4), 0, "one again");
        assert_eq!(patience.stay_back(8, 12), 4, "a small ring");
    }

    #[test]
    fn short_sleeps_make_the_spin_longer() {
        let mut patience = Patience::default();
        patience.slept(SHORT);
        assert_eq!(patience.rounds(), 1);
        for rounds in [2, 4, 8, 16, 16] {
            patience.slept(SHORT / 2);
            assert_eq!(patience.rounds(), rounds);
        }
    }
}
