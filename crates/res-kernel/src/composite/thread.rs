//! Threads: made at boot, used again and again (H19). One that has nothing to do sleeps.

use core::cell::Cell;
use core::ffi::c_void;
use core::fmt;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use res_api::{ErrorKind, ThreadParam};

use super::U32;
use super::bell::Bell;
use super::free_list::FreeLists;
use super::identity;
use super::interface::sched::{sched_thd_create, sched_thd_yield, sched_thd_yield_to};
use super::priority::Priority;
use crate::{KernelError, KernelThread, ThreadEntry};

/// Threads that a component can have, besides its first one; one of them is the clock thread.
///
/// It is what an application got of the 32 of the system where that was tried.
pub const MOST_THREADS: u32 = 22;

const ITEMS: usize = MOST_THREADS as usize;

/// Nobody has the thread.
const FREE: u32 = 0;
/// Somebody has it; it has not been started.
const MADE: u32 = 1;
/// It runs its entry.
const RUNNING: u32 = 2;
/// It runs its entry, and nobody has it any more.
const DETACHED: u32 = 3;
/// It has run its entry.
const ENDED: u32 = 4;

/// A thread of the pool.
struct Slot {
    /// The scheduler's id; 0 before there is one.
    id: U32,
    stage: U32,
    /// The priority that it is to have, and the one that the scheduler knows of: 0 before it was
    /// put into a run queue for the first time.
    wanted: U32,
    given: U32,
    /// Written by whoever makes the thread, read by itself once it was started.
    entry: Cell<Option<ThreadEntry>>,
    bell: Bell,
}

// SAFETY: the entry is used by one thread at a time: by the maker in stage `MADE`, which it alone
// can leave, by the thread itself in `RUNNING` and `DETACHED`. Its maker promised that it may run
// in another thread. The rest is atomics.
unsafe impl Sync for Slot {}

static SLOTS: [Slot; ITEMS] = [const { Slot::new() }; ITEMS];
static IDLE: FreeLists<1, ITEMS> = FreeLists::new();
/// What threads have where nothing else was set.
static USUAL: U32 = U32::new(1);

impl Slot {
    const fn new() -> Self {
        Self {
            id: U32::new(0),
            stage: U32::new(FREE),
            wanted: U32::new(1),
            given: U32::new(0),
            entry: Cell::new(None),
            bell: Bell::new(),
        }
    }

    fn stage(&self) -> u32 {
        // Acquire: partners the AcqRel of whoever moved it.
        self.stage.load(Acquire)
    }

    fn is_caller(&self) -> bool {
        self.id.load(Relaxed) == identity::current()
    }

    /// Tells the scheduler of another priority; whether there was one. In the thread itself: nobody
    /// else can know that it is not blocked.
    fn settle(&self) -> bool {
        let wanted = self.wanted.load(Relaxed);
        let other = self.given.swap(wanted, Relaxed) != wanted;
        if other {
            // The scheduler refuses no priority of its range.
            let _ = Priority::from_code(wanted).give_to_caller();
        }
        other
    }

    /// The same; one that is more urgent by now runs at once.
    fn settle_and_yield(&self) {
        if self.settle() {
            sched_thd_yield();
        }
    }

    /// Runs what it was started for.
    fn run(&self, index: u32) {
        self.bell.wait(|| matches!(self.stage(), RUNNING | DETACHED).then_some(()));
        self.settle_and_yield();
        if let Some(ThreadEntry { run, data }) = self.entry.take() {
            // SAFETY: its maker promised that this is sound in another thread, once; it was taken.
            unsafe { run(data) };
        }
        self.end(index);
    }

    /// It is done with its entry. It waits for the next one with the usual priority.
    fn end(&self, index: u32) {
        self.wanted.store(USUAL.load(Relaxed), Relaxed);
        self.settle();
        // AcqRel: who joins sees what the entry did.
        match self.stage.compare_exchange(RUNNING, ENDED, AcqRel, Acquire) {
            Ok(_) => self.bell.ring(),
            Err(_) => self.give_back(index),
        }
    }

    /// To the pool.
    fn give_back(&self, index: u32) {
        self.stage.store(FREE, Release);
        IDLE.push(0, index);
    }
}

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
        IDLE.push(0, index);
    }
    Ok(())
}

/// A thread of the pool.
extern "C" fn live(slot: *mut c_void) {
    // SAFETY: `fill` made the thread with the address of a static slot, which is only shared.
    let slot = unsafe { &*slot.cast_const().cast::<Slot>() };
    // By address, which says where in the array it is.
    let index = SLOTS.iter().position(|other| core::ptr::eq(other, slot)).unwrap_or(0) as u32;
    loop {
        slot.run(index);
    }
}

/// The slot of the thread with that id, if it is one of the pool.
fn slot_of(id: u32) -> Option<(u32, &'static Slot)> {
    (0..).zip(&SLOTS).find(|(_, slot)| slot.id.load(Acquire) == id)
}

/// Where a priority was set while the calling thread slept, it takes effect now.
pub(super) fn settle() {
    if let Some((_, slot)) = slot_of(identity::current()) {
        slot.settle_and_yield();
    }
}

/// See `Kernel::yield_to`. An unknown id would halt the machine.
pub(super) fn yield_to(thread: Option<u32>) {
    match thread.filter(|id| *id != 0).and_then(slot_of) {
        // SAFETY: the thread exists, for ever.
        Some((_, slot)) => unsafe { sched_thd_yield_to(slot.id.load(Acquire).into()) },
        None => sched_thd_yield(),
    };
}

/// Who joins the calling thread is told that it has ended. Its place is not used again, because it
/// does not end at the bottom of its stack.
pub(super) fn abandon() {
    if let Some((_, slot)) = slot_of(identity::current()) {
        // A thread that nobody has stays detached.
        if slot.stage.compare_exchange(RUNNING, LOST, AcqRel, Acquire).is_ok() {
            slot.bell.ring();
        }
    }
}

/// It has died while it ran its entry.
const LOST: u32 = 5;

/// A thread of the pool, for one entry. Dropped, it goes back to the pool as soon as the entry has
/// run.
///
/// # Example
///
/// ```no_run
/// use res_api::{ErrorKind, ThreadParam};
/// use res_kernel::{Composite, Kernel, KernelThread, ThreadEntry};
///
/// unsafe fn nothing(_: *mut ()) {}
///
/// let machine = Composite::boot(1, 16)?;
/// let entry = ThreadEntry { run: nothing, data: core::ptr::null_mut() };
/// // SAFETY: `nothing` touches nothing.
/// let thread = unsafe { machine.thread(entry)? };
/// thread.set(ThreadParam::Priority(20))?;
/// thread.start()?;
/// thread.join();
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
pub struct CompositeThread {
    index: u32,
    slot: &'static Slot,
}

impl fmt::Debug for CompositeThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompositeThread({})", self.id())
    }
}

impl CompositeThread {
    /// # Safety
    ///
    /// That of [`Kernel::thread`](crate::Kernel::thread).
    pub(super) unsafe fn take(entry: ThreadEntry) -> Result<Self, KernelError> {
        let index = IDLE.pop(0).ok_or(KernelError::new("take a thread", ErrorKind::NoSlots))?;
        let slot = &SLOTS[index as usize];
        slot.entry.set(Some(entry));
        slot.wanted.store(USUAL.load(Relaxed), Relaxed);
        slot.stage.store(MADE, Release);
        Ok(Self { index, slot })
    }

    /// Lets the scheduler know of it, or wakes it.
    fn launch(&self) -> Result<(), KernelError> {
        let slot = self.slot;
        let wanted = slot.wanted.load(Relaxed);
        // Relaxed: one thread starts it, and only itself changes it afterwards.
        if slot.given.compare_exchange(0, wanted, Relaxed, Relaxed).is_err() {
            slot.bell.ring();
            return Ok(());
        }
        // SAFETY: it exists, and has not run yet, so it is not blocked.
        let queued = unsafe { Priority::from_code(wanted).give_to(self.id()) };
        queued.inspect_err(|_| slot.given.store(0, Relaxed))
    }
}

impl KernelThread for CompositeThread {
    fn id(&self) -> u32 {
        self.slot.id.load(Relaxed)
    }

    /// A priority takes effect at once if this is the calling thread, otherwise when it next wakes
    /// and runs, for which it is as urgent as it was before. Before the start that is the usual
    /// priority, or, in the thread's first use, the one that was set.
    fn set(&self, param: ThreadParam) -> Result<(), KernelError> {
        let invalid = |operation| Err(KernelError::new(operation, ErrorKind::Invalid));
        if matches!(self.slot.stage(), ENDED | LOST) {
            let gone = KernelError::new("set a parameter of an ended thread", ErrorKind::Stale);
            return Err(gone);
        }
        match param {
            ThreadParam::Priority(priority) => {
                self.slot.wanted.store(Priority::new(priority)?.code(), Relaxed);
                if self.slot.is_caller() {
                    self.slot.settle_and_yield();
                }
                Ok(())
            }
            ThreadParam::Core(0) => Ok(()),
            ThreadParam::Core(_) => invalid("run a thread on another core"),
            _ => invalid("set a parameter that this scheduler does not have"),
        }
    }

    fn reset(&self) {
        self.slot.wanted.store(USUAL.load(Relaxed), Relaxed);
        if self.slot.is_caller() {
            self.slot.settle();
        }
    }

    fn start(&self) -> Result<(), KernelError> {
        let stage = &self.slot.stage;
        // AcqRel: one of several that start it does it; the thread sees its entry.
        if stage.compare_exchange(MADE, RUNNING, AcqRel, Acquire).is_err() {
            return Err(KernelError::new("start a thread again", ErrorKind::Invalid));
        }
        self.launch().inspect_err(|_| {
            // It has not run, and does not.
            stage.store(MADE, Release);
        })?;
        // It may be in a queue without having been chosen from it: new there, or still on its way
        // to sleep.
        sched_thd_yield();
        Ok(())
    }

    fn join(&self) {
        if !self.slot.is_caller() {
            self.slot.bell.wait(|| (self.slot.stage() != RUNNING).then_some(()));
        }
    }
}

impl Drop for CompositeThread {
    fn drop(&mut self) {
        let slot = self.slot;
        // AcqRel: the next one to take it sees what was done with it.
        match slot.stage.compare_exchange(RUNNING, DETACHED, AcqRel, Acquire) {
            Ok(_) | Err(LOST) => {}
            Err(_) => {
                slot.entry.set(None);
                slot.give_back(self.index);
            }
        }
    }
}
