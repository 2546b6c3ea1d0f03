//! The frame of a call in every interleaving of caller and callee: an answer is the one to its
//! request, the payload is used by one side at a time, and no wake-up is lost; also where the caller
//! gives up and calls again (H13).
//!
//! Each property has a mutant that must be found.

#[path = "../../res-sync/tests/common/models.rs"]
#[allow(dead_code, reason = "shared with others")]
mod models;
#[path = "common/weak.rs"]
mod weak;

use std::sync::Arc;

use chan_impls::call::frame::{Answering, Asking, Frame, Question};
use loom::thread;
use models::{DEADLOCK, Preemptions, assert_found, check};
use res_sync::model::{Atomic, Cell, Loom, LoomCell, LoomPark, LoomPoint, LoomU64, MemoryModel};
use res_sync::{Barrier, Deadline, Event, Wake};
use weak::Weak;

const FEW: Preemptions = Preemptions::up_to(2, 4);

/// A frame, a payload of which loom sees every use, and the two words that the ends sleep on.
struct Connection<M: MemoryModel> {
    frame: Frame<M>,
    payload: LoomCell<u64>,
    called: (LoomPoint, LoomU64),
    answered: (LoomPoint, LoomU64),
}

impl<M: MemoryModel> Connection<M> {
    fn new() -> Self {
        let word = || (LoomPoint::default(), LoomU64::new(0));
        let payload = LoomCell::empty();
        Self { frame: Frame::new(), payload, called: word(), answered: word() }
    }
}

fn event((point, word): &(LoomPoint, LoomU64)) -> Event<'_, LoomPark> {
    Event { park: &LoomPark, point, word, barrier: Barrier::Fence }
}

fn question(number: u64) -> Question {
    Question { entry: number as u32, deadline: Deadline::NEVER, words: [number, 1, 2, 3] }
}

/// Which rule is broken.
#[derive(Clone, Copy, PartialEq)]
enum Mutant {
    None,
    /// Uses the frame again without waiting for the late answer.
    Hasty,
    /// Answers without waking.
    Silent,
}

/// Two calls, the first of which the caller may give up.
fn calls<M: MemoryModel>(gives_up: bool, mutant: Mutant) {
    let all = Arc::new(Connection::<M>::new());
    let theirs = Arc::clone(&all);
    let server = thread::spawn(move || {
        let mut side = Answering::default();
        for number in 1..=2 {
            let look = || side.look(&theirs.frame);
            let found = event(&theirs.called).wait_until(Deadline::NEVER, look).expect("awake");
            let asked = found.expect("it behaves");
            assert_eq!(asked, question(number), "a request is whole");
            // SAFETY: between the request and the answer, the callee's.
            unsafe {
                assert_eq!(theirs.payload.read(), number);
                theirs.payload.write(number + 10);
            }
            side.answer(&theirs.frame, Ok([number * 2, number, 0]));
            if mutant != Mutant::Silent {
                event(&theirs.answered).trigger(Wake::All);
            }
        }
    });
    let mut side = Asking::default();
    for number in 1..=2 {
        let wait = |side: &mut Asking| {
            let look = || side.look(&all.frame);
            let found = event(&all.answered).wait_until(Deadline::NEVER, look).expect("awake");
            found.expect("it behaves")
        };
        if !side.is_free() {
            match mutant {
                Mutant::Hasty => side = Asking::of_state((number - 1) << 2),
                _ => drop(wait(&mut side)),
            }
        }
        // SAFETY: the frame is free, so the payload is the caller's.
        unsafe { all.payload.write(number) };
        side.ask(&all.frame, &question(number));
        event(&all.called).trigger(Wake::All);
        if gives_up && number == 1 {
            // A look that may find it, or not.
            if let Some(answer) = side.look(&all.frame) {
                assert_eq!(answer, Ok(Ok([2, 1, 0])));
            }
            continue;
        }
        let answer = wait(&mut side);
        assert_eq!(answer, Ok([number * 2, number, 0]), "the answer to this request");
        // SAFETY: the answer is there, so the payload is the caller's.
        assert_eq!(unsafe { all.payload.read() }, number + 10);
    }
    server.join().expect("it does not panic");
}

#[test]
fn each_answer_is_the_one_to_its_request() {
    check(FEW, || calls::<Loom>(false, Mutant::None));
}

#[test]
fn a_late_answer_is_thrown_away() {
    check(FEW, || calls::<Loom>(true, Mutant::None));
}

#[test]
fn mutant_does_not_wait_for_the_late_answer() {
    assert_found("it behaves", || check(FEW, || calls::<Loom>(true, Mutant::Hasty)));
}

#[test]
fn mutant_does_not_wake() {
    assert_found(DEADLOCK, || check(FEW, || calls::<Loom>(false, Mutant::Silent)));
}

#[test]
fn mutant_stores_without_release() {
    assert_found("this request", || check(FEW, || calls::<Weak<true, false>>(false, Mutant::None)));
}

#[test]
fn mutant_loads_without_acquire() {
    assert_found("this request", || check(FEW, || calls::<Weak<false, true>>(false, Mutant::None)));
}
