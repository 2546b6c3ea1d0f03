//! Groups: who waits dies, or who is waited for.

use std::time::Duration;

use chan_impls::Spsc;
use res_api::{
    Backend, Deadline, Env, EvtGrp, Exit, Receiver, Rx, Sender, Slot, Timer, Trigger, Tx,
};

use crate::ground::{Ground, Message, Outcome, System, Trial, message, mortally, told};

const TO: Slot<Tx<Spsc, Message>> = Slot::new("to");
const FROM: Slot<Rx<Spsc, Message>> = Slot::new("from");
/// Keeps its peer informed.
const HELD: Slot<Tx<Spsc, Message>> = Slot::new("held");

fn waits(env: Env<System>) -> Outcome {
    let (mut from, group) = (env.take(FROM)?, env.evtgrp(2)?);
    mortally(&env, || {
        let registered = group.add(&from, Trigger::Level, 1)?;
        assert_eq!(group.wait(Deadline::NEVER)?.data, 1);
        assert_eq!(from.recv()?, message(0));
        drop(registered);
        Ok(())
    })?
}

/// Whoever rings, for one that is dead as well, is told.
fn waiting(trial: &Trial<'_>) -> Exit {
    let (mut tx, from) = trial.system.chan::<Spsc, Message>(1).expect("a channel");
    let component = trial.component(waits);
    component.endow(FROM, from).expect("endowed");
    component.start().expect("started");
    trial.system.sleep(trial.system.after(Duration::from_micros(200)));
    let gone = trial.send_all(&mut tx, 0);
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    exit
}

fn rings(env: Env<System>) -> Outcome {
    let mut to = env.take(TO)?;
    to.send(message(0))?;
    mortally(&env, || (1..3).try_for_each(|n| to.send(message(n))))??;
    Ok(())
}

/// A group hears of each message, and of the end.
fn ringing(trial: &Trial<'_>) -> Exit {
    let (to, mut rx) = trial.system.chan::<Spsc, Message>(4).expect("a channel");
    let component = trial.component(rings);
    component.endow(TO, to).expect("endowed");
    let group = trial.system.evtgrp(1).expect("a group");
    let registered = group.add(&rx, Trigger::Edge, 7).expect("added");
    component.start().expect("started");
    let mut count = 0;
    let gone = loop {
        assert_eq!(group.wait(trial.late).expect("it is heard").data, 7);
        let end = rx.drain(|found| {
            assert_eq!(found, message(count));
            count += 1;
        });
        if let Some(gone) = end {
            break gone;
        }
    };
    drop(registered);
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    assert!(if exit == Exit::Success { count == 3 } else { (1..=3).contains(&count) }, "{count}");
    exit
}

fn times(env: Env<System>) -> Outcome {
    let _held = env.take(HELD)?;
    mortally(&env, || {
        let timer = env.timer(env.after(Duration::from_micros(50)), None)?;
        timer.wait(Deadline::NEVER)?;
        timer.set(env.after(Duration::from_micros(50)), None);
        let group = env.evtgrp(1)?;
        let registered = group.add(&timer, Trigger::Edge, 1)?;
        assert_eq!(group.wait(Deadline::NEVER)?.data, 1);
        drop(registered);
        timer.cancel();
        Ok(())
    })?
}

fn timing(trial: &Trial<'_>) -> Exit {
    trial.held(HELD, trial.component(times))
}

#[test]
fn groups() {
    let mut ground = Ground::new();
    ground.try_each("wait", waiting);
    ground.try_each("ring", ringing);
    ground.try_each("timer", timing);
}
