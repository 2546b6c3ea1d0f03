//! Synchronous ipc. Whoever serves never gets out of it, so this is the last thing that is done.

use core::ffi::c_int;
use core::hint::black_box;
use core::ptr::null_mut;

use res_api::Fault;
use res_kernel::composite::interface::syncipc::{
    NO_SERVER, NOT_THE_SERVER, syncipc_call, syncipc_reply_wait,
};
use res_kernel::{Composite, Kernel, KernelThread, ThreadEntry};

use crate::cost::cost;
use crate::report::check;

/// The result and the answer.
fn call(one: u64, two: u64) -> (c_int, u64, u64) {
    let (mut first, mut second) = (0, 0);
    // SAFETY: both places are ours; the server does not sleep.
    let result = unsafe { syncipc_call(0, one, two, &raw mut first, &raw mut second) };
    (result, first, second)
}

/// The result and the question.
fn reply_wait(one: u64, two: u64) -> (c_int, u64, u64) {
    let (mut first, mut second) = (0, 0);
    // SAFETY: both places are ours.
    let result = unsafe { syncipc_reply_wait(0, one, two, &raw mut first, &raw mut second) };
    (result, first, second)
}

/// Answers with the sum and the difference.
unsafe fn serve(_: *mut ()) {
    let mut question = reply_wait(0, 0);
    while let (0, one, two) = question {
        question = reply_wait(one + two, one - two);
    }
}

/// Two words there, two words back; and what that costs.
pub(super) fn calls(machine: Composite) -> Result<(), Fault> {
    check!(call(2, 1).0 == NO_SERVER);
    // SAFETY: `serve` touches nothing.
    let server = unsafe { machine.thread(ThreadEntry { run: serve, data: null_mut() })? };
    server.start()?;
    for one in 1..=100 {
        check!(call(one, 1) == (0, one + 1, one - 1));
    }
    check!(reply_wait(0, 0).0 == NOT_THE_SERVER);
    cost("synchronous ipc", 1_000, || {
        black_box(call(black_box(2), 1));
    });
    Ok(())
}
