//! What can go wrong here.

use res_api::{BackendError, ErrorKind};
use res_kernel::KernelError;
use thiserror::Error;

/// A failure of the backend itself, or of the machine below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LocalError {
    /// Refused here.
    #[error("{0}")]
    Kind(#[source] ErrorKind),
    /// Refused by the machine.
    #[error("{0}")]
    Kernel(#[source] KernelError),
}

impl From<ErrorKind> for LocalError {
    fn from(kind: ErrorKind) -> Self {
        Self::Kind(kind)
    }
}

impl From<KernelError> for LocalError {
    fn from(error: KernelError) -> Self {
        Self::Kernel(error)
    }
}

impl BackendError for LocalError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Kind(kind) => *kind,
            Self::Kernel(error) => error.kind,
        }
    }
}
