//! Memory and places to sleep at that other components may have. Here both are this one.

use core::sync::atomic::AtomicU64;
use core::time::Duration;

use res_api::Fault;
use res_kernel::composite::CompositePoint;
use res_kernel::composite::interface::sched::{sched_blkpt_alloc, sched_blkpt_trigger};
use res_kernel::{Composite, Kernel, KernelMemory};
use res_sync::{Barrier, Event, Park, Parked, Wake};

use super::beside::started;
use super::{LONG, within};
use crate::report::check;

/// Who sleeps by one view is woken by the other.
pub(super) fn wakes(machine: Composite) -> Result<(), Fault> {
    let id = sched_blkpt_alloc();
    let (here, there) = (machine.point()?, CompositePoint::shared(id)?);
    here.share_as(id, 41)?;
    check!(here.id() == id && there.id() == id);
    // Behind what others may have told the scheduler.
    check!(machine.first_word(&here) > 41 << res_sync::event::EPOCH_SHIFT);
    let word = AtomicU64::new(machine.first_word(&here));
    let event = |point| Event { park: &machine, point, word: &word, barrier: Barrier::Fence };

    let mut woken = 0;
    let mut body = || {
        for _ in 0..100 {
            let event = event(&there);
            let armed = event.checkpoint();
            woken += u32::from(event.wait(armed, within(machine, LONG)).is_ok());
        }
    };
    let other = started(machine, &mut body)?;
    for _ in 0..100 {
        event(&here).trigger(Wake::All);
    }
    drop(other);
    check!(woken == 100);
    Ok(())
}

/// A place that other components may have is used for nothing else here: they go on waking whoever
/// sleeps there. What it was before is used again.
pub(super) fn is_left_to_others(machine: Composite) -> Result<(), Fault> {
    let id = sched_blkpt_alloc();
    let point = machine.point()?;
    let before = point.id();
    point.share_as(id, 0)?;
    drop(point);
    drop(CompositePoint::shared(id)?);
    // SAFETY: a blockpoint of the scheduler.
    unsafe { sched_blkpt_trigger(id, 1 << 40, 0) };
    // One that had heard of it would not sleep.
    let points = [machine.point()?, machine.point()?, machine.point()?];
    check!(points.iter().any(|point| point.id() == before));
    for point in &points {
        let word = AtomicU64::new(machine.first_word(point));
        let soon = within(machine, Duration::from_millis(1));
        let parked = machine.park(point, &word, machine.first_word(point), soon);
        check!(parked == Parked::TimedOut);
    }
    Ok(())
}

/// A buffer is mapped once more for whoever opens it, and then stays where it is.
pub(super) fn opened_twice(machine: Composite) -> Result<(), Fault> {
    let (made, buffer) = machine.share(5_000)?;
    check!(made.len() == 8_192);
    // More often than the memory manager maps it.
    for round in 0..8 {
        // SAFETY: made above, and opened by this thread alone.
        let opened = unsafe { machine.open(buffer)? };
        check!(opened.len() == 8_192 && opened.base() != made.base());
        // SAFETY: the same page at both addresses, and nobody else has it.
        unsafe {
            made.base().add(5_000).write_volatile(round);
            check!(opened.base().add(5_000).read_volatile() == round);
        }
    }
    Ok(())
}
