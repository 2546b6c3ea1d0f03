//! Loans of slots: who writes into them dies, or who has them.

use chan_impls::ZeroCopy;
use res_api::{Backend, Deadline, Env, Exit, Gone, Receiver, Rx, Sender, Slot, Tx};

use crate::ground::{Ground, Message, Outcome, System, Trial, message, mortally, told};

const TO: Slot<Tx<ZeroCopy, Message>> = Slot::new("to");
const FROM: Slot<Rx<ZeroCopy, Message>> = Slot::new("from");

fn lends(env: Env<System>) -> Outcome {
    let mut to = env.take(TO)?;
    to.send(message(0))?;
    mortally(&env, || {
        let mut loan = to.loan()?;
        loan.set(&message(1));
        to.send_loan(loan).map_err(|error| error.without_message())?;
        to.send(message(2))?;
        // One that is never sent.
        drop(to.loan()?);
        Ok(())
    })?
}

/// A slot is seen whole, or not at all.
fn lending(trial: &Trial<'_>) -> Exit {
    let (to, mut rx) = trial.system.chan::<ZeroCopy, Message>(4).expect("a channel");
    let component = trial.component(lends);
    component.endow(TO, to).expect("endowed");
    component.start().expect("started");
    let (count, gone) = trial.all_of(&mut rx);
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    assert!(if exit == Exit::Success { count == 3 } else { (1..=3).contains(&count) }, "{count}");
    exit
}

fn borrows(env: Env<System>) -> Outcome {
    let mut from = env.take(FROM)?;
    mortally(&env, || {
        let (first, second) = (from.recv_loan()?, from.recv_loan()?);
        assert_eq!((first.get()?, second.get()?), (message(0), message(1)));
        // Back in both ways.
        drop(first);
        assert!(from.release(second).is_ok());
        assert_eq!(from.try_recv_loan()?.get()?, message(2));
        Ok(())
    })?
}

/// Slots that died with who had them are missed by nobody for ever.
fn borrowing(trial: &Trial<'_>) -> Exit {
    let (mut tx, from) = trial.system.chan::<ZeroCopy, Message>(3).expect("a channel");
    (0..3).for_each(|n| tx.send(message(n)).expect("there is room"));
    let component = trial.component(borrows);
    component.endow(FROM, from).expect("endowed");
    component.start().expect("started");
    let gone = trial.send_all(&mut tx, 3);
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    exit
}

fn forwards(env: Env<System>) -> Outcome {
    let from = env.take(FROM)?;
    mortally(&env, || {
        let (mut stage, mut last) = from.into_forwarder(&env).map_err(|refused| refused.error)?;
        for n in 0..2 {
            let loan = stage.recv_loan_until(Deadline::NEVER)?;
            stage.forward(loan).map_err(|error| error.without_message())?;
            assert_eq!(last.recv()?, message(n));
        }
        Ok(())
    })?
}

fn forwarding(trial: &Trial<'_>) -> Exit {
    let (mut tx, from) = trial.system.chan::<ZeroCopy, Message>(2).expect("a channel");
    let component = trial.component(forwards);
    component.endow(FROM, from).expect("endowed");
    component.start().expect("started");
    let gone = trial.send_all(&mut tx, 0);
    let exit = trial.end_of(&component);
    assert!([Gone::Closed, told(exit)].contains(&gone), "{gone:?}");
    exit
}

#[test]
fn loans() {
    let mut ground = Ground::new();
    ground.try_each("lend", lending);
    ground.try_each("borrow", borrowing);
    ground.try_each("forward", forwarding);
}
