//! What is given away: who gives dies, or who takes. By the manager, and directly.

use backend_sinv::SinvError;
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    AnyCap, Backend, CapRx, CapTx, Env, Exit, Gone, IntoCap, Kind, Name, Receiver, RecvError, Rx,
    SendError, Sender, Slot, kind_of,
};

use crate::ground::{Ground, Message, Outcome, System, Trial, message, mortally, told};

const OVER: Slot<CapTx> = Slot::new("over");
const ENDS: Slot<CapRx> = Slot::new("ends");
const FROM: Slot<Rx<Spsc, Message>> = Slot::new("from");
const NAME: Name = Name::new("name");

type Rcv<C = Spsc> = <C as Kind<System>>::Rcv<Message>;
type Snd<C = Spsc> = <C as Kind<System>>::Snd<Message>;

/// A channel of which an end goes over that one.
fn made<C: Kind<System>, const DIRECTLY: bool>(
    system: &System,
    over: &<System as Backend>::CapSnd,
    capacity: u32,
) -> Result<(Snd<C>, Rcv<C>), SinvError> {
    match DIRECTLY {
        true => system.chan_for::<C, Message>(over, capacity),
        false => system.chan::<C, Message>(capacity),
    }
}

/// Does something with each end that comes; how many came, and why there are no more.
fn each_end(
    trial: &Trial<'_>,
    ends: &mut <System as Backend>::CapRcv,
    mut each: impl FnMut(u64, <System as Backend>::Cap),
) -> (u64, Gone) {
    for count in 0.. {
        match ends.recv_until(trial.late) {
            Ok(end) => each(count, end),
            Err(RecvError::Gone(gone)) => return (count, gone),
            Err(why) => panic!("nobody says that it is gone: {why}"),
        }
    }
    unreachable!("there is an end to each")
}

/// Sends a channel's end with a message in it, and keeps nothing of it.
fn gives<C: Kind<System>, const DIRECTLY: bool>(env: Env<System>) -> Outcome {
    let mut over = env.take(OVER)?;
    mortally(&env, || {
        for _ in 0..2 {
            let (mut tx, rx) = made::<C, DIRECTLY>(&env, &over, 2)?;
            tx.send(message(0))?;
            over.send(rx.into_cap())?;
            tx.send(message(1))?;
        }
        Ok(())
    })?
}

/// What came is whole, and is told of the death.
fn giving<C: Kind<System>, const DIRECTLY: bool>(trial: &Trial<'_>) -> Exit {
    let (over, mut ends) = trial.system.chanchan(4).expect("a channel");
    let component = trial.component(gives::<C, DIRECTLY>);
    component.endow(OVER, over).expect("endowed");
    component.start().expect("started");
    let (count, gone) = each_end(trial, &mut ends, |_, end| {
        let (messages, gone) = trial.all_of(&mut end.cast::<Rcv<C>>().expect("a receiver"));
        let whole = messages == 2 || gone == Gone::PeerGone && messages == 1;
        assert!(whole && gone != Gone::Misbehaved, "{messages}, {gone:?}");
    });
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    assert!(exit == Exit::Died || count == 2);
    exit
}

fn takes<C: Kind<System>>(env: Env<System>) -> Outcome {
    let mut ends = env.take(ENDS)?;
    mortally(&env, || {
        let mut end = ends.recv()?.cast::<Rcv<C>>()?;
        assert_eq!(end.recv()?, message(0));
        Ok(())
    })?
}

/// Who has the other end is told, wherever it was: on its way, or there.
fn taking<C: Kind<System>, const DIRECTLY: bool>(trial: &Trial<'_>) -> Exit {
    let (mut over, ends) = trial.system.chanchan(1).expect("a channel");
    let component = trial.component(takes::<C>);
    component.endow(ENDS, ends).expect("endowed");
    component.start().expect("started");
    let (mut tx, end) = made::<C, DIRECTLY>(trial.system, &over, 1).expect("a channel");
    tx.send(message(0)).expect("there is room");
    // It may be dead by now: then the end comes back, and leaves here, before anybody waits for it.
    let given = over.send_until(end.into_cap(), trial.late).map_err(|error| format!("{error:?}"));
    let gone = trial.send_all(&mut tx, 1);
    let exit = trial.end_of(&component);
    match given {
        Ok(()) => assert!([Gone::Closed, told(exit)].contains(&gone), "{gone:?}"),
        Err(error) => assert_eq!((exit, gone), (Exit::Died, Gone::Closed), "{error}"),
    }
    exit
}

fn drops(env: Env<System>) -> Outcome {
    let ends = env.take(ENDS)?;
    mortally(&env, || drop(ends))
}

/// What nobody took leaves with the queue.
fn dropping<const DIRECTLY: bool>(trial: &Trial<'_>) -> Exit {
    let (mut over, ends) = trial.system.chanchan(1).expect("a channel");
    let (mut tx, end) = made::<Spsc, DIRECTLY>(trial.system, &over, 1).expect("a channel");
    over.send(end.into_cap()).expect("there is room");
    let component = trial.component(drops);
    component.endow(ENDS, ends).expect("endowed");
    component.start().expect("started");
    let gone = trial.send_all(&mut tx, 0);
    let exit = trial.end_of(&component);
    assert!([Gone::Closed, told(exit)].contains(&gone), "{gone:?}");
    // And who would send another one knows.
    let (_, end) = trial.system.chan::<Spsc, Message>(1).expect("a channel");
    let refused = over.send_until(end.into_cap(), trial.late).err();
    assert!(
        matches!(&refused, Some(SendError::Gone(_, gone)) if [Gone::Closed, told(exit)].contains(gone)),
        "{refused:?}"
    );
    exit
}

/// Makes, sends, and uses again what it has made.
fn asks(env: Env<System>) -> Outcome {
    let mut over = env.take(OVER)?;
    mortally(&env, || {
        for n in 0..3 {
            let (answer, mut answered) = made::<Spsc, true>(&env, &over, 1)?;
            over.send(answer.into_cap())?;
            assert_eq!(answered.recv()?, message(n));
        }
        Ok(())
    })?
}

/// Who answers is told, and goes on.
fn answering(trial: &Trial<'_>) -> Exit {
    let (over, mut ends) = trial.system.chanchan(1).expect("a channel");
    let component = trial.component(asks);
    component.endow(OVER, over).expect("endowed");
    component.start().expect("started");
    let (count, gone) = each_end(trial, &mut ends, |n, end| {
        let mut end = end.cast::<Snd>().expect("a sender");
        // It may have died meanwhile.
        let answered = end.send_until(message(n), trial.late);
        assert!(!matches!(answered, Err(SendError::TimedOut(_))), "nobody says so");
    });
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    assert!(exit == Exit::Died || count == 3);
    exit
}

fn takes_endowments(env: Env<System>) -> Outcome {
    let taken = mortally(&env, || env.take(FROM))?;
    drop(taken?);
    Ok(())
}

fn taking_endowments(trial: &Trial<'_>) -> Exit {
    let (mut tx, from) = trial.system.chan::<Spsc, Message>(1).expect("a channel");
    let component = trial.component(takes_endowments);
    component.endow(FROM, from).expect("endowed");
    component.start().expect("started");
    let gone = trial.send_all(&mut tx, 0);
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    exit
}

fn publishes(env: Env<System>) -> Outcome {
    mortally(&env, || {
        let (_tx, rx) = env.chan::<Spsc, Message>(1)?;
        env.publish(NAME, rx.into_cap()).map_err(|refused| refused.error)?;
        drop(env.lookup(NAME)?);
        Ok(())
    })?
}

/// Its name goes with it, and is free.
fn publishing(trial: &Trial<'_>) -> Exit {
    let component = trial.component(publishes);
    component.start().expect("started");
    let exit = trial.end_of(&component);
    let error = trial.system.lookup(NAME).err();
    assert_eq!(error.map(|error| kind_of(&error)), Some(res_api::ErrorKind::NotFound));
    exit
}

#[test]
fn capabilities() {
    let mut ground = Ground::new();
    ground.try_each("give", giving::<Spsc, false>);
    ground.try_each("take", taking::<Spsc, false>);
    ground.try_each("drop a queue", dropping::<false>);
    ground.try_each("give directly", giving::<Spsc, true>);
    ground.try_each("take directly", taking::<Spsc, true>);
    ground.try_each("give directly what is in many objects", giving::<ZeroCopy, true>);
    ground.try_each("take directly what is in many objects", taking::<ZeroCopy, true>);
    ground.try_each("drop a queue with what came directly", dropping::<true>);
    ground.try_each("use an answer", answering);
    ground.try_each("take an endowment", taking_endowments);
    ground.try_each("publish and look up", publishing);
}
