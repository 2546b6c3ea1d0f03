//! A component of a simulation that is killed at each step of a scene, one after the other: who had
//! to do with it is told, and the manager goes on.

#[path = "common/each_step.rs"]
mod each_step;

use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, CapRx, Deadline, Env, ErrorKind, EvtGrp, Exit, Fault, Gone, IntoCap, Kind,
    Name, Receiver, RecvError, Rx, SendError, Sender, Slot, Trigger, Tx, kind_of,
};
use res_kernel::Sim;
use res_kernel::sim::{Failure, Found};

use each_step::Kill;

type System = Sinv<Sim>;

const NUMBERS: Slot<Rx<Spsc, u64>> = Slot::new("numbers");
const ANSWERS: Slot<Tx<Spsc, u64>> = Slot::new("answers");
const ENDS: Slot<CapRx> = Slot::new("ends");
const ECHO: Name = Name::new("echo");
const NEXT: Name = Name::new("next");

/// Answers numbers, and what comes through an end that it is given.
fn echo(env: Env<System>) -> Result<(), Fault> {
    let (mut numbers, mut answers) = (env.take(NUMBERS)?, env.take(ANSWERS)?);
    let mut ends = env.take(ENDS)?;
    answers.send(numbers.recv()?)?;
    let mut given = ends.recv()?.cast::<<Spsc as Kind<System>>::Snd<u64>>()?;
    for _ in 0..3 {
        let number = numbers.recv()?;
        given.send(number)?;
        answers.send(number)?;
    }
    Ok(())
}

/// Answers numbers.
fn next(env: Env<System>) -> Result<(), Fault> {
    let (mut numbers, mut answers) = (env.take(NUMBERS)?, env.take(ANSWERS)?);
    while let Ok(number) = numbers.recv() {
        answers.send(number)?;
    }
    Ok(())
}

/// Whether that is what is said of a component that ended so, and had done so much: once all is done
/// it leaves by itself, and may be killed meanwhile.
fn is_told(gone: Gone, done: u64, exit: Exit) -> bool {
    gone == Gone::PeerGone || exit != Exit::Died || done == 4
}

/// What comes, until the other side is gone: numbers from 0 on.
fn all_of(rx: &mut impl Receiver<Msg = u64>, mut expected: u64, until: Deadline) -> (u64, Gone) {
    loop {
        match rx.recv_until(until) {
            Ok(number) => assert_eq!(number, expected),
            Err(RecvError::Gone(gone)) => return (expected, gone),
            Err(error) => panic!("after {expected}: {error}"),
        }
        expected += 1;
    }
}

/// Nobody has slept until the deadline. (Who wakes there looks once more, and may find something.)
#[track_caller]
fn in_time(system: &System, late: Deadline) {
    assert!(!late.passed(system.now()), "a wake-up was lost");
}

/// One that may be killed.
fn first_scene(system: &System, late: Deadline, directly: bool) {
    let (mut tx, numbers) = system.chan::<Spsc, u64>(1).expect("a channel");
    let (answers, mut rx) = system.chan::<Spsc, u64>(4).expect("a channel");
    let (mut over, ends) = system.chanchan(1).expect("a channel");
    let made = match directly {
        true => system.chan_for::<Spsc, u64>(&over, 4),
        false => system.chan::<Spsc, u64>(4),
    };
    let (given, mut got) = made.expect("a channel");
    let component = system.component(ECHO, echo).expect("a component");
    component.endow(NUMBERS, numbers).expect("endowed");
    component.endow(ANSWERS, answers).expect("endowed");
    component.endow(ENDS, ends).expect("endowed");
    let group = system.evtgrp(2).expect("a group");
    let registered = group.add(&rx, Trigger::Level, 1).expect("added");
    if let Err(error) = component.start() {
        // Dead before it was told what it is.
        assert_eq!(kind_of(&error), ErrorKind::PeerGone);
        return;
    }

    let (mut sent, mut was_given) = (0, false);
    let gone = loop {
        if sent == 1 {
            // It may be gone, and with it what it was given.
            was_given = match over.send_until(given.into_cap(), late) {
                Ok(()) => true,
                Err(SendError::Gone(..)) => false,
                Err(error) => panic!("giving: {error:?}"),
            };
            break (1..4).find_map(|number| tx.send_until(number, late).err());
        }
        if let Err(error) = tx.send_until(sent, late) {
            drop(given);
            break Some(error);
        }
        sent += 1;
    };
    in_time(system, late);
    // By way of a group, first.
    let event = group.wait(late).expect("an answer, or an end");
    assert_eq!(event.data, 1);
    in_time(system, late);
    drop(registered);
    let told = all_of(&mut rx, 0, late);
    in_time(system, late);
    let told_of_given = all_of(&mut got, 1, late);
    in_time(system, late);
    let exit = component.wait(late).expect("it ends");
    in_time(system, late);
    assert!(is_told(told.1, told.0, exit), "{told:?}, {exit:?}");
    let (seen, gone_of_given) = told_of_given;
    assert!(is_told(gone_of_given, seen, exit) || !was_given, "{told_of_given:?}, {exit:?}");
    match gone {
        None => {}
        Some(SendError::Gone(_, gone)) => {
            assert!(is_told(gone, told.0, exit), "{gone:?}, {exit:?}")
        }
        Some(error) => panic!("sending: {error:?}"),
    }
}

/// One that lives.
fn second_scene(system: &System, late: Deadline) {
    let (mut tx, numbers) = system.chan::<Spsc, u64>(1).expect("a channel");
    let (answers, mut rx) = system.chan::<Spsc, u64>(1).expect("a channel");
    let component = system.component(NEXT, next).expect("a component");
    component.endow(NUMBERS, numbers).expect("endowed");
    component.endow(ANSWERS, answers).expect("endowed");
    component.start().expect("started");
    for number in 0..2 {
        tx.send_until(number, late).expect("it lives");
        assert_eq!(rx.recv_until(late), Ok(number));
    }
    drop(tx);
    assert_eq!(component.wait(late), Ok(Exit::Success));
}

fn scene<const DIRECTLY: bool>(sim: Sim) {
    let system = System::on(sim, Limits::default()).expect("a system");
    let late = system.within(Duration::from_secs(10));
    first_scene(&system, late, DIRECTLY);
    second_scene(&system, late);
    in_time(&system, late);
    let seen = system.inspect().expect("the manager is here");
    assert_eq!(seen.components.len(), 1, "{seen}");
}

#[test]
fn killed_at_each_step_its_peers_are_told() {
    let runs = Kill { domain: 1, seeds: 3, stride: 1 }.at_each_step(scene::<false>);
    println!("{runs} runs");
}

#[test]
fn killed_at_each_step_what_went_directly_is_told() {
    let runs = Kill { domain: 1, seeds: 3, stride: 1 }.at_each_step(scene::<true>);
    println!("{runs} runs");
}

/// Answers twice.
fn twice(env: Env<System>) -> Result<(), Fault> {
    let mut answers = env.take(ANSWERS)?;
    answers.send(0)?;
    Ok(answers.send(1)?)
}

/// A mistake: who gets the first of two answers, and not the second, never says so to a component that
/// waits for that, and waits for its end.
fn forgets_to_tell(sim: Sim) {
    let system = System::on(sim, Limits::default()).expect("a system");
    let (answers, mut rx) = system.chan::<Spsc, u64>(1).expect("a channel");
    let first = system.component(ECHO, twice).expect("a component");
    first.endow(ANSWERS, answers).expect("endowed");
    let started = first.start();
    let (mut tx, numbers) = system.chan::<Spsc, u64>(1).expect("a channel");
    let (back, _rx) = system.chan::<Spsc, u64>(1).expect("a channel");
    let second = system.component(NEXT, next).expect("a component");
    second.endow(NUMBERS, numbers).expect("endowed");
    second.endow(ANSWERS, back).expect("endowed");
    second.start().expect("started");
    let told = started.is_err() || rx.recv().is_err() || rx.recv().is_ok();
    if told {
        tx.send(1).expect("it lives");
        drop(tx);
        second.wait(Deadline::NEVER).expect("it ends");
    } else {
        second.wait(Deadline::NEVER).expect("it ends");
        drop(tx);
    }
}

#[test]
fn a_kill_that_fails_is_shrunk_and_found_again() {
    let kill = Kill { domain: 1, seeds: 20, stride: 1 };
    let killed = (0..kill.seeds).find_map(|seed| kill.with_seed(seed, None, forgets_to_tell).err());
    let killed = killed.expect("it is found");
    let Found { outcome, smallest } = &*killed.found;
    println!("{killed}");
    assert!(matches!(outcome.failure, Some(Failure::Deadlock(_))), "{outcome}");
    assert!(matches!(smallest.failure, Some(Failure::Deadlock(_))), "{smallest}");
    assert!(smallest.switches < outcome.switches, "{} switches", smallest.switches);
    // What it says leads there again.
    let again = kill.with_seed(outcome.seed, Some(killed.step), forgets_to_tell);
    let again = again.expect_err("the same");
    assert_eq!((again.step, &again.found), (killed.step, &killed.found));
    let text = killed.to_string();
    let command = format!("RES_SEED={} RES_STEP={} cargo test", outcome.seed, killed.step);
    assert!(text.contains(&command), "{text}");
}
