//! How requests and answers travel as bytes.
//!
//! Both sides are the same program, and neither believes the other: whatever does not decode, to
//! the last byte, is refused.

#[cfg(feature = "linux")]
use std::vec::Vec;

use backend_local::outside::WordId;
#[cfg(feature = "linux")]
use backend_local::parcel::Parcel;
use backend_local::parcel::{Head, Piece};
use core::time::Duration;
use res_api::{
    Barrier, Desc, ErrorKind, Gone, KindId, Name, Notify, Rights, Role, Side, Tag, Trust,
};
#[cfg(feature = "linux")]
use res_api::{Exit, Fault};

/// How deep ends may be within ends.
const DEPTH: u32 = 8;
/// How many pieces an end may have.
const PIECES: u32 = 64;

/// What can travel.
pub(crate) trait Wire: Sized {
    fn put(&self, to: &mut impl Sink);
    fn get(from: &mut Bytes<'_>) -> Option<Self>;

    #[cfg(feature = "linux")]
    fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.put(&mut bytes);
        bytes
    }

    /// All of the bytes, and no more.
    #[cfg(feature = "linux")]
    fn decoded(bytes: &[u8]) -> Option<Self> {
        let mut from = Bytes::of(bytes);
        let value = Self::get(&mut from)?;
        from.left.is_empty().then_some(value)
    }
}

/// Where bytes are put, one behind the other.
pub(crate) trait Sink {
    fn append(&mut self, bytes: &[u8]);
}

#[cfg(feature = "linux")]
impl Sink for Vec<u8> {
    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Bytes that are being decoded.
pub(crate) struct Bytes<'a> {
    left: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(crate) const fn of(left: &'a [u8]) -> Self {
        Self { left }
    }

    /// How many are left.
    #[cfg(feature = "composite")]
    pub(crate) const fn left(&self) -> usize {
        self.left.len()
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, left) = self.left.split_first_chunk::<N>()?;
        self.left = left;
        Some(*taken)
    }
}

macro_rules! numbers {
    ($($number:ty)*) => { $(
        impl Wire for $number {
            fn put(&self, to: &mut impl $crate::wire::Sink) {
                to.append(&self.to_le_bytes());
            }

            fn get(from: &mut Bytes<'_>) -> Option<Self> {
                from.take().map(Self::from_le_bytes)
            }
        }
    )* };
}

numbers! { u8 u32 u64 }

impl Wire for bool {
    fn put(&self, to: &mut impl Sink) {
        u8::from(*self).put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        match u8::get(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

/// One field after the other.
macro_rules! records {
    ($($record:ident { $($field:ident),* })*) => { $(
        impl Wire for $record {
            fn put(&self, to: &mut impl $crate::wire::Sink) {
                $(self.$field.put(to);)*
            }

            fn get(from: &mut Bytes<'_>) -> Option<Self> {
                $(let $field = Wire::get(from)?;)*
                Some(Self { $($field),* })
            }
        }
    )* };
}

/// A number that says which variant, then its fields.
#[cfg(feature = "linux")]
macro_rules! variants {
    ($($of:ident { $($code:literal => $variant:ident($($field:ident),*),)* })*) => { $(
        impl Wire for $of {
            fn put(&self, to: &mut impl $crate::wire::Sink) {
                match self {
                    $(Self::$variant($($field),*) => {
                        u8::put(&$code, to);
                        $($field.put(to);)*
                    })*
                }
            }

            fn get(from: &mut Bytes<'_>) -> Option<Self> {
                Some(match u8::get(from)? {
                    $($code => {
                        $(let $field = Wire::get(from)?;)*
                        Self::$variant($($field),*)
                    })*
                    _ => return None,
                })
            }
        }
    )* };
}

#[cfg(feature = "linux")]
pub(crate) use {records, variants};

records! {
    WordId { object, offset }
    Tag { name, version, size, align, layout }
    Desc { role, kind, msg, trust, capacity, lanes, lane, local, notify }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, to: &mut impl Sink) {
        self.0.put(to);
        self.1.put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Some((A::get(from)?, B::get(from)?))
    }
}

#[cfg(feature = "linux")]
impl<T: Wire> Wire for Vec<T> {
    fn put(&self, to: &mut impl Sink) {
        (self.len() as u64).put(to);
        self.iter().for_each(|item| item.put(to));
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        // Each takes a byte at least, so a number that is too large ends soon.
        (0..u64::get(from)?).map(|_| T::get(from)).collect()
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, to: &mut impl Sink) {
        self.is_some().put(to);
        if let Some(value) = self {
            value.put(to);
        }
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Some(if bool::get(from)? { Some(T::get(from)?) } else { None })
    }
}

impl Wire for Name {
    fn put(&self, to: &mut impl Sink) {
        to.append(&self.to_bytes());
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Self::from_bytes(from.take()?).ok()
    }
}

impl Wire for KindId {
    fn put(&self, to: &mut impl Sink) {
        self.to_bits().put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        u64::get(from).map(Self::from_bits)
    }
}

impl Wire for Role {
    fn put(&self, to: &mut impl Sink) {
        (*self as u32).put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Self::from_code(u32::get(from)?)
    }
}

impl Wire for Trust {
    fn put(&self, to: &mut impl Sink) {
        (*self as u32).put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Self::from_code(u32::get(from)?)
    }
}

impl Wire for Rights {
    fn put(&self, to: &mut impl Sink) {
        self.bits().put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Self::from_bits(u32::get(from)?)
    }
}

impl Wire for ErrorKind {
    fn put(&self, to: &mut impl Sink) {
        self.code().put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Self::from_code(u32::get(from)?)
    }
}

impl Wire for Gone {
    fn put(&self, to: &mut impl Sink) {
        self.code().put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Self::from_code(u32::get(from)?)
    }
}

impl Wire for Side {
    fn put(&self, to: &mut impl Sink) {
        (*self == Self::Signallers).put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Some(if bool::get(from)? { Self::Signallers } else { Self::Waiters })
    }
}

impl Wire for Barrier {
    fn put(&self, to: &mut impl Sink) {
        (*self == Self::Asymmetric).put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Some(if bool::get(from)? { Self::Asymmetric } else { Self::Fence })
    }
}

impl Wire for Duration {
    fn put(&self, to: &mut impl Sink) {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX).put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        u64::get(from).map(Self::from_nanos)
    }
}

impl Wire for Notify {
    fn put(&self, to: &mut impl Sink) {
        match self {
            Self::OnReady => 0u8.put(to),
            Self::Never { poll } => {
                1u8.put(to);
                poll.put(to);
            }
            Self::Limited { events, period, poll } => {
                2u8.put(to);
                events.put(to);
                period.put(to);
                poll.put(to);
            }
        }
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Some(match u8::get(from)? {
            0 => Self::OnReady,
            1 => Self::Never { poll: Wire::get(from)? },
            2 => {
                let (events, period) = (Wire::get(from)?, Wire::get(from)?);
                Self::Limited { events, period, poll: Wire::get(from)? }
            }
            _ => return None,
        })
    }
}

impl Wire for Head {
    fn put(&self, to: &mut impl Sink) {
        self.desc.put(to);
        self.rights.put(to);
        self.state.put(to);
        self.pieces.put(to);
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        let (desc, rights, state) = (Wire::get(from)?, Wire::get(from)?, Wire::get(from)?);
        let pieces = u32::get(from).filter(|count| *count <= PIECES)?;
        Some(Self { desc, rights, state, pieces })
    }
}

#[cfg(feature = "linux")]
impl Wire for Parcel {
    fn put(&self, to: &mut impl Sink) {
        self.head.put(to);
        self.pieces.iter().for_each(|piece| piece.put(to));
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        let (head, mut pieces) = (Head::get(from)?, Vec::new());
        get_within(&head, from, WITHIN, &mut |piece| pieces.push(piece))?;
        Some(Self { head, pieces })
    }
}

/// How deep ends may be within the one that travels.
pub(crate) const WITHIN: u32 = DEPTH - 1;

/// Decodes the pieces that are behind a head; none where ends within it are deeper than that.
pub(crate) fn get_within(
    head: &Head,
    from: &mut Bytes<'_>,
    depth: u32,
    each: &mut dyn FnMut(Piece),
) -> Option<()> {
    for _ in 0..head.pieces {
        let piece = Piece::get(from)?;
        each(piece);
        if let Piece::End(inner) = piece {
            get_within(&inner, from, depth.checked_sub(1)?, each)?;
        }
    }
    Some(())
}

impl Wire for Piece {
    fn put(&self, to: &mut impl Sink) {
        match self {
            Self::Memory { object, bytes, rights } => {
                0u8.put(to);
                object.put(to);
                bytes.put(to);
                rights.put(to);
            }
            Self::Word { word, side, barrier, kept, peer_here } => {
                1u8.put(to);
                word.put(to);
                side.put(to);
                barrier.put(to);
                kept.put(to);
                peer_here.put(to);
            }
            Self::End(inner) => {
                2u8.put(to);
                inner.put(to);
            }
            Self::Queue(queue) => {
                3u8.put(to);
                queue.put(to);
            }
            Self::File(file) => {
                4u8.put(to);
                file.put(to);
            }
        }
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Some(match u8::get(from)? {
            0 => {
                let (object, bytes) = (Wire::get(from)?, Wire::get(from)?);
                Self::Memory { object, bytes, rights: Wire::get(from)? }
            }
            1 => {
                let (word, side, barrier) = (Wire::get(from)?, Wire::get(from)?, Wire::get(from)?);
                let (kept, peer_here) = (Wire::get(from)?, Wire::get(from)?);
                Self::Word { word, side, barrier, kept, peer_here }
            }
            2 => Self::End(Wire::get(from)?),
            3 => Self::Queue(Wire::get(from)?),
            4 => Self::File(Wire::get(from)?),
            _ => return None,
        })
    }
}

/// A fault travels as its kind and its text, without the place where it was made.
#[cfg(feature = "linux")]
impl Wire for Exit {
    fn put(&self, to: &mut impl Sink) {
        match self {
            Self::Success => 0u8.put(to),
            Self::Died => 1u8.put(to),
            Self::Failed(fault) => {
                2u8.put(to);
                fault.kind().put(to);
                fault.text().as_bytes().to_vec().put(to);
            }
        }
    }

    fn get(from: &mut Bytes<'_>) -> Option<Self> {
        Some(match u8::get(from)? {
            0 => Self::Success,
            1 => Self::Died,
            2 => {
                let (kind, text) = (ErrorKind::get(from)?, Vec::<u8>::get(from)?);
                let text = std::string::String::from_utf8(text).ok()?;
                Self::Failed(Fault::new(kind, text))
            }
            _ => return None,
        })
    }
}
