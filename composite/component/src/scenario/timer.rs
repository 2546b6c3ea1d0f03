//! Timers, as far as a quantum of ten milliseconds lets them.

use core::time::Duration;

use res_api::{Backend, EvtGrp, Fault, SourceKind, Timer, Trigger};
use res_kernel::Composite;

use super::{LONG, system, within};
use crate::report::check;

pub(super) fn expires(machine: Composite) -> Result<(), Fault> {
    let system = system(machine, 0)?;
    let span = Duration::from_millis(15);
    let start = system.now();
    let once = system.timer(start + span, None)?;
    check!(once.wait(within(machine, LONG))? == 1);
    check!(system.now() - start >= span);

    let start = system.now();
    let often = system.timer(start + span, Some(span))?;
    let group = system.evtgrp(1)?;
    let _registered = group.add(&often, Trigger::Edge, 7)?;
    let mut expired = 0;
    while expired < 3 {
        let event = group.wait(within(machine, LONG))?;
        check!((event.kind, event.data) == (SourceKind::Timer, 7));
        expired += often.expirations();
    }
    check!(system.now() - start >= 3 * span);

    let start = system.now();
    system.sleep(start + span);
    check!(system.now() - start >= span);
    Ok(())
}
