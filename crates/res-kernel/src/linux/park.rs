//! Sleeping, waking and the time.

use core::sync::atomic::AtomicU64;

use res_sync::model::Core;
use res_sync::{Barrier, Deadline, Instant, Park, Parked, Wake};

use super::futex::{self, Reach};
use super::{Linux, barrier, clock, cores, identity};

/// How often a waiter looks before it parks, where another core may make it worth while.
///
/// A look is a `pause` (10 to 50 ns, as processors go) and a load or two, so all of them come to
/// 1 to 4 us: about what parking and being woken costs.
const SPIN_LIMIT: u32 = 64;

impl Park for Linux {
    type Model = Core;

    /// Nothing: the address of the word is the place.
    type Point = ();

    fn now(&self) -> Instant {
        clock::now()
    }

    fn spin_limit(&self) -> u32 {
        if cores::count() > 1 { SPIN_LIMIT } else { 0 }
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
    fn park(&self, (): &(), word: &AtomicU64, seen: u64, deadline: Deadline) -> Parked {
        futex::wait(Reach::Process, word, seen, deadline)
    }

    fn unpark(&self, (): &(), word: &AtomicU64, _moved: u64, wake: Wake) -> Option<u32> {
        Some(futex::wake(Reach::Process, word, wake))
    }

    fn heavy_barrier(&self, barrier: Barrier) {
        barrier::heavy(barrier);
    }
}
