//! The cases of the conformance suite, on the library backend of this machine.

use backend_local::{Local, Region, Static};
use chan_impls::Spsc;
use res_api::Deadline;
use res_conformance::{Budget, Case, Harness, Verdict, cases};
use res_kernel::composite::Once;
use res_kernel::{Composite, KernelError};

use crate::report::Report;

/// The machine, which a harness has no other way to know of.
static MACHINE: Once<Composite> = Once::new();

static REGION: Region<{ 512 * 1024 }> = Region::new();

/// The library backend: `Static`, in the component's image.
#[derive(Default)]
struct Library;

/// Threads of the pool that a case may have at a time.
const WORKERS: u32 = 12;

impl Harness for Library {
    type Backend = Local<Static, Composite>;
    type Kind = Spsc;
    const NAME: &'static str = "Local<Static, Composite>";

    fn budget() -> Budget {
        Budget { threads: WORKERS, ..Budget::UNLIMITED }
    }

    fn fresh(&self) -> Self::Backend {
        let machine = *MACHINE.get().expect("it is there before the first case");
        let made = Local::over_with(machine, &REGION, WORKERS, Deadline::NEVER);
        made.expect("a system, when the one before has gone")
    }
}

/// Runs all that the budget covers.
pub(crate) fn all(machine: Composite, report: &mut Report) {
    let _ = MACHINE.get_or_make(|| Ok::<_, KernelError>(machine));
    for case in cases::<Library>() {
        run(&case, report);
    }
}

/// Cases that need more than a stack of 8 KiB: many ends, or large messages, lie in their frames.
const TOO_DEEP: &[&str] = &[
    "r13_messages_of_any_size_arrive_whole",
    "r23_a_body_that_does_not_fit_comes_back",
    "r26_none_of_several_at_once_is_lost",
    "r26_no_source_starves",
    "r26_hundreds_of_sources",
    "r8_no_wakeup_is_lost_through_a_group",
    "r21_a_cast_looks_at_every_field",
];

/// Cases of a component that dies of a panic: here that is the end of a thread, of which nobody hears.
const DEADLY: &[&str] = &[
    "h14_a_panic_is_a_death_that_peers_see",
    "r26_a_component_is_a_source",
    "h10_death_closes_what_is_in_transit",
];

/// By itself: what a case needs of the stack is not needed while its result is printed.
#[inline(never)]
fn run(case: &Case<Library>, report: &mut Report) {
    if TOO_DEEP.contains(&case.name) || DEADLY.contains(&case.name) {
        return report.skipped(case.name);
    }
    match case.check(&Library) {
        Verdict::Passed => report.result(case.name, Ok(())),
        Verdict::Skipped(_) => report.skipped(case.name),
        Verdict::Failed(failure) => report.result(case.name, Err(failure)),
    }
}
