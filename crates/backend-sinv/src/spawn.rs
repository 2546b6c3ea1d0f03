//! Threads of the runtime itself.

use std::boxed::Box;

use res_kernel::{Kernel, KernelError, KernelThread, ThreadEntry};

type Body = Box<dyn FnOnce() + Send>;

/// Runs `body` in a thread of its own, which is scheduled as the caller. A panic in it ends that thread
/// alone.
pub(crate) fn spawn<K: Kernel>(
    kernel: &K,
    body: impl FnOnce() + Send + 'static,
) -> Result<K::Thread, KernelError> {
    let guard = kernel.clone();
    let body: Body = Box::new(move || {
        let mut body = Some(body);
        let _ = guard.guard(&mut || {
            if let Some(body) = body.take() {
                body();
            }
        });
    });
    let data = Box::into_raw(Box::new(body));
    // SAFETY: `run` takes the box back, once; it is `Send`. It is not run where the thread was not
    // started, and taken back below.
    let thread = unsafe { kernel.thread(ThreadEntry { run, data: data.cast() }) };
    thread.and_then(|thread| thread.start().map(|()| thread)).inspect_err(|_| {
        // SAFETY: made above, and no thread has taken it.
        drop(unsafe { Box::from_raw(data) });
    })
}

/// # Safety
///
/// `data` is a box that `spawn` made.
unsafe fn run(data: *mut ()) {
    // SAFETY: the caller's promise.
    let body = unsafe { Box::from_raw(data.cast::<Body>()) };
    body();
}
