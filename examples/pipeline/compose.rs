//! The composing program, first half: makes the channels and endows the components.

use res::{Backend, Comp, EvtGrp, Fault, Files, IntoCap, Kind, Name, SendError, Sender, Trigger};

use super::aggregator::{Aggregator, aggregator};
use super::messages::{Block, Entries, Entry, Figures, Summary, Totals};
use super::reader::{Reader, reader};
use super::worker::{Worker, worker};

/// Blocks that queue for one worker at most.
const BLOCKS: u32 = 8;
const SUMMARIES: u32 = 32;
const WORDS: u32 = 32;
/// Files that are open ahead of the reader.
const FILES: u32 = 32;
/// How many of the most frequent words are reported.
pub(crate) const TOP: u32 = 10;

/// What the composer keeps of the pipeline.
pub(crate) struct Pipeline<B: Backend, K: Kind<B>> {
    pub(crate) stages: Stages<B, K>,
    /// To the reader; closed after the last file.
    pub(crate) files: Option<B::CapSnd>,
    /// Those who have not joined yet.
    pub(crate) joiners: Option<Joiners<B>>,
    pub(crate) progress: K::Rcv<u64>,
    pub(crate) totals: K::Rcv<Totals>,
    pub(crate) top: K::Rcv<Entry>,
}

/// The components, and the group in which the composer waits for what they do.
pub(crate) struct Stages<B: Backend, K: Kind<B>> {
    pub(crate) group: B::EvtGrp,
    registrations: Vec<Registration<B>>,
    /// In the order in which they were started: the reader is the first.
    pub(crate) running: Vec<Running<B, K>>,
}

type Registration<B> = <<B as Backend>::EvtGrp as EvtGrp<<B as Backend>::Blockpoint>>::Registration;

/// A component that was started.
pub(crate) struct Running<B: Backend, K: Kind<B>> {
    pub(crate) component: Comp<B>,
    /// Whether it joined while the pipeline ran.
    pub(crate) late: bool,
    pub(crate) figures: K::Rcv<Figures>,
}

/// What the composer's group reports; beyond these, the number of a stage that has ended.
pub(crate) const HAS_ROOM: u64 = u64::MAX;
pub(crate) const PROGRESS: u64 = u64::MAX - 1;

/// Workers that join later, and the channels of channels over which the others get to know them.
pub(crate) struct Joiners<B: Backend> {
    workers: std::ops::Range<u32>,
    reader: B::CapSnd,
    aggregator: B::CapSnd,
}

/// The channels of one worker.
struct Wires<B: Backend, K: Kind<B>> {
    blocks: (K::Snd<Block>, K::Rcv<Block>),
    summaries: (K::Snd<Summary>, K::Rcv<Summary>),
    words: (K::Snd<Entries>, K::Rcv<Entries>),
}

impl<B: Backend, K: Kind<B>> Wires<B, K> {
    fn new(system: &B) -> Result<Self, Fault> {
        let (blocks, words) = (system.chan::<K, _>(BLOCKS)?, system.chan::<K, _>(WORDS)?);
        Ok(Self { blocks, summaries: system.chan::<K, _>(SUMMARIES)?, words })
    }
}

/// Starts a pipeline for about that many bytes, in which half of the workers are still missing.
pub(crate) fn compose<B: Files, K: Kind<B>>(
    system: &B,
    bytes: u64,
    workers: u32,
) -> Result<Pipeline<B, K>, Fault> {
    let early = workers.div_ceil(2);
    // With so few blocks on their way there is always room in the channel of some worker.
    let window = early * BLOCKS;
    let (mut credits_tx, credits) = system.chan::<K, ()>(window)?;
    for _ in 0..window {
        credits_tx.send(())?;
    }
    let (files_tx, files) = system.chanchan(FILES)?;
    let (to_reader, reader_joiners) = system.chanchan(workers)?;
    let (to_aggregator, aggregator_joiners) = system.chanchan(2 * workers)?;
    let (progress_tx, progress) = system.chan::<K, u64>(4)?;
    let (totals_tx, totals) = system.chan::<K, Totals>(1)?;
    let (top_tx, top) = system.chan::<K, Entry>(TOP)?;

    let reads = system.component(const { Name::new("reader") }, reader::<B, K>)?;
    reads.endow(Reader::<K>::FILES, files)?;
    reads.endow(Reader::<K>::BYTES, bytes)?;
    reads.endow(Reader::<K>::CREDITS, credits)?;
    reads.endow(Reader::<K>::JOINERS, reader_joiners)?;
    reads.endow(Reader::<K>::JOINING, workers - early)?;

    let sums = system.component(const { Name::new("aggregator") }, aggregator::<B, K>)?;
    sums.endow(Aggregator::<K>::JOINERS, aggregator_joiners)?;
    sums.endow(Aggregator::<K>::WORKERS, workers)?;
    sums.endow(Aggregator::<K>::WINDOW, window)?;
    sums.endow(Aggregator::<K>::CREDITS, credits_tx)?;
    sums.endow(Aggregator::<K>::PROGRESS, progress_tx)?;
    sums.endow(Aggregator::<K>::TOTALS, totals_tx)?;
    sums.endow(Aggregator::<K>::TOP, top_tx)?;

    let mut counts = Vec::new();
    for index in 0..early {
        let worker = system.component(Name::numbered("worker", index)?, worker::<B, K>)?;
        let Wires { blocks, summaries, words } = Wires::<B, K>::new(system)?;
        reads.endow(Reader::<K>::worker(index)?, blocks.0)?;
        worker.endow(Worker::<K>::BLOCKS, blocks.1)?;
        worker.endow(Worker::<K>::SUMMARIES, summaries.0)?;
        sums.endow(Aggregator::<K>::summaries(index)?, summaries.1)?;
        worker.endow(Worker::<K>::WORDS, words.0)?;
        sums.endow(Aggregator::<K>::words(index)?, words.1)?;
        counts.push(worker);
    }

    let mut stages = Stages::new(system, workers, &files_tx, &progress)?;
    for component in [reads].into_iter().chain(counts).chain([sums]) {
        stages.start(system, component, false)?;
    }
    let joiners = Joiners { workers: early..workers, reader: to_reader, aggregator: to_aggregator };
    Ok(Pipeline { stages, files: Some(files_tx), joiners: Some(joiners), progress, totals, top })
}

impl<B: Backend, K: Kind<B>> Stages<B, K> {
    fn new(
        system: &B,
        workers: u32,
        files: &B::CapSnd,
        progress: &K::Rcv<u64>,
    ) -> Result<Self, Fault> {
        // The workers, reader and aggregator, and the two here.
        let group = system.evtgrp(workers + 4)?;
        let registrations = vec![
            group.add(files, Trigger::Edge, HAS_ROOM)?,
            group.add(progress, Trigger::Edge, PROGRESS)?,
        ];
        Ok(Self { group, registrations, running: Vec::new() })
    }

    fn start(&mut self, system: &B, component: Comp<B>, late: bool) -> Result<(), Fault> {
        let (figures_tx, figures) = system.chan::<K, Figures>(1)?;
        component.endow(Figures::slot::<K>(), figures_tx)?;
        let index = self.running.len() as u64;
        self.registrations.push(self.group.add(&component, Trigger::Edge, index)?);
        component.start()?;
        self.running.push(Running { component, late, figures });
        Ok(())
    }
}

impl<B: Backend> Joiners<B> {
    /// Lets the missing workers join. They get their ends over a channel, and so do those who deal
    /// with them, who are at work already.
    pub(crate) fn join<K: Kind<B>>(
        mut self,
        system: &B,
        stages: &mut Stages<B, K>,
    ) -> Result<(), Fault> {
        for index in self.workers {
            let worker = system.component(Name::numbered("worker", index)?, worker::<B, K>)?;
            let (mut ends, ends_rx) = system.chanchan(3)?;
            worker.endow(Worker::<K>::ENDS, ends_rx)?;
            stages.start(system, worker, true)?;
            let Wires { blocks, summaries, words } = Wires::<B, K>::new(system)?;
            hand_over::<B>(&mut ends, blocks.1)?;
            hand_over::<B>(&mut ends, summaries.0)?;
            hand_over::<B>(&mut ends, words.0)?;
            hand_over::<B>(&mut self.aggregator, summaries.1)?;
            hand_over::<B>(&mut self.aggregator, words.1)?;
            hand_over::<B>(&mut self.reader, blocks.0)?;
        }
        Ok(())
    }
}

/// Sends an end, unless nobody is there any more who could want it: then it closes.
fn hand_over<B: Backend>(to: &mut B::CapSnd, end: impl IntoCap<B::Cap>) -> Result<(), Fault> {
    match to.send(end.into_cap()) {
        Ok(()) | Err(SendError::Gone(..)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
