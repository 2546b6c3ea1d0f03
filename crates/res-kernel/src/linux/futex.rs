//! The futex, on the low half of a word.

use core::ptr;
use core::sync::atomic::AtomicU64;
use std::io;

use res_sync::{Deadline, Parked, Wake};

use super::clock;

/// Whose threads meet at a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those of this process: by the address.
    Process,
    /// Those of all that have mapped the same object: by the place in it.
    Machine,
}

impl Reach {
    const fn flag(self) -> libc::c_int {
        match self {
            Self::Process => libc::FUTEX_PRIVATE_FLAG,
            Self::Machine => 0,
        }
    }
}

/// Sleeps until `deadline` while the low half of `word` is that of `seen`.
pub(super) fn wait(reach: Reach, word: &AtomicU64, seen: u64, deadline: Deadline) -> Parked {
    let until = deadline.instant().map(clock::timespec);
    // SAFETY: `word` is borrowed, so its low half is mapped, aligned and stays so until we return;
    // the kernel only compares it, atomically. `until` is a live `timespec`, or null for no
    // deadline. This operation does not use the second address.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            low_half(word),
            libc::FUTEX_WAIT_BITSET | reach.flag(),
            seen as u32,
            until.as_ref().map_or(ptr::null(), ptr::from_ref),
            ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
    // Otherwise: woken, interrupted (EINTR), or the word had moved (EAGAIN).
    if result < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ETIMEDOUT) {
        Parked::TimedOut
    } else {
        Parked::Awake
    }
}

/// Wakes one or all of those that sleep on `word`; how many.
pub(super) fn wake(reach: Reach, word: &AtomicU64, wake: Wake) -> u32 {
    let most = match wake {
        Wake::One => 1,
        Wake::All => i32::MAX,
    };
    // SAFETY: this operation uses the address as a name only, and reads and writes nothing there.
    let woken = unsafe {
        libc::syscall(libc::SYS_futex, low_half(word), libc::FUTEX_WAKE | reach.flag(), most)
    };
    // Never negative for an address that is mapped and aligned; if it were, nobody was woken.
    u32::try_from(woken).unwrap_or(0)
}

/// A futex has 32 bits. Little-endian (`linux.rs` sees to that), the low ones come first.
const fn low_half(word: &AtomicU64) -> *const u32 {
    word.as_ptr().cast::<u32>().cast_const()
}
