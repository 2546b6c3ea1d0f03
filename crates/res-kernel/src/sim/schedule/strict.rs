//! Fixed priorities on one core (H5).

use super::random::flush;
use super::{Move, Scheduler, Turn};
use crate::sim::rng::Rng;

/// The most urgent thread runs, always; among equals the one that runs goes on until it yields,
/// sleeps, or has used up its share. For one simulated core: a thread that spins or yields over a
/// less urgent one starves it for ever, as it does on such a machine.
///
/// ```
/// use res_kernel::sim::{Simulation, Strict};
///
/// let outcome = Simulation::new(7).cores(1).scheduler(Strict::new(7)).run(|_| {});
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Debug)]
pub struct Strict {
    rng: Rng,
    share: u32,
}

impl Strict {
    /// With all choices among equals from that seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let share = 4 << rng.below(6);
        Self { rng, share }
    }
}

impl Scheduler for Strict {
    fn choose(&mut self, turn: &Turn<'_>) -> Move {
        if let Some(flush) = flush(&mut self.rng, 8, turn) {
            return flush;
        }
        let most = turn.runnable.iter().map(|one| one.priority).max().unwrap_or(0);
        let equals = || turn.runnable.iter().filter(|one| one.priority == most);
        let stays = |current: &u32| equals().any(|one| one.thread == *current);
        match turn.undisturbed().filter(stays) {
            Some(current) if !self.rng.one_in(self.share) => Move::Run(current),
            _ => {
                let next = self.rng.below(equals().count());
                Move::Run(equals().nth(next).map_or(turn.runnable[0].thread, |one| one.thread))
            }
        }
    }

    fn pick(&mut self, options: usize) -> usize {
        self.rng.below(options)
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.rng.one_in(one_in)
    }
}
