//! What a typed client is besides its methods.

use core::fmt;
use core::time::Duration;

use res_api::{Backend, Blockpoint, Deadline, Gone, Message, Source};

use super::arguments::{Arguments, BYTES_IN, BYTES_OUT, to_bytes, to_words};
use super::{CallError, Caller, Interface};

/// What a typed client is besides its methods: a connection, and how long a call may take. A client
/// derefs to it.
///
/// ```
/// use core::time::Duration;
///
/// use chan_impls::{CallError, call, interface};
///
/// #[interface("clock", version = 1)]
/// trait Clock {
///     fn read(&mut self) -> u64;
/// }
///
/// let system = backend_local::Local::new()?;
/// let (caller, _callee) = call::pair::<_, dyn Clock>(&system)?;
/// let mut clock = ClockClient::from(caller);
/// clock.set_timeout(Duration::from_millis(1));
/// assert_eq!(clock.read(), Err(CallError::TimedOut)); // nobody serves it
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stub<B: Backend, I: ?Sized> {
    caller: Caller<B, I>,
    limit: Limit,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
enum Limit {
    By(Deadline),
    Within(Duration),
}

impl<B: Backend, I: ?Sized> From<Caller<B, I>> for Stub<B, I> {
    fn from(caller: Caller<B, I>) -> Self {
        Self { caller, limit: Limit::By(Deadline::NEVER) }
    }
}

impl<B: Backend, I: ?Sized> fmt::Debug for Stub<B, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {:?}", self.caller, self.limit)
    }
}

impl<B: Backend, I: Interface + ?Sized> Stub<B, I> {
    /// From now on calls end at that deadline. At first: never.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.limit = Limit::By(deadline);
    }

    /// From now on each call may take so long.
    pub fn set_timeout(&mut self, span: Duration) {
        self.limit = Limit::Within(span);
    }

    /// Whether the server is gone, as far as is known, and why.
    pub fn gone(&self) -> Option<Gone> {
        self.caller.gone()
    }

    /// The connection, to give away.
    pub fn into_caller(self) -> Caller<B, I> {
        self.caller
    }

    fn deadline(&self) -> Deadline {
        match self.limit {
            Limit::By(deadline) => deadline,
            Limit::Within(span) => Deadline::at(self.caller.blockpoint().now() + span),
        }
    }

    /// Calls a method. Written by [`#[interface]`](macro@crate::interface).
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn invoke<A: Arguments, R: Message>(
        &mut self,
        entry: u32,
        arguments: &A,
    ) -> Result<R, CallError> {
        let deadline = self.deadline();
        let mut words = [0; BYTES_IN];
        arguments.put(|place, bytes| {
            if A::BYTES <= BYTES_IN {
                words[place..place + bytes.len()].copy_from_slice(bytes);
                return Ok(());
            }
            self.caller.write(place as u64, bytes, deadline)
        })?;
        let answer = self.caller.call(entry, to_words(words), deadline)?;
        let answer: [u8; BYTES_OUT] = to_bytes(answer);
        let result = <(R,) as Arguments>::get(|place, bytes| {
            if size_of::<R>() <= BYTES_OUT {
                bytes.copy_from_slice(&answer[place..place + bytes.len()]);
            } else {
                // It fits: the connection has as much payload as the interface needs.
                let _ = self.caller.read(place as u64, bytes);
            }
        });
        result.map(|(result,)| result).ok_or_else(|| self.caller.distrust())
    }
}
