//! The suite is tested itself: each of these backends and kinds is broken in one way, and a named
//! case finds it. The same case passes on the same wrapper with nothing broken.

use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use backend_local::Local;
use chan_impls::Spsc;
use chan_impls::endpoint::{QueueRcv, QueueSnd};
use chan_impls::standalone::{Consumer, Producer};
use res_conformance::any::{self, AnyChan};
use res_conformance::{Budget, Failure, Harness, blockpoint, chanchan, channel, evtgrp, trace};

mod mutants {
    pub(crate) mod kinds;
    pub(crate) mod wrap;
}

use mutants::kinds::{self, Broken, Twice};
use mutants::wrap::{self, Wrap};

/// Short: what a broken backend never does is not waited for long.
const IMPATIENT: Duration = Duration::from_millis(200);

/// Nothing is broken.
#[derive(Clone, Copy)]
struct Honest;

impl wrap::Mutation for Honest {}
impl kinds::Mutation for Honest {}

/// A wrapped backend.
struct Backends<M>(PhantomData<M>);

impl<M> Default for Backends<M> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// Whether that is the honest one, which has time.
fn is_honest<M: 'static>() -> bool {
    std::any::TypeId::of::<M>() == std::any::TypeId::of::<Honest>()
}

fn patience<M: 'static>() -> Duration {
    if is_honest::<M>() { Duration::from_secs(20) } else { IMPATIENT }
}

impl<M: wrap::Mutation> Harness for Backends<M> {
    type Backend = Wrap<M>;
    type Kind = Spsc;
    const NAME: &'static str = "Wrap";

    fn budget() -> Budget {
        Budget::UNLIMITED
    }

    fn fresh(&self) -> Wrap<M> {
        Wrap::new()
    }

    fn patience(&self) -> Duration {
        patience::<M>()
    }
}

/// A broken kind on an honest backend.
struct Kinds<M>(PhantomData<M>);

impl<M> Default for Kinds<M> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<M: kinds::Mutation> Harness for Kinds<M> {
    type Backend = Local;
    type Kind = Broken<M>;
    const NAME: &'static str = "Broken";

    fn budget() -> Budget {
        Budget::UNLIMITED
    }

    fn fresh(&self) -> Local {
        Local::new().expect("a system")
    }

    fn patience(&self) -> Duration {
        patience::<M>()
    }
}

/// Channels of any type, on an honest backend.
#[derive(Default)]
struct Any<const TWICE: bool>;

impl<const TWICE: bool> Harness for Any<TWICE> {
    type Backend = Local;
    type Kind = Spsc;
    const NAME: &'static str = "Twice";

    fn budget() -> Budget {
        Budget::UNLIMITED
    }

    fn fresh(&self) -> Local {
        Local::new().expect("a system")
    }
}

impl<const TWICE: bool> AnyChan for Any<TWICE> {
    type Snd<T: Send + 'static> = QueueSnd<Local, Producer<'static, T>>;
    type Rcv<T: Send + 'static> = Twice<QueueRcv<Local, Consumer<'static, T>>, TWICE>;

    fn any_chan<T: Send + 'static>(
        &self,
        b: &Local,
        capacity: u32,
    ) -> Result<(Self::Snd<T>, Self::Rcv<T>), Failure> {
        let (tx, rx) = b.any_chan(capacity)?;
        Ok((tx, Twice(rx)))
    }
}

type Case<H> = fn(&H) -> Result<(), Failure>;

/// Whether the case holds; a panic is a failure too.
fn holds<H: Harness>(case: Case<H>) -> bool {
    catch_unwind(AssertUnwindSafe(|| case(&H::default()))).is_ok_and(|found| found.is_ok())
}

fn caught<Mutant: Harness, Sane: Harness>(broken: Case<Mutant>, honest: Case<Sane>) {
    assert!(!holds(broken), "the mutant is not caught");
    assert!(holds(honest), "the honest one fails");
}

macro_rules! mutants {
    ($($test:ident: $mutation:ident in $harness:ident by $($case:ident)::+;)*) => { $(
        #[test]
        fn $test() {
            #[derive(Clone, Copy)]
            struct Mutant;
            impl $crate::mutation::$harness for Mutant {
                const $mutation: bool = true;
            }
            caught($($case)::+::<$harness<Mutant>>, $($case)::+::<$harness<Honest>>);
        }
    )* };
}

/// Which trait breaks which harness.
mod mutation {
    pub(crate) use super::mutants::kinds::Mutation as Kinds;
    pub(crate) use super::mutants::wrap::Mutation as Backends;
}

mutants! {
    h1_epoch_not_moved: EPOCH_NOT_MOVED in Backends
        by blockpoint::r8_a_trigger_after_the_checkpoint_is_seen;
    h2_no_recheck: NO_RECHECK in Backends
        by blockpoint::h2_it_looks_again_after_arming;
    close_without_wake_receiver: CLOSE_WITHOUT_WAKE in Backends
        by channel::r18_close_wakes_a_sleeping_receiver;
    close_without_wake_sender: CLOSE_WITHOUT_WAKE in Backends
        by channel::r18_close_wakes_a_sleeping_sender;
    deadline_ignored: DEADLINE_IGNORED in Backends
        by channel::r14_a_passed_deadline_does_not_wait;
    coalesced_events_lost: EVENTS_LOST in Backends
        by evtgrp::r26_none_of_several_at_once_is_lost;
    level_not_rearmed: LEVEL_NOT_REARMED in Backends
        by evtgrp::r29_level_reports_until_idle;
    h23_idle_without_epoch: IDLE_WITHOUT_EPOCH in Backends
        by evtgrp::h23_an_old_snapshot_takes_nothing_away;
    rights_widened_on_transfer: RIGHTS_WIDENED in Backends
        by chanchan::r32_rights_only_shrink_on_a_journey;
    in_transit_does_not_close: LEAKED_IN_TRANSIT in Backends
        by chanchan::h10_lost_in_transit_closes_its_channel;
    full_off_by_one: FULL_EARLY in Kinds
        by channel::r13_bounded_takes_exactly_capacity;
    full_off_by_one_in_a_trace: FULL_EARLY in Kinds
        by trace::r13_boundary_traces_do_what_the_model_does;
    duplicated_on_wrap: DUPLICATED_ON_WRAP in Kinds
        by channel::r13_order_is_kept_across_wraps;
    order_broken_between_batches: ORDER_BROKEN in Kinds
        by channel::r14_batches_keep_the_order_between_them;
    cast_ignores_alignment: ALIGNMENT_IGNORED in Kinds
        by channel::r21_a_cast_looks_at_every_field;
}

#[test]
fn dropped_twice() {
    caught(
        any::h18_a_received_value_is_dropped_once::<Any<true>>,
        any::h18_a_received_value_is_dropped_once::<Any<false>>,
    );
}

/// The generated lists of operations find by themselves what the cases were written for.
#[cfg(feature = "proptest")]
mod found_by_models {
    use super::*;
    use res_conformance::model;

    mutants! {
        full_off_by_one: FULL_EARLY in Kinds by model::r13_a_channel_does_what_its_model_does;
        duplicated_on_wrap: DUPLICATED_ON_WRAP in Kinds
            by model::r13_a_channel_does_what_its_model_does;
        order_broken: ORDER_BROKEN in Kinds by model::r13_a_channel_does_what_its_model_does;
        events_lost: EVENTS_LOST in Backends by model::r26_a_group_does_what_its_model_does;
        level_not_rearmed: LEVEL_NOT_REARMED in Backends
            by model::r26_a_group_does_what_its_model_does;
        epoch_not_moved: EPOCH_NOT_MOVED in Backends
            by model::r8_a_blockpoint_does_what_its_model_does;
        alignment_ignored: ALIGNMENT_IGNORED in Kinds by model::r21_casts_do_what_their_model_does;
    }
}
