//! The way from one end of a queue of capabilities to the other, without whoever has the queue: a
//! ring of a few places in the memory of the queue.
//!
//! One sender writes there, and the receiver reads. What a place holds is bytes, which the backend
//! makes of a capability, and believes as little as anything that a peer can write.

use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use res_sync::model::{Atomic as _, Mapped};

/// How many places there are.
pub const PLACES: u64 = 7;
/// How many bytes fit into a place.
pub const MOST: usize = 472;

/// Where the number of what was pushed is; that of what was popped; the places. Each place begins
/// with how many bytes it holds.
const PUSHED: usize = 0;
const POPPED: usize = 64;
const FIRST: usize = 128;
const PLACE: usize = MOST + WORD;
const WORD: usize = size_of::<u64>();

/// Bytes of a ring.
pub const BYTES: u64 = (FIRST + PLACE * PLACES as usize) as u64;

/// The ring of a queue.
pub struct Direct<M: Mapped>(NonNull<M::U64>);

// SAFETY: an address of atomics, which outlives this (see `new`).
unsafe impl<M: Mapped> Send for Direct<M> {}
// SAFETY: as for `Send`.
unsafe impl<M: Mapped> Sync for Direct<M> {}

impl<M: Mapped> core::fmt::Debug for Direct<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Direct({} pushed, {} popped)", self.pushed(), self.popped())
    }
}

impl<M: Mapped> Direct<M> {
    /// The ring that begins there.
    ///
    /// # Safety
    ///
    /// `memory` is aligned to words and valid for [`BYTES`], which everybody uses by atomics, as long
    /// as this lives.
    pub const unsafe fn new(memory: NonNull<u8>) -> Self {
        Self(memory.cast())
    }

    fn word(&self, at: usize) -> &M::U64 {
        debug_assert!(at.is_multiple_of(WORD) && at < BYTES as usize);
        // SAFETY: within the ring, says `new`; all callers count within it.
        unsafe { self.0.add(at / WORD).as_ref() }
    }

    /// How many were pushed, as the sender says.
    pub fn pushed(&self) -> u64 {
        // Acquire: partners the Release of `push`.
        self.word(PUSHED).load(Acquire)
    }

    /// How many were popped, as the receiver says.
    pub fn popped(&self) -> u64 {
        // Acquire: partners the Release of `pop`. What is in the place has been read.
        self.word(POPPED).load(Acquire)
    }

    /// How many are there, as both say; none where that cannot be.
    pub fn len(&self) -> u64 {
        let len = self.pushed().wrapping_sub(self.popped());
        if len > PLACES { 0 } else { len }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn place(position: u64) -> usize {
        FIRST + (position % PLACES) as usize * PLACE
    }

    /// Writes what is to be the `position`th, which nobody sees yet; false if it is too long.
    pub fn write(&self, position: u64, bytes: &[u8]) -> bool {
        if bytes.len() > MOST {
            return false;
        }
        let at = Self::place(position);
        self.word(at).store(bytes.len() as u64, Relaxed);
        for (index, some) in bytes.chunks(WORD).enumerate() {
            let mut word = [0; WORD];
            word[..some.len()].copy_from_slice(some);
            self.word(at + (index + 1) * WORD).store(u64::from_le_bytes(word), Relaxed);
        }
        true
    }

    /// What was written there is pushed.
    pub fn push(&self, position: u64) {
        // Release: partners the Acquire of `pushed`.
        self.word(PUSHED).store(position.wrapping_add(1), Release);
    }

    /// What is at the `position`th place, which has been pushed.
    pub fn peek<'a>(&self, position: u64, into: &'a mut [u8; MOST]) -> &'a [u8] {
        let at = Self::place(position);
        let len = self.word(at).load(Relaxed).min(MOST as u64) as usize;
        for (index, some) in into[..len].chunks_mut(WORD).enumerate() {
            let word = self.word(at + (index + 1) * WORD).load(Relaxed).to_le_bytes();
            some.copy_from_slice(&word[..some.len()]);
        }
        &into[..len]
    }

    /// The `position`th has been popped: its place is free.
    pub fn pop(&self, position: u64) {
        // Release: partners the Acquire of `popped`.
        self.word(POPPED).store(position.wrapping_add(1), Release);
    }
}

#[cfg(test)]
mod tests {
    use res_sync::model::Core;

    use super::*;

    #[repr(align(64))]
    struct Memory([u8; BYTES as usize]);

    fn on(memory: &mut Memory) -> Direct<Core> {
        // SAFETY: aligned, long enough, and longer-lived than the ring in each test.
        unsafe { Direct::new(NonNull::from(&mut memory.0).cast()) }
    }

    #[test]
    fn what_is_pushed_is_popped_in_order_whatever_its_length() {
        let (mut memory, mut into) = (Memory([0; BYTES as usize]), [0; MOST]);
        let ring = on(&mut memory);
        for position in 0..3 * PLACES {
            let bytes: std::vec::Vec<u8> = (0..position * 50 % 473).map(|n| n as u8).collect();
            assert!(ring.write(position, &bytes));
            assert!(ring.is_empty());
            ring.push(position);
            assert_eq!((ring.pushed(), ring.len()), (position + 1, 1));
            assert_eq!(ring.peek(position, &mut into), bytes);
            ring.pop(position);
        }
        assert!(!ring.write(3 * PLACES, &[0; MOST + 1]));
        assert!(ring.is_empty());
    }

    #[test]
    fn what_another_thread_pushes_is_whole() {
        let count = if cfg!(miri) { 40 } else { 20_000 };
        let mut memory = Memory([0; BYTES as usize]);
        let ring = &on(&mut memory);
        // As long as it says, and the same all through.
        let bytes = |position: u64| std::vec![position as u8; position as usize * 7 % (MOST + 1)];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for position in 0..count {
                    while ring.len() == PLACES {
                        std::thread::yield_now();
                    }
                    assert!(ring.write(position, &bytes(position)));
                    ring.push(position);
                }
            });
            for position in 0..count {
                while ring.is_empty() {
                    std::thread::yield_now();
                }
                assert_eq!(ring.peek(position, &mut [0; MOST]), bytes(position));
                ring.pop(position);
            }
        });
    }

    #[test]
    fn what_cannot_be_is_nothing_and_within_the_ring() {
        let (mut memory, mut into) = (Memory([0xff; BYTES as usize]), [0; MOST]);
        let ring = on(&mut memory);
        for position in [0, 1, u64::MAX, u64::MAX - 1] {
            assert_eq!(ring.peek(position, &mut into).len(), MOST);
            ring.pop(position);
            assert!(ring.write(position, &[1; MOST]));
            ring.push(position);
            assert_eq!(ring.len(), 0);
            assert_eq!(ring.peek(position, &mut into), [1; MOST]);
        }
        let mut memory = Memory([0; BYTES as usize]);
        let ring = on(&mut memory);
        ring.pop(7);
        assert_eq!(ring.len(), 0);
    }
}
