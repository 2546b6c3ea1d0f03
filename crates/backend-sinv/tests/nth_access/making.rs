//! What a component makes for itself, and memory that its peer has mapped, too.

use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    Backend, Deadline, Env, Exit, Gone, IntoCap, Map, Mem, Memory, Name, Rights, SharedMem, Slot,
    Thread, Tx,
};

use crate::ground::{Ground, Message, Outcome, System, Trial, be_mortal, mortally, told};

/// Keeps its peer informed.
const HELD: Slot<Tx<Spsc, Message>> = Slot::new("held");
const MEMORY: Slot<Memory> = Slot::new("memory");

fn makes(env: Env<System>) -> Outcome {
    let _held = env.take(HELD)?;
    mortally(&env, || {
        let _ring = env.chan::<Spsc, Message>(4)?;
        let _loans = env.chan::<ZeroCopy, Message>(4)?;
        let _queue = env.chanchan(1)?;
        let _group = env.evtgrp(4)?;
        let memory = env.mem(4096)?.share();
        let _mapped = memory.map(Rights::READ)?;
        drop(memory.into_cap());
        let thread = env.thread(|| ())?;
        thread.start()?;
        thread.join(Deadline::NEVER)?.ok()
    })?
}

fn making(trial: &Trial<'_>) -> Exit {
    trial.held(HELD, trial.component(makes))
}

fn ends(env: Env<System>) -> Outcome {
    let _held = env.take(HELD)?;
    be_mortal(&env)
}

/// Until it has said that it ends well.
fn ending(trial: &Trial<'_>) -> Exit {
    let (tx, mut rx) = trial.system.chan::<Spsc, Message>(1).expect("a channel");
    let component = trial.component(ends);
    component.endow(HELD, tx).expect("endowed");
    component.start().expect("started");
    let (count, gone) = trial.all_of(&mut rx);
    let exit = trial.end_of(&component);
    assert!(count == 0 && [Gone::Closed, told(exit)].contains(&gone), "{gone:?}");
    exit
}

fn idle(_: Env<System>) -> Outcome {
    Ok(())
}

fn starts_others(env: Env<System>) -> Outcome {
    let _held = env.take(HELD)?;
    mortally(&env, || {
        let child = env.component(const { Name::new("child") }, idle)?;
        child.start()?;
        child.wait(Deadline::NEVER)?.ok()?;
        drop(env.component(const { Name::new("never") }, idle)?);
        Ok(())
    })?
}

fn starting_others(trial: &Trial<'_>) -> Exit {
    let exit = trial.held(HELD, trial.component(starts_others));
    // One that lives longer than who made it ends by itself.
    while trial.system.inspect().expect("the manager is here").components.len() > 2 {
        assert!(!trial.late.passed(trial.system.now()), "a child is left");
        trial.system.yield_now();
    }
    exit
}

const WORDS: u64 = 4;

fn writes(env: Env<System>) -> Outcome {
    let _held = env.take(HELD)?;
    let map = env.take(MEMORY)?.map(Rights::READ | Rights::WRITE)?;
    mortally(&env, || {
        for at in 0..WORDS {
            map.copy_in(8 * at, &[7; 8])?;
        }
        Ok(())
    })?
}

/// In order, each word as it was or as it was to be.
fn writing(trial: &Trial<'_>) -> Exit {
    let memory = trial.system.mem(8 * WORDS).expect("memory").share();
    let map = memory.map(Rights::READ).expect("a map");
    let component = trial.component(writes);
    component.endow(MEMORY, memory).expect("endowed");
    let exit = trial.held(HELD, component);
    let words: Vec<_> = (0..WORDS).map(|at| map.load(8 * at).expect("a word")).collect();
    let written = words.iter().take_while(|word| **word != 0).count();
    assert!(words[..written].iter().all(|word| *word == u64::from_ne_bytes([7; 8])), "{words:?}");
    assert!(words[written..].iter().all(|word| *word == 0), "{words:?}");
    assert!(exit == Exit::Died || written == words.len());
    exit
}

#[test]
fn what_is_made() {
    let mut ground = Ground::new();
    ground.try_each("make", making);
    ground.try_each("end", ending);
    ground.try_each("start others", starting_others);
    ground.try_each("write into memory", writing);
}
