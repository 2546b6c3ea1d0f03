//! What a domain does while nobody wants it yet.
//!
//! Each page that it executes or writes for the first time since the fork costs it a fault. So it has
//! them all at once before that: those of the program, and those that the fork server has of its own.
//! Where a domain is wanted at once there is no time for it, and it does without.

use std::fs::{File, read_to_string};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::vec;
use std::vec::Vec;

use rustix::mm::{Advice, madvise};
use rustix::param::page_size;

/// Bytes of instructions that are worth it: of a longer program, what it needs is a small part.
const TEXT: usize = 8 << 20;
/// Bytes that are worth to be copied: of more, a domain will write a small part. Mappings longer than
/// that are not looked through.
const DATA: usize = 4 << 20;

/// The pages of the fork server that a domain will use, as they were when that began.
#[derive(Debug, Default)]
pub(super) struct WarmUp {
    /// Instructions.
    executed: Vec<Range<usize>>,
    /// What it has itself, and so is likely to be written.
    own: Vec<Range<usize>>,
}

impl WarmUp {
    /// To be called before this process is confined. Nothing, where Linux does not say what it has
    /// mapped.
    pub(super) fn plan() -> Self {
        let mappings = read_to_string("/proc/self/maps").unwrap_or_default();
        let with = |wanted| {
            let all = mappings.lines().filter_map(mapping);
            all.filter(move |(_, permissions)| *permissions == wanted).map(|(range, _)| range)
        };
        let executed = within(TEXT, with("r-xp"));
        let own = Pages::open().and_then(|pages| {
            let mut own = Vec::new();
            for range in with("rw-p").filter(|range| range.len() <= DATA) {
                pages.add_own(range, &mut own)?;
            }
            Ok(within(DATA, own.into_iter()))
        });
        Self { executed, own: own.unwrap_or_default() }
    }

    /// Does it, in a process that was forked since.
    pub(super) fn apply(&self) {
        let executed = self.executed.iter().map(|range| (range, Advice::LinuxPopulateRead));
        let own = self.own.iter().map(|range| (range, Advice::LinuxPopulateWrite));
        for (range, advice) in executed.chain(own) {
            let start = core::ptr::without_provenance_mut(range.start);
            // SAFETY: whatever is mapped there by now, its pages become present, and what is in them
            // stays.
            let _ = unsafe { madvise(start, range.len(), advice) };
        }
    }
}

/// Of these ranges, in their order, as many as have no more than so many bytes.
fn within(mut left: usize, ranges: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let fits = |range: &Range<usize>| {
        let rest = left.checked_sub(range.len());
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    ranges.filter(fits).collect()
}

/// Where it lies, and its permissions, of a line of `/proc/self/maps`.
fn mapping(line: &str) -> Option<(Range<usize>, &str)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let [start, end] = [start, end].map(|address| usize::from_str_radix(address, 16).ok());
    Some((start?..end?, fields.next()?))
}

/// What Linux says of each page.
struct Pages(File);

impl Pages {
    const PRESENT: u64 = 1 << 63;
    /// It is one of a file.
    const FILE: u64 = 1 << 61;
    /// So many are asked for at once.
    const SOME: usize = 512;

    fn open() -> io::Result<Self> {
        File::open("/proc/self/pagemap").map(Self)
    }

    /// Adds those pages of a mapping that are this process's own.
    fn add_own(&self, mapping: Range<usize>, own: &mut Vec<Range<usize>>) -> io::Result<()> {
        let page = page_size();
        for start in mapping.clone().step_by(Self::SOME * page) {
            let count = Self::SOME.min((mapping.end - start) / page);
            let mut bytes = vec![0; count * size_of::<u64>()];
            self.0.read_exact_at(&mut bytes, (start / page * size_of::<u64>()) as u64)?;
            let entries = bytes.as_chunks().0.iter().map(|entry| u64::from_ne_bytes(*entry));
            let is_own = |entry| entry & (Self::PRESENT | Self::FILE) == Self::PRESENT;
            for (at, _) in entries.enumerate().filter(|(_, entry)| is_own(*entry)) {
                let found = start + at * page..start + (at + 1) * page;
                match own.last_mut().filter(|last| last.end == found.start) {
                    Some(last) => last.end = found.end,
                    None => own.push(found),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
    use std::boxed::Box;

    use super::*;

    static WRITTEN: AtomicU64 = AtomicU64::new(1);

    #[test]
    fn what_has_been_written_and_what_is_executed_is_in_the_plan() {
        WRITTEN.store(2, Relaxed);
        let (on_the_heap, untouched) = (Box::new(1), Vec::<u8>::with_capacity(2 << 20));
        let plan = WarmUp::plan();
        let has = |all: &[Range<usize>], address| all.iter().any(|range| range.contains(&address));
        assert!(has(&plan.own, (&raw const WRITTEN).addr()));
        assert!(has(&plan.own, (&raw const *on_the_heap).addr()));
        assert!(!has(&plan.own, untouched.as_ptr().addr() + (1 << 20)));
        assert!(has(&plan.executed, WarmUp::plan as fn() -> WarmUp as usize));
        plan.apply();
        assert_eq!((WRITTEN.load(Relaxed), *on_the_heap), (2, 1));
    }

    #[test]
    fn what_is_too_much_is_left_out() {
        let ranges = [0..10, 10..100, 200..210, 300..301];
        assert_eq!(within(20, ranges.into_iter()), [0..10, 200..210]);
    }

    #[test]
    fn a_line_that_says_something_else_is_no_mapping() {
        let line = "7f00-8f00 r-xp 00000000 fe:00 10010625    /some/program";
        assert_eq!(mapping(line), Some((0x7f00..0x8f00, "r-xp")));
        for line in ["", "7f00", "7f00-8f00", "7f00-x r-xp"] {
            assert_eq!(mapping(line), None);
        }
    }
}
