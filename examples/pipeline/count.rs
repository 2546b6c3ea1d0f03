//! Lines and words in a piece of text: eight bytes at a time.

/// What is in a piece of text. A run is a longest sequence of bytes without white space.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// Ends of lines.
    pub(crate) lines: u32,
    /// Length of the run that begins the text.
    pub(crate) head: usize,
    /// Length of the run that ends it; the same one where there is no white space.
    pub(crate) tail: usize,
}

/// Splits `text`; calls `each` with the start and the length of every run in it that has white
/// space on both sides.
pub(crate) fn split(text: &[u8], mut each: impl FnMut(usize, usize)) -> Split {
    let mut lines = 0;
    let mut head = None;
    // The run that is open: the first one is, even if it turns out to be empty.
    let (mut start, mut outside) = (0, 0);
    let (groups, rest) = text.as_chunks::<GROUP>();
    let mut last = [b' '; GROUP];
    last[..rest.len()].copy_from_slice(rest);
    let all = groups.iter().map(|group| (group, u64::MAX));
    for (index, (group, valid)) in all.chain([(&last, !(u64::MAX << rest.len()))]).enumerate() {
        let classes = Classes::of(group);
        lines += (classes.newline & valid).count_ones();
        // Where white space begins or ends. It begins first, because a run is open.
        let mut edges = (classes.space ^ (classes.space << 1 | outside)) & valid;
        outside = classes.space >> (GROUP - 1);
        while edges != 0 {
            let at = index * GROUP + edges.trailing_zeros() as usize;
            edges &= edges - 1;
            if start == OUTSIDE {
                start = at;
                continue;
            }
            match head {
                None => head = Some(at),
                Some(_) => each(start, at - start),
            }
            start = OUTSIDE;
        }
    }
    let tail = if start == OUTSIDE { 0 } else { text.len() - start };
    Split { lines, head: head.unwrap_or(text.len()), tail }
}

/// No run is open.
const OUTSIDE: usize = usize::MAX;

/// Bytes that are classified together: a bit for each.
const GROUP: usize = 64;

struct Classes {
    space: u64,
    newline: u64,
}

impl Classes {
    #[inline]
    fn of(group: &[u8; GROUP]) -> Self {
        let (words, _) = group.as_chunks::<8>();
        let (mut space, mut newline) = (0, 0);
        for (index, word) in words.iter().enumerate() {
            let word = u64::from_le_bytes(*word);
            space |= gather(spaces(word)) << (8 * index);
            newline |= gather(equal(word, b'\n')) << (8 * index);
        }
        Self { space, newline }
    }
}

const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of each byte that is `byte`.
#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    let differ = word ^ all(byte);
    // Bit 7 is set by a carry where any of the lower seven is.
    !((differ & all(0x7f)) + all(0x7f) | differ) & all(0x80)
}

/// The highest bit of each byte that is white space: a blank, or `\t \n \v \f \r`, which are 9 to
/// 13.
#[inline]
fn spaces(word: u64) -> u64 {
    let low = word & all(0x7f);
    let (from_9, from_14) = (low + all(0x80 - 9), low + all(0x80 - 14));
    equal(word, b' ') | (from_9 & !from_14 & !word & all(0x80))
}

/// The highest bits of the bytes side by side, that of the first byte lowest.
#[inline]
fn gather(highest: u64) -> u64 {
    (highest >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}
