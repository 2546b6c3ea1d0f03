//! The suite on `Sinv` over the simulated machine, where a component is a domain of the simulation:
//! each case with a few seeds.
//!
//! `RES_SEEDS=10000` runs each case with that many, `RES_LONG=1` with 50 times as many as usual,
//! `RES_SEED=17` with that one alone.

#[path = "common/seeds.rs"]
mod seeds;

use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::{Spsc, ZeroCopy};
use res_conformance::{Budget, Case, Harness, Verdict, cases, conformance};
use res_kernel::Sim;

/// Seeds for each case in a plain run.
const SEEDS: u64 = 20;

macro_rules! simulated {
    () => {
        type Backend = Sinv<Sim>;

        fn budget() -> Budget {
            Budget::UNLIMITED
        }

        fn fresh(&self) -> Sinv<Sim> {
            Sinv::on(Sim::new(), Limits::default()).expect("a system")
        }

        fn conduct(case: &Case<Self>) -> Verdict {
            seeds::conduct(case, SEEDS, "sim_sinv")
        }

        fn patience(&self) -> Duration {
            seeds::PATIENCE
        }

        /// More of it comes from more seeds.
        fn rounds(usual: u64) -> u64 {
            usual.div_ceil(10)
        }
    };
}

/// Rings.
#[derive(Default)]
struct Rings;

impl Harness for Rings {
    type Kind = Spsc;
    const NAME: &'static str = "Sinv<Sim>";
    simulated!();
}

/// Pools of slots.
#[derive(Default)]
struct Pools;

impl Harness for Pools {
    type Kind = ZeroCopy;
    const NAME: &'static str = "Sinv<Sim>, zero-copy";
    simulated!();
}

/// The same seed is the same run, for the whole suite: by the hash of every step.
#[test]
fn every_case_is_a_function_of_its_seed() {
    for case in cases::<Rings>() {
        let run = |seed| {
            Sim::run(seed, move |_| {
                let _ = case.check(&Rings);
            })
        };
        assert_eq!(run(1), run(1), "{}", case.name);
    }
}

conformance!(rings, Rings);
conformance!(pools, Pools);
