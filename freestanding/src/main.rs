//! The library backend where there is nothing: no operating system, no std, one core, one thread,
//! no allocator. None is defined, so that this links proves that none is needed.
//!
//! ```sh
//! cargo build --manifest-path freestanding/Cargo.toml --target x86_64-unknown-none
//! ```
//!
//! It stops at a breakpoint when everything went well, and at an undefined instruction when not.
//! Linked to a fixed address (`cargo rustc ... -- -C relocation-model=static`) it runs as a process
//! too, and ends by `SIGTRAP` or `SIGILL`.
#![no_std]
#![no_main]

mod bare;

use core::arch::asm;
use core::panic::PanicInfo;
use core::time::Duration;

use backend_local::{Local, Region, Static};
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    AnyCap, Backend, BackendError, Barrier, Blockpoint, Deadline, Env, ErrorKind, EvtGrp, Fault,
    Gone, IntoCap, Kind, Name, Receiver, RecvError, Sender, SourceKind, Timer, Trigger, WaitError,
    Wake,
};
use res_kernel::{Kernel, ThreadEntry};
use res_sync::Mutex;

use bare::Bare;

type System = Local<Static, Bare>;

static REGION: Region<{ 64 * 1024 }> = Region::new();

// SAFETY: the linker knows no other symbol of this name.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    match twice() {
        Ok(()) => loop {
            // SAFETY: the machine stops here.
            unsafe { asm!("int3", options(nomem, nostack)) };
        },
        Err(fault) => panic!("{fault}"),
    }
}

#[panic_handler]
fn give_up(_: &PanicInfo<'_>) -> ! {
    // SAFETY: does not return: the machine stops here, and says that something failed.
    unsafe { asm!("ud2", options(noreturn, nomem, nostack)) }
}

/// The second system can be made only if nothing of the first is left.
fn twice() -> Result<(), Fault> {
    for _ in 0..2 {
        let system = System::over_with(Bare, &REGION, 0, Deadline::PASSED)?;
        assert!(System::over_with(Bare, &REGION, 0, Deadline::PASSED).is_err());
        rings(&system)?;
        loans(&system)?;
        capabilities(&system)?;
        waits(&system)?;
        lock()?;
        refused(&system);
    }
    Ok(())
}

fn rings(system: &System) -> Result<(), Fault> {
    let (mut tx, mut rx) = system.chan::<Spsc, u64>(2)?;
    tx.send(1)?;
    tx.try_send(2)?;
    assert!(tx.send_until(3, system.within(Duration::from_nanos(1))).is_err(), "it is full");
    assert_eq!((rx.recv()?, rx.try_recv()?), (1, 2));
    drop(tx);
    assert_eq!(rx.recv(), Err(RecvError::Gone(Gone::Closed)));
    Ok(())
}

fn loans(system: &System) -> Result<(), Fault> {
    let (mut tx, mut rx) = system.chan::<ZeroCopy, [u8; 1024]>(2)?;
    let mut loan = tx.loan()?;
    loan.bytes_mut().fill(7);
    tx.send_loan(loan)?;
    assert_eq!(rx.recv_loan()?.as_ref(), Some(&[7; 1024]));
    tx.send([8; 1024])?;
    assert_eq!(rx.recv()?[1023], 8);
    Ok(())
}

fn capabilities(system: &System) -> Result<(), Fault> {
    let (mut ends_tx, mut ends_rx) = system.chanchan(1)?;
    let (mut tx, rx) = system.chan::<Spsc, u32>(1)?;
    ends_tx.send(rx.into_cap())?;
    tx.send(5)?;
    let mut rx = ends_rx.recv()?.cast::<<Spsc as Kind<System>>::Rcv<u32>>()?;
    assert_eq!(rx.recv()?, 5);
    Ok(())
}

fn waits(system: &System) -> Result<(), Fault> {
    let group = system.evtgrp(3)?;
    let (mut tx, rx) = system.chan::<Spsc, u32>(1)?;
    let changed = system.blockpoint()?;
    let tick = system.timer(system.after(Duration::from_micros(10)), None)?;
    let _registered = (
        group.add(&rx, Trigger::Level, 0)?,
        group.add(&changed, Trigger::Edge, 1)?,
        group.add(&tick, Trigger::Edge, 2)?,
    );
    let event = group.wait(Deadline::NEVER)?;
    assert_eq!((event.kind, event.data), (SourceKind::Timer, 2));
    assert_eq!(tick.expirations(), 1);
    let checkpoint = changed.checkpoint();
    changed.trigger(Wake::All);
    checkpoint.wait(Deadline::NEVER)?;
    assert_eq!(group.wait(Deadline::NEVER)?.data, 1);
    tx.send(1)?;
    assert_eq!(group.wait(Deadline::NEVER)?.data, 0);
    drop(rx);
    assert!(tx.send(2).is_err());
    assert_eq!(group.wait(system.within(Duration::from_micros(1)))?.data, 0, "it is closed");
    group.close();
    assert_eq!(group.wait(Deadline::NEVER), Err(WaitError::Gone(Gone::Closed)));
    Ok(())
}

fn lock() -> Result<(), Fault> {
    let total = Mutex::new(Bare, Bare.point()?, Barrier::Fence, 1);
    *total.lock() += 1;
    let held = total.lock();
    assert!(total.lock_until(Deadline::at(res_api::Instant::from_nanos(1))).is_err());
    assert_eq!(*held, 2);
    Ok(())
}

/// What the machine does not have is refused, with a reason.
fn refused(system: &System) {
    fn entry<B: Backend>(_: Env<B>) {}
    unsafe fn nothing(_: *mut ()) {}

    let kind = |error: backend_local::LocalError| Some(error.kind());
    assert_eq!(system.thread(|| {}).err().and_then(kind), Some(ErrorKind::NoSlots));
    let component = system.component(const { Name::new("none") }, entry).ok();
    let started = component.map(|component| component.start());
    assert_eq!(started.and_then(Result::err).and_then(kind), Some(ErrorKind::NoSlots));
    let entry = ThreadEntry { run: nothing, data: core::ptr::null_mut() };
    // SAFETY: it touches nothing.
    let thread = unsafe { Bare.thread(entry) };
    assert_eq!(thread.err().map(|error| error.kind), Some(ErrorKind::NoSlots));
    assert_eq!(Bare.memory(1).err().map(|error| error.kind), Some(ErrorKind::NoMemory));
}
