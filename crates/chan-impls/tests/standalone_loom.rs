//! The standalone ring in every interleaving of two threads: nothing is lost, duplicated or
//! reordered, whatever is left is dropped once, and with an event no wake-up is lost.
//!
//! Each property has a mutant that must be found: a memory model whose orderings are too weak, a
//! producer that does not trigger, or triggers too early.

#[path = "../../res-sync/tests/common/models.rs"]
mod models;
#[path = "common/weak.rs"]
mod weak;

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use chan_impls::standalone::{Consumer, Producer, ring_with};
use loom::thread;
use models::{DEADLOCK, Preemptions, RACE, assert_found, check};
use res_sync::model::{Atomic, Loom, LoomPark, LoomPoint, MemoryModel};
use res_sync::{Barrier, Deadline, Event, Wake};
use weak::Weak;

const FEW: Preemptions = Preemptions::up_to(3, 6);

// ---- Order ----

/// An end that is not dropped when loom stops a mutant: loom has no more use for what a drop does.
fn kept<E>(end: E) -> ManuallyDrop<E> {
    ManuallyDrop::new(end)
}

/// One thread tries to push so many numbers, the other to pop so many times; the rest is popped
/// afterwards. Nobody waits, so every interleaving ends.
fn in_order<M: MemoryModel>(capacity: u32, pushes: u32, pops: u32) {
    let (tx, rx) = ring_with::<u32, M>(capacity).expect("it exists");
    let (mut tx, mut rx) = (kept(tx), kept(rx));
    let producer = thread::spawn(move || {
        let accepted: Vec<u32> = (0..pushes).filter(|number| tx.push(*number).is_ok()).collect();
        (tx, accepted)
    });
    let mut popped: Vec<u32> = (0..pops).filter_map(|_| rx.pop()).collect();
    let (tx, accepted) = producer.join().expect("it does not panic");
    popped.extend(std::iter::from_fn(|| rx.pop()));
    assert_eq!(popped, accepted);
    assert!(accepted.len() >= capacity.min(pushes) as usize, "it was not full");
    drop((ManuallyDrop::into_inner(tx), ManuallyDrop::into_inner(rx)));
}

#[test]
fn every_item_once_and_in_order() {
    for (capacity, pushes, pops) in [(1, 3, 3), (2, 4, 3), (3, 5, 3)] {
        check(FEW, move || in_order::<Loom>(capacity, pushes, pops));
    }
}

/// As above, in slices, which become visible all at once.
#[test]
fn slices_in_order() {
    check(FEW, || {
        let (mut tx, mut rx) = ring_with::<u32, Loom>(3).expect("it exists");
        let producer = thread::spawn(move || {
            let first = tx.push_slice(&[0, 1]);
            assert_eq!(first, 2);
            2 + tx.push_slice(&[2, 3, 4])
        });
        let (mut places, mut popped) = ([9; 2], Vec::new());
        for _ in 0..2 {
            let count = rx.pop_slice(&mut places);
            popped.extend_from_slice(&places[..count]);
        }
        let pushed = producer.join().expect("it does not panic");
        popped.extend(std::iter::from_fn(|| rx.pop()));
        assert!(popped.iter().copied().eq(0..pushed as u32), "{popped:?} of {pushed}");
    });
}

// ---- Mutants: orderings that are too weak ----

#[test]
fn the_wrapper_of_the_mutants_is_none() {
    check(FEW, || in_order::<Weak<false, false>>(1, 3, 3));
}

#[test]
fn mutant_stores_without_release() {
    assert_found(RACE, || check(FEW, || in_order::<Weak<true, false>>(1, 2, 2)));
}

#[test]
fn mutant_loads_without_acquire() {
    assert_found(RACE, || check(FEW, || in_order::<Weak<false, true>>(1, 2, 2)));
}

// ---- Ends that go ----

/// An item that counts how often its kind was dropped. Not tracked by loom: what is counted is
/// looked at when both threads are done.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Each end goes after so many tries, while the other may be at work; each item is dropped once.
fn ends_go(capacity: u32, pushes: u32, pops: u32) {
    let drops = Arc::new(AtomicUsize::new(0));
    let (mut tx, mut rx) = ring_with::<Counted, Loom>(capacity).expect("it exists");
    let counter = drops.clone();
    let producer = thread::spawn(move || {
        for _ in 0..pushes {
            // What does not fit is dropped here.
            let _ = tx.push(Counted(counter.clone()));
        }
    });
    for _ in 0..pops {
        drop(rx.pop());
    }
    drop(rx);
    producer.join().expect("it does not panic");
    assert_eq!(drops.load(Relaxed), pushes as usize);
}

#[test]
fn ends_that_go_at_any_time_drop_each_item_once() {
    for (capacity, pushes, pops) in [(1, 2, 0), (1, 2, 2), (2, 3, 1), (3, 3, 2)] {
        check(FEW, move || ends_go(capacity, pushes, pops));
    }
}

/// Who sees that the producer has gone, and then finds nothing, has everything.
#[test]
fn abandoned_and_empty_is_the_end() {
    check(FEW, || {
        let (mut tx, mut rx) = ring_with::<u32, Loom>(2).expect("it exists");
        let producer = thread::spawn(move || {
            tx.push(1).expect("it fits");
            tx.push(2).expect("it fits");
        });
        let abandoned = rx.is_abandoned();
        let there: Vec<u32> = std::iter::from_fn(|| rx.pop()).collect();
        if abandoned {
            assert_eq!(there, [1, 2]);
        }
        producer.join().expect("it does not panic");
    });
}

// ---- With an event: no wake-up is lost ----

/// The words and places at which the two threads sleep.
struct Ground {
    data: (<Loom as MemoryModel>::U64, LoomPoint),
    room: (<Loom as MemoryModel>::U64, LoomPoint),
}

impl Ground {
    fn new() -> Arc<Self> {
        let place = || (Atomic::new(0), LoomPoint::default());
        Arc::new(Self { data: place(), room: place() })
    }
}

fn event((word, point): &(<Loom as MemoryModel>::U64, LoomPoint)) -> Event<'_, LoomPark> {
    Event { park: &LoomPark, point, word, barrier: Barrier::Fence }
}

/// What a side does about a change, and in which order.
#[derive(Clone, Copy)]
enum Manners {
    ThenTrigger,
    TriggerFirst,
    NeverTrigger,
}

impl Manners {
    fn around<R>(self, event: Event<'_, LoomPark>, change: impl FnOnce() -> R) -> R {
        if let Self::TriggerFirst = self {
            event.trigger(Wake::All);
        }
        let result = change();
        if let Self::ThenTrigger = self {
            event.trigger(Wake::All);
        }
        result
    }
}

/// So many numbers over a ring of that capacity, both sides asleep where they cannot go on.
fn over_a_ring(capacity: u32, items: u32, producer: Manners, consumer: Manners) {
    let ground = Ground::new();
    let (tx, rx) = ring_with::<u32, Loom>(capacity).expect("it exists");
    let shared = ground.clone();
    let other = thread::spawn(move || send(&shared, tx, items, producer));
    receive(&ground, rx, items, consumer);
    other.join().expect("it does not panic");
}

fn send(ground: &Ground, tx: Producer<'_, u32, Loom>, items: u32, manners: Manners) {
    let mut tx = kept(tx);
    for number in 0..items {
        event(&ground.room)
            .wait_until(Deadline::NEVER, || {
                manners.around(event(&ground.data), || tx.push(number)).ok()
            })
            .expect("nobody is told anything");
    }
    drop(ManuallyDrop::into_inner(tx));
}

fn receive(ground: &Ground, rx: Consumer<'_, u32, Loom>, items: u32, manners: Manners) {
    let mut rx = kept(rx);
    for number in 0..items {
        let item = event(&ground.data)
            .wait_until(Deadline::NEVER, || manners.around(event(&ground.room), || rx.pop()))
            .expect("nobody is told anything");
        assert_eq!(item, number);
    }
    drop(ManuallyDrop::into_inner(rx));
}

const TWO: Preemptions = Preemptions::up_to(2, 3);

#[test]
fn a_consumer_that_waits_is_woken() {
    // There is always room, so the producer never sleeps.
    check(FEW, || over_a_ring(2, 2, Manners::ThenTrigger, Manners::NeverTrigger));
}

#[test]
fn two_sides_that_wait_wake_each_other() {
    check(TWO, || over_a_ring(1, 2, Manners::ThenTrigger, Manners::ThenTrigger));
}

#[test]
fn mutant_producer_does_not_trigger() {
    assert_found(DEADLOCK, || {
        check(FEW, || over_a_ring(1, 1, Manners::NeverTrigger, Manners::NeverTrigger));
    });
}

#[test]
fn mutant_producer_triggers_too_early() {
    assert_found(DEADLOCK, || {
        check(FEW, || over_a_ring(1, 1, Manners::TriggerFirst, Manners::NeverTrigger));
    });
}

#[test]
fn mutant_consumer_makes_room_in_silence() {
    assert_found(DEADLOCK, || {
        check(TWO, || over_a_ring(1, 2, Manners::ThenTrigger, Manners::NeverTrigger));
    });
}
