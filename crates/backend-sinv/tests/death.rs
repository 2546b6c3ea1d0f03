//! Components that are killed, at any moment: their peers are told, and nothing of them is left.
//!
//! One test after the other, in a program of their own: they count descriptors, mappings, threads
//! and processes.

#[path = "common/holdings.rs"]
mod holdings;
#[path = "../../chan-impls/tests/common/random.rs"]
mod random;

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backend_sinv::{Inspection, Sinv};
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    Backend, CapRx, CapTx, Deadline, Env, ErrorKind, EvtGrp, Exit, Fault, Gone, IntoCap, Mem, Name,
    Receiver, RecvError, Rx, SendError, Sender, Slot, Trigger, Tx, Value, kind_of,
};

use holdings::Holdings;
use random::Random;

const NUMBERS: Slot<Rx<Spsc, u64>> = Slot::new("numbers");
const ANSWERS: Slot<Tx<Spsc, u64>> = Slot::new("answers");
const PAGES: Slot<Tx<ZeroCopy, [u8; 4096]>> = Slot::new("pages");
const ENDS: Slot<CapRx> = Slot::new("ends");
const OFFERS: Slot<CapTx> = Slot::new("offers");
const SEED: Slot<Value<u64>> = Slot::new("seed");
const PUBLISHED: Name = Name::new("published");

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn long() -> bool {
    std::env::var_os("RES_LONG").is_some_and(|value| value == "1")
}

fn late(system: &Sinv) -> Deadline {
    system.within(Duration::from_secs(20))
}

fn process_of(seen: &Inspection, name: Name) -> i32 {
    let member = seen.components.iter().find(|member| member.name == name).expect("it lives");
    member.process.expect("it was started") as i32
}

fn kill(system: &Sinv, name: Name) {
    let process = process_of(&system.inspect().expect("the manager is here"), name);
    // SAFETY: sends a signal to a component of ours, which has not been waited for.
    let killed = unsafe { libc::kill(process, libc::SIGKILL) };
    assert_eq!(killed, 0, "process {process}");
}

/// Does something of everything, without an end.
fn busy(env: Env<Sinv>) -> Result<(), Fault> {
    let mut number = Random(env.take(SEED)?);
    let (mut numbers, mut answers) = (env.take(NUMBERS)?, env.take(ANSWERS)?);
    let (mut pages, mut ends) = (env.take(PAGES)?, env.take(ENDS)?);
    let mut offers = env.take(OFFERS)?;
    let group = env.evtgrp(8)?;
    let mut kept = Vec::new();
    loop {
        match number.below(8) {
            0 | 1 => {
                if let Ok(n) = numbers.try_recv() {
                    answers.send(n)?;
                }
            }
            2 => drop(pages.try_send([7; 4096])),
            3 => {
                let registered = group.add(&numbers, Trigger::Level, 0)?;
                let _ = group.wait(env.within(Duration::from_micros(200)));
                drop(registered);
            }
            4 => kept.extend(ends.try_recv().ok()),
            5 => {
                let (tx, rx) = env.chan::<Spsc, u64>(4)?;
                let _ = offers.try_send(tx.into_cap());
                drop(rx);
            }
            6 => {
                let _ = env.publish(PUBLISHED, env.mem(64)?.share().into_cap());
                drop(env.lookup(PUBLISHED));
            }
            _ => {
                let (mut tx, rx) = env.chanchan(2)?;
                let (_keep, end) = env.chan::<ZeroCopy, u64>(2)?;
                let _ = tx.try_send(end.into_cap());
                let _ = tx.try_send(rx.into_cap());
            }
        }
        kept.truncate(4);
    }
}

const BUSY: Name = Name::new("busy");

/// One life of a busy component: what it answered is what it was asked, in order, and then both
/// directions say that it died.
fn one_life(system: &Sinv, seed: u64) {
    let mut number = Random(seed);
    let (mut tx, numbers) = system.chan::<Spsc, u64>(16).expect("a channel");
    let (answers, mut rx) = system.chan::<Spsc, u64>(16).expect("a channel");
    let (pages, mut got) = system.chan::<ZeroCopy, [u8; 4096]>(4).expect("a channel");
    let (mut over, ends) = system.chanchan(4).expect("a channel");
    let (offers, mut offered) = system.chanchan(4).expect("a channel");
    let component = system.component(BUSY, busy).expect("a component");
    component.endow(SEED, seed | 1).expect("endowed");
    component.endow(NUMBERS, numbers).expect("endowed");
    component.endow(ANSWERS, answers).expect("endowed");
    component.endow(PAGES, pages).expect("endowed");
    component.endow(ENDS, ends).expect("endowed");
    component.endow(OFFERS, offers).expect("endowed");
    let group = system.evtgrp(2).expect("a group");
    let _end = group.add(&component, Trigger::Edge, 1).expect("added");
    let _answers = group.add(&rx, Trigger::Edge, 2).expect("added");
    component.start().expect("started");
    let until = system.after(Duration::from_micros(number.below(6000)));
    let (mut asked, mut answered) = (0, 0);
    let mut given = Vec::new();
    while system.now() < until {
        if tx.try_send(asked).is_ok() {
            asked += 1;
        }
        while let Ok(answer) = rx.try_recv() {
            assert_eq!(answer, answered);
            answered += 1;
        }
        let _ = got.try_recv();
        drop(offered.try_recv());
        let (end, kept) = system.chan::<Spsc, u64>(1).expect("a channel");
        if over.try_send(end.into_cap()).is_ok() {
            given.push(kept);
        }
    }
    kill(system, BUSY);
    assert_eq!(component.wait(late(system)), Ok(Exit::Died));
    loop {
        match rx.recv_until(late(system)) {
            Ok(answer) => assert_eq!(answer, answered),
            Err(error) => break assert_eq!(error, RecvError::Gone(Gone::PeerGone)),
        }
        answered += 1;
    }
    assert!(answered <= asked);
    let gone = loop {
        match tx.send_until(0, late(system)) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(gone, SendError::Gone(_, Gone::PeerGone)), "{gone:?}");
    while let Ok(page) = got.recv_until(late(system)) {
        assert_eq!(page, [7; 4096]);
    }
    while let Ok(cap) = offered.recv_until(late(system)) {
        drop(cap);
    }
    // What it held, and what was on its way to it.
    for mut end in given {
        let gone = end.recv_until(late(system)).expect_err("nothing was sent");
        // It may have dropped it before.
        let known = [Gone::Closed, Gone::PeerGone].map(RecvError::Gone);
        assert!(known.contains(&gone), "{gone:?}, seed {seed}");
    }
    let told = [group.wait(late(system)), group.wait(late(system))];
    assert!(told.iter().any(|event| event.is_ok_and(|event| event.data == 1)), "{told:?}");
    let error = system.lookup(PUBLISHED).err().map(|error| kind_of(&error));
    assert_eq!(error, Some(ErrorKind::NotFound), "its name");
}

#[test]
fn killed_at_random_nothing_is_left() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // The fork server, and whatever the library makes once.
    one_life(&Sinv::new().expect("a system"), 1);
    let before = Holdings::stable();
    let system = Sinv::new().expect("a system");
    one_life(&system, 2);
    let with_a_system = Holdings::stable();
    for seed in 3..if long() { 1000 } else { 60 } {
        one_life(&system, seed * 0x9e37_79b9);
        if seed % 20 == 0 {
            with_a_system.settle();
        }
    }
    let seen = system.inspect().expect("the manager is here");
    assert_eq!(seen.components.len(), 1, "{seen}");
    assert_eq!((seen.channels.len(), seen.memory.len()), (0, 0), "{seen}");
    drop(system);
    before.settle();
}

fn sends_some(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut numbers, mut answers) = (env.take(NUMBERS)?, env.take(ANSWERS)?);
    for n in 0..5 {
        answers.send(n)?;
    }
    let _ = numbers.recv();
    Ok(())
}

#[test]
fn what_was_sent_before_a_death_is_received() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let system = Sinv::new().expect("a system");
    let (_tx, numbers) = system.chan::<Spsc, u64>(1).expect("a channel");
    let (answers, mut rx) = system.chan::<Spsc, u64>(8).expect("a channel");
    let component = system.component(BUSY, sends_some).expect("a component");
    component.endow(NUMBERS, numbers).expect("endowed");
    component.endow(ANSWERS, answers).expect("endowed");
    component.start().expect("started");
    while rx.len() < 5 {
        std::thread::yield_now();
    }
    kill(&system, BUSY);
    assert_eq!(component.wait(late(&system)), Ok(Exit::Died));
    for n in 0..5 {
        assert_eq!(rx.recv_until(late(&system)), Ok(n));
    }
    assert_eq!(rx.recv_until(late(&system)), Err(RecvError::Gone(Gone::PeerGone)));
}

/// Hands its own peer on to a sibling, and stays.
fn sleeps(env: Env<Sinv>) -> Result<(), Fault> {
    let mut numbers = env.take(NUMBERS)?;
    let mut answers = env.take(ANSWERS)?;
    while let Ok(n) = numbers.recv() {
        answers.send(n)?;
    }
    Ok(())
}

/// A chain of siblings; the one in the middle is killed, and both of its neighbours end by it.
#[test]
fn siblings_learn_of_a_death_and_others_do_not_suffer() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let system = Sinv::new().expect("a system");
    let names = ["first", "second", "third"].map(|name| Name::parse(name).expect("a name"));
    let (mut tx, mut numbers) = system.chan::<Spsc, u64>(4).expect("a channel");
    let mut components = Vec::new();
    for name in names {
        let (answers, next) = system.chan::<Spsc, u64>(4).expect("a channel");
        let component = system.component(name, sleeps).expect("a component");
        component.endow(NUMBERS, std::mem::replace(&mut numbers, next)).expect("endowed");
        component.endow(ANSWERS, answers).expect("endowed");
        component.start().expect("started");
        components.push(component);
    }
    let (mut bystander_tx, from) = system.chan::<Spsc, u64>(4).expect("a channel");
    let (to, mut bystander_rx) = system.chan::<Spsc, u64>(4).expect("a channel");
    let bystander = system.component(BUSY, sleeps).expect("a component");
    bystander.endow(NUMBERS, from).expect("endowed");
    bystander.endow(ANSWERS, to).expect("endowed");
    bystander.start().expect("started");
    tx.send(1).expect("it listens");
    assert_eq!(numbers.recv_until(late(&system)), Ok(1), "through all of them");
    kill(&system, names[1]);
    assert_eq!(components[1].wait(late(&system)), Ok(Exit::Died));
    // The third has nothing to receive any more, and ends well.
    assert_eq!(components[2].wait(late(&system)), Ok(Exit::Success));
    assert_eq!(numbers.recv_until(late(&system)), Err(RecvError::Gone(Gone::Closed)));
    // The first finds out as it sends.
    tx.send(2).expect("it listens");
    let end = components[0].wait(late(&system)).expect("it ends");
    assert!(matches!(end, Exit::Failed(fault) if fault.kind() == ErrorKind::PeerGone), "{end:?}");
    bystander_tx.send(3).expect("it listens");
    assert_eq!(bystander_rx.recv_until(late(&system)), Ok(3));
}

/// Not a test: the program that is ended by a signal, in a process of its own.
#[test]
#[ignore = "run by `components_end_with_their_composer`"]
fn composes_and_waits() {
    let system = Sinv::new().expect("a system");
    let (_tx, numbers) = system.chan::<Spsc, u64>(4).expect("a channel");
    let (answers, _rx) = system.chan::<Spsc, u64>(4).expect("a channel");
    let component = system.component(BUSY, sleeps).expect("a component");
    component.endow(NUMBERS, numbers).expect("endowed");
    component.endow(ANSWERS, answers).expect("endowed");
    component.start().expect("started");
    let seen = system.inspect().expect("the manager is here");
    println!("\nprocess {}", process_of(&seen, BUSY));
    let _ = component.wait(Deadline::NEVER);
}

fn is_alive(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, tail)| !tail.trim_start().starts_with('Z'))
}

#[test]
fn components_end_with_their_composer() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    // As by Ctrl-C, as by a polite request, and without a last word.
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGKILL] {
        let program = std::env::current_exe().expect("this program");
        let mut composer = Command::new(program)
            .args(["--exact", "composes_and_waits", "--ignored", "--nocapture"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let lines = BufReader::new(composer.stdout.take().expect("piped")).lines();
        let process = lines
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("process ").map(str::to_owned))
            .expect("it says so");
        assert!(is_alive(&process));
        // SAFETY: a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(composer.id() as i32, signal) }, 0);
        composer.wait().expect("it ends");
        for _ in 0..500 {
            if !is_alive(&process) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!is_alive(&process), "after signal {signal}");
    }
}
