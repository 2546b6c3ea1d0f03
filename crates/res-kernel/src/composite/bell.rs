//! An event count in a `static`, for the crate's own threads.

use core::mem::ManuallyDrop;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use res_sync::{Barrier, Deadline, Event, Park, Wake};

use super::{Composite, CompositePoint, U32, U64};
use crate::KernelError;

/// A word and a place to sleep at, which it keeps for ever.
pub(super) struct Bell {
    /// 0 until it has a place to sleep at.
    word: U64,
    /// Which place, by its index and one.
    point: U32,
}

impl Bell {
    pub(super) const fn new() -> Self {
        Self { word: U64::new(0), point: U32::new(0) }
    }

    /// Whether it has a place to sleep at.
    pub(super) fn is_installed(&self) -> bool {
        // Acquire: partners the AcqRel of `install`, which has chosen the place before.
        self.word.load(Acquire) != 0
    }

    /// Gives it a place to sleep at, if it has none. Nobody rings or waits before.
    ///
    /// # Errors
    ///
    /// `NoSlots`.
    pub(super) fn install(&self) -> Result<(), KernelError> {
        if self.is_installed() {
            return Ok(());
        }
        let point = CompositePoint::take()?;
        let index = point.into_index();
        // AcqRel: partners the Acquire of `point`; what is in the place was written before.
        if self.point.compare_exchange(0, index + 1, AcqRel, Relaxed).is_err() {
            drop(CompositePoint::from_index(index));
        }
        let first = Composite(()).first_word(&self.point());
        // AcqRel: another one may have been faster, and its word have moved since.
        let _ = self.word.compare_exchange(0, first, AcqRel, Relaxed);
        Ok(())
    }

    /// Its place to sleep at, which it keeps for ever: so this one is not given back to the pool.
    fn point(&self) -> ManuallyDrop<CompositePoint> {
        // Acquire: partners the AcqRel of `install`.
        let number = self.point.load(Acquire);
        ManuallyDrop::new(CompositePoint::from_index(number.saturating_sub(1)))
    }

    fn with<R>(&self, body: impl FnOnce(Event<'_, Composite>) -> R) -> R {
        let park = Composite(());
        let point = self.point();
        body(Event { park: &park, point: &point, word: &self.word, barrier: Barrier::Fence })
    }

    /// Something has changed.
    pub(super) fn ring(&self) {
        self.with(|event| {
            event.trigger(Wake::All);
        });
    }

    /// Waits until there is something to be seen.
    pub(super) fn wait<R>(&self, mut look: impl FnMut() -> Option<R>) -> R {
        loop {
            // It is told nothing and there is no deadline, so what it waits for is why it ends.
            let found = self.with(|event| event.wait_until(Deadline::NEVER, &mut look));
            if let Ok(found) = found {
                return found;
            }
        }
    }
}
