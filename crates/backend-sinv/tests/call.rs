//! Calls between components, in one address space and in processes.

mod common;

use std::time::Duration;

use backend_sinv::Sinv;
use chan_impls::call::{self, Interface, Request};
use chan_impls::{Answers, CallError, Callee, Caller, Calls, Spsc};
use common::{Fresh, Outcome, aside, late, nap, on_both};
use res_api::{
    AnyCap, Backend, CapRx, CastReason, Comp, Deadline, Env, ErrorKind, EvtGrp, Exit, Fault,
    FromCap, Gone, IntoCap, Kind, Name, Receiver, RecvError, Rx, Sender, Slot, Source, SourceKind,
    Tag, Thread, Trigger, Tx,
};

/// What the servers here are asked.
struct Sums;

impl Interface for Sums {
    const TAG: Tag = Tag::of::<()>(Name::new("sums"), 1, 0);
    const PAYLOAD: u64 = 3 * 4096;
}

/// Another one.
struct Others;

impl Interface for Others {
    const TAG: Tag = Tag::of::<()>(Name::new("sums"), 2, 0);
}

// The entries of `Sums`.
const ADD: u32 = 0;
const REVERSE: u32 = 1;
/// Sleeps for so many milliseconds, or waits for a message, then fills the payload with a byte.
const SLOW: u32 = 2;
/// Waits for a message first.
const WAIT: u32 = 3;
const DROP: u32 = 4;
const DIE: u32 = 5;
/// How many requests there were.
const COUNT: u32 = 6;
const DENY: u32 = 7;

const CLIENT: Slot<Answers<Sums>> = Slot::new("client");
const SECOND: Slot<Answers<Sums>> = Slot::new("second");
const SERVER: Slot<Calls<Sums>> = Slot::new("server");
const GO: Slot<Rx<Spsc, u64>> = Slot::new("go");
/// How a server's connection ended: the code of a `Gone`.
const ENDED: Slot<Tx<Spsc, u32>> = Slot::new("ended");

fn answer<B: Backend>(
    b: &B,
    go: &mut Option<<Spsc as Kind<B>>::Rcv<u64>>,
    count: &mut u64,
    mut request: Request<'_, B, Sums>,
) -> Outcome {
    *count += 1;
    let words = request.words();
    match request.entry() {
        ADD => request.reply([words.iter().sum(), words[0], words[3]]),
        REVERSE => {
            let mut bytes = vec![0; words[0] as usize];
            request.read(0, &mut bytes)?;
            bytes.reverse();
            request.write(0, &bytes)?;
            request.reply([words[0], 0, 0]);
        }
        SLOW => {
            match go {
                Some(go) => drop(go.recv()?),
                None => nap(b, words[0]),
            }
            request.write(0, &vec![words[1] as u8; request.payload() as usize])?;
            request.reply([7, 7, 7]);
        }
        WAIT => {
            let go = go.as_mut().ok_or(ErrorKind::NotFound)?;
            request.reply([go.recv()?, 0, 0]);
        }
        DROP => drop(request),
        DIE if words[0] == 1 => std::process::abort(),
        DIE => std::panic::resume_unwind(Box::new("on purpose")),
        COUNT => request.reply([*count, 0, 0]),
        DENY => request.refuse(ErrorKind::Denied),
        _ => request.reject(),
    }
    Ok(())
}

fn serve<B: Backend>(
    b: &B,
    callee: &mut Callee<B, Sums>,
    mut go: Option<<Spsc as Kind<B>>::Rcv<u64>>,
) -> Gone {
    let mut count = 0;
    callee.serve(|request| answer(b, &mut go, &mut count, request).expect("answered"))
}

/// Serves its client; its second one, if there is one, in another thread.
fn server<B: Backend>(env: Env<B>) -> Outcome {
    let mut client = env.take(CLIENT)?;
    let go = if env.has(GO) { Some(env.take(GO)?) } else { None };
    let second = if env.has(SECOND) { Some(env.take(SECOND)?) } else { None };
    let b: B = (*env).clone();
    let second = second.map(|mut callee| aside(&*env, move || _ = serve(&b, &mut callee, None)));
    let gone = serve(&*env, &mut client, go);
    drop(client);
    if env.has(ENDED) {
        env.take(ENDED)?.send(gone.code())?;
    }
    second.map_or(Ok(()), |second| second.join(late(&*env))?.ok())
}

fn component<B: Backend>(b: &B, callee: Callee<B, Sums>) -> Comp<B> {
    let component = b.component(const { Name::new("server") }, server::<B>).expect("a component");
    component.endow(CLIENT, callee).expect("endowed");
    component
}

/// A server that runs, and its caller.
fn started<B: Backend>(b: &B) -> (Caller<B, Sums>, Comp<B>) {
    let (caller, callee) = call::pair(b).expect("a connection");
    let component = component(b, callee);
    component.start().expect("started");
    (caller, component)
}

fn sum<B: Backend>(b: &B, caller: &mut Caller<B, Sums>, n: u64) {
    let answer = caller.call(ADD, [n, 1, 2, 3], late(b));
    assert_eq!(answer, Ok([n + 6, n, 3]));
}

fn round_trips<B: Fresh>() {
    let b = B::fresh();
    let (mut caller, component) = started(&b);
    for n in 0..1000 {
        sum(&b, &mut caller, n);
    }
    assert_eq!(caller.call(DENY, [0; 4], late(&b)), Err(CallError::Refused(ErrorKind::Denied)));
    // One that is dropped is refused when the next is asked for.
    assert_eq!(caller.call(DROP, [0; 4], late(&b)), Err(CallError::Refused(ErrorKind::Other)));
    sum(&b, &mut caller, 5);
    drop(caller);
    assert_eq!(component.wait(late(&b)), Ok(Exit::Success));
}

fn payload_of_several_pages<B: Fresh>() {
    let b = B::fresh();
    let (mut caller, _component) = started(&b);
    assert_eq!(caller.payload(), 3 * 4096);
    for len in [1, 4095, 4097, 3 * 4096] {
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        caller.write(0, &bytes, late(&b)).expect("it fits");
        assert_eq!(caller.call(REVERSE, [len, 0, 0, 0], late(&b)), Ok([len, 0, 0]));
        let mut back = vec![0; len as usize];
        caller.read(0, &mut back).expect("it fits");
        assert!(bytes.iter().rev().eq(&back), "{len}");
    }
    for (offset, len) in [(3 * 4096, 1), (1, 3 * 4096), (u64::MAX, 1)] {
        let mut bytes = vec![0; len];
        assert_eq!(caller.write(offset, &bytes, late(&b)), Err(CallError::TooLong));
        assert_eq!(caller.read(offset, &mut bytes), Err(CallError::TooLong));
    }
}

/// Passes requests on, one more in each.
fn middle<B: Backend>(env: Env<B>) -> Outcome {
    let (mut client, mut server) = (env.take(CLIENT)?, env.take(SERVER)?);
    client.serve(|request| {
        let mut words = request.words();
        words[1] += 1;
        match server.call(request.entry(), words, request.deadline()) {
            Ok(answer) => request.reply(answer),
            Err(error) => request.refuse(res_api::kind_of(&error)),
        }
    });
    Ok(())
}

fn nested<B: Fresh>() {
    let b = B::fresh();
    let (to_server, callee) = call::pair(&b).expect("a connection");
    let server = component(&b, callee);
    let (mut caller, callee) = call::pair(&b).expect("a connection");
    let between = b.component(const { Name::new("middle") }, middle::<B>).expect("a component");
    between.endow(CLIENT, callee).expect("endowed");
    between.endow(SERVER, to_server).expect("endowed");
    server.start().expect("started");
    between.start().expect("started");
    for n in 0..100 {
        assert_eq!(caller.call(ADD, [n, 0, 0, 0], late(&b)), Ok([n + 1, n, 0]));
    }
    // The caller's deadline goes all the way.
    let soon = b.within(Duration::from_millis(20));
    // Both in the chain see it pass; the middle may say so first.
    let error = caller.call(SLOW, [300, 0, 0, 0], soon).expect_err("too slow");
    assert_eq!(res_api::kind_of(&error), ErrorKind::TimedOut);
    assert_eq!(caller.call(ADD, [1, 0, 0, 0], late(&b)), Ok([2, 1, 0]));
    // The last in the chain dies, the answer comes from the middle.
    let refused = CallError::Refused(ErrorKind::PeerGone);
    assert_eq!(caller.call(DIE, [0; 4], late(&b)), Err(refused));
    assert_eq!(server.wait(late(&b)), Ok(Exit::Died));
    drop(caller);
    assert_eq!(between.wait(late(&b)), Ok(Exit::Success));
}

fn two_client_threads<B: Fresh>() {
    let b = B::fresh();
    let (first, callee) = call::pair(&b).expect("a connection");
    let component = component(&b, callee);
    let (second, callee) = call::pair(&b).expect("a connection");
    component.endow(SECOND, callee).expect("endowed");
    component.start().expect("started");
    let threads = [first, second].map(|mut caller| {
        let own = b.clone();
        aside(&b, move || (0..500).for_each(|n| sum(&own, &mut caller, n)))
    });
    for thread in threads {
        assert_eq!(thread.join(late(&b)), Ok(Exit::Success));
    }
    assert_eq!(component.wait(late(&b)), Ok(Exit::Success));
}

fn a_handler_that_blocks<B: Fresh>() {
    let b = B::fresh();
    let (mut caller, callee) = call::pair(&b).expect("a connection");
    let component = component(&b, callee);
    let (mut second, callee) = call::pair(&b).expect("a connection");
    component.endow(SECOND, callee).expect("endowed");
    let (mut go, waits) = b.chan::<Spsc, u64>(1).expect("a channel");
    component.endow(GO, waits).expect("endowed");
    component.start().expect("started");
    let own = b.clone();
    let first = aside(&b, move || {
        assert_eq!(caller.call(WAIT, [0; 4], late(&own)), Ok([11, 0, 0]));
    });
    nap(&b, 30);
    // Meanwhile others are served.
    sum(&b, &mut second, 1);
    assert_eq!(first.join(Deadline::PASSED), Err(res_api::WaitError::TimedOut));
    go.send(11).expect("it waits");
    assert_eq!(first.join(late(&b)), Ok(Exit::Success));
}

fn a_late_answer_is_thrown_away<B: Fresh>() {
    let b = B::fresh();
    let (mut caller, callee) = call::pair(&b).expect("a connection");
    let component = component(&b, callee);
    let (mut go, waits) = b.chan::<Spsc, u64>(1).expect("a channel");
    component.endow(GO, waits).expect("endowed");
    component.start().expect("started");
    sum(&b, &mut caller, 0);
    for round in 0..3 {
        let soon = b.within(Duration::from_millis(100));
        let slow = caller.call(SLOW, [0, 0xee, 0, 0], soon);
        assert_eq!(slow, Err(CallError::TimedOut));
        // Nor does the next one get in between: it waits, and is not sent.
        let soon = b.within(Duration::from_millis(5));
        assert_eq!(caller.call(ADD, [round, 1, 2, 3], soon), Err(CallError::TimedOut));
        assert_eq!(caller.write(0, b"x", Deadline::PASSED), Err(CallError::TimedOut));
        assert!(!caller.ready());
        go.send(1).expect("it waits");
        // Written only when the late one is done with the payload.
        caller.write(0, b"abc", late(&b)).expect("it fits");
        assert_eq!(caller.call(REVERSE, [3, 0, 0, 0], late(&b)), Ok([3, 0, 0]));
        let mut back = [0; 3];
        caller.read(0, &mut back).expect("it fits");
        assert_eq!(&back, b"cba");
        sum(&b, &mut caller, round);
    }
    assert_eq!(caller.call(COUNT, [0; 4], late(&b)), Ok([11, 0, 0]), "3 in each round, and 2");
}

fn nobody_answers_too_late<B: Fresh>() {
    let b = B::fresh();
    let (mut caller, callee) = call::pair(&b).expect("a connection");
    // Sent before there is a server, given up, and so not begun.
    let soon = b.within(Duration::from_millis(1));
    assert_eq!(caller.call(DIE, [0; 4], soon), Err(CallError::TimedOut));
    let component = component(&b, callee);
    component.start().expect("started");
    assert_eq!(caller.call(COUNT, [0; 4], late(&b)), Ok([1, 0, 0]));
}

fn a_server_that_dies<B: Fresh>() {
    let b = B::fresh();
    let (mut caller, component) = started(&b);
    sum(&b, &mut caller, 1);
    let gone = Err(CallError::Gone(Gone::PeerGone));
    assert_eq!(caller.call(DIE, [0; 4], late(&b)), gone);
    assert_eq!(caller.call(ADD, [0; 4], late(&b)), gone);
    assert_eq!(caller.gone(), Some(Gone::PeerGone));
    assert!(caller.ready());
    assert_eq!(component.wait(late(&b)), Ok(Exit::Died));
}

/// The process is gone in the middle of a call.
#[test]
fn a_server_that_aborts() {
    let b = Sinv::fresh();
    let (mut caller, component) = started(&b);
    let gone = Err(CallError::Gone(Gone::PeerGone));
    assert_eq!(caller.call(DIE, [1, 0, 0, 0], late(&b)), gone);
    assert_eq!(component.wait(late(&b)), Ok(Exit::Died));
}

fn a_server_that_leaves<B: Fresh>() {
    let b = B::fresh();
    let (mut caller, callee) = call::pair::<_, Sums>(&b).expect("a connection");
    drop(callee);
    assert_eq!(caller.call(ADD, [0; 4], late(&b)), Err(CallError::Gone(Gone::Closed)));
    // It answers, and goes at once.
    let (mut caller, mut callee) = call::pair::<_, Sums>(&b).expect("a connection");
    let server = aside(&b, move || {
        callee.next(Deadline::NEVER).expect("a request").reply([5, 0, 0]);
    });
    assert_eq!(caller.call(ADD, [0; 4], late(&b)), Ok([5, 0, 0]));
    assert_eq!(server.join(late(&b)), Ok(Exit::Success));
    assert_eq!(caller.call(ADD, [0; 4], late(&b)), Err(CallError::Gone(Gone::Closed)));
}

fn a_client<B: Backend>(env: Env<B>) -> Outcome {
    let mut server = env.take(SERVER)?;
    sum(&*env, &mut server, 1);
    let die = env.has(GO);
    if die { std::panic::resume_unwind(Box::new("on purpose")) } else { Ok(()) }
}

fn a_client_that_leaves<B: Fresh>() {
    for (dies, gone) in [(false, Gone::Closed), (true, Gone::PeerGone)] {
        let b = B::fresh();
        let (caller, callee) = call::pair(&b).expect("a connection");
        let (ended, mut end) = b.chan::<Spsc, u32>(1).expect("a channel");
        let server = component(&b, callee);
        server.endow(ENDED, ended).expect("endowed");
        server.start().expect("started");
        let client = b.component(const { Name::new("client") }, a_client::<B>).expect("component");
        client.endow(SERVER, caller).expect("endowed");
        let (_go, waits) = b.chan::<Spsc, u64>(1).expect("a channel");
        if dies {
            client.endow(GO, waits).expect("endowed");
        }
        client.start().expect("started");
        assert_eq!(end.recv_until(late(&b)), Ok(gone.code()));
        assert_eq!(server.wait(late(&b)), Ok(Exit::Success));
    }
}

fn a_server_that_is_stopped<B: Fresh>() {
    let b = B::fresh();
    let (mut caller, component) = started(&b);
    sum(&b, &mut caller, 1);
    component.stop();
    assert_eq!(component.wait(late(&b)), Ok(Exit::Success));
    assert_eq!(caller.call(ADD, [0; 4], late(&b)), Err(CallError::Gone(Gone::Closed)));
}

const WRONG: Slot<Calls<Others>> = Slot::new("server");
const WRONG_END: Slot<Answers<Sums>> = Slot::new("server");

fn takes_wrongly<B: Backend>(env: Env<B>) -> Outcome {
    let wrong = env.take(WRONG).expect_err("another interface");
    let both_tags = CastReason::Message { have: Sums::TAG, want: Others::TAG };
    assert_eq!(wrong.reason, both_tags);
    assert_eq!(wrong.reason.kind(), ErrorKind::TypeMismatch);
    let wrong = env.take(WRONG_END).expect_err("the other end");
    assert_eq!(wrong.reason.kind(), ErrorKind::TypeMismatch);
    let wrong = env.take(Slot::<Tx<Spsc, u64>>::new("server")).expect_err("no channel");
    assert_eq!(wrong.reason.kind(), ErrorKind::TypeMismatch);
    sum(&*env, &mut env.take(SERVER)?, 1);
    Ok(())
}

fn the_wrong_interface<B: Fresh>() {
    let b = B::fresh();
    let (caller, _server) = started(&b);
    let client = b.component(const { Name::new("client") }, takes_wrongly::<B>).expect("component");
    client.endow(SERVER, caller).expect("endowed");
    client.start().expect("started");
    client.wait(late(&b)).expect("it ends").ok().expect("all as expected");
}

fn too_little_payload<B: Fresh>() {
    struct Wordy;
    impl Interface for Wordy {
        const TAG: Tag = Sums::TAG;
    }
    let b = B::fresh();
    let (caller, _callee) = call::pair::<_, Wordy>(&b).expect("a connection");
    let error = caller.into_cap().cast::<Caller<B, Sums>>().expect_err("it needs pages");
    assert_eq!(error.reason, CastReason::Parts(ErrorKind::Invalid));
}

const OVER: Slot<CapRx> = Slot::new("over");

fn takes_over<B: Backend>(env: Env<B>) -> Outcome {
    let cap = env.take(OVER)?.recv()?;
    let mut caller = env.cast::<Calls<Sums>>(cap)?;
    sum(&*env, &mut caller, 2);
    Ok(())
}

/// With a call that was given up, whose answer comes while nobody has the end.
fn an_end_that_travels<B: Fresh>() {
    let b = B::fresh();
    let (mut caller, server) = started(&b);
    sum(&b, &mut caller, 1);
    let soon = b.within(Duration::from_millis(5));
    assert_eq!(caller.call(SLOW, [60, 0, 0, 0], soon), Err(CallError::TimedOut));
    let (mut over, rcv) = b.chanchan(1).expect("a channel");
    let client = b.component(const { Name::new("client") }, takes_over::<B>).expect("component");
    client.endow(OVER, rcv).expect("endowed");
    client.start().expect("started");
    over.send(caller.into_cap()).expect("it listens");
    client.wait(late(&b)).expect("it ends").ok().expect("all as expected");
    assert_eq!(server.wait(late(&b)), Ok(Exit::Success));
}

/// One thread with several clients.
fn several_clients_in_a_group<B: Fresh>() {
    let b = B::fresh();
    let mut callers = Vec::new();
    let mut callees = Vec::new();
    for _ in 0..3 {
        let (caller, callee) = call::pair::<_, Sums>(&b).expect("a connection");
        callers.push(caller);
        callees.push(callee);
    }
    let own = b.clone();
    let server = aside(&b, move || {
        let group = own.evtgrp(3).map_err(|_| ()).expect("a group");
        let mut registrations: Vec<_> = callees
            .iter()
            .enumerate()
            .map(|(at, callee)| group.add(callee, Trigger::Level, at as u64).map_err(|_| ()).ok())
            .collect();
        while registrations.iter().any(Option::is_some) {
            let event = group.wait(late(&own)).expect("an event");
            assert_eq!(event.kind, SourceKind::Callee);
            let at = event.data as usize;
            match callees[at].next(Deadline::PASSED) {
                Ok(request) => {
                    let [n, ..] = request.words();
                    request.reply([n + at as u64, 0, 0]);
                }
                Err(RecvError::TimedOut) => {}
                Err(_) => registrations[at] = None,
            }
        }
    });
    for round in 0..200 {
        for (at, caller) in callers.iter_mut().enumerate() {
            let answer = caller.call(ADD, [round, 0, 0, 0], late(&b));
            assert_eq!(answer, Ok([round + at as u64, 0, 0]));
        }
    }
    drop(callers);
    assert_eq!(server.join(late(&b)), Ok(Exit::Success));
}

on_both! {
    round_trips payload_of_several_pages nested two_client_threads a_handler_that_blocks
    a_late_answer_is_thrown_away nobody_answers_too_late a_server_that_dies a_server_that_leaves
    a_client_that_leaves a_server_that_is_stopped the_wrong_interface too_little_payload
    an_end_that_travels several_clients_in_a_group
}

#[test]
fn errors_say_what_happened() {
    let fault = Fault::from(CallError::Gone(Gone::PeerGone));
    assert_eq!(fault.kind(), ErrorKind::PeerGone);
    assert_eq!(fault.text(), "no answer will come: the other side has died");
    assert!(Caller::<Sinv, Sums>::accepts(&res_api::Desc::plain(res_api::Role::Mem, 1)).is_err());
}
