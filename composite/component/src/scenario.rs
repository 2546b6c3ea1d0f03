//! What has to work. None needs anything but the component itself.

pub(crate) mod beside;
mod blockpoint;
mod channel_manager;
mod component;
pub(crate) mod conformance;
mod event_manager;
mod ground;
mod group;
mod invocation;
mod ipc;
mod isolated;
mod kernel;
mod memory;
mod mutex;
mod refused;
mod shared;
mod spsc;
mod thread;
mod timer;
mod travel;

use core::time::Duration;

use backend_local::{Local, Region, Static};
use res_api::{Deadline, Fault};
use res_kernel::Composite;
use res_sync::Park;

use crate::cost;
use crate::report::Report;

/// The library backend on this machine, with all of its memory in the component's image.
pub(crate) type System = Local<Static, Composite>;

static REGION: Region<{ 256 * 1024 }> = Region::new();

/// Nothing here takes as long.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// A system with so many workers, when the last one has let go of its memory.
pub(crate) fn system(machine: Composite, workers: u32) -> Result<System, Fault> {
    Ok(System::over_with(machine, &REGION, workers, within(machine, LONG))?)
}

/// The deadline that passes after that span.
pub(crate) fn within(machine: Composite, span: Duration) -> Deadline {
    Deadline::at(machine.now() + span)
}

/// Runs all of them. (By address: in one another's frames they would not fit the stack.)
pub(crate) fn all(machine: Composite, report: &mut Report) {
    type Scenario = fn(Composite) -> Result<(), Fault>;
    let scenarios: &[(&str, Scenario)] = &[
        ("kernel prints", kernel::prints),
        ("kernel says no", kernel::says_no),
        ("kernel invocation", kernel::invocation),
        ("boot once", thread::boot_once),
        ("invocation of a component", invocation::words),
        ("invocation tells who", invocation::who),
        ("invocation sleeps", invocation::sleeps),
        ("thread start and join", thread::start_and_join),
        ("thread ids", thread::ids),
        ("thread pool runs out", thread::pool_runs_out),
        ("thread dropped before its start", thread::dropped),
        ("thread priority", thread::priority),
        ("thread priority while it sleeps", thread::priority_while_it_sleeps),
        ("thread priority of the next life", thread::priority_of_the_next_life),
        ("thread parameters that are refused", thread::refused),
        ("blockpoint wakes", blockpoint::wakes),
        ("blockpoint wakes all", blockpoint::wakes_all),
        ("blockpoint keeps its epoch", blockpoint::keeps_its_epoch),
        ("blockpoint deadline", blockpoint::deadline),
        ("blockpoint after a deadline", blockpoint::after_a_deadline),
        ("memory", memory::objects),
        ("memory pool", memory::pool),
        ("memory with a name", memory::shared),
        ("shared places to sleep at", shared::wakes),
        ("shared places are left to others", shared::is_left_to_others),
        ("buffer opened twice", shared::opened_twice),
        ("channel manager", channel_manager::numbers),
        ("channel manager's mappings", channel_manager::mappings),
        ("channel manager's events", channel_manager::events),
        ("event manager", event_manager::events),
        ("mutex", mutex::excludes),
        ("mutex deadline", mutex::deadline),
        ("channel", spsc::one_thread),
        ("channel both ways", spsc::both_ways),
        ("channel full", spsc::full),
        ("event group", group::channels),
        ("timer", timer::expires),
        ("workers", component::workers),
        ("component", component::endowed),
        ("component stops", component::stops),
        ("manager asked in nonsense", refused::nonsense),
        ("manager asked for what is forged", refused::forged),
        ("channel between components", isolated::numbers),
        ("channel of another component", isolated::offered),
        ("channel whose receiver leaves", isolated::receiver_leaves),
        ("channel of pages between components", isolated::pages),
        ("calls between components", isolated::calls),
        ("service of another component", isolated::service),
        ("costs of the manager", isolated::costs),
        ("end in escrow", isolated::escrow),
        ("names of a component that ends", isolated::names_end),
        ("end given on to a third component", isolated::given_on),
        ("end that comes back", isolated::comes_back),
        ("end of another type", isolated::wrong_type),
        ("memory between components", isolated::memory),
        ("manager asked by two threads", isolated::threads),
        ("event group between components", isolated::group),
        ("ends sent to another component", travel::there),
        ("ends that come from another component", travel::here),
        ("ends lost in queues", travel::lost),
        ("ends in a circle", travel::circles),
        ("manager's tables full", isolated::full),
        ("components say no", isolated::says_no),
        ("manager asked by who is not the holder", refused::not_the_holder),
        ("manager asked wrongly about one's own", refused::one_s_own),
        ("manager told an implausible epoch", refused::implausible),
        ("costs", cost::all),
        // What can be done once, and what loses a thread.
        ("thread that panics", thread::panics),
        ("synchronous ipc", ipc::calls),
    ];
    for (name, scenario) in scenarios {
        report.result(name, scenario(machine));
    }
}
