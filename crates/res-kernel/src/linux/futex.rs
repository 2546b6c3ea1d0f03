//! The futex, on the low half of a word.

use core::ptr;
use core::sync::atomic::AtomicU64;
use core::time::Duration;
use std::io;

use res_sync::{Deadline, Parked, Waiting, Wake};

use super::{Linux, clock};

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

/// The words that Linux lets a thread sleep on at the same time.
const MOST: usize = libc::FUTEX_WAITV_MAX as usize;

/// How long a thread sleeps at most that has more words than that.
const NAP: Duration = Duration::from_millis(1);

/// Sleeps until `deadline` while the low half of each word is that of what was seen. Which of them
/// woke it, if one did; one of those where it was several.
pub(super) fn wait_any(waits: &[Waiting<'_, Linux>], deadline: Deadline) -> Option<usize> {
    let nothing = Futex { seen: 0, word: ptr::null(), flags: 0, reserved: 0 };
    let mut futexes = [nothing; MOST];
    let asked = futexes.len().min(waits.len());
    for (futex, wait) in futexes.iter_mut().zip(waits) {
        let private = match wait.point.reach() {
            Reach::Process => libc::FUTEX2_PRIVATE,
            Reach::Machine => 0,
        };
        let flags = (libc::FUTEX2_SIZE_U32 | private) as u32;
        let seen = u64::from(wait.seen as u32);
        *futex = Futex { seen, word: low_half(wait.word), flags, reserved: 0 };
    }
    let until =
        if asked < waits.len() { deadline.min(Deadline::at(clock::now() + NAP)) } else { deadline };
    let time = until.instant().map(clock::timespec);
    // SAFETY: the words are borrowed, so their low halves are mapped and aligned and stay so until
    // we return; the kernel only compares them, atomically. `asked` entries are there; `time` is a
    // live `timespec`, or null for no deadline.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            futexes.as_ptr(),
            asked,
            0,
            time.as_ref().map_or(ptr::null(), ptr::from_ref),
            libc::CLOCK_MONOTONIC,
        )
    };
    // Otherwise: interrupted, too late, or a word had moved.
    usize::try_from(result).ok()
}

/// As Linux has it: `struct futex_waitv`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Futex {
    seen: u64,
    word: *const u32,
    flags: u32,
    reserved: u32,
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
