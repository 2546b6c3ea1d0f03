//! [`Loom`]: every interleaving that the memory model allows.

use core::fmt;
use core::mem::MaybeUninit;
use core::sync::atomic::Ordering;

use loom::sync::atomic::{AtomicU32, AtomicU64, fence};

use super::{Atomic, Barrier, Cell, MemoryModel};
use crate::{Deadline, Instant, Park, Parked, Wake};

/// loom's tracked atomics and cells. Both sides fence: loom cannot express an asymmetric barrier.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loom;

impl MemoryModel for Loom {
    type U32 = LoomU32;
    type U64 = LoomU64;
    type Cell<T> = LoomCell<T>;

    fn fence() {
        fence(Ordering::SeqCst);
    }

    fn light_barrier(_: Barrier) {
        fence(Ordering::SeqCst);
    }

    fn spin_hint() {
        loom::thread::yield_now();
    }
}

/// A slot in which loom sees every race.
pub struct LoomCell<T>(loom::cell::UnsafeCell<MaybeUninit<T>>);

impl<T> fmt::Debug for LoomCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoomCell")
    }
}

impl<T> Cell<T> for LoomCell<T> {
    fn empty() -> Self {
        Self(loom::cell::UnsafeCell::new(MaybeUninit::uninit()))
    }

    unsafe fn write(&self, value: T) {
        // SAFETY: the caller has the slot to itself (and loom checks it).
        self.0.with_mut(|slot| unsafe { slot.write(MaybeUninit::new(value)) });
    }

    unsafe fn read(&self) -> T {
        // SAFETY: nobody writes meanwhile (loom checks it) and a value is there.
        self.0.with(|slot| unsafe { slot.read().assume_init() })
    }

    unsafe fn peek(&self) -> &T {
        // SAFETY: nobody writes as long as the reference lives, says the caller (loom checks the
        // moment it is made), and a value is there.
        self.0.with(|slot| unsafe { (*slot).assume_init_ref() })
    }
}

macro_rules! loom_word {
    ($name:ident, $atomic:ty, $int:ty) => {
        /// loom's atomic, with every order of the accesses to it looked at.
        ///
        /// loom remembers only the last access to an atomic. Where a thread loads it and then
        /// writes it, its own load hides that of another thread, and the order in which the write
        /// comes before that other load is never tried (loom's issues 166 and 392): half the
        /// protocols here are a load and a compare-and-swap. So each access takes a turn first:
        /// waking nobody on a condition variable, which loom orders against every other turn and
        /// which makes nothing visible to anybody.
        #[derive(Debug)]
        pub struct $name {
            word: $atomic,
            turn: loom::sync::Condvar,
        }

        impl $name {
            fn take_turn(&self) -> &$atomic {
                self.turn.notify_one();
                &self.word
            }
        }

        impl Atomic<$int> for $name {
            fn new(value: $int) -> Self {
                Self { word: <$atomic>::new(value), turn: loom::sync::Condvar::new() }
            }
            fn load(&self, order: Ordering) -> $int {
                self.take_turn().load(order)
            }
            fn store(&self, value: $int, order: Ordering) {
                self.take_turn().store(value, order)
            }
            fn swap(&self, value: $int, order: Ordering) -> $int {
                self.take_turn().swap(value, order)
            }
            fn compare_exchange(
                &self,
                current: $int,
                new: $int,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$int, $int> {
                self.take_turn().compare_exchange(current, new, success, failure)
            }
            fn fetch_add(&self, value: $int, order: Ordering) -> $int {
                self.take_turn().fetch_add(value, order)
            }
            fn fetch_or(&self, bits: $int, order: Ordering) -> $int {
                self.take_turn().fetch_or(bits, order)
            }
            fn fetch_and(&self, mask: $int, order: Ordering) -> $int {
                self.take_turn().fetch_and(mask, order)
            }
            fn as_ptr(&self) -> *const $int {
                core::ptr::from_ref(self).cast()
            }
        }
    };
}

loom_word!(LoomU32, AtomicU32, u32);
loom_word!(LoomU64, AtomicU64, u64);

/// A machine for loom: a futex made of loom's mutex and condition variable. No clock, no spinning.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoomPark;

/// Where loom's threads sleep: how many do, and the condition they wait for.
#[derive(Debug)]
pub struct LoomPoint {
    sleepers: loom::sync::Mutex<u32>,
    wake: loom::sync::Condvar,
}

impl Default for LoomPoint {
    fn default() -> Self {
        Self { sleepers: loom::sync::Mutex::new(0), wake: loom::sync::Condvar::new() }
    }
}

loom::thread_local! {
    static CURRENT: core::cell::Cell<u32> = core::cell::Cell::new(1);
}

impl LoomPark {
    /// Gives the calling thread an id; without it, it is thread 1.
    pub fn set_current(id: u32) {
        CURRENT.with(|current| current.set(id));
    }
}

impl Park for LoomPark {
    type Model = Loom;
    type Point = LoomPoint;

    fn now(&self) -> Instant {
        Instant::from_nanos(0)
    }

    fn spin_limit(&self) -> u32 {
        0
    }

    fn current(&self) -> u32 {
        CURRENT.with(core::cell::Cell::get)
    }

    fn unwinding(&self) -> bool {
        false
    }

    fn park(&self, point: &LoomPoint, word: &LoomU64, seen: u64, deadline: Deadline) -> Parked {
        let mut sleepers = point.sleepers.lock().unwrap();
        if word.load(Ordering::SeqCst) != seen {
            return Parked::Awake;
        }
        if deadline.passed(self.now()) {
            return Parked::TimedOut;
        }
        *sleepers += 1;
        drop(point.wake.wait(sleepers).unwrap());
        Parked::Awake
    }

    fn unpark(&self, point: &LoomPoint, _: &LoomU64, _: u64, wake: Wake) -> Option<u32> {
        let mut sleepers = point.sleepers.lock().unwrap();
        let woken = if wake == Wake::All { *sleepers } else { (*sleepers).min(1) };
        *sleepers -= woken;
        match wake {
            Wake::All => point.wake.notify_all(),
            Wake::One => point.wake.notify_one(),
        }
        Some(woken)
    }

    fn heavy_barrier(&self, _: Barrier) {
        fence(Ordering::SeqCst);
    }
}
