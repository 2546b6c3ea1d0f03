//! Capabilities on their way: in escrow from the moment that they are given until somebody has them
//! (H10).

use std::collections::BTreeMap;
use std::vec::Vec;

use backend_local::distant::QUEUE_BYTES;
use backend_local::parcel::{AnyParcel, Parcel, Piece};
use res_api::{Desc, ErrorKind, Gone, Name, Rights, Role};
use res_kernel::{Access, Isolation, Socket};

use super::components::Stage;
use super::effects::What;
use super::{MANAGER, Published, Result, State};
use crate::ends::{ComponentId, Parting, TRANSIT};
use crate::request::{Answer, Destination, Item, Said};

/// How many endowments, or notices, go into one answer.
pub(super) const IN_ONE: usize = 64;

/// What access a part of such a capability needs that is memory, and a handle with `of_part`.
fn access_for(desc: &Desc, rights: Rights, of_part: Rights) -> Access {
    // The rights of an end speak of its messages, those of memory of its bytes.
    let rights = if desc.role == Role::Mem { of_part & rights } else { of_part };
    if rights.contains(Rights::WRITE) { Access::ReadWrite } else { Access::Read }
}

/// The objects of a parcel, each once, with the access that they are needed with.
fn objects_of(parcel: &Parcel) -> BTreeMap<u64, Access> {
    let mut objects = BTreeMap::new();
    parcel.each(&mut |desc, piece| {
        let (object, access) = match piece {
            Piece::Memory { object, rights, .. } => {
                (*object, access_for(desc, parcel.head.rights, *rights))
            }
            Piece::Word { word, .. } => (word.object, Access::ReadWrite),
            Piece::File(file) => (*file, Access::Read),
            Piece::Queue(_) | Piece::End(_) => return,
        };
        let needed = objects.entry(object).or_insert(access);
        if access == Access::ReadWrite {
            *needed = access;
        }
    });
    objects
}

/// How many pieces refer to an object.
fn references(parcel: &Parcel, each: &mut dyn FnMut(u64)) {
    parcel.each(&mut |_, piece| match piece {
        Piece::Memory { object, .. } | Piece::File(object) => each(*object),
        Piece::Word { word, .. } => each(word.object),
        Piece::Queue(_) | Piece::End(_) => {}
    });
}

impl<K: Isolation> State<K> {
    pub(super) fn export(
        &mut self,
        client: ComponentId,
        to: Destination,
        parcel: Parcel,
    ) -> Result<Said> {
        self.check(client, &parcel)?;
        match to {
            Destination::Endowment(component, name) => {
                let target = self.client(component)?;
                if target.creator != client {
                    return Err(ErrorKind::Denied);
                }
                if target.stage != Stage::Made {
                    return Err(ErrorKind::Invalid);
                }
                if target.endowments.iter().any(|(taken, _)| *taken == name) {
                    return Err(ErrorKind::Exists);
                }
                self.depart_all(client, &parcel);
                self.client(component)?.endowments.push((name, Some(parcel)));
            }
            Destination::Name(name) => {
                if self.names.contains_key(&name) {
                    return Err(ErrorKind::Exists);
                }
                let owned = self.names.values().filter(|name| name.owner == client).count();
                if owned >= self.limits_of(client).names as usize {
                    return Err(ErrorKind::NoSlots);
                }
                self.depart_all(client, &parcel);
                self.names.insert(name, Published { owner: client, parcel: Some(parcel) });
            }
            Destination::Queue(queue) => return self.push(client, queue, parcel),
        }
        Ok(Said::Done())
    }

    /// Whether all of it is the component's to give.
    pub(super) fn check(&self, client: ComponentId, parcel: &Parcel) -> Result<()> {
        if parcel.head.desc.local || !parcel.head.rights.contains(Rights::TRANSFER) {
            return Err(ErrorKind::Denied);
        }
        if objects_of(parcel).len() > K::Socket::MOST_OBJECTS {
            return Err(ErrorKind::NoSlots);
        }
        let mut verdict = Ok(());
        parcel.each(&mut |desc, piece| {
            if verdict.is_ok() {
                verdict = self.check_piece(client, parcel.head.rights, desc, piece);
            }
        });
        verdict
    }

    fn check_piece(
        &self,
        client: ComponentId,
        rights: Rights,
        desc: &Desc,
        piece: &Piece,
    ) -> Result<()> {
        match piece {
            // Nobody could say who is the last of several.
            Piece::Word { word, kept: true, .. } if self.is_lent(word.object) => {
                Err(ErrorKind::Invalid)
            }
            Piece::Word { word, side, .. } => self.holds(client, *word, *side),
            Piece::Queue(queue) => self.holds_end(client, *queue, desc.role),
            Piece::Memory { object, rights: of_memory, .. } => {
                let object = self.objects.get(object).ok_or(ErrorKind::Stale)?;
                let has = object.access_of(client).ok_or(ErrorKind::Denied)?;
                let enough = has == Access::ReadWrite
                    || access_for(desc, rights, *of_memory) == Access::Read;
                let is_memory = object.memory().is_some();
                if enough && is_memory { Ok(()) } else { Err(ErrorKind::Denied) }
            }
            Piece::File(file) => {
                let object = self.objects.get(file).ok_or(ErrorKind::Stale)?;
                let has = object.access_of(client).is_some() && object.memory().is_none();
                if has { Ok(()) } else { Err(ErrorKind::Denied) }
            }
            Piece::End(_) => Ok(()),
        }
    }

    /// It is nobody's any more.
    pub(super) fn depart_all(&mut self, client: ComponentId, parcel: &Parcel) {
        parcel.each(&mut |desc, piece| match piece {
            Piece::Word { word, side: Some(side), barrier, kept, peer_here } => {
                let parting = Parting { side: *side, kept: *kept, peer_here: *peer_here };
                self.depart(client, *word, *barrier, parting);
                if let Some(object) = self.objects.get_mut(&word.object) {
                    object.end = Some(*desc).filter(|_| object.lent.is_none());
                }
            }
            Piece::Queue(queue) => self.move_end(*queue, desc.role, Some(client), TRANSIT),
            _ => {}
        });
        self.count_references(parcel);
    }

    /// Another one like it is on its way as well.
    fn depart_again(&mut self, parcel: &Parcel) {
        parcel.each(&mut |desc, piece| match piece {
            Piece::Word { word: id, side: Some(side), .. } => {
                if let Some(word) = self.counted_word(*id) {
                    word.ends.put_on(*side, TRANSIT);
                }
            }
            Piece::Queue(queue) => self.move_end(*queue, desc.role, None, TRANSIT),
            _ => {}
        });
        self.count_references(parcel);
    }

    pub(super) fn count_references(&mut self, parcel: &Parcel) {
        references(parcel, &mut |object| {
            if let Some(object) = self.objects.get_mut(&object) {
                object.transit += 1;
            }
        });
    }

    fn uncount_references(&mut self, parcel: &Parcel) {
        references(parcel, &mut |id| {
            if let Some(object) = self.objects.get_mut(&id) {
                object.transit -= 1;
            }
            self.sweep_object(id);
        });
    }

    /// From now on it is the component's, which has room; what that is told.
    pub(super) fn deliver(
        &mut self,
        client: ComponentId,
        mut parcel: Parcel,
        sender: ComponentId,
    ) -> Result<Answer<K>> {
        let items = self.items_for(client, &parcel)?;
        self.say_who_stays(&mut parcel);
        self.hand_over(client, &parcel)?;
        Ok(Answer { said: Said::Parcel(parcel, sender), items })
    }

    /// Whether its limits let the component have one thing more.
    pub(super) fn has_room(&mut self, client: ComponentId) -> Result<bool> {
        let room = self.limits_of(client).objects as usize;
        Ok(self.client(client)?.objects.len() < room)
    }

    /// Looked at before anything is taken for the component: it can make room, and ask again.
    pub(super) fn needs_room(&mut self, client: ComponentId) -> Result<()> {
        if self.has_room(client)? { Ok(()) } else { Err(ErrorKind::NoSlots) }
    }

    /// What goes along with a parcel: its objects, or that the component uses them already.
    pub(super) fn items_for(&self, client: ComponentId, parcel: &Parcel) -> Result<Vec<Item<K>>> {
        let mut items = Vec::new();
        for (id, access) in objects_of(parcel) {
            let object = self.objects.get(&id).ok_or(ErrorKind::Stale)?;
            let used = object.is_used(client, access);
            items.push(if used { Item::Known(id) } else { object.item(id, access) });
        }
        Ok(items)
    }

    /// From now on it is the component's.
    pub(super) fn hand_over(&mut self, client: ComponentId, parcel: &Parcel) -> Result<()> {
        self.change_hands(parcel, TRANSIT, client);
        for (id, access) in objects_of(parcel) {
            self.give(client, id, access)?;
        }
        self.uncount_references(parcel);
        Ok(())
    }

    /// The ends of a parcel that are `from`'s are `to`'s.
    pub(super) fn change_hands(&mut self, parcel: &Parcel, from: ComponentId, to: ComponentId) {
        parcel.each(&mut |desc, piece| match piece {
            Piece::Word { word: id, side: Some(side), .. } => {
                if let Some(word) = self.counted_word(*id) {
                    word.ends.change_hands(*side, from, to);
                }
            }
            Piece::Queue(queue) => self.move_end(*queue, desc.role, Some(from), to),
            _ => {}
        });
    }

    /// Whoever gets an end has to know whether there are others of its side: as many as before it
    /// changes hands.
    pub(super) fn say_who_stays(&self, parcel: &mut Parcel) {
        for piece in &mut parcel.pieces {
            if let Piece::Word { word: id, side: Some(side), kept, .. } = piece {
                let object = self.objects.get(&id.object);
                let word = object.and_then(|object| object.word(id.offset));
                *kept = word.is_some_and(|word| word.ends.is_shared(*side));
            }
        }
    }

    /// It is lost on its way, and so is what is in the queues that only it could have emptied.
    pub(super) fn lose(&mut self, parcel: Parcel, why: Gone) {
        let mut lost = Vec::from([parcel]);
        while let Some(parcel) = lost.pop() {
            let (mut told, mut queues) = (Vec::new(), Vec::new());
            parcel.each(&mut |desc, piece| match piece {
                Piece::Word { word: id, side: Some(side), .. } => {
                    let word = self.counted_word(*id);
                    let is_last = word.map(|word| word.ends.take_off(*side, TRANSIT));
                    if is_last.unwrap_or_else(|| self.is_lent(id.object)) {
                        told.push((*id, side.other()));
                    }
                }
                Piece::Queue(queue) => queues.push((*queue, desc.role)),
                _ => {}
            });
            for (id, side) in told {
                self.tell(id, What::Tell(side, why));
            }
            for (queue, role) in queues {
                lost.extend(self.end_left(queue, role, TRANSIT, why));
            }
            self.uncount_references(&parcel);
        }
    }

    pub(super) fn take(&mut self, client: ComponentId, name: Name) -> Result<Answer<K>> {
        let is_there =
            |(known, parcel): &(Name, Option<Parcel>)| *known == name && parcel.is_some();
        let found = self.client(client)?.endowments.iter().position(is_there);
        let found = found.ok_or(ErrorKind::NotFound)?;
        self.needs_room(client)?;
        let parcel = self.client(client)?.endowments[found].1.take();
        self.deliver(client, parcel.ok_or(ErrorKind::NotFound)?, MANAGER)
    }

    pub(super) fn endowments(&mut self, client: ComponentId, start: u32) -> Result<Said> {
        let untaken = self.client(client)?.untaken();
        Ok(Said::Endowments(untaken.skip(start as usize).take(IN_ONE).collect()))
    }

    /// What was published under that name. `None` for a sending end, which stays where it is: memory
    /// for a door has been reserved.
    pub(super) fn lookup(&mut self, client: ComponentId, name: Name) -> Result<Option<Answer<K>>> {
        self.client(client)?.requests += 1;
        if !self.limits_of(client).lookups.allow(name) {
            return Err(ErrorKind::Denied);
        }
        let shared = self.names.get(&name).and_then(|published| published.parcel.as_ref());
        let role = shared.ok_or(ErrorKind::NotFound)?.head.desc.role;
        self.needs_room(client)?;
        if let Some((queue, _)) = self.published_sender(name) {
            self.may_open_door(client, queue)?;
            self.reserve(client, QUEUE_BYTES)?;
            return Ok(None);
        }
        let parcel = &mut self.names.get_mut(&name).ok_or(ErrorKind::NotFound)?.parcel;
        let many = matches!(role, Role::Mem | Role::File);
        let taken = if many { parcel.clone() } else { parcel.take() };
        let taken = taken.ok_or(ErrorKind::NotFound)?;
        if many {
            self.depart_again(&taken);
        }
        self.deliver(client, taken, MANAGER).map(Some)
    }

    /// The names of a component go with it.
    pub(super) fn unpublish(&mut self, owner: ComponentId, why: Gone) {
        let owned: Vec<_> = self.names.iter().filter(|(_, it)| it.owner == owner).collect();
        let owned: Vec<Name> = owned.into_iter().map(|(name, _)| *name).collect();
        for name in owned {
            let parcel = self.names.remove(&name).and_then(|published| published.parcel);
            if let Some(parcel) = parcel {
                self.lose(parcel, why);
            }
        }
    }
}
