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
    !(((differ & all(0x7f)) + all(0x7f)) | differ) & all(0x80)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte by byte: the runs with white space on both sides, and the rest.
    fn slowly(text: &[u8]) -> (Split, Vec<(usize, usize)>) {
        let runs: Vec<_> = text.split(|byte| b" \t\n\x0b\x0c\r".contains(byte)).collect();
        let (mut inner, mut at) = (Vec::new(), 0);
        for (index, run) in runs.iter().enumerate() {
            if index != 0 && index != runs.len() - 1 && !run.is_empty() {
                inner.push((at, run.len()));
            }
            at += run.len() + 1;
        }
        let lines = text.iter().filter(|byte| **byte == b'\n').count() as u32;
        (Split { lines, head: runs[0].len(), tail: runs[runs.len() - 1].len() }, inner)
    }

    fn check(text: &[u8]) {
        let mut inner = Vec::new();
        let found = split(text, |start, len| inner.push((start, len)));
        assert_eq!((found, inner), slowly(text), "{}", text.escape_ascii());
    }

    #[test]
    fn each_byte_is_of_its_class() {
        for byte in 0..=u8::MAX {
            check(&[b' ', byte, b' ']);
            check(&[b'x', byte, b'x']);
        }
    }

    #[test]
    fn short_texts_at_every_place() {
        let alphabet = *b"a \n\x8a";
        for number in 0..4_usize.pow(5) {
            let text: [u8; 5] = std::array::from_fn(|at| alphabet[number >> (2 * at) & 3]);
            for filler in *b"x " {
                for before in [0, 1, 59, 60, 61, 62, 63, 64, 123] {
                    let mut all = vec![filler; before];
                    all.extend(text);
                    check(&all);
                    all.extend([filler; 70]);
                    check(&all);
                }
            }
        }
    }
}
