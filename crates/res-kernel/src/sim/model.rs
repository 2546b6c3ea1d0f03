//! The memory model of the simulator: words behind store buffers.

use core::fmt;
use core::sync::atomic::Ordering;

use res_sync::Barrier;
use res_sync::model::{Atomic, Core, CoreCell, Mapped, MemoryModel};

use super::buffers::Bytes;
use super::machine::Machine;
use super::run::inside;
use super::trace::Step;

/// Words whose every access is a place where another simulated thread may run, and whose stores
/// others see later: total store order, as x86 has it.
///
/// * A load sees the thread's own last store, or what is visible to all.
/// * A store stays invisible to others until the scheduler says so, or the thread passes a fence.
/// * Fences are: a read-modify-write, a `SeqCst` store, [`fence`](MemoryModel::fence),
///   [`light_barrier`](MemoryModel::light_barrier) with [`Barrier::Fence`], and the end of a word.
/// * A thread that sleeps or ends leaves nothing behind; neither does anybody who meets
///   [`heavy_barrier`](res_sync::Park::heavy_barrier) with [`Barrier::Asymmetric`].
///
/// In a thread that is not simulated they are the words of [`Core`].
///
/// What it does not do: an `Acquire` or `Release` that is missing where total store order has it
/// anyway is not found here (loom finds it). Other than words, nothing is late and nothing is
/// watched.
///
/// ```
/// use core::sync::atomic::Ordering::Relaxed;
/// use res_kernel::sim::SimModel;
/// use res_sync::model::{Atomic, MemoryModel};
///
/// let word = <SimModel as MemoryModel>::U64::new(1);
/// word.store(2, Relaxed);
/// assert_eq!(word.load(Relaxed), 2);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SimModel;

impl MemoryModel for SimModel {
    type U32 = SimU32;
    type U64 = SimU64;
    type Cell<T> = CoreCell<T>;

    fn fence() {
        if inside(fence).is_none() {
            Core::fence();
        }
    }

    fn light_barrier(barrier: Barrier) {
        match barrier {
            Barrier::Fence => Self::fence(),
            // Partner: the drain of all buffers in `heavy_barrier`.
            Barrier::Asymmetric => Core::light_barrier(barrier),
        }
    }

    fn spin_hint() {
        if inside(Machine::spin).is_none() {
            Core::spin_hint();
        }
    }
}

/// A full fence, in a simulated thread.
pub(super) fn fence(machine: &Machine) {
    machine.turn(Step::Fence);
    machine.drain();
}

// SAFETY: the words are transparent wrappers of those of `Core`, which are what is asked for. A
// store buffer is a thread's; whatever is in it, memory holds the last value that was stored, so a
// word that nobody constructed is one like any other. Dropping a word only makes visible what the
// dropping thread has stored, and nothing depends on it: see `buffers`.
unsafe impl Mapped for SimModel {
    const WATCHED: bool = true;
}

macro_rules! sim_word {
    ($name:ident, $int:ty, $core:ident) => {
        /// A word of a simulation (see [`SimModel`]).
        #[repr(transparent)]
        pub struct $name(<Core as MemoryModel>::$core);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // Its memory may be another word's next.
                inside(Machine::drain);
            }
        }

        impl $name {
            fn bytes(&self) -> Bytes {
                Bytes { at: self.0.as_ptr().addr(), len: size_of::<$int>() }
            }

            // One simulated thread runs at a time, so in here no order is needed.
            fn get(&self) -> $int {
                self.0.load(Ordering::Relaxed)
            }

            fn put(&self, value: $int) {
                self.0.store(value, Ordering::Relaxed);
            }

            /// What the calling thread sees, without a turn.
            pub(super) fn seen(&self, machine: &Machine) -> $int {
                machine.seen(self.bytes(), self.get().into()) as $int
            }

            /// Reads, and writes what `change` makes of it. `None` in a thread that is not
            /// simulated.
            fn modify(&self, change: impl FnOnce($int) -> Option<$int>) -> Option<$int> {
                inside(|machine| {
                    machine.turn(Step::Modify);
                    let change = |found| change(found as $int).map(u64::from);
                    let get = || self.get().into();
                    machine.modify(self.bytes(), change, get, |value| self.put(value as $int))
                        as $int
                })
            }
        }

        impl Atomic<$int> for $name {
            fn new(value: $int) -> Self {
                Self(Atomic::new(value))
            }

            fn load(&self, order: Ordering) -> $int {
                let seen = inside(|machine| {
                    machine.turn(Step::Load);
                    self.seen(machine)
                });
                seen.unwrap_or_else(|| self.0.load(order))
            }

            fn store(&self, value: $int, order: Ordering) {
                let stored = inside(|machine| {
                    machine.turn(Step::Store);
                    machine.store(self.bytes(), value.into(), || {
                        let before = self.get().into();
                        self.put(value);
                        before
                    });
                    if order == Ordering::SeqCst {
                        machine.drain();
                    }
                });
                stored.unwrap_or_else(|| self.0.store(value, order));
            }

            fn swap(&self, value: $int, order: Ordering) -> $int {
                self.modify(|_| Some(value)).unwrap_or_else(|| self.0.swap(value, order))
            }

            fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                match self.modify(|found| (found == current).then_some(new)) {
                    Some(found) if found == current => Ok(found),
                    Some(found) => Err(found),
                    None => self.0.compare_exchange(current, new, success, failure),
                }
            }

            fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                self.modify(|found| Some(found.wrapping_add(value)))
                    .unwrap_or_else(|| self.0.fetch_add(value, order))
            }

            fn fetch_or(&self, bits: $int, order: Ordering) -> $int {
                self.modify(|found| Some(found | bits))
                    .unwrap_or_else(|| self.0.fetch_or(bits, order))
            }

            fn fetch_and(&self, mask: $int, order: Ordering) -> $int {
                self.modify(|found| Some(found & mask))
                    .unwrap_or_else(|| self.0.fetch_and(mask, order))
            }

            fn as_ptr(&self) -> *const $int {
                self.0.as_ptr()
            }
        }
    };
}

sim_word!(SimU32, u32, U32);
sim_word!(SimU64, u64, U64);
