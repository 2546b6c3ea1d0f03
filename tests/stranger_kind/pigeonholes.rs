//! A kind of channel as a third party writes it, against the facade alone: pigeonholes.
//!
//! Each hole has a word that says whether something is in it, and the bytes of a message. The two
//! ends go round the holes in the same order and share nothing else. No trust is needed: what is
//! in a hole is copied out and validated.

use std::marker::PhantomData;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use res::sync::model::Atomic;
use res::{
    AnyCap, Backend, BackendError, Blockpoint, CastError, CastReason, Deadline, Desc, ErrorKind,
    FromCap, Gone, IntoCap, Kind, KindId, Map, Mem, Message, Part, Receiver, RecvError, Refused,
    Rights, Role, SendError, Sender, SharedMem, Side, Source, SourceKind, Stats, Trust,
    TryRecvError, TrySendError, WaitError, Wake,
};

/// The kind.
#[derive(Debug)]
pub(crate) struct Pigeonholes;

const ID: KindId = KindId::new(*b"hole", 1);
const WORD: u64 = 8;
const EMPTY: u64 = 0;
const TAKEN: u64 = 1;
const BOTH: Rights = Rights::READ.union(Rights::WRITE);

/// Bytes of a hole.
fn stride<T>() -> u64 {
    WORD + (size_of::<T>() as u64).next_multiple_of(WORD)
}

fn bytes<T>(capacity: u32) -> Option<u64> {
    (capacity != 0).then(|| stride::<T>().checked_mul(capacity.into())).flatten()
}

/// Either end.
pub(crate) struct End<B: Backend, T, const SENDS: bool> {
    holes: B::Map,
    capacity: u32,
    position: u64,
    signal: B::Blockpoint,
    wait: B::Blockpoint,
    cap: B::Cap,
    of: PhantomData<fn(T) -> T>,
}

/// Its result for a pair of ends.
type Made<B, T> = Result<(End<B, T, true>, End<B, T, false>), <B as Backend>::Error>;

impl<B: Backend> Kind<B> for Pigeonholes {
    const ID: KindId = ID;
    const TRUST: Trust = Trust::None;
    type Attr = ();
    type Snd<T: Message> = End<B, T, true>;
    type Rcv<T: Message> = End<B, T, false>;

    fn bytes<T: Message>(capacity: u32, (): &()) -> Option<u64> {
        bytes::<T>(capacity)
    }

    fn create_in<T: Message>(
        b: &B,
        mut memory: B::Mem,
        capacity: u32,
        (): &(),
    ) -> res::EndsIn<B, Self, T> {
        let Some(bytes) = bytes::<T>(capacity) else {
            return Err(Refused::new(Some(memory), ErrorKind::Invalid));
        };
        if memory.len() < bytes {
            return Err(Refused::new(Some(memory), ErrorKind::NoMemory));
        }
        memory.bytes_mut().fill(0);
        let memory = memory.share();
        make::<B, T>(b, &memory, capacity)
            .map_err(|error| Refused { value: memory.unshare().ok(), error })
    }
}

fn make<B: Backend, T: Message>(b: &B, memory: &B::SharedMem, capacity: u32) -> Made<B, T> {
    let (data, room) = (b.blockpoint()?, b.blockpoint()?);
    let bundle = |role, signal: &B::Blockpoint, wait: &B::Blockpoint| {
        let desc = Desc { kind: ID, msg: T::TAG, ..Desc::plain(role, capacity.into()) };
        let memory = Part::Mem(memory.alias(BOTH)?);
        b.bundle(desc, None, [memory, Part::Signal(signal.clone()), Part::Wait(wait.clone())])
    };
    let snd = bundle(Role::Snd, &data, &room)?;
    let rcv = bundle(Role::Rcv, &room, &data)?;
    let tx = End::attach(snd).map_err(|error| error.reason.kind())?;
    let rx = End::attach(rcv).map_err(|error| error.reason.kind())?;
    Ok((tx, rx))
}

impl<B: Backend, T: Message, const SENDS: bool> End<B, T, SENDS> {
    fn from_parts(cap: &B::Cap) -> Result<(B::Map, B::Blockpoint, B::Blockpoint, u32), ErrorKind> {
        let missing = ErrorKind::Invalid;
        let capacity = u32::try_from(cap.desc().capacity).map_err(|_| missing)?;
        // SAFETY: `accepts` compared the kind: it is this one.
        let memory = unsafe { cap.mem(0) }.ok_or(missing)?;
        let holes = memory.map(BOTH).map_err(|error| error.kind())?;
        let bytes = bytes::<T>(capacity).filter(|bytes| *bytes <= holes.len()).ok_or(missing)?;
        debug_assert!(bytes > 0);
        let (signal, wait) = (cap.blockpoint(0), cap.blockpoint(1));
        Ok((holes, signal.ok_or(missing)?, wait.ok_or(missing)?, capacity))
    }

    /// Where the hole begins that is next for this end.
    fn hole(&self) -> u64 {
        self.position % u64::from(self.capacity) * stride::<T>()
    }

    fn state_at(&self, offset: u64) -> u64 {
        self.holes.load(offset).unwrap_or(EMPTY)
    }

    fn is_next(&self, state: u64) -> bool {
        self.state_at(self.hole()) == state
    }

    fn set(&self, state: u64) {
        if let Ok(word) = self.holes.word(self.hole()) {
            word.store(state, Release);
        }
    }

    fn queued(&self) -> u32 {
        let holes = 0..u64::from(self.capacity);
        holes.filter(|hole| self.state_at(hole * stride::<T>()) == TAKEN).count() as u32
    }

    fn stats(&self) -> Stats {
        Stats { messages: self.position, ..Stats::default() }
    }

    /// Takes the last message out again, if the receiver has not.
    fn retract(&mut self) -> bool {
        self.position -= 1;
        let word = self.holes.word(self.hole());
        let back =
            word.is_ok_and(|word| word.compare_exchange(TAKEN, EMPTY, AcqRel, Acquire).is_ok());
        self.position += u64::from(!back);
        back
    }

    fn put(&mut self, message: T) -> Result<(), TrySendError<T>> {
        if !self.is_next(EMPTY) {
            return Err(TrySendError::Full(message));
        }
        // The end of the hole is within the memory: that was checked when it was attached.
        let _ = self.holes.copy_in(self.hole() + WORD, message.as_bytes());
        self.set(TAKEN);
        self.position += 1;
        match self.signal.trigger(Wake::All) {
            None => Ok(()),
            Some(Gone::Closed) if !self.retract() => Ok(()),
            Some(gone) => Err(TrySendError::Gone(message, gone)),
        }
    }

    fn get(&mut self) -> Result<T, TryRecvError> {
        if !self.is_next(TAKEN) {
            return Err(TryRecvError::Empty);
        }
        let mut bytes = vec![0; size_of::<T>()];
        let copied = self.holes.copy_out(self.hole() + WORD, &mut bytes);
        self.set(EMPTY);
        self.position += 1;
        if self.signal.trigger(Wake::All) == Some(Gone::Revoked) {
            return Err(TryRecvError::Gone(Gone::Revoked));
        }
        let message = copied.ok().and_then(|()| T::try_read_from_bytes(&bytes).ok());
        message.ok_or(TryRecvError::Gone(Gone::Misbehaved))
    }
}

impl<B: Backend, T: Message> Sender for End<B, T, true> {
    type Msg = T;

    fn try_send(&mut self, message: T) -> Result<(), TrySendError<T>> {
        let message = match self.put(message) {
            Err(TrySendError::Full(message)) => message,
            result => return result,
        };
        // Once more, so that the close is seen, and a group that watches is told.
        let seen = self.wait.snapshot();
        match self.put(message) {
            Err(TrySendError::Full(message)) => Err(match self.wait.idle(seen, None) {
                None => TrySendError::Full(message),
                Some(gone) => TrySendError::Gone(message, gone),
            }),
            result => result,
        }
    }

    fn send_until(&mut self, mut message: T, deadline: Deadline) -> Result<(), SendError<T>> {
        loop {
            message = match self.put(message) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(message)) => message,
                Err(TrySendError::Gone(message, gone)) => {
                    return Err(SendError::Gone(message, gone));
                }
                Err(TrySendError::Refused(message, kind)) => {
                    return Err(SendError::Refused(message, kind));
                }
            };
            match self.wait.wait_until(deadline, || self.is_next(EMPTY).then_some(())) {
                Ok(()) => {}
                Err(WaitError::TimedOut) => return Err(SendError::TimedOut(message)),
                Err(WaitError::Gone(gone)) => return Err(SendError::Gone(message, gone)),
            }
        }
    }

    fn capacity(&self) -> u32 {
        self.capacity
    }

    fn len(&self) -> u32 {
        self.queued()
    }

    fn gone(&self) -> Option<Gone> {
        self.wait.told(Side::Waiters)
    }

    fn stats(&self) -> Stats {
        self.stats()
    }
}

impl<B: Backend, T: Message> Receiver for End<B, T, false> {
    type Msg = T;

    fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.get() {
            // Once more, so that the close is seen after what was sent before it, and a group
            // that watches is told.
            Err(TryRecvError::Empty) => {
                let seen = self.wait.snapshot();
                match self.get() {
                    Err(TryRecvError::Empty) => Err(self
                        .wait
                        .idle(seen, None)
                        .map_or(TryRecvError::Empty, TryRecvError::Gone)),
                    found => found,
                }
            }
            found => found,
        }
    }

    fn recv_until(&mut self, deadline: Deadline) -> Result<T, RecvError> {
        loop {
            match self.get() {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Empty) => {}
                Err(why) => return Err(why.into()),
            }
            match self.wait.wait_until(deadline, || self.is_next(TAKEN).then_some(())) {
                Ok(()) => {}
                Err(WaitError::TimedOut) => return Err(RecvError::TimedOut),
                Err(WaitError::Gone(gone)) => return Err(RecvError::Gone(gone)),
            }
        }
    }

    fn capacity(&self) -> u32 {
        self.capacity
    }

    fn len(&self) -> u32 {
        self.queued()
    }

    fn gone(&self) -> Option<Gone> {
        self.wait.told(Side::Waiters)
    }

    fn stats(&self) -> Stats {
        self.stats()
    }
}

impl<B: Backend, T: Message, const SENDS: bool> Source<B::Blockpoint> for End<B, T, SENDS> {
    fn source_kind(&self) -> SourceKind {
        if SENDS { SourceKind::Sender } else { SourceKind::Receiver }
    }

    fn blockpoint(&self) -> &B::Blockpoint {
        &self.wait
    }

    fn ready(&self) -> bool {
        self.is_next(if SENDS { EMPTY } else { TAKEN }) || self.wait.told(Side::Waiters).is_some()
    }
}

impl<B: Backend, T: Message, const SENDS: bool> IntoCap<B::Cap> for End<B, T, SENDS> {
    fn into_cap(mut self) -> B::Cap {
        self.cap.set_state(self.position);
        self.cap
    }
}

impl<B: Backend, T: Message, const SENDS: bool> FromCap<B::Cap> for End<B, T, SENDS> {
    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        desc.expect(if SENDS { Role::Snd } else { Role::Rcv }, ID, T::TAG)
    }

    fn attach(cap: B::Cap) -> Result<Self, CastError<B::Cap>> {
        let needs = if SENDS { Rights::WRITE } else { Rights::READ };
        if !cap.rights().contains(needs) {
            return Err(CastError::new(cap, CastReason::Parts(ErrorKind::Denied)));
        }
        match Self::from_parts(&cap) {
            Ok((holes, signal, wait, capacity)) => {
                let position = cap.state();
                Ok(Self { holes, capacity, position, signal, wait, cap, of: PhantomData })
            }
            Err(kind) => Err(CastError::new(cap, CastReason::Parts(kind))),
        }
    }
}
