//! Places to sleep at: blockpoints of the scheduler, which keep their epoch for ever (H4).

use core::fmt;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use res_api::ErrorKind;
use res_sync::event::EPOCH_SHIFT;

use super::free_list::{FreeLists, next_fresh};
use super::interface::sched::{BlockpointId, sched_blkpt_alloc};
use super::{U32, U64};
use crate::KernelError;

/// Places that a component can have.
const MOST: usize = 4096;

const NONE: KernelError = KernelError::new("allocate a blockpoint", ErrorKind::NoSlots);

/// A blockpoint of the pool.
struct Place {
    /// 0 until the scheduler was asked for one.
    id: U32,
    /// 1 where another component sleeps there, too, or wakes.
    shared: U32,
    /// The greatest epoch that the scheduler may have recorded for it.
    last: U64,
}

static PLACES: [Place; MOST] =
    [const { Place { id: U32::new(0), shared: U32::new(0), last: U64::new(0) } }; MOST];
static FREE: FreeLists<2, MOST> = FreeLists::new();
/// The list of places that have a blockpoint.
const READY: usize = 0;
/// The list of those that have none: another component had it, too.
const BARE: usize = 1;
static USED: U32 = U32::new(0);

/// A place to sleep at. Dropped, it goes back to the pool: its id and its epoch live on. One that
/// another component has, too, is left to that.
pub struct CompositePoint(u32);

impl fmt::Debug for CompositePoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompositePoint(blockpoint {})", self.id())
    }
}

impl CompositePoint {
    /// One of the pool, or a new one.
    pub(super) fn take() -> Result<Self, KernelError> {
        match FREE.pop(READY) {
            Some(index) => Ok(Self(index)),
            None => Self::bare()?.with(sched_blkpt_alloc()),
        }
    }

    /// That blockpoint, which other components have, too.
    ///
    /// # Errors
    ///
    /// `NoSlots`.
    pub fn shared(id: BlockpointId) -> Result<Self, KernelError> {
        let point = Self::bare()?;
        point.become_shared(id, 0)?;
        Ok(point)
    }

    /// From now on it is that blockpoint, which other components have, too, and for which the
    /// scheduler may have recorded `last`. The one that it was goes back to the pool: nobody sleeps
    /// there, or is about to.
    ///
    /// # Errors
    ///
    /// `NoSlots`.
    pub fn share_as(&self, id: BlockpointId, last: u64) -> Result<(), KernelError> {
        let place = self.place();
        // Relaxed: whoever asks for this is the only one who uses it.
        if place.shared.load(Relaxed) == 0 {
            // The pool gets another place, with what this one has been.
            let own = Self::bare()?.with(place.id.load(Relaxed))?;
            own.may_record(place.last.load(Relaxed));
        }
        self.become_shared(id, last)
    }

    fn become_shared(&self, id: BlockpointId, last: u64) -> Result<(), KernelError> {
        if id == 0 {
            return Err(NONE);
        }
        let place = self.place();
        // Relaxed: looked at by whoever has the point, and given to others by a Release of theirs.
        place.shared.store(1, Relaxed);
        place.last.store(last, Relaxed);
        place.id.store(id, Release);
        Ok(())
    }

    /// A place without a blockpoint. Dropped like that, it is one again.
    fn bare() -> Result<Self, KernelError> {
        FREE.pop(BARE).or_else(|| next_fresh(&USED, MOST)).map(Self).ok_or(NONE)
    }

    fn with(self, id: BlockpointId) -> Result<Self, KernelError> {
        if id == 0 {
            return Err(NONE);
        }
        let place = self.place();
        // Nobody else has the place. The blockpoint is a new one, or another's affair.
        place.last.store(0, Relaxed);
        place.id.store(id, Release);
        Ok(self)
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
    pub fn id(&self) -> BlockpointId {
        self.place().id.load(Acquire)
    }

    /// The scheduler may record this epoch from now on.
    pub fn may_record(&self, epoch: u64) {
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
        let place = self.place();
        // Relaxed: nobody else has the place.
        if place.shared.swap(0, Relaxed) != 0 {
            place.id.store(0, Relaxed);
        }
        let list = if place.id.load(Relaxed) == 0 { BARE } else { READY };
        FREE.push(list, self.0);
    }
}
