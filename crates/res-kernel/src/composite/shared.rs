//! What two components share: pages, and two places to sleep at.

use res_api::ErrorKind;

use super::interface::memmgr::{BufferId, PAGE, memmgr_shared_page_allocn, memmgr_shared_page_map};
use super::interface::sched::{BlockpointId, sched_blkpt_alloc};
use super::{Composite, CompositeMemory, CompositePoint};
use crate::KernelError;

/// Pages and two places to sleep at, as one of the components has them. They are the system's for
/// ever: nothing of it goes back to a pool.
#[derive(Debug)]
pub struct Shared {
    /// The pages, all 0 at first.
    pub memory: CompositeMemory,
    /// Places for words in that memory.
    pub points: [CompositePoint; 2],
}

/// By what another component finds it. It says so to anybody: the managers ask nobody who he is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedName {
    buffer: BufferId,
    points: [BlockpointId; 2],
}

impl SharedName {
    /// As an invocation returns it, besides the result.
    pub fn to_words(self) -> [u64; 3] {
        [self.buffer.into(), self.points[0].into(), self.points[1].into()]
    }

    /// From such words.
    pub const fn from_words([buffer, one, two]: [u64; 3]) -> Self {
        Self { buffer: buffer as BufferId, points: [one as BlockpointId, two as BlockpointId] }
    }
}

impl Composite {
    /// Makes pages that others may have, too, and two places to sleep at.
    ///
    /// # Errors
    ///
    /// `NoMemory`, `NoSlots`.
    pub fn share(&self, bytes: u64) -> Result<(Shared, SharedName), KernelError> {
        const MAKE: &str = "make shared memory";
        let pages = bytes.div_ceil(PAGE as u64).max(1);
        let points = [sched_blkpt_alloc(), sched_blkpt_alloc()];
        let mut at = 0;
        // SAFETY: the place is ours.
        let buffer = unsafe { memmgr_shared_page_allocn(pages, &raw mut at) };
        if buffer == 0 {
            return Err(KernelError::new(MAKE, ErrorKind::NoMemory));
        }
        Ok((shared(at, pages, points, MAKE)?, SharedName { buffer, points }))
    }

    /// The same, made by another component.
    ///
    /// # Safety
    ///
    /// The name is one that [`share`](Self::share) has made, and was told by who can be believed: a
    /// wrong one is the end of the memory manager. It has been opened less than four times in the
    /// whole system. Whoever opens it can write to the memory at any time, and so can this one.
    ///
    /// # Errors
    ///
    /// `NotFound`, `NoSlots`.
    pub unsafe fn open(&self, name: SharedName) -> Result<Shared, KernelError> {
        let mut at = 0;
        // SAFETY: the place is ours; the rest is the caller's promise.
        let pages = unsafe { memmgr_shared_page_map(name.buffer, &raw mut at) };
        shared(at, pages, name.points, "open shared memory")
    }
}

fn shared(
    at: u64,
    pages: u64,
    [one, two]: [BlockpointId; 2],
    operation: &'static str,
) -> Result<Shared, KernelError> {
    let memory = CompositeMemory::of_pages(at, pages as usize);
    let memory = memory.ok_or(KernelError::new(operation, ErrorKind::NotFound))?;
    Ok(Shared { memory, points: [CompositePoint::shared(one)?, CompositePoint::shared(two)?] })
}
