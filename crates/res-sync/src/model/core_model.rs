//! [`Core`]: the atomics of the language itself.

use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence, fence};

use super::{Atomic, Barrier, Cell, Mapped, MemoryModel};

/// `core::sync::atomic`, and nothing else: every operation inlines to the instruction it names.
///
/// ```
/// use res_sync::model::{Core, MemoryModel};
/// Core::fence();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Core;

impl MemoryModel for Core {
    type U32 = AtomicU32;
    type U64 = AtomicU64;
    type Cell<T> = CoreCell<T>;

    #[inline(always)]
    fn fence() {
        fence(Ordering::SeqCst);
    }

    #[inline(always)]
    fn light_barrier(barrier: Barrier) {
        match barrier {
            // Partner: the fence in `Park::heavy_barrier(Fence)`.
            Barrier::Fence => full_fence(),
            // Partner: the process-wide barrier in `Park::heavy_barrier(Asymmetric)`. It makes
            // every other core execute a full fence, so here only the compiler must not reorder.
            Barrier::Asymmetric => compiler_fence(Ordering::SeqCst),
        }
    }

    #[inline(always)]
    fn spin_hint() {
        // Relaxed: a number, which is right or 1.
        for _ in 0..PAUSES.load(Ordering::Relaxed) {
            core::hint::spin_loop();
        }
    }
}

/// Pauses in a spin hint.
static PAUSES: AtomicU32 = AtomicU32::new(1);

impl Core {
    /// From now on a spin hint is so many pauses of the processor, at least one: some take 4 ns, and
    /// some 50. For whoever has measured that.
    ///
    /// ```
    /// use res_sync::model::Core;
    /// Core::set_pauses(4);
    /// ```
    pub fn set_pauses(pauses: u32) {
        // Relaxed: see there.
        PAUSES.store(pauses.max(1), Ordering::Relaxed);
    }
}

// SAFETY: `AtomicU32` and `AtomicU64` have the size and bit validity of the integers (documented),
// on the supported targets their alignment too, and no other state.
unsafe impl Mapped for Core {}

/// Out of the way of the path without a fence.
#[cold]
#[inline(always)]
fn full_fence() {
    fence(Ordering::SeqCst);
}

/// The slot of [`Core`].
pub struct CoreCell<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> fmt::Debug for CoreCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CoreCell")
    }
}

impl<T> Cell<T> for CoreCell<T> {
    #[inline(always)]
    fn empty() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    #[inline(always)]
    unsafe fn write(&self, value: T) {
        // SAFETY: the caller has the slot to itself; the pointer comes from a live cell.
        unsafe { self.0.get().write(MaybeUninit::new(value)) }
    }

    #[inline(always)]
    unsafe fn read(&self) -> T {
        // SAFETY: nobody writes meanwhile and a value is there, says the caller.
        unsafe { self.0.get().read().assume_init() }
    }

    #[inline(always)]
    unsafe fn peek(&self) -> &T {
        // SAFETY: nobody writes meanwhile and a value is there, says the caller.
        unsafe { (*self.0.get()).assume_init_ref() }
    }
}

macro_rules! forward_to_core {
    ($atomic:ty, $int:ty) => {
        impl Atomic<$int> for $atomic {
            #[inline(always)]
            fn new(value: $int) -> Self {
                <$atomic>::new(value)
            }
            #[inline(always)]
            fn load(&self, order: Ordering) -> $int {
                self.load(order)
            }
            #[inline(always)]
            fn store(&self, value: $int, order: Ordering) {
                self.store(value, order)
            }
            #[inline(always)]
            fn swap(&self, value: $int, order: Ordering) -> $int {
                self.swap(value, order)
            }
            #[inline(always)]
            fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.compare_exchange(current, new, success, failure)
            }
            #[inline(always)]
            fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                self.fetch_add(value, order)
            }
            #[inline(always)]
            fn fetch_or(&self, bits: $int, order: Ordering) -> $int {
                self.fetch_or(bits, order)
            }
            #[inline(always)]
            fn fetch_and(&self, mask: $int, order: Ordering) -> $int {
                self.fetch_and(mask, order)
            }
            #[inline(always)]
            fn as_ptr(&self) -> *const $int {
                self.as_ptr()
            }
        }
    };
}

forward_to_core!(AtomicU32, u32);
forward_to_core!(AtomicU64, u64);
