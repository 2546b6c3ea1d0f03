//! Why the other side will not answer any more.

use core::fmt;

/// Why the other side of something shared is gone. Ordered: where several reasons meet, the
/// stronger (greater) one stays.
///
/// ```
/// use res_sync::Gone;
///
/// assert!(Gone::Revoked > Gone::Closed);
/// assert_eq!(Gone::from_code(Gone::PeerGone.code()), Some(Gone::PeerGone));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Gone {
    /// The other side closed in order, or this side was asked to stop.
    Closed = 1,
    /// The other side died: a panic, a kill, the end of its process.
    PeerGone = 2,
    /// The other side broke the protocol.
    Misbehaved = 3,
    /// The other side lost its capability.
    PeerRevoked = 4,
    /// This side lost its capability.
    Revoked = 5,
}

impl Gone {
    /// A fixed number, 1 to 5: three bits of the event word.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The reason with that [`code`](Self::code).
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Closed),
            2 => Some(Self::PeerGone),
            3 => Some(Self::Misbehaved),
            4 => Some(Self::PeerRevoked),
            5 => Some(Self::Revoked),
            _ => None,
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the other side has closed",
            Self::PeerGone => "the other side has died",
            Self::Misbehaved => "the other side broke the protocol",
            Self::PeerRevoked => "the other side's capability was revoked",
            Self::Revoked => "the capability was revoked",
        })
    }
}

impl core::error::Error for Gone {}
