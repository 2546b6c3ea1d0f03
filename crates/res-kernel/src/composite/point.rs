//! Places to sleep at: blockpoints of the scheduler, which keep their epoch for ever (H4).

use core::fmt;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use res_api::ErrorKind;
use res_sync::event::EPOCH_SHIFT;

use super::free_list::{FreeLists, next_fresh};
use super::interface::sched::{BlockpointId, sched_blkpt_alloc};
use super::{U32, U64};
use crate::KernelError;

/// Places that a component can have.
const MOST: usize = 4096;

/// A blockpoint of the pool.
struct Place {
    /// 0 until the scheduler was asked for one.
    id: U32,
    /// The greatest epoch that the scheduler may have recorded for it.
    last: U64,
}

static PLACES: [Place; MOST] = [const { Place { id: U32::new(0), last: U64::new(0) } }; MOST];
static FREE: FreeLists<1, MOST> = FreeLists::new();
static USED: U32 = U32::new(0);

/// A place to sleep at. Dropped, it goes back to the pool: its id and its epoch live on.
pub struct CompositePoint(u32);

impl fmt::Debug for CompositePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompositePoint(blockpoint {})", self.id())
    }
}

impl CompositePoint {
    /// One of the pool, or a new one.
    pub(super) fn take() -> Result<Self, KernelError> {
        let none = KernelError::new("allocate a blockpoint", ErrorKind::NoSlots);
        let index = FREE.pop(0).or_else(|| next_fresh(&USED, MOST)).ok_or(none)?;
        // From here on a failure gives the place back.
        let point = Self(index);
        let id = &point.place().id;
        if id.load(Acquire) == 0 {
            match sched_blkpt_alloc() {
                0 => return Err(none),
                new => id.store(new, Release),
            }
        }
        Ok(point)
    }

    /// Which one it is, for somebody who keeps it for ever.
    pub(super) fn into_index(self) -> u32 {
        core::mem::ManuallyDrop::new(self).0
    }

    /// The other way.
    pub(super) const fn from_index(index: u32) -> Self {
        Self(index)
    }

    fn place(&self) -> &'static Place {
        &PLACES[self.0 as usize]
    }

    /// What the scheduler calls it.
    pub(super) fn id(&self) -> BlockpointId {
        self.place().id.load(Acquire)
    }

    /// The scheduler may record this epoch from now on.
    pub(super) fn may_record(&self, epoch: u64) {
        // AcqRel: orders it before the call, and before the place's next life.
        self.place().last.fetch_max(epoch, AcqRel);
    }

    /// A word whose epoch is behind all that the scheduler may have recorded.
    pub(super) fn first_word(&self) -> u64 {
        (self.place().last.load(Acquire) + 1) << EPOCH_SHIFT
    }
}

impl Drop for CompositePoint {
    fn drop(&mut self) {
        FREE.push(0, self.0);
    }
}
