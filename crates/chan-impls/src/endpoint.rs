//! The blocking end of any queue: queue x blockpoint x notification policy, written once.
//!
//! A channel has two blockpoints: the receiver waits on `data`, which the sender signals; the
//! sender waits on `room`, which the receiver signals. Whether the other side is gone is seen in
//! the very load that decides whether to wake it, so it costs nothing of its own.

use core::fmt;
use core::mem::ManuallyDrop;
use core::time::Duration;

use res_api::{
    AnyCap, Backend, BackendError, Blockpoint, CastError, CastReason, ChanAttr, Deadline, Desc,
    ErrorKind, FromCap, Gone, IntoCap, Map, Mem, MemoryModel, Message, Part, Receiver, RecvError,
    Refused, Rights, Role, SendError, Sender, SharedMem, Side, Snapshot, Source, SourceKind, Stats,
    TryRecvError, TrySendError, WaitError,
};

use crate::pace::Pace;
use crate::patience::Patience;
use crate::queue::{Fate, Half, InMemory, Misbehaved, PopError, PopQueue, PushError, PushQueue};

/// The sending end of a channel made of the pushing half `Q` of a queue.
///
/// ```
/// use chan_impls::endpoint::QueueSnd;
/// use res_api::{Backend, Sender};
///
/// /// Any channel made of one queue.
/// fn fill<B: Backend, Q: chan_impls::PushQueue<Item = u8>>(tx: &mut QueueSnd<B, Q>) {
///     while tx.try_send(0).is_ok() {}
/// }
/// # let system = backend_local::Local::new()?;
/// # let (mut tx, _rx) = system.chan::<chan_impls::Spsc, u8>(3)?;
/// # fill(&mut tx);
/// # assert_eq!(tx.len(), 3);
/// # Ok::<(), res_api::Fault>(())
/// ```
pub struct QueueSnd<B: Backend, Q> {
    queue: Q,
    end: End<B>,
}

/// The receiving end of a channel made of the popping half `Q` of a queue.
///
/// ```
/// use chan_impls::endpoint::QueueRcv;
/// use res_api::{Backend, Receiver};
///
/// /// Any channel made of one queue.
/// fn count<B: Backend, Q: chan_impls::PopQueue>(rx: &mut QueueRcv<B, Q>) -> u64 {
///     while rx.try_recv().is_ok() {}
///     rx.stats().messages
/// }
/// # use res_api::Sender;
/// # let system = backend_local::Local::new()?;
/// # let (mut tx, mut rx) = system.chan::<chan_impls::Spsc, u8>(3)?;
/// # tx.send(1)?;
/// # assert_eq!(count(&mut rx), 1);
/// # Ok::<(), res_api::Fault>(())
/// ```
pub struct QueueRcv<B: Backend, Q> {
    queue: Q,
    end: End<B>,
}

/// What both ends have besides the queue.
struct End<B: Backend> {
    /// Waited on by the other side.
    signal: B::Blockpoint,
    /// Waited on by this side.
    wait: B::Blockpoint,
    pace: Pace,
    patience: Patience,
    blocked: u64,
    blocked_for: Duration,
    /// Leaves when it is dropped, so it comes after the queue.
    cap: B::Cap,
    /// Keeps the memory mapped; the queue has its address. None: the queue brought its own.
    _map: Option<B::Map>,
}

impl<B: Backend> End<B> {
    fn new(cap: B::Cap, signal: B::Blockpoint, wait: B::Blockpoint, map: Option<B::Map>) -> Self {
        let pace = Pace::new(cap.desc().notify);
        Self {
            signal,
            wait,
            pace,
            patience: Patience::default(),
            blocked: 0,
            blocked_for: Duration::ZERO,
            cap,
            _map: map,
        }
    }

    /// Notifies the other side, as far as the policy allows; what signallers were told.
    #[inline(always)]
    fn notify(&mut self) -> Option<Gone> {
        self.pace.notify(&self.signal, &self.cap)
    }

    /// Waits until `look` finds something, the deadline, or the other side is gone. It looks first
    /// after `back` spin hints, where it spins at all.
    #[inline]
    fn wait_until<R>(
        &mut self,
        deadline: Deadline,
        mut back: u32,
        mut look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        for _ in 0..self.patience.rounds() {
            let found = self.wait.spin(|| {
                for _ in 0..core::mem::take(&mut back) {
                    B::Model::spin_hint();
                }
                look()
            });
            if let Some(found) = found {
                return Ok(found);
            }
        }
        self.sleep_until(deadline, look)
    }

    #[cold]
    #[inline(never)]
    fn sleep_until<R>(
        &mut self,
        deadline: Deadline,
        look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        let start = self.wait.now();
        self.blocked += 1;
        let result = self.pace.sleep_until(&self.wait, &self.cap, deadline, look);
        let slept = self.wait.now() - start;
        self.patience.slept(slept);
        self.blocked_for += slept;
        result
    }

    /// The word of this side, where the other is gone or a group watches.
    fn concerned(&self) -> Option<Snapshot> {
        let seen = self.wait.snapshot();
        (seen.watched() || seen.gone().is_some()).then_some(seen)
    }

    /// Nothing was found behind that; what this side had been told.
    fn idle<Q: Half>(&self, queue: &Q, seen: Snapshot) -> Option<Gone> {
        self.wait.idle(seen, Q::SOLE.then(|| queue.position()))
    }

    fn stats(&self, queue: &impl Half) -> Stats {
        Stats {
            messages: queue.position(),
            blocked: self.blocked,
            blocked_for: self.blocked_for,
            high_water: queue.high_water(),
        }
    }
}

impl<B: Backend, Q: PushQueue> QueueSnd<B, Q> {
    fn of(queue: Q, end: End<B>) -> Self {
        Self { queue, end }
    }

    /// An end of parts that are not bundled from memory: `queue` brought its own. For backends.
    pub fn new(queue: Q, cap: B::Cap, data: B::Blockpoint, room: B::Blockpoint) -> Self {
        Self::of(queue, End::new(cap, data, room, None))
    }

    /// The queue. For backends.
    pub fn queue(&self) -> &Q {
        &self.queue
    }

    /// The queue and the capability apart. For backends.
    pub fn into_parts(self) -> (Q, B::Cap) {
        let mut cap = self.end.cap;
        cap.set_state(self.queue.position());
        (self.queue, cap)
    }

    /// Pushes what `has_room` said there is room for, and notifies.
    #[inline(always)]
    fn push(&mut self, message: Q::Item) -> Result<(), TrySendError<Q::Item>> {
        let kept = ManuallyDrop::new(message);
        // SAFETY: a local. Where it was moved out, `kept` is taken out of its wrapper only if the
        // queue certainly does not have the item any more, or the item is plain data.
        match unsafe { self.queue.push_from(&*kept) } {
            Ok(()) => match self.end.notify() {
                None => Ok(()),
                // By the contract of `PushQueue`: out of the queue, or plain data, of which a second
                // copy does no harm.
                Some(gone) => self
                    .too_late(gone)
                    .map_err(|gone| TrySendError::Gone(ManuallyDrop::into_inner(kept), gone)),
            },
            Err(why) => {
                let message = ManuallyDrop::into_inner(kept);
                Err(match why {
                    PushError::Full => TrySendError::Full(message),
                    PushError::Misbehaved => TrySendError::Gone(message, Gone::Misbehaved),
                    PushError::Refused(kind) => TrySendError::Refused(message, kind),
                })
            }
        }
    }

    /// Sends plain data of which there is always room for one more; why not, if that is not so.
    #[inline(always)]
    pub(crate) fn put(&mut self, message: &Q::Item) -> Result<(), Gone>
    where
        Q::Item: Copy,
    {
        // SAFETY: a value that is there, and plain data, which can be in two places.
        if unsafe { self.queue.push_from(message) }.is_err() {
            return Err(Gone::Misbehaved);
        }
        match self.end.notify() {
            None => Ok(()),
            Some(gone) => self.too_late(gone),
        }
    }

    /// The receiver is gone; perhaps it received what was pushed last before it went.
    #[cold]
    #[inline(never)]
    fn too_late(&mut self, gone: Gone) -> Result<(), Gone> {
        match self.queue.retract(1, gone) {
            Fate::TakenBack(0) => Ok(()),
            Fate::TakenBack(_) | Fate::Unknown => Err(gone),
        }
    }

    /// Found full: looks once more where that is more than a repetition, so that closed is seen and
    /// a group that watches is told idle.
    #[cold]
    #[inline(never)]
    fn try_send_again(&mut self, message: Q::Item) -> Result<(), TrySendError<Q::Item>> {
        let Some(seen) = self.end.concerned() else { return Err(TrySendError::Full(message)) };
        match self.push(message) {
            Err(TrySendError::Full(message)) => match self.end.idle(&self.queue, seen) {
                None => Err(TrySendError::Full(message)),
                Some(gone) => Err(TrySendError::Gone(message, gone)),
            },
            result => result,
        }
    }

    #[cold]
    #[inline(never)]
    fn send_slow(
        &mut self,
        mut message: Q::Item,
        deadline: Deadline,
    ) -> Result<(), SendError<Q::Item>> {
        loop {
            let queue = &mut self.queue;
            let look = || match queue.has_room() {
                Ok(false) => None,
                found => Some(found),
            };
            match self.end.wait_until(deadline, 0, look) {
                Ok(Ok(_)) => {}
                Ok(Err(Misbehaved)) => return Err(SendError::Gone(message, Gone::Misbehaved)),
                Err(WaitError::TimedOut) => return Err(SendError::TimedOut(message)),
                Err(WaitError::Gone(gone)) => return Err(SendError::Gone(message, gone)),
            }
            match self.push(message) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Gone(message, gone)) => {
                    return Err(SendError::Gone(message, gone));
                }
                Err(TrySendError::Refused(message, kind)) => {
                    return Err(SendError::Refused(message, kind));
                }
                // A queue whose room went away again: not a ring, but allowed.
                Err(TrySendError::Full(back)) => message = back,
            }
        }
    }
}

impl<B: Backend, Q: PushQueue> Sender for QueueSnd<B, Q> {
    type Msg = Q::Item;

    #[inline]
    fn try_send(&mut self, message: Q::Item) -> Result<(), TrySendError<Q::Item>> {
        match self.push(message) {
            Err(TrySendError::Full(message)) => self.try_send_again(message),
            result => result,
        }
    }

    #[inline(always)]
    fn send_until(
        &mut self,
        message: Q::Item,
        deadline: Deadline,
    ) -> Result<(), SendError<Q::Item>> {
        match self.push(message) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(message)) => self.send_slow(message, deadline),
            Err(TrySendError::Gone(message, gone)) => Err(SendError::Gone(message, gone)),
            Err(TrySendError::Refused(message, kind)) => Err(SendError::Refused(message, kind)),
        }
    }

    fn try_send_slice(&mut self, messages: &[Q::Item]) -> Result<usize, TrySendError<()>>
    where
        Q::Item: Copy,
    {
        let pushed = match self.queue.try_push_slice(messages) {
            Ok(pushed) => pushed,
            Err(PushError::Misbehaved) => return Err(TrySendError::Gone((), Gone::Misbehaved)),
            Err(PushError::Refused(kind)) => return Err(TrySendError::Refused((), kind)),
            // One by one: the slow path looks again, and tells a group.
            Err(PushError::Full) => {
                return match messages.first() {
                    Some(first) => self
                        .try_send_again(*first)
                        .map(|()| 1)
                        .map_err(TrySendError::without_message),
                    None => Ok(0),
                };
            }
        };
        let Some(gone) = self.end.notify() else { return Ok(pushed) };
        match self.queue.retract(pushed as u32, gone) {
            Fate::TakenBack(back) if (back as usize) < pushed => Ok(pushed - back as usize),
            _ => Err(TrySendError::Gone((), gone)),
        }
    }

    fn capacity(&self) -> u32 {
        self.queue.capacity()
    }

    fn len(&self) -> u32 {
        self.queue.len()
    }

    fn gone(&self) -> Option<Gone> {
        self.end.wait.told(Side::Waiters)
    }

    fn stats(&self) -> Stats {
        self.end.stats(&self.queue)
    }
}

impl<B: Backend, Q: PopQueue> QueueRcv<B, Q> {
    fn of(queue: Q, end: End<B>) -> Self {
        Self { queue, end }
    }

    /// An end of parts that are not bundled from memory: `queue` brought its own. For backends.
    pub fn new(queue: Q, cap: B::Cap, data: B::Blockpoint, room: B::Blockpoint) -> Self {
        Self::of(queue, End::new(cap, room, data, None))
    }

    /// The queue and the capability apart. For backends.
    pub fn into_parts(self) -> (Q, B::Cap) {
        let mut cap = self.end.cap;
        cap.set_state(self.queue.position());
        (self.queue, cap)
    }

    /// Receives, waiting until the deadline or until `other` holds: whoever makes it hold triggers
    /// this end's blockpoint. `None`: `other` held first. For compositions.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_until`].
    #[inline]
    pub fn recv_or(
        &mut self,
        deadline: Deadline,
        other: impl Fn() -> bool,
    ) -> Result<Option<Q::Item>, RecvError> {
        match self.queue.try_pop() {
            Ok(Some(message)) => self.popped(message).map(Some).map_err(RecvError::Gone),
            Ok(None) => self.recv_slow(deadline, other),
            Err(why) => Err(self.unpopped(why).into()),
        }
    }

    /// Notifies that there is room; the message, unless this side has been revoked.
    #[inline(always)]
    fn popped(&mut self, message: Q::Item) -> Result<Q::Item, Gone> {
        match self.end.notify() {
            // That the sender is gone does not concern what it sent before.
            None => Ok(message),
            Some(gone) => Self::received_late(message, gone),
        }
    }

    #[cold]
    fn received_late(message: Q::Item, gone: Gone) -> Result<Q::Item, Gone> {
        if gone == Gone::Revoked { Err(gone) } else { Ok(message) }
    }

    /// No message, and why. One that is lost has left room all the same.
    #[cold]
    fn unpopped(&mut self, why: PopError) -> TryRecvError {
        let lacking = match why {
            PopError::Misbehaved => return TryRecvError::Gone(Gone::Misbehaved),
            PopError::NoMemory => TryRecvError::NoMemory,
            PopError::NoSlots => TryRecvError::NoSlots,
        };
        match self.end.notify() {
            Some(Gone::Revoked) => TryRecvError::Gone(Gone::Revoked),
            _ => lacking,
        }
    }

    /// Found empty: looks once more where that is more than a repetition, so that closed is seen
    /// after what was sent before it, and a group that watches is told idle.
    #[cold]
    #[inline(never)]
    fn try_recv_again(&mut self) -> Result<Q::Item, TryRecvError> {
        let Some(seen) = self.end.concerned() else { return Err(TryRecvError::Empty) };
        match self.queue.try_pop() {
            Ok(Some(message)) => self.popped(message).map_err(TryRecvError::Gone),
            Ok(None) => Err(match self.end.idle(&self.queue, seen) {
                None => TryRecvError::Empty,
                Some(gone) => TryRecvError::Gone(gone),
            }),
            Err(why) => Err(self.unpopped(why)),
        }
    }

    #[cold]
    #[inline(never)]
    fn recv_slow(
        &mut self,
        deadline: Deadline,
        other: impl Fn() -> bool,
    ) -> Result<Option<Q::Item>, RecvError> {
        let (capacity, position) = (self.queue.capacity(), self.queue.position());
        let back = self.end.patience.stay_back(capacity, position);
        let queue = &mut self.queue;
        let look = || match queue.try_pop() {
            Ok(None) if !other() => None,
            found => Some(found),
        };
        match self.end.wait_until(deadline, back, look) {
            Ok(Ok(Some(message))) => self.popped(message).map(Some).map_err(RecvError::Gone),
            Ok(Ok(None)) => Ok(None),
            Ok(Err(why)) => Err(self.unpopped(why).into()),
            Err(WaitError::TimedOut) => Err(RecvError::TimedOut),
            Err(WaitError::Gone(gone)) => Err(RecvError::Gone(gone)),
        }
    }
}

impl<B: Backend, Q: PopQueue> Receiver for QueueRcv<B, Q> {
    type Msg = Q::Item;

    #[inline]
    fn try_recv(&mut self) -> Result<Q::Item, TryRecvError> {
        match self.queue.try_pop() {
            Ok(Some(message)) => self.popped(message).map_err(TryRecvError::Gone),
            Ok(None) => self.try_recv_again(),
            Err(why) => Err(self.unpopped(why)),
        }
    }

    #[inline(always)]
    fn recv_until(&mut self, deadline: Deadline) -> Result<Q::Item, RecvError> {
        match self.queue.try_pop() {
            Ok(Some(message)) => return self.popped(message).map_err(RecvError::Gone),
            Ok(None) => {}
            Err(why) => return Err(self.unpopped(why).into()),
        }
        loop {
            // Nothing else is waited for, so there is always a message, or a reason.
            if let Some(message) = self.recv_slow(deadline, || false)? {
                return Ok(message);
            }
        }
    }

    fn try_recv_slice(&mut self, into: &mut [Q::Item]) -> Result<usize, TryRecvError>
    where
        Q::Item: Copy,
    {
        match self.queue.try_pop_slice(into) {
            Err(why) => Err(self.unpopped(why)),
            Ok(0) => match into.first_mut() {
                Some(first) => self.try_recv_again().map(|message| {
                    *first = message;
                    1
                }),
                None => Ok(0),
            },
            Ok(popped) => match self.end.notify() {
                Some(Gone::Revoked) => Err(TryRecvError::Gone(Gone::Revoked)),
                _ => Ok(popped),
            },
        }
    }

    fn capacity(&self) -> u32 {
        self.queue.capacity()
    }

    fn len(&self) -> u32 {
        self.queue.len()
    }

    fn gone(&self) -> Option<Gone> {
        self.end.wait.told(Side::Waiters)
    }

    fn stats(&self) -> Stats {
        self.end.stats(&self.queue)
    }
}

impl<B: Backend, Q: PushQueue> Source<B::Blockpoint> for QueueSnd<B, Q> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Sender
    }

    fn blockpoint(&self) -> &B::Blockpoint {
        &self.end.wait
    }

    fn ready(&self) -> bool {
        self.queue.len() < self.queue.capacity() || self.gone().is_some()
    }
}

impl<B: Backend, Q: PopQueue> Source<B::Blockpoint> for QueueRcv<B, Q> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Receiver
    }

    fn blockpoint(&self) -> &B::Blockpoint {
        &self.end.wait
    }

    fn ready(&self) -> bool {
        !self.queue.is_empty() || self.gone().is_some()
    }
}

macro_rules! end_in_memory {
    ($end:ident, $half:ident, $role:ident, $needs:ident) => {
        impl<B: Backend, Q: $half> fmt::Debug for $end<B, Q> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let Self { queue, end, .. } = self;
                let (len, capacity) = (queue.len(), queue.capacity());
                write!(f, "{:?}({len} of {capacity}, {:?})", Role::$role, end.cap.desc().notify)
            }
        }

        impl<B: Backend, Q: $half + InMemory> IntoCap<B::Cap> for $end<B, Q> {
            fn into_cap(self) -> B::Cap {
                self.into_parts().1
            }
        }

        impl<B: Backend, Q: $half<Item: Message> + InMemory> FromCap<B::Cap> for $end<B, Q> {
            fn accepts(desc: &Desc) -> Result<(), CastReason> {
                desc.expect(Role::$role, Q::KIND, <Q::Item as Message>::TAG)
            }

            fn attach(cap: B::Cap) -> Result<Self, CastError<B::Cap>> {
                if !cap.rights().contains(Rights::$needs) {
                    return Err(CastError::new(cap, CastReason::Parts(ErrorKind::Denied)));
                }
                match attach_parts::<B, Q>(&cap) {
                    Ok(Parts { queue, map, first, second }) => {
                        let (signal, wait) = (first, second);
                        Ok(Self::of(queue, End::new(cap, signal, wait, Some(map))))
                    }
                    Err(kind) => Err(CastError::new(cap, CastReason::Parts(kind))),
                }
            }
        }
    };
}

end_in_memory!(QueueSnd, PushQueue, Snd, WRITE);
end_in_memory!(QueueRcv, PopQueue, Rcv, READ);

/// What an end is bundled from: memory, what it signals, what it waits on.
struct Parts<B: Backend, Q> {
    queue: Q,
    map: B::Map,
    first: B::Blockpoint,
    second: B::Blockpoint,
}

fn attach_parts<B: Backend, Q: InMemory>(cap: &B::Cap) -> Result<Parts<B, Q>, ErrorKind> {
    let capacity = u32::try_from(cap.desc().capacity).map_err(|_| ErrorKind::Invalid)?;
    let bytes = Q::bytes(capacity).ok_or(ErrorKind::Invalid)?;
    // SAFETY: `accepts` compared the kind; it is this queue's.
    let memory = unsafe { cap.mem(0) }.ok_or(ErrorKind::Invalid)?;
    let first = cap.blockpoint(0).ok_or(ErrorKind::Invalid)?;
    let second = cap.blockpoint(1).ok_or(ErrorKind::Invalid)?;
    let map = memory.map(Rights::READ | Rights::WRITE).map_err(|error| error.kind())?;
    if map.len() < bytes {
        return Err(ErrorKind::Invalid);
    }
    // SAFETY: the map is long enough, writable and aligned to 64 (`Map::base`), and is kept as long
    // as the queue; it was initialised when the parts were bundled; the capability is the only one
    // of this end, so there is no other such half.
    let queue = unsafe { Q::attach(map.base(), capacity, cap.state()) };
    Ok(Parts { queue, map, first, second })
}

/// Makes both ends of a channel in `memory`: what [`Kind::create_in`](res_api::Kind::create_in) of
/// a kind that is one queue does.
///
/// # Errors
///
/// `Invalid` for a capacity that the queue refuses, `NoMemory` for too little memory, what the
/// backend says.
pub fn create_in<B, Q, R>(
    b: &B,
    mut memory: B::Mem,
    capacity: u32,
    attr: &ChanAttr,
) -> Result<(QueueSnd<B, Q>, QueueRcv<B, R>), Refused<Option<B::Mem>, B::Error>>
where
    B: Backend,
    Q: PushQueue<Item: Message> + InMemory,
    R: PopQueue<Item = Q::Item> + InMemory,
{
    let Some(bytes) = Q::bytes(capacity) else {
        return Err(Refused::new(Some(memory), ErrorKind::Invalid));
    };
    if memory.len() < bytes {
        return Err(Refused::new(Some(memory), ErrorKind::NoMemory));
    }
    let base = core::ptr::NonNull::from(memory.bytes_mut()).cast::<u8>();
    // SAFETY: private memory of enough bytes, which begins at a multiple of 64 (`Mem::bytes`).
    unsafe { Q::init(base, capacity) };
    let memory = memory.share();
    match create_ends::<B, Q, R>(b, &memory, capacity, attr) {
        Ok(ends) => Ok(ends),
        Err(error) => Err(Refused { value: memory.unshare().ok(), error }),
    }
}

fn create_ends<B, Q, R>(
    b: &B,
    memory: &B::SharedMem,
    capacity: u32,
    attr: &ChanAttr,
) -> Result<(QueueSnd<B, Q>, QueueRcv<B, R>), B::Error>
where
    B: Backend,
    Q: PushQueue<Item: Message> + InMemory,
    R: PopQueue<Item = Q::Item> + InMemory,
{
    let data = b.blockpoint_with(attr.barrier)?;
    let room = b.blockpoint_with(attr.barrier)?;
    let desc = |role| Desc {
        kind: Q::KIND,
        msg: <Q::Item as Message>::TAG,
        trust: Q::TRUST,
        notify: attr.notify,
        local: attr.local,
        ..Desc::plain(role, capacity.into())
    };
    let bundle = |role, signal: &B::Blockpoint, wait: &B::Blockpoint| {
        let memory = memory.alias(Rights::READ | Rights::WRITE)?;
        let parts = [Part::Mem(memory), Part::Signal(signal.clone()), Part::Wait(wait.clone())];
        b.bundle(desc(role), None, parts)
    };
    let snd = bundle(Role::Snd, &data, &room)?;
    let rcv = bundle(Role::Rcv, &room, &data)?;
    Ok((attach_own(snd)?, attach_own(rcv)?))
}

/// Attaches what was bundled a moment ago.
fn attach_own<C: AnyCap, H: FromCap<C>, E: From<ErrorKind>>(cap: C) -> Result<H, E> {
    H::attach(cap).map_err(|error| error.reason.kind().into())
}
