//! [`ZeroCopy`]: messages stay where they were written; only slot numbers travel.
//!
//! A pool of `capacity` slots in shared memory, and two [`Spsc`] rings of slot numbers: `sent`
//! carries the full ones to the receiver, `returned` carries the free ones back. The sender's only
//! condition for sending is a free slot.
//!
//! Slots can be borrowed as owned *loans*, several at a time, given back in any order, dropped in
//! any thread: [`ZeroCopySnd::loan`], [`ZeroCopyRcv::recv_loan`]. A receiver that passes messages
//! on without copying becomes a [`Forwarder`].
//!
//! Each end keeps a private record of what is where, and believes no number that comes from
//! the other: one that is out of range, or not on that side, is
//! [`Misbehaved`](res_api::Gone::Misbehaved).

mod forward;
mod loan;
mod record;

use core::fmt;
use core::marker::PhantomData;

use res_api::{
    AnyCap, Backend, Barrier, CastError, CastReason, ChanAttr, Deadline, Desc, EndsIn, ErrorKind,
    FromCap, Gone, IntoCap, Kind, KindId, Mem, Message, Notify, Part, Receiver, RecvError, Refused,
    Rights, Role, SendError, Sender, SharedMem, Source, SourceKind, Stats, Trust, TryRecvError,
    TrySendError, WaitError,
};

use crate::Spsc;
use crate::slot;

pub use forward::Forwarder;
pub use loan::{Loan, LoanMut};
use loan::{Pool, Spare};
use record::{Place, Record};

/// The kind: a pool of slots, and slot numbers in two rings.
///
/// Copying into and out of the slot, as `send` and `recv` do, needs no trust. A receiver that
/// looks at a loan relies on the sender not to write after it has sent.
///
/// # Example
///
/// ```
/// use chan_impls::ZeroCopy;
/// use res_api::{Backend, Fault, Receiver, Sender};
///
/// fn page<B: Backend>(b: &B) -> Result<usize, Fault> {
///     let (mut tx, mut rx) = b.chan::<ZeroCopy, [u8; 4096]>(8)?;
///     let mut draft = tx.loan()?;
///     draft.copy_in(0, b"hello")?;
///     tx.send_loan(draft)?;
///     let page = rx.recv_loan()?;
///     let mut text = [0; 5];
///     page.copy_out(0, &mut text)?;
///     Ok(text.len())
/// }
/// # assert_eq!(page(&backend_local::Local::new()?)?, 5);
/// # Ok::<(), Fault>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ZeroCopy;

const ID: KindId = KindId::new(*b"zero", 2);

/// How many numbers of free slots the sender takes behind the one that it needs.
const AT_ONCE: usize = 16;

/// What can be chosen for a [`ZeroCopy`] channel.
///
/// ```
/// use chan_impls::zero_copy::ZeroCopyAttr;
///
/// assert_eq!(ZeroCopyAttr::default().barrier, None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZeroCopyAttr {
    /// When an end notifies the other.
    pub notify: Notify,
    /// Who pays for the order between trigger and sleeper; `None`: what the backend agreed on.
    pub barrier: Option<Barrier>,
}

impl ZeroCopyAttr {
    fn of_rings(&self) -> ChanAttr {
        ChanAttr { notify: self.notify, barrier: self.barrier, ..ChanAttr::default() }
    }
}

type NumberSnd<B> = <Spsc as Kind<B>>::Snd<u32>;
type NumberRcv<B> = <Spsc as Kind<B>>::Rcv<u32>;

/// The sending end of a [`ZeroCopy`] channel.
///
/// See also [`LoanMut`].
///
/// ```
/// use res_api::{Backend, Sender};
///
/// let system = backend_local::Local::new()?;
/// let (mut tx, _rx) = system.chan::<chan_impls::ZeroCopy, [u8; 4096]>(2)?;
/// let mut loan = tx.loan()?; // written in place
/// loan.bytes_mut().fill(7);
/// tx.send_loan(loan)?;
/// tx.send([8; 4096])?; // or copied
/// assert_eq!(tx.len(), 2);
/// # Ok::<(), res_api::Fault>(())
/// ```
pub struct ZeroCopySnd<B: Backend, T> {
    sent: NumberSnd<B>,
    returned: NumberRcv<B>,
    pool: Pool<B>,
    /// Which slots are free, lent to this side, or away.
    record: Record<B>,
    spare: Spare<B>,
    cap: B::Cap,
    of: PhantomData<fn(T) -> T>,
}

/// The receiving end of a [`ZeroCopy`] channel.
///
/// See also [`Loan`] and [`Forwarder`].
///
/// ```
/// use res_api::{Backend, Receiver, Sender};
///
/// let system = backend_local::Local::new()?;
/// let (mut tx, mut rx) = system.chan::<chan_impls::ZeroCopy, [u8; 4096]>(2)?;
/// tx.send([7; 4096])?;
/// tx.send([8; 4096])?;
/// let first = rx.recv_loan()?; // where it lies
/// let second = rx.recv()?; // or copied
/// assert_eq!((first.as_ref(), second), (Some(&[7; 4096]), [8; 4096]));
/// # Ok::<(), res_api::Fault>(())
/// ```
pub struct ZeroCopyRcv<B: Backend, T> {
    sent: NumberRcv<B>,
    returned: NumberSnd<B>,
    pool: Pool<B>,
    /// Which slots are lent to this side, or passed on.
    record: Record<B>,
    spare: Spare<B>,
    cap: B::Cap,
    of: PhantomData<fn(T) -> T>,
}

impl<B: Backend> Kind<B> for ZeroCopy {
    const ID: KindId = ID;
    const TRUST: Trust = Trust::StableAfterSend;
    type Attr = ZeroCopyAttr;
    type Snd<T: Message> = ZeroCopySnd<B, T>;
    type Rcv<T: Message> = ZeroCopyRcv<B, T>;

    /// Bytes of the pool. The rings and the records come from the backend.
    fn bytes<T: Message>(capacity: u32, _: &ZeroCopyAttr) -> Option<u64> {
        loan::pool_bytes::<T>(capacity)
    }

    fn create_in<T: Message>(
        b: &B,
        memory: B::Mem,
        capacity: u32,
        attr: &ZeroCopyAttr,
    ) -> EndsIn<B, Self, T> {
        let Some(bytes) = loan::pool_bytes::<T>(capacity) else {
            return Err(Refused::new(Some(memory), ErrorKind::Invalid));
        };
        if memory.len() < bytes {
            return Err(Refused::new(Some(memory), ErrorKind::NoMemory));
        }
        let pool = memory.share();
        let caps = create_snd::<B, T>(b, &pool, capacity, attr)
            .and_then(|(snd, far)| Ok((snd, create_rcv::<B, T>(b, &pool, capacity, attr, far)?)));
        let ends = caps.and_then(|(snd, rcv)| Ok((attach_own(snd)?, attach_own(rcv)?)));
        ends.map_err(|error| Refused { value: pool.unshare().ok(), error })
    }
}

// Ends are large, and capabilities are not: so the rings are kept as those until all is there, and what
// makes a ring, or attaches an end, has a frame of its own. On a machine of short stacks it would not fit
// otherwise.

/// How much longer a ring of numbers is than it needs to be. No more are on their way than there are
/// slots; but who pushes into a ring that can be full has to ask the other side for its index, and in a
/// longer one asks less often.
const SPARE: u32 = 4;

/// A ring for numbers of slots: its sending end, and its receiving one.
#[inline(never)]
fn ring<B: Backend>(
    b: &B,
    capacity: u32,
    attr: &ZeroCopyAttr,
) -> Result<(B::Cap, B::Cap), B::Error> {
    let long = capacity.saturating_mul(SPARE).min(crate::ring::MAX_CAPACITY);
    let (snd, rcv) = b.chan_with::<Spsc, u32>(long, &attr.of_rings())?;
    Ok((snd.into_cap(), rcv.into_cap()))
}

/// The far ends of the two rings.
type FarEnds<B> = (<B as Backend>::Cap, <B as Backend>::Cap);

#[inline(never)]
fn create_snd<B: Backend, T: Message>(
    b: &B,
    pool: &B::SharedMem,
    capacity: u32,
    attr: &ZeroCopyAttr,
) -> Result<(B::Cap, FarEnds<B>), B::Error> {
    let (sent, sent_far) = ring(b, capacity, attr)?;
    let (returned_far, returned) = ring(b, capacity, attr)?;
    let record = Record::<B>::create(b, capacity, Place::Free)?;
    let parts = parts::<B>(pool, record, sent, returned)?;
    let cap = b.bundle(desc::<T>(Role::Snd, capacity, attr.notify), None, parts)?;
    Ok((cap, (sent_far, returned_far)))
}

#[inline(never)]
fn create_rcv<B: Backend, T: Message>(
    b: &B,
    pool: &B::SharedMem,
    capacity: u32,
    attr: &ZeroCopyAttr,
    (sent, returned): FarEnds<B>,
) -> Result<B::Cap, B::Error> {
    let record = Record::<B>::create(b, capacity, Place::Away)?;
    let parts = parts::<B>(pool, record, sent, returned)?;
    b.bundle(desc::<T>(Role::Rcv, capacity, attr.notify), None, parts)
}

fn desc<T: Message>(role: Role, capacity: u32, notify: Notify) -> Desc {
    Desc {
        kind: ID,
        msg: T::TAG,
        trust: Trust::StableAfterSend,
        notify,
        ..Desc::plain(role, capacity.into())
    }
}

fn parts<B: Backend>(
    pool: &B::SharedMem,
    record: B::SharedMem,
    sent: B::Cap,
    returned: B::Cap,
) -> Result<[Part<B::Cap>; 4], B::Error> {
    let pool = pool.alias(Rights::READ | Rights::WRITE)?;
    Ok([Part::Mem(pool), Part::Mem(record), Part::Own(sent), Part::Own(returned)])
}

#[inline(never)]
fn attach_own<C: AnyCap, H: FromCap<C>, E: From<ErrorKind>>(cap: C) -> Result<H, E> {
    H::attach(cap).map_err(|error| error.reason.kind().into())
}

/// What an end is made of, out of its capability.
struct Attached<B: Backend, S, R> {
    sent: S,
    returned: R,
    pool: Pool<B>,
    record: Record<B>,
}

fn attach<B, S, R, T>(cap: &B::Cap, needs: Rights) -> Result<Attached<B, S, R>, CastReason>
where
    B: Backend,
    S: FromCap<B::Cap>,
    R: FromCap<B::Cap>,
    T: Message,
{
    if !cap.rights().contains(needs) {
        return Err(CastReason::Parts(ErrorKind::Denied));
    }
    let invalid = CastReason::Parts(ErrorKind::Invalid);
    let inner = |index| cap.end(index).ok_or(invalid);
    let sent = inner(0)?.cast::<S>().map_err(|error| error.reason)?;
    let returned = inner(1)?.cast::<R>().map_err(|error| error.reason)?;
    let capacity = u32::try_from(cap.desc().capacity).map_err(|_| invalid)?;
    // SAFETY: `accepts` compared the kind; it is ours.
    let (pool, record) = unsafe { (cap.mem(0).ok_or(invalid)?, cap.mem(1).ok_or(invalid)?) };
    let map = |memory: B::SharedMem| {
        let map = memory.map(Rights::READ | Rights::WRITE);
        map.map_err(|error| CastReason::Parts(res_api::BackendError::kind(&error)))
    };
    let pool = Pool::new::<T>(map(pool)?, capacity).ok_or(invalid)?;
    let record = Record::attach(map(record)?, capacity).ok_or(invalid)?;
    Ok(Attached { sent, returned, pool, record })
}

impl<B: Backend, T: Message> ZeroCopySnd<B, T> {
    /// A free slot to write into, if there is one now. Send it with [`send_loan`](Self::send_loan),
    /// or drop it: then it is free again.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`], [`TrySendError::Gone`].
    pub fn try_loan(&mut self) -> Result<LoanMut<B, T>, TrySendError<()>> {
        match self.free_slot() {
            Ok(Some(slot)) => Ok(self.lend(slot)),
            Ok(None) => Err(TrySendError::Full(())),
            Err(gone) => Err(TrySendError::Gone((), gone)),
        }
    }

    /// A free slot to write into, waiting for one until the deadline.
    ///
    /// # Errors
    ///
    /// [`SendError::TimedOut`], [`SendError::Gone`].
    pub fn loan_until(&mut self, deadline: Deadline) -> Result<LoanMut<B, T>, SendError<()>> {
        match self.wait_free_slot(deadline) {
            Ok(slot) => Ok(self.lend(slot)),
            Err(WaitError::TimedOut) => Err(SendError::TimedOut(())),
            Err(WaitError::Gone(gone)) => Err(SendError::Gone((), gone)),
        }
    }

    /// A free slot to write into, waiting as long as there is a receiver.
    ///
    /// # Errors
    ///
    /// [`SendError::Gone`].
    pub fn loan(&mut self) -> Result<LoanMut<B, T>, SendError<()>> {
        self.loan_until(Deadline::NEVER)
    }

    /// Sends what was written into a slot of this channel.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Gone`] with the slot; [`TrySendError::Refused`] with `Invalid` for a slot
    /// of another channel.
    pub fn send_loan(&mut self, loan: LoanMut<B, T>) -> Result<(), TrySendError<LoanMut<B, T>>> {
        if !loan.is_of(&self.record) {
            return Err(TrySendError::Refused(loan, ErrorKind::Invalid));
        }
        let slot = loan.keep(&mut self.spare);
        match self.send_slot(slot) {
            Ok(()) => Ok(()),
            Err(gone) => Err(TrySendError::Gone(self.lend(slot), gone)),
        }
    }

    fn lend(&mut self, slot: u32) -> LoanMut<B, T> {
        self.record.set(slot, Place::Lent);
        let (pool, record, home) = (&self.pool, &self.record, self.returned.blockpoint());
        LoanMut::new(self.spare.tether(pool, record, home), slot)
    }

    /// A slot that nobody uses. Whoever asks says in the record what becomes of it.
    fn free_slot(&mut self) -> Result<Option<u32>, Gone> {
        self.record.sweep(|slot| self.record.free(slot));
        if let Some(slot) = self.record.take_free() {
            return Ok(Some(slot));
        }
        match self.returned.try_recv() {
            Ok(slot) => self.take_back(slot).map(Some),
            // A number needs no memory.
            Err(TryRecvError::Empty | TryRecvError::NoMemory | TryRecvError::NoSlots) => Ok(None),
            Err(TryRecvError::Gone(gone)) => Err(gone),
        }
    }

    fn wait_free_slot(&mut self, deadline: Deadline) -> Result<u32, WaitError> {
        loop {
            if let Some(slot) = self.free_slot().map_err(WaitError::Gone)? {
                return Ok(slot);
            }
            // A loan that is dropped wakes this wait too; look for that at each turn.
            let record = &self.record;
            match self.returned.recv_or(deadline, || record.has_dropped()) {
                Ok(Some(slot)) => return self.take_back(slot).map_err(WaitError::Gone),
                // A number needs no memory.
                Ok(None) | Err(RecvError::NoMemory | RecvError::NoSlots) => {}
                Err(RecvError::TimedOut) => return Err(WaitError::TimedOut),
                Err(RecvError::Gone(gone)) => return Err(WaitError::Gone(gone)),
            }
        }
    }

    /// A number from the receiver, and with it some of those behind it, if there are: the receiver
    /// goes on writing where they lie, so they are better taken in one go.
    fn take_back(&mut self, first: u32) -> Result<u32, Gone> {
        let first = self.record.came(first)?;
        // None of the others is the same.
        self.record.set(first, Place::Lent);
        let mut others = [0; AT_ONCE];
        let count = match self.returned.try_recv_slice(&mut others) {
            Ok(count) => count,
            Err(TryRecvError::Gone(Gone::Misbehaved)) => return Err(Gone::Misbehaved),
            // None there, or the receiver has gone, which is told again.
            Err(_) => 0,
        };
        for other in others[..count].iter().rev() {
            self.record.free(self.record.came(*other)?);
        }
        Ok(first)
    }

    fn send_slot(&mut self, slot: u32) -> Result<(), Gone> {
        self.record.set(slot, Place::Away);
        // There is room for more numbers than there are slots.
        self.sent.put(&slot).inspect_err(|_| self.record.set(slot, Place::Lent))
    }

    /// Copies a message into a slot and sends it.
    fn send_in(&mut self, slot: u32, message: T) -> Result<(), (T, Gone)> {
        // SAFETY: a slot of the pool, which nobody else uses: it is free.
        unsafe { slot::put::<B::Model, T>(self.pool.slot::<T>(slot), &message) };
        self.send_slot(slot).map_err(|gone| {
            self.record.free(slot);
            (message, gone)
        })
    }
}

impl<B: Backend, T: Message> Sender for ZeroCopySnd<B, T> {
    type Msg = T;

    fn try_send(&mut self, message: T) -> Result<(), TrySendError<T>> {
        match self.free_slot() {
            Ok(Some(slot)) => self
                .send_in(slot, message)
                .map_err(|(message, gone)| TrySendError::Gone(message, gone)),
            Ok(None) => Err(TrySendError::Full(message)),
            Err(gone) => Err(TrySendError::Gone(message, gone)),
        }
    }

    fn send_until(&mut self, message: T, deadline: Deadline) -> Result<(), SendError<T>> {
        match self.wait_free_slot(deadline) {
            Ok(slot) => self
                .send_in(slot, message)
                .map_err(|(message, gone)| SendError::Gone(message, gone)),
            Err(WaitError::TimedOut) => Err(SendError::TimedOut(message)),
            Err(WaitError::Gone(gone)) => Err(SendError::Gone(message, gone)),
        }
    }

    fn capacity(&self) -> u32 {
        self.pool.capacity()
    }

    fn len(&self) -> u32 {
        self.sent.len()
    }

    fn gone(&self) -> Option<Gone> {
        self.returned.gone()
    }

    fn stats(&self) -> Stats {
        let (sent, returned) = (self.sent.stats(), self.returned.stats());
        Stats { messages: sent.messages, high_water: sent.high_water, ..returned }
    }
}

impl<B: Backend, T: Message> ZeroCopyRcv<B, T> {
    /// The next message where it lies, if there is one now.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Receiver::try_recv).
    pub fn try_recv_loan(&mut self) -> Result<Loan<B, T>, TryRecvError> {
        self.give_back_dropped();
        let slot = self.record.came(self.sent.try_recv()?).map_err(TryRecvError::Gone)?;
        Ok(self.lend(slot))
    }

    /// The next message where it lies, waiting for one until the deadline.
    ///
    /// # Errors
    ///
    /// As [`recv_until`](Receiver::recv_until).
    pub fn recv_loan_until(&mut self, deadline: Deadline) -> Result<Loan<B, T>, RecvError> {
        loop {
            self.give_back_dropped();
            // A loan that is dropped meanwhile wakes this wait: the sender may be short of slots.
            let record = &self.record;
            if let Some(slot) = self.sent.recv_or(deadline, || record.has_dropped())? {
                let slot = self.record.came(slot).map_err(RecvError::Gone)?;
                return Ok(self.lend(slot));
            }
        }
    }

    /// The next message where it lies, waiting as long as there is a sender.
    ///
    /// # Errors
    ///
    /// As [`recv`](Receiver::recv).
    pub fn recv_loan(&mut self) -> Result<Loan<B, T>, RecvError> {
        self.recv_loan_until(Deadline::NEVER)
    }

    /// Gives a slot back at once. Dropping the loan does the same, a little later: at this end's next
    /// operation, and at a price of some locked operations.
    ///
    /// # Errors
    ///
    /// The loan, if it is of another channel.
    pub fn release(&mut self, loan: Loan<B, T>) -> Result<(), Loan<B, T>> {
        if !loan.is_of(&self.record) {
            return Err(loan);
        }
        let slot = loan.keep(&mut self.spare);
        self.give_back(slot);
        Ok(())
    }

    /// Becomes a stage that passes messages on, without copying, to a receiver of its own.
    ///
    /// # Errors
    ///
    /// `NoSlots`, `NoMemory`; this end comes back.
    pub fn into_forwarder(self, b: &B) -> Result<(Forwarder<B, T>, Self), Refused<Self, B::Error>> {
        Forwarder::new(b, self)
    }

    fn lend(&mut self, slot: u32) -> Loan<B, T> {
        self.record.set(slot, Place::Lent);
        let (pool, record, home) = (&self.pool, &self.record, self.sent.blockpoint());
        Loan::new(self.spare.tether(pool, record, home), slot)
    }

    fn give_back(&mut self, slot: u32) {
        self.record.set(slot, Place::Away);
        // There is room for more numbers than there are slots; a sender that is gone needs none.
        let _ = self.returned.put(&slot);
    }

    fn give_back_dropped(&mut self) {
        let (record, returned) = (&self.record, &mut self.returned);
        record.sweep(|slot| {
            record.set(slot, Place::Away);
            let _ = returned.put(&slot);
        });
    }

    fn copy_out(&mut self, slot: u32) -> Result<T, Gone> {
        let slot = self.record.came(slot)?;
        // SAFETY: a slot of the pool. An honest sender does not write it now; what another does
        // is no race, and the value is checked.
        let message = unsafe { slot::take::<B::Model, T>(self.pool.slot::<T>(slot)) };
        self.give_back(slot);
        message.ok_or(Gone::Misbehaved)
    }
}

impl<B: Backend, T: Message> Receiver for ZeroCopyRcv<B, T> {
    type Msg = T;

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.give_back_dropped();
        let slot = self.sent.try_recv()?;
        self.copy_out(slot).map_err(TryRecvError::Gone)
    }

    fn recv_until(&mut self, deadline: Deadline) -> Result<T, RecvError> {
        loop {
            self.give_back_dropped();
            let record = &self.record;
            if let Some(slot) = self.sent.recv_or(deadline, || record.has_dropped())? {
                return self.copy_out(slot).map_err(RecvError::Gone);
            }
        }
    }

    fn capacity(&self) -> u32 {
        self.pool.capacity()
    }

    fn len(&self) -> u32 {
        self.sent.len()
    }

    fn gone(&self) -> Option<Gone> {
        self.sent.gone()
    }

    fn stats(&self) -> Stats {
        self.sent.stats()
    }
}

impl<B: Backend, T: Message> Source<B::Blockpoint> for ZeroCopySnd<B, T> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Sender
    }

    /// Slots come back there.
    fn blockpoint(&self) -> &B::Blockpoint {
        self.returned.blockpoint()
    }

    fn ready(&self) -> bool {
        self.record.has_free() || self.record.has_dropped() || self.returned.ready()
    }
}

impl<B: Backend, T: Message> Source<B::Blockpoint> for ZeroCopyRcv<B, T> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Receiver
    }

    fn blockpoint(&self) -> &B::Blockpoint {
        self.sent.blockpoint()
    }

    fn ready(&self) -> bool {
        self.sent.ready()
    }
}

macro_rules! end_of_zero_copy {
    ($end:ident, $role:ident, $needs:ident) => {
        impl<B: Backend, T: Message> fmt::Debug for $end<B, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let (len, capacity) = (self.sent.len(), self.pool.capacity());
                write!(f, "{:?}({len} of {capacity}, zero copy)", Role::$role)
            }
        }

        impl<B: Backend, T: Message> IntoCap<B::Cap> for $end<B, T> {
            fn into_cap(self) -> B::Cap {
                // Shadows: they leave their state in the inner ends, which this capability owns.
                drop((self.sent.into_cap(), self.returned.into_cap()));
                self.cap
            }
        }

        impl<B: Backend, T: Message> FromCap<B::Cap> for $end<B, T> {
            fn accepts(desc: &Desc) -> Result<(), CastReason> {
                desc.expect(Role::$role, ID, T::TAG)
            }

            fn attach(cap: B::Cap) -> Result<Self, CastError<B::Cap>> {
                match attach::<B, _, _, T>(&cap, Rights::$needs) {
                    Ok(Attached { sent, returned, pool, record }) => Ok(Self {
                        sent,
                        returned,
                        pool,
                        record,
                        spare: Spare::default(),
                        cap,
                        of: PhantomData,
                    }),
                    Err(reason) => Err(CastError::new(cap, reason)),
                }
            }
        }
    };
}

end_of_zero_copy!(ZeroCopySnd, Snd, WRITE);
end_of_zero_copy!(ZeroCopyRcv, Rcv, READ);
