//! Components that have to do with lent memory, and would like to have more to do with it: one that may
//! read it asks to write it, and one that says that it is gone would have those told whom its peer shares
//! other memory with.

use core::ptr::NonNull;
use std::time::Duration;
use std::vec::Vec;

use backend_local::distant::QUEUE_WORDS;
use backend_local::parcel::{Head, Parcel, Piece};
use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, Barrier, CapRx, Comp, Desc, Env, ErrorKind, Exit, Fault, Gone, Instant,
    IntoCap, Kind, Mem, Memory, Name, Receiver, Rights, Role, Sender, SharedMem, Side, Slot,
};
use res_kernel::linux::LinuxSocket;
use res_kernel::{Isolation, Kernel, Linux};
use res_sync::model::Core;
use res_sync::{Event, MemoryModel, Park};

use super::component;
use super::direct::{ENDS, HONEST, LIKE, OVER, UNTIL, begun, late, length, ring, taken, within};
use super::raw::{ask, begin, value, words};
use crate::Sinv;
use crate::request::{Destination, Request, Said};
use crate::wire::Wire as _;

const MEMORY: Slot<Memory> = Slot::new("memory");

/// Has memory for reading only, and asks to have it sent over a queue of its own.
fn asks_to_write(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    let (parcel, _) = taken(&socket, MEMORY.name());
    let Some(Piece::Memory { object, .. }) = parcel.pieces.first().copied() else {
        panic!("it was endowed with memory: {parcel:?}");
    };
    let Some(Said::Number(queue)) = ask(&socket, &Request::Queue(4)) else { panic!("a queue") };
    for request in [Request::Admit(queue, object), Request::Fetch(queue, object)] {
        assert_eq!(ask(&socket, &request), Some(Said::Refused(ErrorKind::Denied)), "{request:?}");
    }
    ask(&socket, &Request::Ends(Exit::Success));
}

#[test]
fn who_reads_what_is_lent_does_not_come_to_write_it() {
    let system = Sinv::new().expect("a system");
    let (over, _ends) = system.chanchan(4).expect("a channel");
    let memory = system.making_for(&over).mem(64).expect("memory").share();
    let read = memory.alias(Rights::READ | Rights::TRANSFER).expect("less");
    let reader = Comp::new(system.clone(), component(&system, "reader", asks_to_write));
    reader.endow(MEMORY, read).expect("endowed");
    let reader = begun(reader);
    assert_eq!(reader.wait(system.within(Duration::from_secs(20))), Ok(Exit::Success));
}

/// Lets another read memory, and then has it write an end in the same.
fn lets_read_then_write(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    let (like, _) = taken(&socket, LIKE.name());
    let (over, _) = taken(&socket, OVER.name());
    let Some(Piece::Queue(queue)) =
        over.pieces.iter().find(|piece| matches!(piece, Piece::Queue(_))).copied()
    else {
        panic!("it was endowed with a queue");
    };
    let Some(Said::Number(object)) = ask(&socket, &Request::Memory(4096)) else { panic!("memory") };
    let rights = Rights::READ | Rights::TRANSFER;
    let head = Head { desc: Desc::plain(Role::Mem, 64), rights, state: 0, pieces: 1 };
    let pieces = Vec::from([Piece::Memory { object, bytes: 64, rights }]);
    for parcel in [Parcel { head, pieces }, within(&like, object)] {
        let sent = ask(&socket, &Request::Export(Destination::Queue(queue), parcel));
        assert_eq!(sent, Some(Said::Done()));
    }
    ask(&socket, &Request::Ends(Exit::Success));
}

fn reads_then_writes(env: Env<Sinv>) -> Result<(), Fault> {
    let mut ends = env.take(ENDS)?;
    let memory = ends.recv()?.cast::<<Sinv as Backend>::SharedMem>()?;
    let view = memory.map(Rights::READ)?;
    assert!(memory.map(Rights::READ | Rights::WRITE).is_err(), "it may only read");
    let mut tx = ends.recv()?.cast::<<Spsc as Kind<Sinv>>::Snd<u64>>()?;
    let _ = tx.try_send(1);
    assert_eq!(res_api::Map::load(&view, 0).map(drop), Ok(()));
    Ok(())
}

#[test]
fn who_read_memory_can_write_an_end_in_it() {
    let system = Sinv::new().expect("a system");
    let bad = Comp::new(system.clone(), component(&system, "hostile", lets_read_then_write));
    let good = system.component(HONEST, reads_then_writes).expect("made");
    let (over, theirs) = system.chanchan(4).expect("a channel");
    let (like, _kept) = system.chan::<Spsc, u64>(4).expect("a channel");
    bad.endow(LIKE, like).expect("endowed");
    bad.endow(OVER, over).expect("endowed");
    good.endow(ENDS, theirs).expect("endowed");
    let (good, bad) = (begun(good), begun(bad));
    for component in [good, bad] {
        assert_eq!(component.wait(system.within(Duration::from_secs(20))), Ok(Exit::Success));
    }
}

/// How many queues the hostile one has to do with.
const QUEUES: u32 = 100;

fn ends(index: u32) -> Slot<CapRx> {
    Slot::named(Name::numbered("ends", index).expect("short"))
}

/// Says of each queue that it receives no more, and that what was sent there was others'.
fn replaces(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    let (like, _) = taken(&socket, LIKE.name());
    let queues: Vec<_> = (0..QUEUES).map(|index| taken(&socket, ends(index).name())).collect();
    let until = Instant::from_nanos(value(&socket, UNTIL));
    let kernel = Linux::new();
    let point = kernel.point().expect("a place");
    kernel.between(&point);
    let rings: Vec<_> = queues.iter().map(|(_, memory)| ring(memory)).collect();
    for (_, memory) in &queues {
        for (offset, side) in QUEUE_WORDS.into_iter().zip([Side::Signallers, Side::Waiters]) {
            let word = NonNull::from(&words(memory)[offset as usize / 8]);
            // SAFETY: a word of the model, mapped to the end of this process.
            let word = unsafe { word.cast::<<Core as MemoryModel>::U64>().as_ref() };
            let event = Event { park: &kernel, point: &point, word, barrier: Barrier::Fence };
            event.tell(side, Gone::Closed);
        }
    }
    // Numbers are given one after the other: that of what is shared with others is among these.
    let made_up: Vec<_> = (1..24).map(|object| within(&like, object).encoded()).collect();
    for ring in rings {
        let mut rounds_behind = 0;
        while rounds_behind < 5 && kernel.now() < until {
            made_up.iter().for_each(|bytes| assert!(ring.write(0, bytes)));
            rounds_behind += ring.pushed();
        }
    }
    ask(&socket, &Request::Ends(Exit::Success));
}

/// Says what it hears.
fn echo(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut ends, mut to) = (env.take(ENDS)?, env.take(LIKE)?);
    let mut from = ends.recv()?.cast::<<Spsc as Kind<Sinv>>::Rcv<u64>>()?;
    while let Ok(n) = from.recv() {
        to.send(n)?;
    }
    Ok(())
}

#[test]
fn who_is_gone_has_nobody_told_but_its_peer() {
    let system = Sinv::new().expect("a system");
    let until = (system.now() + length()).as_nanos();
    let late = late(until);
    // What it shares with somebody else, in memory that is lent.
    let (mut asks, theirs) = system.chanchan(4).expect("a channel");
    let (to, mut heard) = system.chan::<Spsc, u64>(4).expect("a channel");
    let other = system.component(HONEST, echo).expect("made");
    other.endow(ENDS, theirs).expect("endowed");
    other.endow(LIKE, to).expect("endowed");
    let other = begun(other);
    let (mut says, hears) = system.chan_for::<Spsc, u64>(&asks, 4).expect("a channel");
    asks.send(hears.into_cap()).expect("it listens");

    let bad = Comp::new(system.clone(), component(&system, "hostile", replaces));
    let (like, _kept) = system.chan::<Spsc, u64>(4).expect("a channel");
    bad.endow(LIKE, like).expect("endowed");
    bad.endow(UNTIL, until).expect("endowed");
    let mut overs = Vec::new();
    for index in 0..QUEUES {
        let (over, theirs) = system.chanchan(4).expect("a channel");
        let made = system.chan_for::<Spsc, u64>(&over, 1).expect("a channel");
        bad.endow(ends(index), theirs).expect("endowed");
        overs.push((over, made));
    }
    let bad = begun(bad);
    for (n, (mut over, (tx, _rx))) in (0..).zip(overs) {
        // By then it says that it is gone.
        while over.gone().is_none() {
            system.yield_now();
        }
        let _ = over.try_send(tx.into_cap());
        // The hostile one goes on to the next.
        system.sleep(system.after(Duration::from_millis(1)));
        says.send_until(n, late).expect("nobody has said that it is gone");
        assert_eq!(heard.recv_until(late), Ok(n));
    }
    drop(says);
    for component in [other, bad] {
        assert_eq!(component.wait(late), Ok(Exit::Success));
    }
}
