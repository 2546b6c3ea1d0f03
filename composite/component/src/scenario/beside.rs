//! A thread that borrows.

use core::marker::PhantomData;

use res_api::Fault;
use res_kernel::composite::CompositeThread;
use res_kernel::{Composite, Kernel, KernelThread, ThreadEntry};

/// A thread of the kernel's pool that runs a borrowed body. Dropped, it waits for its end.
///
/// It must not be forgotten.
pub(crate) struct Beside<'a> {
    pub(crate) thread: CompositeThread,
    borrowed: PhantomData<&'a mut ()>,
}

/// Makes one that has not been started.
pub(crate) fn beside<F: FnMut() + Send>(
    machine: Composite,
    body: &mut F,
) -> Result<Beside<'_>, Fault> {
    unsafe fn call<F: FnMut()>(body: *mut ()) {
        // SAFETY: the body that was borrowed for this thread alone, until it was joined.
        unsafe { (*body.cast::<F>())() }
    }
    let entry = ThreadEntry { run: call::<F>, data: (&raw mut *body).cast() };
    // SAFETY: the body may be sent to another thread, and is borrowed until that one was joined: by
    // the drop, since nobody here forgets the value.
    let thread = unsafe { machine.thread(entry)? };
    Ok(Beside { thread, borrowed: PhantomData })
}

/// Starts one.
pub(crate) fn started<F: FnMut() + Send>(
    machine: Composite,
    body: &mut F,
) -> Result<Beside<'_>, Fault> {
    let beside = beside(machine, body)?;
    beside.thread.start()?;
    Ok(beside)
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        self.thread.join();
    }
}
