//! A lock on the ground of the event count.
//!
//! Taking it is one compare-and-swap, which also writes who owns it (H14); releasing it is a plain
//! store and the fast path of a trigger, so with the asymmetric barrier there is no second atomic
//! read-modify-write.

use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use crate::model::{Atomic, Barrier, MemoryModel};
use crate::{Deadline, Event, Park, WaitError, Wake};

const FREE: u32 = 0;
/// Set in the owner word, and kept, when an owner died holding the lock.
const POISONED: u32 = 1 << 31;

/// Why a lock was not taken in order.
pub enum LockError<'a, P: Park, T: ?Sized> {
    /// The deadline passed; it is still held, by the thread with that id (0: was free again).
    TimedOut(u32),
    /// An owner died holding it. The guard is here: what it protects may be half changed.
    Poisoned(MutexGuard<'a, P, T>),
}

impl<P: Park, T: ?Sized> fmt::Debug for LockError<'_, P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(owner) => write!(f, "TimedOut(held by thread {owner})"),
            Self::Poisoned(_) => f.write_str("Poisoned"),
        }
    }
}

impl<P: Park, T: ?Sized> fmt::Display for LockError<'_, P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(owner) => write!(f, "the lock is still held by thread {owner}"),
            Self::Poisoned(_) => f.write_str("an owner of the lock died holding it"),
        }
    }
}

impl<P: Park, T: ?Sized> core::error::Error for LockError<'_, P, T> {}

/// Mutual exclusion, with a deadline, poisoned by the death of its owner.
///
/// Not fair and not recursive: locking it twice in one thread waits for the deadline.
///
/// ```
/// use res_sync::{Deadline, Mutex, Park};
///
/// fn count<P: Park>(total: &Mutex<P, u64>) -> u64 {
///     let mut total = total.lock();
///     *total += 1;
///     *total
/// }
/// ```
pub struct Mutex<P: Park, T: ?Sized> {
    owner: <P::Model as MemoryModel>::U32,
    word: <P::Model as MemoryModel>::U64,
    point: P::Point,
    park: P,
    barrier: Barrier,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands the value to one thread at a time (`owner`), so sharing the lock moves
// values between threads, which `T: Send` allows.
unsafe impl<P: Park, T: ?Sized + Send> Sync for Mutex<P, T> {}
// SAFETY: sending the lock sends the value in it; the other parts are `Send`.
unsafe impl<P: Park, T: ?Sized + Send> Send for Mutex<P, T> {}

impl<P: Park, T> Mutex<P, T> {
    /// A free lock around `value`.
    pub fn new(park: P, point: P::Point, barrier: Barrier, value: T) -> Self {
        Self {
            owner: Atomic::new(FREE),
            word: Atomic::new(park.first_word(&point)),
            point,
            park,
            barrier,
            value: UnsafeCell::new(value),
        }
    }

    /// The value, when nobody can lock it any more.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<P: Park, T: ?Sized> Mutex<P, T> {
    #[inline]
    fn event(&self) -> Event<'_, P> {
        Event { park: &self.park, point: &self.point, word: &self.word, barrier: self.barrier }
    }

    /// Takes the lock, however long it takes, and whether or not an owner died holding it.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, P, T> {
        loop {
            match self.lock_until(Deadline::NEVER) {
                Ok(guard) | Err(LockError::Poisoned(guard)) => return guard,
                Err(LockError::TimedOut(_)) => {}
            }
        }
    }

    /// Takes the lock by the deadline.
    ///
    /// # Errors
    ///
    /// [`LockError::TimedOut`], or [`LockError::Poisoned`] with the guard.
    #[inline]
    pub fn lock_until(
        &self,
        deadline: Deadline,
    ) -> Result<MutexGuard<'_, P, T>, LockError<'_, P, T>> {
        match self.try_lock() {
            Some(taken) => taken,
            None => self.lock_slow(deadline),
        }
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(&self, deadline: Deadline) -> Result<MutexGuard<'_, P, T>, LockError<'_, P, T>> {
        match self.event().wait_until(deadline, || self.try_lock()) {
            Ok(taken) => taken,
            Err(WaitError::TimedOut | WaitError::Gone(_)) => {
                Err(LockError::TimedOut(self.owner().unwrap_or(0)))
            }
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub fn try_lock(&self) -> Option<Result<MutexGuard<'_, P, T>, LockError<'_, P, T>>> {
        let me = self.park.current() & !POISONED;
        let found = self.owner.load(Relaxed);
        if found & !POISONED != FREE {
            return None;
        }
        // Acquire: partners the Release of `unlock`, so that we see what the last owner wrote.
        self.owner.compare_exchange(found, found | me, Acquire, Relaxed).ok()?;
        let unwinding = self.park.unwinding();
        let guard = MutexGuard { lock: self, unwinding, _not_send: PhantomData };
        Some(if found & POISONED == 0 { Ok(guard) } else { Err(LockError::Poisoned(guard)) })
    }

    /// Who holds it.
    pub fn owner(&self) -> Option<u32> {
        match self.owner.load(Relaxed) & !POISONED {
            FREE => None,
            id => Some(id),
        }
    }

    /// Whether an owner died holding it.
    pub fn is_poisoned(&self) -> bool {
        self.owner.load(Relaxed) & POISONED != 0
    }

    /// Says that the value is whole again. Only who holds the lock can know.
    pub fn clear_poison(guard: &mut MutexGuard<'_, P, T>) {
        // AcqRel orders nothing here: we own the lock. Nobody else changes an owned word but
        // `owner_died`, which concerns another owner.
        guard.lock.owner.fetch_and(!POISONED, AcqRel);
    }

    /// Breaks the lock if `dead` holds it. Only for who has proof that it is dead (H14). True
    /// where it was held.
    pub fn owner_died(&self, dead: u32) -> bool {
        let found = self.owner.load(Relaxed);
        if found & !POISONED != dead & !POISONED || dead & !POISONED == FREE {
            return false;
        }
        // AcqRel: as a release by the dead owner; whoever gave us the proof ordered its writes.
        let broken = self.owner.compare_exchange(found, POISONED, AcqRel, Relaxed).is_ok();
        if broken {
            self.event().trigger(Wake::One);
        }
        broken
    }

    #[inline]
    fn unlock(&self, died: bool) {
        let poisoned = died || self.is_poisoned();
        // Release: partners the Acquire of the next owner's compare-and-swap. A plain store: nobody
        // but the owner changes an owned word.
        self.owner.store(if poisoned { POISONED } else { FREE }, Release);
        self.event().trigger(Wake::One);
    }
}

impl<P: Park, T: ?Sized + fmt::Debug> fmt::Debug for Mutex<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(Ok(guard) | Err(LockError::Poisoned(guard))) => out.field("value", &&*guard),
            Some(Err(LockError::TimedOut(_))) | None => out.field("owner", &self.owner()),
        };
        out.finish()
    }
}

/// Access to what a [`Mutex`] protects; releases it when dropped. Dropped by a panic, it poisons.
pub struct MutexGuard<'a, P: Park, T: ?Sized> {
    lock: &'a Mutex<P, T>,
    /// Taken during a panic (by a destructor): that panic is not the death of this owner.
    unwinding: bool,
    /// The owner is a thread.
    _not_send: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives `&T` and nothing else.
unsafe impl<P: Park, T: ?Sized + Sync> Sync for MutexGuard<'_, P, T> {}

impl<P: Park, T: ?Sized> Deref for MutexGuard<'_, P, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one, and nobody reaches the value without one.
        unsafe { &*self.lock.value.get() }
    }
}

impl<P: Park, T: ?Sized> DerefMut for MutexGuard<'_, P, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one, and it is borrowed mutably.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<P: Park, T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<P: Park, T: ?Sized> Drop for MutexGuard<'_, P, T> {
    #[inline]
    fn drop(&mut self) {
        self.lock.unlock(!self.unwinding && self.lock.park.unwinding());
    }
}
