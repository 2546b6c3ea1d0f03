//! What one end knows of the slots, where the other end cannot write.

use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use res_api::{Backend, Map, Mem, MemoryModel};
use res_sync::model::Atomic;

/// Where a slot is, as one end sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Place {
    /// On the other side, or on the way.
    Away = 0,
    /// Free, on the sender's stack.
    Free = 1,
    /// Lent to the user of this end.
    Lent = 2,
    /// Passed on by a forwarder.
    Passed = 3,
}

impl Place {
    fn from_word(word: u64) -> Self {
        match word {
            1 => Self::Free,
            2 => Self::Lent,
            3 => Self::Passed,
            _ => Self::Away,
        }
    }
}

/// One end's private record: memory of its own, which travels with the end.
///
/// Words: how many are free; whether a loan was dropped, where one word of bits does not say so; for
/// each slot its place; the stack of free slots; a bit for each slot whose loan was dropped. Only the
/// second and the last, which concern dropped loans, are written by other threads than the end's own.
///
/// Whoever had the end before may still have the memory mapped, in another domain: nothing that is
/// read here is believed beyond being a slot that is where it should be (H18).
pub(super) struct Record<B: Backend> {
    map: B::Map,
    words: NonNull<<B::Model as MemoryModel>::U64>,
    capacity: u32,
}

// SAFETY: atomics in memory that the map keeps.
unsafe impl<B: Backend> Send for Record<B> {}
// SAFETY: as for `Send`.
unsafe impl<B: Backend> Sync for Record<B> {}

impl<B: Backend> Clone for Record<B> {
    fn clone(&self) -> Self {
        Self { map: self.map.clone(), words: self.words, capacity: self.capacity }
    }
}

const FREE_COUNT: u64 = 0;
const DROPPED_ANY: u64 = 1;
const PLACES: u64 = 2;

/// Words of a record for that many slots.
fn words(capacity: u32) -> u64 {
    PLACES + 2 * u64::from(capacity) + u64::from(capacity.div_ceil(u64::BITS))
}

impl<B: Backend> Record<B> {
    /// The record of a new end, all of whose slots are in one place.
    pub(super) fn create(b: &B, capacity: u32, place: Place) -> Result<B::SharedMem, B::Error> {
        let mut memory = b.mem(words(capacity) * 8)?;
        let mut set = |word: u64, value: u64| {
            let at = word as usize * 8;
            memory.bytes_mut()[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        };
        for slot in 0..u64::from(capacity) {
            set(PLACES + slot, place as u64);
            // The stack: slot 0 is on top.
            set(PLACES + 2 * u64::from(capacity) - 1 - slot, slot);
        }
        if place == Place::Free {
            set(FREE_COUNT, capacity.into());
        }
        Ok(memory.share())
    }

    pub(super) fn attach(map: B::Map, capacity: u32) -> Option<Self> {
        let words = map.base().cast();
        (map.len() >= self::words(capacity) * 8).then_some(Self { map, words, capacity })
    }

    fn word(&self, index: u64) -> &<B::Model as MemoryModel>::U64 {
        debug_assert!(index < words(self.capacity));
        // SAFETY: within the memory (`attach`), which the map keeps; the model's words are plain
        // memory (`Mapped`), all of it initialised, and everybody uses them by atomics.
        unsafe { self.words.add(index as usize).as_ref() }
    }

    fn stack(&self, index: u64) -> &<B::Model as MemoryModel>::U64 {
        self.word(PLACES + u64::from(self.capacity) + index)
    }

    fn dropped(&self, index: u64) -> &<B::Model as MemoryModel>::U64 {
        self.word(PLACES + 2 * u64::from(self.capacity) + index)
    }

    pub(super) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Whether it is the same record.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.words == other.words
    }

    /// Where a slot is; none for a number that is no slot.
    pub(super) fn place(&self, slot: u32) -> Option<Place> {
        // Relaxed, here and below: only the end's own thread uses these words.
        (slot < self.capacity)
            .then(|| Place::from_word(self.word(PLACES + u64::from(slot)).load(Relaxed)))
    }

    /// `slot` is a slot.
    pub(super) fn set(&self, slot: u32, place: Place) {
        self.word(PLACES + u64::from(slot)).store(place as u64, Relaxed);
    }

    fn free_count(&self) -> u64 {
        self.word(FREE_COUNT).load(Relaxed).min(self.capacity.into())
    }

    pub(super) fn has_free(&self) -> bool {
        self.free_count() != 0
    }

    pub(super) fn take_free(&self) -> Option<u32> {
        let count = self.free_count().checked_sub(1)?;
        self.word(FREE_COUNT).store(count, Relaxed);
        let slot = u32::try_from(self.stack(count).load(Relaxed)).ok()?;
        (self.place(slot) == Some(Place::Free)).then_some(slot)
    }

    /// Puts a slot back on the stack.
    pub(super) fn free(&self, slot: u32) {
        self.set(slot, Place::Free);
        let count = self.free_count();
        // There is room for all slots; a stack that is said to be full has lost this one.
        if count < self.capacity.into() {
            self.stack(count).store(slot.into(), Relaxed);
            self.word(FREE_COUNT).store(count + 1, Relaxed);
        }
    }

    /// A loan is dropped, in whatever thread.
    pub(super) fn drop_loan(&self, slot: u32) {
        // AcqRel: what the thread did with the slot comes before what the end does with it.
        self.dropped(u64::from(slot / u64::BITS)).fetch_or(1 << (slot % u64::BITS), AcqRel);
        if let Some(mark) = self.mark() {
            mark.fetch_or(1, AcqRel);
        }
    }

    fn words_of_bits(&self) -> u32 {
        self.capacity.div_ceil(u64::BITS)
    }

    /// What says that a loan was dropped, where that takes more than a look at one word of bits.
    fn mark(&self) -> Option<&<B::Model as MemoryModel>::U64> {
        (self.words_of_bits() > 1).then(|| self.word(DROPPED_ANY))
    }

    pub(super) fn has_dropped(&self) -> bool {
        self.mark().unwrap_or_else(|| self.dropped(0)).load(Acquire) != 0
    }

    /// Calls `each` with every slot whose loan was dropped, while it still counts as lent.
    pub(super) fn sweep(&self, mut each: impl FnMut(&Self, u32)) {
        if !self.has_dropped() {
            return;
        }
        if let Some(mark) = self.mark() {
            // The mark goes first: a loan dropped after this sets it again.
            mark.swap(0, AcqRel);
        }
        for index in 0..self.words_of_bits() {
            let mut bits = self.dropped(index.into()).swap(0, AcqRel);
            while bits != 0 {
                let slot = index * u64::BITS + bits.trailing_zeros();
                bits &= bits - 1;
                if self.place(slot) == Some(Place::Lent) {
                    each(self, slot);
                }
            }
        }
    }

    /// Calls `each` with every slot that is in that place.
    pub(super) fn each_in(&self, place: Place, mut each: impl FnMut(u32)) {
        (0..self.capacity).filter(|slot| self.place(*slot) == Some(place)).for_each(&mut each);
    }
}
