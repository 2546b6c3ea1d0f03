//! A closure as the entry of a thread.

use std::sync::{Arc, Mutex};

use res_kernel::linux::LinuxThread;
use res_kernel::{Kernel, Linux, ThreadEntry};

type Body = Mutex<Option<Box<dyn FnOnce() + Send>>>;

/// A thread that will run `body`. It leaks what a thread that never runs would have run.
pub(crate) fn thread(body: impl FnOnce() + Send + 'static) -> LinuxThread {
    let body: Arc<Body> = Arc::new(Mutex::new(Some(Box::new(body))));
    let entry = ThreadEntry { run: run_body, data: Arc::into_raw(body).cast_mut().cast() };
    // SAFETY: `run_body` may be called in any thread: a `Body` is `Send` and `Sync`, and the
    // `Arc` that `data` stands for is leaked unless it runs.
    unsafe { Linux::new().thread(entry) }.expect("an identity")
}

/// # Safety
///
/// `data` is from `Arc::into_raw` in [`thread`], and nobody else made an `Arc` of it again.
unsafe fn run_body(data: *mut ()) {
    // SAFETY: so the caller says.
    let body = unsafe { Arc::from_raw(data.cast_const().cast::<Body>()) };
    let taken = body.lock().expect("nobody panics with it").take();
    taken.expect("a thread runs once")();
}
