//! How a receiver keeps its distance from a sender that it is as fast as.
//!
//! A receiver that finds only a few items whenever it asks follows the sender closely: both work
//! on the same lines, of the index and of the slots, and each takes them away from the other, which
//! costs several times what a message costs. If it stays back once, for as long as the sender needs
//! for some dozens of items, it finds that many from then on, and neither disturbs the other. A
//! receiver that finds nothing is not concerned: it waits, and then every nanosecond counts.

use core::marker::PhantomData;

use res_sync::MemoryModel;

/// How often in a row there were only a few items.
#[derive(Debug)]
pub(crate) struct Distance<M> {
    close: u32,
    /// Fewer than this are few.
    few: u32,
    model: PhantomData<fn() -> M>,
}

/// So often is no accident.
const FOLLOWING: u32 = 8;

/// As many small items as two pairs of lines hold.
const FEW: u32 = 32;

/// Spin hints to stay back for.
const STAY_BACK: u32 = 16;

impl<M: MemoryModel> Distance<M> {
    pub(crate) fn new(capacity: u32) -> Self {
        Self { close: 0, few: FEW.min(capacity / 4), model: PhantomData }
    }

    /// Before an item is looked for: stays back if the receiver follows too closely.
    #[inline(always)]
    pub(crate) fn keep(&mut self) {
        if self.close >= FOLLOWING {
            self.stay_back();
        }
    }

    #[cold]
    #[inline(never)]
    fn stay_back(&mut self) {
        self.close = 0;
        for _ in 0..STAY_BACK {
            M::spin_hint();
        }
    }

    /// The sender was asked, and so many items were found.
    #[inline(always)]
    pub(crate) fn found(&mut self, items: u32) {
        self.close = if items < self.few { self.close + 1 } else { 0 };
    }
}
