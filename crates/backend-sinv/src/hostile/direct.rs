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
use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, CapRx, CapTx, Comp, Deadline, Env, Exit, Fault, Gone, Instant, IntoCap, Kind,
    Name, Receiver, RecvError, Rx, Sender, Slot, Tx, Value,
};
use res_kernel::linux::{LinuxMemory, LinuxSocket};
use res_kernel::{KernelMemory, Linux};
use res_sync::Park;
use res_sync::model::Core;

use super::random::Random;
use super::raw::{ask, ask_for, begin, component, value, words};
use crate::Sinv;
use crate::request::{Request, Said};
use crate::wire::Wire as _;

const OVER: Slot<CapTx> = Slot::new("over");
const ENDS: Slot<CapRx> = Slot::new("ends");
const LIKE: Slot<Rx<Spsc, u64>> = Slot::new("like");
const PING: Slot<Tx<Spsc, u64>> = Slot::new("ping");
const PONG: Slot<Rx<Spsc, u64>> = Slot::new("pong");
const SEEN: Slot<Tx<Spsc, [u64; 4]>> = Slot::new("seen");
/// When it is over, for all of them.
const UNTIL: Slot<Value<u64>> = Slot::new("until");

const HONEST: Name = Name::new("honest");

fn length() -> Duration {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    Duration::from_millis(if long { 60_000 } else { 700 })
}

fn late(until: u64) -> Deadline {
    Deadline::at(Instant::from_nanos(until) + Duration::from_secs(20))
}

/// The ring in the memory of a queue.
fn ring(memory: &LinuxMemory) -> Direct<Core> {
    assert!(memory.len() >= QUEUE_DIRECT + BYTES);
    // SAFETY: within the memory, which is mapped for writing to the end of this process.
    unsafe { Direct::new(memory.base().add(QUEUE_DIRECT as usize)) }
}

/// What it was endowed with, and its memory.
fn taken(socket: &LinuxSocket, name: Name) -> (Parcel, LinuxMemory) {
    match ask_for(socket, &Request::Take(name)) {
        Some((Said::Parcel(parcel), given)) => (parcel, given.into_iter().next().expect("memory")),
        _ => panic!("it was endowed with {name}"),
    }
}

fn queue_of(parcel: &Parcel) -> u64 {
    let queue = parcel.pieces.iter().find_map(|piece| match piece {
        Piece::Queue(queue) => Some(*queue),
        _ => None,
    });
    queue.expect("an end of a queue")
}

/// The same of another object.
fn within(like: &Parcel, object: u64) -> Parcel {
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
    let any = number.below(64);
    let mut parcel = within(like, if number.below(3) == 0 { any } else { lent });
    let at = number.below(parcel.pieces.len() as u64) as usize;
    match number.below(8) {
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
    match number.below(4) {
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
    let (hello, _) = begin(&socket);
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
        assert!(ring.push(position, &made_up(&mut number, &like, lent)));
        // Moves the word, and wakes whoever sleeps there: it is to look.
        data.fetch_add(1 << 8, SeqCst);
        let word = data.as_ptr();
        // SAFETY: a futex of a word that is mapped.
        unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE, i32::MAX) };
        if number.below(64) == 0 {
            // It says that there is what cannot be.
            ring.push(position.wrapping_add(number.below(2 * PLACES)), &[]);
        }
        std::thread::yield_now();
    }
    ask(&socket, &Request::Ends(Exit::Success));
}

/// Asks, and waits for each answer.
fn honest(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut ping, mut pong, until) = (env.take(PING)?, env.take(PONG)?, env.take(UNTIL)?);
    for n in 0.. {
        if env.now() >= Instant::from_nanos(until) {
            break;
        }
        ping.send_until(n, late(until))?;
        assert_eq!(pong.recv_until(late(until))?, n);
    }
    Ok(())
}

type Snd = <Spsc as Kind<Sinv>>::Snd<u64>;
type Rcv = <Spsc as Kind<Sinv>>::Rcv<u64>;

/// Answers what has come of the honest one; false once it has left.
fn answer(ping: &mut Rcv, pong: &mut Snd, next: &mut u64) -> bool {
    let gone = ping.drain(|n| {
        assert_eq!(n, *next, "nobody else sends there");
        *next += 1;
        pong.try_send(n).expect("it listens");
    });
    gone.inspect(|gone| assert_eq!(*gone, Gone::Closed)).is_none()
}

/// Uses what has come, whatever it says that it is.
fn uses(env: &Env<Sinv>, cap: <Sinv as Backend>::Cap) {
    let soon = env.within(Duration::from_micros(10));
    if let Ok(mut rx) = cap.cast::<Rcv>() {
        let _ = rx.recv_until(soon);
        let _ = rx.recv_until(soon);
    }
}

fn victim(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut ends, mut seen) = (env.take(ENDS)?, [0; 4]);
    let mut ping = env.take(Slot::<Rx<Spsc, u64>>::new("ping"))?;
    let mut pong = env.take(Slot::<Tx<Spsc, u64>>::new("pong"))?;
    let (mut next, mut open) = (0, true);
    while open {
        open = answer(&mut ping, &mut pong, &mut next);
        let soon = env.within(Duration::from_micros(50));
        let place = match ends.recv_until(soon) {
            Ok(cap) => {
                uses(&env, cap);
                0
            }
            Err(RecvError::TimedOut) => 1,
            Err(RecvError::Gone(Gone::Misbehaved)) => 2,
            Err(_) => 3,
        };
        seen[place] += 1;
    }
    Ok(env.take(SEEN)?.send(seen)?)
}

fn begun(component: Comp<Sinv>) -> Comp<Sinv> {
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
    let ((ping, pinged), (pong, ponged)) = (ring_of(&system), ring_of(&system));
    let (over, ends) = system.chanchan(16).expect("a channel");
    let (like, kept) = ring_of(&system);
    let (seen, mut result) = system.chan::<Spsc, [u64; 4]>(1).expect("a channel");
    bad.endow(UNTIL, until).expect("endowed");
    bad.endow(OVER, over).expect("endowed");
    bad.endow(LIKE, kept).expect("endowed");
    other.endow(UNTIL, until).expect("endowed");
    other.endow(PING, ping).expect("endowed");
    other.endow(PONG, ponged).expect("endowed");
    good.endow(ENDS, ends).expect("endowed");
    good.endow(Slot::<Rx<Spsc, u64>>::new("ping"), pinged).expect("endowed");
    good.endow(Slot::<Tx<Spsc, u64>>::new("pong"), pong).expect("endowed");
    good.endow(SEEN, seen).expect("endowed");
    let (good, bad, other) = (begun(good), begun(bad), begun(other));
    for component in [other, good, bad] {
        assert_eq!(component.wait(late), Ok(Exit::Success));
    }
    let seen = result.recv().expect("it said so");
    std::println!("something, nothing, misbehaved, gone: {seen:?}");
    assert!(seen[0] > 0 && seen[2] > 0, "the attack did something: {seen:?}");
    drop(like);
    let left = system.inspect().expect("the manager is here");
    assert_eq!((left.components.len(), left.memory.len()), (1, 0), "{left}");
}

fn ring_of(system: &Sinv) -> (Snd, Rcv) {
    system.chan::<Spsc, u64>(4).expect("a channel")
}

/// Fetches what it is lent, and writes everywhere.
fn scribbles(_: Linux, socket: LinuxSocket) {
    let (hello, _) = begin(&socket);
    let until = Instant::from_nanos(value(&socket, UNTIL));
    let (ends, memory) = taken(&socket, ENDS.name());
    let (queue, ring) = (queue_of(&ends), ring(&memory));
    let (mut number, mut all) = (Random(u64::from(hello.id) | 1), Vec::new());
    let mut known = Vec::new();
    while Linux::new().now() < until {
        for position in ring.popped()..ring.popped() + ring.len() {
            let bytes = &mut [0; MOST];
            let Some(parcel) = Parcel::decoded(ring.peek(position, bytes)) else { continue };
            parcel.each(&mut |_, piece| {
                if let Piece::Memory { object, .. } = piece
                    && !known.contains(object)
                {
                    known.push(*object);
                    let fetched = ask_for(&socket, &Request::Fetch(queue, *object));
                    all.extend(fetched.into_iter().flat_map(|(_, given)| given));
                }
            });
        }
        ring.pop(ring.pushed().wrapping_sub(1).wrapping_sub(number.below(2)));
        for _ in 0..1000 {
            let Some(memory) = all.get(number.below(all.len().max(1) as u64) as usize) else { break };
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

#[test]
fn what_a_receiver_does_to_what_it_is_lent_is_its_own_channels_concern() {
    let system = Sinv::new().expect("a system");
    let until = (system.now() + length()).as_nanos();
    let late = late(until);
    let bad = Comp::new(system.clone(), component(&system, "hostile", scribbles));
    let other = system.component(HONEST, honest).expect("made");
    let ((ping, mut pinged), (mut pong, ponged)) = (ring_of(&system), ring_of(&system));
    let (mut over, ends) = system.chanchan(4).expect("a channel");
    bad.endow(UNTIL, until).expect("endowed");
    bad.endow(ENDS, ends).expect("endowed");
    other.endow(UNTIL, until).expect("endowed");
    other.endow(PING, ping).expect("endowed");
    other.endow(PONG, ponged).expect("endowed");
    let (bad, other) = (begun(bad), begun(other));
    let (mut next, mut sent) = (0, 0);
    while answer(&mut pinged, &mut pong, &mut next) {
        let soon = system.within(Duration::from_micros(50));
        // It may have as many as its limits allow, if it says that nothing has been let go.
        let Ok((tx, mut rx)) = system.chan_for::<Spsc, u64>(&over, 2) else { continue };
        sent += u64::from(over.send_until(tx.into_cap(), soon).is_ok());
        let _ = rx.recv_until(soon);
    }
    assert!(sent > 10, "{sent}");
    for component in [other, bad] {
        assert_eq!(component.wait(late), Ok(Exit::Success));
    }
    drop((over, pinged, pong));
    let left = system.inspect().expect("the manager is here");
    assert_eq!((left.components.len(), left.components[0].bytes), (1, 0), "{left}");
}
