//! A word that can move, once.

use core::fmt;
use core::ptr::{self, NonNull};
use core::sync::atomic::AtomicPtr;
use core::sync::atomic::Ordering::{Acquire, Release};

use crate::model::{Atomic, Mapped};

/// A word that lies here, until it is moved, once, to memory that others have mapped.
///
/// The address is no part of the protocol that the word is used in, so it is a plain atomic in every
/// model.
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
/// use core::ptr::NonNull;
/// use res_sync::MovableWord;
/// use res_sync::model::Core;
///
/// let elsewhere = AtomicU64::new(0);
/// let word = MovableWord::<Core>::new(7);
/// // SAFETY: it outlives the word.
/// assert!(unsafe { word.move_to(NonNull::from(&elsewhere)) });
/// word.get().store(8, SeqCst);
/// assert_eq!(elsewhere.load(SeqCst), 8);
/// ```
pub struct MovableWord<M: Mapped> {
    here: M::U64,
    /// Null while the word is here.
    there: AtomicPtr<M::U64>,
}

impl<M: Mapped> fmt::Debug for MovableWord<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl<M: Mapped> MovableWord<M> {
    /// A word of that value.
    pub fn new(value: u64) -> Self {
        Self { here: Atomic::new(value), there: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The word, wherever it is.
    #[inline(always)]
    pub fn get(&self) -> &M::U64 {
        // Acquire: partners the Release of `move_to`, behind which the word has its value there.
        let there = self.there.load(Acquire);
        if there.is_null() {
            &self.here
        } else {
            // SAFETY: `move_to` was promised that it outlives this.
            unsafe { &*there }
        }
    }

    /// Moves the word, with its value; false if it was moved before. Nobody may be using it: who
    /// waits here would not notice what is announced there.
    ///
    /// # Safety
    ///
    /// `there` is a word that is valid as long as this lives.
    pub unsafe fn move_to(&self, there: NonNull<M::U64>) -> bool {
        // SAFETY: valid, says the caller.
        unsafe { there.as_ref() }.store(self.here.load(Acquire), Release);
        let moved = self.there.compare_exchange(ptr::null_mut(), there.as_ptr(), Release, Acquire);
        moved.is_ok()
    }

    /// Uses the word there from the beginning, with the value that it has; false if it was moved
    /// before.
    ///
    /// # Safety
    ///
    /// As for [`move_to`](Self::move_to).
    pub unsafe fn join(&self, there: NonNull<M::U64>) -> bool {
        let joined = self.there.compare_exchange(ptr::null_mut(), there.as_ptr(), Release, Acquire);
        joined.is_ok()
    }
}
