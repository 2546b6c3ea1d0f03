//! The ring of messages beside a peer that writes what it likes into the shared memory.
//!
//! The adversary knows the fields: it is asked for each word that a half loads, and answers with
//! what is next to the truth, next to what the half believes, far away, or random. Beside each
//! half runs an oracle of what it may believe, written down from the documentation of the
//! protocol. At the end every cause of `Misbehaved` must have occurred.

#[path = "common/random.rs"]
mod random;

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::rc::Rc;

use chan_impls::queue::{Fate, Half, InMemory, Misbehaved, PopError, PushError};
use chan_impls::{PopQueue, PushQueue, SpscPop, SpscPush};
use res_api::{Gone, Message, message};
use res_sync::model::{Hostile, set_adversary};

use random::Random;

/// A message that not every bit pattern is: the last byte of the first word is a bool. What is in
/// the other bytes tells a word of a message from an index.
#[message("marked", version = 1)]
#[derive(Debug, PartialEq)]
struct Marked {
    number: u32,
    mark: [u8; 3],
    flag: bool,
}

const MARK: [u8; 3] = [0xa5, 0x5a, 0xc3];

fn marked(number: u32) -> Marked {
    Marked { number, mark: MARK, flag: number.is_multiple_of(2) }
}

fn is_message(word: u64) -> bool {
    word.to_le_bytes()[4..7] == MARK
}

/// Memory for a ring, with marked bytes on both sides that nobody may touch.
struct Memory {
    /// Kept aligned to 128.
    lines: Vec<Line>,
    bytes: usize,
}

#[derive(Clone, Copy)]
#[repr(align(128))]
struct Line([u8; 128]);

const GUARD: u8 = 0x77;

impl Memory {
    fn new(bytes: u64) -> Self {
        let bytes = bytes as usize;
        Self { lines: vec![Line([GUARD; 128]); bytes.div_ceil(128) + 2], bytes }
    }

    fn at(&mut self) -> NonNull<u8> {
        let first = NonNull::from(&mut self.lines[..]).cast::<u8>();
        // SAFETY: the second of at least two lines.
        unsafe { first.add(128) }
    }

    /// Nothing before or behind the ring has been written.
    fn check(&self) {
        let all = self.lines.iter().flat_map(|line| line.0);
        let outside = |at: &usize| *at < 128 || *at >= 128 + self.bytes;
        assert!(all.enumerate().filter(|(at, _)| outside(at)).all(|(_, byte)| byte == GUARD));
    }
}

/// A ring with both halves, through which so many messages have gone, so that the slots are
/// messages already.
fn ring(
    memory: &mut Memory,
    capacity: u32,
) -> (SpscPush<Hostile, Marked>, SpscPop<Hostile, Marked>) {
    let at = memory.at();
    // SAFETY: memory of that size, aligned to 128, that outlives the halves; each is attached once.
    let (mut tx, mut rx) = unsafe {
        SpscPush::<Hostile, Marked>::init(at, capacity);
        (SpscPush::attach(at, capacity, 0), SpscPop::attach(at, capacity, 0))
    };
    for number in 0..2 * capacity.next_power_of_two() {
        assert_eq!(tx.try_push(marked(number)), Ok(()));
        assert_eq!(rx.try_pop(), Ok(Some(marked(number))));
    }
    (tx, rx)
}

fn memory_for(capacity: u32) -> Memory {
    Memory::new(SpscPush::<Hostile, Marked>::bytes(capacity).expect("it fits"))
}

/// What the adversary knows, and what it said last.
struct Adversary {
    random: Random,
    /// Where the half stands, and what it believes of the other one.
    own: u64,
    believed: u64,
    capacity: u64,
    /// The indices that it has answered with in this operation.
    said: Vec<u64>,
    /// Messages that it has made invalid in this operation.
    spoiled: u32,
}

impl Adversary {
    fn answer(&mut self, truth: u64) -> u64 {
        if is_message(truth) {
            return self.spoil(truth);
        }
        let Self { own, believed, capacity, .. } = *self;
        let near = self.random.below(5).wrapping_sub(2);
        let said = match self.random.below(14) {
            0..=2 => truth,
            3 => own.wrapping_add(near),
            4 | 5 => believed.wrapping_add(near),
            6 | 7 => own.wrapping_add(capacity).wrapping_add(near),
            8 => own.wrapping_sub(capacity).wrapping_add(near),
            // Within what is believable, so that the half goes on from there.
            9 | 10 => believed + self.random.below(capacity + 1),
            11 => [0, capacity, u64::MAX, 1 << 63, 1 << 32, u64::from(u32::MAX)]
                [self.random.below(6) as usize],
            12 => own.wrapping_add(self.random.below(8) << 32),
            _ => self.random.next(),
        };
        self.said.push(said);
        said
    }

    fn spoil(&mut self, truth: u64) -> u64 {
        let mut bytes = truth.to_le_bytes();
        match self.random.below(6) {
            0 => {
                bytes[7] = 2 + self.random.below(254) as u8;
                self.spoiled += 1;
            }
            // Other numbers are as good as the true one.
            1 => bytes[0] ^= self.random.next() as u8,
            _ => {}
        }
        u64::from_le_bytes(bytes)
    }
}

/// Does one operation beside the adversary; returns what came of it, and what was said meanwhile.
fn beside<R>(
    adversary: &Rc<RefCell<Adversary>>,
    own: u64,
    believed: u64,
    operation: impl FnOnce() -> R,
) -> (R, Vec<u64>, u32) {
    {
        let mut adversary = adversary.borrow_mut();
        adversary.own = own;
        adversary.believed = believed;
        adversary.said.clear();
        adversary.spoiled = 0;
    }
    let asked = adversary.clone();
    set_adversary(Some(Box::new(move |truth| asked.borrow_mut().answer(truth))));
    let result = operation();
    set_adversary(None);
    let adversary = adversary.borrow();
    (result, adversary.said.clone(), adversary.spoiled)
}

#[derive(Debug, Default)]
struct Causes {
    head_backwards: Cell<u64>,
    head_beyond_tail: Cell<u64>,
    tail_backwards: Cell<u64>,
    tail_too_far: Cell<u64>,
    invalid_value: Cell<u64>,
}

fn count(cause: &Cell<u64>) {
    cause.set(cause.get() + 1);
}

fn adversary(seed: u64, capacity: u32) -> Rc<RefCell<Adversary>> {
    Rc::new(RefCell::new(Adversary {
        random: Random(seed),
        own: 0,
        believed: 0,
        capacity: capacity.into(),
        said: Vec::new(),
        spoiled: 0,
    }))
}

/// A producer whose consumer lies.
fn producer(capacity: u32, seed: u64, operations: u32, causes: &Causes) {
    let mut memory = memory_for(capacity);
    let (mut tx, _rx) = ring(&mut memory, capacity);
    let liar = adversary(seed, capacity);
    let mut random = Random(!seed);
    let full = u64::from(capacity);
    // What it has pushed, and what it believes that the consumer has popped. It has asked now and
    // then while the ring was made, but not since it was full by what it knew.
    let mut tail = tx.position();
    let mut head = believed_after_setup(capacity);
    let messages: Vec<Marked> = (0..capacity + 2).map(marked).collect();
    for _ in 0..operations {
        let want = random.below(full + 2);
        // For a push: how much room it needs to know of, before it does not ask.
        let check = |wanted: u64, head: &mut u64, said: &[u64]| -> Result<u64, Misbehaved> {
            let known = full - (tail - *head);
            if known >= wanted {
                assert!(said.is_empty(), "it asked without need");
                return Ok(known);
            }
            let [said] = *said else { panic!("it asks once, not {} times", said.len()) };
            if said < *head {
                count(&causes.head_backwards);
                return Err(Misbehaved);
            }
            if said > tail {
                count(&causes.head_beyond_tail);
                return Err(Misbehaved);
            }
            *head = said;
            Ok(full - (tail - said))
        };
        match random.below(12) {
            0..=5 => {
                let (pushed, said, _) = beside(&liar, tail, head, || tx.try_push(messages[0]));
                let expected = match check(1, &mut head, &said) {
                    Ok(0) => Err(PushError::Full),
                    Ok(_) => Ok(()),
                    Err(Misbehaved) => Err(PushError::Misbehaved),
                };
                assert_eq!(pushed.map_err(|(_, why)| why), expected);
                tail += u64::from(expected.is_ok());
            }
            6 | 7 => {
                let items = &messages[..want as usize];
                let (pushed, said, _) = beside(&liar, tail, head, || tx.try_push_slice(items));
                let expected = match check(want.min(full), &mut head, &said) {
                    Ok(0) if want != 0 => Err(PushError::Full),
                    Ok(room) => Ok(room.min(want) as usize),
                    Err(Misbehaved) => Err(PushError::Misbehaved),
                };
                assert_eq!(pushed, expected);
                tail += expected.unwrap_or(0) as u64;
            }
            8 => {
                let (room, said, _) = beside(&liar, tail, head, || tx.has_room());
                assert_eq!(room, check(1, &mut head, &said).map(|room| room != 0));
            }
            9 | 10 => {
                let (len, ..) = beside(&liar, tail, head, || tx.len());
                assert!(len <= capacity, "{len} of {capacity}");
            }
            _ => {
                // Taking back never goes behind what is believed to be popped.
                let (fate, ..) =
                    beside(&liar, tail, head, || tx.retract(want as u32, Gone::Closed));
                let Fate::TakenBack(back) = fate else { panic!("closed: it is known") };
                assert!(u64::from(back) <= want.min(tail - head));
                tail -= u64::from(back);
                // Believed where the peer says that it has received all.
                let fate = tx.retract(1, Gone::Revoked);
                assert!(matches!(fate, Fate::Unknown | Fate::TakenBack(0)), "{fate:?}");
            }
        }
        assert_eq!(tx.position(), tail);
        assert!(tx.high_water() <= capacity);
    }
    memory.check();
}

/// While the ring is made, the producer asks each time that it has filled what it knows of.
fn believed_after_setup(capacity: u32) -> u64 {
    let pushes = u64::from(2 * capacity.next_power_of_two());
    // It believes 0 popped at first; at a push that finds `capacity` unaccounted for it asks, and
    // hears that all before were popped.
    let full = u64::from(capacity);
    (pushes - 1) / full * full
}

/// A consumer whose producer lies.
fn consumer(capacity: u32, seed: u64, operations: u32, causes: &Causes) {
    let mut memory = memory_for(capacity);
    let (_tx, mut rx) = ring(&mut memory, capacity);
    let liar = adversary(seed, capacity);
    let mut random = Random(!seed);
    let full = u64::from(capacity);
    // How far it believes that the producer has come.
    let mut believed = rx.position();
    let mut places: Vec<Marked> = (0..capacity + 2).map(marked).collect();
    for _ in 0..operations {
        let want = random.below(full + 2);
        let head = rx.position();
        let tail = believed;
        let mut check = |wanted: u64, said: &[u64]| -> Result<u64, Misbehaved> {
            if tail - head >= wanted {
                assert!(said.is_empty(), "it asked without need");
                return Ok(tail - head);
            }
            let [said] = *said else { panic!("it asks once, not {} times", said.len()) };
            if said < tail {
                count(&causes.tail_backwards);
                return Err(Misbehaved);
            }
            if said - head > full {
                count(&causes.tail_too_far);
                return Err(Misbehaved);
            }
            believed = said;
            Ok(said - head)
        };
        match random.below(10) {
            0..=4 => {
                let (popped, said, spoiled) = beside(&liar, head, tail, || rx.try_pop());
                match (check(1, &said), spoiled) {
                    (Ok(1..), 0) => assert!(popped.is_ok_and(|item| item.is_some())),
                    (Ok(1..), _) => {
                        count(&causes.invalid_value);
                        assert_eq!(popped, Err(PopError::Misbehaved));
                    }
                    (Ok(0), _) => assert_eq!(popped, Ok(None)),
                    (Err(Misbehaved), _) => assert_eq!(popped, Err(PopError::Misbehaved)),
                }
            }
            5 | 6 => {
                let places = &mut places[..want as usize];
                let (popped, said, spoiled) =
                    beside(&liar, head, tail, || rx.try_pop_slice(places));
                match (check(want.min(full), &said), spoiled) {
                    (Ok(items), 0) => assert_eq!(popped, Ok(items.min(want) as usize)),
                    // Those before the invalid one, or why there are none.
                    (Ok(items), _) => {
                        assert!(popped.is_err() || popped.is_ok_and(|count| count as u64 <= items));
                    }
                    (Err(Misbehaved), _) => assert_eq!(popped, Err(PopError::Misbehaved)),
                }
            }
            7 => {
                let (there, said, _) = beside(&liar, head, tail, || rx.has_item());
                assert_eq!(there, check(1, &said).map(|items| items != 0));
            }
            _ => {
                let (len, ..) = beside(&liar, head, tail, || rx.len());
                assert!(len <= capacity, "{len} of {capacity}");
            }
        }
        assert!(rx.high_water() <= capacity);
        assert!(rx.position() - head <= full);
    }
    memory.check();
}

fn rounds() -> u64 {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    if long { 400 } else { 20 }
}

#[test]
fn a_lying_peer_is_found_and_does_no_harm() {
    let causes = Causes::default();
    for seed in 1..=rounds() {
        for capacity in [1, 2, 3, 4, 5, 8, 13, 64] {
            producer(capacity, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1000, &causes);
            consumer(capacity, seed.wrapping_mul(0xd1b5_4a32_d192_ed03), 1000, &causes);
        }
    }
    println!("{causes:?}");
    let Causes { head_backwards, head_beyond_tail, tail_backwards, tail_too_far, invalid_value } =
        causes;
    assert!(head_backwards.get() > 0);
    assert!(head_beyond_tail.get() > 0);
    assert!(tail_backwards.get() > 0);
    assert!(tail_too_far.get() > 0);
    assert!(invalid_value.get() > 0);
}

/// A half that starts anywhere, in memory that says something else, asks before it believes.
#[test]
fn attached_to_memory_that_lies() {
    let causes = Cell::new(0);
    for position in [0_u64, 1, 3, 1 << 32, 1 << 63, (1 << 63) + 1] {
        for said in [0, 1, 4, position, position.wrapping_sub(1), position + 1, u64::MAX] {
            let mut memory = memory_for(4);
            let at = memory.at();
            // SAFETY: memory of that size, aligned, that outlives the halves; each is attached
            // once.
            let (mut tx, mut rx) = unsafe {
                SpscPush::<Hostile, Marked>::init(at, 4);
                let tx = SpscPush::<Hostile, Marked>::attach(at, 4, position);
                (tx, SpscPop::<Hostile, Marked>::attach(at, 4, position))
            };
            set_adversary(Some(Box::new(move |_| said)));
            for result in [tx.has_room(), rx.has_item()] {
                causes.set(causes.get() + u32::from(result.is_err()));
            }
            assert!(tx.len() <= 4 && rx.len() <= 4);
            set_adversary(None);
        }
    }
    assert!(causes.get() > 0);
}

/// Larger messages come by one copy, around the words of the model; what is in the memory is
/// what counts. Each flag is either value or refused.
#[test]
fn large_messages_are_validated_too() {
    fn bytes_that_are_none<const N: usize>() {
        type Large<const N: usize> = [bool; N];
        let mut memory = Memory::new(SpscPush::<Hostile, Large<N>>::bytes(2).expect("it fits"));
        let at = memory.at();
        // SAFETY: memory of that size, aligned, that outlives the halves; each is attached once.
        let (mut tx, mut rx) = unsafe {
            SpscPush::<Hostile, Large<N>>::init(at, 2);
            let tx = SpscPush::<Hostile, Large<N>>::attach(at, 2, 0);
            (tx, SpscPop::<Hostile, Large<N>>::attach(at, 2, 0))
        };
        assert_eq!(tx.try_push([true; N]), Ok(()));
        assert_eq!(tx.try_push([true; N]), Ok(()));
        let first = memory.bytes - 2 * N.next_multiple_of(8);
        // SAFETY: the last byte of the first of two messages, which lie at the end.
        unsafe { at.add(first + N - 1).write(2) };
        assert_eq!(rx.try_pop(), Err(PopError::Misbehaved));
        assert_eq!(rx.try_pop(), Ok(Some([true; N])));
        memory.check();
    }
    bytes_that_are_none::<1>();
    bytes_that_are_none::<9>();
    bytes_that_are_none::<128>();
    bytes_that_are_none::<129>();
    bytes_that_are_none::<4096>();
}

#[test]
fn capacities_that_do_not_exist() {
    fn bytes<T: Message>(capacity: u32) -> [Option<u64>; 2] {
        [SpscPush::<Hostile, T>::bytes(capacity), SpscPop::<Hostile, T>::bytes(capacity)]
    }
    assert_eq!(bytes::<u64>(0), [None; 2]);
    assert_eq!(bytes::<u64>((1 << 31) + 1), [None; 2]);
    assert_eq!(bytes::<u64>(u32::MAX), [None; 2]);
    assert_eq!(bytes::<[[u64; 1 << 20]; 1 << 9]>(1 << 31), [None; 2]);
    assert!(bytes::<u64>(1 << 31)[0].is_some_and(|bytes| bytes > 16 << 30));
}
