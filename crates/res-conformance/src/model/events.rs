//! An event group, and for each source whether it *must* be reported and whether it *may* be.
//!
//! The contract leaves room: a source that was triggered and then emptied may still be reported,
//! a source that became ready must be.

use core::array::from_fn;

use proptest::prelude::*;
use res_api::{
    Backend, Deadline, ErrorKind, EvtGrp, Gone, Receiver, Sender, Trigger, TryRecvError, WaitError,
    kind_of,
};

use crate::channel::{Rcv, Snd};
use crate::stage::{chan, stage};
use crate::{Failure, Harness};

const SOURCES: usize = 3;
const CAPACITY: u32 = 2;

#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Add(usize, bool),
    Remove(usize),
    Send(usize),
    Recv(usize),
    Drain(usize),
    DropTx(usize),
    Poll,
    Close,
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let source = || 0..SOURCES;
    prop_oneof![
        6 => (source(), any::<bool>()).prop_map(|(at, level)| Op::Add(at, level)),
        2 => source().prop_map(Op::Remove),
        8 => source().prop_map(Op::Send),
        5 => source().prop_map(Op::Recv),
        3 => source().prop_map(Op::Drain),
        1 => source().prop_map(Op::DropTx),
        10 => Just(Op::Poll),
        1 => prop_oneof![9 => Just(Op::Poll), 1 => Just(Op::Close)],
    ]
}

type Group<H> = <<H as Harness>::Backend as Backend>::EvtGrp;
type Point<H> = <<H as Harness>::Backend as Backend>::Blockpoint;

struct Source<H: Harness> {
    tx: Option<Snd<H, u64>>,
    rx: Rcv<H, u64>,
    registered: Option<<Group<H> as EvtGrp<Point<H>>>::Registration>,
    level: bool,
    queued: u32,
    must: bool,
    may: bool,
}

impl<H: Harness> Source<H> {
    fn ready(&self) -> bool {
        self.queued != 0 || self.tx.is_none()
    }

    /// It is about to change.
    fn triggered(&mut self, was_ready: bool) {
        if self.registered.is_some() {
            self.may = true;
            self.must |= self.level || !was_ready;
        }
    }

    fn send(&mut self) -> Result<(), Failure> {
        let was_ready = self.ready();
        let full = self.queued == self.rx.capacity();
        let Some(tx) = &mut self.tx else { return Ok(()) };
        check_eq!(tx.try_send(7).is_ok(), !full, "sending, full {full}");
        if !full {
            self.queued += 1;
            self.triggered(was_ready);
        }
        Ok(())
    }

    fn recv(&mut self) -> Result<(), Failure> {
        match self.rx.try_recv() {
            Ok(_) if self.queued > 0 => self.queued -= 1,
            Err(TryRecvError::Empty) if !self.ready() => self.may &= !self.level,
            Err(TryRecvError::Gone(Gone::Closed)) if self.queued == 0 && self.tx.is_none() => {}
            other => check!(false, "receiving: {other:?}, {} queued", self.queued),
        }
        self.must &= self.ready();
        Ok(())
    }

    fn drop_tx(&mut self) {
        if self.tx.is_some() {
            let was_ready = self.ready();
            self.tx = None;
            self.triggered(was_ready);
        }
    }
}

struct Machine<H: Harness> {
    group: Group<H>,
    sources: [Source<H>; SOURCES],
    closed: bool,
}

impl<H: Harness> Machine<H> {
    fn add(&mut self, at: usize, level: bool) -> Result<(), Failure> {
        let used = self.sources.iter().filter(|source| source.registered.is_some()).count();
        let source = &mut self.sources[at];
        let trigger = if level { Trigger::Level } else { Trigger::Edge };
        let added = self.group.add(&source.rx, trigger, at as u64);
        let (full, twice) = (used == CAPACITY as usize, source.registered.is_some());
        match added.map_err(|error| kind_of(&error)) {
            Ok(registration) if !full && !twice && !self.closed => {
                source.registered = Some(registration);
                source.level = level;
                source.must = source.ready();
                source.may = source.must;
            }
            Err(ErrorKind::NoSlots) if full && !self.closed => {}
            Err(ErrorKind::Exists) if twice && !self.closed => {}
            Err(ErrorKind::Closed) if self.closed => {}
            other => check!(false, "adding: {:?}, full {full}, twice {twice}", other.err()),
        }
        Ok(())
    }

    /// Waits without waiting; which source was reported.
    fn poll(&mut self) -> Result<Option<usize>, Failure> {
        match self.group.wait(Deadline::PASSED) {
            Ok(event) if !self.closed => {
                let at = event.data as usize;
                let Some(source) = self.sources.get_mut(at).filter(|source| source.may) else {
                    check!(false, "reported without reason: {event:?}");
                    return Ok(None);
                };
                source.must &= source.level;
                source.may = source.level;
                Ok(Some(at))
            }
            Err(WaitError::TimedOut) if !self.closed => {
                let missing = self.sources.iter().position(|source| source.must);
                check_eq!(missing, None, "a source that was not reported");
                Ok(None)
            }
            Err(WaitError::Gone(Gone::Closed)) if self.closed => Ok(None),
            other => {
                check!(false, "waiting: {other:?}, closed {}", self.closed);
                Ok(None)
            }
        }
    }

    fn step(&mut self, op: Op) -> Result<(), Failure> {
        match op {
            Op::Add(at, level) => return self.add(at, level),
            Op::Remove(at) => {
                let source = &mut self.sources[at];
                (source.registered, source.must, source.may) = (None, false, false);
            }
            Op::Send(at) => return self.sources[at].send(),
            Op::Recv(at) => return self.sources[at].recv(),
            Op::Drain(at) => {
                for _ in 0..=self.sources[at].queued {
                    self.sources[at].recv()?;
                }
            }
            Op::DropTx(at) => self.sources[at].drop_tx(),
            Op::Poll => drop(self.poll()?),
            Op::Close => {
                self.group.close();
                self.closed = true;
            }
        }
        Ok(())
    }

    /// Everything that must be reported is, within a few waits.
    fn settle(&mut self) -> Result<(), Failure> {
        let due: [bool; SOURCES] = from_fn(|at| self.sources[at].must);
        let mut seen = [false; SOURCES];
        for _ in 0..2 * SOURCES {
            if let Some(at) = self.poll()? {
                seen[at] = true;
            }
        }
        let starved = (0..SOURCES).find(|at| due[*at] && !seen[*at]);
        check!(self.closed || starved.is_none(), "source {starved:?} is never reported");
        Ok(())
    }
}

pub(super) fn replay<H: Harness>(h: &H, ops: &[Op]) -> Result<(), Failure> {
    let s = stage(h);
    let source = |_| -> Result<Source<H>, Failure> {
        let (tx, rx) = chan::<H, u64>(h, &s, 3)?;
        let (registered, tx) = (None, Some(tx));
        Ok(Source { tx, rx, registered, level: false, queued: 0, must: false, may: false })
    };
    let sources = [source(0)?, source(1)?, source(2)?];
    let mut machine = Machine::<H> { group: s.evtgrp(CAPACITY)?, sources, closed: false };
    ops.iter().try_for_each(|op| machine.step(*op))?;
    machine.settle()
}
