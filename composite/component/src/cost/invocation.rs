//! Another component.

use core::hint::black_box;

use res_api::Fault;
use res_kernel::Composite;

use super::measure::{all_rounds, cost};
use crate::scenario::beside::started;
use crate::tally::Tally;

/// There and back, with four words and four.
pub(super) fn alone() {
    let tally = Tally::imported();
    cost("invocation of a component", 1_000, || {
        black_box(tally.sum(black_box([1, 2, 3, 4])));
    });
}

/// A thread that sleeps in the server is woken by another one there, and comes back.
pub(super) fn wakes(machine: Composite) -> Result<(), Fault> {
    const ROUNDS: u32 = 1_000;
    let tally = Tally::imported();
    let first = tally.more();
    let mut body = || {
        for seen in first..first + i64::from(all_rounds(ROUNDS)) {
            tally.wait(seen);
        }
    };
    let _other = started(machine, &mut body)?;
    cost("wake in a component", ROUNDS, || {
        black_box(tally.more());
    });
    Ok(())
}
