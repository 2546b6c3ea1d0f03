//! Simulated threads as coroutines, each with a stack of its own.

use core::cell::RefCell;
use core::ptr::NonNull;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::machine::Body;
use super::trace::Step;
use super::{panics, run};
use crate::ThreadEntry;

/// As std gives its threads: what is not optimised needs more than it seems. Pages that nobody
/// touches cost nothing.
const STACK_BYTES: usize = 2 * 1024 * 1024;
/// How many stacks are kept for the next threads.
const KEPT: usize = 64;

/// How a coroutine gives the processor back.
pub(super) type Way = NonNull<Yielder<(), ()>>;

/// A thread that can be left in the middle and taken up again.
pub(super) struct Fiber(Option<Coroutine<(), (), ()>>);

std::thread_local! {
    /// Stacks of threads that have ended: making one takes system calls.
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

impl Fiber {
    /// A thread at its beginning.
    ///
    /// # Panics
    ///
    /// Where there is no memory for its stack.
    pub(super) fn new(body: Body) -> Self {
        let kept = STACKS.with(|stacks| stacks.borrow_mut().pop());
        let stack = kept.unwrap_or_else(|| DefaultStack::new(STACK_BYTES).expect("a stack"));
        Self(Some(Coroutine::with_stack(stack, move |yielder, ()| {
            run::inside(|machine| machine.way.set(Some(NonNull::from(yielder))));
            live(body);
        })))
    }

    /// Runs it until it [suspends](suspend) itself, or ends: then it is true.
    pub(super) fn resume(&mut self) -> bool {
        let Some(coroutine) = &mut self.0 else { return true };
        match coroutine.resume(()) {
            CoroutineResult::Yield(()) => false,
            CoroutineResult::Return(()) => {
                self.keep_stack();
                true
            }
        }
    }

    /// Ends it where it is, for ever: no destructor of what is on its stack runs, and the stack is
    /// another thread's next.
    ///
    /// # Safety
    ///
    /// It is not running, and nobody who will ever run points into its stack.
    pub(super) unsafe fn abandon(mut self) {
        if let Some(coroutine) = &mut self.0
            && !coroutine.done()
        {
            // SAFETY: what is skipped is skipped on purpose: it was killed, and whatever its frames
            // borrow or own is its domain's, of which nothing runs any more.
            unsafe { coroutine.force_reset() };
        }
        self.keep_stack();
    }

    fn keep_stack(&mut self) {
        let Some(ended) = self.0.take() else { return };
        STACKS.with(|stacks| {
            let mut stacks = stacks.borrow_mut();
            if stacks.len() < KEPT {
                stacks.push(ended.into_stack());
            }
        });
    }
}

impl Drop for Fiber {
    /// Runs no destructor of what is on the stack of an unfinished thread (H20), and keeps the
    /// stack itself for ever: somebody may still point into it.
    fn drop(&mut self) {
        core::mem::forget(self.0.take());
    }
}

/// Leaves the coroutine that runs until it is resumed.
///
/// # Safety
///
/// `way` is the running coroutine's own.
pub(super) unsafe fn suspend(way: Way) {
    // SAFETY: its own, says the caller: it lies on the stack of this coroutine, below this frame,
    // as long as the coroutine has not ended.
    unsafe { way.as_ref() }.suspend(());
}

/// The life of a thread, on its own stack. Nothing unwinds out of it.
fn live(body: Body) {
    let body = AssertUnwindSafe(|| match body {
        Body::First(body) => body(),
        // SAFETY: the maker of the thread promised that this is sound in another thread, once: a
        // body is taken out of the thread's record to get here.
        Body::Entry(ThreadEntry { run, data }) => unsafe { run(data) },
    });
    if let Err(payload) = catch_unwind(body) {
        run::inside(|machine| panics::fatal(machine, &*payload));
        // What a panic carries may panic as it is dropped.
        core::mem::forget(payload);
    }
    // Others may run before what it has stored is there for all.
    run::inside(|machine| machine.turn(Step::Return));
}
