//! The pool of threads: made at boot, used again and again (H19). One that has nothing to do sleeps.

use core::ffi::c_void;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use res_api::ErrorKind;

use super::free_list::FreeLists;
use super::interface::sched::{sched_thd_create, sched_thd_yield, sched_thd_yield_to};
use super::priority::Priority;
use super::slot::Slot;
use super::{U32, identity};
use crate::{KernelError, ThreadEntry};

/// Threads that a component can have, besides its first one; one of them is the clock thread.
///
/// It is what an application got of the 32 of the system where that was tried.
pub const MOST_THREADS: u32 = 22;

const ITEMS: usize = MOST_THREADS as usize;

static SLOTS: [Slot; ITEMS] = [const { Slot::new() }; ITEMS];
static IDLE: FreeLists<1, ITEMS> = FreeLists::new();
/// What threads have where nothing else was set.
static USUAL: U32 = U32::new(1);

/// Makes the threads of the pool. They run when they are started.
///
/// # Errors
///
/// `NoSlots`; what was made until then stays in the pool.
pub(super) fn fill(count: u32, usual: Priority) -> Result<(), KernelError> {
    USUAL.store(usual.code(), Relaxed);
    for (index, slot) in (0..count).zip(&SLOTS) {
        slot.bell.install()?;
        // SAFETY: `live` does not return, and uses its slot, which is static. The caller has
        // counted: there are not more than `MOST_THREADS`.
        let id = unsafe { sched_thd_create(live, (&raw const *slot).cast_mut().cast()) };
        if id == 0 {
            return Err(KernelError::new("make a thread", ErrorKind::NoSlots));
        }
        slot.id.store(id as u32, Release);
        give_back(index);
    }
    Ok(())
}

/// What threads have where nothing else was set.
pub(super) fn usual() -> Priority {
    Priority::from_code(USUAL.load(Relaxed))
}

/// One that nobody has.
///
/// # Safety
///
/// That of [`Kernel::thread`](crate::Kernel::thread).
pub(super) unsafe fn take(entry: ThreadEntry) -> Result<(u32, &'static Slot), KernelError> {
    let index = IDLE.pop(0).ok_or(KernelError::new("take a thread", ErrorKind::NoSlots))?;
    let slot = &SLOTS[index as usize];
    slot.take(entry, usual());
    Ok((index, slot))
}

/// The slot of that index is free.
pub(super) fn give_back(index: u32) {
    IDLE.push(0, index);
}

/// A thread of the pool.
extern "C" fn live(slot: *mut c_void) {
    // SAFETY: `fill` made the thread with the address of a static slot, which is only shared.
    let slot = unsafe { &*slot.cast_const().cast::<Slot>() };
    // By address, which says where in the array it is.
    let index = SLOTS.iter().position(|other| core::ptr::eq(other, slot)).unwrap_or(0) as u32;
    loop {
        if slot.run(usual()) {
            give_back(index);
        }
    }
}

/// The slot of the thread with that id, if it is one of the pool.
fn slot_of(id: u32) -> Option<&'static Slot> {
    SLOTS.iter().find(|slot| slot.id.load(Acquire) == id)
}

/// Where a priority was set while the calling thread slept, it takes effect now.
pub(super) fn settle() {
    if let Some(slot) = slot_of(identity::current()) {
        slot.settle_and_yield();
    }
}

/// See [`Kernel::yield_to`](crate::Kernel::yield_to). An unknown id would halt the machine.
pub(super) fn yield_to(thread: Option<u32>) {
    match thread.filter(|id| *id != 0 && slot_of(*id).is_some()) {
        // SAFETY: the thread exists, for ever.
        Some(id) => unsafe { sched_thd_yield_to(id.into()) },
        None => sched_thd_yield(),
    };
}

/// Who joins the calling thread is told that it has ended. Its place is not used again, because it
/// does not end at the bottom of its stack.
pub(super) fn abandon() {
    if let Some(slot) = slot_of(identity::current()) {
        slot.abandon();
    }
}
