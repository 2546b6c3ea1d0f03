//! How a message gets into and out of memory that a peer can write at any time.
//!
//! There is no reference to such memory (H18): a slot moves by assembly copies, which the language
//! does not look into, and as relaxed atomic words. What comes out is validated before it is a
//! value.

use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Relaxed;

use res_api::{Mapped, Message};
use res_sync::model::Atomic;

const WORD: usize = size_of::<u64>();

/// Bytes from one slot to the next: whole words.
pub(crate) const fn stride<T>() -> usize {
    size_of::<T>().next_multiple_of(WORD)
}

/// Writes `value` into the slot at `at`.
///
/// # Safety
///
/// `at` is valid for writing [`stride::<T>`](stride) bytes, at a multiple of 8; others touch the
/// bytes by atomics or assembly only.
#[inline(always)]
pub(crate) unsafe fn put<M: Mapped, T: Message>(at: NonNull<u8>, value: &T) {
    let from = core::ptr::from_ref(value).cast::<u8>();
    let (words, len) = (at.cast::<M::U64>(), size_of::<T>());
    let mut copied = 0;
    if !M::WATCHED {
        // SAFETY: both are valid for `size_of::<T>()` bytes and do not overlap, since `value` is a
        // reference and the slot is never lent as one.
        copied = unsafe { assembly::put(at.as_ptr(), from, len) };
    }
    for index in copied / WORD..len / WORD {
        // SAFETY: within the value, which has no padding (`IntoBytes`); within the slot, whose
        // words are what `M: Mapped` says.
        unsafe {
            let word = from.cast::<u64>().add(index).read_unaligned();
            words.add(index).as_ref().store(word, Relaxed);
        }
    }
    let rest = (len - copied) % WORD;
    if rest != 0 {
        let done = len - rest;
        let mut last = [0; WORD];
        // SAFETY: the last `rest` bytes of the value, and the last word of the slot.
        unsafe {
            from.add(done).copy_to_nonoverlapping(last.as_mut_ptr(), rest);
            words.add(done / WORD).as_ref().store(u64::from_ne_bytes(last), Relaxed);
        }
    }
}

/// Copies the slot at `at` out; `None` if what is there is no `T`.
///
/// # Safety
///
/// `at` is valid for reading [`stride::<T>`](stride) bytes, at a multiple of 8; others touch the
/// bytes by atomics or assembly only.
#[inline(always)]
pub(crate) unsafe fn take<M: Mapped, T: Message>(at: NonNull<u8>) -> Option<T> {
    let mut value = MaybeUninit::<T>::uninit();
    let to = value.as_mut_ptr().cast::<u8>();
    // SAFETY: the slot, says the caller, and a local of the size of `T`.
    unsafe { take_bytes::<M>(at, to, size_of::<T>()) };
    // SAFETY: all bytes of the local have just been written, and nobody else knows it.
    let bytes = unsafe { core::slice::from_raw_parts(to, size_of::<T>()) };
    if T::try_ref_from_bytes(bytes).is_err() {
        return None;
    }
    // SAFETY: the bytes are those of a `T`, zerocopy has just found.
    Some(unsafe { value.assume_init() })
}

/// Copies `len` bytes out of the slot.
///
/// # Safety
///
/// `at` is valid for reading `len` bytes rounded up to words, at a multiple of 8; `to` for writing
/// `len` bytes, which nobody else knows.
#[inline(always)]
unsafe fn take_bytes<M: Mapped>(at: NonNull<u8>, to: *mut u8, len: usize) {
    let words = at.cast::<M::U64>();
    let mut copied = 0;
    if !M::WATCHED {
        // SAFETY: valid on both sides, says the caller; a slot and a private place do not overlap.
        copied = unsafe { assembly::take(to, at.as_ptr(), len) };
    }
    for index in copied / WORD..len / WORD {
        // SAFETY: within the slot, whose words are what `M: Mapped` says; within the destination.
        unsafe {
            let word = words.add(index).as_ref().load(Relaxed);
            to.cast::<u64>().add(index).write_unaligned(word);
        }
    }
    let rest = (len - copied) % WORD;
    if rest != 0 {
        let done = len - rest;
        // SAFETY: the last word of the slot, and the last `rest` bytes of the destination.
        unsafe {
            let last = words.add(done / WORD).as_ref().load(Relaxed).to_ne_bytes();
            to.add(done).copy_from_nonoverlapping(last.as_ptr(), rest);
        }
    }
}

/// Copies of which the language sees the private side only: what another process does to a slot
/// meanwhile is no data race of this program. They copy whole pieces of 16 bytes, or all where it is
/// much, and return how many bytes; words do the rest.
#[cfg(all(target_arch = "x86_64", target_feature = "sse2", not(miri)))]
mod assembly {
    use core::arch::asm;
    use core::arch::x86_64::__m128i;

    const PIECE: usize = 16;
    /// Beyond this size one instruction is faster, though it takes a while to begin.
    const PIECES_UP_TO: usize = 128;

    /// # Safety
    ///
    /// `slot` is valid for writing and `from` for reading `len` bytes; they do not overlap.
    #[inline(always)]
    pub(super) unsafe fn put(slot: *mut u8, from: *const u8, len: usize) -> usize {
        if len > PIECES_UP_TO {
            // SAFETY: the caller's promise.
            unsafe { copy_all(slot, from, len) };
            return len;
        }
        let whole = len / PIECE * PIECE;
        for at in (0..whole).step_by(PIECE) {
            // SAFETY: 16 bytes within what the caller promises, on both sides.
            unsafe {
                let piece = from.add(at).cast::<__m128i>().read_unaligned();
                asm!(
                    "movups [{to}], {piece}",
                    to = in(reg) slot.add(at),
                    piece = in(xmm_reg) piece,
                    options(nostack, preserves_flags),
                );
            }
        }
        whole
    }

    /// # Safety
    ///
    /// `to` is valid for writing and `slot` for reading `len` bytes; they do not overlap.
    #[inline(always)]
    pub(super) unsafe fn take(to: *mut u8, slot: *const u8, len: usize) -> usize {
        if len > PIECES_UP_TO {
            // SAFETY: the caller's promise.
            unsafe { copy_all(to, slot, len) };
            return len;
        }
        let whole = len / PIECE * PIECE;
        for at in (0..whole).step_by(PIECE) {
            let piece: __m128i;
            // SAFETY: 16 bytes within what the caller promises, on both sides.
            unsafe {
                asm!(
                    "movups {piece}, [{from}]",
                    piece = out(xmm_reg) piece,
                    from = in(reg) slot.add(at),
                    options(nostack, preserves_flags, readonly),
                );
                to.add(at).cast::<__m128i>().write_unaligned(piece);
            }
        }
        whole
    }

    /// # Safety
    ///
    /// `to` is valid for writing and `from` for reading `len` bytes; they do not overlap.
    #[inline(always)]
    unsafe fn copy_all(to: *mut u8, from: *const u8, len: usize) {
        // SAFETY: writes `len` bytes at `to`, reads `len` at `from`, changes the three registers
        // and nothing else. The direction flag is clear on entry to assembly.
        unsafe {
            asm!(
                "rep movsb",
                inout("rcx") len => _,
                inout("rdi") to => _,
                inout("rsi") from => _,
                options(nostack, preserves_flags),
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
    use core::ptr::NonNull;

    use res_sync::model::Core;

    use super::*;

    fn there_and_back<T: Message + PartialEq + core::fmt::Debug>(value: T) {
        let mut memory = [u64::MAX; 1024];
        let slot = NonNull::from(&mut memory).cast::<u8>();
        // SAFETY: a local array that is large enough and aligned.
        let back = unsafe {
            put::<Core, T>(slot, &value);
            take::<Core, T>(slot)
        };
        assert_eq!(back, Some(value));
        assert!(memory[stride::<T>() / WORD..].iter().all(|word| *word == u64::MAX));
    }

    #[test]
    fn every_size_comes_back_and_touches_nothing_else() {
        there_and_back(());
        there_and_back(7_u8);
        there_and_back([1_u8, 2, 3]);
        there_and_back(0x0102_0304_0506_0708_u64);
        there_and_back([9_u8; 15]);
        there_and_back([10_u8; 127]);
        there_and_back([11_u8; 128]);
        there_and_back([12_u8; 129]);
        there_and_back([13_u8; 4096]);
        there_and_back([u128::MAX; 3]);
    }

    #[test]
    fn a_value_that_is_none_is_refused() {
        let mut memory = [2_u64; 1];
        // SAFETY: a local word.
        assert_eq!(unsafe { take::<Core, bool>(NonNull::from(&mut memory).cast()) }, None);
    }
}
