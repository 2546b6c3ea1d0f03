//! Each case of the suite with several seeds on the simulated machine.

use std::cell::Cell;
use std::rc::Rc;

use res_conformance::{Case, Harness, Verdict};
use res_kernel::sim::Seeds;

/// Runs the case with each seed, each time on a machine of its own: `usual` seeds in a plain run of
/// the test of that name.
pub(crate) fn conduct<H: Harness>(case: &Case<H>, usual: u64, test: &str) -> Verdict {
    if !H::budget().covers(case.needs) {
        return Verdict::Skipped(case.needs);
    }
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    let seeds = Seeds::from_env(if long { 50 * usual } else { usual });
    let failed = Rc::new(Cell::new(None));
    let (case, out) = (*case, Rc::clone(&failed));
    let found = seeds.find(move |_| {
        if let verdict @ Verdict::Failed(_) = case.check(&H::default()) {
            out.set(Some(verdict));
            panic!("the case fails");
        }
    });
    if let Err(found) = found {
        let (name, seed, verdict) = (case.name, found.outcome.seed, failed.take());
        panic!(
            "{name}: {verdict:?}\n{found}\nagain: RES_SEED={seed} cargo test -p res-conformance --test {test} {name}"
        );
    }
    Verdict::Passed
}
