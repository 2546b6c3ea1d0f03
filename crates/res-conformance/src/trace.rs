//! A channel and its reference model, driven by a list of operations. Runs without an allocator:
//! what once failed, and what lies at a boundary, is kept as a table and replayed everywhere.

use res_api::{
    AnyCap, Backend, Deadline, FromCap, Gone, Receiver, RecvError, SendError, Sender, TryRecvError,
    TrySendError,
};

use crate::channel::{Rcv, Snd};
use crate::stage::{Stage, chan, stage};
use crate::{Failure, Harness};

/// An operation on a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    TrySend,
    Send,
    TryRecv,
    Recv,
    Drain,
    /// The end becomes a capability and an end again.
    MoveTx,
    MoveRx,
    /// The end travels over a channel of capabilities.
    CarryTx,
    CarryRx,
    DropTx,
    DropRx,
}

/// A channel of numbers that count up, and what is known of it: so the model is two counters.
struct Machine<H: Harness> {
    s: Stage<H::Backend>,
    tx: Option<Snd<H, u64>>,
    rx: Option<Rcv<H, u64>>,
    capacity: u32,
    sent: u64,
    received: u64,
}

const CLOSED: Gone = Gone::Closed;

impl<H: Harness> Machine<H> {
    fn queued(&self) -> u64 {
        self.sent - self.received
    }

    fn is_full(&self) -> bool {
        self.queued() == u64::from(self.capacity)
    }

    /// Passed where the operation would wait; so no replay ever waits.
    fn deadline(&self, would_wait: bool) -> Deadline {
        if would_wait { Deadline::PASSED } else { self.s.soon() }
    }

    fn try_send(&mut self) -> Result<(), Failure> {
        let (full, open, next) = (self.is_full(), self.rx.is_some(), self.sent);
        let Some(tx) = &mut self.tx else { return Ok(()) };
        match tx.try_send(next) {
            Ok(()) if open && !full => self.sent += 1,
            Err(TrySendError::Full(back)) if open && full && back == next => {}
            Err(TrySendError::Gone(back, CLOSED)) if !open && back == next => {}
            other => check!(false, "try_send({next}): {other:?}, full {full}, open {open}"),
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), Failure> {
        let (full, open, next) = (self.is_full(), self.rx.is_some(), self.sent);
        let by = self.deadline(full && open);
        let Some(tx) = &mut self.tx else { return Ok(()) };
        match tx.send_until(next, by) {
            Ok(()) if open && !full => self.sent += 1,
            Err(SendError::TimedOut(back)) if open && full && back == next => {}
            Err(SendError::Gone(back, CLOSED)) if !open && back == next => {}
            other => check!(false, "send({next}): {other:?}, full {full}, open {open}"),
        }
        Ok(())
    }

    fn try_recv(&mut self) -> Result<(), Failure> {
        let (there, open, next) = (self.queued() != 0, self.tx.is_some(), self.received);
        let Some(rx) = &mut self.rx else { return Ok(()) };
        match rx.try_recv() {
            Ok(found) if there && found == next => self.received += 1,
            Err(TryRecvError::Empty) if !there && open => {}
            Err(TryRecvError::Gone(CLOSED)) if !there && !open => {}
            other => check!(false, "try_recv: {other:?}, next {next}, there {there}, open {open}"),
        }
        Ok(())
    }

    fn recv(&mut self) -> Result<(), Failure> {
        let (there, open, next) = (self.queued() != 0, self.tx.is_some(), self.received);
        let by = self.deadline(!there && open);
        let Some(rx) = &mut self.rx else { return Ok(()) };
        match rx.recv_until(by) {
            Ok(found) if there && found == next => self.received += 1,
            Err(RecvError::TimedOut) if !there && open => {}
            Err(RecvError::Gone(CLOSED)) if !there && !open => {}
            other => check!(false, "recv: {other:?}, next {next}, there {there}, open {open}"),
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), Failure> {
        let (expected, mut next) = (self.sent, self.received);
        let end = (self.tx.is_none()).then_some(CLOSED);
        let Some(rx) = &mut self.rx else { return Ok(()) };
        let mut wrong = None;
        let found = rx.drain(|n| {
            if n != next {
                wrong.get_or_insert((n, next));
            }
            next += 1;
        });
        check_eq!((wrong, next, found), (None, expected, end), "drain");
        self.received = next;
        Ok(())
    }

    fn carry<E: FromCap<<H::Backend as Backend>::Cap>>(&self, end: E) -> Result<E, Failure> {
        let (mut there, mut here) = self.s.chanchan(1)?;
        there.try_send(end.into_cap())?;
        Ok(here.try_recv()?.cast()?)
    }

    fn step(&mut self, op: Op) -> Result<(), Failure> {
        match op {
            Op::TrySend => self.try_send()?,
            Op::Send => self.send()?,
            Op::TryRecv => self.try_recv()?,
            Op::Recv => self.recv()?,
            Op::Drain => self.drain()?,
            Op::MoveTx => self.tx = move_end(self.tx.take())?,
            Op::MoveRx => self.rx = move_end(self.rx.take())?,
            Op::CarryTx => self.tx = self.tx.take().map(|tx| self.carry(tx)).transpose()?,
            Op::CarryRx => self.rx = self.rx.take().map(|rx| self.carry(rx)).transpose()?,
            Op::DropTx => self.tx = None,
            Op::DropRx => self.rx = None,
        }
        self.invariants()
    }

    fn invariants(&self) -> Result<(), Failure> {
        let gone = |open: bool| (!open).then_some(CLOSED);
        if let Some(tx) = &self.tx {
            check_eq!(tx.capacity(), self.capacity, "the sender's capacity");
            check_eq!(tx.gone(), gone(self.rx.is_some()), "what the sender knows");
        }
        if let Some(rx) = &self.rx {
            check_eq!(rx.capacity(), self.capacity, "the receiver's capacity");
            check_eq!(rx.gone(), gone(self.tx.is_some()), "what the receiver knows");
            check_eq!(u64::from(rx.len()), self.queued(), "what the receiver sees queued");
        }
        if let (Some(tx), Some(_)) = (&self.tx, &self.rx) {
            check_eq!(u64::from(tx.len()), self.queued(), "what the sender sees queued");
        }
        Ok(())
    }
}

fn move_end<C: AnyCap, E: FromCap<C>>(end: Option<E>) -> Result<Option<E>, Failure> {
    Ok(end.map(|end| end.into_cap().cast()).transpose()?)
}

/// Does all of that to a channel of that capacity, and looks at it after each step.
pub(crate) fn replay<H: Harness>(h: &H, capacity: u32, ops: &[Op]) -> Result<(), Failure> {
    let s = stage(h);
    let (tx, rx) = chan::<H, u64>(h, &s, capacity)?;
    let mut machine =
        Machine::<H> { s, tx: Some(tx), rx: Some(rx), capacity, sent: 0, received: 0 };
    machine.invariants()?;
    ops.iter().try_for_each(|op| machine.step(*op))
}

/// Boundaries: full and one more, empty and one more, each end dropped with messages queued, each
/// end moved when full, when empty, before and after the other's close.
const TRACES: [&[Op]; 8] = {
    use Op::*;
    [
        &[TrySend, TrySend, TrySend, Send, TryRecv, TrySend, Drain, TryRecv, Recv],
        &[TrySend, TrySend, DropTx, MoveRx, Recv, TryRecv, TryRecv, Recv, Drain],
        &[TrySend, TrySend, DropRx, TrySend, Send, MoveTx, TrySend, DropTx],
        &[Send, Send, CarryRx, MoveTx, Recv, Send, CarryTx, Recv, Recv, Recv],
        &[DropTx, CarryRx, TryRecv, Recv, Drain, DropRx],
        &[DropRx, CarryTx, TrySend, Send, DropTx],
        &[Send, Send, Recv, Recv, Send, Send, MoveTx, MoveRx, Send, Drain, DropRx, Send],
        &[Send, CarryTx, Send, CarryRx, DropTx, CarryRx, Drain, Drain],
    ]
};

/// R13: traces of operations at the boundaries do what the reference model does.
pub fn r13_boundary_traces_do_what_the_model_does<H: Harness>(h: &H) -> Result<(), Failure> {
    for capacity in [1, 2, 3] {
        TRACES.iter().try_for_each(|ops| replay(h, capacity, ops))?;
    }
    Ok(())
}
