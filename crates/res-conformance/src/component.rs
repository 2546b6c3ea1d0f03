//! Components (R34, R36, H13, H14).

use res_api::{
    AnyCap, Backend, CapRx, CapTx, CastReason, Comp, Deadline, Env, ErrorKind, EvtGrp, Exit, Fault,
    FromCap, Gone, IntoCap, Kind, Map, Mem, Memory, Name, Receiver, RecvError, Rights, Rx,
    SendError, Sender, SharedMem, Slot, Source, SourceKind, TakeError, Timer, Trigger, Tx, Value,
    WaitError, kind_of,
};

use crate::channel::{Rcv, Snd};
use crate::stage::{Stage, chan, chan_for, stage};
use crate::{Failure, Harness};

const NAME: Name = Name::new("tested");
const CAPS: Slot<CapTx> = Slot::new("caps");
const MORE_CAPS: Slot<CapRx> = Slot::new("more-caps");
const MEMORY: Slot<Memory> = Slot::new("memory");
const NUMBER: Slot<Value<u64>> = Slot::new("number");
const PAIR: Slot<Value<[u32; 2]>> = Slot::new("pair");

const fn input<K>() -> Slot<Rx<K, u64>> {
    Slot::new("in")
}

const fn output<K>() -> Slot<Tx<K, u64>> {
    Slot::new("out")
}

/// A component with both ends of data endowed, and the other ends of these.
type Endowed<H> = (Comp<<H as Harness>::Backend>, Snd<H, u64>, Rcv<H, u64>);

fn endowed<H: Harness, E: res_api::Entry<H::Backend>>(
    h: &H,
    s: &Stage<H::Backend>,
    entry: E,
) -> Result<Endowed<H>, Failure> {
    let ((tx, theirs), (their_tx, rx)) = (chan::<H, u64>(h, s, 2)?, chan::<H, u64>(h, s, 2)?);
    let component = s.component(NAME, entry)?;
    component.endow(input::<H::Kind>(), theirs)?;
    component.endow(output::<H::Kind>(), their_tx)?;
    Ok((component, tx, rx))
}

/// Waits for an end that is a success.
fn succeeded<B: Backend>(s: &Stage<B>, component: &Comp<B>) -> Result<(), Failure> {
    component.wait(s.soon())?.ok()
}

fn nothing<B: Backend>(_: Env<B>) -> Result<(), Fault> {
    Ok(())
}

fn doubler<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(input::<K>())?, env.take(output::<K>())?);
    while let Ok(n) = from.recv() {
        to.send(2 * n)?;
    }
    Ok(())
}

/// R34: a component takes what it was endowed with and works; its end is seen, and closes what it
/// held.
pub fn r34_a_component_runs_and_ends<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, mut tx, mut rx) = endowed(h, &s, doubler::<H::Backend, H::Kind>)?;
    check_eq!(component.name(), NAME, "its name");
    check_eq!(component.wait(Deadline::PASSED), Err(WaitError::TimedOut), "before the start");
    component.start()?;
    for n in 0..20 {
        tx.send_until(n, s.soon())?;
        check_eq!(rx.recv_until(s.soon()), Ok(2 * n), "from the component");
    }
    check_eq!(component.wait(Deadline::PASSED), Err(WaitError::TimedOut), "while it runs");
    drop(tx);
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "at its end");
    succeeded(&s, &component)?;
    check_eq!(component.wait(Deadline::PASSED), Ok(Exit::Success), "waiting again");
    Ok(())
}

/// R34: a second start is `Invalid`, while it runs and after its end.
pub fn r34_a_second_start_is_invalid<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, tx, _rx) = endowed(h, &s, doubler::<H::Backend, H::Kind>)?;
    component.start()?;
    let invalid = Some(ErrorKind::Invalid);
    check_eq!(component.start().err().map(|e| kind_of(&e)), invalid, "while it runs");
    drop(tx);
    succeeded(&s, &component)?;
    check_eq!(component.start().err().map(|e| kind_of(&e)), invalid, "after its end");
    Ok(())
}

fn failing<B: Backend>(_: Env<B>) -> Result<(), Fault> {
    Err(Fault::new(ErrorKind::NotFound, "on purpose"))
}

/// R34: the fault that a component returns is what its creator sees.
pub fn r34_a_fault_is_seen_by_the_creator<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let component = s.component(NAME, failing::<H::Backend>)?;
    component.start()?;
    let Exit::Failed(fault) = component.wait(s.soon())? else {
        check!(false, "a failing component did not fail");
        return Ok(());
    };
    check_eq!((fault.kind(), fault.text()), (ErrorKind::NotFound, "on purpose"), "the fault");
    Ok(())
}

fn takes_all<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let mut listed = 0;
    env.endowments(&mut |_, _| listed += 1);
    check_eq!(listed, 6, "endowments listed");
    check_eq!(env.take(NUMBER), Ok(u64::MAX - 1), "the number");
    check_eq!(env.take(PAIR), Ok([7, 8]), "the pair");
    let memory = env.take(MEMORY)?;
    memory.map(Rights::READ | Rights::WRITE)?.copy_in(0, &[1])?;
    env.take(CAPS)?.send(env.take(MORE_CAPS)?.recv()?)?;
    env.take(output::<K>())?.send(5)?;
    let not_there = |result: Result<u64, TakeError>| {
        result.map_err(|error| error.reason == CastReason::NotThere)
    };
    check_eq!(not_there(env.take(NUMBER)), Err(true), "taking it again");
    check_eq!(
        not_there(env.take(Slot::<Value<u64>>::new("other"))),
        Err(true),
        "what nobody endowed"
    );
    check!(!env.has(NUMBER), "what was taken is listed");
    listed = 0;
    env.endowments(&mut |_, _| listed += 1);
    check_eq!(listed, 0, "endowments left");
    Ok(())
}

/// R3: a component finds everything that it was endowed with, by name and by type, once: ends of
/// data and of capabilities, memory, values.
pub fn r3_endowments_are_found_by_name<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let component = s.component(NAME, takes_all::<H::Backend, H::Kind>)?;
    let (caps, mut back) = s.chanchan(1)?;
    let (mut there, more) = s.chanchan(1)?;
    let (tx, mut rx) = chan::<H, u64>(h, &s, 1)?;
    let memory = s.mem(64)?.share();
    let view = memory.map(Rights::READ)?;
    component.endow(NUMBER, u64::MAX - 1)?;
    component.endow(PAIR, [7, 8])?;
    component.endow(MEMORY, memory)?;
    component.endow(CAPS, caps)?;
    component.endow(MORE_CAPS, more)?;
    component.endow(output::<H::Kind>(), tx)?;
    there.try_send(s.mem(64)?.share().into_cap())?;
    component.start()?;
    succeeded(&s, &component)?;
    check_eq!(rx.try_recv(), Ok(5), "from the component");
    check!(back.try_recv().is_ok(), "the capability did not come back");
    let mut byte = [0];
    view.copy_out(0, &mut byte)?;
    check_eq!(byte, [1], "written by the component");
    Ok(())
}

fn takes_wrongly<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let as_receiver = env.take(Slot::<Rx<K, u64>>::new("out")).err().map(|e| e.reason.kind());
    check_eq!(as_receiver, Some(ErrorKind::TypeMismatch), "a sender as a receiver");
    let as_signed = env.take(Slot::<Tx<K, i64>>::new("out")).err().map(|e| e.reason.kind());
    check_eq!(as_signed, Some(ErrorKind::TypeMismatch), "u64 as i64");
    let as_value = env.take(Slot::<Value<u64>>::new("out")).err().map(|e| e.reason.kind());
    check_eq!(as_value, Some(ErrorKind::TypeMismatch), "a sender as a value");
    Ok(env.take(output::<K>())?.send(8)?)
}

/// R3: taken with a wrong type, an endowment stays.
pub fn r3_a_wrong_take_leaves_it_there<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, _tx, mut rx) = endowed(h, &s, takes_wrongly::<H::Backend, H::Kind>)?;
    component.start()?;
    check_eq!(rx.recv_until(s.soon()), Ok(8), "from the component");
    succeeded(&s, &component)
}

/// R34: endowing under a taken name is `Exists`, after the start `Invalid`, without the right to
/// hand on `Denied`; the capability comes back usable.
pub fn r34_endowments_that_are_refused_come_back<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, first, _rx) = endowed(h, &s, doubler::<H::Backend, H::Kind>)?;
    let refused = |slot, narrowed: bool, expected: ErrorKind| -> Result<(), Failure> {
        let (mut tx, rx) = chan::<H, u64>(h, &s, 1)?;
        let mut cap = rx.into_cap();
        if narrowed {
            cap.narrow(Rights::READ);
        }
        let error = component.endow::<Rx<H::Kind, u64>>(slot, cap.cast()?).err();
        let Some((error, Some(cap))) = error.map(|error| (error.error, error.cap)) else {
            check!(false, "endowed, or lost, where {expected:?} was expected");
            return Ok(());
        };
        check_eq!(kind_of(&error), expected, "why not");
        tx.try_send(1)?;
        check_eq!(cap.cast::<Rcv<H, u64>>()?.try_recv(), Ok(1), "over the end that came back");
        Ok(())
    };
    refused(input::<H::Kind>(), false, ErrorKind::Exists)?;
    refused(Slot::new("fresh"), true, ErrorKind::Denied)?;
    component.start()?;
    refused(Slot::new("late"), false, ErrorKind::Invalid)?;
    drop(first);
    succeeded(&s, &component)
}

/// R34: dropped before the start, a component never runs, and what it was endowed with closes.
pub fn r34_dropped_before_the_start_it_closes<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, mut tx, mut rx) = endowed(h, &s, doubler::<H::Backend, H::Kind>)?;
    drop(component);
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "what it had to send");
    let sent = tx.send_until(1, s.soon());
    check_matches!(sent, Err(SendError::Gone(1, Gone::Closed)), "what it had to receive");
    Ok(())
}

/// R34: dropped after the start, a component runs on.
pub fn r34_dropped_after_the_start_it_runs_on<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, mut tx, mut rx) = endowed(h, &s, doubler::<H::Backend, H::Kind>)?;
    component.start()?;
    drop(component);
    tx.send_until(21, s.soon())?;
    check_eq!(rx.recv_until(s.soon()), Ok(42), "from the component");
    drop(tx);
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "at its end");
    Ok(())
}

/// R34: what a component was endowed with and did not take closes at its end.
pub fn r34_what_it_did_not_take_closes<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, tx, mut rx) = endowed(h, &s, nothing::<H::Backend>)?;
    component.start()?;
    succeeded(&s, &component)?;
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "what it had to send");
    check_eq!(tx.gone(), Some(Gone::Closed), "what it had to receive");
    Ok(())
}

fn panics<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(input::<K>())?, env.take(output::<K>())?);
    to.send(from.recv()?)?;
    panic!("on purpose");
}

/// H14: a component that panics has died: what it sent is received first, then `PeerGone`, on each
/// of its ends, and whoever sleeps there wakes.
pub fn h14_a_panic_is_a_death_that_peers_see<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, mut tx, mut rx) = endowed(h, &s, panics::<H::Backend, H::Kind>)?;
    component.start()?;
    tx.send_until(3, s.soon())?;
    check_eq!(rx.recv_until(s.soon()), Ok(3), "sent before the panic");
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::PeerGone)), "then");
    check_eq!(component.wait(s.soon()), Ok(Exit::Died), "its end");
    let sent = tx.send_until(4, s.soon());
    check_matches!(sent, Err(SendError::Gone(4, Gone::PeerGone)), "sending to the dead");
    Ok(())
}

/// R26: a component is a source: ready at its end, also at its death.
pub fn r26_a_component_is_a_source<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(2)?;
    let quick = s.component(NAME, nothing::<H::Backend>)?;
    let (dying, mut tx, _rx) = endowed(h, &s, panics::<H::Backend, H::Kind>)?;
    check_eq!(quick.source_kind(), SourceKind::Component, "kind");
    check!(!quick.ready() && !dying.ready(), "ready before the end");
    let _registered = (group.add(&quick, Trigger::Edge, 1)?, group.add(&dying, Trigger::Edge, 2)?);
    check_eq!(group.wait(Deadline::PASSED), Err(WaitError::TimedOut), "before the start");
    quick.start()?;
    check_eq!(group.wait(s.soon()).map(|event| event.data), Ok(1), "the end of one");
    dying.start()?;
    tx.send_until(1, s.soon())?;
    check_eq!(group.wait(s.soon()).map(|event| event.data), Ok(2), "the death of another");
    check!(quick.ready() && dying.ready(), "not ready after the end");
    Ok(())
}

/// What a component says that was stopped while it waited: its fault has the kind `Closed`; or
/// `Revoked`, if it was just about to send to a receiver that lives (H22).
fn stopped<B: Backend>(s: &Stage<B>, component: &Comp<B>, sends: bool) -> Result<(), Failure> {
    let exit = component.wait(s.soon())?;
    let kind = exit.ok().err().map(|fault| fault.kind());
    let expected = kind == Some(ErrorKind::Closed) || sends && kind == Some(ErrorKind::Revoked);
    check!(expected, "why the stopped component ended: {kind:?}");
    Ok(())
}

/// Runs an entry that says that it is there and then waits for ever; stops it.
fn stop_it<H: Harness, E: res_api::Entry<H::Backend>>(
    h: &H,
    entry: E,
    sends: bool,
) -> Result<(), Failure> {
    for round in 0..4 {
        let s = stage(h);
        let (component, tx, mut rx) = endowed(h, &s, entry)?;
        component.start()?;
        check_eq!(rx.recv_until(s.soon()), Ok(0), "from the component");
        // It waits by now, or is about to.
        for _ in 0..round * 50 {
            s.yield_now();
        }
        component.stop();
        stopped(&s, &component, sends)?;
        drop((tx, rx));
    }
    Ok(())
}

fn waits_to_receive<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(input::<K>())?, env.take(output::<K>())?);
    to.send(0)?;
    from.recv()?;
    Ok(())
}

/// R34: stopping wakes a component that waits for a message.
pub fn r34_stop_wakes_a_receiver<H: Harness>(h: &H) -> Result<(), Failure> {
    stop_it(h, waits_to_receive::<H::Backend, H::Kind>, false)
}

fn waits_to_send<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let mut to = env.take(output::<K>())?;
    // The first is received, two more fit.
    (0..10).try_for_each(|n| Ok(to.send(n)?))
}

/// R34: stopping wakes a component that waits for room.
pub fn r34_stop_wakes_a_sender<H: Harness>(h: &H) -> Result<(), Failure> {
    stop_it(h, waits_to_send::<H::Backend, H::Kind>, true)
}

fn waits_for_events<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let group = env.evtgrp(1)?;
    env.take(output::<K>())?.send(0)?;
    group.wait(Deadline::NEVER)?;
    Ok(())
}

/// R34: stopping wakes a component that waits on a group.
pub fn r34_stop_wakes_a_group<H: Harness>(h: &H) -> Result<(), Failure> {
    stop_it(h, waits_for_events::<H::Backend, H::Kind>, false)
}

fn waits_for_a_timer<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let timer = env.timer(env.after(core::time::Duration::from_secs(100_000)), None)?;
    env.take(output::<K>())?.send(0)?;
    timer.wait(Deadline::NEVER)?;
    Ok(())
}

/// R34: stopping wakes a component that waits for a timer.
pub fn r34_stop_wakes_a_timer<H: Harness>(h: &H) -> Result<(), Failure> {
    stop_it(h, waits_for_a_timer::<H::Backend, H::Kind>, false)
}

fn waits_for_a_capability<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let (_keep, mut rx) = env.chanchan(1)?;
    env.take(output::<K>())?.send(0)?;
    rx.recv()?;
    Ok(())
}

/// R34: stopping wakes a component that waits for a capability.
pub fn r34_stop_wakes_a_receiver_of_capabilities<H: Harness>(h: &H) -> Result<(), Failure> {
    stop_it(h, waits_for_a_capability::<H::Backend, H::Kind>, false)
}

fn takes_late<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let mut to = env.take(output::<K>())?;
    to.send(0)?;
    // Until it is stopped it can make things.
    while env.blockpoint().is_ok() {
        env.yield_now();
    }
    env.take(input::<K>())?.recv()?;
    Ok(())
}

/// R34: what a component takes only after it was stopped is closed too.
pub fn r34_stop_reaches_what_is_taken_later<H: Harness>(h: &H) -> Result<(), Failure> {
    stop_it(h, takes_late::<H::Backend, H::Kind>, false)
}

fn receives_late<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let (mut to, mut caps) = (env.take(output::<K>())?, env.take(MORE_CAPS)?);
    to.send(0)?;
    while env.blockpoint().is_ok() {
        env.yield_now();
    }
    let mut late = caps.recv()?.cast::<K::Rcv<u64>>()?;
    late.recv()?;
    Ok(())
}

/// R34: what a component receives only after it was stopped is closed too.
pub fn r34_stop_reaches_what_is_received_later<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, _tx, mut rx) = endowed(h, &s, receives_late::<H::Backend, H::Kind>)?;
    let (mut caps, theirs) = s.chanchan(1)?;
    let (_keep, late) = chan::<H, u64>(h, &s, 1)?;
    component.endow(MORE_CAPS, theirs)?;
    caps.try_send(late.into_cap())?;
    component.start()?;
    check_eq!(rx.recv_until(s.soon()), Ok(0), "from the component");
    component.stop();
    stopped(&s, &component, false)
}

/// R34: a component that was stopped before it was started does not start.
pub fn r34_stopped_before_the_start_it_never_runs<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, _tx, mut rx) = endowed(h, &s, doubler::<H::Backend, H::Kind>)?;
    component.stop();
    let kind = component.start().err().map(|error| kind_of(&error));
    check_eq!(kind, Some(ErrorKind::Invalid), "starting a stopped component");
    drop(component);
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "what it had to send");
    Ok(())
}

fn offers<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let (mut caps, mut go) = (env.take(CAPS)?, env.take(input::<K>())?);
    let (mut tx, rx) = env.chan::<K, u64>(2)?;
    caps.send(rx.into_cap())?;
    tx.send(7)?;
    // The end that was given away outlives its maker; the other one does not.
    go.recv()?;
    Ok(())
}

/// R36: an end that a component made and gave away outlives it; what it kept closes.
pub fn r36_a_delegated_end_outlives_its_maker<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, mut go, _rx) = endowed(h, &s, offers::<H::Backend, H::Kind>)?;
    let (caps, mut arrived) = s.chanchan(1)?;
    component.endow(CAPS, caps)?;
    component.start()?;
    let mut rx = arrived.recv_until(s.soon())?.cast::<Rcv<H, u64>>()?;
    check_eq!(rx.gone(), None, "while its maker lives");
    go.send_until(1, s.soon())?;
    succeeded(&s, &component)?;
    check_eq!(rx.recv_until(s.soon()), Ok(7), "sent before its maker's end");
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "then");
    let closed = arrived.recv_until(s.soon()).err();
    check_eq!(closed, Some(RecvError::Gone(Gone::Closed)), "the channel that it came over");
    Ok(())
}

/// H10: a component dies with an end in transit to nobody: its peers see that too.
pub fn h10_death_closes_what_is_in_transit<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (component, mut tx, _rx) = endowed(h, &s, panics::<H::Backend, H::Kind>)?;
    let (mut caps, theirs) = s.chanchan(2)?;
    let (far, near) = chan::<H, u64>(h, &s, 1)?;
    let (made_for, it) = chan_for::<H, u64>(h, &s, &caps, 1)?;
    component.endow(MORE_CAPS, theirs)?;
    caps.try_send(made_for.into_cap())?;
    caps.try_send(far.into_cap())?;
    component.start()?;
    tx.send_until(1, s.soon())?;
    check_eq!(component.wait(s.soon()), Ok(Exit::Died), "its end");
    for mut rx in [near, it] {
        let gone = rx.recv_until(s.soon());
        check_matches!(gone, Err(RecvError::Gone(Gone::PeerGone | Gone::Closed)), "never taken");
    }
    Ok(())
}

fn returns_and_answers<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let (mut ends, mut back) = (env.take(MORE_CAPS)?, env.take(CAPS)?);
    while let Ok(answer) = ends.recv() {
        let mut rx = ends.recv()?.cast::<K::Rcv<u64>>()?;
        answer.cast::<K::Snd<u64>>()?.send(2 * rx.recv()?)?;
        back.send(rx.into_cap())?;
    }
    Ok(())
}

/// R21: ends that are made for a channel go over it to another component, come back, are used and
/// dropped, over and over.
pub fn r21_ends_are_made_for_each_request<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let component = s.component(NAME, returns_and_answers::<H::Backend, H::Kind>)?;
    let (mut over, theirs) = s.chanchan(2)?;
    let (back, mut returned) = s.chanchan(1)?;
    component.endow(MORE_CAPS, theirs)?;
    component.endow(CAPS, back)?;
    component.start()?;
    for n in 0..s.rounds_of_making(50) {
        let (answer, mut answered) = chan_for::<H, u64>(h, &s, &over, 1)?;
        let (mut request, requested) = chan_for::<H, u64>(h, &s, &over, 1)?;
        for cap in [answer.into_cap(), requested.into_cap()] {
            over.send_until(cap, s.soon())?;
        }
        request.send_until(n, s.soon())?;
        check_eq!(answered.recv_until(s.soon()), Ok(2 * n), "the answer");
        let mut requested = returned.recv_until(s.soon())?.cast::<Rcv<H, u64>>()?;
        request.send_until(n + 1, s.soon())?;
        check_eq!(requested.recv_until(s.soon()), Ok(n + 1), "over the end that came back");
        let closed = answered.recv_until(s.soon());
        check_eq!(closed, Err(RecvError::Gone(Gone::Closed)), "the one that answered");
    }
    drop(over);
    succeeded(&s, &component)
}

/// R3: a description tells a slot whether it holds what it says.
pub fn r3_slots_check_descriptions<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let memory = s.mem(64)?.share().into_cap();
    check!(<Rcv<H, u64>>::accepts(&memory.desc()).is_err(), "memory is a receiver");
    let accepted = <<H::Backend as Backend>::SharedMem as FromCap<_>>::accepts(&memory.desc());
    check_eq!(accepted, Ok(()), "memory as memory");
    Ok(())
}
