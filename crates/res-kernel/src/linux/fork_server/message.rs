//! What the fork server is asked for, and what it says.

use crate::Confinement;

/// Asks for a domain. Its end of a socket goes with it, and the program that it is to execute. One
/// without a program waits there for its [`Begin`]. Without a socket: for one that was asked for
/// before.
pub(super) struct Request {
    /// Names the domain.
    pub(super) number: u64,
    /// Whether somebody waits for it.
    pub(super) awaited: bool,
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
    /// A domain has ended with that code, or by that signal. Until this has been said, the number of
    /// its process is nobody else's.
    Exited {
        number: u64,
        code: u64,
    },
    Killed {
        number: u64,
        signal: u64,
    },
}

type Words<const N: usize> = [[u8; 8]; N];

impl Request {
    pub(super) const BYTES: usize = size_of::<Words<2>>();

    pub(super) fn bytes(&self) -> Words<2> {
        [self.number, self.awaited.into()].map(u64::to_ne_bytes)
    }

    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks() else { return None };
        let &[number, awaited] = words else { return None };
        let [number, awaited] = [number, awaited].map(u64::from_ne_bytes);
        Some(Self { number, awaited: awaited != 0 })
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
            Self::Exited { number, code } => [2, number, code],
            Self::Killed { number, signal } => [3, number, signal],
            Self::Confined { confinement } => [4, confinement.bits().into(), 0],
        };
        words.map(u64::to_ne_bytes)
    }

    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let (words, []) = bytes.as_chunks() else { return None };
        let &[kind, number, value] = words else { return None };
        let (number, value) = (u64::from_ne_bytes(number), u64::from_ne_bytes(value));
        match u64::from_ne_bytes(kind) {
            0 => Some(Self::Forked { number, process: value }),
            1 => Some(Self::Refused { number, error: value }),
            2 => Some(Self::Exited { number, code: value }),
            3 => Some(Self::Killed { number, signal: value }),
            4 => Some(Self::Confined { confinement: Confinement::from_bits(number as u8) }),
            _ => None,
        }
    }
}
