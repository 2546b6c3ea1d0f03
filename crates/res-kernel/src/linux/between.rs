//! Parking at words that several processes have mapped.

use core::cell::Cell;
use core::sync::atomic::AtomicU64;

use res_sync::model::{Core, MemoryModel};
use res_sync::{Barrier, Deadline, Instant, Park, Parked, Wake};
use rustix::thread::gettid;

use super::Linux;
use super::futex::{self, Reach};

/// The machine, as it is between processes: futexes that are found by the place in an object, and
/// fences.
///
/// # Example
///
/// ```
/// use res_kernel::{Isolation, Linux};
/// use res_sync::Park;
///
/// let between = Linux::new().between();
/// assert_ne!(between.current(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LinuxBetween;

std::thread_local! {
    /// Linux's number of the calling thread, or 0 as long as nobody asked.
    static THREAD: Cell<u32> = const { Cell::new(0) };
}

impl LinuxBetween {
    pub(super) const fn new() -> Self {
        Self
    }
}

impl Park for LinuxBetween {
    type Model = Core;
    type Point = ();

    fn now(&self) -> Instant {
        Linux.now()
    }

    fn spin_limit(&self) -> u32 {
        Linux.spin_limit()
    }

    /// Linux's number of the thread, which no other living thread of the machine has; after its
    /// death another one may get it.
    fn current(&self) -> u32 {
        if THREAD.get() == 0 {
            THREAD.set(gettid().as_raw_nonzero().get().unsigned_abs());
        }
        THREAD.get()
    }

    fn unwinding(&self) -> bool {
        Linux.unwinding()
    }

    /// Compares the low halves of `word` and `seen` only.
    fn park(&self, (): &(), word: &AtomicU64, seen: u64, deadline: Deadline) -> Parked {
        futex::wait(Reach::Machine, word, seen, deadline)
    }

    fn unpark(&self, (): &(), word: &AtomicU64, _moved: u64, wake: Wake) -> Option<u32> {
        Some(futex::wake(Reach::Machine, word, wake))
    }

    /// # Panics
    ///
    /// For [`Barrier::Asymmetric`], which nobody can have agreed on: it reaches one process only.
    fn heavy_barrier(&self, barrier: Barrier) {
        assert_eq!(barrier, Barrier::Fence, "between processes both sides fence");
        Core::fence();
    }
}
