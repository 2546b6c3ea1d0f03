//! How a message gets into and out of a slot: memory that a peer can write at any time.
//!
//! What comes out is validated before it is a value (H18).

use core::mem::MaybeUninit;
use core::ptr::NonNull;

use res_api::{Mapped, Message};
use res_sync::model::bytes;

/// Bytes from one slot to the next: whole words.
pub(crate) const fn stride<T>() -> usize {
    size_of::<T>().next_multiple_of(size_of::<u64>())
}

/// Whether a message is so short that it is [noted](crate::ring) beside the index.
pub(crate) const fn is_short<T>() -> bool {
    size_of::<T>() <= size_of::<u32>()
}

/// The bytes of a short message.
#[inline(always)]
pub(crate) fn bits<T: Message>(value: &T) -> u32 {
    let mut bytes = [0; size_of::<u32>()];
    bytes[..size_of::<T>()].copy_from_slice(value.as_bytes());
    u32::from_ne_bytes(bytes)
}

/// The short message of these bytes; `None` if they are no `T`.
#[inline(always)]
pub(crate) fn of_bits<T: Message>(bits: u32) -> Option<T> {
    T::try_read_from_bytes(&bits.to_ne_bytes()[..size_of::<T>()]).ok()
}

/// Writes `value` into the slot at `at`.
///
/// # Safety
///
/// `at` is valid for writing [`stride::<T>`](stride) bytes, at a multiple of 8; others touch the
/// bytes by atomics or assembly only.
#[inline(always)]
pub(crate) unsafe fn put<M: Mapped, T: Message>(at: NonNull<u8>, value: &T) {
    let from = core::ptr::from_ref(value).cast();
    // SAFETY: the slot, says the caller, which is never lent as a reference; a value, which has no
    // padding (`IntoBytes`).
    unsafe { bytes::put::<M>(at, from, size_of::<T>()) };
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
    unsafe { bytes::take::<M>(at, to, size_of::<T>()) };
    // SAFETY: all bytes of the local have just been written, and nobody else knows it.
    let bytes = unsafe { core::slice::from_raw_parts(to, size_of::<T>()) };
    if T::try_ref_from_bytes(bytes).is_err() {
        return None;
    }
    // SAFETY: the bytes are those of a `T`, zerocopy has just found.
    Some(unsafe { value.assume_init() })
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
        assert!(memory[stride::<T>() / size_of::<u64>()..].iter().all(|word| *word == u64::MAX));
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
    fn a_short_one_is_its_bits() {
        fn both<T: Message + PartialEq + core::fmt::Debug>(value: T) {
            assert!(is_short::<T>());
            assert_eq!(of_bits(bits(&value)), Some(value));
        }
        both(());
        both(true);
        both([1_u8, 2, 3]);
        both(u32::MAX - 1);
        assert_eq!(of_bits::<bool>(2), None);
        assert!(!is_short::<[u8; 5]>());
    }

    #[test]
    fn a_value_that_is_none_is_refused() {
        let mut memory = [2_u64; 1];
        // SAFETY: a local word.
        assert_eq!(unsafe { take::<Core, bool>(NonNull::from(&mut memory).cast()) }, None);
    }
}
