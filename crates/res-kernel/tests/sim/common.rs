//! Threads from closures, and words that threads share.

use std::rc::Rc;

use res_kernel::sim::{SimModel, SimThread};
use res_kernel::{Kernel, KernelThread, Sim, ThreadEntry};
use res_sync::MemoryModel;

pub(crate) type Word = <SimModel as MemoryModel>::U64;

/// Runs the closure that `data` is.
unsafe fn call(data: *mut ()) {
    // SAFETY: `spawn` made it of such a box, for this one call.
    let body = unsafe { Box::from_raw(data.cast::<Box<dyn FnOnce()>>()) };
    body();
}

/// A thread that runs `body`, made.
pub(crate) fn thread(sim: Sim, body: impl FnOnce() + 'static) -> SimThread {
    let body: Box<Box<dyn FnOnce()>> = Box::new(Box::new(body));
    let entry = ThreadEntry { run: call, data: Box::into_raw(body).cast() };
    // SAFETY: `call` takes the box back, once. All simulated threads are one of the system, so what
    // the body shares needs to be neither `Send` nor `Sync`.
    unsafe { sim.thread(entry) }.expect("a thread")
}

/// A thread that runs `body`, started.
pub(crate) fn spawn(sim: Sim, body: impl FnOnce() + 'static) -> SimThread {
    let thread = thread(sim, body);
    thread.start().expect("a start");
    thread
}

/// Something that threads share, as it is.
pub(crate) fn shared<T>(value: T) -> Rc<T> {
    Rc::new(value)
}
