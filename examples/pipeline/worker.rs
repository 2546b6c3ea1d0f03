//! A worker: counts what is in a block.

use std::marker::PhantomData;

use res::{AnyCap, Backend, CapRx, Env, Fault, Kind, Receiver, Rx, Sender, Slot, Tx};

use super::count::split;
use super::ends::next;
use super::messages::{Block, ENTRIES, Entries, Figures, Flow, Summary, nanos};
use super::table::Table;
use super::word::Word;

/// What a worker is endowed with, over channels of kind `K`.
#[derive(Debug)]
pub(crate) struct Worker<K>(PhantomData<K>);

impl<K> Worker<K> {
    pub(crate) const BLOCKS: Slot<Rx<K, Block>> = Slot::new("blocks");
    pub(crate) const SUMMARIES: Slot<Tx<K, Summary>> = Slot::new("summaries");
    pub(crate) const WORDS: Slot<Tx<K, Entries>> = Slot::new("words");
    /// Instead of these three: a channel over which they come, in this order.
    pub(crate) const ENDS: Slot<CapRx> = Slot::new("ends");
}

/// More different words than these are handed on before the end: a larger table would leave the
/// caches of a processor.
const WORDS: usize = 1 << 15;

pub(crate) fn worker<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let start = env.now();
    let mut figures = env.take(Figures::slot::<K>())?;
    let mut ends = Ends::<B, K>::new(&env)?;
    let (mut table, mut bytes) = (Table::new(), 0);
    while let Some(block) = next(&mut ends.blocks)? {
        ends.summaries.send(summary(&block, &mut table)?)?;
        bytes += u64::from(block.len);
        if table.len() > WORDS {
            ends.hand_on(&mut table)?;
        }
    }
    ends.hand_on(&mut table)?;
    let input = Flow::default().through(ends.blocks.stats());
    let output = Flow::default().through(ends.summaries.stats()).through(ends.words.stats());
    Ok(figures.send(Figures { input, output, bytes, nanos: nanos(env.now() - start) })?)
}

struct Ends<B: Backend, K: Kind<B>> {
    blocks: K::Rcv<Block>,
    summaries: K::Snd<Summary>,
    words: K::Snd<Entries>,
}

impl<B: Backend, K: Kind<B>> Ends<B, K> {
    fn new(env: &Env<B>) -> Result<Self, Fault> {
        if env.has(Worker::<K>::ENDS) {
            // Joins a pipeline that is running. What comes says of itself what it is.
            let mut ends = env.take(Worker::<K>::ENDS)?;
            return Ok(Self {
                blocks: ends.recv()?.cast()?,
                summaries: ends.recv()?.cast()?,
                words: ends.recv()?.cast()?,
            });
        }
        Ok(Self {
            blocks: env.take(Worker::<K>::BLOCKS)?,
            summaries: env.take(Worker::<K>::SUMMARIES)?,
            words: env.take(Worker::<K>::WORDS)?,
        })
    }

    fn hand_on(&mut self, table: &mut Table) -> Result<(), Fault> {
        for entries in table.entries().chunks(ENTRIES) {
            self.words.send(Entries::new(entries))?;
        }
        table.clear();
        Ok(())
    }
}

/// Counts a block. The words in it go to the table, all but those at its ends.
fn summary(block: &Block, table: &mut Table) -> Result<Summary, Fault> {
    let text = block.text()?;
    let mut words = 0;
    let found = split(text, |start, len| {
        let word = Word::of(text, start, len);
        if word.is_visible() {
            words += 1;
            table.add(word, 1);
        }
    });
    Ok(Summary {
        block: block.number,
        file: block.file,
        bytes: block.len,
        lines: found.lines,
        words,
        head_len: found.head as u32,
        tail_len: found.tail as u32,
        head: Word::of(text, 0, found.head),
        tail: Word::of(text, text.len() - found.tail, found.tail),
    })
}
