//! Puts summaries of blocks together again, in order, whoever counted them.

use std::collections::VecDeque;

use res::{ErrorKind, Fault};

use super::messages::{Summary, Totals};
use super::word::Word;

/// Sums up summaries. Those that come too early wait here; there are never more of them than
/// there are credits.
#[derive(Debug)]
pub(crate) struct Stitcher {
    /// The summaries of block `next` and those behind it, as far as they have come.
    early: VecDeque<Option<Summary>>,
    next: u64,
    window: usize,
    file: u32,
    /// The run at the end of what has been stitched: it may go on.
    open: Word,
    totals: Totals,
}

impl std::fmt::Debug for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Summary(block {})", self.block)
    }
}

impl Stitcher {
    /// For blocks of which at most `window` are on their way.
    pub(crate) fn new(window: usize) -> Self {
        let (early, totals) = (VecDeque::with_capacity(window), Totals::default());
        Self { early, next: 0, window, file: 0, open: Word::EMPTY, totals }
    }

    /// What has been stitched so far.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Takes a summary; calls `each` with the words that came to their end between blocks. Returns
    /// how many blocks are done with.
    pub(crate) fn take(
        &mut self,
        summary: Summary,
        mut each: impl FnMut(Word),
    ) -> Result<u32, Fault> {
        let ahead = summary.block.checked_sub(self.next).map(|ahead| ahead as usize);
        let ahead = ahead.filter(|ahead| *ahead < self.window);
        let ahead = ahead.ok_or_else(|| Fault::new(ErrorKind::Misbehaved, "not its turn"))?;
        if self.early.len() <= ahead {
            self.early.resize(ahead + 1, None);
        }
        self.early[ahead] = Some(summary);
        let mut done = 0;
        while let Some(Some(summary)) = self.early.front().copied() {
            self.early.pop_front();
            self.append(&summary, &mut each);
            self.next += 1;
            done += 1;
        }
        Ok(done)
    }

    /// The end of the input.
    pub(crate) fn finish(&mut self, mut each: impl FnMut(Word)) -> Result<Totals, Fault> {
        if !self.early.is_empty() {
            return Err(Fault::new(ErrorKind::Closed, format_args!("no block {}", self.next)));
        }
        self.close(&mut each);
        Ok(self.totals)
    }

    fn append(&mut self, summary: &Summary, each: &mut impl FnMut(Word)) {
        if self.file != summary.file {
            self.close(each);
            self.file = summary.file;
        }
        self.totals.bytes += u64::from(summary.bytes);
        self.totals.lines += u64::from(summary.lines);
        self.totals.words += u64::from(summary.words);
        if summary.head_len != 0 {
            self.open = self.open.join(summary.head);
        }
        if summary.head_len != summary.bytes {
            self.close(each);
            self.open = summary.tail;
        }
    }

    /// The open run is at its end.
    fn close(&mut self, each: &mut impl FnMut(Word)) {
        let run = std::mem::replace(&mut self.open, Word::EMPTY);
        if run.is_visible() {
            self.totals.words += 1;
            each(run);
        }
    }
}
