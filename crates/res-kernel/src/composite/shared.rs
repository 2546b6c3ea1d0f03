//! What components share: pages, by the number of a buffer, and blockpoints, by theirs.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use res_api::ErrorKind;

use super::interface::memmgr::{BufferId, PAGE, memmgr_shared_page_allocn, memmgr_shared_page_map};
use super::{Composite, CompositeMemory, U32, U64};
use crate::KernelError;

/// Buffers that a component can have mapped.
const MOST: usize = 256;

/// A buffer that was mapped here. It stays so: the memory manager takes nothing back.
struct Mapping {
    /// 0: there is none.
    buffer: U32,
    pages: U64,
    base: U64,
}

static MAPPINGS: [Mapping; MOST] =
    [const { Mapping { buffer: U32::new(0), pages: U64::new(0), base: U64::new(0) } }; MOST];

impl Mapping {
    fn memory(&self) -> Option<CompositeMemory> {
        CompositeMemory::of_pages(self.base.load(Relaxed), self.pages.load(Relaxed) as usize)
    }
}

impl Composite {
    /// Makes pages that other components may have, too, all 0: for ever. Whoever is told the number
    /// of the buffer can [`open`](Self::open) it, and whoever guesses it: the memory manager asks
    /// nobody who he is.
    ///
    /// # Errors
    ///
    /// `NoMemory`.
    pub fn share(&self, bytes: u64) -> Result<(CompositeMemory, BufferId), KernelError> {
        let pages = bytes.div_ceil(PAGE as u64).max(1);
        let mut at = 0;
        // SAFETY: the place is ours.
        let buffer = unsafe { memmgr_shared_page_allocn(pages, &raw mut at) };
        let memory = CompositeMemory::of_pages(at, pages as usize).filter(|_| buffer != 0);
        let memory = memory.ok_or(KernelError::new("make shared memory", ErrorKind::NoMemory))?;
        Ok((memory, buffer))
    }

    /// The pages of a buffer, which are mapped here when they are asked for the first time, and stay
    /// so.
    ///
    /// # Safety
    ///
    /// There is a buffer of that number, says somebody who can be believed: a wrong one is the end of
    /// the memory manager. Less than five components have it, its maker among them, or this one has
    /// opened it before. No two threads open the same one at a time. Whoever has it can write to it
    /// at any time.
    ///
    /// # Errors
    ///
    /// `NoSlots` if this component has mapped too many; `NotFound`.
    pub unsafe fn open(&self, buffer: BufferId) -> Result<CompositeMemory, KernelError> {
        const OPEN: &str = "open shared memory";
        // Acquire: partners the Release below, behind which the rest is written.
        let known = MAPPINGS.iter().find(|known| known.buffer.load(Acquire) == buffer);
        if let Some(memory) = known.and_then(Mapping::memory) {
            return Ok(memory);
        }
        let place = MAPPINGS.iter().find(|free| free.reserve());
        let place = place.ok_or(KernelError::new(OPEN, ErrorKind::NoSlots))?;
        let mut at = 0;
        // SAFETY: the place is ours; the rest is the caller's promise.
        let pages = unsafe { memmgr_shared_page_map(buffer, &raw mut at) };
        place.pages.store(pages, Relaxed);
        place.base.store(at, Relaxed);
        let memory = place.memory();
        // Release: partners the Acquire above. Where nothing was mapped, the place is free again.
        place.buffer.store(if memory.is_some() { buffer } else { 0 }, Release);
        memory.ok_or(KernelError::new(OPEN, ErrorKind::NotFound))
    }
}

/// Of a mapping that is being made.
const RESERVED: BufferId = BufferId::MAX;

impl Mapping {
    /// Takes it, if it is free.
    fn reserve(&self) -> bool {
        // Relaxed: its taker alone writes it until it has a number.
        self.buffer.compare_exchange(0, RESERVED, Relaxed, Relaxed).is_ok()
    }
}
