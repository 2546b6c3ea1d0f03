//! Words whose accesses are counted, and a process that ends itself before the n-th.

use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use res_sync::Barrier;
use res_sync::model::{Atomic, Core, CoreCell, Mapped, MemoryModel};

/// What the process says as it ends itself.
const STATUS: i32 = 77;

/// How many steps are left; 0 as long as nobody counts.
static LEFT: AtomicU64 = AtomicU64::new(0);

/// Counts: this process ends before its `nth` step from now on.
pub(crate) fn arm(nth: u64) {
    LEFT.store(nth, Relaxed);
}

/// Counts no more.
pub(crate) fn disarm() {
    LEFT.store(0, Relaxed);
}

/// Something that others can notice is about to be done, in any thread.
pub(crate) fn step() {
    if LEFT.load(Relaxed) != 0 && LEFT.fetch_sub(1, Relaxed) == 1 {
        // SAFETY: one call of the system, behind which nothing of this process runs: no destructor,
        // nobody is told.
        unsafe { libc::_exit(STATUS) }
    }
}

/// The words of [`Core`], each access a step. What is copied is copied word by word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted;

impl MemoryModel for Counted {
    type U32 = CountedU32;
    type U64 = CountedU64;
    type Cell<T> = CoreCell<T>;

    fn fence() {
        Core::fence();
    }

    fn light_barrier(barrier: Barrier) {
        Core::light_barrier(barrier);
    }

    fn spin_hint() {
        Core::spin_hint();
    }
}

// SAFETY: the words are transparent wrappers of those of `Core`; what is counted is no word's.
unsafe impl Mapped for Counted {
    const WATCHED: bool = true;
}

macro_rules! counted_word {
    ($name:ident, $atomic:ty, $int:ty) => {
        #[repr(transparent)]
        pub(crate) struct $name(pub(crate) $atomic);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Atomic<$int> for $name {
            fn new(value: $int) -> Self {
                Self(<$atomic>::new(value))
            }
            fn load(&self, order: Ordering) -> $int {
                step();
                self.0.load(order)
            }
            fn store(&self, value: $int, order: Ordering) {
                step();
                self.0.store(value, order)
            }
            fn swap(&self, value: $int, order: Ordering) -> $int {
                step();
                self.0.swap(value, order)
            }
            fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                step();
                self.0.compare_exchange(current, new, success, failure)
            }
            fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                step();
                self.0.fetch_add(value, order)
            }
            fn fetch_or(&self, bits: $int, order: Ordering) -> $int {
                step();
                self.0.fetch_or(bits, order)
            }
            fn fetch_and(&self, mask: $int, order: Ordering) -> $int {
                step();
                self.0.fetch_and(mask, order)
            }
            fn as_ptr(&self) -> *const $int {
                self.0.as_ptr()
            }
        }
    };
}

counted_word!(CountedU32, AtomicU32, u32);
counted_word!(CountedU64, AtomicU64, u64);
