//! A component of a simulation that is killed at each step of a scene, one after the other: who had
//! to do with it is told, and the manager goes on.
//!
//! `RES_SEEDS=n` tries each step in n orders, `RES_SEED=n` in that one alone, and `RES_STEP=n` that
//! step alone.

use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, CapRx, Deadline, Env, ErrorKind, EvtGrp, Exit, Fault, Gone, IntoCap, Kind,
    Name, Receiver, RecvError, Rx, SendError, Sender, Slot, Trigger, Tx, kind_of,
};
use res_kernel::Sim;
use res_kernel::sim::{Faults, Outcome, Seeds, Simulation};

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
fn first_scene(system: &System, late: Deadline) {
    let (mut tx, numbers) = system.chan::<Spsc, u64>(1).expect("a channel");
    let (answers, mut rx) = system.chan::<Spsc, u64>(4).expect("a channel");
    let (mut over, ends) = system.chanchan(1).expect("a channel");
    let (given, mut got) = system.chan::<Spsc, u64>(4).expect("a channel");
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

fn scene(sim: Sim) {
    let system = System::on(sim, Limits::default()).expect("a system");
    let late = system.within(Duration::from_secs(10));
    first_scene(&system, late);
    second_scene(&system, late);
    in_time(&system, late);
    let seen = system.inspect().expect("the manager is here");
    assert_eq!(seen.components.len(), 1, "{seen}");
}

/// What the machine does besides: nothing, or wakes without a reason, or late.
fn faults(seed: u64) -> Faults {
    match seed % 3 {
        0 => Faults::default(),
        1 => Faults { spurious: 2, ..Faults::default() },
        _ => Faults { late: 2, ..Faults::default() },
    }
}

fn run(seed: u64, step: u64, record: bool) -> Outcome {
    let simulation = Simulation::new(seed).kill(1, step).faults(faults(seed));
    let simulation = if record { simulation.record() } else { simulation };
    simulation.run(scene)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn killed_at_each_step_its_peers_are_told() {
    let mut runs = 0;
    for seed in Seeds::from_env(3) {
        let whole = run(seed, 0, false);
        assert_eq!(whole.failure, None, "{whole}");
        let steps = match number("RES_STEP") {
            Some(step) => step..step + 1,
            None => 1..whole.steps,
        };
        for step in steps {
            let outcome = run(seed, step, false);
            runs += 1;
            if outcome.hash == whole.hash {
                // It had ended.
                break;
            }
            if outcome.failure.is_some() {
                let outcome = run(seed, step, true);
                outcome.draw(&format!("killed-{seed}-{step}"));
                let text = res_kernel::sim::Transcript(&outcome.events).to_string();
                let lines: Vec<_> = text.lines().collect();
                let last = lines[lines.len().saturating_sub(40)..].join("\n");
                panic!(
                    "{outcome}{last}\nagain: RES_SEED={seed} RES_STEP={step} \
                     cargo test -p backend-sinv --test simulated_death"
                );
            }
        }
    }
    println!("{runs} runs");
}
