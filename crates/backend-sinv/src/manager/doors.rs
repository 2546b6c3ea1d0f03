//! Doors: how several components send over one queue.
//!
//! Whoever looks up a sending end gets one of its own, a door: a queue from which only the manager
//! receives, at once, into that whose sending end was published. So nobody but the manager has the
//! door's memory mapped as well, and nothing that one of several senders writes is seen by another
//! one, or by the receiver (H6).
//!
//! What a door's numbers say is whether there is room for its holder: there is none where the queue
//! is full, or half of it is in use and the holder has something in it while others send as well. So
//! one that always sends leaves room for the others.

use core::sync::atomic::Ordering::Release;
use std::collections::BTreeSet;
use std::vec::Vec;

use backend_local::distant::{QUEUE_BARRIER, QUEUE_BYTES, QUEUE_NUMBERS, QUEUE_WORDS};
use backend_local::outside::WordId;
use backend_local::parcel::{Parcel, Piece};
use res_api::{ErrorKind, Gone, Role, Side};
use res_kernel::Isolation;
use res_sync::model::Atomic;

use super::effects::What;
use super::queues::Queue;
use super::{MANAGER, Result, State};
use crate::bell::word_at;
use crate::ends::{ComponentId, QueueEnds, TRANSIT};
use crate::request::Answer;

/// How many doors of one queue a component has, at most: all of them are looked at as something goes in
/// or out.
const DOORS: usize = 64;

/// The words of a queue, and which side of each a sender is on.
const SENDER: [(u32, Side); 2] =
    [(QUEUE_WORDS[0], Side::Signallers), (QUEUE_WORDS[1], Side::Waiters)];

impl<K: Isolation> State<K> {
    /// The queue of which the parcel is a sending end and nothing else.
    pub(super) fn sends_over(&self, parcel: &Parcel) -> Option<u64> {
        let [Piece::Queue(id), Piece::Memory { object, .. }, ref words @ ..] = parcel.pieces[..]
        else {
            return None;
        };
        let is_its_own = self.queues.get(&id)?.object == object;
        let places = words.iter().map(|piece| match piece {
            Piece::Word { word, side: Some(side), .. } => Some((*word, *side)),
            _ => None,
        });
        let expected = SENDER.map(|(offset, side)| Some((WordId { object, offset }, side)));
        let is_end = parcel.head.desc.role == Role::CapSnd && places.eq(expected);
        (is_end && is_its_own).then_some(id)
    }

    /// A sending end of its own for the component, of that queue, of which the parcel is one.
    pub(super) fn open_door(
        &mut self,
        client: ComponentId,
        id: u64,
        parcel: &Parcel,
    ) -> Result<Answer<K>> {
        let id = self.behind(id);
        let queue = self.queues.get(&id).ok_or(ErrorKind::Stale)?;
        if self.holders(queue).filter(|holder| *holder == client).count() >= DOORS {
            return Err(ErrorKind::NoSlots);
        }
        let (capacity, its_object, gone) = (queue.capacity, queue.object, queue.gone);
        self.may_make_queue(client)?;
        let object = self.add_memory(client, QUEUE_BYTES)?;
        let ends = QueueEnds { senders: Vec::from([TRANSIT]), receiver: Some(MANAGER) };
        let (door, mut opened) = (self.next(), Queue::new(object, capacity, client, ends));
        opened.leads_to = Some(id);
        self.queues.insert(door, opened);
        for (offset, side) in SENDER {
            if let Some(object) = self.objects.get_mut(&object) {
                let ends = &mut object.word_or(offset, QUEUE_BARRIER).ends;
                ends.put_on(side, TRANSIT);
                ends.put_on(side.other(), MANAGER);
            }
            if let Some(object) = self.objects.get_mut(&its_object) {
                object.word_or(offset, QUEUE_BARRIER).ends.put_on(side, MANAGER);
            }
        }
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.doors.insert(door);
            queue.ends.senders.push(MANAGER);
        }
        if let Some(why) = gone {
            self.tell_doors(&BTreeSet::from([door]), why);
        }
        let parcel = through(parcel, door, object);
        self.count_references(&parcel);
        let answer = self.deliver(client, parcel);
        // Others may have less room from now on.
        self.show_room(id);
        answer
    }

    /// The queue that a door leads to, or that queue.
    pub(super) fn behind(&self, id: u64) -> u64 {
        self.queues.get(&id).and_then(|queue| queue.leads_to).unwrap_or(id)
    }

    /// Whether there is room in the queue, which has doors, for one of those who have them.
    pub(super) fn has_room_for(&self, client: ComponentId, queue: &Queue) -> bool {
        has_room(client, queue, self.has_several(queue))
    }

    /// Whether several components have doors of the queue.
    fn has_several(&self, queue: &Queue) -> bool {
        let mut holders = self.holders(queue);
        holders.next().is_some_and(|first| holders.any(|other| other != first))
    }

    /// Who has doors of the queue; one that is on its way is nobody's.
    fn holders(&self, queue: &Queue) -> impl Iterator<Item = ComponentId> {
        let doors = queue.doors.iter().filter_map(|door| self.queues.get(door));
        doors.flat_map(|door| door.ends.senders.iter().copied()).filter(|it| *it != TRANSIT)
    }

    /// Who has the doors of a queue sees whether there is room, and is woken where there is.
    pub(super) fn show_room(&mut self, id: u64) {
        let Some(queue) = self.queues.get(&id) else { return };
        let (several, mut told) = (self.has_several(queue), Vec::new());
        for door in queue.doors.iter().filter_map(|door| self.queues.get(door)) {
            let holder = door.ends.senders.first().copied().unwrap_or(TRANSIT);
            let has_room = has_room(holder, queue, several);
            let queued = if has_room { queue.items.len() as u64 } else { queue.capacity.into() };
            if let Some(memory) = self.objects.get(&door.object).and_then(|object| object.memory())
            {
                // SAFETY: the object has `QUEUE_BYTES`.
                // Release: partners the Acquire of the sender.
                unsafe { word_at::<K>(memory, QUEUE_NUMBERS[0]) }.store(queued, Release);
            }
            if has_room {
                told.push(WordId { object: door.object, offset: QUEUE_WORDS[1] });
            }
        }
        told.into_iter().for_each(|word| self.tell(word, What::Trigger));
    }

    /// Nobody receives from the queue any more.
    pub(super) fn tell_doors(&mut self, doors: &BTreeSet<u64>, why: Gone) {
        for door in doors {
            let Some(object) = self.queues.get(door).map(|door| door.object) else { continue };
            for (offset, side) in SENDER {
                self.tell(WordId { object, offset }, What::Tell(side, why));
            }
        }
    }

    /// A door that nobody has any more; what nobody will receive then.
    pub(super) fn close_door(&mut self, door: u64, why: Gone) -> Vec<Parcel> {
        let Some(id) = self.queues.remove(&door).and_then(|door| door.leads_to) else {
            return Vec::new();
        };
        let Some(queue) = self.queues.get_mut(&id) else { return Vec::new() };
        queue.doors.remove(&door);
        let object = queue.object;
        // The others' messages are still there, whatever the last of several says of its end.
        let why = if why == Gone::Closed { why } else { Gone::PeerGone };
        for (offset, side) in SENDER {
            let at = WordId { object, offset };
            if self.counted_word(at).is_some_and(|word| word.ends.take_off(side, MANAGER)) {
                self.tell(at, What::Tell(side.other(), why));
            }
        }
        // Others may have more room from now on.
        self.show_room(id);
        self.end_left(id, Role::CapSnd, MANAGER, why)
    }
}

/// Whether there is room in the queue for that one, beside others or not.
fn has_room(client: ComponentId, queue: &Queue, several: bool) -> bool {
    let (len, capacity) = (queue.items.len(), queue.capacity as usize);
    let from_it = |(from, _): &(ComponentId, Parcel)| *from == client;
    let has_enough = several && len >= capacity.div_ceil(2) && queue.items.iter().any(from_it);
    len < capacity && !has_enough
}

/// The same end, through a door.
fn through(parcel: &Parcel, door: u64, its_object: u64) -> Parcel {
    let mut parcel = parcel.clone();
    for piece in &mut parcel.pieces {
        match piece {
            Piece::Queue(queue) => *queue = door,
            Piece::Memory { object, .. } => *object = its_object,
            Piece::Word { word, .. } => word.object = its_object,
            Piece::End(_) | Piece::File(_) => {}
        }
    }
    parcel
}
