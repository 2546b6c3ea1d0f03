//! Channels between two systems that share memory and nothing else.

use std::thread;
use std::time::Duration;

use backend_local::{Bridge, Dynamic, Local, LocalError};
use chan_impls::Spsc;
use res_api::{
    Backend, BackendError, Deadline, ErrorKind, EvtGrp, Fault, Gone, Kind, Receiver, RecvError,
    Sender, Trigger,
};
use res_kernel::{Access, Isolation, Kernel, KernelMemory, Linux};

type System = Local<Dynamic, Linux>;
type Snd = <Spsc as Kind<System>>::Snd<u64>;
type Rcv = <Spsc as Kind<System>>::Rcv<u64>;

/// Both views of the place for a channel of that capacity.
fn bridge(capacity: u32) -> (Bridge<Linux>, Bridge<Linux>) {
    let machine = Linux::new();
    let points = || {
        [(); 2].map(|()| {
            let point = machine.point().expect("a place to sleep at");
            machine.between(&point);
            point
        })
    };
    let bytes = Bridge::<Linux>::bytes::<u64>(capacity).expect("a usual capacity");
    let memory = machine.memory(bytes).expect("some memory");
    let there = memory.alias(Access::ReadWrite).expect("once more");
    // SAFETY: nobody else knows the memory yet.
    let here = unsafe { Bridge::new::<u64>(&machine, memory, points()) };
    (here, Bridge::found(there, points()))
}

/// Ends in two systems of their own; it does not matter who has prepared the memory.
fn ends(capacity: u32) -> Result<(Snd, Rcv), LocalError> {
    let (one, two) = (Local::new()?, Local::new()?);
    let (here, there) = bridge(capacity);
    Ok((one.snd_over(there, capacity)?, two.rcv_over(here, capacity)?))
}

#[test]
fn numbers_go_across() -> Result<(), Fault> {
    const COUNT: u64 = 20_000;
    for capacity in [1, 3, 64] {
        let (mut tx, mut rx) = ends(capacity)?;
        let sender = thread::spawn(move || (0..COUNT).all(|number| tx.send(number).is_ok()));
        for number in 0..COUNT {
            assert_eq!(rx.recv()?, number);
        }
        assert!(sender.join().expect("it does not panic"));
        assert_eq!(rx.recv(), Err(RecvError::Gone(Gone::Closed)));
    }
    Ok(())
}

/// Each side is told that the other one has left: before it looks, as it falls asleep, and asleep.
#[test]
fn who_leaves_is_missed() -> Result<(), Fault> {
    for moment in 0..200 {
        let wait = || (0..moment).for_each(|_| thread::yield_now());
        let (mut tx, rx) = ends(1)?;
        tx.send(1)?;
        let sender = thread::spawn(move || tx.send(2).is_err());
        wait();
        drop(rx);
        assert!(sender.join().expect("it does not panic"));

        let (tx, mut rx) = ends(1)?;
        let receiver = thread::spawn(move || rx.recv());
        wait();
        drop(tx);
        let received = receiver.join().expect("it does not panic");
        assert_eq!(received, Err(RecvError::Gone(Gone::Closed)));
    }
    Ok(())
}

#[test]
fn deadlines_pass() -> Result<(), Fault> {
    let (_tx, mut rx) = ends(1)?;
    let soon = Deadline::at(Local::new()?.now() + Duration::from_millis(5));
    assert_eq!(rx.recv_until(soon), Err(RecvError::TimedOut));
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() -> Result<(), Fault> {
    let system = Local::new()?;
    let invalid = |error: LocalError| error.kind() == ErrorKind::Invalid;
    let refused = |capacity| system.snd_over::<u64>(bridge(4).1, capacity).is_err_and(invalid);
    // A page is longer than four messages.
    assert!(refused(0) && refused(1 << 20) && refused(u32::MAX));
    assert!(!refused(4));
    Ok(())
}

/// Whatever the other system writes there: an end says that it misbehaves, or something that it
/// could have sent; and it comes back.
#[test]
fn scribbling_does_no_harm() -> Result<(), Fault> {
    for byte in [0x00, 0x01, 0x02, 0x7f, 0x80, 0xff] {
        let (machine, system) = (Linux::new(), Local::new()?);
        let soon = || Deadline::at(system.now() + Duration::from_millis(2));
        let memory = machine.memory(4096)?;
        let peers = memory.alias(Access::ReadWrite)?;
        let points = [machine.point()?, machine.point()?];
        let mut rx = system.rcv_over::<u64>(Bridge::found(memory, points), 4)?;
        // SAFETY: so many bytes are mapped; nobody else runs.
        unsafe { peers.base().write_bytes(byte, 4096) };
        for _ in 0..8 {
            let _ = rx.recv_until(soon());
        }
        let points = [machine.point()?, machine.point()?];
        let mut tx = system.snd_over::<u64>(Bridge::found(peers, points), 4)?;
        for number in 0..8 {
            let _ = tx.send_until(number, soon());
        }
        let _ = (rx.gone(), tx.gone(), rx.len(), tx.len());
    }
    Ok(())
}

/// The other system would not know whom to tell.
#[test]
fn groups_cannot_watch() -> Result<(), Fault> {
    let system = Local::new()?;
    let (here, there) = bridge(4);
    let group = system.evtgrp(2)?;
    let mut tx = Local::new()?.snd_over::<u64>(here, 4)?;
    let mut rx = system.rcv_over::<u64>(there, 4)?;
    let watched = group.add(&rx, Trigger::Level, 1);
    assert!(watched.is_err_and(|error| error.kind() == ErrorKind::Invalid));
    // It is as good as before.
    tx.send(7)?;
    assert_eq!(rx.recv()?, 7);
    Ok(())
}
