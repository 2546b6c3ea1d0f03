//! A count that clients wait for, asleep in the server.

use core::sync::atomic::Ordering::SeqCst;
use core::sync::atomic::{AtomicU32, AtomicU64};

use res_kernel::composite::interface::sched::{
    BlockpointId, sched_blkpt_alloc, sched_blkpt_block, sched_blkpt_trigger,
};
use res_kernel::composite::syscall::{Answer, Client};

/// Also the epoch of the blockpoint.
static COUNT: AtomicU64 = AtomicU64::new(0);
/// Where they wait; 0 until somebody has come.
static POINT: AtomicU32 = AtomicU32::new(0);

/// One more; how many there are. -1 where nobody can wait.
pub(crate) fn more(_: Client, _: [u64; 4]) -> Answer {
    let Some(point) = point() else { return Answer::of(-1) };
    let count = COUNT.fetch_add(1, SeqCst) + 1;
    // SAFETY: a blockpoint of the scheduler.
    unsafe { sched_blkpt_trigger(point, count, 0) };
    Answer::of(count as i64)
}

/// Waits until there are more than the first word says; how many. -1 where one cannot wait.
pub(crate) fn wait(_: Client, [seen, ..]: [u64; 4]) -> Answer {
    let Some(point) = point() else { return Answer::of(-1) };
    while COUNT.load(SeqCst) <= seen {
        // SAFETY: a blockpoint of the scheduler; no wake-up of a client's thread is outstanding,
        // says the interface.
        unsafe { sched_blkpt_block(point, seen, 0) };
    }
    Answer::of(COUNT.load(SeqCst) as i64)
}

/// The blockpoint. Of two threads that come first, one makes another in vain.
fn point() -> Option<BlockpointId> {
    if POINT.load(SeqCst) == 0 {
        let _ = POINT.compare_exchange(0, sched_blkpt_alloc(), SeqCst, SeqCst);
    }
    Some(POINT.load(SeqCst)).filter(|point| *point != 0)
}
