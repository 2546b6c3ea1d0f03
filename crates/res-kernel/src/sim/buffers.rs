//! Store buffers: what a thread has stored and others do not see yet.
//!
//! A buffered store is in memory already, and its buffer keeps the value that everybody *else*
//! still sees there. To the threads of a run that is the same as a buffer of values that are
//! written later, since all of them look through here. But nothing is ever written later, so memory
//! that has been freed meanwhile is safe by construction: an entry that outlived its word could at
//! most show an old value. That it does not outlive it is the drain before every read-modify-write
//! (with which memory is handed back), at the end of a word, of a mapping and of a thread.
//!
//! Two threads never have entries for the same bytes: a store onto another thread's entry either
//! makes that one visible first, or goes beneath it (the other's store comes after it in the order
//! that memory has). What is lost by that is two unordered stores to one word that are invisible
//! at the same time; every outcome of such a race is still there.

use std::collections::VecDeque;
use std::vec::Vec;

/// Stores that a buffer holds at most. Those of real processors hold some tens, and nothing of
/// interest happens behind so many.
const MOST: usize = 16;

/// The bytes of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bytes {
    pub(super) at: usize,
    pub(super) len: usize,
}

impl Bytes {
    fn overlaps(self, other: Self) -> bool {
        self.at < other.at + other.len && other.at < self.at + self.len
    }
}

/// A store that only its own thread sees.
#[derive(Debug)]
struct Entry {
    bytes: Bytes,
    /// What the others see.
    before: u64,
}

/// The buffers of all threads.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    /// By thread.
    of: Vec<VecDeque<Entry>>,
    /// The threads with entries, in the order in which they got their first.
    busy: Vec<u32>,
}

impl Buffers {
    /// The threads whose buffer is not empty.
    pub(super) fn busy(&self) -> &[u32] {
        &self.busy
    }

    /// `thread` has stored there, where `before` was. A full buffer makes its oldest store visible.
    pub(super) fn push(&mut self, thread: u32, bytes: Bytes, before: u64) {
        let index = thread as usize;
        if self.of.len() <= index {
            self.of.resize_with(index + 1, VecDeque::new);
        }
        if self.of[index].is_empty() {
            self.busy.push(thread);
        }
        self.of[index].push_back(Entry { bytes, before });
        if self.of[index].len() > MOST {
            self.flush_oldest(thread);
        }
    }

    /// Makes the oldest store of `thread` visible to all. False where there is none.
    pub(super) fn flush_oldest(&mut self, thread: u32) -> bool {
        let Some(buffer) = self.of.get_mut(thread as usize) else { return false };
        let flushed = buffer.pop_front().is_some();
        if flushed && buffer.is_empty() {
            self.busy.retain(|busy| *busy != thread);
        }
        flushed
    }

    /// Makes all stores of `thread` visible to all. True where there were some.
    pub(super) fn drain(&mut self, thread: u32) -> bool {
        let some = self.flush_oldest(thread);
        while self.flush_oldest(thread) {}
        some
    }

    /// Makes all stores of all threads visible to all.
    pub(super) fn drain_all(&mut self) {
        while let Some(thread) = self.busy.first().copied() {
            self.drain(thread);
        }
    }

    /// The thread that has entries for any of these bytes.
    pub(super) fn owner(&self, bytes: Bytes) -> Option<u32> {
        let has = |thread: &u32| {
            self.of[*thread as usize].iter().any(|entry| entry.bytes.overlaps(bytes))
        };
        self.busy.iter().copied().find(has)
    }

    /// Whether `thread` has an entry that shares some of these bytes, but not all.
    pub(super) fn straddles(&self, thread: u32, bytes: Bytes) -> bool {
        let odd = |entry: &Entry| entry.bytes.overlaps(bytes) && entry.bytes != bytes;
        self.of.get(thread as usize).is_some_and(|buffer| buffer.iter().any(odd))
    }

    /// What all but `owner` see there.
    pub(super) fn seen_beneath(&mut self, owner: u32, bytes: Bytes) -> Option<&mut u64> {
        let oldest = |entry: &&mut Entry| entry.bytes == bytes;
        Some(&mut self.of.get_mut(owner as usize)?.iter_mut().find(oldest)?.before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: Bytes = Bytes { at: 64, len: 8 };
    const OTHER: Bytes = Bytes { at: 72, len: 8 };

    #[test]
    fn stores_become_visible_in_order() {
        let mut buffers = Buffers::default();
        buffers.push(2, WORD, 10);
        buffers.push(2, OTHER, 20);
        buffers.push(2, WORD, 11);
        assert_eq!((buffers.owner(WORD), buffers.busy()), (Some(2), &[2][..]));
        assert_eq!(buffers.seen_beneath(2, WORD).copied(), Some(10));
        assert!(buffers.flush_oldest(2));
        assert_eq!(buffers.seen_beneath(2, WORD).copied(), Some(11));
        assert_eq!(buffers.seen_beneath(2, OTHER).copied(), Some(20));
        assert!(buffers.drain(2) && !buffers.drain(2));
        assert_eq!((buffers.owner(WORD), buffers.busy()), (None, &[][..]));
    }

    #[test]
    fn a_buffer_has_a_size() {
        let mut buffers = Buffers::default();
        for before in 0..100 {
            buffers.push(1, WORD, before);
        }
        assert_eq!(buffers.seen_beneath(1, WORD).copied(), Some(100 - MOST as u64));
    }

    #[test]
    fn halves_of_a_word_are_noticed() {
        let mut buffers = Buffers::default();
        let half = Bytes { at: 68, len: 4 };
        buffers.push(1, half, 0);
        assert_eq!(buffers.owner(WORD), Some(1));
        assert!(buffers.straddles(1, WORD) && !buffers.straddles(1, half));
        assert!(!buffers.straddles(1, OTHER) && !buffers.straddles(7, WORD));
    }
}
