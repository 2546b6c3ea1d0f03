//! Rings: who sends dies, or who receives.

use std::time::Duration;

use chan_impls::Spsc;
use res_api::{Backend, Env, Exit, Receiver, Rx, Sender, Slot, Tx};

use crate::ground::{Ground, Message, Outcome, System, Trial, message, mortally, told};

const TO: Slot<Tx<Spsc, Message>> = Slot::new("to");
const FROM: Slot<Rx<Spsc, Message>> = Slot::new("from");

/// How long a peer waits, so that the other one is asleep.
const NAP: Duration = Duration::from_micros(200);

fn sends(env: Env<System>) -> Outcome {
    let mut to = env.take(TO)?;
    to.send(message(0))?;
    to.send(message(1))?;
    mortally(&env, || {
        to.send(message(2))?;
        to.try_send(message(3))?;
        let batch = [4, 5, 6].map(message);
        assert_eq!(to.try_send_slice(&batch)?, 3);
        Ok(())
    })?
}

/// What was sent before is there, then what was sent meanwhile, as far as it came.
fn sending(trial: &Trial<'_>) -> Exit {
    let (to, mut rx) = trial.system.chan::<Spsc, Message>(8).expect("a channel");
    let component = trial.component(sends);
    component.endow(TO, to).expect("endowed");
    component.start().expect("started");
    let (count, gone) = trial.all_of(&mut rx);
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    assert!(if exit == Exit::Success { count == 7 } else { (2..=7).contains(&count) }, "{count}");
    exit
}

fn sends_into_a_full_one(env: Env<System>) -> Outcome {
    let mut to = env.take(TO)?;
    to.send(message(0))?;
    mortally(&env, || to.send(message(1)))??;
    Ok(())
}

fn sending_into_a_full_one(trial: &Trial<'_>) -> Exit {
    let (to, mut rx) = trial.system.chan::<Spsc, Message>(1).expect("a channel");
    let component = trial.component(sends_into_a_full_one);
    component.endow(TO, to).expect("endowed");
    component.start().expect("started");
    while rx.is_empty() {
        trial.system.yield_now();
    }
    trial.system.sleep(trial.system.after(NAP));
    let (count, gone) = trial.all_of(&mut rx);
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    assert!(if exit == Exit::Success { count == 2 } else { (1..=2).contains(&count) }, "{count}");
    exit
}

fn receives(env: Env<System>) -> Outcome {
    let mut from = env.take(FROM)?;
    assert_eq!(from.recv()?, message(0));
    mortally(&env, || {
        assert_eq!(from.recv()?, message(1));
        assert_eq!(from.try_recv()?, message(2));
        let mut two = [message(0); 2];
        assert_eq!(from.try_recv_slice(&mut two)?, 2);
        assert_eq!(two, [3, 4].map(message));
        Ok(())
    })?
}

/// Who sends, into a ring that is full, is told.
fn receiving(trial: &Trial<'_>) -> Exit {
    let (mut tx, from) = trial.system.chan::<Spsc, Message>(5).expect("a channel");
    (0..5).for_each(|n| tx.send(message(n)).expect("there is room"));
    let component = trial.component(receives);
    component.endow(FROM, from).expect("endowed");
    component.start().expect("started");
    let gone = trial.send_all(&mut tx, 5);
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    exit
}

fn receives_from_an_empty_one(env: Env<System>) -> Outcome {
    let mut from = env.take(FROM)?;
    let received = mortally(&env, || from.recv())??;
    assert_eq!(received, message(0));
    Ok(())
}

fn receiving_from_an_empty_one(trial: &Trial<'_>) -> Exit {
    let (mut tx, from) = trial.system.chan::<Spsc, Message>(1).expect("a channel");
    let component = trial.component(receives_from_an_empty_one);
    component.endow(FROM, from).expect("endowed");
    component.start().expect("started");
    trial.system.sleep(trial.system.after(NAP));
    let gone = trial.send_all(&mut tx, 0);
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    exit
}

fn closes(env: Env<System>) -> Outcome {
    let (to, from) = (env.take(TO)?, env.take(FROM)?);
    mortally(&env, || drop((to, from)))
}

/// The peer is told of either end: that it has been closed, or that it died.
fn closing(trial: &Trial<'_>) -> Exit {
    let (to, mut rx) = trial.system.chan::<Spsc, Message>(1).expect("a channel");
    let (mut tx, from) = trial.system.chan::<Spsc, Message>(1).expect("a channel");
    let component = trial.component(closes);
    component.endow(TO, to).expect("endowed");
    component.endow(FROM, from).expect("endowed");
    component.start().expect("started");
    let told_receiver = trial.all_of(&mut rx);
    let told_sender = trial.send_all(&mut tx, 0);
    let exit = trial.end_of(&component);
    let known = [told(Exit::Success), told(exit)];
    assert!(told_receiver.0 == 0 && known.contains(&told_receiver.1), "{told_receiver:?}");
    assert!(known.contains(&told_sender), "{told_sender:?}");
    exit
}

#[test]
fn rings() {
    let mut ground = Ground::new();
    ground.try_each("send", sending);
    ground.try_each("send into a full ring", sending_into_a_full_one);
    ground.try_each("receive", receiving);
    ground.try_each("receive from an empty ring", receiving_from_an_empty_one);
    ground.try_each("close", closing);
}
