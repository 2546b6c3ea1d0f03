//! When a component begins to hear what the manager says: as soon as that concerns anything it has.

use std::sync::Arc;
use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::Spsc;
use res_api::{
    Backend, Blockpoint, Comp, Deadline, Env, ErrorKind, EvtGrp, Exit, Fault, Gone, Name, Receiver,
    RecvError, Rx, Sender, Slot, Thread as _, Timer, Tx, WaitError,
};
use res_kernel::sim::Seeds;
use res_kernel::{Isolation, Linux};

const GIVEN: Slot<Rx<Spsc, u64>> = Slot::new("given");
const BEGUN: Slot<Tx<Spsc, u64>> = Slot::new("begun");

/// What a component makes, when it has had nothing for a while, and then waits for what never
/// comes: why it waits no longer.
type Makes<K> = fn(&Env<Sinv<K>>) -> Result<Gone, Fault>;

fn a_channel<K: Isolation>(env: &Env<Sinv<K>>) -> Result<Gone, Fault> {
    let (_tx, mut rx) = env.chan::<Spsc, u64>(1)?;
    match rx.recv() {
        Err(RecvError::Gone(gone)) => Ok(gone),
        other => panic!("{other:?}"),
    }
}

fn a_queue_of_capabilities<K: Isolation>(env: &Env<Sinv<K>>) -> Result<Gone, Fault> {
    let (_tx, mut rx) = env.chanchan(1)?;
    match rx.recv() {
        Err(RecvError::Gone(gone)) => Ok(gone),
        other => panic!("{other:?}"),
    }
}

fn a_group<K: Isolation>(env: &Env<Sinv<K>>) -> Result<Gone, Fault> {
    waited(env.evtgrp(1)?.wait(Deadline::NEVER))
}

fn a_timer<K: Isolation>(env: &Env<Sinv<K>>) -> Result<Gone, Fault> {
    let timer = env.timer(env.now() + Duration::from_secs(3600), None)?;
    waited(timer.wait(Deadline::NEVER))
}

fn a_blockpoint<K: Isolation>(env: &Env<Sinv<K>>) -> Result<Gone, Fault> {
    waited(env.blockpoint()?.wait_until(Deadline::NEVER, || None::<()>))
}

fn an_end_that_it_was_given<K: Isolation>(env: &Env<Sinv<K>>) -> Result<Gone, Fault> {
    match env.take(GIVEN)?.recv() {
        Err(RecvError::Gone(gone)) => Ok(gone),
        other => panic!("{other:?}"),
    }
}

fn waited<T: std::fmt::Debug>(result: Result<T, WaitError>) -> Result<Gone, Fault> {
    match result {
        Err(WaitError::Gone(gone)) => Ok(gone),
        other => panic!("{other:?}"),
    }
}

const WAYS: usize = 6;

fn ways<K: Isolation>() -> [Makes<K>; WAYS] {
    [a_channel, a_queue_of_capabilities, a_group, a_timer, a_blockpoint, an_end_that_it_was_given]
}

fn makes_late<K: Isolation, const WAY: usize>(env: Env<Sinv<K>>) {
    env.sleep(env.now() + Duration::from_millis(20));
    match ways::<K>()[WAY](&env) {
        Ok(gone) => assert_eq!(gone, Gone::Closed),
        Err(fault) => assert_eq!(fault.kind(), ErrorKind::Closed),
    }
}

/// It is told to stop before it begins, before it has anything, or meanwhile.
fn stops<K: Isolation, const WAY: usize>(kernel: K) {
    let system = Sinv::on(kernel, Limits::default()).expect("a system");
    let late = system.component(const { Name::new("late") }, makes_late::<K, WAY>).expect("made");
    let (_tx, given) = system.chan::<Spsc, u64>(1).expect("a channel");
    late.endow(GIVEN, given).expect("it has not begun");
    let late = Arc::new(late);
    let stopped = Arc::clone(&late);
    let stops = system.thread(move || stopped.stop()).expect("a thread");
    stops.start().expect("it starts");
    // Refused where it is stopped before that.
    let _ = late.start();
    assert_eq!(late.wait(system.within(Duration::from_secs(60))), Ok(Exit::Success));
}

fn each_way<K: Isolation>() -> [fn(K); WAYS] {
    [stops::<K, 0>, stops::<K, 1>, stops::<K, 2>, stops::<K, 3>, stops::<K, 4>, stops::<K, 5>]
}

#[test]
fn who_gets_something_later_is_told_then() {
    each_way().into_iter().for_each(|stops| stops(Linux::new()));
}

#[test]
fn who_gets_something_later_is_told_then_whoever_is_faster() {
    for stops in each_way() {
        Seeds::from_env(100).check("stop of who has nothing yet", stops);
    }
}

fn nothing<K: Isolation>(_: Env<Sinv<K>>) {}

/// Has nothing but a component that it made.
fn has_a_child<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let child = env.component(const { Name::new("child") }, nothing::<K>)?;
    child.start()?;
    child.wait(env.within(Duration::from_secs(60)))?.ok()
}

fn has_a_child_that_ends<K: Isolation>(kernel: K) {
    let system = Sinv::on(kernel, Limits::default()).expect("a system");
    let parent = system.component(const { Name::new("parent") }, has_a_child::<K>).expect("made");
    parent.start().expect("it starts");
    assert_eq!(parent.wait(Deadline::NEVER), Ok(Exit::Success));
}

#[test]
fn who_has_nothing_but_a_component_learns_of_its_end() {
    has_a_child_that_ends(Linux::new());
    Seeds::from_env(100).check("end of a child", has_a_child_that_ends);
}

fn has_nothing(env: Env<Sinv>) {
    env.sleep(env.now() + Duration::from_secs(60));
}

fn has_something(env: Env<Sinv>) -> Result<(), Fault> {
    env.take(BEGUN)?.send(1)?;
    env.sleep(env.now() + Duration::from_secs(60));
    Ok(())
}

/// How many threads a component of that name has.
fn threads(system: &Sinv, component: &Comp<Sinv>) -> usize {
    let seen = system.inspect().expect("this one composes");
    let mut members = seen.components.iter();
    let it = members.find(|member| member.name == component.name()).expect("it lives");
    let process = it.process.expect("it runs");
    std::fs::read_dir(format!("/proc/{process}/task")).expect("it lives").count()
}

#[test]
fn who_has_nothing_has_no_thread_that_listens() {
    let system = Sinv::new().expect("a system");
    let nothing = system.component(const { Name::new("nothing") }, has_nothing).expect("made");
    let something = const { Name::new("something") };
    let something = system.component(something, has_something).expect("made");
    let (tx, mut begun) = system.chan::<Spsc, u64>(1).expect("a channel");
    something.endow(BEGUN, tx).expect("it has not begun");
    nothing.start().expect("it starts");
    something.start().expect("it starts");
    assert_eq!(begun.recv(), Ok(1));
    assert_eq!([&nothing, &something].map(|it| threads(&system, it)), [1, 2]);
    system.stop(Deadline::PASSED).expect("this one composes");
}
