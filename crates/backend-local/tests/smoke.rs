//! Each resource once, on each memory policy: the first thing to run after a change.

use std::time::Duration;

use backend_local::{AllocOnly, Local, Policy, Region, Static};
use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, CapTx, Deadline, Env, EvtGrp, Exit, Fault, Gone, IntoCap, Kind, Name,
    Receiver, RecvError, Rx, Sender, Slot, Thread, Timer, Trigger, Tx, Value,
};

const NUMBERS: Slot<Rx<Spsc, u64>> = Slot::new("numbers");
const SUM: Slot<Tx<Spsc, u64>> = Slot::new("sum");
const FACTOR: Slot<Value<u64>> = Slot::new("factor");
const ENDS: Slot<CapTx> = Slot::new("ends");

fn summer<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    let (mut numbers, mut sum) = (env.take(NUMBERS)?, env.take(SUM)?);
    let factor = env.take(FACTOR)?;
    let mut total = 0;
    while let Ok(n) = numbers.recv() {
        total += n * factor;
    }
    Ok(sum.send(total)?)
}

fn offerer<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    let mut ends = env.take(ENDS)?;
    let (mut tx, rx) = env.chan::<Spsc, u64>(2)?;
    ends.send(rx.into_cap())?;
    tx.send(7)?;
    Ok(())
}

fn panicker<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    let _numbers = env.take(SUM)?;
    panic!("on purpose");
}

fn everything<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    // A component with three kinds of endowments.
    let (mut tx, rx) = system.chan::<Spsc, u64>(4)?;
    let (sum_tx, mut sum_rx) = system.chan::<Spsc, u64>(1)?;
    let component = system.component(const { Name::new("summer") }, summer::<Local<P>>)?;
    component.endow(NUMBERS, rx)?;
    component.endow(SUM, sum_tx)?;
    component.endow(FACTOR, 3)?;
    component.start()?;
    assert!(component.start().is_err());
    for n in 0..1000 {
        tx.send(n)?;
    }
    drop(tx);
    assert_eq!(sum_rx.recv()?, 3 * 999 * 500);
    assert_eq!(component.wait(Deadline::NEVER)?, Exit::Success);
    assert_eq!(sum_rx.recv(), Err(RecvError::Gone(Gone::Closed)));

    // A channel end over a channel.
    let (ends_tx, mut ends_rx) = system.chanchan(1)?;
    let component = system.component(const { Name::new("offerer") }, offerer::<Local<P>>)?;
    component.endow(ENDS, ends_tx)?;
    component.start()?;
    let mut rx = ends_rx.recv()?.cast::<<Spsc as Kind<Local<P>>>::Rcv<u64>>()?;
    assert_eq!(rx.recv()?, 7);
    component.wait(Deadline::NEVER)?.ok()?;

    // A group over a receiver, a timer and a component that dies.
    let (tx, rx) = system.chan::<Spsc, u64>(4)?;
    let component = system.component(const { Name::new("panicker") }, panicker::<Local<P>>)?;
    component.endow(SUM, tx)?;
    let tick = system.timer(system.after(Duration::from_millis(1)), None)?;
    let group = system.evtgrp(3)?;
    let _registered = (
        group.add(&rx, Trigger::Edge, 0)?,
        group.add(&tick, Trigger::Edge, 1)?,
        group.add(&component, Trigger::Edge, 2)?,
    );
    assert_eq!(group.wait(Deadline::NEVER)?.data, 1);
    assert_eq!(tick.expirations(), 1);
    component.start()?;
    let mut seen = [group.wait(Deadline::NEVER)?.data, group.wait(Deadline::NEVER)?.data];
    seen.sort_unstable();
    assert_eq!(seen, [0, 2]);
    assert_eq!(rx.gone(), Some(Gone::PeerGone));
    assert_eq!(component.wait(Deadline::NEVER)?, Exit::Died);

    // A thread.
    let (mut tx, mut rx) = system.chan::<Spsc, u64>(1)?;
    let thread = system.thread(move || tx.send(5).unwrap())?;
    thread.start()?;
    assert_eq!(rx.recv()?, 5);
    thread.join(Deadline::NEVER)?.ok()
}

#[test]
fn dynamic() -> Result<(), Fault> {
    everything(&Local::new()?)
}

#[test]
fn fixed() -> Result<(), Fault> {
    static REGION: Region<{ 1 << 20 }> = Region::new();
    for _ in 0..3 {
        let system = Local::<Static>::over_by(&REGION, 3, Deadline::NEVER)?;
        for _ in 0..3 {
            everything(&system)?;
        }
    }
    Ok(())
}

#[test]
fn alloc_only() -> Result<(), Fault> {
    static REGION: Region<{ 1 << 20 }> = Region::new();
    for _ in 0..3 {
        everything(&Local::<AllocOnly>::over_by(&REGION, 3, Deadline::NEVER)?)?;
    }
    Ok(())
}
