//! Each word that a component has mapped, bit by bit, and whoever sleeps there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;
use std::vec::Vec;

use backend_local::parcel::{AnyParcel, Piece};
use res_api::{Exit, Instant, Name, Side, Slot, Value};
use res_kernel::Linux;
use res_kernel::linux::{LinuxMemory, LinuxSocket};
use res_sync::Park;

use super::Begun;
use super::raw::{ask, ask_for, value, words};
use crate::bell::BIT_BITS;
use crate::request::{Request, Said};

/// From the hostile one to the victim.
pub(crate) const TO: [Name; 3] = [Name::new("to0"), Name::new("to1"), Name::new("to2")];
/// From the victim to the hostile one.
pub(crate) const FROM: [Name; 2] = [Name::new("from0"), Name::new("from1")];
/// When it is over, for all of them.
pub(crate) const UNTIL: Slot<Value<u64>> = Slot::new("until");

/// How long everything is cleared, at the end: what is set wakes as well, and what is lost now stays
/// lost.
const CLEARING: Duration = Duration::from_millis(350);

/// All that it has: what it was given, its board, and the arenas in which it is to ring.
fn all_memory(socket: &LinuxSocket, board: Option<LinuxMemory>) -> Vec<LinuxMemory> {
    let taken: Vec<_> = TO
        .into_iter()
        .chain(FROM)
        .map(|name| match ask_for(socket, &Request::Take(name)) {
            Some((Said::Parcel(parcel, _), given)) => (name, parcel, given),
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

pub(super) fn everywhere(Begun { board, .. }: Begun, socket: &LinuxSocket) {
    let until = Instant::from_nanos(value(socket, UNTIL));
    let all = all_memory(socket, board);
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
    ask(socket, &Request::Ends(Exit::Success));
}
