//! Queues of capabilities.
//!
//! Receiving ends may be in the queues of one another, but not in a circle: nobody could ever
//! receive them (H10). So each queue knows which one its receiving end is in.

use backend_local::distant::{QUEUE_BYTES, QUEUE_WORDS};
use backend_local::outside::WordId;
use res_api::{ErrorKind, Gone, Role, Side};

use super::clients::Token;
use super::parcels::{PARCELS, ParcelId, Taken};
use super::{Counts, Open, Page, Result, State};
use crate::composite::encoded::Encoded;
use crate::ends::{ComponentId, Holders, QueueEnds, TRANSIT, each_receiving, is_end_of, is_within};

/// Queues of a system.
const QUEUES: usize = 32;
/// Queues that one component has made.
const OF_ONE: usize = 16;

/// A queue.
struct Queue {
    used: bool,
    /// How often it was used: part of its number.
    generation: u64,
    /// Where its words and numbers are.
    object: u64,
    capacity: u32,
    items: Items,
    pushed: u64,
    ends: QueueEnds<Counts>,
    maker: ComponentId,
    /// The queue that the receiving end is in.
    home: Option<usize>,
}

/// What is in a queue, in order.
struct Items {
    all: [ParcelId; PARCELS],
    first: usize,
    len: usize,
}

impl Items {
    const NONE: Self = Self { all: [0; PARCELS], first: 0, len: 0 };

    fn push(&mut self, item: ParcelId) {
        if self.len < PARCELS {
            self.all[(self.first + self.len) % PARCELS] = item;
            self.len += 1;
        }
    }

    fn pop(&mut self) -> Option<ParcelId> {
        self.len = self.len.checked_sub(1)?;
        let item = self.all[self.first];
        self.first = (self.first + 1) % PARCELS;
        Some(item)
    }

    fn first(&self) -> Option<ParcelId> {
        (self.len != 0).then_some(self.all[self.first])
    }
}

impl Queue {
    const EMPTY: Self = Self {
        used: false,
        generation: 0,
        object: 0,
        capacity: 0,
        items: Items::NONE,
        pushed: 0,
        ends: QueueEnds { senders: Counts::NONE, receiver: None },
        maker: TRANSIT,
        home: None,
    };

    /// It is over when it has no ends, and nothing of what was in it is still to be lost.
    fn sweep(&mut self) {
        if self.ends.is_over() && self.items.len == 0 {
            *self = Self { generation: self.generation, ..Self::EMPTY };
        }
    }
}

/// Those of a system.
pub(super) struct Queues([Queue; QUEUES]);

impl Queues {
    pub(super) const fn new() -> Self {
        Self([const { Queue::EMPTY }; QUEUES])
    }

    fn number(&self, index: usize) -> u64 {
        self.0[index].generation << 16 | (index as u64 + 1)
    }

    fn index(&self, number: u64) -> Result<usize> {
        let index = (number as u16 as usize).checked_sub(1).ok_or(ErrorKind::Stale)?;
        let queue = self.0.get(index).ok_or(ErrorKind::Stale)?;
        if queue.used && self.number(index) == number { Ok(index) } else { Err(ErrorKind::Stale) }
    }

    fn find(&mut self, number: u64) -> Result<&mut Queue> {
        let index = self.index(number)?;
        Ok(&mut self.0[index])
    }

    /// One with both of its ends at `maker`, and with its words and numbers in that object.
    fn make(&mut self, maker: ComponentId, object: u64, capacity: u32) -> Result<u64> {
        let made = self.0.iter().filter(|queue| queue.used && queue.maker == maker).count();
        let free = self.0.iter().position(|queue| !queue.used);
        let index = free.filter(|_| made < OF_ONE).ok_or(ErrorKind::NoSlots)?;
        let mut ends = QueueEnds { senders: Counts::NONE, receiver: Some(maker) };
        ends.senders.add(maker);
        let generation = self.0[index].generation + 1;
        self.0[index] =
            Queue { used: true, generation, object, capacity, ends, maker, ..Queue::EMPTY };
        Ok(self.number(index))
    }

    /// Whether an end of that kind is the component's.
    pub(super) fn holds_end(&mut self, who: ComponentId, queue: u64, role: Role) -> Result<()> {
        if self.find(queue)?.ends.has(role, who) { Ok(()) } else { Err(ErrorKind::Denied) }
    }

    /// An end of a queue goes from one to another.
    pub(super) fn move_end(
        &mut self,
        (queue, role): (u64, Role),
        from: Option<ComponentId>,
        to: ComponentId,
    ) {
        if let Ok(queue) = self.find(queue) {
            if let Some(from) = from {
                queue.ends.take_off(role, from);
            }
            queue.ends.put_on(role, to);
        }
    }

    /// An end has left. What is in a queue that nobody receives from is [lost](Self::next_lost).
    pub(super) fn end_left(&mut self, queue: u64, role: Role, holder: ComponentId) {
        if let Ok(queue) = self.find(queue) {
            queue.ends.take_off(role, holder);
            queue.sweep();
        }
    }

    /// Something that nobody will receive any more.
    pub(super) fn next_lost(&mut self) -> Option<ParcelId> {
        let has_lost = |queue: &&mut Queue| {
            queue.used && queue.ends.receiver.is_none() && queue.items.len != 0
        };
        let queue = self.0.iter_mut().find(has_lost)?;
        let item = queue.items.pop();
        queue.sweep();
        item
    }

    /// All that a capability receives from has left the queue that it was in.
    pub(super) fn leave_home(&mut self, parcel: &Encoded<'_>) {
        each_receiving(parcel, &mut |inner| {
            if let Ok(inner) = self.find(inner) {
                inner.home = None;
            }
        });
    }

    /// Whether a capability may go into that queue: not over its own channel, nor in a circle.
    fn may_go(&self, parcel: &Encoded<'_>, to: usize) -> bool {
        let home = |queue: usize| self.0[queue].home;
        let mut travels = !is_end_of(parcel, self.number(to));
        each_receiving(parcel, &mut |inner| {
            travels &= self.index(inner).is_ok_and(|inner| !is_within(to, inner, home));
        });
        travels
    }

    /// The ends that a component has leave.
    pub(super) fn bury(&mut self, who: ComponentId) {
        for queue in self.0.iter_mut().filter(|queue| queue.used) {
            queue.ends.senders.remove_all(who);
            queue.ends.receiver = queue.ends.receiver.filter(|receiver| *receiver != who);
            queue.sweep();
        }
    }
}

impl Open {
    /// A queue for a component: its number, and where its words and numbers are.
    pub(super) fn make_queue(&self, token: Token, capacity: u32) -> Result<[u64; 3]> {
        if capacity == 0 {
            return Err(ErrorKind::Invalid);
        }
        let [object, buffer, _] = self.make_memory(token, QUEUE_BYTES)?;
        let mut state = self.state.lock();
        let (who, _) = state.clients.attached(token)?;
        let made = state.queues.make(who, object, capacity);
        match made {
            Ok(queue) => {
                for offset in QUEUE_WORDS {
                    state.objects.begin(who, WordId { object, offset });
                }
                Ok([queue, object, buffer])
            }
            Err(kind) => {
                let _ = state.objects.forget(who, object);
                Err(kind)
            }
        }
    }
}

impl State {
    /// Puts what lies in the page into a queue; 0 where that is full.
    pub(super) fn send(
        &mut self,
        who: ComponentId,
        page: Page,
        (queue, len): (u64, usize),
    ) -> Result<[u64; 3]> {
        self.queues.holds_end(who, queue, Role::CapSnd)?;
        let index = self.queues.index(queue)?;
        let found = &self.queues.0[index];
        if found.ends.receiver.is_none() {
            // Its word says why, or will in a moment.
            return Err(ErrorKind::Closed);
        }
        if found.items.len >= found.capacity as usize {
            return Ok([0; 3]);
        }
        let Self { parcels, objects, queues, .. } = self;
        let parcel = parcels.accept((objects, queues), who, (page, len))?;
        if !queues.may_go(&parcels.encoded(parcel)?, index) {
            return Err(ErrorKind::Invalid);
        }
        parcels.set_out((objects, queues), who, parcel)?;
        each_receiving(&parcels.encoded(parcel)?, &mut |inner| {
            if let Ok(inner) = queues.find(inner) {
                inner.home = Some(index);
            }
        });
        let queue = &mut queues.0[index];
        queue.items.push(parcel);
        queue.pushed += 1;
        let (object, pushed) = (queue.object, queue.pushed);
        self.objects.announce(object, pushed);
        Ok([1, 0, 0])
    }

    /// What is next in a queue; the last word is 0 where it is empty.
    pub(super) fn receive(&mut self, who: ComponentId, page: Page, queue: u64) -> Result<[u64; 3]> {
        self.queues.holds_end(who, queue, Role::CapRcv)?;
        let index = self.queues.index(queue)?;
        let Some(parcel) = self.queues.0[index].items.first() else { return Ok([0; 3]) };
        let Self { parcels, objects, queues, .. } = self;
        let sender = parcels.sender(parcel)?;
        parcels.look(objects, parcel, who)?;
        queues.0[index].items.pop();
        queues.leave_home(&parcels.encoded(parcel)?);
        let [objects, bytes, _] =
            parcels.deliver((objects, queues), (parcel, Taken::It), (who, page))?;
        Ok([objects, bytes, u64::from(sender) + 1])
    }

    /// An end has left by itself.
    pub(super) fn left_queue(
        &mut self,
        who: ComponentId,
        (queue, role): (u64, Role),
        why: Gone,
    ) -> Result<()> {
        self.queues.holds_end(who, queue, role)?;
        if role == Role::CapRcv {
            // Who waits for room is told, whether or not the receiver has done so.
            let object = self.queues.find(queue)?.object;
            let room = WordId { object, offset: QUEUE_WORDS[1] };
            self.objects.tell(room, Side::Waiters, why);
        }
        self.queues.end_left(queue, role, who);
        self.lose_all(why);
        Ok(())
    }
}
