//! Probabilistic concurrency testing: random priorities, and a few random places where they change.

use std::vec::Vec;

use super::random::flush;
use super::{Move, Scheduler, Turn, Why};
use crate::sim::rng::Rng;

/// Runs the thread with the highest of random priorities; at `depth - 1` random steps the one that
/// runs falls behind all others. A bug that needs `depth` ordered events among `n` threads and `k`
/// steps is found with a probability of at least 1 in `n * k^(depth - 1)` in each run.
///
/// A thread that yields falls behind all others too: otherwise one that polls would run for ever.
///
/// ```
/// use res_kernel::sim::{Pct, Simulation};
///
/// let outcome = Simulation::new(7).scheduler(Pct::new(7, 3)).run(|_| {});
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Debug)]
pub struct Pct {
    rng: Rng,
    flush: u32,
    /// By thread.
    priorities: Vec<i64>,
    /// The steps at which the running thread falls behind, the next one last.
    changes: Vec<u64>,
    step: u64,
    lowest: i64,
}

impl Pct {
    /// With all choices from that seed. How far apart the changes lie is one of them.
    pub fn new(seed: u64, depth: u32) -> Self {
        let mut rng = Rng::new(seed);
        let length = 8 << rng.small(9);
        let flush = 2 << (2 * rng.below(4));
        let mut changes: Vec<_> = (1..depth).map(|_| rng.below(length) as u64).collect();
        changes.sort_unstable_by_key(|step| core::cmp::Reverse(*step));
        Self { rng, flush, priorities: Vec::new(), changes, step: 0, lowest: 0 }
    }

    fn priority(&mut self, thread: u32) -> &mut i64 {
        let index = thread as usize;
        while self.priorities.len() <= index {
            self.priorities.push((self.rng.next() >> 1) as i64);
        }
        &mut self.priorities[index]
    }

    fn fall_behind(&mut self, thread: u32) {
        self.lowest -= 1;
        *self.priority(thread) = self.lowest;
    }
}

impl Scheduler for Pct {
    fn choose(&mut self, turn: &Turn<'_>) -> Move {
        if let Some(flush) = flush(&mut self.rng, self.flush, turn) {
            return flush;
        }
        self.step += 1;
        let change = self.changes.pop_if(|step| *step < self.step).is_some();
        if let Some(current) = turn.current.filter(|_| change || turn.why == Why::Yield) {
            self.fall_behind(current);
        }
        let mut best = (i64::MIN, 0);
        for runnable in turn.runnable {
            best = best.max((*self.priority(runnable.thread), runnable.thread));
        }
        Move::Run(best.1)
    }

    fn pick(&mut self, options: usize) -> usize {
        self.rng.below(options)
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.rng.one_in(one_in)
    }
}
