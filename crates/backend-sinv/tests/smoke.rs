//! The simplest things, in processes.

use std::time::Duration;

use backend_sinv::Sinv;
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    Backend, Deadline, Env, EvtGrp, Exit, Fault, Gone, IntoCap, Name, Receiver, RecvError, Rx,
    Sender, Slot, Trigger, Tx, Value,
};

const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");
const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");
const ROUNDS: Slot<Value<u64>> = Slot::new("rounds");

fn late(system: &Sinv) -> Deadline {
    system.within(Duration::from_secs(20))
}

fn double(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(FROM)?, env.take(TO)?);
    while let Ok(n) = from.recv() {
        to.send(2 * n)?;
    }
    Ok(())
}

#[test]
fn numbers_go_there_and_back() {
    let system = Sinv::new().expect("a system");
    let (mut tx, from) = system.chan::<Spsc, u64>(8).expect("a channel");
    let (to, mut rx) = system.chan::<Spsc, u64>(8).expect("a channel");
    let component = system.component(const { Name::new("double") }, double).expect("a component");
    component.endow(FROM, from).expect("endowed");
    component.endow(TO, to).expect("endowed");
    component.start().expect("started");
    for n in 0..1000 {
        tx.send(n).expect("it listens");
        assert_eq!(rx.recv_until(late(&system)), Ok(2 * n));
    }
    drop(tx);
    assert_eq!(component.wait(late(&system)), Ok(Exit::Success));
    assert_eq!(rx.recv_until(late(&system)), Err(RecvError::Gone(Gone::Closed)));
}

fn main_of_pair(env: Env<Sinv>) -> Result<(), Fault> {
    let rounds = env.take(ROUNDS)?;
    let (mut tx, from) = env.chan::<Spsc, u64>(8)?;
    let (to, mut rx) = env.chan::<Spsc, u64>(8)?;
    let child = env.component(const { Name::new("double") }, double)?;
    child.endow(FROM, from)?;
    child.endow(TO, to)?;
    child.start()?;
    let group = env.evtgrp(2)?;
    let _rx = group.add(&rx, Trigger::Level, 1)?;
    let _end = group.add(&child, Trigger::Edge, 2)?;
    let mut answer = env.take(TO)?;
    for n in 0..rounds {
        tx.send(n)?;
        assert_eq!(group.wait(env.within(Duration::from_secs(20)))?.data, 1);
        answer.send(rx.recv()?)?;
    }
    drop(tx);
    while group.wait(env.within(Duration::from_secs(20)))?.data != 2 {
        rx.drain(|_| ());
    }
    child.wait(env.within(Duration::from_secs(20)))?.ok()
}

#[test]
fn components_make_components() {
    let system = Sinv::new().expect("a system");
    let (to, mut rx) = system.chan::<Spsc, u64>(8).expect("a channel");
    let pair = system.component(const { Name::new("pair") }, main_of_pair).expect("a component");
    pair.endow(TO, to).expect("endowed");
    pair.endow(ROUNDS, 100).expect("endowed");
    pair.start().expect("started");
    for n in 0..100 {
        assert_eq!(rx.recv_until(late(&system)), Ok(2 * n));
    }
    assert_eq!(pair.wait(late(&system)), Ok(Exit::Success));
}

const OVER: Slot<res_api::CapRx> = Slot::new("over");

fn takes_ends(env: Env<Sinv>) -> Result<(), Fault> {
    let mut over = env.take(OVER)?;
    let mut pages = env.cast::<Tx<ZeroCopy, [u8; 4096]>>(over.recv()?)?;
    pages.send([7; 4096])?;
    Ok(())
}

#[test]
fn ends_travel_over_channels() {
    let system = Sinv::new().expect("a system");
    let (mut over, rcv) = system.chanchan(2).expect("a channel");
    let component = system.component(const { Name::new("taker") }, takes_ends).expect("component");
    component.endow(OVER, rcv).expect("endowed");
    component.start().expect("started");
    let (tx, mut rx) = system.chan::<ZeroCopy, [u8; 4096]>(4).expect("a channel");
    over.send(tx.into_cap()).expect("it listens");
    assert_eq!(rx.recv_until(late(&system)), Ok([7; 4096]));
    assert_eq!(component.wait(late(&system)), Ok(Exit::Success));
    assert_eq!(rx.recv_until(late(&system)), Err(RecvError::Gone(Gone::Closed)));
}

fn panics(env: Env<Sinv>) -> Result<(), Fault> {
    let _held = env.take(TO)?;
    std::panic::resume_unwind(Box::new("on purpose"));
}

#[test]
fn a_panic_is_a_death() {
    let system = Sinv::new().expect("a system");
    let (to, mut rx) = system.chan::<Spsc, u64>(8).expect("a channel");
    let component = system.component(const { Name::new("panics") }, panics).expect("a component");
    component.endow(TO, to).expect("endowed");
    component.start().expect("started");
    assert_eq!(component.wait(late(&system)), Ok(Exit::Died));
    assert_eq!(rx.recv_until(late(&system)), Err(RecvError::Gone(Gone::PeerGone)));
}
