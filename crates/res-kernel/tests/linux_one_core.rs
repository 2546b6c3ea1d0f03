//! A process that may use one core only. One test, in a process of its own: the cores are looked
//! up once.

#[path = "common/body.rs"]
mod body;

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use res_api::{ErrorKind, ThreadParam};
use res_kernel::{Kernel, KernelThread, Linux};
use res_sync::{Deadline, Event, Park, Wake};
use rustix::process::getpid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

const MACHINE: Linux = Linux::new();
const ROUNDS: u64 = if cfg!(miri) { 40 } else { 2000 };

#[test]
fn on_one_core_nobody_spins() {
    let only = pin();
    assert_eq!((MACHINE.cores(), MACHINE.spin_limit()), (1, 0));
    core_0_is_the_one_there_is(only);
    to_and_fro();
}

/// Leaves the last core to this process, and to the calling thread; which that is.
fn pin() -> CpuSet {
    let usable = sched_getaffinity(Some(getpid())).expect("one's own cores");
    let last = (0..CpuSet::MAX_CPU).rfind(|core| usable.is_set(*core));
    let mut only = CpuSet::new();
    only.set(last.expect("it runs on some core"));
    for thread in [Some(getpid()), None] {
        sched_setaffinity(thread, &only).expect("one of one's own cores");
    }
    only
}

fn core_0_is_the_one_there_is(only: CpuSet) {
    let (told, heard) = std::sync::mpsc::channel();
    let thread = body::thread(move || {
        told.send(sched_getaffinity(None).ok()).expect("the test listens");
    });
    let refused = thread.set(ThreadParam::Core(1)).expect_err("there is no other");
    assert_eq!(refused.kind, ErrorKind::Invalid);
    thread.set(ThreadParam::Core(0)).expect("there is one");
    thread.start().expect("a thread");
    assert!(heard.recv() == Ok(Some(only)));
}

/// Two threads take turns.
fn to_and_fro() {
    let (turn, word) = (AtomicU64::new(0), AtomicU64::new(0));
    let (point, barrier) = (MACHINE.point().expect("a place"), MACHINE.barrier());
    let play = |mine: u64| {
        let event = Event { park: &MACHINE, point: &point, word: &word, barrier };
        let late = Deadline::at(MACHINE.now() + Duration::from_secs(20));
        for mine in (mine..ROUNDS).step_by(2) {
            let look = || (turn.load(SeqCst) == mine).then_some(());
            event.wait_until(late, look).expect("a wake-up was lost");
            turn.store(mine + 1, SeqCst);
            event.trigger(Wake::All);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| play(1));
        play(0);
    });
}
