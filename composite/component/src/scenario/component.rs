//! Components in this component's address space, and workers of a system.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::SeqCst;

use chan_impls::Spsc;
use res_api::{
    Backend, Deadline, Env, ErrorKind, Exit, Fault, Name, Receiver, Rx, Sender, Slot, Thread, Tx,
    Value, kind_of,
};
use res_kernel::Composite;

use super::{LONG, System, system, within};
use crate::THREADS;
use crate::report::check;

const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");
const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");
const FACTOR: Slot<Value<u64>> = Slot::new("factor");

/// Passes numbers on, multiplied.
fn multiply(env: Env<System>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(FROM)?, env.take(TO)?);
    let factor = env.take(FACTOR)?;
    while let Ok(number) = from.recv() {
        to.send(factor * number)?;
    }
    Ok(())
}

pub(super) fn endowed(machine: Composite) -> Result<(), Fault> {
    let system = system(machine, 2)?;
    let (mut tx, from) = system.chan::<Spsc, u64>(2)?;
    let (middle_tx, middle_rx) = system.chan::<Spsc, u64>(2)?;
    let (to, mut rx) = system.chan::<Spsc, u64>(2)?;
    let three = system.component(const { Name::new("three") }, multiply)?;
    let five = system.component(const { Name::new("five") }, multiply)?;
    three.endow(FROM, from)?;
    three.endow(TO, middle_tx)?;
    three.endow(FACTOR, 3)?;
    five.endow(FROM, middle_rx)?;
    five.endow(TO, to)?;
    five.endow(FACTOR, 5)?;
    five.start()?;
    three.start()?;
    for number in 0..100 {
        tx.send(number)?;
        check!(rx.recv_until(within(machine, LONG))? == 15 * number);
    }
    drop(tx);
    check!(three.wait(within(machine, LONG))? == Exit::Success);
    check!(five.wait(within(machine, LONG))? == Exit::Success);
    check!(rx.recv().is_err());
    Ok(())
}

pub(super) fn stops(machine: Composite) -> Result<(), Fault> {
    let system = system(machine, 1)?;
    let (_tx, from) = system.chan::<Spsc, u64>(2)?;
    let (to, _rx) = system.chan::<Spsc, u64>(2)?;
    let idle = system.component(const { Name::new("idle") }, multiply)?;
    idle.endow(FROM, from)?;
    idle.endow(TO, to)?;
    idle.endow(FACTOR, 1)?;
    idle.start()?;
    idle.stop();
    check!(idle.wait(within(machine, LONG))? == Exit::Success);
    Ok(())
}

/// A system of as many workers as there are threads, again and again.
pub(super) fn workers(machine: Composite) -> Result<(), Fault> {
    static RAN: AtomicU32 = AtomicU32::new(0);
    RAN.store(0, SeqCst);
    for round in 1..=3 {
        let system = system(machine, THREADS)?;
        let mut all = [const { None }; THREADS as usize];
        for place in &mut all {
            *place = Some(system.thread(|| {
                RAN.fetch_add(1, SeqCst);
            })?);
        }
        let one_more = system.thread(|| {}).err();
        check!(one_more.is_some_and(|error| kind_of(&error) == ErrorKind::NoSlots));
        for thread in all.iter().flatten() {
            thread.start()?;
        }
        for thread in all.iter().flatten() {
            thread.join(Deadline::NEVER)?.ok()?;
        }
        check!(RAN.load(SeqCst) == round * THREADS);
    }
    Ok(())
}
