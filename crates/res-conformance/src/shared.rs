//! Several threads at one event group (R26). A group is not cloned, so this needs an allocator to
//! share it.

use std::sync::Arc;

use res_api::{Backend, Blockpoint, EvtGrp, Gone, Trigger, WaitError, Wake};

use crate::stage::{Words, stage};
use crate::{Failure, Harness};

/// R26: closing a group wakes everybody who waits on it.
pub fn r26_closing_wakes_who_waits<H: Harness>(h: &H) -> Result<(), Failure> {
    for round in 0..H::rounds(20) {
        let s = stage(h);
        let group = Arc::new(s.evtgrp(1)?);
        let waiter = |_| {
            let (inner, group) = (s.clone(), Arc::clone(&group));
            s.spawn(move || {
                let closed = Err(WaitError::Gone(Gone::Closed));
                check_eq!(group.wait(inner.soon()), closed, "waiting");
                Ok(())
            })
        };
        let threads = [waiter(0)?, waiter(1)?];
        for _ in 0..round % 20 * 10 {
            s.yield_now();
        }
        group.close();
        threads.iter().try_for_each(|thread| s.join(thread))?;
    }
    Ok(())
}

/// R26: each event goes to one of several that wait, none to two and none to nobody.
pub fn r26_an_event_goes_to_one_of_several<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (group, point, words) = (Arc::new(s.evtgrp(1)?), s.blockpoint()?, Words::new(&*s)?);
    let _registered = group.add(&point, Trigger::Edge, 5)?;
    let waiter = |_| {
        let (inner, group, words) = (s.clone(), Arc::clone(&group), words.clone());
        s.spawn(move || {
            while let Ok(event) = group.wait(inner.soon()) {
                check_eq!(event.data, 5, "the datum");
                words.add(0, 1);
            }
            check_eq!(group.gone(), Some(Gone::Closed), "why waiting ended");
            Ok(())
        })
    };
    let threads = [waiter(0)?, waiter(1)?];
    for n in 1..=s.rounds(300) {
        point.trigger(Wake::All);
        s.poll("the event is received", || words.get(0) >= n)?;
        check_eq!(words.get(0), n, "events received");
    }
    group.close();
    threads.iter().try_for_each(|thread| s.join(thread))
}
