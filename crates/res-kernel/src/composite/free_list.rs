//! What is free in a pool: stacks of indexes, without a lock.
//!
//! A lock would have to block (H5), which is what the pools are made of.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use super::{U32, U64};

/// `LISTS` stacks, over the indexes 0 to `ITEMS - 1`. An index is in one of them at most.
pub(super) struct FreeLists<const LISTS: usize, const ITEMS: usize> {
    /// For each, the number of the first item (0: none; else the index plus one), and above it a
    /// count of all changes: who slept through others' changes finds another word.
    heads: [U64; LISTS],
    /// For each item, the number of the next one.
    next: [U32; ITEMS],
}

const fn number(head: u64) -> u32 {
    head as u32
}

/// The head after `head`, with another first item.
const fn moved(head: u64, first: u32) -> u64 {
    ((head >> 32).wrapping_add(1) << 32) | first as u64
}

impl<const LISTS: usize, const ITEMS: usize> FreeLists<LISTS, ITEMS> {
    /// Nothing is free.
    pub(super) const fn new() -> Self {
        Self { heads: [const { U64::new(0) }; LISTS], next: [const { U32::new(0) }; ITEMS] }
    }

    /// Takes one from the list.
    pub(super) fn pop(&self, list: usize) -> Option<u32> {
        let head = &self.heads[list];
        // Acquire: partners the AcqRel of the `push` that made it the first.
        let mut seen = head.load(Acquire);
        loop {
            let index = number(seen).checked_sub(1)?;
            // Relaxed: if somebody takes the item meanwhile, the exchange fails.
            let next = self.next[index as usize].load(Relaxed);
            // AcqRel: the new owner sees what the last one did.
            match head.compare_exchange(seen, moved(seen, next), AcqRel, Acquire) {
                Ok(_) => return Some(index),
                Err(found) => seen = found,
            }
        }
    }

    /// Puts one on the list. The caller has it, and nobody else.
    pub(super) fn push(&self, list: usize, index: u32) {
        let head = &self.heads[list];
        let mut seen = head.load(Relaxed);
        loop {
            self.next[index as usize].store(number(seen), Relaxed);
            // AcqRel: whoever takes it sees what was done with it before.
            match head.compare_exchange(seen, moved(seen, index + 1), AcqRel, Relaxed) {
                Ok(_) => return,
                Err(found) => seen = found,
            }
        }
    }
}

/// Takes the next number below `limit`, if there is one: for items that were never used.
pub(super) fn next_fresh(used: &U32, limit: usize) -> Option<u32> {
    let mut seen = used.load(Relaxed);
    loop {
        if seen as usize >= limit {
            return None;
        }
        // Relaxed: a count; what belongs to the item is its taker's.
        match used.compare_exchange(seen, seen + 1, Relaxed, Relaxed) {
            Ok(_) => return Some(seen),
            Err(found) => seen = found,
        }
    }
}
