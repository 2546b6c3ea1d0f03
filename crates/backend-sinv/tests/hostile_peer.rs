//! A peer that writes whatever it likes into all memory that it shares with another: the others are
//! heard as before, and what it does to its own channel is a typed error or a value (H6, H18).

#[path = "common/memories.rs"]
mod memories;
#[path = "../../chan-impls/tests/common/random.rs"]
mod random;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use backend_sinv::Sinv;
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    Backend, Deadline, Env, EvtGrp, Exit, Fault, Gone, IntoCap, Map, Name, Receiver, Sender, Slot,
    Source, Trigger, TryRecvError, Tx, Value,
};

use memories::{Cap, memories};
use random::Random;

const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");
const PAGES: Slot<Tx<ZeroCopy, u64>> = Slot::new("pages");
const NANOS: Slot<Value<u64>> = Slot::new("nanos");
const COUNT: Slot<Value<u64>> = Slot::new("count");

/// Words before the memory that a kind sees: the words that are slept on, and which bell to ring.
const BEFORE: usize = 32;

fn length() -> Duration {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    if long { Duration::from_secs(60) } else { Duration::from_millis(1500) }
}

/// Sends now and then.
fn honest(env: Env<Sinv>) -> Result<(), Fault> {
    let mut to = env.take(TO)?;
    for n in 0..env.take(COUNT)? {
        to.send(n)?;
        env.sleep(env.after(Duration::from_micros(300)));
    }
    Ok(())
}

/// What an adversary would write who knows the fields: small steps, flags, limits, nonsense.
fn value(number: &mut Random, now: u64) -> u64 {
    match number.below(9) {
        0 => 0,
        1 => now.wrapping_add(1),
        2 => now.wrapping_sub(1),
        3 => now ^ 1 << number.below(64),
        4 => u64::MAX,
        5 => now.wrapping_add(number.below(64)),
        6 => number.below(1 << 16),
        7 => now | 0b11,
        _ => number.next(),
    }
}

fn scribble(env: &Env<Sinv>, caps: &[&Cap]) -> Result<(), Fault> {
    let until = env.after(Duration::from_nanos(env.take(NANOS)?));
    let mut number = Random(0x1234_5678_9abc_def1);
    let mut maps = Vec::new();
    for cap in caps {
        maps.extend(memories(cap)?);
    }
    while env.now() < until {
        for _ in 0..1000 {
            let map = &maps[number.below(maps.len() as u64) as usize];
            let words = map.len() / 8 + BEFORE as u64;
            // Mostly the words and the header.
            let bound = if number.below(4) == 0 { words } else { words.min(64) };
            let at = number.below(bound) as usize;
            // SAFETY: an object begins with so many words before the memory of the kind, and all
            // of it is mapped for writing.
            let word = unsafe {
                let first = map.base().cast::<AtomicU64>().sub(BEFORE);
                first.add(at).as_ref()
            };
            word.store(value(&mut number, word.load(Relaxed)), Relaxed);
        }
    }
    Ok(())
}

fn hostile(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut to, mut pages) = (env.take(TO)?, env.take(PAGES)?);
    to.send(1)?;
    pages.send(1)?;
    let (to, pages) = (to.into_cap(), pages.into_cap());
    scribble(&env, &[&to, &pages])
}

#[test]
fn one_hostile_peer_among_eight_silences_nobody() {
    const HONEST: u64 = 7;
    let system = Sinv::new().expect("a system");
    let count = length().as_micros() as u64 / 500;
    let group = system.evtgrp(16).expect("a group");
    let (mut receivers, mut registrations, mut components) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..HONEST {
        let (to, rx) = system.chan::<Spsc, u64>(8).expect("a channel");
        let name = Name::numbered("honest", index as u32).expect("short");
        let component = system.component(name, honest).expect("a component");
        component.endow(TO, to).expect("endowed");
        component.endow(COUNT, count).expect("endowed");
        // Both ways of watching.
        let trigger = if index % 2 == 0 { Trigger::Edge } else { Trigger::Level };
        registrations.push(group.add(&rx, trigger, index).expect("added"));
        receivers.push((rx, 0, true));
        components.push(component);
    }
    let (to, mut numbers) = system.chan::<Spsc, u64>(8).expect("a channel");
    let (pages, mut got) = system.chan::<ZeroCopy, u64>(8).expect("a channel");
    let bad = system.component(const { Name::new("hostile") }, hostile).expect("a component");
    bad.endow(TO, to).expect("endowed");
    bad.endow(PAGES, pages).expect("endowed");
    bad.endow(NANOS, length().as_nanos() as u64).expect("endowed");
    registrations.push(group.add(&numbers, Trigger::Edge, HONEST).expect("added"));
    registrations.push(group.add(&got, Trigger::Edge, HONEST + 1).expect("added"));
    bad.start().expect("started");
    components.iter().for_each(|component| component.start().expect("started"));

    let late = system.within(length() * 4 + Duration::from_secs(20));
    let (mut open, mut seen) = (HONEST, [0_u64; 4]);
    while open > 0 {
        let event = group.wait(late).expect("the honest are heard");
        if event.data < HONEST {
            let (rx, next, is_open) = &mut receivers[event.data as usize];
            let end = rx.drain(|n| {
                assert_eq!(n, *next, "of the honest one {}", event.data);
                *next += 1;
            });
            if let Some(gone) = end {
                assert_eq!((gone, *next), (Gone::Closed, count), "the honest one {}", event.data);
                // One that is closed stays ready.
                open -= u64::from(std::mem::take(is_open));
            }
        }
        // Whatever it is, it is a value or a typed error, at once.
        for result in [numbers.try_recv(), got.try_recv()] {
            let place = match result {
                Ok(_) => 0,
                Err(TryRecvError::Empty) => 1,
                Err(TryRecvError::Gone(Gone::Misbehaved)) => 2,
                Err(_) => 3,
            };
            seen[place] += 1;
        }
        let _ = (numbers.ready(), numbers.len(), numbers.gone());
    }
    println!("values, nothing, misbehaved, gone: {seen:?}");
    assert!(seen[0] > 0 && seen[2] + seen[3] > 0, "the attack did something: {seen:?}");
    let end = bad.wait(late).expect("it ends");
    assert!(matches!(end, Exit::Success | Exit::Failed(_)), "{end:?}");
    for component in components {
        assert_eq!(component.wait(late), Ok(Exit::Success));
    }
    // The group and the manager are as before.
    drop((registrations, numbers, got));
    let changed = system.blockpoint().expect("memory is there");
    let _registered = group.add(&changed, Trigger::Edge, 99).expect("added");
    res_api::Blockpoint::trigger(&changed, res_api::Wake::All);
    while group.wait(Deadline::at(system.after(Duration::from_secs(5)))).expect("it is heard").data
        != 99
    {}
}
