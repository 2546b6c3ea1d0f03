//! What a component was endowed with: listed without asking, and as it is.

use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::Spsc;
use res_api::{
    Backend, Deadline, Desc, Env, ErrorKind, Exit, Fault, Name, Receiver, Rx, Sender, Slot, Tx,
    Value, kind_of,
};
use res_kernel::sim::Seeds;
use res_kernel::{Isolation, Linux};

const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");
const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");

/// As many as are told of with the greeting, and more.
const MANY: usize = 20;

fn name(number: usize) -> Name {
    Name::parse(&format!("value {number}")).expect("a name")
}

fn listed<K: Isolation>(env: &Env<Sinv<K>>) -> Vec<Name> {
    let mut names = Vec::new();
    env.endowments(&mut |name, _: Desc| names.push(name));
    names
}

/// Takes the first one each time, and finds the others listed, in the order in which they were given.
fn takes_all<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let mut all = listed(&env);
    assert!(all.iter().copied().eq((0..all.len()).map(name)), "{all:?}");
    while !all.is_empty() {
        let name = all.remove(0);
        let missing = env.take_endowment(const { Name::new("missing") }).map(drop);
        assert_eq!(missing.map_err(|error| kind_of(&error)), Err(ErrorKind::NotFound));
        assert_eq!(env.take(Slot::<Value<u64>>::named(name))?, 7);
        let again = env.take_endowment(name).map(drop);
        assert_eq!(again.map_err(|error| kind_of(&error)), Err(ErrorKind::NotFound));
        assert_eq!(listed(&env), all);
    }
    Ok(())
}

fn takes_what_it_was_given<K: Isolation>(kernel: K, values: usize) {
    let system = Sinv::on(kernel, Limits::default()).expect("a system");
    let component = system.component(const { Name::new("takes") }, takes_all::<K>).expect("made");
    for number in 0..values {
        component.endow(Slot::<Value<u64>>::named(name(number)), 7).expect("it has not begun");
    }
    component.start().expect("it starts");
    assert_eq!(component.wait(Deadline::NEVER), Ok(Exit::Success));
}

#[test]
fn all_are_listed_and_can_be_taken_once() {
    for values in [0, 1, 7, 8, 9, MANY] {
        takes_what_it_was_given(Linux::new(), values);
        Seeds::from_env(20).check("endowments", move |sim| takes_what_it_was_given(sim, values));
    }
}

/// Lists what it has, whenever it is told to.
fn lists(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(FROM)?, env.take(TO)?);
    while from.recv().is_ok() {
        to.send(listed(&env).len() as u64)?;
    }
    Ok(())
}

/// How many requests the component that lists has made.
fn requests(system: &Sinv) -> u64 {
    let seen = system.inspect().expect("this one composes");
    let mut members = seen.components.iter();
    members.find(|member| member.name == const { Name::new("lists") }).expect("it lives").requests
}

#[test]
fn who_has_few_asks_nobody_which() {
    let system = Sinv::new().expect("a system");
    let (mut tx, from) = system.chan::<Spsc, u64>(1).expect("a channel");
    let (to, mut rx) = system.chan::<Spsc, u64>(1).expect("a channel");
    let component = system.component(const { Name::new("lists") }, lists).expect("made");
    component.endow(FROM, from).expect("it has not begun");
    component.endow(TO, to).expect("it has not begun");
    component.endow(Slot::<Value<u64>>::named(name(0)), 7).expect("it has not begun");
    component.start().expect("it starts");
    let mut made = [0; 3];
    for made in &mut made {
        tx.send(1).expect("it listens");
        assert_eq!(rx.recv_until(system.within(Duration::from_secs(60))), Ok(1));
        *made = requests(&system);
    }
    // Two that took.
    assert_eq!(made, [2; 3]);
    drop(tx);
    component.wait(Deadline::NEVER).expect("it ends").ok().expect("and well");
}
