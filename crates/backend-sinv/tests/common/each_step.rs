//! A scene in which a component of a simulation is killed at each step, one after the other.
//!
//! `RES_SEEDS=n` tries each step in n orders, `RES_SEED=n` in that one alone, and `RES_STEP=n` that
//! step alone.

use res_kernel::Sim;
use std::fmt;

use res_kernel::sim::{Faults, Found, Outcome, Seeds, Simulation};

/// Who is killed, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    /// Its number, by the order in which domains are started.
    pub(crate) domain: u32,
    /// Orders in a plain run.
    pub(crate) seeds: u64,
    /// From one step that is tried to the next, in a plain run.
    pub(crate) stride: u64,
}

pub(crate) fn long() -> bool {
    std::env::var_os("RES_LONG").is_some_and(|value| value == "1")
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// What the machine does besides: nothing, or wakes without a reason, or late.
fn faults(seed: u64) -> Faults {
    match seed % 3 {
        0 => Faults::default(),
        1 => Faults { spurious: 2, ..Faults::default() },
        _ => Faults { late: 2, ..Faults::default() },
    }
}

/// A kill that a scene does not stand.
#[derive(Debug)]
pub(crate) struct Killed {
    domain: u32,
    /// The step.
    pub(crate) step: u64,
    /// The run, and a smaller one that fails in the same way when it is killed at that step.
    pub(crate) found: Box<Found>,
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, step, found } = self;
        let (seed, thread) = (found.outcome.seed, std::thread::current());
        writeln!(f, "domain {domain} killed at step {step}, {found}")?;
        let test = thread.name().unwrap_or_default();
        write!(f, "again: RES_SEED={seed} RES_STEP={step} cargo test -p backend-sinv {test}")
    }
}

impl Kill {
    /// Runs `scene` without a kill, and then with each; how many runs there were.
    ///
    /// # Panics
    ///
    /// At the first that fails, with the smallest run that fails so, and how to run it again.
    pub(crate) fn at_each_step(self, scene: impl Fn(Sim) + Copy + 'static) -> u64 {
        self.find(number("RES_STEP"), scene).unwrap_or_else(|killed| panic!("{killed}"))
    }

    /// The same, at that step alone, if one is named.
    ///
    /// # Errors
    ///
    /// The first kill that makes a run fail.
    ///
    /// # Panics
    ///
    /// If a run fails without one.
    pub(crate) fn find(
        self,
        step: Option<u64>,
        scene: impl Fn(Sim) + Copy + 'static,
    ) -> Result<u64, Killed> {
        let mut runs = 0;
        for seed in Seeds::from_env(self.seeds) {
            runs += self.with_seed(seed, step, scene)?;
        }
        Ok(runs)
    }

    /// The same, in one order.
    pub(crate) fn with_seed(
        self,
        seed: u64,
        step: Option<u64>,
        scene: impl Fn(Sim) + Copy + 'static,
    ) -> Result<u64, Killed> {
        let whole = self.run(seed, 0, scene);
        assert_eq!(whole.failure, None, "{whole}");
        let stride = if long() { 1 } else { self.stride };
        let (first, last, stride) = match step {
            Some(step) => (step, step, 1),
            // Other steps with another seed.
            None => (1 + seed % stride, whole.steps, stride),
        };
        let mut runs = 0;
        for step in (first..=last).step_by(stride as usize) {
            let outcome = self.run(seed, step, scene);
            runs += 1;
            if outcome.hash == whole.hash {
                // It had ended.
                break;
            }
            if outcome.failure.is_some() {
                return Err(self.killed(seed, step, scene));
            }
        }
        Ok(runs)
    }

    fn simulation(self, seed: u64, step: u64) -> Simulation {
        Simulation::new(seed).kill(self.domain, step).faults(faults(seed))
    }

    fn run(self, seed: u64, step: u64, scene: impl Fn(Sim) + 'static) -> Outcome {
        self.simulation(seed, step).run(scene)
    }

    /// Runs it again, and makes it smaller.
    fn killed(self, seed: u64, step: u64, scene: impl Fn(Sim) + Copy + 'static) -> Killed {
        let again = Seeds::one(seed).find_with(|seed| self.simulation(seed, step), scene);
        Killed { domain: self.domain, step, found: again.expect_err("the same run again") }
    }
}
