//! A thread of the pool, as its maker has it.

use core::fmt;
use core::sync::atomic::Ordering::Relaxed;

use res_api::{ErrorKind, ThreadParam};

use super::pool;
use super::priority::Priority;
use super::slot::Slot;
use crate::{KernelError, KernelThread, ThreadEntry};

/// A thread of the pool, for one entry. Dropped, it goes back to the pool as soon as the entry has
/// run.
///
/// # Example
///
/// ```no_run
/// use res_api::{ErrorKind, ThreadParam};
/// use res_kernel::{Composite, Kernel, KernelThread, ThreadEntry};
///
/// unsafe fn nothing(_: *mut ()) {}
///
/// let machine = Composite::boot(1, 16)?;
/// let entry = ThreadEntry { run: nothing, data: core::ptr::null_mut() };
/// // SAFETY: `nothing` touches nothing.
/// let thread = unsafe { machine.thread(entry)? };
/// thread.set(ThreadParam::Priority(20))?;
/// thread.start()?;
/// thread.join();
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
pub struct CompositeThread {
    index: u32,
    slot: &'static Slot,
}

impl fmt::Debug for CompositeThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompositeThread({})", self.id())
    }
}

impl CompositeThread {
    /// # Safety
    ///
    /// That of [`Kernel::thread`](crate::Kernel::thread).
    pub(super) unsafe fn take(entry: ThreadEntry) -> Result<Self, KernelError> {
        // SAFETY: the caller's promise is the same.
        let (index, slot) = unsafe { pool::take(entry)? };
        Ok(Self { index, slot })
    }
}

impl KernelThread for CompositeThread {
    fn id(&self) -> u32 {
        self.slot.id.load(Relaxed)
    }

    /// A priority takes effect at once if this is the calling thread, otherwise when it next wakes
    /// and runs, for which it is as urgent as it was before. Before the start that is the usual
    /// priority, or, in the thread's first use, the one that was set.
    fn set(&self, param: ThreadParam) -> Result<(), KernelError> {
        let invalid = |operation| Err(KernelError::new(operation, ErrorKind::Invalid));
        if self.slot.is_over() {
            let gone = KernelError::new("set a parameter of an ended thread", ErrorKind::Stale);
            return Err(gone);
        }
        match param {
            ThreadParam::Priority(priority) => {
                self.slot.want(Priority::new(priority)?);
                if self.slot.is_caller() {
                    self.slot.settle_and_yield();
                }
                Ok(())
            }
            ThreadParam::Core(0) => Ok(()),
            ThreadParam::Core(_) => invalid("run a thread on another core"),
            _ => invalid("set a parameter that this scheduler does not have"),
        }
    }

    fn reset(&self) {
        self.slot.want(pool::usual());
        if self.slot.is_caller() {
            self.slot.settle();
        }
    }

    fn start(&self) -> Result<(), KernelError> {
        self.slot.start()
    }

    fn join(&self) {
        self.slot.join();
    }
}

impl Drop for CompositeThread {
    fn drop(&mut self) {
        if self.slot.leave() {
            pool::give_back(self.index);
        }
    }
}
