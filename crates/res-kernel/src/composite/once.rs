//! What is made once, by whoever needs it first: for a component that is only invoked, which has no
//! beginning of its own.

use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use super::U32;
use super::bell::Bell;
use crate::KernelError;

/// Nobody has begun to make it.
const BARE: u32 = 0;
/// Somebody makes it.
const MAKING: u32 = 1;
/// It is there.
const MADE: u32 = 2;

/// A value that is made once. Others who need it meanwhile sleep.
///
/// ```no_run
/// use res_kernel::KernelError;
/// use res_kernel::composite::{Composite, Once};
///
/// static MACHINE: Once<Composite> = Once::new();
///
/// fn machine() -> Result<Composite, KernelError> {
///     MACHINE.get_or_make(Composite::boot_to_serve).copied()
/// }
/// # fn main() {}
/// ```
pub struct Once<T> {
    stage: U32,
    bell: Bell,
    /// Written in stage `MAKING`, and constant from `MADE` on.
    value: UnsafeCell<Option<T>>,
}

// SAFETY: the value is made by one thread, possibly used and dropped by another, and shared from
// stage `MADE` on; the stages change hands by AcqRel.
unsafe impl<T: Send + Sync> Sync for Once<T> {}

impl<T> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Once({})", if self.get().is_some() { "made" } else { "not made" })
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Once<T> {
    /// Not made yet.
    pub const fn new() -> Self {
        Self { stage: U32::new(BARE), bell: Bell::new(), value: UnsafeCell::new(None) }
    }

    /// The value, if it was made.
    pub fn get(&self) -> Option<&T> {
        // Acquire: partners the Release of who has made it.
        if self.stage.load(Acquire) != MADE {
            return None;
        }
        // SAFETY: constant from stage `MADE` on.
        unsafe { (*self.value.get()).as_ref() }
    }

    /// The value, which `make` makes if nobody has. It does not ask for the same value.
    ///
    /// # Errors
    ///
    /// `NoSlots` without a place to sleep at; what `make` says, and then the next one tries again.
    pub fn get_or_make<E: From<KernelError>>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<&T, E> {
        if let Some(made) = self.get() {
            return Ok(made);
        }
        self.bell.install()?;
        // AcqRel: who finds it bare again sees what the one before did.
        while self.stage.compare_exchange(BARE, MAKING, AcqRel, Acquire).is_err() {
            if let Some(made) = self.get() {
                return Ok(made);
            }
            self.bell.wait(|| (self.stage.load(Acquire) != MAKING).then_some(()));
        }
        let made = make().map(|value| {
            // SAFETY: nobody else is in stage `MAKING`, and nobody looks before `MADE`.
            unsafe { (*self.value.get()).insert(value) as &T }
        });
        // Release: partners the Acquire of `get`.
        self.stage.store(if made.is_ok() { MADE } else { BARE }, Release);
        self.bell.ring();
        made
    }
}
