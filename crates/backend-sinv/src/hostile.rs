//! Components that do not keep to the rules, beside others that do.

mod attacker;
#[path = "../../res-kernel/tests/common/built.rs"]
mod built;
mod direct;
mod lent;
mod parcels;
mod published;
mod words;

use std::fs::File;
use std::sync::OnceLock;
use std::time::Duration;
use std::vec::Vec;

use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, Comp, Deadline, Env, Exit, Fault, Gone, IntoCap, Name, Receiver, Rx, Sender,
    Slot, TrySendError, Tx,
};
use res_kernel::linux::LinuxProgram;
use res_kernel::{DomainEntry, Isolation, Linux};

use crate::Sinv;
use crate::component::SinvComponent;

use attacker::requests::{OWNED, ROUNDS};
use attacker::{ATTACK, attacks, random, raw};
use built::built;

const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");
const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");

/// One that begins at `entry`.
fn component(system: &Sinv, name: &str, entry: DomainEntry<Linux>) -> SinvComponent<Linux> {
    let code = Linux::new().code_of(entry).expect("of this program");
    let end = system.local.point_of_an_end().expect("memory is there");
    let name = Name::parse(name).expect("a name");
    SinvComponent::at(&system.world, name, end, code).expect("made")
}

/// How an attacker is built.
#[derive(Clone, Copy, Debug)]
enum Built {
    /// With this program, of which it is a fork.
    Here,
    /// By itself.
    Apart,
}

const BOTH: [Built; 2] = [Built::Here, Built::Apart];

/// The program of `tests/program`, built if need be, and read once.
fn program() -> &'static LinuxProgram {
    static PROGRAM: OnceLock<LinuxProgram> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let directory = built(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/program"));
        let file = File::open(directory.join("backend-sinv-program")).expect("it has been built");
        LinuxProgram::new(&file).expect("it is linked statically")
    })
}

/// A component that does the attack of that name.
fn attacker(system: &Sinv, built: Built, name: &str, attack: &str) -> Comp<Sinv> {
    let hostile = match built {
        Built::Here => Comp::new(system.clone(), component(system, name, attacks)),
        Built::Apart => {
            let name = Name::parse(name).expect("a name");
            system.component_of(name, program()).expect("made")
        }
    };
    let attack = attacker::number(attack).expect("there is such an attack");
    hostile.endow(ATTACK, attack).expect("endowed");
    hostile
}

fn echo(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(FROM)?, env.take(TO)?);
    while let Ok(n) = from.recv() {
        to.send(n)?;
    }
    Ok(())
}

fn rounds() -> u64 {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    if long { 200_000 } else { 4_000 }
}

/// One of these beside a pair that keeps to the rules: the pair goes on, and so does the manager.
fn beside_an_honest_pair(attack: &str, count: usize, ends: impl Fn(Exit) -> bool) {
    BOTH.into_iter().for_each(|built| beside(built, attack, count, &ends));
}

fn beside(built: Built, attack: &str, count: usize, ends: impl Fn(Exit) -> bool) {
    let system = Sinv::new().expect("a system");
    let late = system.within(Duration::from_secs(120));
    let (mut tx, from) = system.chan::<Spsc, u64>(4).expect("a channel");
    let (to, mut rx) = system.chan::<Spsc, u64>(4).expect("a channel");
    let honest = system.component(const { Name::new("honest") }, echo).expect("made");
    honest.endow(FROM, from).expect("endowed");
    honest.endow(TO, to).expect("endowed");
    honest.start().expect("started");
    let hostile: Vec<_> = (0..count)
        .map(|index| {
            let name = std::format!("hostile{index}");
            let hostile = attacker(&system, built, &name, attack);
            hostile.endow(ROUNDS, rounds()).expect("endowed");
            hostile.start().expect("started");
            hostile
        })
        .collect();
    let mut n = 0;
    for hostile in &hostile {
        loop {
            tx.send_until(n, late).expect("it lives");
            assert_eq!(rx.recv_until(late), Ok(n));
            n += 1;
            match hostile.wait(Deadline::PASSED) {
                Ok(exit) => break assert!(ends(exit), "{exit:?}"),
                Err(_) => assert!(!late.passed(system.now())),
            }
        }
    }
    // What it made is gone, and what others have is there.
    let seen = system.inspect().expect("the manager is here");
    assert_eq!(seen.components.len(), 2, "{seen}");
    assert_eq!(seen.channels.len(), 2, "{seen}");
    assert_eq!(seen.memory.len(), 0, "{seen}");
    drop(tx);
    assert_eq!(honest.wait(late), Ok(Exit::Success));
}

#[test]
fn what_was_never_given_cannot_be_had() {
    beside_an_honest_pair("forges", 3, |exit| exit == Exit::Success);
}

#[test]
fn who_says_that_it_ends_is_ended() {
    beside_an_honest_pair("lives on", 3, |exit| exit == Exit::Success);
}

/// It ends well, with one thing.
fn with_one_end(built: Built, attack: &str, system: &Sinv) {
    let (_tx, from) = system.chan::<Spsc, u64>(4).expect("a channel");
    let hostile = attacker(system, built, "hostile", attack);
    hostile.endow(FROM, from).expect("endowed");
    hostile.start().expect("started");
    assert_eq!(hostile.wait(system.within(Duration::from_secs(20))), Ok(Exit::Success));
    let seen = system.inspect().expect("the manager is here");
    assert_eq!(seen.components.len(), 1, "{seen}");
}

#[test]
fn what_is_said_twice_means_no_more_than_it_says() {
    for built in BOTH {
        with_one_end(built, "repeats", &Sinv::new().expect("a system"));
    }
}

/// What a sender says as it leaves is not what the others are told.
#[test]
fn who_leaves_says_nothing_for_others() {
    let system = Sinv::new().expect("a system");
    let (over, clients) = system.chanchan(4).expect("a queue");
    system.publish(OWNED, over.into_cap()).expect("it is free");
    let over = system.lookup(OWNED).expect("it is there");
    let mut over = over.cast::<<Sinv as Backend>::CapSnd>().expect("a sending end");
    drop(clients);
    with_one_end(Built::Here, "wants a name", &system);
    let (tx, _rx) = system.chan::<Spsc, u64>(1).expect("a channel");
    let sent = over.try_send(tx.into_cap());
    assert!(matches!(sent, Err(TrySendError::Gone(_, Gone::Closed))), "{sent:?}");
}

#[test]
fn a_name_and_what_is_under_it_stay_their_owners() {
    let system = Sinv::new().expect("a system");
    let (over, mut clients) = system.chanchan(4).expect("a queue");
    system.publish(OWNED, over.into_cap()).expect("it is free");
    for built in BOTH {
        with_one_end(built, "wants a name", &system);
        let over = system.lookup(OWNED).expect("it is there");
        let mut over = over.cast::<<Sinv as Backend>::CapSnd>().expect("as before");
        let (tx, _rx) = system.chan::<Spsc, u64>(1).expect("a channel");
        over.try_send(tx.into_cap()).expect("somebody receives");
        clients.try_recv().expect("it has come");
    }
}

#[test]
fn what_is_given_back_closes_no_circle() {
    beside_an_honest_pair("closes a circle", 1, |exit| exit == Exit::Success);
}

#[test]
fn only_who_waits_on_a_word_gets_a_bell_for_it() {
    for built in BOTH {
        let system = Sinv::new().expect("a system");
        let (_tx, from) = system.chan::<Spsc, u64>(4).expect("a channel");
        let (to, _rx) = system.chan::<Spsc, u64>(4).expect("a channel");
        let watches = attacker(&system, built, "watches", "watches");
        watches.endow(FROM, from).expect("endowed");
        watches.endow(TO, to).expect("endowed");
        watches.start().expect("started");
        assert_eq!(watches.wait(system.within(Duration::from_secs(20))), Ok(Exit::Success));
    }
}

#[test]
fn who_babbles_is_ended() {
    beside_an_honest_pair("babbles", 3, |exit| exit == Exit::Died);
}

#[test]
fn who_breaks_off_is_ended() {
    beside_an_honest_pair("breaks off", 1, |exit| exit == Exit::Died);
}

#[test]
fn who_does_not_listen_is_ended() {
    beside_an_honest_pair("does not listen", 1, |exit| exit == Exit::Died);
}
