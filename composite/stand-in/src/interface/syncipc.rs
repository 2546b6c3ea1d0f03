//! Synchronous ipc, which the scheduler serves.

use std::ffi::c_int;
use std::hint::spin_loop;

use crate::host::inside;
use crate::ipc::{self, Failed, Words};
use crate::switch::c_symbols;

c_symbols! {
    /// Asks; -11 where there is no server yet, 1 where it sleeps. There is one end point, whatever
    /// its number.
    fn syncipc_call(
        end_point: c_int,
        first: u64,
        second: u64,
        first_answer: *mut u64,
        second_answer: *mut u64
    ) -> c_int = call;
    /// Answers, and spins until the next call; -1 where another thread is the server.
    fn syncipc_reply_wait(
        end_point: c_int,
        first_answer: u64,
        second_answer: u64,
        first: *mut u64,
        second: *mut u64
    ) -> c_int = reply_wait;
}

impl Failed {
    fn code(self) -> c_int {
        match self {
            Self::NoServer => -11,
            Self::Asleep => 1,
            Self::Taken => -1,
        }
    }
}

/// Writes what there is.
///
/// # Safety
///
/// Both addresses may be written to.
unsafe fn done(result: Result<Words, Failed>, places: [*mut u64; 2]) -> c_int {
    match result {
        Ok(words) => {
            for (place, word) in places.into_iter().zip(words) {
                // SAFETY: the caller's promise.
                unsafe { place.write(word) };
            }
            0
        }
        Err(failed) => failed.code(),
    }
}

unsafe extern "C" fn call(
    _end_point: c_int,
    first: u64,
    second: u64,
    first_answer: *mut u64,
    second_answer: *mut u64,
) -> c_int {
    let answer = inside(|| ipc::call([first, second]));
    // SAFETY: the component's promise.
    unsafe { done(answer, [first_answer, second_answer]) }
}

unsafe extern "C" fn reply_wait(
    _end_point: c_int,
    first_answer: u64,
    second_answer: u64,
    first: *mut u64,
    second: *mut u64,
) -> c_int {
    let question = inside(|| ipc::reply([first_answer, second_answer])).map(|()| wait());
    // SAFETY: the component's promise.
    unsafe { done(question, [first, second]) }
}

/// Not in the host's care, so that a quantum ends it.
fn wait() -> Words {
    loop {
        if let Some(question) = inside(ipc::question) {
            return question;
        }
        spin_loop();
    }
}
