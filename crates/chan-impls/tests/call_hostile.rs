//! Each side of a call beside a peer that writes what it likes into the frame.
//!
//! The adversary is asked for each word that a side loads. Beside the side runs an oracle of what it
//! may believe, written down from the documentation of the protocol: which words, each once, and
//! what follows. At the end every outcome must have occurred.

#[path = "common/random.rs"]
mod random;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use chan_impls::Misbehaved;
use chan_impls::call::frame::{Answering, Asking, Frame, Question};
use res_api::{Deadline, ErrorKind, Instant};
use res_sync::model::{Hostile, set_adversary};

use random::Random;

impl Random {
    /// What an adversary says instead of the truth, to a side that stands at `number`.
    fn lie(&mut self, truth: u64, number: u64) -> u64 {
        match self.below(12) {
            0..=3 => truth,
            4 | 5 => number,
            6 => number + 1,
            7 => number.wrapping_sub(1),
            8 => self.below(20),
            9 => number + 1 + (self.below(4) << 32),
            10 => [0, 2, u64::MAX, 1 << 63, 1 << 32, u64::from(u32::MAX)][self.below(6) as usize],
            _ => self.next(),
        }
    }
}

/// What was found while an adversary answered, and what it answered.
fn beside<R>(seed: u64, number: u64, look: impl FnOnce() -> R) -> (R, Vec<u64>) {
    let said = Rc::new(RefCell::new(Vec::new()));
    let (heard, mut random) = (said.clone(), Random(seed | 1));
    set_adversary(Some(Box::new(move |truth| {
        let lie = random.lie(truth, number);
        heard.borrow_mut().push(lie);
        lie
    })));
    let result = look();
    set_adversary(None);
    (result, said.take())
}

type Causes = BTreeMap<&'static str, u64>;

fn count(causes: &mut Causes, cause: &'static str) {
    *causes.entry(cause).or_default() += 1;
}

fn question(number: u64) -> Question {
    Question { entry: number as u32, deadline: Deadline::NEVER, words: [number, 7, 8, 9] }
}

fn caller(seed: u64, causes: &mut Causes) {
    let (frame, mut side, mut honest) = (Frame::<Hostile>::new(), Asking::default(), true);
    let (mut random, mut number) = (Random(seed), 0);
    let mut peer = Answering::default();
    for _ in 0..60 {
        if side.is_free() && honest && random.below(4) != 0 {
            number += 1;
            side.ask(&frame, &question(number));
            if random.below(2) == 0 && peer.look(&frame).is_some() {
                let answer = [Ok([1, 2, 3]), Err(ErrorKind::Denied)][random.below(2) as usize];
                peer.answer(&frame, answer);
            } else {
                peer = Answering::of_state(number << 2);
            }
        }
        let busy = !side.is_free();
        let (found, said) = beside(random.next(), number, || side.look(&frame));
        let expected = match (honest, &said[..]) {
            (false, []) => Some(Err("again")),
            (true, [found]) if busy && *found == number - 1 => None,
            (true, [found]) if !busy && *found == number => None,
            (true, [_]) => Some(Err("number")),
            (true, [found, status, words @ ..]) if busy && *found == number => {
                let words: [u64; 3] = words.try_into().expect("three words, each once");
                let code = u32::try_from(*status).ok().and_then(ErrorKind::from_code);
                match (*status, code) {
                    (0, _) => Some(Ok(Ok(words))),
                    (_, Some(kind)) => Some(Ok(Err(kind))),
                    _ => Some(Err("status")),
                }
            }
            (_, said) => panic!("it read {said:?}"),
        };
        count(
            causes,
            match &expected {
                None => "nothing",
                Some(Ok(Ok(_))) => "answered",
                Some(Ok(Err(_))) => "refused",
                Some(Err(why)) => why,
            },
        );
        honest &= !matches!(expected, Some(Err(_)));
        assert_eq!(found, expected.map(|it| it.map_err(|_| Misbehaved)));
        // What it knows survives a journey.
        side = Asking::of_state(side.state());
    }
}

fn callee(seed: u64, causes: &mut Causes) {
    let (frame, mut side, mut honest) = (Frame::<Hostile>::new(), Answering::default(), true);
    let (mut random, mut number) = (Random(seed), 0);
    for _ in 0..60 {
        if random.below(2) == 0 {
            Asking::of_state(number << 2).ask(&frame, &question(number));
        }
        let (found, said) = beside(random.next(), number, || side.look(&frame));
        let expected = match (honest, &said[..]) {
            (false, []) => Some(Err("again")),
            (true, [found]) if *found == number => None,
            (true, [found]) if *found != number + 1 => Some(Err("number")),
            (true, [_, entry]) if u32::try_from(*entry).is_err() => Some(Err("entry")),
            (true, [_, entry, deadline, words @ ..]) => {
                number += 1;
                Some(Ok(Question {
                    entry: *entry as u32,
                    deadline: Deadline::at(Instant::from_nanos(*deadline)),
                    words: words.try_into().expect("four words, each once"),
                }))
            }
            (_, said) => panic!("it read {said:?}"),
        };
        count(
            causes,
            match &expected {
                None => "nothing",
                Some(Ok(_)) => "asked",
                Some(Err(why)) => why,
            },
        );
        honest &= !matches!(expected, Some(Err(_)));
        assert_eq!(found, expected.map(|it| it.map_err(|_| Misbehaved)));
        if side.owes() {
            side.answer(&frame, Ok([1, 2, 3]));
        }
        side = Answering::of_state(side.state());
    }
}

fn all_occur(wanted: &[&str], scene: impl Fn(u64, &mut Causes)) {
    let mut causes = Causes::new();
    for seed in 1..4000 {
        scene(seed, &mut causes);
    }
    println!("{causes:?}");
    for cause in wanted {
        assert!(causes.get(cause).is_some_and(|times| *times > 20), "{cause}: {causes:?}");
    }
}

#[test]
fn a_caller_believes_what_it_may() {
    all_occur(&["nothing", "answered", "refused", "number", "status", "again"], caller);
}

#[test]
fn a_callee_believes_what_it_may() {
    all_occur(&["nothing", "asked", "number", "entry", "again"], callee);
}
