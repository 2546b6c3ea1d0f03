//! Channels of the library backend.

use chan_impls::Spsc;
use res_api::{Backend, Deadline, Fault, Gone, Receiver, RecvError, Sender, Thread};
use res_kernel::Composite;

use super::{LONG, system, within};
use crate::report::check;

pub(super) fn one_thread(machine: Composite) -> Result<(), Fault> {
    let system = system(machine, 0)?;
    let (mut tx, mut rx) = system.chan::<Spsc, u64>(2)?;
    tx.send(1)?;
    tx.try_send(2)?;
    check!(tx.try_send(3).is_err());
    check!((rx.recv()?, rx.try_recv()?) == (1, 2));
    drop(tx);
    check!(rx.recv() == Err(RecvError::Gone(Gone::Closed)));
    Ok(())
}

/// There and back, a receiver asleep each time.
pub(super) fn both_ways(machine: Composite) -> Result<(), Fault> {
    let system = system(machine, 1)?;
    let (mut there, mut at_there) = system.chan::<Spsc, u64>(4)?;
    let (mut back, mut at_home) = system.chan::<Spsc, u64>(4)?;
    let doubler = system.thread(move || {
        while let Ok(number) = at_there.recv() {
            if back.send(2 * number).is_err() {
                return;
            }
        }
    })?;
    doubler.start()?;
    for number in 0..500 {
        there.send(number)?;
        check!(at_home.recv_until(within(machine, LONG))? == 2 * number);
    }
    drop(there);
    check!(at_home.recv() == Err(RecvError::Gone(Gone::Closed)));
    doubler.join(Deadline::NEVER)?.ok()
}

/// The sender sleeps where there is no room, the receiver where there is nothing.
pub(super) fn full(machine: Composite) -> Result<(), Fault> {
    const COUNT: u64 = 2_000;
    let system = system(machine, 1)?;
    let (mut tx, mut rx) = system.chan::<Spsc, u64>(3)?;
    let sender = system.thread(move || {
        for number in 0..COUNT {
            if tx.send(number).is_err() {
                return;
            }
        }
    })?;
    sender.start()?;
    for number in 0..COUNT {
        check!(rx.recv_until(within(machine, LONG))? == number);
    }
    sender.join(Deadline::NEVER)?.ok()
}
