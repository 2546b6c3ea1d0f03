//! A component that does what it likes to each word that it has mapped, bit by bit, and takes sleepers
//! and wake-ups away from there. Its peer gets values and typed errors, by its deadlines; those who have
//! to do with that one, and the manager, notice nothing (H6, H18).

use std::thread;
use std::time::Duration;
use std::vec::Vec;

use chan_impls::Spsc;
use res_api::{
    Backend, Comp, Deadline, Env, EvtGrp, Exit, Fault, Gone, Instant, Kind, Name, Receiver,
    RecvError, Rx, SendError, Sender, Slot, Thread, Trigger, Tx,
};

use super::attacker::bits::{FROM, TO, UNTIL};
use super::{BOTH, Built, attacker};
use crate::Sinv;

type Outcome = Result<(), Fault>;

/// Between an honest one and the victim: there, and back.
const PINGS: [Name; 3] = [Name::new("ping0"), Name::new("ping1"), Name::new("ping2")];
const PONGS: [Name; 3] = [Name::new("pong0"), Name::new("pong1"), Name::new("pong2")];
const PING: Slot<Tx<Spsc, u64>> = Slot::new("ping");
const PONG: Slot<Rx<Spsc, u64>> = Slot::new("pong");
const SEEN: Slot<Tx<Spsc, [u64; 4]>> = Slot::new("seen");

pub(super) fn length() -> Duration {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    Duration::from_millis(if long { 60_000 } else { 700 })
}

/// Nobody waits longer.
fn late(until: u64) -> Deadline {
    Deadline::at(Instant::from_nanos(until) + Duration::from_secs(20))
}

/// Asks, and waits for each answer: one wake-up that is lost, and it stands still.
fn honest(env: Env<Sinv>) -> Outcome {
    let (mut ping, mut pong, until) = (env.take(PING)?, env.take(PONG)?, env.take(UNTIL)?);
    let late = late(until);
    for n in 0.. {
        if env.now() >= Instant::from_nanos(until) {
            break;
        }
        ping.send_until(n, late)?;
        assert_eq!(pong.recv_until(late)?, n);
        if n % 16 == 0 {
            env.sleep(env.after(Duration::from_micros(100)));
        }
    }
    Ok(())
}

type Snd = <Spsc as Kind<Sinv>>::Snd<u64>;
type Rcv = <Spsc as Kind<Sinv>>::Rcv<u64>;

/// Answers what has come of an honest one; false once it has left.
fn answer(ping: &mut Rcv, pong: &mut Snd, next: &mut u64) -> bool {
    let gone = ping.drain(|n| {
        assert_eq!(n, *next);
        *next += 1;
        pong.try_send(n).expect("it listens");
    });
    gone.inspect(|gone| assert_eq!(*gone, Gone::Closed)).is_none()
}

/// Deals with the hostile one, by deadlines, and counts what came of that: something, nothing, that it
/// misbehaved, that it is gone.
fn deal(env: &Env<Sinv>, froms: &mut [Rcv], tos: &mut [Snd], seen: &mut [u64; 4]) {
    let soon = env.within(Duration::from_micros(50));
    let places = froms.iter_mut().map(|from| match from.recv_until(soon) {
        Ok(_) => 0,
        Err(RecvError::TimedOut) => 1,
        Err(RecvError::Gone(Gone::Misbehaved)) => 2,
        Err(_) => 3,
    });
    let tos = tos.iter_mut().map(|to| match to.send_until(1, soon) {
        Ok(()) => 0,
        Err(SendError::TimedOut(_)) => 1,
        Err(SendError::Gone(_, Gone::Misbehaved)) => 2,
        Err(_) => 3,
    });
    for place in places.chain(tos) {
        seen[place] += 1;
    }
}

fn victim(env: Env<Sinv>) -> Outcome {
    let late = late(env.take(UNTIL)?);
    let take_rx = |name| env.take(Slot::<Rx<Spsc, u64>>::named(name));
    let take_tx = |name| env.take(Slot::<Tx<Spsc, u64>>::named(name));
    let mut froms = TO.into_iter().map(take_rx).collect::<Result<Vec<_>, _>>()?;
    let mut tos = FROM.into_iter().map(take_tx).collect::<Result<Vec<_>, _>>()?;
    let mut pings = PINGS.into_iter().map(take_rx).collect::<Result<Vec<_>, _>>()?;
    let mut pongs = PONGS.into_iter().map(take_tx).collect::<Result<Vec<_>, _>>()?;
    // One of them by itself, not by way of a group.
    let (mut ping, mut pong) = (pings.pop().expect("some"), pongs.pop().expect("some"));
    let alone = env.thread(move || {
        while let Ok(n) = ping.recv_until(late) {
            pong.try_send(n).expect("it listens");
        }
    })?;
    alone.start()?;
    let group = env.evtgrp(8)?;
    let watched = pings.iter().chain(&froms).zip(0..);
    let registrations = watched.map(|(rx, data)| group.add(rx, Trigger::Edge, data));
    let registrations = registrations.collect::<Result<Vec<_>, _>>()?;
    let (mut next, mut open, mut seen) = ([0; 2], [true; 2], [0; 4]);
    while open != [false; 2] {
        let at = group.wait(late)?.data as usize;
        if at < pings.len() {
            open[at] &= answer(&mut pings[at], &mut pongs[at], &mut next[at]);
        }
        deal(&env, &mut froms, &mut tos, &mut seen);
    }
    drop(registrations);
    env.take(SEEN)?.send(seen)?;
    alone.join(late)?.ok()
}

fn begun(component: Comp<Sinv>) -> Comp<Sinv> {
    component.start().expect("started");
    component
}

/// How many requests the manager has seen.
fn requests_of(system: &Sinv, component: Name) -> u64 {
    let seen = system.inspect().expect("the manager is here");
    let found = seen.components.iter().find(|it| it.name == component);
    found.map_or(u64::MAX, |it| it.requests)
}

#[test]
fn bits_and_sleepers_are_the_peers_own_concern() {
    BOTH.into_iter().for_each(every_bit);
}

fn every_bit(built: Built) {
    let system = Sinv::new().expect("a system");
    let until = (system.now() + length()).as_nanos();
    let late = late(until);
    let bad = attacker(&system, built, "hostile", "every bit");
    let good = system.component(const { Name::new("victim") }, victim).expect("made");
    bad.endow(UNTIL, until).expect("endowed");
    good.endow(UNTIL, until).expect("endowed");
    let ring = || system.chan::<Spsc, u64>(4).expect("a channel");
    for name in TO {
        let (tx, rx) = ring();
        bad.endow(Slot::<Tx<Spsc, u64>>::named(name), tx).expect("endowed");
        good.endow(Slot::<Rx<Spsc, u64>>::named(name), rx).expect("endowed");
    }
    for name in FROM {
        let (tx, rx) = ring();
        good.endow(Slot::<Tx<Spsc, u64>>::named(name), tx).expect("endowed");
        bad.endow(Slot::<Rx<Spsc, u64>>::named(name), rx).expect("endowed");
    }
    let (seen, mut result) = system.chan::<Spsc, [u64; 4]>(1).expect("a channel");
    good.endow(SEEN, seen).expect("endowed");
    let mut others = Vec::new();
    for (ping, pong) in PINGS.into_iter().zip(PONGS) {
        let other = system.component(ping, honest).expect("made");
        let ((tx, rx), (back, answers)) = (ring(), ring());
        other.endow(UNTIL, until).expect("endowed");
        other.endow(PING, tx).expect("endowed");
        good.endow(Slot::<Rx<Spsc, u64>>::named(ping), rx).expect("endowed");
        good.endow(Slot::<Tx<Spsc, u64>>::named(pong), back).expect("endowed");
        other.endow(PONG, answers).expect("endowed");
        others.push(begun(other));
    }
    let bad = begun(bad);
    // What it has to ring is decided as somebody watches: it is to have its ends by then.
    let takes = 2 + (TO.len() + FROM.len()) as u64;
    while requests_of(&system, const { Name::new("hostile") }) < takes {
        thread::yield_now();
    }
    let good = begun(good);
    for other in others {
        assert_eq!(other.wait(late), Ok(Exit::Success));
    }
    assert_eq!(good.wait(late), Ok(Exit::Success));
    assert_eq!(bad.wait(late), Ok(Exit::Success));
    let seen = result.recv().expect("it said so");
    std::println!("something, nothing, misbehaved, gone: {seen:?}");
    assert!(seen[2] + seen[3] > 0, "the attack did something: {seen:?}");
    // The manager is as before.
    let left = system.inspect().expect("the manager is here");
    assert_eq!(left.components.len(), 1, "{left}");
    let (mut tx, mut rx) = ring();
    tx.send(1).expect("it listens");
    assert_eq!(rx.recv_until(late), Ok(1));
}
