//! Random choices.

use super::{Move, Scheduler, Turn};
use crate::sim::rng::Rng;

/// Chooses at random. How long a thread runs on, and how long stores stay invisible, is chosen for
/// the whole run: some bugs need many switches, others few.
///
/// ```
/// use res_kernel::sim::{Random, Simulation};
///
/// let outcome = Simulation::new(7).scheduler(Random::new(7)).run(|_| {});
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Debug)]
pub struct Random {
    rng: Rng,
    /// Once in so many steps another thread may run.
    switch: u32,
    /// Once in so many turns a store becomes visible.
    flush: u32,
}

impl Random {
    /// With all choices from that seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let switch = 1 << rng.small(6);
        let flush = 2 << (2 * rng.below(4));
        Self { rng, switch, flush }
    }
}

impl Scheduler for Random {
    fn choose(&mut self, turn: &Turn<'_>) -> Move {
        if let Some(flush) = flush(&mut self.rng, self.flush, turn) {
            return flush;
        }
        if let Some(current) = turn.undisturbed().filter(|_| !self.rng.one_in(self.switch)) {
            return Move::Run(current);
        }
        Move::Run(turn.runnable[self.rng.below(turn.runnable.len())].thread)
    }

    fn pick(&mut self, options: usize) -> usize {
        self.rng.below(options)
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.rng.one_in(one_in)
    }
}

/// Once in so many turns, the oldest store of some thread.
pub(super) fn flush(rng: &mut Rng, one_in: u32, turn: &Turn<'_>) -> Option<Move> {
    if turn.buffered.is_empty() || !rng.one_in(one_in) {
        return None;
    }
    Some(Move::Flush(turn.buffered[rng.below(turn.buffered.len())]))
}
