//! Deadlines: the scheduler cannot block at a blockpoint until a point in time, so one thread of
//! this component triggers blockpoints for those whose time has come.
//!
//! It triggers with the epoch that the sleeper saw: the scheduler then wakes everybody there, and
//! does not keep anybody from blocking with that epoch later. It does so again at each quantum
//! until the sleeper has taken its entry back, since a sleeper that was about to block misses a
//! trigger.

use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use res_api::ErrorKind;
use res_sync::Instant;
use res_sync::model::{Core, MemoryModel};

use super::bell::Bell;
use super::free_list::{FreeLists, next_fresh};
use super::interface::Cycles;
use super::interface::sched::{sched_blkpt_trigger, sched_thd_block_timeout, sched_thd_create};
use super::priority::Priority;
use super::{CompositePoint, U32, U64, clock};
use crate::KernelError;

/// Sleepers at one time: more than the whole system has threads.
const MOST: usize = 64;
/// No deadline.
const NONE: Cycles = u64::MAX;

/// Who sleeps until when. Written by the sleeper, read by the clock thread.
struct Entry {
    /// Odd while the sleeper writes.
    version: U32,
    until: U64,
    id: U32,
    epoch: U64,
}

/// What is in one.
#[derive(Clone, Copy)]
struct Sleep {
    until: Cycles,
    id: u32,
    epoch: u64,
}

static ENTRIES: [Entry; MOST] = [const { Entry::new() }; MOST];
static FREE: FreeLists<1, MOST> = FreeLists::new();
static USED: U32 = U32::new(0);
/// The clock thread sleeps here while nobody has a deadline.
static BELL: Bell = Bell::new();

impl Entry {
    const fn new() -> Self {
        Self { version: U32::new(0), until: U64::new(NONE), id: U32::new(0), epoch: U64::new(0) }
    }

    /// Only whoever has taken the entry writes it.
    fn write(&self, sleep: Sleep) {
        let version = self.version.load(Relaxed);
        self.version.store(version.wrapping_add(1), Relaxed);
        // Partner: the fence in `read`. Who sees something of what follows sees the odd version.
        Core::fence();
        self.until.store(sleep.until, Relaxed);
        self.id.store(sleep.id, Relaxed);
        self.epoch.store(sleep.epoch, Relaxed);
        // Release: partners the Acquire in `read`.
        self.version.store(version.wrapping_add(2), Release);
    }

    /// What is in it; nothing while it is being changed: nobody sleeps by it yet, or any more.
    fn read(&self) -> Option<Sleep> {
        let version = self.version.load(Acquire);
        let sleep = Sleep {
            until: self.until.load(Relaxed),
            id: self.id.load(Relaxed),
            epoch: self.epoch.load(Relaxed),
        };
        Core::fence();
        let whole = version.is_multiple_of(2) && self.version.load(Relaxed) == version;
        (whole && sleep.until != NONE).then_some(sleep)
    }
}

/// As long as it is there, the blockpoint is triggered at each quantum behind the deadline.
pub(super) struct Registered(u32);

/// From now on the clock thread wakes who sleeps at `point` with `epoch`, once `at` has passed.
/// None where too many sleep with a deadline, or nobody keeps the time.
pub(super) fn register(point: &CompositePoint, epoch: u64, at: Instant) -> Option<Registered> {
    if !BELL.is_installed() {
        return None;
    }
    let index = FREE.pop(0).or_else(|| next_fresh(&USED, MOST))?;
    // The clock thread's trigger records it.
    point.may_record(epoch);
    let until = clock::when(at).min(NONE - 1);
    ENTRIES[index as usize].write(Sleep { until, id: point.id(), epoch });
    BELL.ring();
    Some(Registered(index))
}

impl Drop for Registered {
    fn drop(&mut self) {
        ENTRIES[self.0 as usize].write(Sleep { until: NONE, id: 0, epoch: 0 });
        FREE.push(0, self.0);
    }
}

/// Makes the clock thread, and lets it run before all others.
///
/// # Errors
///
/// `NoSlots`.
pub(super) fn start() -> Result<(), KernelError> {
    BELL.install()?;
    // SAFETY: `tick` uses statics only, never returns, and the caller has counted it as a thread.
    let thread = unsafe { sched_thd_create(tick, null_mut()) };
    if thread == 0 {
        return Err(KernelError::new("make the clock thread", ErrorKind::NoSlots));
    }
    // SAFETY: just made, so it is not blocked.
    unsafe { Priority::MOST_URGENT.give_to(thread as u32) }
}

/// The clock thread.
extern "C" fn tick(_: *mut c_void) {
    loop {
        let first = BELL.wait(|| sleeps().map(|sleep| sleep.until).min());
        // Until the first deadline: but no longer than a quantum, since an earlier one may come,
        // and long enough to sleep at all, or who has not looked yet would never run again (H5).
        let now = clock::cycles();
        let until = first.clamp(now + clock::quanta(1) / 8, now + clock::quanta(1));
        sched_thd_block_timeout(0, until);
        let now = clock::cycles();
        for sleep in sleeps().filter(|sleep| sleep.until <= now) {
            // SAFETY: a blockpoint of the pool. If its sleeper has gone meanwhile, and the place is
            // another's, the epoch is still not greater than that one's first (`may_record`).
            unsafe { sched_blkpt_trigger(sleep.id, sleep.epoch, 0) };
        }
    }
}

fn sleeps() -> impl Iterator<Item = Sleep> {
    ENTRIES.iter().filter_map(Entry::read)
}
