//! A lot of sleepers, under Miri: it has a futex, but takes the look at half a word, which Linux
//! promises to make atomic, for a race with those who write all of it.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::vec::Vec;

use res_sync::{Deadline, Parked, Wake};

use super::clock;

/// Whose threads meet at a word: there is one process only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those of this process.
    Process,
}

/// Sleeps until `deadline` while the low half of `word` is that of `seen`.
pub(super) fn wait(_: Reach, word: &AtomicU64, seen: u64, deadline: Deadline) -> Parked {
    let mut sleepers = lot();
    if word.load(SeqCst) as u32 != seen as u32 {
        return Parked::Awake;
    }
    sleepers.push((word.as_ptr().addr(), thread::current()));
    drop(sleepers);
    match deadline.instant() {
        None => thread::park(),
        Some(at) => thread::park_timeout((at - clock::now()).max(Duration::from_nanos(1))),
    }
    if left_by_itself() && deadline.passed(clock::now()) { Parked::TimedOut } else { Parked::Awake }
}

/// Wakes one or all of those that sleep on `word`; how many.
pub(super) fn wake(_: Reach, word: &AtomicU64, wake: Wake) -> u32 {
    let most = match wake {
        Wake::One => 1,
        Wake::All => u32::MAX,
    };
    let mut woken = 0;
    lot().retain(|(at, sleeper)| {
        let stays = *at != word.as_ptr().addr() || woken == most;
        if !stays {
            woken += 1;
            sleeper.unpark();
        }
        stays
    });
    woken
}

/// Takes the calling thread off the lot; whether it was still there.
fn left_by_itself() -> bool {
    let (me, mut sleepers) = (thread::current().id(), lot());
    let before = sleepers.len();
    sleepers.retain(|(_, sleeper)| sleeper.id() != me);
    sleepers.len() < before
}

/// Who sleeps on which address.
fn lot() -> MutexGuard<'static, Vec<(usize, Thread)>> {
    static LOT: Mutex<Vec<(usize, Thread)>> = Mutex::new(Vec::new());
    LOT.lock().unwrap_or_else(PoisonError::into_inner)
}
