//! What can go wrong, as types.
//!
//! Every error of the family ends its `source()` chain in an [`ErrorKind`] (or in a [`Gone`] or
//! [`WaitError`], which have a kind), so [`kind_of`] classifies any of them.

use core::fmt;

use thiserror::Error;

use crate::{Gone, WaitError};

/// The class of a failure. The codes are fixed, never 0 and may cross a domain.
///
/// ```
/// use res_api::ErrorKind;
///
/// assert_eq!(ErrorKind::from_code(ErrorKind::NotFound.code()), Some(ErrorKind::NotFound));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
#[repr(u32)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No memory left, or more asked for than can be.
    #[error("no memory left")]
    NoMemory = 1,
    /// A pool or table is full, or a limit reached.
    #[error("no slot left")]
    NoSlots = 2,
    /// The rights do not allow it.
    #[error("the rights do not allow it")]
    Denied = 3,
    /// Nothing of that name.
    #[error("nothing of that name")]
    NotFound = 4,
    /// That name, or place, is taken.
    #[error("taken already")]
    Exists = 5,
    /// A capability is of another type than asked for.
    #[error("of another type than asked for")]
    TypeMismatch = 6,
    /// What it named has been replaced or has gone.
    #[error("names what has gone")]
    Stale = 7,
    /// The other side died.
    #[error("the other side has died")]
    PeerGone = 8,
    /// The other side broke the protocol.
    #[error("the other side broke the protocol")]
    Misbehaved = 9,
    /// A capability was revoked.
    #[error("a capability was revoked")]
    Revoked = 10,
    /// The deadline passed.
    #[error("the deadline passed")]
    TimedOut = 11,
    /// An argument, or the state for that call, makes no sense.
    #[error("makes no sense here")]
    Invalid = 12,
    /// The other side has closed.
    #[error("the other side has closed")]
    Closed = 13,
    /// Anything else; the error itself says more.
    #[error("failed")]
    Other = 14,
}

impl ErrorKind {
    const ALL: [Self; 14] = [
        Self::NoMemory,
        Self::NoSlots,
        Self::Denied,
        Self::NotFound,
        Self::Exists,
        Self::TypeMismatch,
        Self::Stale,
        Self::PeerGone,
        Self::Misbehaved,
        Self::Revoked,
        Self::TimedOut,
        Self::Invalid,
        Self::Closed,
        Self::Other,
    ];

    /// A fixed number, never 0.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The kind with that [`code`](Self::code).
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl From<Gone> for ErrorKind {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Closed => Self::Closed,
            Gone::PeerGone => Self::PeerGone,
            Gone::Misbehaved => Self::Misbehaved,
            Gone::PeerRevoked | Gone::Revoked => Self::Revoked,
        }
    }
}

impl From<WaitError> for ErrorKind {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::TimedOut => Self::TimedOut,
            WaitError::Gone(gone) => gone.into(),
        }
    }
}

/// The class of any error: the first one of its `source()` chain that has a class.
///
/// ```
/// use res_api::{ErrorKind, Gone, RecvError, kind_of};
///
/// assert_eq!(kind_of(&RecvError::Gone(Gone::PeerGone)), ErrorKind::PeerGone);
/// assert_eq!(kind_of(&core::fmt::Error), ErrorKind::Other);
/// ```
pub fn kind_of(error: &(dyn core::error::Error + 'static)) -> ErrorKind {
    let mut next = Some(error);
    // A chain longer than this is a circle.
    for _ in 0..32 {
        let Some(error) = next else { break };
        if let Some(kind) = error.downcast_ref::<ErrorKind>() {
            return *kind;
        }
        if let Some(gone) = error.downcast_ref::<Gone>() {
            return (*gone).into();
        }
        if let Some(wait) = error.downcast_ref::<WaitError>() {
            return (*wait).into();
        }
        next = error.source();
    }
    ErrorKind::Other
}

/// The error of a backend: its own enum, with a kind, and made from one, so that generic code (a
/// channel kind) can fail in the backend's name.
///
/// ```
/// use res_api::{BackendError, ErrorKind};
///
/// fn refuse<E: BackendError>() -> E {
///     ErrorKind::Denied.into()
/// }
/// ```
pub trait BackendError: core::error::Error + From<ErrorKind> + Send + Sync + 'static {
    /// The class of this failure.
    fn kind(&self) -> ErrorKind;
}

/// Not done; what was handed over is given back.
///
/// ```
/// use res_api::{ErrorKind, Refused};
///
/// let refused = Refused { value: String::from("mine"), error: ErrorKind::NoSlots };
/// assert_eq!(refused.value, "mine");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refused<V, E> {
    /// What was handed over.
    pub value: V,
    /// Why it was refused.
    pub error: E,
}

impl<V, E> Refused<V, E> {
    /// Not done, because of `error`.
    pub fn new(value: V, error: impl Into<E>) -> Self {
        Self { value, error: error.into() }
    }
}

impl<V, E: fmt::Debug> fmt::Debug for Refused<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused({:?})", self.error)
    }
}

impl<V, E: fmt::Display> fmt::Display for Refused<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<V, E: core::error::Error + 'static> core::error::Error for Refused<V, E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Not sent now; the message is given back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// No room.
    Full(T),
    /// Nobody will receive it. It is certain that nobody has received it only for
    /// [`Gone::Closed`] (H22).
    Gone(T, Gone),
    /// It may not be sent: a capability that may not be handed on, a limit. The channel lives.
    Refused(T, ErrorKind),
}

impl<T> TrySendError<T> {
    /// The reason alone.
    pub fn without_message(self) -> TrySendError<()> {
        match self {
            Self::Full(_) => TrySendError::Full(()),
            Self::Gone(_, gone) => TrySendError::Gone((), gone),
            Self::Refused(_, kind) => TrySendError::Refused((), kind),
        }
    }

    /// The message.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(message) | Self::Gone(message, _) | Self::Refused(message, _) => message,
        }
    }
}

/// Not sent; the message is given back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendError<T> {
    /// There was no room until the deadline.
    TimedOut(T),
    /// Nobody will receive it. It is certain that nobody has received it only for
    /// [`Gone::Closed`] (H22).
    Gone(T, Gone),
    /// It may not be sent: a capability that may not be handed on, a limit. The channel lives.
    Refused(T, ErrorKind),
}

impl<T> SendError<T> {
    /// The message.
    pub fn into_inner(self) -> T {
        match self {
            Self::TimedOut(message) | Self::Gone(message, _) | Self::Refused(message, _) => message,
        }
    }
}

/// Nothing received now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing there.
    Empty,
    /// Something is there that could not be received: a capability for which there is no memory here.
    /// The channel lives. What had come half the way is lost, as if it had been received and dropped;
    /// otherwise it is there still.
    NoMemory,
    /// The same, because this component has as much as it may have.
    NoSlots,
    /// Nothing there, and nothing will come.
    Gone(Gone),
}

/// Nothing received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// Nothing came until the deadline.
    TimedOut,
    /// Something is there that could not be received: see [`TryRecvError::NoMemory`].
    NoMemory,
    /// The same: see [`TryRecvError::NoSlots`].
    NoSlots,
    /// Everything that was sent has been received, and nothing will come.
    Gone(Gone),
}

/// Whoever waits until a deadline has passed has found nothing.
impl From<TryRecvError> for RecvError {
    fn from(error: TryRecvError) -> Self {
        match error {
            TryRecvError::Empty => Self::TimedOut,
            TryRecvError::NoMemory => Self::NoMemory,
            TryRecvError::NoSlots => Self::NoSlots,
            TryRecvError::Gone(gone) => Self::Gone(gone),
        }
    }
}

static TIMED_OUT: ErrorKind = ErrorKind::TimedOut;
static NO_SLOTS: ErrorKind = ErrorKind::NoSlots;
static NO_MEMORY: ErrorKind = ErrorKind::NoMemory;
static EMPTY: ErrorKind = ErrorKind::NotFound;

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing there"),
            Self::NoMemory => write!(f, "not received: {NO_MEMORY}"),
            Self::NoSlots => write!(f, "not received: {NO_SLOTS}"),
            Self::Gone(gone) => write!(f, "nothing will come: {gone}"),
        }
    }
}

impl core::error::Error for TryRecvError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(match self {
            Self::Empty => &EMPTY,
            Self::NoMemory => &NO_MEMORY,
            Self::NoSlots => &NO_SLOTS,
            Self::Gone(gone) => gone,
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("nothing came until the deadline"),
            Self::NoMemory => write!(f, "not received: {NO_MEMORY}"),
            Self::NoSlots => write!(f, "not received: {NO_SLOTS}"),
            Self::Gone(gone) => write!(f, "nothing will come: {gone}"),
        }
    }
}

impl core::error::Error for RecvError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(match self {
            Self::TimedOut => &TIMED_OUT,
            Self::NoMemory => &NO_MEMORY,
            Self::NoSlots => &NO_SLOTS,
            Self::Gone(gone) => gone,
        })
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Gone(_, gone) => write!(f, "Gone(.., {gone:?})"),
            Self::Refused(_, kind) => write!(f, "Refused(.., {kind:?})"),
        }
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("no room"),
            Self::Gone(_, gone) => write!(f, "not sent: {gone}"),
            Self::Refused(_, kind) => write!(f, "not sent: {kind}"),
        }
    }
}

impl<T> core::error::Error for TrySendError<T> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(match self {
            Self::Full(_) => &NO_SLOTS,
            Self::Gone(_, gone) => gone,
            Self::Refused(_, kind) => kind,
        })
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(_) => f.write_str("TimedOut(..)"),
            Self::Gone(_, gone) => write!(f, "Gone(.., {gone:?})"),
            Self::Refused(_, kind) => write!(f, "Refused(.., {kind:?})"),
        }
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(_) => f.write_str("no room until the deadline"),
            Self::Gone(_, gone) => write!(f, "not sent: {gone}"),
            Self::Refused(_, kind) => write!(f, "not sent: {kind}"),
        }
    }
}

impl<T> core::error::Error for SendError<T> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(match self {
            Self::TimedOut(_) => &TIMED_OUT,
            Self::Gone(_, gone) => gone,
            Self::Refused(_, kind) => kind,
        })
    }
}
