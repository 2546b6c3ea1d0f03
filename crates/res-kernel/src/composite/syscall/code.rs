//! The kernel's error numbers.

use core::fmt;

use res_api::ErrorKind;

use crate::KernelError;

use super::Answer;

/// A failure of a system call: the kernel's number, positive.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(i32);

/// The numbers that the kernel uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[expect(missing_docs, reason = "the names are all there is to say")]
pub enum Code {
    Perm = 1,
    NoEnt = 2,
    Again = 11,
    NoMem = 12,
    Busy = 16,
    Exist = 17,
    Inval = 22,
    Overflow = 75,
    Quiescence = 256,
    CasFail = 257,
}

impl Code {
    const ALL: [Self; 10] = [
        Self::Perm,
        Self::NoEnt,
        Self::Again,
        Self::NoMem,
        Self::Busy,
        Self::Exist,
        Self::Inval,
        Self::Overflow,
        Self::Quiescence,
        Self::CasFail,
    ];

    const fn kind(self) -> ErrorKind {
        match self {
            Self::Perm => ErrorKind::Denied,
            Self::NoEnt => ErrorKind::NotFound,
            Self::NoMem => ErrorKind::NoMemory,
            Self::Exist => ErrorKind::Exists,
            Self::Inval | Self::Overflow => ErrorKind::Invalid,
            Self::CasFail => ErrorKind::Stale,
            Self::Again | Self::Busy | Self::Quiescence => ErrorKind::Other,
        }
    }
}

impl Errno {
    /// The number.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Its name, if the kernel is known to use it.
    pub fn code(self) -> Option<Code> {
        Code::ALL.into_iter().find(|code| *code as i32 == self.0)
    }

    /// The same as an error of the machine seam: `operation`, as a verb, failed.
    pub fn of(self, operation: &'static str) -> KernelError {
        let kind = self.code().map_or(ErrorKind::Other, Code::kind);
        KernelError { operation, kind, code: self.0 }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            Some(code) => write!(f, "Errno({code:?})"),
            None => write!(f, "Errno({})", self.0),
        }
    }
}

impl Answer {
    /// The answer of a system call whose result is negative where it failed.
    pub(super) const fn checked(self) -> Result<Self, Errno> {
        if self.result < 0 { Err(Errno(-self.result as i32)) } else { Ok(self) }
    }

    /// The same, where there is nothing to know but whether it failed.
    pub(super) fn done(self) -> Result<(), Errno> {
        self.checked().map(|_| ())
    }
}
