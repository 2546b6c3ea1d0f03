//! Each case of the suite with several seeds on the simulated machine, and with each kind of fault
//! that a machine may have.

use std::cell::Cell;
use std::env::{var, var_os};
use std::rc::Rc;
use std::time::Duration;

use res_conformance::{Case, Harness, Verdict};
use res_kernel::sim::{Failing, Faults, Found, Seeds, Simulation};

/// A machine that does no more than it is asked for.
const QUIET: Faults =
    Faults { spurious: 0, late: 0, jumps: 0, memory: Failing::Never, creation: Failing::Never };

/// What the machine does besides, and with which part of the seeds.
const MACHINES: [(&str, Faults, u64); 4] = [
    ("usual", Faults { spurious: 64, ..QUIET }, 1),
    ("spurious", Faults { spurious: 2, ..QUIET }, 10),
    ("late", Faults { late: 2, ..QUIET }, 10),
    ("jumps", Faults { jumps: 200, ..QUIET }, 10),
];

/// How long a test waits, in virtual time: longer than all jumps of the clock together.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100 * 86_400);

/// Runs the case with each seed, each time on a machine of its own: `usual` seeds in a plain run of
/// the test of that name. `RES_FAULTS` names the kind of machine, where it is not all of them.
pub(crate) fn conduct<H: Harness>(case: &Case<H>, usual: u64, test: &str) -> Verdict {
    if !H::budget().covers(case.needs) {
        return Verdict::Skipped(case.needs);
    }
    let long = var_os("RES_LONG").is_some_and(|value| value == "1");
    let count = if long { 50 * usual } else { usual };
    let wanted = var("RES_FAULTS").ok();
    for (machine, faults, part) in MACHINES {
        if wanted.as_ref().is_none_or(|wanted| wanted == machine)
            && let Err((verdict, found)) = run(case, Seeds::from_env(count.div_ceil(part)), faults)
        {
            let (name, seed) = (case.name, found.outcome.seed);
            panic!(
                "{name}: {verdict:?}\n{found}\nagain: RES_FAULTS={machine} RES_SEED={seed} \
                 cargo test -p res-conformance --test {test} {name}"
            );
        }
    }
    Verdict::Passed
}

/// Runs the case with each seed. What it said of the first that fails, if it said something.
fn run<H: Harness>(
    case: &Case<H>,
    seeds: Seeds,
    faults: Faults,
) -> Result<(), (Option<Verdict>, Box<Found>)> {
    let failed = Rc::new(Cell::new(None));
    let (case, out) = (*case, Rc::clone(&failed));
    let machine = move |seed| Simulation::new(seed).faults(faults);
    let found = seeds.find_with(machine, move |_| {
        if let verdict @ Verdict::Failed(_) = case.check(&H::default()) {
            out.set(Some(verdict));
            panic!("the case fails");
        }
    });
    found.map(|_| ()).map_err(|found| (failed.take(), found))
}
