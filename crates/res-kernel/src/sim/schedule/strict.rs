//! Fixed priorities on each core (H5).

use std::vec::Vec;

use super::random::flush;
use super::{Move, Runnable, Scheduler, Turn, Why};
use crate::sim::rng::Rng;

/// On each core the most urgent of its threads runs, always; among equals the one that runs goes on
/// until it yields, sleeps, or has used up its share. A thread that spins or yields over a less
/// urgent one of its core starves it for ever, as it does on such a machine; threads of other cores
/// go on beside it, at a pace that is chosen for the whole run.
///
/// ```
/// use res_kernel::sim::{Simulation, Strict};
///
/// for cores in [1, 2] {
///     let outcome = Simulation::new(7).cores(cores).scheduler(Strict::new(7)).run(|_| {});
///     assert_eq!(outcome.failure, None);
/// }
/// ```
#[derive(Debug)]
pub struct Strict {
    rng: Rng,
    share: u32,
    /// Once in so many steps another core is a step ahead.
    pace: u32,
    /// Who runs on each core, or ran last.
    holders: Vec<u32>,
}

impl Strict {
    /// With all choices among equals from that seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let (share, pace) = (4 << rng.below(6), 1 << rng.below(4));
        Self { rng, share, pace, holders: Vec::new() }
    }

    /// A core that has something to do: the one of the current thread, mostly.
    fn core(&mut self, turn: &Turn<'_>) -> u32 {
        let first = turn.runnable[0].core;
        if turn.runnable.iter().all(|one| one.core == first) {
            return first;
        }
        let current = turn.undisturbed();
        let current = turn.runnable.iter().find(|one| current == Some(one.thread));
        if let Some(current) = current
            && !self.rng.one_in(self.pace)
        {
            return current.core;
        }
        let mut cores: Vec<_> = turn.runnable.iter().map(|one| one.core).collect();
        cores.sort_unstable();
        cores.dedup();
        cores[self.rng.below(cores.len())]
    }

    /// Who ran there last, unless it lets others run.
    fn holder(&self, core: u32, turn: &Turn<'_>) -> Option<u32> {
        let holder = *self.holders.get(core as usize)?;
        (turn.why != Why::Yield || turn.current != Some(holder)).then_some(holder)
    }

    fn set_holder(&mut self, core: u32, thread: u32) {
        let core = core as usize;
        if self.holders.len() <= core {
            self.holders.resize(core + 1, 0);
        }
        self.holders[core] = thread;
    }
}

impl Scheduler for Strict {
    fn choose(&mut self, turn: &Turn<'_>) -> Move {
        if let Some(flush) = flush(&mut self.rng, 8, turn) {
            return flush;
        }
        let core = self.core(turn);
        let there = |one: &&Runnable| one.core == core;
        let most = turn.runnable.iter().filter(there).map(|one| one.priority).max();
        let equals: Vec<_> =
            turn.runnable.iter().filter(there).filter(|one| Some(one.priority) == most).collect();
        let holder = self.holder(core, turn);
        let holder = equals.iter().find(|one| holder == Some(one.thread));
        let next = match holder {
            Some(holder) if !self.rng.one_in(self.share) => holder.thread,
            _ => equals[self.rng.below(equals.len())].thread,
        };
        self.set_holder(core, next);
        Move::Run(next)
    }

    fn pick(&mut self, options: usize) -> usize {
        self.rng.below(options)
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.rng.one_in(one_in)
    }
}
