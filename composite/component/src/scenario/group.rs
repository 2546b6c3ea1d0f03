//! Event groups.

use chan_impls::Spsc;
use res_api::{
    Backend, Blockpoint, Deadline, EvtGrp, Fault, Gone, Receiver, Sender, SourceKind, Thread,
    Trigger, WaitError, Wake,
};
use res_kernel::Composite;

use super::{LONG, system, within};
use crate::report::check;

/// Two channels, a blockpoint and the end of a thread, waited for by one.
pub(super) fn channels(machine: Composite) -> Result<(), Fault> {
    const EACH: u64 = 50;
    let system = system(machine, 1)?;
    let group = system.evtgrp(4)?;
    let (mut to_one, mut one) = system.chan::<Spsc, u64>(2)?;
    let (mut to_two, mut two) = system.chan::<Spsc, u64>(2)?;
    let changed = system.blockpoint()?;
    let theirs = changed.clone();
    let sender = system.thread(move || {
        for number in 0..EACH {
            let _ = to_one.send(number);
            let _ = to_two.send(number);
        }
        theirs.trigger(Wake::All);
    })?;
    let _registered = (
        group.add(&one, Trigger::Level, 1)?,
        group.add(&two, Trigger::Level, 2)?,
        group.add(&changed, Trigger::Edge, 3)?,
        group.add(&sender, Trigger::Edge, 4)?,
    );
    sender.start()?;
    let (mut counts, mut changes, mut ended) = ([0, 0], 0, false);
    while !ended || counts != [EACH, EACH] {
        let event = group.wait(within(machine, LONG))?;
        match (event.kind, event.data) {
            (SourceKind::Blockpoint, 3) => changes += 1,
            (SourceKind::Thread, 4) => ended = true,
            (_, 1) => {
                while one.try_recv().is_ok() {
                    counts[0] += 1
                }
            }
            (_, 2) => {
                while two.try_recv().is_ok() {
                    counts[1] += 1
                }
            }
            _ => check!(false),
        }
    }
    check!(changes == 1);
    group.close();
    check!(group.wait(Deadline::NEVER) == Err(WaitError::Gone(Gone::Closed)));
    Ok(())
}
