//! Many runs: which seeds, and what to say of one that fails.

use core::ops::Range;
use std::env;

use super::outcome::Outcome;
use super::{Sim, Simulation};

/// Seeds to run something with.
///
/// # Example
///
/// ```
/// use res_kernel::sim::Seeds;
///
/// // 100 runs, or as many as `RES_SEEDS` says, or only the one that `RES_SEED` names.
/// Seeds::from_env(100).check("nothing", |_| {});
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(Range<u64>);

/// What many runs were, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many there were.
    pub runs: u64,
    /// Their steps.
    pub steps: u64,
    /// Their switches from thread to thread.
    pub switches: u64,
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

impl Seeds {
    /// The seeds 0 to `count - 1`.
    pub const fn first(count: u64) -> Self {
        Self(0..count)
    }

    /// The seed `RES_SEED`; without it, the first `RES_SEEDS`; without that, the first `count`.
    pub fn from_env(count: u64) -> Self {
        match number("RES_SEED") {
            Some(seed) => Self(seed..seed.saturating_add(1)),
            None => Self::first(number("RES_SEEDS").unwrap_or(count)),
        }
    }

    /// Runs `body` with each seed until one fails.
    ///
    /// # Errors
    ///
    /// The first outcome that is a failure.
    pub fn find(self, body: impl Fn(Sim) + Clone + 'static) -> Result<Summary, Outcome> {
        self.find_with(Simulation::new, body)
    }

    /// The same, with settings of one's own.
    ///
    /// # Errors
    ///
    /// The first outcome that is a failure.
    pub fn find_with(
        self,
        settings: impl Fn(u64) -> Simulation,
        body: impl Fn(Sim) + Clone + 'static,
    ) -> Result<Summary, Outcome> {
        let mut summary = Summary::default();
        for seed in self.0 {
            let outcome = settings(seed).run(body.clone());
            summary.runs += 1;
            summary.steps += outcome.steps;
            summary.switches += outcome.switches;
            if outcome.failure.is_some() {
                return Err(outcome);
            }
        }
        Ok(summary)
    }

    /// Runs `body` with each seed, and reports one that fails, with how to run it again.
    ///
    /// # Panics
    ///
    /// If a run fails.
    pub fn check(self, name: &str, body: impl Fn(Sim) + Clone + 'static) -> Summary {
        self.find(body).unwrap_or_else(|outcome| {
            panic!("{name}, {outcome}\n  again: RES_SEED={} cargo test {name}", outcome.seed)
        })
    }
}
