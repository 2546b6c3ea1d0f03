//! One thread of the pool: what stage it is in, and its priority.

use core::cell::Cell;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use res_api::ErrorKind;

use super::bell::Bell;
use super::interface::sched::sched_thd_yield;
use super::priority::Priority;
use super::{U32, identity};
use crate::{KernelError, ThreadEntry};

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
/// It has died while it ran its entry.
const LOST: u32 = 5;

/// A thread of the pool.
pub(super) struct Slot {
    /// The scheduler's id; 0 before there is one.
    pub(super) id: U32,
    stage: U32,
    /// The priority that it is to have, and the one that the scheduler knows of: 0 before it was
    /// put into a run queue for the first time.
    wanted: U32,
    given: U32,
    /// Written by whoever takes the thread, read by itself once it was started.
    entry: Cell<Option<ThreadEntry>>,
    pub(super) bell: Bell,
}

// SAFETY: the entry is used by one thread at a time: by whoever took it in stage `MADE`, by the
// thread itself in `RUNNING` and `DETACHED`; the stages change hands by AcqRel. Who took it promised
// that the entry may run in another thread. The rest is atomics.
unsafe impl Sync for Slot {}

impl Slot {
    pub(super) const fn new() -> Self {
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

    /// Moves the stage; false if it is another than `from`.
    fn moves(&self, from: u32, to: u32) -> bool {
        // AcqRel: who finds the new stage sees what was done in the old one.
        self.stage.compare_exchange(from, to, AcqRel, Acquire).is_ok()
    }

    pub(super) fn is_caller(&self) -> bool {
        self.id.load(Relaxed) == identity::current()
    }

    /// Whether it has run its entry, or died of it.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage(), ENDED | LOST)
    }

    /// It is somebody's, who alone knows it: it was free.
    pub(super) fn take(&self, entry: ThreadEntry, priority: Priority) {
        self.entry.set(Some(entry));
        self.want(priority);
        self.stage.store(MADE, Release);
    }

    /// It is to have that priority.
    pub(super) fn want(&self, priority: Priority) {
        self.wanted.store(priority.code(), Relaxed);
    }

    /// Tells the scheduler of another priority; whether there was one. In the thread itself: nobody
    /// else can know that it is not blocked.
    pub(super) fn settle(&self) -> bool {
        let wanted = self.wanted.load(Relaxed);
        let other = self.given.swap(wanted, Relaxed) != wanted;
        if other {
            // The scheduler refuses no priority of its range.
            let _ = Priority::from_code(wanted).give_to_caller();
        }
        other
    }

    /// The same; whoever is more urgent by now runs at once.
    pub(super) fn settle_and_yield(&self) {
        if self.settle() {
            sched_thd_yield();
        }
    }

    /// Lets it run.
    pub(super) fn start(&self) -> Result<(), KernelError> {
        if !self.moves(MADE, RUNNING) {
            return Err(KernelError::new("start a thread again", ErrorKind::Invalid));
        }
        self.launch().inspect_err(|_| {
            // It has not run, and does not.
            self.stage.store(MADE, Release);
        })?;
        // It may be in a queue without having been chosen from it: new there, or still on its way
        // to sleep.
        sched_thd_yield();
        Ok(())
    }

    /// Lets the scheduler know of it, or wakes it.
    fn launch(&self) -> Result<(), KernelError> {
        let wanted = self.wanted.load(Relaxed);
        // Relaxed: one thread starts it, and only itself changes it afterwards.
        if self.given.compare_exchange(0, wanted, Relaxed, Relaxed).is_err() {
            self.bell.ring();
            return Ok(());
        }
        // SAFETY: it exists, and has not run yet, so it is not blocked.
        let queued = unsafe { Priority::from_code(wanted).give_to(self.id.load(Relaxed)) };
        queued.inspect_err(|_| self.given.store(0, Relaxed))
    }

    /// In the thread itself: waits for its start, and runs its entry. Then it wants `rest`, and is
    /// free if that is what this says.
    pub(super) fn run(&self, rest: Priority) -> bool {
        self.bell.wait(|| matches!(self.stage(), RUNNING | DETACHED).then_some(()));
        self.settle_and_yield();
        if let Some(ThreadEntry { run, data }) = self.entry.take() {
            // SAFETY: who took the thread promised that this is sound in another thread, once; it
            // was moved out.
            unsafe { run(data) };
        }
        self.want(rest);
        self.settle();
        if self.moves(RUNNING, ENDED) {
            self.bell.ring();
            return false;
        }
        self.stage.store(FREE, Release);
        true
    }

    /// In the thread itself: it does not get to the end of its entry.
    pub(super) fn abandon(&self) {
        // One that nobody has stays detached.
        if self.moves(RUNNING, LOST) {
            self.bell.ring();
        }
    }

    /// Waits until it does not run its entry, unless it is the calling one.
    pub(super) fn join(&self) {
        if !self.is_caller() {
            self.bell.wait(|| (self.stage() != RUNNING).then_some(()));
        }
    }

    /// Nobody has it any more; it is free if that is what this says.
    pub(super) fn leave(&self) -> bool {
        if self.moves(RUNNING, DETACHED) || self.stage() == LOST {
            return false;
        }
        self.entry.set(None);
        self.stage.store(FREE, Release);
        true
    }
}
