//! [`Hostile`]: the peer may write every word at any time.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::boxed::Box;

use super::{Atomic, Barrier, Core, CoreCell, Mapped, MemoryModel};

type Adversary = Box<dyn FnMut(u64) -> u64>;

std::thread_local! {
    static ADVERSARY: RefCell<Option<Adversary>> = const { RefCell::new(None) };
}

/// From now on each load in this thread returns what `adversary` makes of the true value. `None`
/// makes words honest again.
///
/// ```
/// use core::sync::atomic::Ordering::Relaxed;
/// use res_sync::model::{Atomic, HostileU32, set_adversary};
///
/// let word = HostileU32::new(1);
/// set_adversary(Some(Box::new(|value| value ^ 0xff)));
/// assert_eq!(word.load(Relaxed), 0xfe);
/// set_adversary(None);
/// assert_eq!(word.load(Relaxed), 1);
/// ```
pub fn set_adversary(adversary: Option<Adversary>) {
    ADVERSARY.with(|slot| *slot.borrow_mut() = adversary);
}

fn corrupt(value: u64) -> u64 {
    ADVERSARY.with(|slot| slot.borrow_mut().as_mut().map_or(value, |adversary| adversary(value)))
}

/// [`Core`] whose words lie when they are loaded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hostile;

impl MemoryModel for Hostile {
    type U32 = HostileU32;
    type U64 = HostileU64;
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

// SAFETY: the words are transparent wrappers of the atomics of `Core`; the adversary is the
// thread's, not the word's.
unsafe impl Mapped for Hostile {
    const WATCHED: bool = true;
}

macro_rules! hostile_word {
    ($name:ident, $atomic:ty, $int:ty) => {
        /// An atomic whose loads lie (see [`set_adversary`]). Writes are honest.
        #[derive(Debug)]
        #[repr(transparent)]
        pub struct $name($atomic);

        impl Atomic<$int> for $name {
            fn new(value: $int) -> Self {
                Self(<$atomic>::new(value))
            }
            fn load(&self, order: Ordering) -> $int {
                corrupt(self.0.load(order).into()) as $int
            }
            fn store(&self, value: $int, order: Ordering) {
                self.0.store(value, order)
            }
            fn swap(&self, value: $int, order: Ordering) -> $int {
                corrupt(self.0.swap(value, order).into()) as $int
            }
            fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.0
                    .compare_exchange(current, new, success, failure)
                    .map_err(|found| corrupt(found.into()) as $int)
            }
            fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                corrupt(self.0.fetch_add(value, order).into()) as $int
            }
            fn fetch_or(&self, bits: $int, order: Ordering) -> $int {
                corrupt(self.0.fetch_or(bits, order).into()) as $int
            }
            fn fetch_and(&self, mask: $int, order: Ordering) -> $int {
                corrupt(self.0.fetch_and(mask, order).into()) as $int
            }
            fn as_ptr(&self) -> *const $int {
                self.0.as_ptr()
            }
        }
    };
}

hostile_word!(HostileU32, AtomicU32, u32);
hostile_word!(HostileU64, AtomicU64, u64);
