//! Who a thread is: a number of our own, since Linux gives its thread ids out again.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The last identity: bit 31 is the lock's, which keeps its owner's identity in one word with it.
const LAST: u32 = (1 << 31) - 1;

/// How many have been given out.
static GIVEN: AtomicU64 = AtomicU64::new(0);

std::thread_local! {
    /// The calling thread's, or 0 as long as nobody asked.
    static MINE: Cell<u32> = const { Cell::new(0) };
}

/// An identity that no thread of this process has had; `None` when all are spent.
pub(super) fn allocate() -> Option<u32> {
    after(&GIVEN)
}

/// Makes `id`, which was [allocated](allocate) for it, the calling thread's.
pub(super) fn adopt(id: u32) {
    MINE.set(id);
}

/// The calling thread's; its first use gives one to a thread that std or C started.
///
/// # Panics
///
/// When all are spent: then nobody could tell threads apart.
#[inline]
pub(super) fn current() -> u32 {
    match MINE.get() {
        0 => first_use(),
        id => id,
    }
}

#[cold]
fn first_use() -> u32 {
    let id = allocate().expect("two thousand million threads have had an identity");
    adopt(id);
    id
}

/// Counting in 64 bits, a failed call does not bring the counter nearer to wrapping.
fn after(given: &AtomicU64) -> Option<u32> {
    // Relaxed: nothing is published with the number, it only has to be ours alone.
    let id = u32::try_from(given.fetch_add(1, Relaxed) + 1).ok()?;
    (id <= LAST).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_end_before_the_bit_that_locks_keep() {
        let given = AtomicU64::new(u64::from(LAST) - 1);
        assert_eq!(after(&given), Some(LAST));
        assert_eq!(after(&given), None);
        given.store(u64::from(u32::MAX), Relaxed);
        assert_eq!(after(&given), None, "and do not begin again");
    }
}
