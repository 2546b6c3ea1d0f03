//! The reader: makes blocks of files and deals them out to the workers.

use std::marker::PhantomData;

use res::{
    AnyCap, Backend, CapRx, Deadline, Env, ErrorKind, Fault, File, Files, Gone, Kind, Name,
    Receiver, RecvError, Rx, Sender, Slot, Tx, Value,
};

use super::ends::next;
use super::messages::{BLOCK, Block, Figures, Flow, nanos};

/// What the reader is endowed with, over channels of kind `K`.
#[derive(Debug)]
pub(crate) struct Reader<K>(PhantomData<K>);

impl<K> Reader<K> {
    /// The files, opened by somebody who may.
    pub(crate) const FILES: Slot<CapRx> = Slot::new("files");
    /// About how many bytes they have.
    pub(crate) const BYTES: Slot<Value<u64>> = Slot::new("bytes");
    /// Leave to send a block each; the aggregator gives it back.
    pub(crate) const CREDITS: Slot<Rx<K, ()>> = Slot::new("credits");
    /// The way to workers that join later.
    pub(crate) const JOINERS: Slot<CapRx> = Slot::new("joiners");
    /// How many of these there will be.
    pub(crate) const JOINING: Slot<Value<u32>> = Slot::new("joining");

    /// The way to the `index`-th of the workers that are there from the beginning.
    pub(crate) fn worker(index: u32) -> Result<Slot<Tx<K, Block>>, ErrorKind> {
        Ok(Slot::named(Name::numbered("worker", index)?))
    }
}

pub(crate) fn reader<B: Files, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let start = env.now();
    let mut files = env.take(Reader::<K>::FILES)?;
    let mut figures = env.take(Figures::slot::<K>())?;
    let half = env.take(Reader::<K>::BYTES)? / 2;
    let mut dealer = Dealer::<B, K>::new(&env)?;
    let mut block = Block::EMPTY;
    let mut bytes = 0;
    while let Some(file) = next(&mut files)? {
        let file: B::File = file.cast()?;
        let mut at = 0;
        loop {
            let len = fill(&file, at, &mut block.bytes)
                .map_err(|kind| Fault::new(kind, format_args!("file {}: {kind}", block.file)))?;
            if len == 0 {
                break;
            }
            block.len = len as u32;
            // Whoever joins late takes part in the second half at least.
            dealer.welcome(block.number > 0 && bytes >= half)?;
            dealer.deal(&block)?;
            block.number += 1;
            at += len as u64;
            bytes += len as u64;
            if len < BLOCK {
                break;
            }
        }
        block.file += 1;
    }
    let input = Flow::default().through(files.stats());
    let nanos = nanos(env.now() - start);
    Ok(figures.send(Figures { input, output: dealer.flow(), bytes, nanos })?)
}

/// Reads until `bytes` are full or the file is at its end.
fn fill(file: &impl File, at: u64, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
    let mut len = 0;
    while len < bytes.len() {
        match file.read_at(at + len as u64, &mut bytes[len..])? {
            0 => break,
            more => len += more,
        }
    }
    Ok(len)
}

/// Gives each block to the worker that has least to do.
struct Dealer<B: Backend, K: Kind<B>> {
    workers: Vec<K::Snd<Block>>,
    credits: K::Rcv<()>,
    joiners: B::CapRcv,
    joining: u32,
}

impl<B: Backend, K: Kind<B>> Dealer<B, K> {
    fn new(env: &Env<B>) -> Result<Self, Fault> {
        let mut workers = Vec::new();
        let mut slot = Reader::<K>::worker(0)?;
        while env.has(slot) {
            workers.push(env.take(slot)?);
            slot = Reader::worker(workers.len() as u32)?;
        }
        let (credits, joiners) = (env.take(Reader::<K>::CREDITS)?, env.take(Reader::<K>::JOINERS)?);
        Ok(Self { workers, credits, joiners, joining: env.take(Reader::<K>::JOINING)? })
    }

    /// Takes in who has joined; waits for all who will.
    fn welcome(&mut self, wait: bool) -> Result<(), Fault> {
        let deadline = if wait { Deadline::NEVER } else { Deadline::PASSED };
        while self.joining > 0 {
            match self.joiners.recv_until(deadline) {
                Ok(end) => {
                    self.workers.push(end.cast()?);
                    self.joining -= 1;
                }
                Err(RecvError::TimedOut) => break,
                Err(RecvError::Gone(Gone::Closed)) => self.joining = 0,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn deal(&mut self, block: &Block) -> Result<(), Fault> {
        self.credits.recv()?;
        let idle = self.workers.iter_mut().min_by_key(|to| (to.len(), to.stats().messages));
        let idle = idle.ok_or_else(|| Fault::new(ErrorKind::NotFound, "no worker"))?;
        Ok(idle.send(*block)?)
    }

    fn flow(&self) -> Flow {
        let flow = self.workers.iter().fold(Flow::default(), |flow, to| flow.through(to.stats()));
        let waits = self.credits.stats();
        flow.waited(waits.blocked, waits.blocked_for)
    }
}
