//! The composing program, second half: opens files for the reader, lets workers join, and sees to
//! the end of all.

use std::fs;
use std::time::Duration;

use res::{
    Backend, Deadline, ErrorKind, EvtGrp, Exit, Fault, Files, IntoCap, Kind, Name, Receiver,
    Sender, Source,
};

use super::compose::{HAS_ROOM, PROGRESS, Pipeline, Stages, compose};
use super::ends::next;
use super::files::{Input, Unreadable};
use super::messages::{Entry, Figures, Totals};

/// How a backend makes one of its files of an open one.
pub(crate) type Open<B> = fn(&B, fs::File) -> Result<<B as Files>::File, <B as Backend>::Error>;

/// What the pipeline found, and how it went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) totals: Totals,
    pub(crate) top: Vec<Entry>,
    pub(crate) stages: Vec<Stage>,
    /// Files that could not be opened: the others are counted.
    pub(crate) unreadable: Vec<Unreadable>,
    pub(crate) elapsed: Duration,
}

/// How one component did.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) name: Name,
    /// Whether it joined while the pipeline ran.
    pub(crate) late: bool,
    pub(crate) figures: Figures,
}

/// Counts `inputs` with that many workers, over channels of kind `K`, on any backend with files.
/// `watch` is told now and again how many bytes have been counted.
pub(crate) fn run<B: Files, K: Kind<B>>(
    system: &B,
    open: Open<B>,
    inputs: &[Input],
    workers: u32,
    watch: &mut dyn FnMut(u64),
) -> Result<Outcome, Fault> {
    let start = system.now();
    let bytes = inputs.iter().map(|input| input.bytes).sum();
    let mut pipeline = compose::<B, K>(system, bytes, workers)?;
    let mut inputs = inputs.iter();
    let mut unreadable = Vec::new();
    while pipeline.stages.running.iter().any(|stage| !stage.component.ready()) {
        match pipeline.stages.group.wait(Deadline::NEVER)?.data {
            HAS_ROOM => {
                unreadable.extend(pipeline.feed(system, open, &mut inputs)?);
            }
            PROGRESS => {
                pipeline.progress.drain(&mut *watch);
                if let Some(joiners) = pipeline.joiners.take() {
                    joiners.join(system, &mut pipeline.stages)?;
                }
            }
            _ => {
                // The first that ends is the reader, or one that failed: there is nothing left to
                // join, and nobody to feed.
                pipeline.joiners = None;
                pipeline.files = None;
            }
        }
    }
    pipeline.stages.check()?;
    let elapsed = system.now() - start;
    pipeline.outcome(unreadable, elapsed)
}

impl<B: Files, K: Kind<B>> Pipeline<B, K> {
    /// Opens files as long as there is room for them, and hands them to the reader; which could not
    /// be opened.
    fn feed<'a>(
        &mut self,
        system: &B,
        open: Open<B>,
        inputs: &mut impl Iterator<Item = &'a Input>,
    ) -> Result<Vec<Unreadable>, Fault> {
        let mut unreadable = Vec::new();
        while let Some(files) = &mut self.files
            && files.len() < files.capacity()
        {
            let Some(input) = inputs.next() else {
                self.files = None;
                break;
            };
            let file = match fs::File::open(&input.path) {
                Ok(file) => file,
                Err(why) => {
                    unreadable.push(Unreadable { path: input.path.clone(), why });
                    continue;
                }
            };
            let file = open(system, file)?.into_cap();
            if files.send(file).is_err() {
                // Why the reader is gone will be seen at its end.
                self.files = None;
            }
        }
        Ok(unreadable)
    }

    fn outcome(mut self, unreadable: Vec<Unreadable>, elapsed: Duration) -> Result<Outcome, Fault> {
        let totals = self.totals.recv()?;
        let mut top = Vec::new();
        while let Some(entry) = next(&mut self.top)? {
            top.push(entry);
        }
        let mut stages = Vec::new();
        for stage in &mut self.stages.running {
            let (name, late) = (stage.component.name(), stage.late);
            stages.push(Stage { name, late, figures: stage.figures.recv()? });
        }
        // In the order in which text goes through them.
        stages.sort_by_key(|stage| stage.name.as_str() == "aggregator");
        Ok(Outcome { totals, top, stages, unreadable, elapsed })
    }
}

impl<B: Backend, K: Kind<B>> Stages<B, K> {
    /// Whether all have ended well; if not, why. One that only saw another go is not the cause.
    fn check(&self) -> Result<(), Fault> {
        let mut failed = Vec::new();
        for stage in &self.running {
            let exit = stage.component.wait(Deadline::PASSED)?;
            if let Err(fault) = exit.ok() {
                let cause = exit == Exit::Died
                    || !matches!(fault.kind(), ErrorKind::Closed | ErrorKind::PeerGone);
                failed.push((!cause, stage.component.name(), fault));
            }
        }
        match failed.iter().min_by_key(|(consequence, ..)| *consequence) {
            None => Ok(()),
            Some((_, name, fault)) => {
                Err(Fault::new(fault.kind(), format_args!("{name}: {fault}")))
            }
        }
    }
}
