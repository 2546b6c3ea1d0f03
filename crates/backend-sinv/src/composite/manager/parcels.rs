//! Capabilities on their way: in escrow from the moment that they are given until somebody has them
//! (H10).

use backend_local::parcel::{AnyParcel, Piece};
use res_api::{ErrorKind, Gone, Name, Rights};

use super::objects::Objects;
use super::queues::Queues;
use super::{Page, Result, State};
use crate::composite::encoded::{Encoded, Over};
use crate::composite::page::{OBJECT, OBJECTS, PARCEL};
use crate::ends::{ComponentId, Parting, TRANSIT};
use crate::wire::Wire;

/// Those of a system.
pub(super) const PARCELS: usize = 32;
/// Those that one component has given.
const OF_ONE: usize = 16;

/// Which one.
pub(super) type ParcelId = usize;

/// What capabilities are made of.
pub(super) type All<'a> = (&'a mut Objects, &'a mut Queues);

/// Room for a capability on its way.
struct Parcel {
    /// None: it is free.
    giver: Option<ComponentId>,
    /// Nobody will have it.
    is_lost: bool,
    len: usize,
    bytes: [u8; PARCEL],
}

impl Parcel {
    /// It was checked when it came.
    fn encoded(&self) -> Option<Encoded<'_>> {
        Encoded::checked(self.bytes.get(..self.len)?)
    }
}

/// All that is on its way.
pub(super) struct Parcels([Parcel; PARCELS]);

/// The objects of a capability, each once.
#[derive(Default)]
struct Needed {
    objects: [u64; OBJECTS],
    count: usize,
}

impl Needed {
    fn of(parcel: &Encoded<'_>) -> Result<Self> {
        let (mut needed, mut fits) = (Self::default(), true);
        references(parcel, &mut |object| {
            if !needed.all().contains(&object) {
                match needed.objects.get_mut(needed.count) {
                    Some(place) => {
                        *place = object;
                        needed.count += 1;
                    }
                    None => fits = false,
                }
            }
        });
        if fits { Ok(needed) } else { Err(ErrorKind::NoSlots) }
    }

    fn all(&self) -> &[u64] {
        &self.objects[..self.count]
    }
}

/// How many pieces refer to an object.
fn references(parcel: &Encoded<'_>, each: &mut dyn FnMut(u64)) {
    parcel.each(&mut |_, piece| match piece {
        Piece::Memory { object, .. } => each(*object),
        Piece::Word { word, .. } => each(word.object),
        Piece::Queue(_) | Piece::File(_) | Piece::End(_) => {}
    });
}

/// Whether all of it is the component's to give.
fn check(all: All<'_>, giver: ComponentId, parcel: &Encoded<'_>) -> Result<()> {
    let (objects, queues) = all;
    let head = parcel.head();
    if head.desc.local || !head.rights.contains(Rights::TRANSFER) {
        return Err(ErrorKind::Denied);
    }
    Needed::of(parcel)?;
    let mut verdict = Ok(());
    parcel.each(&mut |desc, piece| {
        if verdict.is_ok() {
            verdict = match piece {
                Piece::Queue(queue) => queues.holds_end(giver, *queue, desc.role),
                piece => check_piece(objects, giver, piece),
            };
        }
    });
    verdict
}

fn check_piece(objects: &mut Objects, giver: ComponentId, piece: &Piece) -> Result<()> {
    match piece {
        Piece::Word { word, side, .. } => objects.holds(giver, *word, *side),
        // Whoever gets it can write: there is no other mapping.
        Piece::Memory { rights, .. } if !rights.contains(Rights::WRITE) => Err(ErrorKind::Invalid),
        Piece::Memory { object, .. } => objects.has(giver, *object),
        Piece::File(_) => Err(ErrorKind::Invalid),
        // Whoever calls this has looked at those.
        Piece::Queue(_) | Piece::End(_) => Ok(()),
    }
}

/// What becomes of the ends of a capability that is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// The one that was on its way is the taker's.
    It,
    /// The taker gets another one of the same.
    Another,
}

impl Parcels {
    pub(super) const fn new() -> Self {
        const FREE: Parcel = Parcel { giver: None, is_lost: false, len: 0, bytes: [0; PARCEL] };
        Self([const { FREE }; PARCELS])
    }

    /// Copies what a component wants to give away, which lies in its page behind a name. It is the
    /// component's until it [sets out](Self::set_out).
    pub(super) fn accept(
        &mut self,
        all: All<'_>,
        giver: ComponentId,
        (page, len): (Page, usize),
    ) -> Result<ParcelId> {
        if self.0.iter().filter(|parcel| parcel.giver == Some(giver)).count() >= OF_ONE {
            return Err(ErrorKind::NoSlots);
        }
        let id = self.0.iter().position(|parcel| parcel.giver.is_none());
        let id = id.ok_or(ErrorKind::NoSlots)?;
        let parcel = &mut self.0[id];
        // Copied first: the giver can write to the page while it is looked at.
        page.take_from(Name::SIZE, parcel.bytes.get_mut(..len).ok_or(ErrorKind::Invalid)?);
        parcel.len = len;
        check(all, giver, &parcel.encoded().ok_or(ErrorKind::Invalid)?)?;
        Ok(id)
    }

    /// From now on it is nobody's.
    pub(super) fn set_out(
        &mut self,
        (objects, queues): All<'_>,
        giver: ComponentId,
        id: ParcelId,
    ) -> Result<()> {
        let encoded = self.encoded(id)?;
        encoded.each(&mut |desc, piece| match piece {
            Piece::Word { word, side: Some(side), kept, peer_here, .. } => {
                let parting = Parting { side: *side, kept: *kept, peer_here: *peer_here };
                objects.depart(giver, *word, parting);
            }
            Piece::Queue(queue) => queues.move_end((*queue, desc.role), Some(giver), TRANSIT),
            _ => {}
        });
        references(&encoded, &mut |object| objects.need(object));
        self.0[id].giver = Some(giver);
        Ok(())
    }

    /// Whether the component can have it; what it is.
    pub(super) fn look(
        &self,
        objects: &mut Objects,
        id: ParcelId,
        taker: ComponentId,
    ) -> Result<res_api::Role> {
        let encoded = self.encoded(id)?;
        for object in Needed::of(&encoded)?.all() {
            objects.is_for(taker, *object)?;
        }
        Ok(encoded.head().desc.role)
    }

    /// Who sent it.
    pub(super) fn sender(&self, id: ParcelId) -> Result<ComponentId> {
        self.0.get(id).and_then(|parcel| parcel.giver).ok_or(ErrorKind::Stale)
    }

    pub(super) fn encoded(&self, id: ParcelId) -> Result<Encoded<'_>> {
        self.0.get(id).and_then(Parcel::encoded).ok_or(ErrorKind::NotFound)
    }

    /// From now on it is the component's, into whose page it is put; of how many objects and bytes it
    /// is. Somebody has looked at it.
    pub(super) fn deliver(
        &mut self,
        (objects, queues): All<'_>,
        (id, taken): (ParcelId, Taken),
        (taker, page): (ComponentId, Page),
    ) -> Result<[u64; 3]> {
        let encoded = self.encoded(id)?;
        let from = if taken == Taken::It { Some(TRANSIT) } else { None };
        encoded.each(&mut |desc, piece| match piece {
            Piece::Word { word, side: Some(side), .. } => {
                if let Some(ends) = objects.ends(*word) {
                    if taken == Taken::Another {
                        ends.put_on(*side, TRANSIT);
                    }
                    ends.change_hands(*side, TRANSIT, taker);
                }
            }
            Piece::Queue(queue) => queues.move_end((*queue, desc.role), from, taker),
            _ => {}
        });
        let needed = Needed::of(&encoded)?;
        let mut bytes = [0; OBJECTS * OBJECT + PARCEL];
        for (object, place) in needed.all().iter().zip(bytes.chunks_exact_mut(OBJECT)) {
            place[..8].copy_from_slice(&object.to_le_bytes());
            let buffer = u64::from(objects.give(taker, *object)?);
            place[8..].copy_from_slice(&buffer.to_le_bytes());
        }
        self.say_who_stays(objects, id)?;
        let parcel = &self.0[id];
        let (said, len) = (needed.count * OBJECT, parcel.len);
        bytes[said..said + len].copy_from_slice(&parcel.bytes[..len]);
        page.put(&bytes[..said + len]);
        if taken == Taken::It {
            self.free(objects, id);
        }
        Ok([needed.count as u64, len as u64, 0])
    }

    /// Whoever gets an end has to know whether there are others of its side.
    fn say_who_stays(&mut self, objects: &mut Objects, id: ParcelId) -> Result<()> {
        let mut from = 0;
        loop {
            let found = self.encoded(id)?.located().find(|(at, piece)| {
                *at >= from && matches!(piece, Piece::Word { side: Some(_), .. })
            });
            let Some((at, mut piece)) = found else { return Ok(()) };
            if let Piece::Word { word, side: Some(side), kept, .. } = &mut piece {
                *kept = objects.ends(*word).is_some_and(|ends| ends.is_shared(*side));
            }
            // As long as it was: only one of its bytes is another.
            piece.put(&mut Over(&mut self.0[id].bytes[at..]));
            from = at + 1;
        }
    }

    /// Nobody will have it: to be [lost](State::lose_all) soon.
    pub(super) fn give_up(&mut self, id: ParcelId) {
        if let Some(parcel) = self.0.get_mut(id) {
            parcel.is_lost = true;
        }
    }

    fn lose(&mut self, (objects, queues): All<'_>, id: ParcelId, why: Gone) {
        if let Ok(encoded) = self.encoded(id) {
            queues.leave_home(&encoded);
            encoded.each(&mut |desc, piece| match piece {
                Piece::Word { word, side: Some(side), .. } => objects.lose(*word, *side, why),
                Piece::Queue(queue) => queues.end_left(*queue, desc.role, TRANSIT),
                _ => {}
            });
        }
        self.free(objects, id);
    }

    /// It is not on its way any more.
    fn free(&mut self, objects: &mut Objects, id: ParcelId) {
        if let Ok(encoded) = self.encoded(id) {
            references(&encoded, &mut |object| objects.release(object));
        }
        if let Some(parcel) = self.0.get_mut(id) {
            (parcel.giver, parcel.is_lost, parcel.len) = (None, false, 0);
        }
    }
}

impl State {
    /// Loses all that nobody will have, and what is in the queues that only that could have emptied.
    pub(super) fn lose_all(&mut self, why: Gone) {
        loop {
            let lost = self.parcels.0.iter().position(|parcel| parcel.is_lost);
            let Some(id) = lost.or_else(|| self.queues.next_lost()) else { return };
            self.parcels.lose((&mut self.objects, &mut self.queues), id, why);
        }
    }
}
