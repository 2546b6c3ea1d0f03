//! The aggregator: one event group over all workers, whenever they come and go.

use std::marker::PhantomData;
use std::time::Duration;

use res::{
    AnyCap, Backend, CapRx, CastError, Deadline, Env, ErrorKind, EvtGrp, Fault, Kind, Name,
    Receiver, Rx, Sender, Slot, Source, Stats, Timer, Trigger, Tx, Value,
};

use super::ends::drained;
use super::messages::{ENTRIES, Entries, Entry, Figures, Flow, Summary, Totals, nanos};
use super::stitch::Stitcher;
use super::table::{self, Table};

/// What the aggregator is endowed with, over channels of kind `K`.
#[derive(Debug)]
pub(crate) struct Aggregator<K>(PhantomData<K>);

impl<K> Aggregator<K> {
    /// The way from workers that join later: two ends each.
    pub(crate) const JOINERS: Slot<CapRx> = Slot::new("joiners");
    /// How many workers there will be at most.
    pub(crate) const WORKERS: Slot<Value<u32>> = Slot::new("workers");
    /// Blocks that are on their way at most.
    pub(crate) const WINDOW: Slot<Value<u32>> = Slot::new("window");
    /// Leave to send a block, for the reader.
    pub(crate) const CREDITS: Slot<Tx<K, ()>> = Slot::new("credits");
    /// Bytes counted so far: at once when there are any, and then now and again.
    pub(crate) const PROGRESS: Slot<Tx<K, u64>> = Slot::new("progress");
    pub(crate) const TOTALS: Slot<Tx<K, Totals>> = Slot::new("totals");
    /// The most frequent words, as many as fit the channel.
    pub(crate) const TOP: Slot<Tx<K, Entry>> = Slot::new("top");

    /// The summaries of the `index`-th of the workers that are there from the beginning.
    pub(crate) fn summaries(index: u32) -> Result<Slot<Rx<K, Summary>>, ErrorKind> {
        Ok(Slot::named(Name::numbered("summaries", index)?))
    }

    /// The words of that worker.
    pub(crate) fn words(index: u32) -> Result<Slot<Rx<K, Entries>>, ErrorKind> {
        Ok(Slot::named(Name::numbered("words", index)?))
    }
}

/// Between two reports of progress.
const TICK: Duration = Duration::from_millis(100);
/// More different words than these are too many: the rarest are forgotten.
const WORDS: usize = 1 << 20;
const _: () = assert!(WORDS + ENTRIES <= table::MOST);

/// What an event of the group is about; beyond these, the number of an inlet.
const JOINERS: u64 = u64::MAX;
const TICKED: u64 = u64::MAX - 1;

pub(crate) fn aggregator<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let start = env.now();
    let mut figures = env.take(Figures::slot::<K>())?;
    let (mut totals, mut top) =
        (env.take(Aggregator::<K>::TOTALS)?, env.take(Aggregator::<K>::TOP)?);
    let mut inlets = Inlets::<B, K>::new(&env)?;
    let mut sum = Sum::<B, K>::new(&env)?;
    let waited = inlets.run(&env, &mut sum)?;
    let end = sum.finish()?;
    totals.send(end)?;
    for entry in sum.table.top(top.capacity() as usize) {
        top.send(entry)?;
    }
    let input = inlets.flow().waited(0, waited);
    let credits = sum.credits.stats();
    let given = Stats { messages: credits.messages - sum.granted, ..credits };
    let output = Flow::default().through(given);
    let nanos = nanos(env.now() - start);
    Ok(figures.send(Figures { input, output, bytes: end.bytes, nanos })?)
}

/// All that comes from workers, and the group that waits for it.
struct Inlets<B: Backend, K: Kind<B>> {
    group: B::EvtGrp,
    joiners: B::CapRcv,
    /// `None` when all have joined.
    joining: Option<Registration<B>>,
    inlets: Vec<Inlet<B, K>>,
}

struct Inlet<B: Backend, K: Kind<B>> {
    from: Inflow<B, K>,
    /// `None` when nothing comes any more. The source leaves the group then: it must not be
    /// counted twice if one more event of it is on its way.
    open: Option<Registration<B>>,
}

enum Inflow<B: Backend, K: Kind<B>> {
    Summaries(K::Rcv<Summary>),
    Words(K::Rcv<Entries>),
}

type Registration<B> = <<B as Backend>::EvtGrp as EvtGrp<<B as Backend>::Blockpoint>>::Registration;

impl<B: Backend, K: Kind<B>> Inlets<B, K> {
    fn new(env: &Env<B>) -> Result<Self, Fault> {
        // Two for each worker, those who join, the clock.
        let group = env.evtgrp(2 * env.take(Aggregator::<K>::WORKERS)? + 2)?;
        let joiners = env.take(Aggregator::<K>::JOINERS)?;
        let joining = Some(group.add(&joiners, Trigger::Edge, JOINERS)?);
        let mut this = Self { group, joiners, joining, inlets: Vec::new() };
        for worker in 0.. {
            let summaries = Aggregator::<K>::summaries(worker)?;
            if !env.has(summaries) {
                break;
            }
            this.add(Inflow::Summaries(env.take(summaries)?))?;
            this.add(Inflow::Words(env.take(Aggregator::<K>::words(worker)?)?))?;
        }
        Ok(this)
    }

    fn add(&mut self, from: Inflow<B, K>) -> Result<(), Fault> {
        let source: &dyn Source<B::Blockpoint> = match &from {
            Inflow::Summaries(from) => from,
            Inflow::Words(from) => from,
        };
        let open = Some(self.group.add(source, Trigger::Edge, self.inlets.len() as u64)?);
        self.inlets.push(Inlet { from, open });
        Ok(())
    }

    /// Takes what comes until nothing can come any more; how long it waited.
    fn run(&mut self, env: &Env<B>, sum: &mut Sum<B, K>) -> Result<Duration, Fault> {
        let clock = env.timer(env.after(TICK), Some(TICK))?;
        let _ticking = self.group.add(&clock, Trigger::Edge, TICKED)?;
        let mut waited = Duration::ZERO;
        while self.joining.is_some() || self.inlets.iter().any(|inlet| inlet.open.is_some()) {
            let before = env.now();
            let event = self.group.wait(Deadline::NEVER)?;
            waited += env.now() - before;
            match event.data {
                JOINERS => self.welcome()?,
                TICKED => {
                    clock.expirations();
                    sum.report();
                }
                index => self.inlets[index as usize].drain(sum)?,
            }
        }
        Ok(waited)
    }

    /// Takes in who has joined.
    fn welcome(&mut self) -> Result<(), Fault> {
        let mut joined = Vec::new();
        if drained(&mut self.joiners, |end| joined.push(end))? {
            self.joining = None;
        }
        for end in joined {
            // It says of itself what it is.
            match end.cast() {
                Ok(summaries) => self.add(Inflow::Summaries(summaries))?,
                Err(CastError { cap, .. }) => self.add(Inflow::Words(cap.cast()?))?,
            }
        }
        Ok(())
    }

    fn flow(&self) -> Flow {
        self.inlets.iter().fold(Flow::default(), |flow, inlet| match &inlet.from {
            Inflow::Summaries(from) => flow.through(from.stats()),
            Inflow::Words(from) => flow.through(from.stats()),
        })
    }
}

impl<B: Backend, K: Kind<B>> Inlet<B, K> {
    fn drain(&mut self, sum: &mut Sum<B, K>) -> Result<(), Fault> {
        let mut result = Ok(());
        let ended = match &mut self.from {
            Inflow::Summaries(from) => drained(from, |summary| {
                if result.is_ok() {
                    result = sum.summary(summary);
                }
            })?,
            Inflow::Words(from) => drained(from, |entries| sum.words(&entries))?,
        };
        if ended {
            self.open = None;
        }
        result
    }
}

/// What it adds up to.
struct Sum<B: Backend, K: Kind<B>> {
    stitcher: Stitcher,
    table: Table,
    forgotten: u64,
    credits: K::Snd<()>,
    /// How many credits there were before those that are given back here.
    granted: u64,
    progress: K::Snd<u64>,
}

impl<B: Backend, K: Kind<B>> Sum<B, K> {
    fn new(env: &Env<B>) -> Result<Self, Fault> {
        let credits = env.take(Aggregator::<K>::CREDITS)?;
        Ok(Self {
            stitcher: Stitcher::new(env.take(Aggregator::<K>::WINDOW)? as usize),
            table: Table::new(),
            forgotten: 0,
            granted: credits.stats().messages,
            credits,
            progress: env.take(Aggregator::<K>::PROGRESS)?,
        })
    }

    fn summary(&mut self, summary: Summary) -> Result<(), Fault> {
        let before = self.stitcher.totals().bytes;
        let done = self.stitcher.take(summary, |word| self.table.add(word, 1))?;
        for _ in 0..done {
            // There is room for all there are; at the end of the input nobody wants them.
            let _ = self.credits.try_send(());
        }
        self.bound();
        if before == 0 && self.stitcher.totals().bytes > 0 {
            self.report();
        }
        Ok(())
    }

    fn words(&mut self, entries: &Entries) {
        for entry in entries.as_slice() {
            self.table.add(entry.word, entry.count);
        }
        self.bound();
    }

    fn bound(&mut self) {
        if self.table.len() > WORDS {
            self.forgotten += self.table.forget(WORDS / 2);
        }
    }

    fn report(&mut self) {
        // Whoever does not listen just now, listens later.
        let _ = self.progress.try_send(self.stitcher.totals().bytes);
    }

    fn finish(&mut self) -> Result<Totals, Fault> {
        let totals = self.stitcher.finish(|word| self.table.add(word, 1))?;
        Ok(Totals { forgotten: self.forgotten, ..totals })
    }
}
