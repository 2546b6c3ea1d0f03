//! How much a component may have: exactly as much as its limits say, and again when it is given back.

#[path = "limits/memory.rs"]
mod memory;

use std::time::Duration;

use backend_local::LocalError;
use backend_sinv::{Limits, Sinv};
use chan_impls::Spsc;
use res_api::{
    Backend, BackendError, CapRx, Entry, Env, ErrorKind, Exit, Fault, IntoCap, Mem, Name, Receiver,
    RecvError, Rights, Rx, Sender, SharedMem, Slot, kind_of,
};
use res_kernel::linux::Linux;

const FEW: u32 = 3;
const OBJECTS: u32 = 20;
const BYTES: u64 = 1 << 20;
/// More than are sent ahead of being asked for.
const GIVEN: usize = 8;
const ENDS: Slot<CapRx> = Slot::new("ends");
const KEPT: Slot<Rx<Spsc, u64>> = Slot::new("kept");
const SHOWN: Name = Name::new("shown");

fn few() -> Limits {
    Limits { components: FEW, queues: FEW, names: FEW, bytes: BYTES, ..Limits::default() }
}

fn kind<T>(result: Result<T, LocalError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Memory that others may be given.
fn page(b: &Sinv, bytes: u64) -> Result<<Sinv as Backend>::SharedMem, LocalError> {
    let memory = b.mem(bytes)?.share();
    drop(memory.map(Rights::READ)?);
    Ok(memory)
}

fn idle(_: Env<Sinv>) -> Result<(), Fault> {
    Ok(())
}

/// All of it, for whichever component.
fn reaches_its_limits(b: &Sinv) {
    let component = |n| b.component(Name::numbered("idle", n).expect("short"), idle);
    let mut components: Vec<_> = (0..FEW).map(|n| component(n).expect("within")).collect();
    assert_eq!(kind(component(9)), Some(ErrorKind::NoSlots));
    let ended = components.pop().expect("some");
    ended.start().expect("started");
    assert_eq!(ended.wait(b.within(Duration::from_secs(20))), Ok(Exit::Success));
    components.push(component(9).expect("one has ended"));
    assert_eq!(kind(component(10)), Some(ErrorKind::NoSlots));

    let queues: Vec<_> = (0..FEW).map(|_| b.chanchan(1).expect("within")).collect();
    assert_eq!(kind(b.chanchan(1)), Some(ErrorKind::NoSlots));
    drop(queues);
    drop(b.chanchan(1).expect("they are gone"));

    let publish = |n: u32| {
        let (tx, rx) = b.chan::<Spsc, u64>(1).expect("a channel");
        drop(tx);
        // Names go with their component: who comes later finds them free.
        let name = Name::numbered("name", n).expect("short");
        kind(b.publish(name, rx.into_cap()).map_err(|refused| refused.error))
    };
    for n in 0..FEW {
        assert_eq!(publish(n), None);
    }
    assert_eq!(publish(FEW), Some(ErrorKind::NoSlots));

    let half = page(b, BYTES / 2).expect("within");
    assert_eq!(kind(page(b, BYTES / 2)), Some(ErrorKind::NoMemory));
    drop(half);
    drop(page(b, BYTES / 2).expect("it is gone"));
}

fn tries(env: Env<Sinv>) -> Result<(), Fault> {
    reaches_its_limits(&env);
    Ok(())
}

/// A component of that system, until it has ended well.
fn run(system: &Sinv, entry: impl Entry<Sinv>) {
    let child = system.component(const { Name::new("tries") }, entry).expect("a component");
    child.start().expect("started");
    assert_eq!(child.wait(system.within(Duration::from_secs(60))), Ok(Exit::Success));
}

#[test]
fn of_everything_there_is_so_much_and_no_more() {
    let system = Sinv::on(Linux::new(), few()).expect("a system");
    run(&system, tries);
    // What was reached there does not count for another one, nor here, where there are no limits.
    run(&system, tries);
    let queues: Vec<_> = (0..2 * FEW).map(|_| system.chanchan(1).expect("no limit")).collect();
    drop((queues, page(&system, 2 * BYTES).expect("no limit")));
}

fn makes_many_objects(b: Env<Sinv>) -> Result<(), Fault> {
    // Each queue is in an object of its own.
    let mut queues = Vec::new();
    let refused = loop {
        match b.chanchan(1) {
            Ok(queue) => queues.push(queue),
            Err(error) => break error.kind(),
        }
        assert!(queues.len() <= OBJECTS as usize);
    };
    assert_eq!(refused, ErrorKind::NoSlots);
    let room = queues.len();
    assert!(room > 10, "only {room}");
    // Of memory, only what others may be given counts; mapping it says that it cannot be.
    assert_eq!(kind(page(&b, 64)), Some(ErrorKind::NoMemory));
    b.mem(64)?;
    queues.truncate(room / 2);
    while queues.len() < room {
        queues.push(b.chanchan(1)?);
    }
    assert_eq!(kind(b.chanchan(1)), Some(ErrorKind::NoSlots));
    Ok(())
}

/// What nobody has yet counts as well, for who made it.
fn gives_many_objects_away(b: Env<Sinv>) -> Result<(), Fault> {
    let (mut tx, rx) = b.chanchan(2 * OBJECTS)?;
    let mut given = 0;
    while let Ok(memory) = page(&b, 64) {
        tx.send(memory.into_cap())?;
        given += 1;
        assert!(given <= OBJECTS);
    }
    assert!(given > 10, "only {given}");
    drop((tx, rx));
    // With the queue went what was in it.
    page(&b, 64)?;
    Ok(())
}

/// What it has no place for stays where it is, and comes when it has one.
fn receives_when_it_has_a_place(b: Env<Sinv>) -> Result<(), Fault> {
    let mut ends = b.take(ENDS)?;
    let mut queues: Vec<_> = core::iter::from_fn(|| b.chanchan(1).ok()).collect();
    let most = queues.len();
    let taken = b.take(KEPT).map_err(|error| kind_of(&error));
    assert_eq!(taken.err(), Some(ErrorKind::NoSlots));
    assert_eq!(kind(b.lookup(SHOWN)), Some(ErrorKind::NoSlots));
    let mut received = Vec::new();
    while received.len() < GIVEN {
        match ends.recv() {
            Ok(end) => received.push(end),
            Err(refused) => {
                assert_eq!(refused, RecvError::NoSlots);
                assert!(queues.pop().is_some(), "{} came", received.len());
            }
        }
    }
    assert!(queues.len() < most, "some had to go");
    queues.clear();
    received.push(b.take(KEPT)?.into_cap());
    received.push(b.lookup(SHOWN)?);
    for (number, end) in (0..).zip(received) {
        assert_eq!(b.cast::<Rx<Spsc, u64>>(end)?.recv(), Ok(number));
    }
    Ok(())
}

#[test]
fn nothing_is_lost_for_want_of_a_place() {
    let limits = Limits { objects: OBJECTS, ..Limits::default() };
    let system = Sinv::on(Linux::new(), limits).expect("a system");
    let (mut over, ends) = system.chanchan(GIVEN as u32).expect("a queue");
    let name = const { Name::new("receives") };
    let child = system.component(name, receives_when_it_has_a_place).expect("a component");
    child.endow(ENDS, ends).expect("endowed");
    let numbered = |number| {
        let (mut tx, rx) = system.chan::<Spsc, u64>(1).expect("a channel");
        tx.send(number).expect("there is room");
        rx
    };
    let given = GIVEN as u64;
    (0..given).for_each(|number| over.send(numbered(number).into_cap()).expect("there is room"));
    child.endow(KEPT, numbered(given)).expect("endowed");
    system
        .publish(SHOWN, numbered(given + 1).into_cap())
        .map_err(|it| it.error)
        .expect("published");
    child.start().expect("started");
    assert_eq!(child.wait(system.within(Duration::from_secs(60))), Ok(Exit::Success));
}

#[test]
fn objects_are_counted() {
    let limits = Limits { objects: OBJECTS, ..Limits::default() };
    let system = Sinv::on(Linux::new(), limits).expect("a system");
    run(&system, makes_many_objects);
    run(&system, gives_many_objects_away);
}
