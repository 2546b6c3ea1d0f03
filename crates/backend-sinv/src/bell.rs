//! Bells: how one component tells another that sources of its groups may be ready (H6).
//!
//! Between two components that have something to tell each other lies an arena, a memory object
//! that these two have mapped, and the manager. Each half belongs to one of them, who listens; the
//! other one rings: sets the bit of a source and triggers the word. Whoever shares no arena with a
//! component cannot wake it, and cannot keep another one from waking it.

use core::ptr::NonNull;

use backend_local::bitmap::Bitmap;
use res_api::{Barrier, Instant, Wake};
use res_kernel::{Isolation, Kernel, KernelError, KernelMemory};
use res_sync::{Event, MemoryModel, Park};

/// Bytes of a half.
const HALF: u64 = 4096;
/// Where the bits of a half begin.
const BITS_AT: u64 = 64;

/// Bytes of an arena.
pub(crate) const ARENA: u64 = 2 * HALF;

/// Sources that one component can have of another: as many as fit, with a summary of 64 each.
pub(crate) const SOURCES: u32 = ((HALF - BITS_AT) / 8 * 64 / 65 * 64) as u32;

/// Bits of a bell's number that say which source; the others say which arena.
pub(crate) const BIT_BITS: u32 = 24;

/// Which of two components listens to which half.
pub(crate) const fn half_of(listener: u32, other: u32) -> u32 {
    (listener > other) as u32
}

/// How a component listens to an arena, as the manager says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listening {
    pub(crate) half: u32,
    /// The manager rings there, for several who share no arena with the component.
    pub(crate) is_shared: bool,
}

impl Listening {
    pub(crate) fn number(self) -> u64 {
        u64::from(self.half) | u64::from(self.is_shared) << 1
    }

    /// `None` for what is no such number.
    pub(crate) fn of(number: u64) -> Option<Self> {
        (number < 4).then_some(Self { half: number as u32 & 1, is_shared: number & 2 != 0 })
    }
}

/// One half of an arena.
pub(crate) struct Bell<K: Isolation> {
    kernel: K,
    point: K::Point,
    word: NonNull<<K::Model as MemoryModel>::U64>,
    barrier: Barrier,
    bits: Bitmap<K>,
}

// SAFETY: atomics in mapped memory; who makes a bell sees to it that the mapping outlives it.
unsafe impl<K: Isolation> Send for Bell<K> {}
// SAFETY: as for `Send`.
unsafe impl<K: Isolation> Sync for Bell<K> {}

impl<K: Isolation> Bell<K> {
    /// A half of an arena; `None` where it is too small for one.
    ///
    /// # Safety
    ///
    /// The memory is mapped for writing as long as the bell lives.
    pub(crate) unsafe fn new(
        kernel: &K,
        arena: &K::Memory,
        half: u32,
    ) -> Result<Option<Self>, KernelError> {
        let start = u64::from(half.min(1)) * HALF;
        if arena.len() < start + HALF {
            return Ok(None);
        }
        let point = kernel.point()?;
        kernel.between(&point);
        // SAFETY: within the memory.
        let base = unsafe { arena.base().add(start as usize) };
        // SAFETY: behind the word, within the half, aligned.
        let bits = unsafe {
            let memory = base.add(BITS_AT as usize);
            Bitmap::over(memory, HALF - BITS_AT, SOURCES)
        };
        let (kernel, barrier) = (kernel.clone(), kernel.barrier());
        Ok(bits.map(|bits| Self { kernel, point, word: base.cast(), barrier, bits }))
    }

    pub(crate) fn event(&self) -> Event<'_, K> {
        // SAFETY: aligned, mapped as long as this lives, and used by atomics only.
        let word = unsafe { self.word.as_ref() };
        Event { park: &self.kernel, point: &self.point, word, barrier: self.barrier }
    }

    pub(crate) fn now(&self) -> Instant {
        self.kernel.now()
    }

    /// Tells the listener that the source of that bit may be ready.
    pub(crate) fn ring(&self, bit: u32) {
        self.bits.set(bit);
        // What the other side says here is for nobody.
        let _ = self.event().trigger(Wake::All);
    }

    /// Calls `each` with every bit that is set, and clears it. Whoever rings all the time does not
    /// keep the listener here for ever.
    pub(crate) fn sweep(&self, mut each: impl FnMut(u32)) {
        let mut start = 0;
        for _ in 0..SOURCES {
            let Some(bit) = self.bits.find_from(start) else { return };
            self.bits.clear(bit);
            each(bit);
            start = (bit + 1) % SOURCES;
        }
    }
}

/// The word of a machine at that place of a memory object.
///
/// # Safety
///
/// The offset is a multiple of 8, and the word lies within the memory.
pub(crate) unsafe fn word_at<K: Kernel>(
    memory: &K::Memory,
    offset: u64,
) -> &<<K as Park>::Model as MemoryModel>::U64 {
    // SAFETY: within the memory, which is borrowed, and aligned; used by atomics only.
    unsafe { memory.base().add(offset as usize).cast().as_ref() }
}
