//! Small things that every component of the pipeline does with its ends.

use res::{Gone, Receiver, RecvError};

/// The next message; `None` once the sender has closed in order. That it died is an error.
#[inline]
pub(crate) fn next<R: Receiver>(from: &mut R) -> Result<Option<R::Msg>, RecvError> {
    match from.recv() {
        Ok(message) => Ok(Some(message)),
        Err(RecvError::Gone(Gone::Closed)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes everything that is there; whether that was the end, and an orderly one.
pub(crate) fn drained<R: Receiver>(
    from: &mut R,
    each: impl FnMut(R::Msg),
) -> Result<bool, RecvError> {
    match from.drain(each) {
        None => Ok(false),
        Some(Gone::Closed) => Ok(true),
        Some(gone) => Err(RecvError::Gone(gone)),
    }
}
