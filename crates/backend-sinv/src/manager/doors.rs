//! Doors: how several components send over one queue.
//!
//! Whoever looks up a sending end gets a door: it looks like a sending end of a queue of its own, and
//! what is sent there goes into that whose end was published. So nobody but the manager has the
//! door's memory mapped as well, and nothing that one of several senders writes is seen by another
//! one, or by the receiver (H6).
//!
//! A door says how full the queue is for its holder: full where it is, or where half of it is in use
//! and the holder has something in it while others have doors as well. So one that always sends leaves
//! room for the others. What changes that (something goes in or out; a door comes, goes, or changes
//! hands) says that the doors are out of date, and they are written once behind each change.

use core::sync::atomic::Ordering::Release;
use std::vec::Vec;

use backend_local::distant::{QUEUE_BARRIER, QUEUE_BYTES, QUEUE_NUMBERS, QUEUE_WORDS};
use backend_local::outside::WordId;
use backend_local::parcel::{Head, Parcel, Piece};
use res_api::{Desc, ErrorKind, Gone, Name, Rights, Role, Side};
use res_kernel::Isolation;
use res_sync::model::Atomic;

use super::effects::What;
use super::queues::Queue;
use super::{MAIN, MANAGER, Manager, Result, State};
use crate::bell::word_at;
use crate::ends::{ComponentId, TRANSIT};
use crate::request::Answer;

/// How many doors of one queue a component opens, at most: all of them are looked at behind each change,
/// wherever it sends them.
const DOORS: usize = 64;

/// The words of a queue, and which side of each a sender is on.
const SENDER: [(u32, Side); 2] =
    [(QUEUE_WORDS[0], Side::Signallers), (QUEUE_WORDS[1], Side::Waiters)];

/// A sending end of somebody who looked it up.
pub(super) struct Door {
    /// The queue that it leads to.
    pub(super) to: u64,
    /// Where its words and numbers are.
    pub(super) object: u64,
    /// Who has it, if it is not on its way.
    pub(super) holder: ComponentId,
    opened_by: ComponentId,
    /// Whether it says that there is room.
    shows_room: bool,
}

impl<K: Isolation> Manager<K> {
    /// What was published under that name. Memory for a door is made in front of the lock, as all that
    /// components ask for.
    pub(super) fn lookup(&self, client: ComponentId, name: Name) -> Result<Answer<K>> {
        if let Some(answer) = self.within(|state| state.lookup(client, name))? {
            return Ok(answer);
        }
        let memory = self.kernel.memory(QUEUE_BYTES).map_err(|error| error.kind);
        self.within(|state| {
            let object = state.account(client, QUEUE_BYTES, memory)?;
            let answer = state.open_door(client, name, object);
            // Where that is refused, nobody has it.
            answer.inspect_err(|_| state.sweep_object(object))
        })
    }
}

impl<K: Isolation> State<K> {
    /// The queue of which there is a plain sending end under that name, and what it allows.
    pub(super) fn published_sender(&self, name: Name) -> Option<(u64, Rights)> {
        let parcel = self.names.get(&name)?.parcel.as_ref()?;
        let [Piece::Queue(id), Piece::Memory { object, .. }, ref words @ ..] = parcel.pieces[..]
        else {
            return None;
        };
        let places = words.iter().map(|piece| match piece {
            Piece::Word { word, side: Some(side), .. } => Some((*word, *side)),
            _ => None,
        });
        let expected = SENDER.map(|(offset, side)| Some((WordId { object, offset }, side)));
        let door = self.doors.get(&id);
        let of_it =
            door.map_or(self.queues.get(&id).map(|queue| queue.object), |it| Some(it.object));
        let is_end = parcel.head.desc.role == Role::CapSnd && places.eq(expected);
        let queue = door.map_or(id, |door| door.to);
        (is_end && of_it == Some(object)).then_some((queue, parcel.head.rights))
    }

    /// Whether the component may open one more.
    pub(super) fn may_open_door(&self, client: ComponentId, id: u64) -> Result<()> {
        let opened = self.doors_of(id).filter(|door| door.opened_by == client).count();
        if opened < DOORS || client == MAIN { Ok(()) } else { Err(ErrorKind::NoSlots) }
    }

    /// A door for the component, in that object.
    fn open_door(&mut self, client: ComponentId, name: Name, object: u64) -> Result<Answer<K>> {
        // All of it may be another by now.
        let (id, rights) = self.published_sender(name).ok_or(ErrorKind::NotFound)?;
        self.may_open_door(client, id)?;
        self.needs_room(client)?;
        let queue = self.queues.get(&id).ok_or(ErrorKind::Stale)?;
        let (capacity, gone, is_first) = (queue.capacity, queue.gone, queue.doors.is_empty());
        let number = self.next();
        let parcel = sender(number, object, capacity, rights);
        // All doors together are one sender of the queue, the manager.
        if is_first {
            self.become_sender(id);
        }
        for (offset, side) in SENDER {
            if let Some(object) = self.objects.get_mut(&object) {
                let ends = &mut object.word_or(offset, QUEUE_BARRIER).ends;
                ends.put_on(side, TRANSIT);
                ends.put_on(side.other(), MANAGER);
            }
        }
        let (holder, opened_by) = (TRANSIT, client);
        let door = Door { to: id, object, holder, opened_by, shows_room: true };
        self.doors.insert(number, door);
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.doors.insert(number);
        }
        if let Some(why) = gone {
            self.tell_door(number, why);
        }
        self.count_references(&parcel);
        self.deliver(client, parcel, MANAGER)
    }

    fn become_sender(&mut self, id: u64) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        queue.ends.senders.push(MANAGER);
        let object = queue.object;
        if let Some(object) = self.objects.get_mut(&object) {
            for (offset, side) in SENDER {
                object.word_or(offset, QUEUE_BARRIER).ends.put_on(side, MANAGER);
            }
        }
    }

    /// A door that nobody has any more; what nobody will receive then.
    pub(super) fn close_door(&mut self, number: u64, why: Gone) -> Vec<Parcel> {
        let Some(Door { to: id, .. }) = self.doors.remove(&number) else { return Vec::new() };
        self.outdated.insert(id);
        let Some(queue) = self.queues.get_mut(&id) else { return Vec::new() };
        queue.doors.remove(&number);
        if !queue.doors.is_empty() {
            return Vec::new();
        }
        let object = queue.object;
        // The others' messages are still there, whatever the last of several says of its end.
        let why = if why == Gone::Closed { why } else { Gone::PeerGone };
        for (offset, side) in SENDER {
            let at = WordId { object, offset };
            if self.counted_word(at).is_some_and(|word| word.ends.take_off(side, MANAGER)) {
                self.tell(at, What::Tell(side.other(), why));
            }
        }
        self.end_left(id, Role::CapSnd, MANAGER, why)
    }

    /// A door changes hands.
    pub(super) fn move_door(&mut self, number: u64, to: ComponentId) {
        if let Some(door) = self.doors.get_mut(&number) {
            door.holder = to;
            self.outdated.insert(door.to);
        }
    }

    /// The doors of a queue.
    pub(super) fn doors_of(&self, id: u64) -> impl Iterator<Item = &Door> {
        let numbers = self.queues.get(&id).into_iter().flat_map(|queue| &queue.doors);
        numbers.filter_map(|number| self.doors.get(number))
    }

    /// Whether there is room in the queue for the holder of a door.
    pub(super) fn has_room_for(&self, holder: ComponentId, id: u64) -> bool {
        let queue = self.queues.get(&id);
        queue.is_some_and(|queue| has_room(queue, holder, self.has_several(id)))
    }

    /// Whether several components have doors of the queue.
    fn has_several(&self, id: u64) -> bool {
        let mut holders = self.doors_of(id).map(|door| door.holder).filter(|it| *it != TRANSIT);
        holders.next().is_some_and(|first| holders.any(|other| other != first))
    }

    /// All doors that are out of date say what is so now; whoever waits where there is room again is
    /// woken.
    pub(super) fn show_doors(&mut self) {
        while let Some(id) = self.outdated.pop_first() {
            self.show_doors_of(id);
        }
    }

    fn show_doors_of(&mut self, id: u64) {
        let several = self.has_several(id);
        let Self { queues, doors, objects, .. } = self;
        let Some(queue) = queues.get(&id) else { return };
        let mut with_room = Vec::new();
        for number in &queue.doors {
            let Some(door) = doors.get_mut(number) else { continue };
            let shows = has_room(queue, door.holder, several);
            let queued = if shows { queue.items.len() as u64 } else { queue.capacity.into() };
            if let Some(memory) = objects.get(&door.object).and_then(|object| object.memory()) {
                // SAFETY: the object has `QUEUE_BYTES`.
                // Release: partners the Acquire of the sender.
                unsafe { word_at::<K>(memory, QUEUE_NUMBERS[0]) }.store(queued, Release);
            }
            if shows && !door.shows_room {
                with_room.push(WordId { object: door.object, offset: QUEUE_WORDS[1] });
            }
            door.shows_room = shows;
        }
        with_room.into_iter().for_each(|word| self.tell(word, What::Trigger));
    }

    /// Nobody receives from the queue any more.
    pub(super) fn tell_doors(&mut self, id: u64, why: Gone) {
        let numbers = self.queues.get(&id).map(|queue| queue.doors.clone());
        numbers.into_iter().flatten().for_each(|number| self.tell_door(number, why));
    }

    fn tell_door(&mut self, number: u64, why: Gone) {
        let Some(object) = self.doors.get(&number).map(|door| door.object) else { return };
        for (offset, side) in SENDER {
            self.tell(WordId { object, offset }, What::Tell(side, why));
        }
    }
}

/// Whether there is room in the queue for that one, where several have doors or not. (What went ahead
/// or directly before there were doors is not looked at: it can be a few more for once.)
fn has_room(queue: &Queue, holder: ComponentId, several: bool) -> bool {
    let (len, capacity) = (queue.items.len(), queue.capacity as usize);
    let has_enough = several && len >= capacity.div_ceil(2) && queue.items.has_some_of(holder);
    len < capacity && !has_enough
}

/// The sending end that a door is.
fn sender(number: u64, object: u64, capacity: u32, rights: Rights) -> Parcel {
    let memory = Piece::Memory { object, bytes: QUEUE_BYTES, rights: Rights::READ | Rights::WRITE };
    let words = SENDER.map(|(offset, side)| Piece::Word {
        word: WordId { object, offset },
        side: Some(side),
        barrier: QUEUE_BARRIER,
        kept: false,
        peer_here: false,
    });
    let pieces: Vec<_> = [Piece::Queue(number), memory].into_iter().chain(words).collect();
    let desc = Desc::plain(Role::CapSnd, capacity.into());
    let head = Head { desc, rights, state: 0, pieces: pieces.len() as u32 };
    Parcel { head, pieces }
}
