//! The suite on `Local` over the simulated machine: each case with several seeds.
//!
//! `RES_SEEDS=10000` runs each case with that many, `RES_LONG=1` with 50 times as many as usual,
//! `RES_SEED=17` with that one alone.

#[path = "common/seeds.rs"]
mod seeds;

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use backend_local::{AnyRcv, AnySnd, Dynamic, Local, LocalError, Region, Static};
use chan_impls::{Spsc, ZeroCopy};
use res_api::{ChanAttr, Deadline, ErrorKind, Notify};
use res_conformance::any::AnyChan;
use res_conformance::{Budget, Case, Failure, Harness, Verdict, cases, conformance};
use res_kernel::{Kernel, Sim};

/// The backend under test.
type Simulated = Local<Dynamic, Sim>;

/// Seeds for each case in a plain run.
const SEEDS: u64 = 40;

fn fresh() -> Simulated {
    Simulated::on(Sim::new()).expect("a system")
}

/// What all harnesses here have in common.
macro_rules! simulated {
    () => {
        type Backend = Simulated;

        fn budget() -> Budget {
            Budget::UNLIMITED
        }

        fn fresh(&self) -> Simulated {
            fresh()
        }

        simulated!(runs);
    };
    (runs) => {
        fn conduct(case: &Case<Self>) -> Verdict {
            seeds::conduct(case, SEEDS, "sim")
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
    const NAME: &'static str = "Local<Dynamic, Sim>";
    simulated!();
}

/// Loans of slots of a pool.
#[derive(Default)]
struct Loans;

impl Harness for Loans {
    type Kind = ZeroCopy;
    const NAME: &'static str = "ZeroCopy on Local<Dynamic, Sim>";
    simulated!();
}

/// Rings where one side never notifies the other: it polls.
#[derive(Default)]
struct Polled;

impl Harness for Polled {
    type Kind = Spsc;
    const NAME: &'static str = "Local<Dynamic, Sim>, polled";
    simulated!();

    fn attr(&self) -> ChanAttr {
        let notify = Notify::Never { poll: Duration::from_micros(200) };
        ChanAttr { notify, ..ChanAttr::default() }
    }
}

/// Rings with a budget of notifications, behind which the other side polls (R30).
#[derive(Default)]
struct Limited;

impl Harness for Limited {
    type Kind = Spsc;
    const NAME: &'static str = "Local<Dynamic, Sim>, limited";
    simulated!();

    fn attr(&self) -> ChanAttr {
        let (period, poll) = (Duration::from_millis(1), Duration::from_micros(200));
        ChanAttr { notify: Notify::Limited { events: 2, period, poll }, ..ChanAttr::default() }
    }
}

const THREADS: u32 = 3;

/// Memory for systems, one at a time in each.
type Regions = [Region<{ 4 << 20 }>; 4];

/// Regions that are a thread's of the test runner, whose runs come one after the other.
struct Leased(usize);

static REGIONS: [Regions; 8] = [const { [const { Region::new() }; 4] }; 8];
static LEASED: [AtomicBool; 8] = [const { AtomicBool::new(false) }; 8];

impl Leased {
    /// Those of another thread, when it has ended.
    fn new() -> Self {
        loop {
            for (index, leased) in LEASED.iter().enumerate() {
                if !leased.swap(true, SeqCst) {
                    return Self(index);
                }
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        LEASED[self.0].store(false, SeqCst);
    }
}

thread_local! {
    static OWN: Leased = Leased::new();
}

/// Rings in memory of a region, with threads from a pool.
#[derive(Default)]
struct InPools;

impl Harness for InPools {
    type Backend = Local<Static, Sim>;
    type Kind = Spsc;
    const NAME: &'static str = "Local<Static, Sim>";

    fn budget() -> Budget {
        Budget { threads: THREADS, objects: 2_000, bytes: 1 << 20 }
    }

    /// In whichever region is free first: a system may end a moment after it was let go.
    fn fresh(&self) -> Self::Backend {
        let sim = Sim::new();
        loop {
            for region in OWN.with(|leased| &REGIONS[leased.0]) {
                match Local::over_with(sim, region, THREADS, Deadline::PASSED) {
                    Ok(system) => return system,
                    Err(LocalError::Kind(ErrorKind::Exists)) => sim.yield_to(None),
                    Err(error) => panic!("no system: {error}"),
                }
            }
        }
    }

    simulated!(runs);
}

impl AnyChan for Rings {
    type Snd<T: Send + 'static> = AnySnd<Dynamic, Sim, T>;
    type Rcv<T: Send + 'static> = AnyRcv<Dynamic, Sim, T>;

    fn any_chan<T: Send + 'static>(
        &self,
        b: &Simulated,
        capacity: u32,
    ) -> Result<(Self::Snd<T>, Self::Rcv<T>), Failure> {
        Ok(b.any_chan(capacity)?)
    }
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
        for seed in 0..3 {
            assert_eq!(run(seed), run(seed), "{} with seed {seed}", case.name);
        }
    }
}

conformance!(rings, Rings);
conformance!(pools, InPools);
conformance!(channel loans, Loans);
conformance!(channel polled, Polled);
conformance!(channel limited, Limited);
conformance!(any any_type, Rings);
