//! The standalone ring against a `VecDeque`: whatever is done to both, they say the same, and what
//! went in comes out or is dropped, once.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex};

use chan_impls::queue::{Fate, Half, PushError};
use chan_impls::standalone::{Consumer, Producer, StaticRing, ring};
use chan_impls::{PopQueue, PushQueue};
use proptest::prelude::*;
use res_api::Gone;

fn config() -> ProptestConfig {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    ProptestConfig {
        cases: match (cfg!(miri), long) {
            (true, _) => 4,
            (false, true) => 20_000,
            (false, false) => 500,
        },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

// ---- What is done ----

#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    PushSlice(usize),
    Pop,
    PopSlice(usize),
    Peek,
    DropProducer,
    DropConsumer,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => Just(Step::Push),
        12 => Just(Step::Pop),
        4 => (0_usize..12).prop_map(Step::PushSlice),
        4 => (0_usize..12).prop_map(Step::PopSlice),
        4 => Just(Step::Peek),
        1 => Just(Step::DropProducer),
        1 => Just(Step::DropConsumer),
    ];
    prop::collection::vec(step, 0..if cfg!(miri) { 30 } else { 120 })
}

/// What goes through a ring. Slices are for what can be copied; one by one, it must be the same.
trait Item: Send + Clone + PartialEq + Debug {
    fn push_slice(tx: &mut Producer<'_, Self>, items: &[Self]) -> usize {
        items.iter().take_while(|item| tx.push((*item).clone()).is_ok()).count()
    }

    fn pop_slice(rx: &mut Consumer<'_, Self>, places: &mut [Self]) -> usize {
        let there = std::iter::from_fn(|| rx.pop());
        places.iter_mut().zip(there).map(|(place, item)| *place = item).count()
    }
}

macro_rules! copied {
    ($($item:ty),*) => { $(
        impl Item for $item {
            fn push_slice(tx: &mut Producer<'_, Self>, items: &[Self]) -> usize {
                tx.push_slice(items)
            }
            fn pop_slice(rx: &mut Consumer<'_, Self>, places: &mut [Self]) -> usize {
                rx.pop_slice(places)
            }
        }
    )* };
}

/// Words of an item that is larger than a line.
const LARGE: usize = if cfg!(miri) { 9 } else { 40 };

copied!(u64, (), [u8; 3], [u64; LARGE]);

impl Item for String {}
impl Item for Box<u64> {}

/// Does the steps to a ring and to a queue, and compares what each step and each look says.
fn compare<T: Item>(
    (tx, rx): (Producer<'_, T>, Consumer<'_, T>),
    capacity: usize,
    steps: &[Step],
    mut make: impl FnMut(u64) -> T,
) {
    let (mut tx, mut rx) = (Some(tx), Some(rx));
    let mut model = VecDeque::new();
    let (mut pushed, mut popped, mut next) = (0_u64, 0_u64, 0_u64);
    let mut new = || {
        next += 1;
        make(next)
    };
    for step in steps {
        match (*step, &mut tx, &mut rx) {
            (Step::Push, Some(tx), _) => {
                let item = new();
                let full = model.len() == capacity;
                let expected = if full { Err(item.clone()) } else { Ok(()) };
                assert_eq!(tx.has_room(), Ok(!full));
                assert_eq!(tx.push(item.clone()), expected);
                if !full {
                    model.push_back(item);
                    pushed += 1;
                }
            }
            (Step::PushSlice(count), Some(tx), _) => {
                let items: Vec<T> = (0..count).map(|_| new()).collect();
                let fit = count.min(capacity - model.len());
                assert_eq!(T::push_slice(tx, &items), fit);
                model.extend(items.into_iter().take(fit));
                pushed += fit as u64;
            }
            (Step::Pop, _, Some(rx)) => {
                assert_eq!(rx.has_item(), Ok(!model.is_empty()));
                popped += u64::from(!model.is_empty());
                assert_eq!(rx.pop(), model.pop_front());
            }
            (Step::PopSlice(count), _, Some(rx)) => {
                let mut places: Vec<T> = (0..count).map(|_| new()).collect();
                let fit = count.min(model.len());
                assert_eq!(T::pop_slice(rx, &mut places), fit);
                popped += fit as u64;
                assert!(places.into_iter().take(fit).eq(model.drain(..fit)));
            }
            (Step::Peek, _, Some(rx)) => assert_eq!(rx.peek(), model.front()),
            (Step::DropProducer, ..) => tx = None,
            (Step::DropConsumer, ..) => rx = None,
            _ => {}
        }
        if let Some(tx) = &tx {
            look(tx, capacity, model.len(), pushed);
            assert_eq!(tx.is_abandoned(), rx.is_none());
        }
        if let Some(rx) = &rx {
            look(rx, capacity, model.len(), popped);
            assert_eq!(rx.is_abandoned(), tx.is_none());
        }
    }
}

fn look(half: &(impl Half + Debug), capacity: usize, len: usize, position: u64) {
    assert_eq!(half.capacity() as usize, capacity);
    assert_eq!(half.len() as usize, len, "{half:?}");
    assert_eq!(half.is_empty(), len == 0);
    assert_eq!(half.position(), position);
    assert!(half.high_water() as usize <= capacity);
}

/// On both kinds of memory; a `StaticRing` is a power of two, and is used twice.
fn on_both<T: Item>(capacity: usize, steps: &[Step], make: impl Fn(u64) -> T) {
    compare(ring(capacity as u32).expect("it exists"), capacity, steps, &make);
    fn split_twice<T: Item, const N: usize>(steps: &[Step], make: impl Fn(u64) -> T) {
        let mut memory = StaticRing::<T, N>::new();
        compare(memory.split(), N, steps, &make);
        compare(memory.split(), N, steps, &make);
    }
    match capacity {
        1 => split_twice::<T, 1>(steps, make),
        2 => split_twice::<T, 2>(steps, make),
        4 => split_twice::<T, 4>(steps, make),
        8 => split_twice::<T, 8>(steps, make),
        _ => {}
    }
}

/// Every capacity up to a little beyond 8, and some that are far from a power of two.
fn capacities() -> impl Strategy<Value = usize> {
    prop_oneof![9 => 1_usize..=9, 1 => prop::sample::select(vec![17_usize, 33, 63, 65, 100])]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn words(capacity in capacities(), steps in steps()) {
        on_both(capacity, &steps, |number| number);
    }

    #[test]
    fn odd_sizes(capacity in capacities(), steps in steps()) {
        on_both(capacity, &steps, |number| [number as u8; 3]);
        on_both(capacity, &steps, |number| [number; LARGE]);
    }

    #[test]
    fn items_of_no_size(capacity in capacities(), steps in steps()) {
        on_both(capacity, &steps, |_| ());
    }

    #[test]
    fn items_that_own_memory(capacity in capacities(), steps in steps()) {
        on_both(capacity, &steps, |number| format!("number {number}"));
        on_both(capacity, &steps, Box::new);
    }

    #[test]
    fn nothing_is_leaked_or_dropped_twice(capacity in capacities(), steps in steps()) {
        let ledger = Ledger::default();
        on_both(capacity, &steps, |_| ledger.entry());
        ledger.balance();
    }

    #[test]
    fn what_is_taken_back_is_ours_and_nothing_else(
        capacity in 1_u32..=9,
        pushed in 0_u32..=9,
        popped in 0_u32..=9,
        count in 0_u32..=9,
    ) {
        retract(capacity, pushed.min(capacity), popped, count);
    }
}

// ---- Drops, counted ----

/// How often each entry was dropped.
#[derive(Clone, Debug, Default)]
struct Ledger(Arc<Mutex<Vec<u32>>>);

/// An item that tells the ledger when it is dropped. A clone is an entry of its own.
#[derive(Debug)]
struct Entry {
    ledger: Ledger,
    number: usize,
}

impl Ledger {
    fn entry(&self) -> Entry {
        let mut drops = self.0.lock().expect("no panic");
        drops.push(0);
        Entry { ledger: self.clone(), number: drops.len() - 1 }
    }

    /// Each was dropped once.
    fn balance(&self) {
        let drops = self.0.lock().expect("no panic");
        assert!(drops.iter().all(|times| *times == 1), "{drops:?}");
    }
}

impl Item for Entry {}

impl Clone for Entry {
    fn clone(&self) -> Self {
        self.ledger.entry()
    }
}

/// All are alike: the order is the business of the other items.
impl PartialEq for Entry {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Ok(mut drops) = self.ledger.0.lock() {
            drops[self.number] += 1;
        }
    }
}

// ---- Retracting (H22) ----

/// Pushes, keeping a second owner of the same bits as a sender does; pops some; the consumer goes;
/// takes back. What was taken back belongs to the second owners, the rest does not.
fn retract(capacity: u32, pushed: u32, popped: u32, count: u32) {
    let popped = popped.min(pushed);
    let count = count.min(pushed);
    let ledger = Ledger::default();
    let (mut tx, mut rx) = ring(capacity).expect("it exists");
    let mut kept = Vec::new();
    for _ in 0..pushed {
        let item = ManuallyDrop::new(ledger.entry());
        // SAFETY: `item` is dropped only where the ring has said that it gave up the other copy.
        assert!(tx.try_push(unsafe { std::ptr::read(&*item) }).is_ok());
        kept.push(item);
    }
    for _ in 0..popped {
        assert!(rx.pop().is_some());
    }
    drop(rx);
    let Fate::TakenBack(back) = tx.retract(count, Gone::Closed) else {
        panic!("in one address space it is known");
    };
    assert_eq!(back, count.min(pushed - popped));
    assert_eq!(tx.len(), pushed - popped - back);
    assert_eq!(tx.position(), u64::from(pushed - back));
    for item in kept.split_off((pushed - back) as usize) {
        drop(ManuallyDrop::into_inner(item));
    }
    drop(tx);
    ledger.balance();
}

#[test]
fn nothing_is_taken_back_while_the_consumer_lives() {
    let (mut tx, mut rx) = ring::<u8>(2).expect("it exists");
    assert_eq!(tx.try_push(1), Ok(()));
    assert_eq!(tx.retract(1, Gone::PeerGone), Fate::TakenBack(0));
    // As a queue it takes nothing from then on, so no later item can be taken for the earlier.
    assert_eq!(tx.has_room(), Ok(false));
    assert_eq!(tx.try_push(2), Err((2, PushError::Full)));
    assert_eq!(tx.try_push_slice(&[2]), Err(PushError::Full));
    assert_eq!(rx.pop(), Some(1));
    assert_eq!(rx.pop(), None);
}

// ---- Capacities ----

#[test]
fn capacities_that_do_not_exist() {
    assert!(ring::<u8>(0).is_none());
    assert!(ring::<u8>((1 << 31) + 1).is_none());
    assert!(ring::<()>((1 << 31) + 1).is_none());
    assert!(ring::<u8>(u32::MAX).is_none());
    // More bytes than an address space has.
    assert!(ring::<[u64; 1 << 40]>(1 << 20).is_none());
}

#[test]
fn the_whole_of_an_odd_capacity_is_used() {
    for capacity in 1..=if cfg!(miri) { 9 } else { 70 } {
        let (mut tx, mut rx) = ring(capacity).expect("it exists");
        for start in [0, 7, 1000] {
            assert_eq!(
                (start..).take_while(|number| tx.push(*number).is_ok()).count() as u32,
                capacity
            );
            assert_eq!(tx.high_water(), capacity.min(tx.high_water().max(1)));
            assert!(std::iter::from_fn(|| rx.pop()).eq(start..start + capacity));
        }
    }
}

// ---- Two threads ----

#[test]
fn two_threads_keep_the_order() {
    const ITEMS: u64 = if cfg!(miri) { 100 } else { 50_000 };
    for capacity in [1, 3, 64] {
        let (mut tx, mut rx) = ring(capacity).expect("it exists");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for number in 0..ITEMS {
                    let mut item = Box::new(number);
                    while let Err(back) = tx.push(item) {
                        item = back;
                        std::thread::yield_now();
                    }
                }
            });
            let mut next = 0;
            while next < ITEMS {
                match rx.pop() {
                    Some(item) => {
                        assert_eq!(*item, next);
                        next += 1;
                    }
                    None => std::thread::yield_now(),
                }
            }
        });
    }
}
