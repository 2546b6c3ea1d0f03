//! Stacks: slots of 8 KiB in one row, without anything between them.

use std::ptr::null_mut;
use std::sync::OnceLock;

use crate::world::{MOST_THREADS, ThreadId};

/// Bytes of a slot.
pub(crate) const SLOT: usize = 8192;
/// What a slot is filled with, so that one can see how much was used.
const PAINT: u8 = 0xa5;
/// Bytes at the end of a slot: core, thread id, invocation token, and what the stack begins with.
const RESERVED: usize = 64;
/// The token of whom a component is invoked by; who begins here was invoked by nobody.
const TOKEN: u64 = 0;

fn base() -> usize {
    static BASE: OnceLock<usize> = OnceLock::new();
    *BASE.get_or_init(|| {
        let bytes = (MOST_THREADS as usize + 2) * SLOT;
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new memory, wherever there is room.
        let at = unsafe { libc::mmap(null_mut(), bytes, protection, flags, -1, 0) };
        assert_ne!(at, libc::MAP_FAILED, "memory for the stacks");
        (at as usize).next_multiple_of(SLOT)
    })
}

/// A thread's slot.
#[derive(Clone, Copy)]
pub(crate) struct Slot(usize);

impl Slot {
    /// The slot of the thread with that id. They are in one row, by id.
    pub(crate) fn of(thread: ThreadId) -> Self {
        Self(base() + thread as usize * SLOT)
    }

    /// Writes its reserved words, and paints the rest.
    pub(crate) fn prepare(self, thread: ThreadId) {
        // SAFETY: a slot of the mapping, on which no thread runs yet.
        unsafe {
            (self.0 as *mut u8).write_bytes(PAINT, SLOT);
            self.word(1).write(0);
            self.word(2).write(thread.into());
            self.word(3).write(TOKEN);
        }
    }

    /// The address behind it.
    pub(crate) fn end(self) -> usize {
        self.0 + SLOT
    }

    /// Its `n`-th word, counted from the end.
    fn word(self, n: usize) -> *mut u64 {
        (self.end() - 8 * n) as *mut u64
    }

    /// How many bytes of it were used at some time.
    pub(crate) fn used(self) -> usize {
        let untouched = (0..SLOT)
            // SAFETY: within the mapping; a byte that a thread is writing meanwhile is either.
            .take_while(|at| unsafe { ((self.0 + at) as *const u8).read_volatile() } == PAINT)
            .count();
        SLOT - untouched - RESERVED.min(SLOT - untouched)
    }
}
