//! Sleeping, waking and the time.

use res_sync::event::EPOCH_SHIFT;
use res_sync::model::{Core, MemoryModel};
use res_sync::{Barrier, Deadline, Instant, Park, Parked, Wake};

use super::interface::sched::{sched_blkpt_block, sched_blkpt_trigger, sched_thd_yield};
use super::{Composite, CompositePoint, U64, clock, identity, pool, timeout};

impl Park for Composite {
    type Model = Core;

    type Point = CompositePoint;

    /// A trigger of the scheduler wakes all, or it would have to say whether there was one.
    const WAKES_ONE: bool = false;

    fn now(&self) -> Instant {
        clock::now()
    }

    fn first_word(&self, point: &CompositePoint) -> u64 {
        point.first_word()
    }

    /// 0: priorities are fixed, so who spins keeps the one away that it waits for (H5).
    fn spin_limit(&self) -> u32 {
        0
    }

    #[inline]
    fn current(&self) -> u32 {
        identity::current()
    }

    fn unwinding(&self) -> bool {
        false
    }

    /// Blocks unless the scheduler was told of a later epoch than that of `seen`. The flags in the
    /// word are not compared: who wakes has moved the epoch.
    fn park(&self, point: &CompositePoint, _word: &U64, seen: u64, deadline: Deadline) -> Parked {
        let (id, epoch) = (point.id(), seen >> EPOCH_SHIFT);
        let entry = deadline.instant().map(|at| timeout::register(point, epoch, at));
        if let Some(None) = entry {
            // It cannot be woken in time, so it does not sleep.
            sched_thd_yield();
            return Parked::Awake;
        }
        // SAFETY: a blockpoint of the pool. Nothing in this crate calls `sched_thd_wakeup`.
        unsafe { sched_blkpt_block(id, epoch, 0) };
        drop(entry);
        pool::settle();
        if deadline.passed(self.now()) { Parked::TimedOut } else { Parked::Awake }
    }

    /// At a place of its own: the scheduler compares no words. Without one it lets others run.
    fn nap(&self, _point: &CompositePoint, until: Deadline) {
        let own = CompositePoint::take();
        while !until.passed(self.now()) {
            match &own {
                Ok(own) => _ = self.park(own, &U64::new(0), own.first_word(), until),
                Err(_) => _ = sched_thd_yield(),
            }
        }
    }

    fn unpark(&self, point: &CompositePoint, _word: &U64, moved: u64, _: Wake) -> Option<u32> {
        let epoch = moved >> EPOCH_SHIFT;
        point.may_record(epoch);
        // SAFETY: a blockpoint of the pool.
        unsafe { sched_blkpt_trigger(point.id(), epoch, 0) };
        None
    }

    fn heavy_barrier(&self, _: Barrier) {
        // Partner: the fence in `Core::light_barrier(Fence)`, which is all that is agreed on here.
        Core::fence();
    }
}
