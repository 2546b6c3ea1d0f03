//! The life of a thread, and who it is.

use std::collections::HashSet;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use res_api::{ErrorKind, ThreadParam};
use res_kernel::{Kernel, KernelThread, Linux};
use res_sync::Park;

use crate::body;

const MACHINE: Linux = Linux::new();

#[test]
fn a_thread_runs_when_started_and_not_before() {
    let (told, heard) = channel();
    let thread = body::thread(move || told.send("running").expect("the test listens"));
    assert!(heard.try_recv().is_err());
    thread.start().expect("a thread");
    assert_eq!(heard.recv(), Ok("running"));
}

#[test]
fn it_runs_on_when_its_handle_is_dropped() {
    let (go, told_to_go) = channel();
    let (told, heard) = channel();
    let thread = body::thread(move || {
        told_to_go.recv().expect("the test tells");
        told.send(()).expect("the test listens");
    });
    thread.start().expect("a thread");
    drop(thread);
    go.send(()).expect("it waits");
    assert_eq!(heard.recv(), Ok(()));
}

#[test]
fn a_second_start_is_refused_while_it_runs_and_when_it_has_ended() {
    let (go, told_to_go) = channel::<()>();
    let thread = body::thread(move || assert!(told_to_go.recv().is_err()));
    thread.start().expect("a thread");
    assert_eq!(thread.start().unwrap_err().kind, ErrorKind::Invalid);
    drop(go);
    until_ended(&thread);
    assert_eq!(thread.start().unwrap_err().kind, ErrorKind::Invalid);
}

#[test]
fn nothing_can_be_set_on_an_ended_thread() {
    let thread = body::thread(|| {});
    thread.start().expect("a thread");
    until_ended(&thread);
    let late = [
        ThreadParam::Core(0),
        ThreadParam::Priority(1),
        // Half a pair, so Linux is not asked.
        ThreadParam::Period(Duration::from_millis(1)),
    ];
    for param in late {
        assert_eq!(thread.set(param).unwrap_err().kind, ErrorKind::Stale);
    }
}

/// Core 0 is there and may be set as often as one likes, until the thread has ended.
fn until_ended(thread: &impl KernelThread) {
    while let Ok(()) = thread.set(ThreadParam::Core(0)) {
        thread::yield_now();
    }
}

#[test]
fn a_panic_ends_a_thread_too() {
    let thread = body::thread(|| panic!("on purpose"));
    thread.start().expect("a thread");
    until_ended(&thread);
}

#[test]
fn a_thread_can_start_another_and_set_itself() {
    let (told, heard) = channel();
    let outer = body::thread(move || {
        let inner = body::thread(move || told.send(()).expect("the test listens"));
        inner.set(ThreadParam::Core(0)).expect("core 0 is there");
        inner.start().expect("a thread");
    });
    outer.start().expect("a thread");
    assert_eq!(heard.recv(), Ok(()));
}

#[test]
fn inside_a_thread_its_identity_is_that_of_the_handle() {
    let (told, heard) = channel();
    let thread = body::thread(move || {
        let twice = (MACHINE.current(), MACHINE.current());
        told.send(twice).expect("the test listens");
    });
    thread.start().expect("a thread");
    assert_eq!(heard.recv(), Ok((thread.id(), thread.id())));
}

#[test]
fn identities_are_never_0_and_never_given_twice() {
    let mut seen = HashSet::from([0, MACHINE.current()]);
    for _ in 0..20 {
        let foreign = thread::spawn(|| MACHINE.current()).join();
        assert!(seen.insert(foreign.expect("it only asks")));
        assert!(seen.insert(body::thread(|| {}).id()), "also if it never runs");
    }
    assert!(!seen.insert(MACHINE.current()), "a thread keeps its identity");
}

#[test]
fn yielding_returns_whoever_is_named() {
    MACHINE.yield_to(None);
    MACHINE.yield_to(Some(MACHINE.current()));
    MACHINE.yield_to(Some(u32::MAX));
}
