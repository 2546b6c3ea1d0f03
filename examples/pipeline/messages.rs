//! What travels: every message of the pipeline, plain data of fixed size.

use std::time::Duration;

use res::{ErrorKind, Fault, Slot, Stats, Tx, message};

use super::word::Word;

/// Bytes of text in a block. A block is copied whole, also that of a small file; a smaller one would
/// cost large files more messages.
pub(crate) const BLOCK: usize = 32 * 1024;
/// Words in a message.
pub(crate) const ENTRIES: usize = 400;

/// A piece of a file, from the reader to one of the workers.
#[message("block", version = 1)]
pub(crate) struct Block {
    /// Its number in the whole input, from 0 on.
    pub(crate) number: u64,
    /// The number of the file.
    pub(crate) file: u32,
    /// How many bytes of it count.
    pub(crate) len: u32,
    pub(crate) bytes: [u8; BLOCK],
}

impl Block {
    pub(crate) const EMPTY: Self = Self { number: 0, file: 0, len: 0, bytes: [0; BLOCK] };

    /// The bytes that count. The length was written by somebody else, so it is checked.
    pub(crate) fn text(&self) -> Result<&[u8], Fault> {
        let text = self.bytes.get(..self.len as usize);
        text.ok_or_else(|| Fault::new(ErrorKind::Misbehaved, "a block longer than a block"))
    }
}

/// What a worker found in a block: all of it but the words, which may go on in the next block.
#[message("summary", version = 1)]
pub(crate) struct Summary {
    /// The number of the block.
    pub(crate) block: u64,
    /// The number of the file.
    pub(crate) file: u32,
    pub(crate) bytes: u32,
    pub(crate) lines: u32,
    /// Words with white space on both sides.
    pub(crate) words: u32,
    /// Length of the run of other bytes that begins the block; 0 if white space does.
    pub(crate) head_len: u32,
    /// Length of the run that ends it.
    pub(crate) tail_len: u32,
    pub(crate) head: Word,
    pub(crate) tail: Word,
}

/// How often a word was found.
#[message("entry", version = 1)]
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) word: Word,
    pub(crate) count: u64,
}

impl Entry {
    pub(crate) const NONE: Self = Self { word: Word::EMPTY, count: 0 };
}

/// Many entries: one by one they would be many small messages.
#[message("entries", version = 1)]
pub(crate) struct Entries {
    /// How many of them count.
    pub(crate) len: u64,
    pub(crate) entries: [Entry; ENTRIES],
}

impl Entries {
    pub(crate) fn new(entries: &[Entry]) -> Self {
        let mut this = Self { len: entries.len() as u64, entries: [Entry::NONE; ENTRIES] };
        this.entries[..entries.len()].copy_from_slice(entries);
        this
    }

    /// Those that count.
    pub(crate) fn as_slice(&self) -> &[Entry] {
        &self.entries[..ENTRIES.min(self.len as usize)]
    }
}

/// The counts of the whole input.
#[message("totals", version = 1)]
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) lines: u64,
    pub(crate) words: u64,
    pub(crate) bytes: u64,
    /// Different words that were forgotten because there were too many.
    pub(crate) forgotten: u64,
}

/// What one component did, told at its end.
#[message("figures", version = 1)]
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) input: Flow,
    pub(crate) output: Flow,
    /// Bytes of text that went through.
    pub(crate) bytes: u64,
    /// How long it ran.
    pub(crate) nanos: u64,
}

impl Figures {
    /// Where every component sends its figures to.
    pub(crate) const fn slot<K>() -> Slot<Tx<K, Self>> {
        Slot::new("figures")
    }
}

/// What the ends on one side of a component have seen, summed up.
#[message("flow", version = 1)]
#[derive(Debug, Default)]
pub(crate) struct Flow {
    pub(crate) messages: u64,
    /// How often it waited.
    pub(crate) blocked: u64,
    pub(crate) blocked_nanos: u64,
    /// The longest queue.
    pub(crate) high_water: u64,
}

impl Flow {
    /// Adds an end.
    pub(crate) fn through(self, end: Stats) -> Self {
        Self {
            messages: self.messages + end.messages,
            high_water: self.high_water.max(end.high_water.into()),
            ..self.waited(end.blocked, end.blocked_for)
        }
    }

    /// Adds waiting alone.
    pub(crate) fn waited(self, times: u64, time: Duration) -> Self {
        let blocked_nanos = self.blocked_nanos + nanos(time);
        Self { blocked: self.blocked + times, blocked_nanos, ..self }
    }
}

/// A span as it travels.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
