//! How bytes get into and out of memory that others may write at any time.
//!
//! There is no reference to such memory (H18): what is much moves by assembly copies, which the
//! language does not look into, the rest as relaxed atomic words. Nothing is whole that others write
//! or read meanwhile, not even a word of it: whoever wants that takes turns.

use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use super::{Atomic, Mapped};

const WORD: usize = size_of::<u64>();

/// Writes `len` bytes to `at`. What is left of the last word is written, too.
///
/// ```
/// use core::ptr::NonNull;
/// use res_sync::model::{Core, bytes};
///
/// let (mut memory, mut back) = ([0_u64; 2], [0; 5]);
/// let at = NonNull::from(&mut memory).cast();
/// // SAFETY: a local array, which is large enough.
/// unsafe {
///     bytes::put::<Core>(at, b"hello".as_ptr(), 5);
///     bytes::take::<Core>(at, back.as_mut_ptr(), 5);
/// }
/// assert_eq!(&back, b"hello");
/// ```
///
/// # Safety
///
/// `at` is valid for writing `len` bytes rounded up to words, at a multiple of 8, where others touch
/// the bytes by atomics or assembly only; `from` is valid for reading `len` bytes that nobody
/// writes.
#[inline(always)]
pub unsafe fn put<M: Mapped>(at: NonNull<u8>, from: *const u8, len: usize) {
    let words = at.cast::<M::U64>();
    let mut copied = 0;
    if !M::WATCHED {
        // SAFETY: valid on both sides, says the caller; what is shared and what is private do not
        // overlap.
        copied = unsafe { assembly::put(at.as_ptr(), from, len) };
    }
    for index in copied / WORD..len / WORD {
        // SAFETY: within both, says the caller; the words are what `M: Mapped` says.
        unsafe {
            let word = from.cast::<u64>().add(index).read_unaligned();
            words.add(index).as_ref().store(word, Relaxed);
        }
    }
    let rest = (len - copied) % WORD;
    if rest != 0 {
        let done = len - rest;
        let mut last = [0; WORD];
        // SAFETY: the last `rest` bytes of the source, and the last word of the destination.
        unsafe {
            from.add(done).copy_to_nonoverlapping(last.as_mut_ptr(), rest);
            words.add(done / WORD).as_ref().store(u64::from_ne_bytes(last), Relaxed);
        }
    }
}

/// Copies `len` bytes from `at`.
///
/// # Safety
///
/// `at` is valid for reading `len` bytes rounded up to words, at a multiple of 8, where others touch
/// the bytes by atomics or assembly only; `to` is valid for writing `len` bytes, which nobody else
/// knows.
#[inline(always)]
pub unsafe fn take<M: Mapped>(at: NonNull<u8>, to: *mut u8, len: usize) {
    let words = at.cast::<M::U64>();
    let mut copied = 0;
    if !M::WATCHED {
        // SAFETY: as in `put`.
        copied = unsafe { assembly::take(to, at.as_ptr(), len) };
    }
    for index in copied / WORD..len / WORD {
        // SAFETY: within both, says the caller; the words are what `M: Mapped` says.
        unsafe {
            let word = words.add(index).as_ref().load(Relaxed);
            to.cast::<u64>().add(index).write_unaligned(word);
        }
    }
    let rest = (len - copied) % WORD;
    if rest != 0 {
        let done = len - rest;
        // SAFETY: the last word of the source, and the last `rest` bytes of the destination.
        unsafe {
            let last = words.add(done / WORD).as_ref().load(Relaxed).to_ne_bytes();
            to.add(done).copy_from_nonoverlapping(last.as_ptr(), rest);
        }
    }
}

/// Copies of which the language sees the private side only: what another process does to the shared
/// one meanwhile is no data race of this program. They copy whole pieces of 16 bytes, or all where it
/// is much, and return how many bytes; words do the rest.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2", not(miri)))]
mod assembly {
    use core::arch::asm;
    use core::arch::x86_64::__m128i;

    const PIECE: usize = 16;
    const BLOCK: usize = 4 * PIECE;
    /// Beyond this size blocks are faster; at any size they are by up to a sixth faster than one
    /// instruction for all (`rep movsb`), between two cores.
    const PIECES_UP_TO: usize = 128;

    /// Bytes of the whole blocks of what is much.
    #[inline(always)]
    fn in_blocks(len: usize) -> usize {
        if len > PIECES_UP_TO { len / BLOCK * BLOCK } else { 0 }
    }

    /// # Safety
    ///
    /// `shared` is valid for writing and `from` for reading `len` bytes; they do not overlap.
    #[inline(always)]
    pub(super) unsafe fn put(shared: *mut u8, from: *const u8, len: usize) -> usize {
        let (blocks, whole) = (in_blocks(len), len / PIECE * PIECE);
        if blocks != 0 {
            // SAFETY: the caller's promise.
            unsafe { copy_blocks(shared, from, blocks) };
        }
        for at in (blocks..whole).step_by(PIECE) {
            // SAFETY: 16 bytes within what the caller promises, on both sides.
            unsafe {
                let piece = from.add(at).cast::<__m128i>().read_unaligned();
                asm!(
                    "movups [{to}], {piece}",
                    to = in(reg) shared.add(at),
                    piece = in(xmm_reg) piece,
                    options(nostack, preserves_flags),
                );
            }
        }
        whole
    }

    /// # Safety
    ///
    /// `to` is valid for writing and `shared` for reading `len` bytes; they do not overlap.
    #[inline(always)]
    pub(super) unsafe fn take(to: *mut u8, shared: *const u8, len: usize) -> usize {
        let (blocks, whole) = (in_blocks(len), len / PIECE * PIECE);
        if blocks != 0 {
            // SAFETY: the caller's promise.
            unsafe { copy_blocks(to, shared, blocks) };
        }
        for at in (blocks..whole).step_by(PIECE) {
            let piece: __m128i;
            // SAFETY: 16 bytes within what the caller promises, on both sides.
            unsafe {
                asm!(
                    "movups {piece}, [{from}]",
                    piece = out(xmm_reg) piece,
                    from = in(reg) shared.add(at),
                    options(nostack, preserves_flags, readonly),
                );
                to.add(at).cast::<__m128i>().write_unaligned(piece);
            }
        }
        whole
    }

    /// # Safety
    ///
    /// `to` is valid for writing and `from` for reading `len` bytes, which is a multiple of a block and
    /// not 0; they do not overlap.
    #[inline(always)]
    unsafe fn copy_blocks(to: *mut u8, from: *const u8, len: usize) {
        // SAFETY: writes `len` bytes at `to`, reads `len` at `from`, block by block, and changes the
        // registers that are named, and flags.
        unsafe {
            asm!(
                "2:",
                "movups {a}, [{from} + {at}]",
                "movups {b}, [{from} + {at} + 16]",
                "movups {c}, [{from} + {at} + 32]",
                "movups {d}, [{from} + {at} + 48]",
                "movups [{to} + {at}], {a}",
                "movups [{to} + {at} + 16], {b}",
                "movups [{to} + {at} + 32], {c}",
                "movups [{to} + {at} + 48], {d}",
                "add {at}, 64",
                "cmp {at}, {len}",
                "jb 2b",
                a = out(xmm_reg) _,
                b = out(xmm_reg) _,
                c = out(xmm_reg) _,
                d = out(xmm_reg) _,
                from = in(reg) from,
                to = in(reg) to,
                at = inout(reg) 0_usize => _,
                len = in(reg) len,
                options(nostack),
            );
        }
    }
}

/// Elsewhere words do all.
#[cfg(not(all(target_arch = "x86_64", target_feature = "sse2", not(miri))))]
mod assembly {
    #[inline(always)]
    pub(super) unsafe fn put(_: *mut u8, _: *const u8, _: usize) -> usize {
        0
    }

    #[inline(always)]
    pub(super) unsafe fn take(_: *mut u8, _: *const u8, _: usize) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Core;

    /// More than some blocks, and all that may be left behind them.
    const MOST: usize = 400;

    /// Each length gets there and back, and nothing beyond its last word is touched.
    #[test]
    fn all_lengths() {
        let from: [u8; MOST] = core::array::from_fn(|at| (at % 251) as u8);
        for len in 0..=MOST {
            let (mut memory, mut back) = ([u64::MAX; MOST / WORD + 1], [9; MOST + 1]);
            let at = NonNull::from(&mut memory).cast();
            // SAFETY: local arrays, of more than `len` bytes in whole words.
            unsafe {
                put::<Core>(at, from.as_ptr(), len);
                take::<Core>(at, back.as_mut_ptr(), len);
            }
            assert_eq!(back[..len], from[..len]);
            assert_eq!(back[len..], [9; MOST + 1][len..], "beyond {len}");
            assert!(memory[len.div_ceil(WORD)..].iter().all(|word| *word == u64::MAX), "{len}");
        }
    }
}
