//! The calling end.

use core::fmt;
use core::marker::PhantomData;

use res_api::{
    Backend, CastError, CastReason, Deadline, Desc, ErrorKind, FromCap, Gone, IntoCap, Role,
    Source, SourceKind,
};

use super::end::{End, accepts};
use super::error::CallError;
use super::frame::{Answer, Asking, Question, WORDS_IN, WORDS_OUT};
use super::{Interface, frame::Frame};
use crate::queue::Misbehaved;

/// The calling end of a call, for the interface `I`: one client thread's connection to one context
/// of a server.
///
/// # Behaviour
///
/// 1. A call that times out leaves the frame abandoned: the next one waits, within its own deadline,
///    until the late answer has come, throws it away, and only then sends (H13).
/// 2. The answer is the one to this request, or none. An answer that the protocol does not allow is
///    [`Gone::Misbehaved`], now and later.
/// 3. When the other side has left, calls say why; a caller asleep wakes.
///
/// # Example
///
/// ```
/// use chan_impls::call::{self, Interface};
/// use res_api::{Backend, Deadline, Fault, Name, Tag};
///
/// /// Entry 0 adds.
/// struct Adder;
///
/// impl Interface for Adder {
///     const TAG: Tag = Tag::of::<()>(Name::new("adder"), 1, 0);
/// }
///
/// fn add<B: Backend>(b: &B) -> Result<u64, Fault> {
///     let (mut caller, mut callee) = call::pair::<B, Adder>(b)?;
///     let context = b.thread(move || {
///         callee.serve(|request| {
///             let [left, right, ..] = request.words();
///             request.reply([left + right, 0, 0]);
///         });
///     })?;
///     res_api::Thread::start(&context)?;
///     let [sum, ..] = caller.call(0, [20, 22, 0, 0], Deadline::NEVER)?;
///     Ok(sum)
/// }
/// # assert_eq!(add(&backend_local::Local::new()?)?, 42);
/// # Ok::<(), Fault>(())
/// ```
pub struct Caller<B: Backend, I: ?Sized> {
    side: Asking,
    end: End<B>,
    of: PhantomData<fn(&I)>,
}

impl<B: Backend, I: Interface + ?Sized> Caller<B, I> {
    /// Calls an entry, and waits for the answer until the deadline.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    #[inline]
    pub fn call(
        &mut self,
        entry: u32,
        words: [u64; WORDS_IN],
        deadline: Deadline,
    ) -> Result<[u64; WORDS_OUT], CallError> {
        self.settle(deadline)?;
        self.side.ask(self.end.frame(), &Question { entry, deadline, words });
        let answer = match self.end.signal() {
            None => self.answer(deadline)?,
            Some(gone) => self.last_answer(gone)?,
        };
        answer.map_err(|why| match why {
            // Whoever saw first that it had passed.
            ErrorKind::TimedOut => CallError::TimedOut,
            why => CallError::Refused(why),
        })
    }

    #[inline]
    fn answer(&mut self, deadline: Deadline) -> Result<Answer, CallError> {
        let Self { side, end, .. } = self;
        let state = side.state();
        flat(end.wait_until(deadline, state, |frame| side.look(frame))?)
    }

    /// The other side is gone; perhaps it answered before it went.
    #[cold]
    fn last_answer(&mut self, gone: Gone) -> Result<Answer, CallError> {
        flat(self.side.look(self.end.frame()).ok_or(CallError::Gone(gone))?)
    }

    /// Waits until nobody uses the frame: until the late answer to a call that timed out has come,
    /// which is thrown away. Where no call timed out there is nothing to wait for.
    ///
    /// # Errors
    ///
    /// [`CallError::TimedOut`], [`CallError::Gone`].
    #[inline]
    pub fn settle(&mut self, deadline: Deadline) -> Result<(), CallError> {
        let Self { side, end, .. } = self;
        if side.is_free() {
            return side.look(end.frame()).map_or(Ok(()), |broken| flat(broken).map(drop));
        }
        self.answer(deadline).map(drop)
    }

    /// Writes into the payload, for the next call; waits first as [`settle`](Self::settle) does.
    ///
    /// # Errors
    ///
    /// [`CallError::TooLong`], and as for [`settle`](Self::settle).
    pub fn write(
        &mut self,
        offset: u64,
        bytes: &[u8],
        deadline: Deadline,
    ) -> Result<(), CallError> {
        self.settle(deadline)?;
        self.end.write(offset, bytes)
    }

    /// Copies out of the payload what came with the last answer. The other side may have changed it
    /// since: read each byte once.
    ///
    /// # Errors
    ///
    /// [`CallError::TooLong`].
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), CallError> {
        self.end.read(offset, bytes)
    }

    /// Bytes of payload.
    pub fn payload(&self) -> u64 {
        self.end.payload()
    }

    /// Whether the other side is gone, as far as is known, and why.
    pub fn gone(&self) -> Option<Gone> {
        self.end.gone()
    }

    /// The other side answered what is no answer of the interface.
    pub(super) fn distrust(&mut self) -> CallError {
        self.side.distrust();
        CallError::Gone(Gone::Misbehaved)
    }
}

fn flat<T>(found: Result<T, Misbehaved>) -> Result<T, CallError> {
    found.map_err(|Misbehaved| CallError::Gone(Gone::Misbehaved))
}

impl<B: Backend, I: ?Sized> fmt::Debug for Caller<B, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let free = if self.side.is_free() { "free" } else { "abandoned" };
        write!(f, "Caller({free}, {} bytes of payload)", self.end.payload())
    }
}

impl<B: Backend, I: ?Sized> IntoCap<B::Cap> for Caller<B, I> {
    fn into_cap(self) -> B::Cap {
        self.end.into_cap(self.side.state())
    }
}

impl<B: Backend, I: Interface + ?Sized> FromCap<B::Cap> for Caller<B, I> {
    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        accepts::<I>(desc, Role::Caller)
    }

    fn attach(cap: B::Cap) -> Result<Self, CastError<B::Cap>> {
        let (end, state) = End::attach(cap)?;
        Ok(Self { side: Asking::of_state(state), end, of: PhantomData })
    }
}

/// Ready: a call would not wait for a late answer, or would say why there will be none.
impl<B: Backend, I: ?Sized> Source<B::Blockpoint> for Caller<B, I> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Caller
    }

    fn blockpoint(&self) -> &B::Blockpoint {
        self.end.blockpoint()
    }

    fn ready(&self) -> bool {
        let answered = |frame: &Frame<B::Model>| self.side.is_answered(frame);
        self.side.is_free() || answered(self.end.frame()) || self.end.gone().is_some()
    }
}
