//! A set of pending bits in two levels: finding one of 10,000 reads a handful of words.
//!
//! A bit of the upper level says that a word of the lower one may not be empty. It is set after
//! the lower bit and cleared before the lower word is looked at again, so no bit is lost.

use core::alloc::Layout;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire};

use res_api::ErrorKind;
use res_kernel::Kernel;
use res_sync::model::Atomic;

use crate::error::LocalError;
use crate::system::{SystemRef, U64};

const BITS: u32 = u64::BITS;

/// A fixed number of bits, in memory of the system, or in memory that others have mapped, too: they
/// can set and clear what they like, and do no more harm.
pub struct Bitmap<K: Kernel> {
    /// Whose memory it is, if not somebody else's.
    system: Option<SystemRef<K>>,
    words: NonNull<U64<K>>,
    leaves: u32,
    summaries: u32,
}

// SAFETY: atomics in memory that lives as long as the bitmap.
unsafe impl<K: Kernel> Send for Bitmap<K> {}
// SAFETY: as for `Send`.
unsafe impl<K: Kernel> Sync for Bitmap<K> {}

impl<K: Kernel> core::fmt::Debug for Bitmap<K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Bitmap({} words)", self.leaves)
    }
}

impl<K: Kernel> Bitmap<K> {
    pub(crate) fn new(system: &SystemRef<K>, bits: u32) -> Result<Self, LocalError> {
        let leaves = bits.div_ceil(BITS).max(1);
        let summaries = leaves.div_ceil(BITS);
        let layout = Self::layout(leaves, summaries).ok_or(ErrorKind::NoMemory)?;
        let words = system.alloc(layout).ok_or(ErrorKind::NoMemory)?.cast::<U64<K>>();
        for index in 0..(leaves + summaries) as usize {
            // SAFETY: within the memory, which nobody else has.
            unsafe { words.add(index).write(Atomic::new(0)) };
        }
        Ok(Self { system: Some(system.clone()), words, leaves, summaries })
    }

    /// One of at most `bits` bits in memory of `bytes` bytes that may be mapped by others as well;
    /// zero bytes are an empty one. None where it does not fit.
    ///
    /// # Safety
    ///
    /// The memory is aligned to 8, and valid for atomic access as long as the bitmap lives.
    pub unsafe fn over(memory: NonNull<u8>, bytes: u64, bits: u32) -> Option<Self> {
        let leaves = bits.div_ceil(BITS).max(1);
        let summaries = leaves.div_ceil(BITS);
        let fits = u64::from(leaves + summaries) * 8 <= bytes;
        fits.then_some(Self { system: None, words: memory.cast(), leaves, summaries })
    }

    fn layout(leaves: u32, summaries: u32) -> Option<Layout> {
        Layout::array::<U64<K>>(leaves.checked_add(summaries)? as usize).ok()
    }

    fn leaf(&self, index: u32) -> &U64<K> {
        debug_assert!(index < self.leaves);
        // SAFETY: the leaves come first.
        unsafe { self.words.add(index as usize).as_ref() }
    }

    fn summary(&self, index: u32) -> &U64<K> {
        debug_assert!(index < self.summaries);
        // SAFETY: behind the leaves.
        unsafe { self.words.add((self.leaves + index) as usize).as_ref() }
    }

    /// Sets a bit. One that there is not is ignored.
    pub fn set(&self, bit: u32) {
        let leaf = bit / BITS;
        if leaf >= self.leaves {
            return;
        }
        // AcqRel: what the setter did before is visible to who clears the bit.
        self.leaf(leaf).fetch_or(1 << (bit % BITS), AcqRel);
        // Always, not only for the first bit: another setter may not have come so far yet.
        let mark = 1 << (leaf % BITS);
        if self.summary(leaf / BITS).load(Acquire) & mark == 0 {
            self.summary(leaf / BITS).fetch_or(mark, AcqRel);
        }
    }

    /// Clears a bit; true if it was set.
    pub fn clear(&self, bit: u32) -> bool {
        if bit / BITS >= self.leaves {
            return false;
        }
        let mask = 1 << (bit % BITS);
        // AcqRel: partners `set`.
        self.leaf(bit / BITS).fetch_and(!mask, AcqRel) & mask != 0
    }

    /// The first bit that is set, from `start` on and around.
    pub fn find_from(&self, start: u32) -> Option<u32> {
        let first = start / BITS % self.leaves;
        let within = !0 << (start % BITS);
        let found = self.in_leaf(first, within);
        found.or_else(|| self.next_leaf(first)).or_else(|| self.in_leaf(first, !within))
    }

    fn in_leaf(&self, leaf: u32, mask: u64) -> Option<u32> {
        let word = self.leaf(leaf).load(Acquire) & mask;
        (word != 0).then(|| leaf * BITS + word.trailing_zeros())
    }

    /// A bit of the first leaf after `from`, and around, that has one.
    fn next_leaf(&self, from: u32) -> Option<u32> {
        let start = from + 1;
        let summaries = self.summaries;
        // The word of `from` comes first for what lies behind it, and last for what lies before.
        (0..=summaries).find_map(|step| {
            let index = (start / BITS + step) % summaries;
            let mask = match step {
                0 if start / BITS < summaries => !0 << (start % BITS),
                _ => !0,
            };
            self.in_summary(index, mask, from)
        })
    }

    fn in_summary(&self, index: u32, mask: u64, except: u32) -> Option<u32> {
        let mut marks = self.summary(index).load(Acquire) & mask;
        while marks != 0 {
            let leaf = index * BITS + marks.trailing_zeros();
            marks &= marks - 1;
            // Who shares the memory may have set what stands for nothing.
            if leaf == except || leaf >= self.leaves {
                continue;
            }
            if let Some(bit) = self.in_leaf(leaf, !0) {
                return Some(bit);
            }
            self.unmark(leaf);
        }
        None
    }

    /// Takes the mark off an empty leaf, and puts it back if the leaf is not empty any more.
    fn unmark(&self, leaf: u32) {
        let mark = 1 << (leaf % BITS);
        // AcqRel on both: either the setter sees the mark gone and sets it, or we see its bit.
        self.summary(leaf / BITS).fetch_and(!mark, AcqRel);
        if self.leaf(leaf).fetch_or(0, AcqRel) != 0 {
            self.summary(leaf / BITS).fetch_or(mark, AcqRel);
        }
    }
}

impl<K: Kernel> Drop for Bitmap<K> {
    fn drop(&mut self) {
        let Some(system) = &self.system else { return };
        for index in 0..(self.leaves + self.summaries) as usize {
            // SAFETY: written by `new`, and nobody uses it any more.
            unsafe { self.words.add(index).drop_in_place() };
        }
        if let Some(layout) = Self::layout(self.leaves, self.summaries) {
            // SAFETY: it came from `alloc` with that layout.
            unsafe { system.free(self.words.cast(), layout) };
        }
    }
}

#[cfg(all(test, feature = "linux"))]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;
    use std::vec::Vec;

    use res_kernel::Linux;

    use super::Bitmap;
    use crate::Local;

    fn bitmap(bits: u32) -> Bitmap<Linux> {
        Bitmap::new(Local::new().expect("memory is there").system(), bits).expect("memory is there")
    }

    /// A small generator of numbers, from a seed.
    fn numbers(mut seed: u64) -> impl FnMut(u32) -> u32 {
        move |below| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 33) % u64::from(below)) as u32
        }
    }

    #[test]
    fn finds_what_a_set_holds() {
        for (seed, bits) in
            [1, 2, 63, 64, 65, 127, 128, 129, 4096, 4097, 10_000].into_iter().enumerate()
        {
            let (map, mut set) = (bitmap(bits), BTreeSet::new());
            let mut number = numbers(seed as u64);
            for _ in 0..3000 {
                let bit = number(bits);
                match number(3) {
                    0 => {
                        map.set(bit);
                        set.insert(bit);
                    }
                    1 => assert_eq!(map.clear(bit), set.remove(&bit)),
                    _ => {
                        let expected = set.range(bit..).next().or_else(|| set.iter().next());
                        let found = map.find_from(bit);
                        // Any order among the rest is fair, but what there is must be found, and
                        // the neighbours behind come first.
                        assert_eq!(found.is_some(), expected.is_some(), "{bits} bits, from {bit}");
                        assert!(found.is_none_or(|found| set.contains(&found)));
                        if let Some(near) = set.range(bit..(bit / 64 + 1) * 64).next() {
                            assert_eq!(found, Some(*near));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn no_bit_is_lost_between_setters_and_a_sweeper() {
        const BITS: u32 = 300;
        const ROUNDS: usize = 2000;
        let map = bitmap(BITS);
        thread::scope(|scope| {
            let setters: Vec<_> = (0..2)
                .map(|of| {
                    let map = &map;
                    scope.spawn(move || {
                        for round in 0..ROUNDS {
                            let bit = ((round * 7 + of * 150) as u32) % BITS;
                            // The last setting of each bit must be found: a sweeper that has
                            // cleared it since has found it.
                            map.set(bit);
                        }
                    })
                })
                .collect();
            let mut start = 0;
            let mut sweep = || {
                while let Some(bit) = map.find_from(start) {
                    map.clear(bit);
                    start = (bit + 1) % BITS;
                }
            };
            while setters.iter().any(|setter| !setter.is_finished()) {
                sweep();
            }
            sweep();
        });
        let left: Vec<_> = (0..BITS).filter(|bit| map.clear(*bit)).collect();
        assert!(left.is_empty(), "set, but not found: {left:?}");
    }
}
