//! A word, packed into four machine words.

use res::message;

/// The first bytes of a run without white space, how long it is, and whether it is a word.
///
/// As for `wc` in the C locale, a run is a word if a byte of it is visible: one of `!` to `~`. (The
/// newest `wc` takes every run for a word.)
#[message("word", version = 1)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Word {
    packed: [u64; 4],
}

/// Bytes of text that are kept; what is longer is kept as its beginning.
pub(crate) const KEPT: usize = 30;
/// The length of one that is longer.
const LONGER: usize = KEPT + 1;
/// Bytes of a packed word: text, length, and whether it is visible.
const PACKED: usize = KEPT + 2;

impl Word {
    pub(crate) const EMPTY: Self = Self { packed: [0; 4] };

    /// The run that begins at `start` of `text` and is `len` bytes long.
    #[inline]
    pub(crate) fn of(text: &[u8], start: usize, len: usize) -> Self {
        let from = &text[start..];
        let kept = len.min(KEPT);
        // There is mostly more text behind, so the copy has a fixed length, and is then masked.
        let mut packed = match from.first_chunk::<PACKED>() {
            Some(bytes) => unpack(bytes),
            None => unpack(&std::array::from_fn(|at| from.get(at).copied().unwrap_or(0))),
        };
        for (word, mask) in packed.iter_mut().zip(MASKS[kept]) {
            *word &= mask;
        }
        let visible = from[..len].iter().any(u8::is_ascii_graphic);
        packed[3] |= (len.min(LONGER) as u64) << 48 | u64::from(visible) << 56;
        Self { packed }
    }

    /// One run: this and, right behind it, `next`.
    pub(crate) fn join(self, next: Self) -> Self {
        let (this, that) = (self.bytes(), next.bytes());
        let text: Vec<u8> = this.text().iter().chain(that.text()).copied().collect();
        let longer = this.is_longer() || that.is_longer() || text.len() > KEPT;
        let mut bytes = [0; PACKED];
        let kept = text.len().min(KEPT);
        bytes[..kept].copy_from_slice(&text[..kept]);
        bytes[KEPT] = if longer { LONGER } else { kept } as u8;
        bytes[KEPT + 1] = u8::from(self.is_visible() || next.is_visible());
        Self { packed: unpack(&bytes) }
    }

    /// Whether it counts as a word.
    #[inline]
    pub(crate) fn is_visible(self) -> bool {
        self.packed[3] >> 56 != 0
    }

    /// Whether it is the same word. In four steps that stay in registers.
    #[inline]
    pub(crate) fn is(self, other: Self) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.packed, other.packed);
        (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) == 0
    }

    pub(crate) fn bytes(self) -> Bytes {
        let mut bytes = [0; PACKED];
        for (to, word) in bytes.chunks_exact_mut(8).zip(self.packed) {
            to.copy_from_slice(&word.to_le_bytes());
        }
        Bytes(bytes)
    }

    /// Well spread over all bits.
    #[inline]
    pub(crate) fn hash(self) -> u64 {
        let [a, b, c, d] = self.packed;
        fold(a ^ 0x9e37_79b9_7f4a_7c15, b ^ 0xc2b2_ae3d_27d4_eb4f)
            ^ fold(c ^ 0x1656_67b1_9e37_79f9, d ^ 0x27d4_eb2f_1656_67c5)
    }
}

/// A word as bytes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bytes([u8; PACKED]);

impl Bytes {
    /// The beginning that was kept.
    pub(crate) fn text(&self) -> &[u8] {
        &self.0[..usize::from(self.0[KEPT]).min(KEPT)]
    }

    pub(crate) fn is_longer(&self) -> bool {
        usize::from(self.0[KEPT]) > KEPT
    }
}

#[inline]
fn unpack(bytes: &[u8; PACKED]) -> [u64; 4] {
    let (words, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|at| u64::from_le_bytes(words[at]))
}

/// For each length, ones in that many of the first bytes.
const MASKS: [[u64; 4]; KEPT + 1] = {
    let mut masks = [[0; 4]; KEPT + 1];
    let mut len = 1;
    while len <= KEPT {
        masks[len] = masks[len - 1];
        masks[len][(len - 1) / 8] |= 0xff << ((len - 1) % 8 * 8);
        len += 1;
    }
    masks
};

/// The two halves of a product, folded.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_parts_joined_are_the_whole() {
        let text = b"\0\x01\x7f\xffabcdefghijklmnopqrstuvwxyz0123456789\x80\x80";
        for end in 1..=text.len() {
            let whole = Word::of(text, 0, end);
            assert_eq!(whole.bytes().text(), &text[..end.min(KEPT)]);
            assert_eq!(whole.bytes().is_longer(), end > KEPT);
            assert_eq!(whole.is_visible(), end > 4);
            for at in 0..=end {
                let (head, tail) = (Word::of(text, 0, at), Word::of(text, at, end - at));
                assert_eq!(head.join(tail), whole, "{at} of {end}");
            }
        }
    }
}
