//! Components that do what they like where capabilities go directly: a sender that makes up what it
//! sends, with numbers of what is its peer's and others', and a receiver that scribbles over what it was
//! lent. Their peer gets values and typed errors, by its deadlines; what it has with others is its own
//! (H6, H9).

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;
use std::vec::Vec;

use backend_local::direct::{BYTES, Direct, MOST, PLACES};
use backend_local::distant::QUEUE_DIRECT;
use backend_local::outside::WordId;
use backend_local::parcel::{AnyParcel as _, Parcel, Piece};
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    AnyCap, Backend, CapRx, CapTx, Comp, Deadline, Env, ErrorKind, Exit, Fault, Gone, Instant,
    IntoCap, Kind, Name, Receiver, RecvError, Sender, Slot, Tx, Value,
};
use res_kernel::linux::{LinuxMemory, LinuxSocket};
use res_kernel::{KernelMemory, Linux};
use res_sync::Park;
use res_sync::model::Core;

use super::component;
use super::random::Random;
use super::raw::{ask, ask_for, begin, value, words};
use crate::Sinv;
use crate::request::{Request, Said};
use crate::wire::Wire as _;

pub(super) const OVER: Slot<CapTx> = Slot::new("over");
pub(super) const ENDS: Slot<CapRx> = Slot::new("ends");
const OTHERS: Slot<CapRx> = Slot::new("others");
pub(super) const LIKE: Slot<Tx<Spsc, u64>> = Slot::new("like");
const SEEN: Slot<Tx<Spsc, [u64; 4]>> = Slot::new("seen");
/// When it is over, for all of them.
pub(super) const UNTIL: Slot<Value<u64>> = Slot::new("until");

const HOSTILE: Name = Name::new("hostile");
pub(super) const HONEST: Name = Name::new("honest");

pub(super) fn length() -> Duration {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    Duration::from_millis(if long { 60_000 } else { 700 })
}

pub(super) fn late(until: u64) -> Deadline {
    Deadline::at(Instant::from_nanos(until) + Duration::from_secs(20))
}

/// The ring in the memory of a queue.
pub(super) fn ring(memory: &LinuxMemory) -> Direct<Core> {
    assert!(memory.len() >= QUEUE_DIRECT + BYTES);
    // SAFETY: within the memory, which is mapped for writing to the end of this process.
    unsafe { Direct::new(memory.base().add(QUEUE_DIRECT as usize)) }
}

/// What it was endowed with, and its memory.
pub(super) fn taken(socket: &LinuxSocket, name: Name) -> (Parcel, LinuxMemory) {
    match ask_for(socket, &Request::Take(name)) {
        Some((Said::Parcel(parcel, _), given)) => {
            (parcel, given.into_iter().next().expect("memory"))
        }
        _ => panic!("it was endowed with {name}"),
    }
}

pub(super) fn queue_of(parcel: &Parcel) -> u64 {
    let queue = parcel.pieces.iter().find_map(|piece| match piece {
        Piece::Queue(queue) => Some(*queue),
        _ => None,
    });
    queue.expect("an end of a queue")
}

/// The same of another object.
pub(super) fn within(like: &Parcel, object: u64) -> Parcel {
    let mut parcel = like.clone();
    for piece in &mut parcel.pieces {
        match piece {
            Piece::Memory { object: it, .. } => *it = object,
            Piece::Word { word, .. } => word.object = object,
            _ => {}
        }
    }
    parcel
}

/// A parcel as nobody should send it, as bytes; now and then one that may be.
fn made_up(number: &mut Random, like: &Parcel, lent: u64) -> Vec<u8> {
    // Numbers are given one after the other: most likely one of those that are in use.
    let any = lent.saturating_sub(8) + number.below(16);
    let mut parcel = within(like, if number.below(2) == 0 { any } else { lent });
    let at = number.below(parcel.pieces.len() as u64) as usize;
    match number.below(16) {
        0 => parcel.pieces[at] = Piece::Queue(any),
        1 => parcel.pieces[at] = Piece::File(any),
        2 => parcel.head.state = number.next(),
        3 => parcel.head.desc.capacity = number.next() >> number.below(64),
        4 => {
            if let Piece::Word { word, .. } = &mut parcel.pieces[at] {
                *word = WordId { object: word.object, offset: number.below(40) as u32 * 8 };
            }
        }
        5 => {
            if let Piece::Memory { bytes, .. } = &mut parcel.pieces[at] {
                *bytes = number.next() >> number.below(64);
            }
        }
        _ => {}
    }
    let mut bytes = parcel.encoded();
    match number.below(8) {
        0 => {
            let at = number.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << number.below(8);
        }
        1 if number.below(4) == 0 => bytes.truncate(number.below(bytes.len() as u64) as usize),
        2 if number.below(8) == 0 => bytes.iter_mut().for_each(|byte| *byte = number.next() as u8),
        _ => {}
    }
    bytes
}

fn makes_up(_: Linux, socket: LinuxSocket) {
    let hello = begin(&socket).hello;
    let until = Instant::from_nanos(value(&socket, UNTIL));
    let (over, memory) = taken(&socket, OVER.name());
    let (like, _) = taken(&socket, LIKE.name());
    let queue = queue_of(&over);
    let lent = match ask(&socket, &Request::Lend(queue, 4096)) {
        Some(Said::Number(object)) => object,
        other => panic!("memory: {other:?}"),
    };
    let data = over.pieces.iter().find_map(|piece| match piece {
        Piece::Word { word, .. } => Some(word.offset),
        _ => None,
    });
    let data = &words(&memory)[data.expect("a word") as usize / 8];
    let (ring, mut number) = (ring(&memory), Random(u64::from(hello.id) | 1));
    while Linux::new().now() < until {
        let position = ring.popped();
        assert!(ring.write(position, &made_up(&mut number, &like, lent)));
        ring.push(position);
        // Moves the word, and wakes whoever sleeps there: it is to look.
        data.fetch_add(1 << 8, SeqCst);
        let word = data.as_ptr();
        // SAFETY: a futex of a word that is mapped.
        unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, i32::MAX) };
        if number.below(64) == 0 {
            // It says that there is what cannot be.
            ring.push(position.wrapping_add(number.below(2 * PLACES)));
        }
        std::thread::yield_now();
    }
    ask(&socket, &Request::Ends(Exit::Success));
}

/// Asks, and waits for each answer, over an end that is made for that.
pub(super) fn honest(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut over, until) = (env.take(OVER)?, env.take(UNTIL)?);
    for n in 0.. {
        if env.now() >= Instant::from_nanos(until) {
            break;
        }
        let (answer, mut answered) = env.chan_for::<Spsc, u64>(&over, 2)?;
        over.send_until(answer.into_cap(), late(until))?;
        assert_eq!(answered.recv_until(late(until))?, n, "nobody else sends there");
    }
    Ok(())
}

type Snd = <Spsc as Kind<Sinv>>::Snd<u64>;

/// Uses what has come, whatever it says that it is.
fn uses(cap: <Sinv as Backend>::Cap) {
    if let Ok(mut tx) = cap.cast::<Snd>() {
        for _ in 0..3 {
            let _ = tx.try_send(u64::MAX);
        }
    }
}

/// Deals with the hostile one, by deadlines; what came of that: something, nothing, that it misbehaved,
/// that it is gone.
fn deal(env: &Env<Sinv>, ends: &mut <Sinv as Backend>::CapRcv) -> usize {
    match ends.recv_until(env.within(Duration::from_micros(50))) {
        Ok(cap) => {
            uses(cap);
            0
        }
        Err(RecvError::TimedOut) => 1,
        Err(RecvError::Gone(Gone::Misbehaved)) => 2,
        Err(_) => 3,
    }
}

/// Answers the honest one as long as it asks, and deals with the other one in between.
fn victim(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut ends, mut others, mut seen) = (env.take(ENDS)?, env.take(OTHERS)?, [0; 4]);
    let mut n = 0;
    while let Ok(cap) = others.recv() {
        let mut answer = cap.cast::<Snd>()?;
        for _ in 0..4 {
            seen[deal(&env, &mut ends)] += 1;
        }
        answer.send(n)?;
        n += 1;
    }
    Ok(env.take(SEEN)?.send(seen)?)
}

pub(super) fn begun(component: Comp<Sinv>) -> Comp<Sinv> {
    component.start().expect("started");
    component
}

#[test]
fn what_a_sender_makes_up_is_its_own_channels_concern() {
    let system = Sinv::new().expect("a system");
    let until = (system.now() + length()).as_nanos();
    let late = late(until);
    let bad = Comp::new(system.clone(), component(&system, "hostile", makes_up));
    let good = system.component(const { Name::new("victim") }, victim).expect("made");
    let other = system.component(HONEST, honest).expect("made");
    let (over, ends) = system.chanchan(16).expect("a channel");
    let (asks, others) = system.chanchan(4).expect("a channel");
    let (like, kept) = system.chan::<Spsc, u64>(2).expect("a channel");
    let (seen, mut result) = system.chan::<Spsc, [u64; 4]>(1).expect("a channel");
    bad.endow(UNTIL, until).expect("endowed");
    bad.endow(OVER, over).expect("endowed");
    bad.endow(LIKE, like).expect("endowed");
    other.endow(UNTIL, until).expect("endowed");
    other.endow(OVER, asks).expect("endowed");
    good.endow(ENDS, ends).expect("endowed");
    good.endow(OTHERS, others).expect("endowed");
    good.endow(SEEN, seen).expect("endowed");
    let (good, bad, other) = (begun(good), begun(bad), begun(other));
    for component in [other, good, bad] {
        assert_eq!(component.wait(late), Ok(Exit::Success));
    }
    let seen = result.recv().expect("it said so");
    std::println!("something, nothing, misbehaved, gone: {seen:?}");
    assert!(seen[0] > 0 && seen[2] > 0, "the attack did something: {seen:?}");
    drop(kept);
    let left = system.inspect().expect("the manager is here");
    assert_eq!((left.components.len(), left.memory.len()), (1, 0), "{left}");
}

/// Fetches what it is lent, and writes everywhere.
fn scribbles(_: Linux, socket: LinuxSocket) {
    let hello = begin(&socket).hello;
    let until = Instant::from_nanos(value(&socket, UNTIL));
    let (ends, memory) = taken(&socket, ENDS.name());
    let (queue, ring) = (queue_of(&ends), ring(&memory));
    let (mut number, mut all) = (Random(u64::from(hello.id) | 1), Vec::new());
    for object in 1..64 {
        let fetched = ask(&socket, &Request::Fetch(queue, object));
        assert_eq!(fetched, Some(Said::Refused(ErrorKind::Denied)), "nothing of it was sent here");
    }
    let mut known = Vec::new();
    while Linux::new().now() < until {
        for at in 0..ring.len() {
            let (position, bytes) = (ring.popped().wrapping_add(at), &mut [0; MOST]);
            let Some(parcel) = Parcel::decoded(ring.peek(position, bytes)) else { continue };
            parcel.each(&mut |_, piece| {
                let Piece::Memory { object, .. } = piece else { return };
                // What the sender keeps of the same channel has a number near that.
                for object in object.saturating_sub(4)..object.saturating_add(5) {
                    if !known.contains(&object) {
                        known.push(object);
                        let fetched = ask_for(&socket, &Request::Fetch(queue, object));
                        all.extend(fetched.into_iter().flat_map(|(_, given)| given));
                    }
                }
            });
        }
        ring.pop(ring.pushed().wrapping_sub(1).wrapping_sub(number.below(2)));
        for _ in 0..1000 {
            let Some(memory) = all.get(number.below(all.len().max(1) as u64) as usize) else {
                break;
            };
            let words = words(memory);
            // Mostly the words that are slept on, the header, and what is at the end.
            let at = match number.below(4) {
                0 => words.len() as u64 - 1 - number.below(2),
                1 => number.below(words.len() as u64),
                _ => number.below(64),
            };
            let word = &words[at as usize];
            let now = word.load(SeqCst);
            let value = match number.below(6) {
                0 => now.wrapping_add(1),
                1 => now.wrapping_sub(1),
                2 => now ^ 1 << number.below(64),
                3 => number.below(64),
                4 => 0,
                _ => number.next(),
            };
            word.store(value, SeqCst);
        }
    }
    std::println!("{} objects", all.len());
    ask(&socket, &Request::Ends(Exit::Success));
}

type CapSnd = <Sinv as Backend>::CapSnd;

/// Makes a channel, gives the sending end away, and receives from it; whether it was taken.
fn gives_a_sender<T: Kind<Sinv>>(system: &Sinv, over: &mut CapSnd, soon: Deadline) -> bool {
    let (tx, mut rx) = system.chan_for::<T, u64>(over, 2).expect("memory is there");
    let given = over.send_until(tx.into_cap(), soon).is_ok();
    let _ = rx.recv_until(soon);
    given
}

/// The same with the receiving end.
fn gives_a_receiver<T: Kind<Sinv>>(system: &Sinv, over: &mut CapSnd, soon: Deadline) -> bool {
    let (mut tx, rx) = system.chan_for::<T, u64>(over, 2).expect("memory is there");
    let given = over.send_until(rx.into_cap(), soon).is_ok();
    for n in 0..4 {
        let _ = tx.send_until(n, soon);
    }
    given
}

#[test]
fn what_a_receiver_does_to_what_it_is_lent_is_its_own_channels_concern() {
    let system = Sinv::new().expect("a system");
    let until = (system.now() + length()).as_nanos();
    let late = late(until);
    let bad = Comp::new(system.clone(), component(&system, "hostile", scribbles));
    let other = system.component(HONEST, honest).expect("made");
    let (mut over, ends) = system.chanchan(4).expect("a channel");
    let (asks, mut others) = system.chanchan(4).expect("a channel");
    bad.endow(UNTIL, until).expect("endowed");
    bad.endow(ENDS, ends).expect("endowed");
    other.endow(UNTIL, until).expect("endowed");
    other.endow(OVER, asks).expect("endowed");
    let (bad, other) = (begun(bad), begun(other));
    // It asks for what it is not lent first.
    let requests = || {
        let seen = system.inspect().expect("the manager is here");
        seen.components.iter().find(|it| it.name == HOSTILE).map_or(u64::MAX, |it| it.requests)
    };
    let (mut n, mut sent) = (0, 0);
    while let Ok(cap) = others.recv_until(late) {
        let mut answer = cap.cast::<Snd>().expect("it sends");
        if requests() >= 65 {
            let soon = system.within(Duration::from_micros(50));
            sent += u64::from(match n % 3 {
                0 => gives_a_sender::<Spsc>(&system, &mut over, soon),
                1 => gives_a_sender::<ZeroCopy>(&system, &mut over, soon),
                _ => gives_a_receiver::<ZeroCopy>(&system, &mut over, soon),
            });
        }
        answer.send(n).expect("it listens");
        n += 1;
    }
    assert!(sent > 10, "{sent}");
    for component in [other, bad] {
        assert_eq!(component.wait(late), Ok(Exit::Success));
    }
    drop((over, others));
    let left = system.inspect().expect("the manager is here");
    assert_eq!((left.components.len(), left.components[0].bytes), (1, 0), "{left}");
}
