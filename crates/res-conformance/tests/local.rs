//! The suite on `Local`, with each memory policy.

use std::cell::Cell;
use std::time::Duration;

use backend_local::{AllocOnly, Local, LocalError, OverRegion, Region, Static};
use chan_impls::{Spsc, ZeroCopy};
use res_api::{ChanAttr, Deadline, Notify};
use res_conformance::any::AnyChan;
use res_conformance::{Budget, Case, Failure, Harness, Verdict, cases, conformance};

/// Memory of the global allocator.
#[derive(Default)]
struct OnHeap;

impl Harness for OnHeap {
    type Backend = Local;
    type Kind = Spsc;
    const NAME: &'static str = "Local<Dynamic>";

    fn budget() -> Budget {
        Budget::UNLIMITED
    }

    fn fresh(&self) -> Local {
        Local::new().expect("a system")
    }
}

const REGION: usize = 4 << 20;
const THREADS: u32 = 3;
const BUDGET: Budget = Budget { threads: THREADS, objects: 2_000, bytes: 1 << 20 };

/// Memory for systems, one at a time in each. Tests run side by side.
type Regions = [Region<REGION>; 4];

/// A system in whichever region is free first.
fn in_one_of<P: OverRegion>(regions: &'static Regions, threads: u32) -> Local<P> {
    for _ in 0..10_000 {
        for region in regions {
            let by = Deadline::PASSED;
            match Local::<P>::over_by(region, threads, by) {
                Ok(system) => return system,
                Err(LocalError::Kind(res_api::ErrorKind::Exists)) => {}
                Err(error) => panic!("no system: {error}"),
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("no region gets free")
}

/// Memory of a region, in pools.
#[derive(Default)]
struct InPools;

impl Harness for InPools {
    type Backend = Local<Static>;
    type Kind = Spsc;
    const NAME: &'static str = "Local<Static>";

    fn budget() -> Budget {
        BUDGET
    }

    fn fresh(&self) -> Local<Static> {
        static REGIONS: Regions = [const { Region::new() }; 4];
        in_one_of(&REGIONS, THREADS)
    }
}

thread_local! {
    /// How many threads a system gets that this thread makes.
    static WORKERS: Cell<u32> = const { Cell::new(THREADS) };
}

/// Memory of a region, never given back.
#[derive(Default)]
struct NeverFreed;

impl Harness for NeverFreed {
    type Backend = Local<AllocOnly>;
    type Kind = Spsc;
    const NAME: &'static str = "Local<AllocOnly>";

    fn budget() -> Budget {
        Budget { threads: WORKERS.get(), ..BUDGET }
    }

    fn fresh(&self) -> Local<AllocOnly> {
        static REGIONS: Regions = [const { Region::new() }; 4];
        in_one_of(&REGIONS, WORKERS.get())
    }

    /// What is made in each round stays.
    fn rounds_of_making(usual: u64) -> u64 {
        usual
    }
}

conformance!(dynamic, OnHeap);
conformance!(pools, InPools);
conformance!(alloc_only, NeverFreed);

/// The same channels, where one side never notifies the other: it polls.
#[derive(Default)]
struct Polled;

impl Harness for Polled {
    type Backend = Local;
    type Kind = Spsc;
    const NAME: &'static str = "Local<Dynamic>, polled";

    fn budget() -> Budget {
        Budget::UNLIMITED
    }

    fn fresh(&self) -> Local {
        OnHeap.fresh()
    }

    fn attr(&self) -> ChanAttr {
        let notify = Notify::Never { poll: Duration::from_micros(200) };
        ChanAttr { notify, ..ChanAttr::default() }
    }

    /// Each wait takes a poll.
    fn rounds(usual: u64) -> u64 {
        usual
    }
}

/// The same channels with a budget of notifications, behind which the other side polls (R30).
#[derive(Default)]
struct Limited;

impl Harness for Limited {
    type Backend = Local;
    type Kind = Spsc;
    const NAME: &'static str = "Local<Dynamic>, limited";

    fn budget() -> Budget {
        Budget::UNLIMITED
    }

    fn fresh(&self) -> Local {
        OnHeap.fresh()
    }

    fn attr(&self) -> ChanAttr {
        let (period, poll) = (Duration::from_millis(1), Duration::from_micros(200));
        ChanAttr { notify: Notify::Limited { events: 2, period, poll }, ..ChanAttr::default() }
    }

    fn rounds(usual: u64) -> u64 {
        usual
    }
}

/// Loans of slots of a pool.
#[derive(Default)]
struct Loans;

impl Harness for Loans {
    type Backend = Local;
    type Kind = ZeroCopy;
    const NAME: &'static str = "ZeroCopy on Local<Dynamic>";

    fn budget() -> Budget {
        Budget::UNLIMITED
    }

    fn fresh(&self) -> Local {
        OnHeap.fresh()
    }
}

impl AnyChan for OnHeap {
    type Snd<T: Send + 'static> =
        chan_impls::endpoint::QueueSnd<Local, chan_impls::standalone::Producer<'static, T>>;
    type Rcv<T: Send + 'static> =
        chan_impls::endpoint::QueueRcv<Local, chan_impls::standalone::Consumer<'static, T>>;

    fn any_chan<T: Send + 'static>(
        &self,
        b: &Local,
        capacity: u32,
    ) -> Result<(Self::Snd<T>, Self::Rcv<T>), Failure> {
        Ok(b.any_chan(capacity)?)
    }
}

conformance!(channel polled, Polled);
conformance!(channel limited, Limited);
conformance!(channel zero_copy, Loans);
conformance!(any any_type, OnHeap);

/// Has no thread to give.
#[derive(Default)]
struct NoThreads;

impl Harness for NoThreads {
    type Backend = Local;
    type Kind = Spsc;
    const NAME: &'static str = "no threads";

    fn budget() -> Budget {
        Budget { threads: 0, ..Budget::UNLIMITED }
    }

    fn fresh(&self) -> Local {
        OnHeap.fresh()
    }
}

/// What the budget does not cover is not run, and is not counted as passed.
#[test]
fn a_case_beyond_the_budget_is_skipped() {
    let cases = || cases::<NoThreads>().filter(|case| case.needs.threads > 0);
    assert!(cases().count() > 40);
    for case in cases() {
        assert_eq!(case.check(&NoThreads), Verdict::Skipped(case.needs), "{}", case.name);
    }
}

/// With as many threads as a case says that it needs, and no more, it passes.
#[test]
fn the_threads_that_a_case_declares_are_enough() {
    for case in cases::<NeverFreed>() {
        WORKERS.set(case.needs.threads);
        assert_eq!(case.check(&NeverFreed), Verdict::Passed, "{}", case.name);
    }
}

/// The cases are a checklist: each name begins with its requirement, and there is one of each.
#[test]
fn the_table_is_a_checklist() {
    let mut names = Vec::new();
    for Case { name, requirement, text, .. } in cases::<OnHeap>() {
        let prefix = format!("{}_", requirement.to_lowercase());
        assert!(name.starts_with(&prefix), "{name} is for {requirement}");
        assert!(text.len() > 10, "{name} says nothing");
        names.push(name);
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name that occurs twice");
}
