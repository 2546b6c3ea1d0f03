//! Sleeping, waking and the time.

use core::sync::atomic::AtomicU64;
#[cfg(not(miri))]
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[cfg(not(miri))]
use res_sync::Waiting;
use res_sync::model::Core;
use res_sync::{Barrier, Deadline, Instant, Park, Parked, Wake};

use super::futex::{self, Reach};
use super::{Linux, barrier, clock, identity, spin};

/// How far the threads may be away from each other that meet at a word.
///
/// ```
/// use res_kernel::linux::LinuxPoint;
///
/// let point = LinuxPoint::default(); // threads of this process
/// # drop(point);
/// ```
#[derive(Debug, Default)]
pub struct LinuxPoint {
    #[cfg(not(miri))]
    between: AtomicBool,
}

impl LinuxPoint {
    /// From now on also threads of other processes that have mapped the word.
    #[cfg(not(miri))]
    pub(super) fn widen(&self) {
        // Relaxed: whoever is told of the word, is told later, and in order.
        self.between.store(true, Relaxed);
    }

    #[cfg(not(miri))]
    pub(super) fn reach(&self) -> Reach {
        if self.between.load(Relaxed) { Reach::Machine } else { Reach::Process }
    }

    /// There is one process only.
    #[cfg(miri)]
    pub(super) fn reach(&self) -> Reach {
        Reach::Process
    }
}

impl Park for Linux {
    type Model = Core;

    /// Where a word is, its address says, or the object that it lies in.
    type Point = LinuxPoint;

    fn now(&self) -> Instant {
        clock::now()
    }

    fn spin_limit(&self) -> u32 {
        spin::limit()
    }

    #[inline]
    fn current(&self) -> u32 {
        identity::current()
    }

    #[inline]
    fn unwinding(&self) -> bool {
        std::thread::panicking()
    }

    /// Compares the low halves of `word` and `seen` only.
    fn park(&self, point: &LinuxPoint, word: &AtomicU64, seen: u64, deadline: Deadline) -> Parked {
        futex::wait(point.reach(), word, seen, deadline)
    }

    fn unpark(&self, point: &LinuxPoint, word: &AtomicU64, _moved: u64, wake: Wake) -> Option<u32> {
        Some(futex::wake(point.reach(), word, wake))
    }

    #[cfg(not(miri))]
    fn park_any(&self, waits: &[Waiting<'_, Self>], deadline: Deadline) -> Option<usize> {
        futex::wait_any(waits, deadline)
    }

    fn heavy_barrier(&self, barrier: Barrier) {
        barrier::heavy(barrier);
    }
}
