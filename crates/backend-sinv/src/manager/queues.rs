//! Queues of capabilities.
//!
//! Receiving ends may be in the queues of one another, but not in a circle: nobody could ever
//! receive them (H10). So each queue knows which one its receiving end is in.

use core::sync::atomic::Ordering::{Acquire, Release};
use std::collections::BTreeSet;
use std::vec::Vec;

use backend_local::distant::{QUEUE_BARRIER, QUEUE_BYTES, QUEUE_NUMBERS, QUEUE_WORDS};
use backend_local::outside::WordId;
use backend_local::parcel::Parcel;
use res_api::{ErrorKind, Gone, Role, Side};
use res_kernel::{Access, Isolation};
use res_sync::model::Atomic;

use super::effects::What;
use super::items::Items;
use super::{Result, State};
use crate::bell::word_at;
use crate::ends::{ComponentId, QueueEnds, each_receiving, is_end_of, is_within};
use crate::request::{Answer, Said};

/// Where the numbers of what was pushed and popped are.
const PUSHED: u64 = QUEUE_NUMBERS[0];
const POPPED: u64 = QUEUE_NUMBERS[1];

/// A queue.
pub(super) struct Queue {
    /// Where its words and numbers are.
    pub(super) object: u64,
    pub(super) capacity: u32,
    pub(super) items: Items,
    pushed: u64,
    pub(super) ends: QueueEnds<Vec<ComponentId>>,
    /// Why nobody receives from it any more.
    pub(super) gone: Option<Gone>,
    /// The sending ends of those who looked one up.
    pub(super) doors: BTreeSet<u64>,
    made_by: ComponentId,
    /// The queue that the receiving end is in.
    home: Option<u64>,
    /// The objects in which what goes over it directly is made.
    pub(super) lent: BTreeSet<u64>,
    /// Whether its receiver has asked to get nothing ahead.
    pub(super) recalled: bool,
}

impl<K: Isolation> State<K> {
    pub(super) fn make_queue(&mut self, client: ComponentId, capacity: u32) -> Result<Answer<K>> {
        if capacity == 0 {
            return Err(ErrorKind::Invalid);
        }
        let made = self.queues.values().filter(|queue| queue.made_by == client).count();
        if made >= self.limits_of(client).queues as usize {
            return Err(ErrorKind::NoSlots);
        }
        let object = self.add_memory(client, QUEUE_BYTES)?;
        if let Some(object) = self.objects.get_mut(&object) {
            for offset in QUEUE_WORDS {
                let word = object.word_or(offset, QUEUE_BARRIER);
                word.ends.begin(client);
            }
        }
        let item = self.give(client, object, Access::ReadWrite)?;
        let queue = Queue {
            object,
            capacity,
            items: Items::default(),
            pushed: 0,
            ends: QueueEnds { senders: Vec::from([client]), receiver: Some(client) },
            gone: None,
            doors: BTreeSet::new(),
            made_by: client,
            home: None,
            lent: BTreeSet::new(),
            recalled: false,
        };
        let id = self.next();
        self.queues.insert(id, queue);
        Ok(Answer { said: Said::Number(id), items: Vec::from([item]) })
    }

    /// Whether the component holds such an end of a queue, or a door.
    pub(super) fn holds_end(&self, client: ComponentId, id: u64, role: Role) -> Result<()> {
        let holds = match (self.doors.get(&id), self.queues.get(&id)) {
            (Some(door), _) => role == Role::CapSnd && door.holder == client,
            (None, Some(queue)) => queue.ends.has(role, client),
            (None, None) => return Err(ErrorKind::Stale),
        };
        if holds { Ok(()) } else { Err(ErrorKind::Denied) }
    }

    /// An end of a queue goes from one to another.
    pub(super) fn move_end(
        &mut self,
        queue: u64,
        role: Role,
        from: Option<ComponentId>,
        to: ComponentId,
    ) {
        self.move_door(queue, to);
        if let Some(queue) = self.queues.get_mut(&queue) {
            if let Some(from) = from {
                queue.ends.take_off(role, from);
            }
            queue.ends.put_on(role, to);
            queue.recalled &= role != Role::CapRcv;
        }
    }

    pub(super) fn push(&mut self, client: ComponentId, id: u64, parcel: Parcel) -> Result<Said> {
        self.holds_end(client, id, Role::CapSnd)?;
        let id = self.doors.get(&id).map_or(id, |door| door.to);
        let queue = self.queues.get(&id).ok_or(ErrorKind::Stale)?;
        if queue.ends.receiver.is_none() {
            // Its word says why, or will in a moment.
            return Err(ErrorKind::Closed);
        }
        let has_room = match queue.doors.is_empty() {
            true => self.queued(queue) < queue.capacity.into(),
            false => self.has_room_for(client, id),
        };
        if !has_room {
            return Ok(Said::NotNow());
        }
        self.may_enter(id, &parcel)?;
        self.depart_all(client, &parcel);
        self.enter(id, &parcel);
        if let Some(queue) = self.queues.get_mut(&id) {
            queue.items.push_back(client, parcel);
            queue.pushed += 1;
        }
        self.send_ahead(id);
        self.announce(id);
        self.outdated.insert(id);
        Ok(Said::Done())
    }

    /// How many were pushed and not popped. How many were popped the receiver writes, and a sender
    /// can: what is still here was not.
    fn queued(&self, queue: &Queue) -> u64 {
        let here = queue.items.len() as u64;
        let memory = self.objects.get(&queue.object).and_then(|object| object.memory());
        // SAFETY: the object has `QUEUE_BYTES`.
        let popped =
            memory.map_or(0, |memory| unsafe { word_at::<K>(memory, POPPED) }.load(Acquire));
        queue.pushed.wrapping_sub(popped).clamp(here, here.max(queue.pushed))
    }

    /// Whether a capability may be in that queue: not over its own channel, nor in a circle.
    pub(super) fn may_enter(&self, id: u64, parcel: &Parcel) -> Result<()> {
        let home = |queue| self.queues.get(&queue).and_then(|queue: &Queue| queue.home);
        let doors = self.queues.get(&id).map(|queue| &queue.doors);
        let mut doors = doors.into_iter().flatten();
        let mut may = !is_end_of(parcel, id) && !doors.any(|door| is_end_of(parcel, *door));
        each_receiving(parcel, &mut |inner| may &= !is_within(id, inner, home));
        if may { Ok(()) } else { Err(ErrorKind::Invalid) }
    }

    /// From now on the receiving ends that it has are in that queue.
    pub(super) fn enter(&mut self, id: u64, parcel: &Parcel) {
        each_receiving(parcel, &mut |inner| {
            if let Some(inner) = self.queues.get_mut(&inner) {
                inner.home = Some(id);
            }
        });
    }

    pub(super) fn receive(&mut self, client: ComponentId, id: u64) -> Result<Answer<K>> {
        self.holds_end(client, id, Role::CapRcv)?;
        if self.queues.get(&id).is_none_or(|queue| queue.items.is_empty()) {
            return Ok(Said::NotNow().into());
        }
        self.needs_room(client)?;
        let queue = self.queues.get_mut(&id).ok_or(ErrorKind::Stale)?;
        let (sender, parcel) = queue.items.pop_front().ok_or(ErrorKind::Stale)?;
        self.leave_home(&parcel);
        self.outdated.insert(id);
        self.deliver(client, parcel, sender)
    }

    pub(super) fn leave_home(&mut self, parcel: &Parcel) {
        each_receiving(parcel, &mut |inner| {
            if let Some(inner) = self.queues.get_mut(&inner) {
                inner.home = None;
            }
        });
    }

    /// Writes how many were pushed, and triggers the word that goes with it.
    fn announce(&mut self, id: u64) {
        let Some(queue) = self.queues.get(&id) else { return };
        let (object, pushed) = (queue.object, queue.pushed);
        if let Some(memory) = self.objects.get(&object).and_then(|object| object.memory()) {
            // SAFETY: the object has `QUEUE_BYTES`.
            // Release: partners the Acquire of the receiver. What came ahead was sent before.
            unsafe { word_at::<K>(memory, PUSHED) }.store(pushed, Release);
        }
        self.tell(WordId { object, offset: QUEUE_WORDS[0] }, What::Trigger);
    }

    /// An end has left by itself.
    pub(super) fn left_queue(
        &mut self,
        client: ComponentId,
        queue: u64,
        role: Role,
        why: Gone,
    ) -> Said {
        if self.holds_end(client, queue, role).is_ok() {
            self.tell_senders(queue, role, why);
            for lost in self.end_left(queue, role, client, why) {
                self.lose(lost, why);
            }
        }
        Said::Done()
    }

    /// Who waits for room, or sends, is told that the receiver has left, whether or not that has told
    /// it.
    fn tell_senders(&mut self, queue: u64, left: Role, why: Gone) {
        if left == Role::CapRcv
            && let Some(object) = self.queues.get(&queue).map(|queue| queue.object)
        {
            let [data, room] = QUEUE_WORDS.map(|offset| WordId { object, offset });
            self.tell(room, What::Tell(Side::Waiters, why));
            self.tell(data, What::Tell(Side::Signallers, why));
        }
    }

    /// An end has left; what nobody will receive any more.
    pub(super) fn end_left(
        &mut self,
        id: u64,
        role: Role,
        holder: ComponentId,
        why: Gone,
    ) -> Vec<Parcel> {
        if self.doors.contains_key(&id) {
            return self.close_door(id, why);
        }
        let Some(queue) = self.queues.get_mut(&id) else { return Vec::new() };
        queue.ends.take_off(role, holder);
        let (object, mut lost, mut lent) = (queue.object, Vec::new(), BTreeSet::new());
        if queue.ends.receiver.is_none() {
            while let Some((_, parcel)) = queue.items.pop_front() {
                lost.push(parcel);
            }
            lent = core::mem::take(&mut queue.lent);
            if queue.gone.is_none() {
                queue.gone = Some(why);
                self.tell_doors(id, why);
            }
        }
        if self.queues.get(&id).is_some_and(|queue| queue.ends.is_over()) {
            self.queues.remove(&id);
        }
        self.end_lending(object, lent, why);
        self.end_lending_unused(id);
        lost.iter().for_each(|parcel| self.leave_home(parcel));
        lost
    }

    /// The ends of queues that a component had leave with it.
    pub(super) fn leave_queues(&mut self, client: ComponentId, why: Gone) {
        let mut ends = Vec::new();
        for (id, queue) in &self.queues {
            let sends = queue.ends.senders.iter().filter(|sender| **sender == client);
            ends.extend(sends.map(|_| (*id, Role::CapSnd)));
            if queue.ends.receiver == Some(client) {
                ends.push((*id, Role::CapRcv));
            }
        }
        let doors = self.doors.iter().filter(|(_, door)| door.holder == client);
        ends.extend(doors.map(|(number, _)| (*number, Role::CapSnd)));
        for (id, role) in ends {
            for lost in self.end_left(id, role, client, why) {
                self.lose(lost, why);
            }
        }
    }
}
