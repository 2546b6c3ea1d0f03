//! Calls, by the forms that do not sleep: a call whose deadline has passed is made, and its answer is
//! awaited by looking. What is answered comes in the payload, since the words of a late answer are
//! thrown away.

use std::hint::spin_loop;
use std::thread::yield_now;

use backend_sinv::Sinv;
use chan_impls::call::{self, Interface};
use chan_impls::{Answers, CallError, Callee, Caller, Calls};
use res_api::{Deadline, Env, Fault, Gone, Name, RecvError, Slot, Source, Tag};

use super::{alone, asking_nobody, count, ends_well, partner, trips};

/// Doubles what is in the payload, and answers with a word of the request.
pub(super) struct Doubles;

impl Interface for Doubles {
    const TAG: Tag = Tag::of::<()>(Name::new("doubles"), 1, 0);
    const PAYLOAD: u64 = 4096;
}

const CALLS: Slot<Calls<Doubles>> = Slot::new("calls");
const ANSWERS: Slot<Answers<Doubles>> = Slot::new("answers");

/// Calls, looks until the answer is there, and reads it.
fn doubled(
    caller: &mut Caller<Sinv, Doubles>,
    n: u64,
    between_looks: fn(),
) -> Result<u64, CallError> {
    caller.write(0, &n.to_ne_bytes(), Deadline::PASSED)?;
    match caller.call(0, [0; 4], Deadline::PASSED) {
        Ok(_) => {}
        Err(CallError::TimedOut) => {
            while !caller.ready() {
                between_looks();
            }
            caller.settle(Deadline::PASSED)?;
        }
        Err(why) => return Err(why),
    }
    let mut bytes = [0; 8];
    caller.read(0, &mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Looks until there is a request, and answers it.
fn answer(callee: &mut Callee<Sinv, Doubles>, between_looks: fn()) -> Result<u64, Gone> {
    loop {
        match callee.next(Deadline::PASSED) {
            Ok(mut request) => {
                let mut bytes = [0; 8];
                request.read(0, &mut bytes).map_err(|_| Gone::Misbehaved)?;
                let n = u64::from_ne_bytes(bytes);
                request.write(0, &n.wrapping_mul(2).to_ne_bytes()).map_err(|_| Gone::Misbehaved)?;
                let [word, ..] = request.words();
                request.reply([word, 0, 0]);
                return Ok(n);
            }
            Err(RecvError::Gone(gone)) => return Err(gone),
            Err(_) => between_looks(),
        }
    }
}

fn answers(env: Env<Sinv>) -> Result<(), Fault> {
    let mut callee = env.take(ANSWERS)?;
    while answer(&mut callee, yield_now).is_ok() {}
    Ok(())
}

/// As long as somebody answers.
fn calls(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut caller, mut n) = (env.take(CALLS)?, 0);
    while let Ok(answer) = doubled(&mut caller, n, yield_now) {
        assert_eq!(answer, 2 * n);
        n += 1;
    }
    Ok(())
}

/// Calls one that polls, again and again, and asks nobody.
pub(super) fn with_one_who_answers(
    (calls, but): (u64, &'static [i64]),
    mut call: impl FnMut(&mut Caller<Sinv, Doubles>, u64) -> bool + Send + 'static,
) {
    let _alone = alone();
    let system = Sinv::new().expect("a system");
    let (mut caller, callee) = call::pair::<_, Doubles>(&system).expect("a connection");
    let component = partner(&system, answers);
    component.endow(ANSWERS, callee).expect("endowed");
    component.start().expect("started");
    assert_eq!(doubled(&mut caller, 7, yield_now), Ok(14), "it has begun");
    let (caller, done) = asking_nobody(&system, but, move || {
        let done = count(calls, |n| call(&mut caller, n));
        (caller, done)
    });
    assert_eq!(done, calls);
    drop(caller);
    ends_well(&system, &component);
}

#[test]
fn who_calls_asks_nobody() {
    with_one_who_answers((trips(), &[]), |caller, n| doubled(caller, n, spin_loop) == Ok(2 * n));
}

#[test]
fn who_answers_asks_nobody() {
    let _alone = alone();
    let system = Sinv::new().expect("a system");
    let (caller, mut callee) = call::pair::<_, Doubles>(&system).expect("a connection");
    let component = partner(&system, calls);
    component.endow(CALLS, caller).expect("endowed");
    component.start().expect("started");
    assert_eq!(answer(&mut callee, yield_now), Ok(0), "it has begun");
    let (callee, done) = asking_nobody(&system, &[], move || {
        let done = count(trips(), |n| answer(&mut callee, spin_loop) == Ok(n + 1));
        (callee, done)
    });
    assert_eq!(done, trips());
    drop(callee);
    ends_well(&system, &component);
}
