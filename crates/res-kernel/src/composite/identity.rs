//! Which thread this is.

use core::arch::asm;

/// The id of the calling thread.
///
/// Stacks are slots of 8 KiB, each at a multiple of its size. At the end of one are, counted from
/// the end, the core, the thread's id, and the token of its invoker.
#[inline]
pub(super) fn current() -> u32 {
    let id: u64;
    // SAFETY: the stack pointer is within the thread's slot, whose last words are always there. It
    // reads the second word from the end, which nobody writes while the thread runs; so every look
    // in a thread sees the same (`pure`).
    unsafe {
        asm!(
            "mov {id}, rsp",
            "or {id}, 8191",
            "mov {id}, [{id} - 15]",
            id = out(reg) id,
            options(pure, readonly, nostack),
        );
    }
    id as u32
}
