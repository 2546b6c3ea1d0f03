//! A scene in which a component of a simulation is killed at each step, one after the other.
//!
//! `RES_SEEDS=n` tries each step in n orders, `RES_SEED=n` in that one alone, and `RES_STEP=n` that
//! step alone.

use res_kernel::Sim;
use res_kernel::sim::{Faults, Outcome, Seeds, Simulation, Transcript};

/// Lines of a trace that are printed.
const LINES: usize = 40;

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

impl Kill {
    /// Runs `scene` without a kill, and then with each; how many runs there were.
    ///
    /// # Panics
    ///
    /// At the first that fails.
    pub(crate) fn at_each_step(self, scene: impl Fn(Sim) + Copy + 'static) -> u64 {
        Seeds::from_env(self.seeds).into_iter().map(|seed| self.with_seed(seed, scene)).sum()
    }

    fn with_seed(self, seed: u64, scene: impl Fn(Sim) + Copy + 'static) -> u64 {
        let whole = self.run(seed, 0, scene);
        assert_eq!(whole.failure, None, "{whole}");
        let stride = if long() { 1 } else { self.stride };
        let (first, last, stride) = match number("RES_STEP") {
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
                self.explain(seed, step, scene);
            }
        }
        runs
    }

    fn simulation(self, seed: u64, step: u64) -> Simulation {
        Simulation::new(seed).kill(self.domain, step).faults(faults(seed))
    }

    fn run(self, seed: u64, step: u64, scene: impl Fn(Sim) + 'static) -> Outcome {
        self.simulation(seed, step).run(scene)
    }

    /// Runs it once more, to say what happened.
    fn explain(self, seed: u64, step: u64, scene: impl Fn(Sim) + 'static) -> ! {
        let outcome = self.simulation(seed, step).record().run(scene);
        outcome.draw(&format!("killed-{seed}-{step}"));
        let text = Transcript(&outcome.events).to_string();
        let lines: Vec<_> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
        let domain = self.domain;
        panic!("domain {domain}, RES_SEED={seed} RES_STEP={step}: {outcome}{last}");
    }
}
