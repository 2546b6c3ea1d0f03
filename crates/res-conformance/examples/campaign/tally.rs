//! What has been run, and what came of it.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use super::{Limit, Suite};

/// How long a piece is to take at least; there is a start of a program to each.
const PIECE: Duration = Duration::from_secs(10);

/// How far a suite has come.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) suite: &'static Suite,
    pub(crate) seeds: u64,
    spent: Duration,
    /// How many seeds the next piece has.
    piece: u64,
    /// How to run again what has failed.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    pub(crate) fn new(suite: &'static Suite) -> Self {
        Self { suite, seeds: 0, spent: Duration::ZERO, piece: 1, failures: Vec::new() }
    }

    /// The seeds that are next; none where it is over.
    pub(crate) fn next(&self, limit: Limit, elapsed: Duration) -> Option<Range<u64>> {
        let end = match limit {
            Limit::Seeds(most) => most.min(self.seeds + self.piece),
            Limit::Time(most) if elapsed < most => self.seeds + self.piece,
            Limit::Time(_) => self.seeds,
        };
        (end > self.seeds).then_some(self.seeds..end)
    }

    /// So many more have been run.
    pub(crate) fn add(&mut self, seeds: u64, spent: Duration, failures: Vec<String>) {
        self.seeds += seeds;
        self.spent += spent;
        if spent < PIECE {
            self.piece *= 2;
        }
        let new = failures.into_iter().filter(|failure| !self.failures.contains(failure));
        let new: Vec<_> = new.collect();
        self.failures.extend(new);
    }

    fn rate(&self) -> f64 {
        self.seeds as f64 / self.spent.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// A table of all suites, and what failed.
pub(crate) struct Summary<'a>(pub(crate) &'a [Tally]);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10} {:>8} {:>8} {:>8}", "suite", "seeds", "seeds/s", "failures")?;
        for tally in self.0 {
            let (name, seeds, failures) = (tally.suite.name, tally.seeds, tally.failures.len());
            write!(f, "\n{name:<10} {seeds:>8} {:>8.1} {failures:>8}", tally.rate())?;
        }
        self.0.iter().flat_map(|tally| &tally.failures).try_for_each(|again| write!(f, "\n{again}"))
    }
}
