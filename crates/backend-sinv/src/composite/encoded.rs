//! A capability that was taken apart, as bytes.

use backend_local::Cap;
use backend_local::parcel::{AnyParcel, Head, Piece};
use res_api::ErrorKind;
use res_kernel::Composite;

use super::page::{PARCEL, Room};
use crate::wire::{Bytes, Sink, WITHIN, Wire, get_within};

/// A whole one; what was decoded once is decoded again as it is needed.
#[derive(Clone, Copy)]
pub(super) struct Encoded<'a> {
    bytes: &'a [u8],
    head: Head,
}

impl<'a> Encoded<'a> {
    /// All of the bytes, and no more; none where they are something else.
    pub(super) fn checked(bytes: &'a [u8]) -> Option<Self> {
        let mut from = Bytes::of(bytes);
        let Piece::End(head) = Piece::get(&mut from)? else { return None };
        get_within(&head, &mut from, WITHIN, &mut |_| ())?;
        (from.left() == 0).then_some(Self { bytes, head })
    }

    /// All pieces, and how many bytes are in front of each.
    pub(super) fn located(&self) -> impl Iterator<Item = (usize, Piece)> {
        let (len, mut from) = (self.bytes.len(), Bytes::of(self.bytes));
        core::iter::from_fn(move || {
            let at = len - from.left();
            Piece::get(&mut from).map(|piece| (at, piece))
        })
    }
}

impl AnyParcel for Encoded<'_> {
    fn head(&self) -> Head {
        self.head
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> {
        self.located().map(|(_, piece)| piece).skip(1)
    }
}

/// Takes a capability apart into the room; how many bytes that is. It stays as it is.
pub(super) fn encode(cap: &Cap<Composite>, room: &mut Room) -> Result<u32, ErrorKind> {
    let before = room.used();
    cap.pack(&mut |piece| {
        piece.put(room);
        Ok(())
    })?;
    let bytes = room.used() - before;
    if bytes <= PARCEL { Ok(bytes as u32) } else { Err(ErrorKind::NoSlots) }
}

/// As many bytes as there are, over others.
pub(super) struct Over<'a>(pub(super) &'a mut [u8]);

impl Sink for Over<'_> {
    fn append(&mut self, bytes: &[u8]) {
        let rest = core::mem::take(&mut self.0);
        let (place, rest) = rest.split_at_mut(bytes.len().min(rest.len()));
        place.copy_from_slice(&bytes[..place.len()]);
        self.0 = rest;
    }
}
