//! A component that does what it likes to each word that it has mapped, bit by bit, and takes sleepers
//! and wake-ups away from there. Its peer gets values and typed errors, by its deadlines; those who have
//! to do with that one, and the manager, notice nothing (H6, H18).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use std::vec::Vec;

use backend_local::parcel::{AnyParcel, Piece};
use chan_impls::Spsc;
use res_api::{
    Backend, Comp, Deadline, Env, EvtGrp, Exit, Fault, Gone, Instant, Kind, Name, Receiver,
    RecvError, Rx, SendError, Sender, Side, Slot, Thread, Trigger, Tx, Value,
};
use res_kernel::Linux;
use res_kernel::linux::{LinuxMemory, LinuxSocket};
use res_sync::Park;

use super::raw::{ask, ask_for, begin, component, value, words};
use crate::Sinv;
use crate::manager::BIT_BITS;
use crate::request::{Request, Said};

type Outcome = Result<(), Fault>;

/// From the hostile one to the victim.
const TO: [Name; 3] = [Name::new("to0"), Name::new("to1"), Name::new("to2")];
/// From the victim to the hostile one.
const FROM: [Name; 2] = [Name::new("from0"), Name::new("from1")];
/// Between an honest one and the victim: there, and back.
const PINGS: [Name; 3] = [Name::new("ping0"), Name::new("ping1"), Name::new("ping2")];
const PONGS: [Name; 3] = [Name::new("pong0"), Name::new("pong1"), Name::new("pong2")];
const PING: Slot<Tx<Spsc, u64>> = Slot::new("ping");
const PONG: Slot<Rx<Spsc, u64>> = Slot::new("pong");
const SEEN: Slot<Tx<Spsc, [u64; 4]>> = Slot::new("seen");

/// When it is over, for all of them.
const UNTIL: Slot<Value<u64>> = Slot::new("until");

pub(super) fn length() -> Duration {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    Duration::from_millis(if long { 60_000 } else { 700 })
}

/// How long everything is cleared, at the end: what is set wakes as well, and what is lost now stays
/// lost.
const CLEARING: Duration = Duration::from_millis(350);

/// Nobody waits longer.
fn late(until: u64) -> Deadline {
    Deadline::at(Instant::from_nanos(until) + Duration::from_secs(20))
}

// The hostile one.

/// All that it has: what it was given, its board, and the arenas in which it is to ring.
fn all_memory(socket: &LinuxSocket, board: Option<LinuxMemory>) -> Vec<LinuxMemory> {
    let taken: Vec<_> = TO
        .into_iter()
        .chain(FROM)
        .map(|name| match ask_for(socket, &Request::Take(name)) {
            Some((Said::Parcel(parcel), given)) => (name, parcel, given),
            _ => panic!("it was endowed with {name}"),
        })
        .collect();
    let mut all = Vec::from_iter(board);
    for (name, parcel, given) in taken {
        let object = given.first().expect("a ring");
        parcel.each(&mut |_, piece| {
            let Piece::Word { word, side: Some(Side::Signallers), .. } = piece else { return };
            if TO.contains(&name) {
                let bell = bell_of(object, word.offset);
                let arena = ask_for(socket, &Request::Arena(bell >> BIT_BITS, Some(*word)));
                let (_, arena) = arena.expect("the manager lives");
                all.extend(arena);
            }
        });
        all.extend(given);
    }
    all
}

/// The bell of a word, once somebody listens.
fn bell_of(object: &LinuxMemory, offset: u32) -> u64 {
    loop {
        match words(object)[offset as usize / 8 + 1].load(SeqCst) {
            0 => thread::yield_now(),
            bell => return bell,
        }
    }
}

/// The words among which those are that somebody sleeps on: at the beginning of each page.
fn slept_on(memory: &LinuxMemory) -> impl Iterator<Item = &AtomicU64> {
    words(memory).chunks(512).flat_map(|page| &page[..32])
}

/// Changes each bit: back again, then it stays set, then it stays clear.
pub(super) fn change(word: &AtomicU64, round: u64) {
    for bit in 0..u64::BITS {
        match round % 3 {
            0 => {
                word.fetch_xor(1 << bit, SeqCst);
                word.fetch_xor(1 << bit, SeqCst);
            }
            1 => _ = word.fetch_or(1 << bit, SeqCst),
            _ => _ = word.fetch_and(!(1 << bit), SeqCst),
        }
    }
}

/// Clears the word at once: what was set there was for somebody.
pub(super) fn clear(word: &AtomicU64) {
    if word.load(SeqCst) != 0 {
        word.store(0, SeqCst);
    }
}

/// A futex operation on the word and another one, of which no process has to know.
fn futex(operation: i32, word: &AtomicU64, seen: u64) {
    let (own, soon) = (AtomicU64::new(0), libc::timespec { tv_sec: 0, tv_nsec: 50_000 });
    // A deadline, or how many are moved.
    let fourth = match operation {
        libc::FUTEX_WAIT => (&raw const soon).addr(),
        _ => i32::MAX as usize,
    };
    // SAFETY: whatever the operation is, it finds words that are mapped and a time that lives.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            operation,
            if operation == libc::FUTEX_WAIT { seen as i32 } else { i32::MAX },
            fourth,
            own.as_ptr(),
            seen as u32,
        );
    }
}

fn hostile(_: Linux, socket: LinuxSocket) {
    let (_, board) = begin(&socket);
    let until = Instant::from_nanos(value(&socket, UNTIL));
    let all = all_memory(&socket, board);
    assert!(all.len() > 1 + TO.len() + FROM.len(), "there is an arena");
    let over = AtomicBool::new(false);
    let slept_on: Vec<_> = all.iter().flat_map(slept_on).collect();
    let everywhere = |act: fn(&AtomicU64)| {
        while !over.load(SeqCst) {
            slept_on.iter().for_each(|word| act(word));
        }
    };
    thread::scope(|scope| {
        // Sleeps where others do, and tells nobody that it was woken.
        scope.spawn(|| everywhere(|word| futex(libc::FUTEX_WAIT, word, word.load(SeqCst))));
        scope.spawn(|| {
            everywhere(|word| {
                futex(libc::FUTEX_REQUEUE, word, 0);
                futex(libc::FUTEX_CMP_REQUEUE, word, word.load(SeqCst));
                futex(libc::FUTEX_WAKE, word, 0);
            })
        });
        let mut round = 0;
        while Linux::new().now() + CLEARING < until {
            all.iter().flat_map(words).for_each(|word| change(word, round));
            round += 1;
        }
        while Linux::new().now() < until {
            all.iter().flat_map(words).for_each(clear);
        }
        over.store(true, SeqCst);
    });
    ask(&socket, &Request::Ends(Exit::Success));
}

// The others.

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
    let system = Sinv::new().expect("a system");
    let until = (system.now() + length()).as_nanos();
    let late = late(until);
    let bad = Comp::new(system.clone(), component(&system, "hostile", hostile));
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
    let takes = 1 + (TO.len() + FROM.len()) as u64;
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
