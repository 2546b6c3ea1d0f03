//! The answering end.

use core::fmt;
use core::marker::PhantomData;

use res_api::{
    Backend, Blockpoint, CastError, CastReason, Deadline, Desc, ErrorKind, FromCap, Gone, IntoCap,
    Message, RecvError, Role, Source, SourceKind,
};

use super::arguments::{Arguments, BYTES_IN, BYTES_OUT, to_bytes, to_words};
use super::end::{End, accepts};
use super::error::{CallError, as_recv};
use super::frame::{Answering, Question, WORDS_IN, WORDS_OUT};
use super::{Dispatch, Interface};
use crate::queue::Misbehaved;

/// The answering end of a call, for the interface `I`. It belongs to one client thread, so whoever
/// answers may take its time, sleep, and call others.
///
/// # Behaviour
///
/// 1. Each request is given out once. One that is dropped without an answer is refused when the next
///    one is asked for.
/// 2. When the client has left, [`next`](Self::next) says why; who sleeps there wakes.
/// 3. A request that the protocol does not allow is [`Gone::Misbehaved`], now and later; it concerns
///    nobody but this client.
///
/// See [`Caller`](super::Caller) for an example.
pub struct Callee<B: Backend, I: ?Sized> {
    side: Answering,
    end: End<B>,
    of: PhantomData<fn(&I)>,
}

impl<B: Backend, I: Interface + ?Sized> Callee<B, I> {
    /// The next request; waits for it until the deadline.
    ///
    /// # Errors
    ///
    /// [`RecvError::TimedOut`], [`RecvError::Gone`].
    #[inline]
    pub fn next(&mut self, deadline: Deadline) -> Result<Request<'_, B, I>, RecvError> {
        if self.side.owes() {
            self.answer(Err(ErrorKind::Other));
        }
        let Self { side, end, .. } = self;
        let state = side.state();
        match end.wait_until(deadline, state, |frame| side.look(frame)).map_err(as_recv)? {
            Ok(question) => Ok(Request { callee: self, question }),
            Err(Misbehaved) => Err(RecvError::Gone(Gone::Misbehaved)),
        }
    }

    /// Hands each request to `handler` until there will be none; says why. A request whose deadline
    /// has passed when its turn comes is refused: nobody waits for the answer.
    pub fn serve(&mut self, mut handler: impl FnMut(Request<'_, B, I>)) -> Gone {
        loop {
            match self.next(Deadline::NEVER) {
                Ok(request) if request.is_late() => request.refuse(ErrorKind::TimedOut),
                Ok(request) => handler(request),
                Err(RecvError::Gone(gone)) => return gone,
                // There is no deadline, and words need no memory.
                Err(RecvError::TimedOut | RecvError::NoMemory | RecvError::NoSlots) => {}
            }
        }
    }

    /// Lets `server` answer each request until there will be none; says why. As
    /// [`serve`](Self::serve).
    ///
    /// ```
    /// use chan_impls::{call, interface};
    /// use res_api::{Backend, Thread};
    ///
    /// #[interface("counter", version = 1)]
    /// trait Counter {
    ///     fn add(&mut self, count: u64) -> u64;
    /// }
    ///
    /// impl Counter for u64 {
    ///     fn add(&mut self, count: u64) -> u64 {
    ///         *self += count;
    ///         *self
    ///     }
    /// }
    ///
    /// let system = backend_local::Local::new()?;
    /// let (caller, mut callee) = call::pair::<_, dyn Counter>(&system)?;
    /// let context = system.thread(move || {
    ///     callee.serve_with(&mut 40_u64);
    /// })?;
    /// context.start()?;
    /// let mut counter = CounterClient::from(caller);
    /// assert_eq!(counter.add(2)?, 42);
    /// # Ok::<(), res_api::Fault>(())
    /// ```
    pub fn serve_with(&mut self, server: &mut I) -> Gone
    where
        I: Dispatch,
    {
        self.serve(|request| server.dispatch(request))
    }

    fn answer(&mut self, answer: Result<[u64; WORDS_OUT], ErrorKind>) {
        self.side.answer(self.end.frame(), answer);
        // That the client is gone is for the next request to say.
        let _ = self.end.signal();
    }

    /// Bytes of payload.
    pub fn payload(&self) -> u64 {
        self.end.payload()
    }

    /// Whether the client is gone, as far as is known, and why.
    pub fn gone(&self) -> Option<Gone> {
        self.end.gone()
    }
}

impl<B: Backend, I: ?Sized> fmt::Debug for Callee<B, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Callee({} bytes of payload)", self.end.payload())
    }
}

impl<B: Backend, I: ?Sized> IntoCap<B::Cap> for Callee<B, I> {
    fn into_cap(self) -> B::Cap {
        self.end.into_cap(self.side.state())
    }
}

impl<B: Backend, I: Interface + ?Sized> FromCap<B::Cap> for Callee<B, I> {
    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        accepts::<I>(desc, Role::Callee)
    }

    fn attach(cap: B::Cap) -> Result<Self, CastError<B::Cap>> {
        let (end, state) = End::attach(cap)?;
        Ok(Self { side: Answering::of_state(state), end, of: PhantomData })
    }
}

/// Ready: there is a request, or there will be none.
impl<B: Backend, I: ?Sized> Source<B::Blockpoint> for Callee<B, I> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Callee
    }

    fn blockpoint(&self) -> &B::Blockpoint {
        self.end.blockpoint()
    }

    fn ready(&self) -> bool {
        self.side.is_asked(self.end.frame()) || self.end.gone().is_some()
    }
}

/// A request that waits for its answer.
///
/// ```
/// use chan_impls::call::{Interface, Request};
/// use res_api::{Backend, ErrorKind};
///
/// fn halve<B: Backend, I: Interface>(request: Request<'_, B, I>) {
///     match request.words() {
///         [number, ..] if number % 2 == 0 => request.reply([number / 2, 0, 0]),
///         _ => request.refuse(ErrorKind::Invalid),
///     }
/// }
/// ```
#[must_use = "the client waits for an answer"]
pub struct Request<'a, B: Backend, I: Interface + ?Sized> {
    callee: &'a mut Callee<B, I>,
    question: Question,
}

impl<B: Backend, I: Interface + ?Sized> fmt::Debug for Request<'_, B, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Request").field(&self.question).finish()
    }
}

impl<B: Backend, I: Interface + ?Sized> Request<'_, B, I> {
    /// Which of the entries of the interface.
    pub fn entry(&self) -> u32 {
        self.question.entry
    }

    /// What was passed in words.
    pub fn words(&self) -> [u64; WORDS_IN] {
        self.question.words
    }

    /// When the client gives up: a handler that waits for something else waits no longer than that.
    pub fn deadline(&self) -> Deadline {
        self.question.deadline
    }

    /// Whether the client has given up by now.
    pub fn is_late(&self) -> bool {
        let deadline = self.deadline();
        deadline != Deadline::NEVER && deadline.passed(self.callee.end.blockpoint().now())
    }

    /// Copies out of the payload. The client may change it meanwhile: read each byte once.
    ///
    /// # Errors
    ///
    /// [`CallError::TooLong`].
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), CallError> {
        self.callee.end.read(offset, bytes)
    }

    /// Writes into the payload, for the answer.
    ///
    /// # Errors
    ///
    /// [`CallError::TooLong`].
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), CallError> {
        self.callee.end.write(offset, bytes)
    }

    /// Bytes of payload.
    pub fn payload(&self) -> u64 {
        self.callee.end.payload()
    }

    /// Answers.
    #[inline]
    pub fn reply(self, words: [u64; WORDS_OUT]) {
        self.callee.answer(Ok(words));
    }

    /// Answers why there is no answer.
    pub fn refuse(self, why: ErrorKind) {
        self.callee.answer(Err(why));
    }

    /// It is no request of the interface: the client broke the protocol, and gets no answer to
    /// anything any more.
    pub fn reject(self) {
        self.callee.side.distrust();
    }
}

/// What [`#[interface]`](macro@crate::interface) writes.
impl<B: Backend, I: Interface + ?Sized> Request<'_, B, I> {
    /// Answers with what `method` makes of the arguments. Where these are none of their types, the
    /// request is [rejected](Self::reject).
    pub fn answer<A: Arguments, R: Message>(mut self, method: impl FnOnce(A) -> R) {
        let words: [u8; BYTES_IN] = to_bytes(self.words());
        let arguments = A::get(|place, bytes| {
            if A::BYTES <= BYTES_IN {
                bytes.copy_from_slice(&words[place..place + bytes.len()]);
            } else {
                // It fits: the connection has as much payload as the interface needs.
                let _ = self.read(place as u64, bytes);
            }
        });
        let Some(arguments) = arguments else { return self.reject() };
        let result = method(arguments);
        let bytes = result.as_bytes();
        let mut words = [0; BYTES_OUT];
        if bytes.len() <= BYTES_OUT {
            words[..bytes.len()].copy_from_slice(bytes);
        } else {
            let _ = self.write(0, bytes);
        }
        self.reply(to_words(words));
    }
}
