//! Threads that note what they have done.

use std::ffi::c_void;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use composite_stand_in::FIRST;
use composite_stand_in::interface::sched::{
    sched_thd_create, sched_thd_exit, sched_thd_param_set, sched_thd_yield,
};

pub(crate) const ME: u64 = FIRST as u64;

/// What threads have done, a decimal digit each.
static DONE: AtomicU64 = AtomicU64::new(0);

pub(crate) fn done() -> u64 {
    DONE.load(SeqCst)
}

pub(crate) fn note(digit: u64) {
    DONE.store(10 * done() + digit, SeqCst);
}

// What follows calls the interface as a component does; all of it is sound for the threads and
// blockpoints of these tests, or halts the machine, which is then the point.

pub(crate) fn create(function: unsafe extern "C" fn(*mut c_void) -> i64, word: u64) -> u64 {
    // SAFETY: see above.
    unsafe { sched_thd_create(function, word as usize as *mut c_void) }
}

pub(crate) fn set(thread: u64, kind: u32, value: u32) -> i32 {
    // SAFETY: see above.
    unsafe { sched_thd_param_set(thread, kind | value << 6) }
}

pub(crate) fn priority(thread: u64, priority: u32) {
    assert_eq!(set(thread, 1, priority), 0);
}

pub(crate) fn go(function: unsafe extern "C" fn(*mut c_void) -> i64, word: u64, at: u32) -> u64 {
    let thread = create(function, word);
    priority(thread, at);
    thread
}

pub(crate) fn rest() {
    // SAFETY: see above.
    unsafe { sched_thd_yield() };
}

pub(crate) fn exit() -> i64 {
    // SAFETY: see above.
    unsafe { sched_thd_exit() };
    unreachable!("the thread has ended")
}
