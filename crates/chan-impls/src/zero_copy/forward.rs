//! A stage that passes messages on without copying.

use core::fmt;

use res_api::{
    AnyCap, Backend, Deadline, ErrorKind, EvtGrp, Gone, IntoCap, Message, Receiver, RecvError,
    Refused, Sender, Trigger, TryRecvError, TrySendError, WaitError,
};

use super::loan::Loan;
use super::record::Place;
use super::{NumberRcv, NumberSnd, ZeroCopyAttr, ZeroCopyRcv, attach_own, create_rcv};
use crate::Spsc;

type Registration<B> = <<B as Backend>::EvtGrp as EvtGrp<<B as Backend>::Blockpoint>>::Registration;

/// A receiver that can also pass on what it received, slot and all, to a receiver of its own.
///
/// Slots that come back from there go back to the sender here. If the receiver there goes, so do
/// the slots that it had.
///
/// # Example
///
/// ```
/// use chan_impls::ZeroCopy;
/// use res_api::{Backend, Deadline, Fault, Receiver, Sender};
///
/// fn three_stages<B: Backend>(b: &B) -> Result<u64, Fault> {
///     let (mut tx, rx) = b.chan::<ZeroCopy, u64>(2)?;
///     let (mut stage, mut last) = rx.into_forwarder(b)?;
///     tx.send(42)?;
///     let message = stage.recv_loan_until(Deadline::NEVER)?;
///     stage.forward(message)?;
///     Ok(last.recv()?)
/// }
/// # assert_eq!(three_stages(&backend_local::Local::new()?)?, 42);
/// # Ok::<(), Fault>(())
/// ```
pub struct Forwarder<B: Backend, T> {
    links: Links<B>,
    upstream: ZeroCopyRcv<B, T>,
}

/// What leads to the receiver there.
struct Links<B: Backend> {
    onward: NumberSnd<B>,
    back: NumberRcv<B>,
    /// Waits for messages from above and slots from below at once.
    group: B::EvtGrp,
    _registered: [Registration<B>; 2],
}

impl<B: Backend, T> fmt::Debug for Forwarder<B, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forwarder")
    }
}

impl<B: Backend, T: Message> Forwarder<B, T> {
    pub(super) fn new(
        b: &B,
        upstream: ZeroCopyRcv<B, T>,
    ) -> Result<(Self, ZeroCopyRcv<B, T>), Refused<ZeroCopyRcv<B, T>, B::Error>> {
        match Self::below(b, &upstream) {
            Ok((links, below)) => Ok((Self { links, upstream }, below)),
            Err(error) => Err(Refused { value: upstream, error }),
        }
    }

    /// Two rings, a group, and the receiver there.
    fn below(
        b: &B,
        upstream: &ZeroCopyRcv<B, T>,
    ) -> Result<(Links<B>, ZeroCopyRcv<B, T>), B::Error> {
        let attr = ZeroCopyAttr::default();
        let capacity = upstream.record.capacity();
        let (onward, onward_far) = b.chan_with::<Spsc, u32>(capacity, &attr.of_rings())?;
        let (back_far, back) = b.chan_with::<Spsc, u32>(capacity, &attr.of_rings())?;
        let group = b.evtgrp(2)?;
        let _registered =
            [group.add(&upstream.sent, Trigger::Edge, 0)?, group.add(&back, Trigger::Edge, 1)?];
        // SAFETY: a capability of this kind.
        let pool = unsafe { upstream.cap.mem(0) }.ok_or(ErrorKind::Invalid)?;
        let far = (onward_far.into_cap(), back_far.into_cap());
        let below = attach_own(create_rcv::<B, T>(b, &pool, capacity, &attr, far)?)?;
        Ok((Links { onward, back, group, _registered }, below))
    }

    /// The next message where it lies, waiting for one until the deadline; meanwhile slots that
    /// come back go on to the sender.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_until`].
    pub fn recv_loan_until(&mut self, deadline: Deadline) -> Result<Loan<B, T>, RecvError> {
        loop {
            self.collect();
            match self.upstream.try_recv_loan() {
                Ok(loan) => return Ok(loan),
                Err(TryRecvError::Empty) => {}
                Err(why) => return Err(why.into()),
            }
            match self.links.group.wait(deadline) {
                Ok(_) => {}
                Err(WaitError::TimedOut) => return Err(RecvError::TimedOut),
                Err(WaitError::Gone(gone)) => return Err(RecvError::Gone(gone)),
            }
        }
    }

    /// Passes a message on.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Gone`] if the receiver there is gone, [`TrySendError::Refused`] for a loan
    /// of another channel; the loan comes back.
    pub fn forward(&mut self, loan: Loan<B, T>) -> Result<(), TrySendError<Loan<B, T>>> {
        self.collect();
        if !loan.is_of(&self.upstream.record) {
            return Err(TrySendError::Refused(loan, ErrorKind::Invalid));
        }
        let slot = loan.keep(&mut self.upstream.spare);
        self.upstream.record.set(slot, Place::Passed);
        match self.links.onward.try_send(slot) {
            Ok(()) => Ok(()),
            Err(error) => {
                let gone = match error {
                    TrySendError::Gone(_, gone) => gone,
                    _ => Gone::Misbehaved,
                };
                Err(TrySendError::Gone(self.upstream.lend(slot), gone))
            }
        }
    }

    /// Gives a slot back to the sender instead of passing it on.
    ///
    /// # Errors
    ///
    /// The loan, if it is of another channel.
    pub fn release(&mut self, loan: Loan<B, T>) -> Result<(), Loan<B, T>> {
        self.upstream.release(loan)
    }

    /// Why the receiver there is gone, if it is.
    pub fn gone(&self) -> Option<Gone> {
        self.links.back.gone()
    }

    /// Gives slots that came back to the sender, and all that were there if the receiver there is
    /// gone. A number that was not there is ignored.
    pub fn collect(&mut self) {
        loop {
            match self.links.back.try_recv() {
                Ok(slot) if self.upstream.record.place(slot) == Some(Place::Passed) => {
                    self.upstream.give_back(slot);
                }
                Ok(_) => {}
                // A number needs no memory.
                Err(TryRecvError::Empty | TryRecvError::NoMemory | TryRecvError::NoSlots) => return,
                Err(TryRecvError::Gone(_)) => break,
            }
        }
        for slot in 0..self.upstream.record.capacity() {
            if self.upstream.record.place(slot) == Some(Place::Passed) {
                self.upstream.give_back(slot);
            }
        }
    }
}
