//! What the fork server is asked for, and what it says.

use crate::Confinement;

/// What its composer asks for.
pub(super) enum Request {
    /// A domain of that name, and whether somebody waits for it. Its end of a socket goes with it,
    /// and the program that it is to execute. One without a program waits there for its [`Begin`].
    Fork { number: u64, awaited: bool },
    /// That the domain of that name is forked now, if it has yet to be.
    Hurry { number: u64 },
    /// That a domain is forgotten which has ended, and, if it is to be `told`, how it did. Until then
    /// the number of its process is nobody else's.
    Reap { process: u64, told: bool },
}

/// Says to a domain of this program where it begins: so far behind the beginning of the program.
pub(super) struct Begin(pub(super) u64);

/// What the fork server says.
pub(super) enum Notice {
    /// What it and its domains are kept from; the first that it says.
    Confined {
        confinement: Confinement,
    },
    /// It has forked the domain, which is that process.
    Forked {
        number: u64,
        process: u64,
    },
    /// It could not, for that error of Linux.
    Refused {
        number: u64,
        error: u64,
    },
    /// The domain that was asked about, that process, had ended with that code, or by that signal.
    Exited {
        process: u64,
        code: u64,
    },
    Killed {
        process: u64,
        signal: u64,
    },
}

type Words<const N: usize> = [[u8; 8]; N];

fn words<const N: usize>(bytes: &[u8]) -> Option<[u64; N]> {
    let (words, []) = bytes.as_chunks() else { return None };
    let words: &[_; N] = words.try_into().ok()?;
    Some(words.map(u64::from_ne_bytes))
}

impl Request {
    pub(super) const BYTES: usize = size_of::<Words<3>>();

    pub(super) fn bytes(&self) -> Words<3> {
        let words = match *self {
            Self::Fork { number, awaited } => [0, number, awaited.into()],
            Self::Hurry { number } => [1, number, 0],
            Self::Reap { process, told } => [2, process, told.into()],
        };
        words.map(u64::to_ne_bytes)
    }

    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        match words(bytes)? {
            [0, number, awaited] => Some(Self::Fork { number, awaited: awaited != 0 }),
            [1, number, _] => Some(Self::Hurry { number }),
            [2, process, told] => Some(Self::Reap { process, told: told != 0 }),
            _ => None,
        }
    }
}

impl Begin {
    pub(super) const BYTES: usize = size_of::<Words<1>>();

    pub(super) fn bytes(&self) -> Words<1> {
        [self.0.to_ne_bytes()]
    }

    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        Some(Self(u64::from_ne_bytes(bytes.try_into().ok()?)))
    }
}

impl Notice {
    pub(super) const BYTES: usize = size_of::<Words<3>>();

    pub(super) fn bytes(&self) -> Words<3> {
        let words = match *self {
            Self::Forked { number, process } => [0, number, process],
            Self::Refused { number, error } => [1, number, error],
            Self::Exited { process, code } => [2, process, code],
            Self::Killed { process, signal } => [3, process, signal],
            Self::Confined { confinement } => [4, confinement.bits().into(), 0],
        };
        words.map(u64::to_ne_bytes)
    }

    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        match words(bytes)? {
            [0, number, process] => Some(Self::Forked { number, process }),
            [1, number, error] => Some(Self::Refused { number, error }),
            [2, process, code] => Some(Self::Exited { process, code }),
            [3, process, signal] => Some(Self::Killed { process, signal }),
            [4, bits, _] => {
                Some(Self::Confined { confinement: Confinement::from_bits(bits as u8) })
            }
            _ => None,
        }
    }
}
