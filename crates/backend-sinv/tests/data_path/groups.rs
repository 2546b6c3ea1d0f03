//! What is told to a group in another process, where nobody sleeps on that group.

use std::hint::spin_loop;
use std::thread::yield_now;

use backend_sinv::Sinv;
use chan_impls::Spsc;
use res_api::{
    Backend, Deadline, Env, EvtGrp, Fault, Receiver, Rx, Sender, Slot, Trigger, TryRecvError, Tx,
};

use super::{alone, asking_nobody, count, ends_well, partner, trips};

type Numbers = Slot<Rx<Spsc, u64>>;

const EDGE: Numbers = Slot::new("edge");
const LEVEL: Numbers = Slot::new("level");
/// Behind what is watched: the group has been told.
const TOLD: Numbers = Slot::new("told");
const SEEN: Slot<Tx<Spsc, u64>> = Slot::new("seen");

/// Two sources; says after each turn what their events were, and never sleeps.
fn watches(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut edge, mut level) = (env.take(EDGE)?, env.take(LEVEL)?);
    let (mut told, mut seen) = (env.take(TOLD)?, env.take(SEEN)?);
    let group = env.evtgrp(2)?;
    let _edge = group.add(&edge, Trigger::Edge, 1)?;
    let _level = group.add(&level, Trigger::Level, 2)?;
    loop {
        match told.try_recv() {
            Ok(_) => {
                let mut events = 0;
                // Both are pending, so it does not wait.
                while events != 3 {
                    let event = group.wait(Deadline::PASSED)?;
                    let rx = if event.data == 1 { &mut edge } else { &mut level };
                    rx.drain(|_| events |= event.data);
                }
                seen.send(events)?;
            }
            Err(TryRecvError::Empty) => yield_now(),
            Err(_) => return Ok(()),
        }
    }
}

#[test]
fn who_tells_a_group_asks_nobody() {
    let _alone = alone();
    let system = Sinv::new().expect("a system");
    let component = partner(&system, watches);
    let mut tx = [EDGE, LEVEL, TOLD].map(|slot| {
        let (tx, rx) = system.chan::<Spsc, u64>(8).expect("a channel");
        component.endow(slot, rx).expect("endowed");
        tx
    });
    let (seen, mut rx) = system.chan::<Spsc, u64>(8).expect("a channel");
    component.endow(SEEN, seen).expect("endowed");
    component.start().expect("started");
    let mut turn = move |n| {
        if !tx.iter_mut().all(|tx| tx.try_send(n).is_ok()) {
            return None;
        }
        loop {
            match rx.try_recv() {
                Err(TryRecvError::Empty) => spin_loop(),
                result => return result.ok(),
            }
        }
    };
    // What was sent before they were watched is pending as well. From the second on a bell is rung:
    // where that is was asked for once.
    assert_eq!([turn(0), turn(1)], [Some(3); 2], "it watches");
    let (turn, done) = asking_nobody(&system, &[], move || {
        let done = count(trips(), |n| turn(n) == Some(3));
        (turn, done)
    });
    assert_eq!(done, trips());
    drop(turn);
    ends_well(&system, &component);
}
