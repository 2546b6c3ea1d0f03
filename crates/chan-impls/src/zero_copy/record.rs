//! What one end knows of the slots, where the other end does not write.

use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use res_api::{Backend, Gone, Map, Mem, MemoryModel};
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
/// Words: how many are free; whether a loan was dropped; a bit for each slot whose loan was; for each
/// slot its place; the stack of free slots. Only what concerns dropped loans is written by other
/// threads than the end's own.
///
/// Others may have the memory mapped, in another domain: whoever had the end before, and, where it was
/// [made for a queue](res_api::Backend::making_for), whoever receives there. Nothing that is read here
/// is believed beyond being a slot that is where it should be (H18).
pub(super) struct Record<B: Backend> {
    map: B::Map,
    words: NonNull<Word<B>>,
    /// Where the places begin: behind the bits.
    places: u64,
    capacity: u32,
}

// SAFETY: atomics in memory that the map keeps.
unsafe impl<B: Backend> Send for Record<B> {}

type Word<B> = <<B as Backend>::Model as MemoryModel>::U64;

const FREE_COUNT: u64 = 0;
const DROPPED_ANY: u64 = 1;
const DROPPED: u64 = 2;

/// Where the places of that many slots begin.
fn places(capacity: u32) -> u64 {
    DROPPED + u64::from(capacity.div_ceil(u64::BITS))
}

/// Words of a record for that many slots.
fn words(capacity: u32) -> u64 {
    places(capacity) + 2 * u64::from(capacity)
}

/// One of the words that begin there.
///
/// # Safety
///
/// There are more than `index`, in memory of a record, for as long as the word is used.
unsafe fn word_of<'a, B: Backend>(words: NonNull<Word<B>>, index: u64) -> &'a Word<B> {
    // SAFETY: within the memory, says the caller; the model's words are plain memory (`Mapped`), all of
    // it initialised, and everybody uses them by atomics.
    unsafe { words.add(index as usize).as_ref() }
}

/// A loan of the end with that record is dropped, in whatever thread.
///
/// # Safety
///
/// The record is of more than `slot` slots.
pub(super) unsafe fn drop_loan<B: Backend>(record: &B::Map, slot: u32) {
    let bits = DROPPED + u64::from(slot / u64::BITS);
    let words = record.base().cast();
    // SAFETY: it has bits for that slot, the caller says, and the mark is in front of those; the map,
    // which is borrowed, keeps both.
    let (bits, mark) = unsafe { (word_of::<B>(words, bits), word_of::<B>(words, DROPPED_ANY)) };
    // AcqRel: what the thread did with the slot comes before what the end does with it.
    bits.fetch_or(1 << (slot % u64::BITS), AcqRel);
    mark.fetch_or(1, AcqRel);
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
            set(places(capacity) + slot, place as u64);
            // The stack: slot 0 is on top.
            set(words(capacity) - 1 - slot, slot);
        }
        if place == Place::Free {
            set(FREE_COUNT, capacity.into());
        }
        Ok(memory.share())
    }

    pub(super) fn attach(map: B::Map, capacity: u32) -> Option<Self> {
        let words = map.base().cast();
        let fits = map.len() >= self::words(capacity) * 8;
        fits.then_some(Self { map, words, places: places(capacity), capacity })
    }

    fn word(&self, index: u64) -> &Word<B> {
        debug_assert!(index < words(self.capacity));
        // SAFETY: within the memory (`attach`), which the map keeps.
        unsafe { word_of::<B>(self.words, index) }
    }

    fn place_word(&self, slot: u32) -> &Word<B> {
        self.word(self.places + u64::from(slot))
    }

    fn stack(&self, index: u64) -> &Word<B> {
        self.word(self.places + u64::from(self.capacity) + index)
    }

    /// What a loan keeps of it.
    pub(super) fn map(&self) -> &B::Map {
        &self.map
    }

    pub(super) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Whether it is what is mapped there.
    pub(super) fn is(&self, record: &B::Map) -> bool {
        self.words == record.base().cast()
    }

    /// Where a slot is; none for a number that is no slot.
    pub(super) fn place(&self, slot: u32) -> Option<Place> {
        // Relaxed, here and below: only the end's own thread uses these words.
        (slot < self.capacity).then(|| Place::from_word(self.place_word(slot).load(Relaxed)))
    }

    /// A number from the other side: it must be a slot that is there.
    pub(super) fn came(&self, slot: u32) -> Result<u32, Gone> {
        if self.place(slot) == Some(Place::Away) { Ok(slot) } else { Err(Gone::Misbehaved) }
    }

    /// `slot` is a slot.
    pub(super) fn set(&self, slot: u32, place: Place) {
        self.place_word(slot).store(place as u64, Relaxed);
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

    pub(super) fn has_dropped(&self) -> bool {
        self.word(DROPPED_ANY).load(Acquire) != 0
    }

    /// Calls `each` with every slot whose loan was dropped, while it still counts as lent.
    pub(super) fn sweep(&self, each: impl FnMut(u32)) {
        if self.has_dropped() {
            self.sweep_all(each);
        }
    }

    #[cold]
    #[inline(never)]
    fn sweep_all(&self, mut each: impl FnMut(u32)) {
        // The mark goes first: a loan dropped after this sets it again.
        self.word(DROPPED_ANY).swap(0, AcqRel);
        for index in 0..self.capacity.div_ceil(u64::BITS) {
            let mut bits = self.word(DROPPED + u64::from(index)).swap(0, AcqRel);
            while bits != 0 {
                let slot = index * u64::BITS + bits.trailing_zeros();
                bits &= bits - 1;
                if self.place(slot) == Some(Place::Lent) {
                    each(slot);
                }
            }
        }
    }
}
