//! How often each word was found.

use std::cmp::Reverse;

use super::messages::Entry;
use super::word::Word;

/// Counts of words. Those found first, which as a rule are the frequent ones, lie side by side.
#[derive(Debug)]
pub(crate) struct Table {
    entries: Vec<Entry>,
    /// Where the entry of a word is: open addressing, at most half full. A slot is the number of
    /// the entry from 1 on and, above it, some bits of the hash; 0 is free.
    index: Vec<u32>,
}

/// The most entries that a table can have.
pub(crate) const MOST: usize = NUMBER as usize;
const NUMBER: u32 = (1 << 21) - 1;
const SMALLEST: usize = 1 << 12;

impl Table {
    pub(crate) fn new() -> Self {
        Self { entries: Vec::new(), index: vec![0; SMALLEST] }
    }

    /// How many different words there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Counts a word `count` times. The caller sees to it that there are at most [`MOST`].
    #[inline]
    pub(crate) fn add(&mut self, word: Word, count: u64) {
        let (slot, hash) = self.find(word);
        let number = self.index[slot] & NUMBER;
        match self.entries.get_mut((number as usize).wrapping_sub(1)) {
            Some(entry) => entry.count += count,
            None => self.insert(slot, hash, Entry { word, count }),
        }
    }

    /// The slot that is the word's or may become it; its hash.
    #[inline]
    fn find(&self, word: Word) -> (usize, u64) {
        let hash = word.hash();
        let mask = self.index.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.index[at];
            let same_tag = (slot ^ tag(hash)) <= NUMBER;
            let entry = self.entries.get(((slot & NUMBER) as usize).wrapping_sub(1));
            if slot == 0 || same_tag && entry.is_some_and(|entry| entry.word.is(word)) {
                return (at, hash);
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, slot: usize, hash: u64, entry: Entry) {
        self.entries.push(entry);
        self.index[slot] = self.entries.len() as u32 | tag(hash);
        if self.entries.len() > self.index.len() / 2 {
            self.rebuild(2 * self.index.len());
        }
    }

    fn rebuild(&mut self, slots: usize) {
        self.index = vec![0; slots];
        let entries = std::mem::take(&mut self.entries);
        for entry in &entries {
            let (slot, hash) = self.find(entry.word);
            self.entries.push(*entry);
            self.index[slot] = self.entries.len() as u32 | tag(hash);
        }
    }

    /// All words, in the order in which they were found.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Takes everything out; what comes next needs about as much room.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.index.fill(0);
    }

    /// Forgets the rarest words until at most `keep` are left; how many those were.
    pub(crate) fn forget(&mut self, keep: usize) -> u64 {
        let before = self.len();
        let mut rarest = 1;
        while self.len() > keep {
            self.entries.retain(|entry| entry.count > rarest);
            rarest *= 2;
        }
        self.rebuild(self.index.len());
        (before - self.len()) as u64
    }

    /// The most frequent words, in order.
    pub(crate) fn top(&self, count: usize) -> Vec<Entry> {
        let order = |entry: &Entry| (Reverse(entry.count), entry.word.bytes());
        let mut entries = self.entries.clone();
        if entries.len() > count {
            entries.select_nth_unstable_by_key(count, order);
            entries.truncate(count);
        }
        entries.sort_unstable_by_key(order);
        entries
    }
}

/// The bits of the hash that a slot keeps.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32 & !NUMBER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(number: u64) -> Word {
        let text = format!("word{number}");
        Word::of(text.as_bytes(), 0, text.len())
    }

    #[test]
    fn the_frequent_words_survive_forgetting() {
        let mut table = Table::new();
        for number in 0..10_000 {
            table.add(word(number), 1 + number % 100);
        }
        assert_eq!(table.len(), 10_000);
        let forgotten = table.forget(5_000);
        assert_eq!(table.len() as u64 + forgotten, 10_000);
        assert!(table.len() <= 5_000);
        table.add(word(9_999), 7);
        let top: Vec<_> = table.top(2).into_iter().map(|it| (it.word, it.count)).collect();
        assert_eq!(top, [(word(9_999), 107), (word(1_099), 100)]);
        assert_eq!(table.entries().len(), 10_000 - forgotten as usize);
        table.clear();
        assert_eq!(table.len(), 0);
        table.add(word(9_999), 7);
        assert_eq!(table.entries().iter().map(|it| it.count).collect::<Vec<_>>(), [7]);
    }
}
