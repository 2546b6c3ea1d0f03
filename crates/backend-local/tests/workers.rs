//! Who was told that a component or a thread has ended can have its worker.

use std::panic::resume_unwind;
use std::sync::atomic::AtomicU64;
use std::thread::sleep;
use std::time::Duration;

use backend_local::{Local, Region, Static};
use res_api::{
    Backend, Deadline, Entry, Env, ErrorKind, EvtGrp, Exit, Fault, Name, Thread, Trigger,
};
use res_kernel::linux::LinuxPoint;
use res_kernel::{Kernel, KernelError, Linux, Panicked, ThreadEntry};
use res_sync::model::Core;
use res_sync::{Barrier, Instant, Park, Parked, Wake};

const NAP: Duration = Duration::from_micros(200);

/// Linux, where whoever wakes others lets them run first: what is done after a wake-up is too late
/// for them.
#[derive(Clone, Copy)]
struct Polite(Linux);

impl Park for Polite {
    type Model = Core;
    type Point = LinuxPoint;

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn spin_limit(&self) -> u32 {
        0
    }

    fn current(&self) -> u32 {
        self.0.current()
    }

    fn unwinding(&self) -> bool {
        self.0.unwinding()
    }

    fn park(&self, point: &LinuxPoint, word: &AtomicU64, seen: u64, deadline: Deadline) -> Parked {
        self.0.park(point, word, seen, deadline)
    }

    fn unpark(&self, point: &LinuxPoint, word: &AtomicU64, moved: u64, wake: Wake) -> Option<u32> {
        let woken = self.0.unpark(point, word, moved, wake);
        sleep(NAP);
        woken
    }

    fn heavy_barrier(&self, barrier: Barrier) {
        self.0.heavy_barrier(barrier);
    }
}

impl Kernel for Polite {
    type Thread = <Linux as Kernel>::Thread;
    type Memory = <Linux as Kernel>::Memory;

    fn cores(&self) -> u32 {
        self.0.cores()
    }

    fn barrier(&self) -> Barrier {
        self.0.barrier()
    }

    fn point(&self) -> Result<LinuxPoint, KernelError> {
        Ok(LinuxPoint::default())
    }

    fn yield_to(&self, thread: Option<u32>) {
        self.0.yield_to(thread);
    }

    unsafe fn thread(&self, entry: ThreadEntry) -> Result<Self::Thread, KernelError> {
        // SAFETY: the caller's promise.
        unsafe { self.0.thread(entry) }
    }

    fn memory(&self, bytes: u64) -> Result<Self::Memory, KernelError> {
        self.0.memory(bytes)
    }

    fn guard(&self, body: &mut dyn FnMut()) -> Result<(), Panicked> {
        self.0.guard(body)
    }
}

type System = Local<Static, Polite>;

const ROUNDS: usize = if cfg!(miri) { 2 } else { 20 };
const NAME: Name = Name::new("worker");

/// Long enough for others to fall asleep.
fn dawdle() {
    sleep(3 * NAP);
}

fn ends(_: Env<System>) {
    dawdle();
}

fn fails(_: Env<System>) -> Result<(), Fault> {
    dawdle();
    Err(Fault::new(ErrorKind::Other, "on purpose"))
}

fn panics(_: Env<System>) {
    dawdle();
    resume_unwind(Box::new(()))
}

/// Ends soon after a thread of its own.
fn has_a_thread(env: Env<System>) -> Result<(), Fault> {
    for _ in 0..2 {
        let thread = env.thread(dawdle)?;
        thread.start()?;
        thread.join(Deadline::NEVER)?.ok()?;
    }
    Ok(())
}

fn run(system: &System, entry: impl Entry<System>) -> Result<Exit, Fault> {
    let component = system.component(NAME, entry)?;
    component.start()?;
    Ok(component.wait(Deadline::NEVER)?)
}

fn system<const BYTES: usize>(region: &'static Region<BYTES>, threads: u32) -> System {
    System::over_with(Polite(Linux::new()), region, threads, Deadline::PASSED).expect("a system")
}

#[test]
fn after_a_component_comes_another() -> Result<(), Fault> {
    static REGION: Region<{ 1 << 16 }> = Region::new();
    let system = system(&REGION, 1);
    for _ in 0..ROUNDS {
        assert_eq!(run(&system, ends)?, Exit::Success);
        assert!(matches!(run(&system, fails)?, Exit::Failed(_)));
        assert_eq!(run(&system, panics)?, Exit::Died);
    }
    Ok(())
}

#[test]
fn after_a_component_with_a_thread_comes_another() -> Result<(), Fault> {
    static REGION: Region<{ 1 << 16 }> = Region::new();
    let system = system(&REGION, 2);
    for _ in 0..ROUNDS {
        assert_eq!(run(&system, has_a_thread)?, Exit::Success);
    }
    Ok(())
}

#[test]
fn after_a_thread_comes_another() -> Result<(), Fault> {
    static REGION: Region<{ 1 << 16 }> = Region::new();
    let system = system(&REGION, 1);
    for _ in 0..ROUNDS {
        let thread = system.thread(dawdle)?;
        thread.start()?;
        assert_eq!(thread.join(Deadline::NEVER)?, Exit::Success);
    }
    Ok(())
}

#[test]
fn after_the_event_of_an_end_comes_another() -> Result<(), Fault> {
    static REGION: Region<{ 1 << 16 }> = Region::new();
    let system = system(&REGION, 1);
    let group = system.evtgrp(1)?;
    for _ in 0..ROUNDS {
        let component = system.component(NAME, ends)?;
        let _registered = group.add(&component, Trigger::Edge, 0)?;
        component.start()?;
        group.wait(Deadline::NEVER)?;
    }
    Ok(())
}
