//! Memory and places to sleep at that another component may have. Here both are this one.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::SeqCst;
use core::time::Duration;

use res_api::Fault;
use res_kernel::composite::interface::sched::{BlockpointId, sched_blkpt_trigger};
use res_kernel::composite::{Shared, SharedName};
use res_kernel::{Composite, Kernel, KernelMemory};
use res_sync::{Barrier, Event, Park, Parked, Wake};

use super::beside::started;
use super::{LONG, within};
use crate::report::check;

/// The word at the beginning of the memory, and the first place.
fn event<'a>(machine: &'a Composite, shared: &'a Shared) -> Event<'a, Composite> {
    // SAFETY: a page is mapped there, as long as that lives; everybody uses it by atomics.
    let word = unsafe { shared.memory.base().cast::<AtomicU64>().as_ref() };
    Event { park: machine, point: &shared.points[0], word, barrier: Barrier::Fence }
}

/// Who sleeps by one view is woken by the other.
pub(super) fn wakes(machine: Composite) -> Result<(), Fault> {
    let (here, name) = machine.share(1)?;
    check!(SharedName::from_words(name.to_words()) == name);
    // SAFETY: made above, and opened once.
    let there = unsafe { machine.open(name)? };
    check!(here.memory.len() == 4_096 && there.memory.len() == 4_096);
    check!(here.memory.base() != there.memory.base());
    let first = machine.first_word(&here.points[0]);
    event(&machine, &here).word.store(first, SeqCst);

    let mut woken = 0;
    let mut body = || {
        for _ in 0..100 {
            let event = event(&machine, &there);
            let armed = event.checkpoint();
            woken += u32::from(event.wait(armed, within(machine, LONG)).is_ok());
        }
    };
    let other = started(machine, &mut body)?;
    for _ in 0..100 {
        event(&machine, &here).trigger(Wake::All);
    }
    drop(other);
    check!(woken == 100);
    Ok(())
}

/// A place that another component may have is used for nothing else here: the other one goes on
/// waking whoever sleeps there.
pub(super) fn is_left_to_others(machine: Composite) -> Result<(), Fault> {
    let (shared, name) = machine.share(1)?;
    drop(shared);
    let [_, one, two] = name.to_words();
    for point in [one, two] {
        // SAFETY: blockpoints of the scheduler.
        unsafe { sched_blkpt_trigger(point as BlockpointId, 1 << 40, 0) };
    }
    // One that had heard of it would not sleep.
    let points = [machine.point()?, machine.point()?, machine.point()?];
    for point in &points {
        let word = AtomicU64::new(machine.first_word(point));
        let soon = within(machine, Duration::from_millis(1));
        let parked = machine.park(point, &word, machine.first_word(point), soon);
        check!(parked == Parked::TimedOut);
    }
    Ok(())
}
