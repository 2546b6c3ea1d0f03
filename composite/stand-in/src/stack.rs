//! Stacks: slots of 8 KiB in one row, without anything between them.

use std::ptr::null_mut;
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::compose::ComponentId;
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

/// The stacks of a component that is invoked: one for each thread, all 0 before it comes.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Served {
    /// Which component.
    pub component: ComponentId,
    /// Where they are.
    pub base: usize,
}

static SERVED: Mutex<Vec<Served>> = Mutex::new(Vec::new());

/// Tells where such stacks are, by a table that ends with a component 0, or that is not there: so that
/// the machine says at its end how much of them was used.
///
/// # Safety
///
/// There is such a table, or the address is null; the stacks are there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stand_in_served(mut table: *const Served) {
    if table.is_null() {
        return;
    }
    let mut all = SERVED.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: up to the one that ends it, the caller says that they are there.
    while let Some(served) = unsafe { table.as_ref() }.filter(|served| served.component != 0) {
        all.push(*served);
        // SAFETY: it was not the last one.
        table = unsafe { table.add(1) };
    }
}

/// How much of a stack each component has used that was invoked, at most.
pub(crate) fn used_where_invoked() -> Vec<(ComponentId, usize)> {
    let all = SERVED.lock().unwrap_or_else(PoisonError::into_inner);
    let most = |served: &Served| {
        let slots = (0..MOST_THREADS as usize).map(|slot| served.base + slot * SLOT);
        slots.map(used_of_zeroes).max().unwrap_or(0)
    };
    all.iter().map(|served| (served.component, most(served))).collect()
}

/// Bytes from the first that is not 0.
fn used_of_zeroes(base: usize) -> usize {
    let untouched = (0..SLOT)
        // SAFETY: a stack, says who told of it; a byte that a thread is writing meanwhile is either.
        .take_while(|at| unsafe { ((base + at) as *const u8).read_volatile() } == 0)
        .count();
    SLOT - untouched
}
