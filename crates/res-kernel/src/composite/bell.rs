//! An event count in a `static`, for the crate's own threads.

use core::mem::ManuallyDrop;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use res_sync::{Barrier, Deadline, Event, Park, Wake};

use super::{Composite, CompositePoint, U32, U64};
use crate::KernelError;

/// A word and a place to sleep at, which it keeps for ever.
pub(super) struct Bell {
    word: U64,
    point: U32,
}

impl Bell {
    pub(super) const fn new() -> Self {
        Self { word: U64::new(0), point: U32::new(0) }
    }

    /// Gives it a place to sleep at. Nobody rings or waits before.
    ///
    /// # Errors
    ///
    /// `NoSlots`.
    pub(super) fn install(&self) -> Result<(), KernelError> {
        let point = CompositePoint::take()?;
        // Relaxed: the Release below is what others see both by.
        self.word.store(Composite(()).first_word(&point), Relaxed);
        self.point.store(point.into_index(), Release);
        Ok(())
    }

    fn with<R>(&self, body: impl FnOnce(Event<'_, Composite>) -> R) -> R {
        let park = Composite(());
        // The bell has it for ever, so this one is not given back to the pool.
        let point = ManuallyDrop::new(CompositePoint::from_index(self.point.load(Acquire)));
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
