//! Short messages, of which the latest lies beside the index: whichever way one comes, it is the
//! one that is next.

#[path = "common/random.rs"]
mod random;

use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use chan_impls::queue::{Half, InMemory, PopError};
use chan_impls::{PopQueue, PushQueue, SpscPop, SpscPush};
use res_api::Message;
use res_sync::model::{Core, Hostile, set_adversary};

use random::Random;

#[repr(align(128))]
struct Memory([u64; 512]);

/// Where the producer notes its latest push, and where the first slot of a small ring is, in words.
const NOTE: usize = 17;
const SLOTS: usize = 18;
/// The number of a push is in the upper half of a note.
const NUMBER: u32 = 32;

/// Memory that is known by its address alone.
struct Owned(NonNull<Memory>);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: from a box, and freed once.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

/// The halves of a ring, and a way to the words of its memory.
struct Ring<T: Message> {
    tx: SpscPush<Core, T>,
    rx: SpscPop<Core, T>,
    memory: Owned,
}

impl<T: Message> Ring<T> {
    fn new(capacity: u32) -> Self {
        let memory = Owned(NonNull::from(Box::leak(Box::new(Memory([0; 512])))));
        assert!(SpscPush::<Core, T>::bytes(capacity).is_some_and(|bytes| bytes <= 4096));
        let start = memory.0.cast();
        // SAFETY: aligned, large enough, and it lives as long as the halves; each is attached once.
        let (tx, rx) = unsafe {
            SpscPush::<Core, T>::init(start, capacity);
            (SpscPush::attach(start, capacity, 0), SpscPop::attach(start, capacity, 0))
        };
        Self { tx, rx, memory }
    }

    fn write(&mut self, word: usize, value: u64) {
        // SAFETY: within the memory, which the halves know as well: so no reference is made.
        unsafe { self.memory.0.cast::<u64>().add(word).write_volatile(value) };
    }
}

#[test]
fn an_only_one_comes_from_the_note() {
    let mut ring = Ring::<u32>::new(4);
    ring.tx.try_push(7).expect("room");
    ring.write(SLOTS, 8);
    assert_eq!(ring.rx.try_pop(), Ok(Some(7)), "not from its slot");
}

#[test]
fn several_come_from_their_slots() {
    let mut ring = Ring::<u32>::new(4);
    for number in [7, 8, 9] {
        ring.tx.try_push(number).expect("room");
    }
    let popped: Vec<_> = (0..4).map(|_| ring.rx.try_pop()).collect();
    assert_eq!(popped, [Ok(Some(7)), Ok(Some(8)), Ok(Some(9)), Ok(None)]);
}

#[test]
fn a_note_of_another_push_is_not_believed() {
    let mut ring = Ring::<u32>::new(4);
    ring.tx.try_push(7).expect("room");
    assert_eq!(ring.rx.try_pop(), Ok(Some(7)));
    // Not noted: it is one of several, as far as the producer knows.
    assert_eq!(ring.tx.try_push_slice(&[8]), Ok(1));
    assert_eq!(ring.rx.try_pop(), Ok(Some(8)));
    ring.tx.try_push(9).expect("room");
    for number in [0, 1, 3, 1 << 31] {
        ring.write(NOTE, number << NUMBER | 10);
    }
    assert_eq!(ring.rx.try_pop(), Ok(Some(9)));
}

#[test]
fn a_note_is_validated() {
    let mut ring = Ring::<bool>::new(4);
    ring.tx.try_push(true).expect("room");
    ring.write(NOTE, 2);
    assert_eq!(ring.rx.try_pop(), Err(PopError::Misbehaved));
    ring.tx.try_push(true).expect("room");
    assert_eq!(ring.rx.try_pop(), Ok(Some(true)));
}

/// Each word says anything, among it what a note might be.
#[test]
fn a_lying_producer_does_no_harm() {
    let mut memory = Memory([0; 512]);
    let start = NonNull::from(&mut memory.0).cast();
    // SAFETY: aligned, large enough, and it outlives the half.
    let mut rx = unsafe {
        SpscPush::<Hostile, bool>::init(start, 8);
        SpscPop::<Hostile, bool>::attach(start, 8, 0)
    };
    let (mut popped, mut refused) = (0, 0);
    for seed in 1..if cfg!(miri) { 300 } else { 20_000 } {
        let (before, mut random) = (rx.position(), Random(seed));
        set_adversary(Some(Box::new(move |_| {
            let (near, bits) = (before + random.below(4), random.below(4));
            [near, near << NUMBER | bits, before << NUMBER | bits][random.below(3) as usize]
        })));
        match rx.try_pop() {
            Ok(Some(_)) => popped += 1,
            Ok(None) => {}
            Err(_) => refused += 1,
        }
        set_adversary(None);
        let moved = rx.position() - before;
        assert!(moved <= 1, "one at a time, not {moved}");
    }
    assert!(popped > 0 && refused > 0, "{popped} popped, {refused} refused");
}

/// Now one behind the other, now far behind.
#[test]
fn none_is_lost_between_threads() {
    const MESSAGES: u32 = if cfg!(miri) { 300 } else { 300_000 };
    let Ring { mut tx, mut rx, memory } = Ring::<u32>::new(16);
    let give_up = Instant::now() + Duration::from_secs(60);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..MESSAGES {
                while tx.try_push(number).is_err() && !over.load(Relaxed) {
                    thread::yield_now();
                }
                if number % 64 < 8 {
                    thread::yield_now();
                }
            }
        });
        let mut next = || loop {
            match rx.try_pop() {
                Ok(None) if Instant::now() < give_up => thread::yield_now(),
                other => break other,
            }
        };
        let wrong = (0..MESSAGES).find(|number| next() != Ok(Some(*number)));
        over.store(true, Relaxed);
        assert_eq!(wrong, None);
    });
    drop(memory);
}
