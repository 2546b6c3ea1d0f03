//! What things cost, by the cycle counter: what the crates do, next to the same over the bare
//! interface.

mod bare;
mod channel;
mod invocation;
mod lock;
mod measure;

use res_api::Fault;
use res_kernel::Composite;

pub(crate) use measure::{all_rounds, cost};

/// Prints a line for each.
///
/// # Errors
///
/// What a scenario would have failed of.
pub(crate) fn all(machine: Composite) -> Result<(), Fault> {
    bare::invocation();
    invocation::alone();
    invocation::wakes(machine)?;
    bare::round_trip(machine)?;
    bare::yields(machine)?;
    lock::alone(machine)?;
    lock::contended(machine)?;
    channel::alone(machine)?;
    channel::round_trip(machine)
}
