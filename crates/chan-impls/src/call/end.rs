//! What both ends of a call are: a capability, and a view of the frame and the payload behind it.

use res_api::{
    AnyCap, Backend, BackendError, Blockpoint, CastError, CastReason, Deadline, Desc, ErrorKind,
    Gone, Map, Mem, Part, Refused, Rights, Role, SharedMem, Side, Trust, WaitError, Wake,
};

use super::error::CallError;
use super::frame::{FRAME, Frame};
use super::{ID, Interface};
use crate::patience::Patience;

/// Where the payload begins, if there is one: pages of its own.
const PAYLOAD_AT: u64 = PAGE;
const PAGE: u64 = 4096;

/// Bytes of memory for a call with so many bytes of payload; `None` where that overflows.
pub(super) fn bytes(payload: u64) -> Option<u64> {
    match payload {
        0 => Some(FRAME),
        payload => payload.checked_next_multiple_of(PAGE)?.checked_add(PAYLOAD_AT),
    }
}

pub(super) struct End<B: Backend> {
    /// Waited on by the other side.
    signal: B::Blockpoint,
    /// Waited on by this side.
    wait: B::Blockpoint,
    patience: Patience,
    payload: u64,
    /// Leaves when it is dropped.
    cap: B::Cap,
    map: B::Map,
}

impl<B: Backend> End<B> {
    /// The view of an end, and its private state.
    pub(super) fn attach(cap: B::Cap) -> Result<(Self, u64), CastError<B::Cap>> {
        match Self::parts(&cap) {
            Ok((map, signal, wait)) => {
                let (payload, state) = (cap.desc().capacity, cap.state());
                let patience = Patience::default();
                Ok((Self { signal, wait, patience, payload, cap, map }, state))
            }
            Err(kind) => Err(CastError::new(cap, CastReason::Parts(kind))),
        }
    }

    fn parts(cap: &B::Cap) -> Result<(B::Map, B::Blockpoint, B::Blockpoint), ErrorKind> {
        let both = Rights::READ | Rights::WRITE;
        if !cap.rights().contains(both) {
            return Err(ErrorKind::Denied);
        }
        let bytes = bytes(cap.desc().capacity).ok_or(ErrorKind::Invalid)?;
        // SAFETY: `accepts` compared the kind; it is bundled below, and used by atomics and copies.
        let memory = unsafe { cap.mem(0) }.ok_or(ErrorKind::Invalid)?;
        let signal = cap.blockpoint(0).ok_or(ErrorKind::Invalid)?;
        let wait = cap.blockpoint(1).ok_or(ErrorKind::Invalid)?;
        let map = memory.map(both).map_err(|error| error.kind())?;
        if map.len() < bytes {
            return Err(ErrorKind::Invalid);
        }
        Ok((map, signal, wait))
    }

    pub(super) fn into_cap(mut self, state: u64) -> B::Cap {
        self.cap.set_state(state);
        self.cap
    }

    #[inline]
    pub(super) fn frame(&self) -> &Frame<B::Model> {
        // SAFETY: the map begins at a multiple of 64, is longer than a frame (`parts`) and writable,
        // and is borrowed with it. A frame is words, which are what the bytes are (`Mapped`), and
        // bytes that nobody touches.
        unsafe { self.map.base().cast().as_ref() }
    }

    /// Announces a change to the other side; what this one was told.
    #[inline]
    pub(super) fn signal(&self) -> Option<Gone> {
        self.signal.trigger(Wake::All)
    }

    /// Waits until `look` finds something, the deadline, or the other side is gone. `state` changes with
    /// what is found.
    #[inline]
    pub(super) fn wait_until<R>(
        &mut self,
        deadline: Deadline,
        state: u64,
        mut look: impl FnMut(&Frame<B::Model>) -> Option<R>,
    ) -> Result<R, WaitError> {
        if let Some(found) = look(self.frame()) {
            return Ok(found);
        }
        if deadline == Deadline::PASSED {
            return self.look_again(state, look);
        }
        for _ in 0..self.patience.rounds() {
            if let Some(found) = self.wait.spin(|| look(self.frame())) {
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
        mut look: impl FnMut(&Frame<B::Model>) -> Option<R>,
    ) -> Result<R, WaitError> {
        let start = self.wait.now();
        let result = self.wait.sleep_until(deadline, || look(self.frame()));
        self.patience.slept(self.wait.now() - start);
        result
    }

    /// Does not wait: looks once more where that is more than a repetition, so that gone is seen
    /// and a group that watches is told idle.
    #[cold]
    fn look_again<R>(
        &self,
        state: u64,
        mut look: impl FnMut(&Frame<B::Model>) -> Option<R>,
    ) -> Result<R, WaitError> {
        let seen = self.wait.snapshot();
        if !seen.watched() && seen.gone().is_none() {
            return Err(WaitError::TimedOut);
        }
        if let Some(found) = look(self.frame()) {
            return Ok(found);
        }
        Err(self.wait.idle(seen, Some(state)).map_or(WaitError::TimedOut, WaitError::Gone))
    }

    pub(super) fn blockpoint(&self) -> &B::Blockpoint {
        &self.wait
    }

    pub(super) fn gone(&self) -> Option<Gone> {
        self.wait.told(Side::Waiters)
    }

    /// Bytes of payload.
    pub(super) fn payload(&self) -> u64 {
        self.payload
    }

    /// Writes into the payload.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), CallError> {
        let at = self.place(offset, bytes.len())?;
        self.map.copy_in(at, bytes).map_err(|_| CallError::TooLong)
    }

    /// Copies out of the payload.
    pub(super) fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), CallError> {
        let at = self.place(offset, bytes.len())?;
        self.map.copy_out(at, bytes).map_err(|_| CallError::TooLong)
    }

    fn place(&self, offset: u64, len: usize) -> Result<u64, CallError> {
        let end = offset.checked_add(len as u64).ok_or(CallError::TooLong)?;
        if end > self.payload { Err(CallError::TooLong) } else { Ok(PAYLOAD_AT + offset) }
    }
}

/// Whether something that says this of itself is such an end, for that interface.
pub(super) fn accepts<I: Interface + ?Sized>(desc: &Desc, role: Role) -> Result<(), CastReason> {
    desc.expect(role, ID, I::TAG)?;
    if desc.capacity < I::PAYLOAD {
        return Err(CastReason::Parts(ErrorKind::Invalid));
    }
    Ok(())
}

/// The capabilities of both ends, calling and answering, in `memory`.
pub(super) fn bundle_in<B: Backend, I: Interface + ?Sized>(
    b: &B,
    mut memory: B::Mem,
    payload: u64,
) -> Result<(B::Cap, B::Cap), Refused<Option<B::Mem>, B::Error>> {
    let payload = payload.max(I::PAYLOAD);
    let Some(bytes) = bytes(payload) else {
        return Err(Refused::new(Some(memory), ErrorKind::Invalid));
    };
    if memory.len() < bytes {
        return Err(Refused::new(Some(memory), ErrorKind::NoMemory));
    }
    let base = core::ptr::NonNull::from(memory.bytes_mut()).cast::<Frame<B::Model>>();
    // SAFETY: private memory of enough bytes, which begins at a multiple of 64 (`Mem::bytes`).
    unsafe { base.write(Frame::new()) };
    let memory = memory.share();
    bundle::<B, I>(b, &memory, payload.next_multiple_of(PAGE))
        .map_err(|error| Refused { value: memory.unshare().ok(), error })
}

fn bundle<B: Backend, I: Interface + ?Sized>(
    b: &B,
    memory: &B::SharedMem,
    payload: u64,
) -> Result<(B::Cap, B::Cap), B::Error> {
    let called = b.blockpoint()?;
    let answered = b.blockpoint()?;
    let end = |role, signal: &B::Blockpoint, wait: &B::Blockpoint| {
        let desc = Desc { kind: ID, msg: I::TAG, trust: Trust::None, ..Desc::plain(role, payload) };
        let memory = memory.alias(Rights::READ | Rights::WRITE)?;
        let parts = [Part::Mem(memory), Part::Signal(signal.clone()), Part::Wait(wait.clone())];
        b.bundle(desc, None, parts)
    };
    Ok((end(Role::Caller, &called, &answered)?, end(Role::Callee, &answered, &called)?))
}
