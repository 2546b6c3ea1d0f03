//! Why a call has no answer.

use core::fmt;

use res_api::{ErrorKind, Gone, RecvError, WaitError};

/// Why a call has no answer. Where it is [`TimedOut`](Self::TimedOut) or [`Gone`](Self::Gone),
/// nobody knows whether what was asked for has been done, or will be.
///
/// ```
/// use chan_impls::CallError;
/// use res_api::{ErrorKind, Gone, kind_of};
///
/// assert_eq!(kind_of(&CallError::Gone(Gone::PeerGone)), ErrorKind::PeerGone);
/// assert_eq!(kind_of(&CallError::Refused(ErrorKind::Denied)), ErrorKind::Denied);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// There was no answer until the deadline, as far as this side knows or the other one says.
    TimedOut,
    /// There will be no answer, to this or any other call.
    Gone(Gone),
    /// The other side says why it does not answer this one.
    Refused(ErrorKind),
    /// It does not fit into the payload.
    TooLong,
}

static TIMED_OUT: ErrorKind = ErrorKind::TimedOut;
static TOO_LONG: ErrorKind = ErrorKind::Invalid;

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no answer until the deadline"),
            Self::Gone(gone) => write!(f, "no answer will come: {gone}"),
            Self::Refused(kind) => write!(f, "the other side refused: {kind}"),
            Self::TooLong => f.write_str("it does not fit into the payload of the call"),
        }
    }
}

impl core::error::Error for CallError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(match self {
            Self::TimedOut => &TIMED_OUT,
            Self::Gone(gone) => gone,
            Self::Refused(kind) => kind,
            Self::TooLong => &TOO_LONG,
        })
    }
}

impl From<WaitError> for CallError {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::TimedOut => Self::TimedOut,
            WaitError::Gone(gone) => Self::Gone(gone),
        }
    }
}

pub(super) fn as_recv(error: WaitError) -> RecvError {
    match error {
        WaitError::TimedOut => RecvError::TimedOut,
        WaitError::Gone(gone) => RecvError::Gone(gone),
    }
}
