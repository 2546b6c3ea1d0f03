//! Memory that is lent for what goes over a queue of capabilities directly, from its sender to its
//! receiver, and is used again for the next.
//!
//! The manager does not know who holds which end in such memory, so all of it is over when one who
//! has it ends. It knows over which queues ends in it may go, and who receives there may fetch it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::vec::Vec;

use backend_local::direct::{Direct, MOST};
use backend_local::distant::{QUEUE_BYTES, QUEUE_DIRECT};
use backend_local::outside::WordId;
use backend_local::parcel::{AnyParcel as _, Parcel, Piece};
use res_api::{ErrorKind, Gone, Role, Side};
use res_kernel::{Access, Isolation, KernelMemory};
use res_sync::MemoryModel as _;
use res_sync::model::Mapped;

use super::effects::What;
use super::{Manager, Result, State};
use crate::ends::ComponentId;
use crate::request::{Answer, Said};
use crate::wire::Wire as _;

/// In how many objects what goes over one queue is made, at most: behind that, the manager has to know
/// of it.
const LENT: usize = 256;

/// What was sent directly over a queue and will be received by nobody.
pub(super) struct Abandoned<K: Isolation> {
    /// That of the queue.
    memory: Arc<K::Memory>,
    /// What may go over it.
    lent: BTreeSet<u64>,
    why: Gone,
}

/// What goes directly over the queue that has this memory, if it is that of one.
///
/// # Safety
///
/// The memory stays mapped as long as the ring is used.
pub(super) unsafe fn ring<K: Isolation>(memory: &K::Memory) -> Option<Direct<K::Model>> {
    let fits = memory.len() >= QUEUE_BYTES;
    // SAFETY: within the memory, at the beginning of a line.
    fits.then(|| unsafe { Direct::new(memory.base().add(QUEUE_DIRECT as usize)) })
}

/// What lies there. A sender can have written anything, and a receiver.
fn parcels<M: Mapped>(ring: &Direct<M>) -> impl Iterator<Item = Parcel> {
    let first = ring.popped();
    (0..ring.len()).filter_map(move |at| {
        let bytes = &mut [0; MOST];
        Parcel::decoded(ring.peek(first.wrapping_add(at), bytes))
    })
}

impl<K: Isolation> Abandoned<K> {
    /// The sides of words that have left with it.
    fn ends(&self) -> Vec<(WordId, Side)> {
        // SAFETY: it lives as long as this.
        let ring = unsafe { ring::<K>(&self.memory) };
        let mut ends = Vec::new();
        // The sender has been told: it sees that behind its push, or this sees what it pushed.
        K::Model::fence();
        for parcel in ring.iter().flat_map(parcels) {
            parcel.each(&mut |_, piece| match piece {
                Piece::Word { word, side: Some(side), .. } if self.lent.contains(&word.object) => {
                    ends.push((*word, *side));
                }
                _ => {}
            });
        }
        ends
    }
}

impl<K: Isolation> Manager<K> {
    /// A memory object for what goes over that queue.
    pub(super) fn lend(&self, client: ComponentId, queue: u64, bytes: u64) -> Result<Answer<K>> {
        self.within(|state| state.sends_alone(client, queue))?;
        let answer = self.make_memory(client, bytes)?;
        let Said::Number(object) = answer.said else { return Ok(answer) };
        self.within(|state| {
            let begun = state.begin_lending(queue, object);
            begun.inspect_err(|_| _ = state.forget(client, object))
        })?;
        Ok(answer)
    }

    /// Tells whom that concerns.
    pub(super) fn lose_directly(&self, abandoned: Abandoned<K>) {
        let ends = abandoned.ends();
        self.within(|state| {
            for (word, side) in ends {
                state.tell(word, What::Tell(side.other(), abandoned.why));
            }
        });
    }
}

impl<K: Isolation> State<K> {
    /// Whether nobody else sends over that queue, and somebody may receive.
    fn sends_alone(&self, client: ComponentId, id: u64) -> Result<()> {
        self.holds_end(client, id, Role::CapSnd)?;
        // Nobody reads what lies at a door: others send behind it as well.
        let ends = &self.queues.get(&id).ok_or(ErrorKind::Denied)?.ends;
        match (ends.senders.len(), ends.receiver) {
            (_, None) => Err(ErrorKind::Closed),
            (1, Some(_)) => Ok(()),
            _ => Err(ErrorKind::Denied),
        }
    }

    fn begin_lending(&mut self, queue: u64, object: u64) -> Result<()> {
        if let Some(object) = self.objects.get_mut(&object) {
            object.lent = Some(queue);
        }
        self.may_go_over(queue, object)
    }

    /// The object stays from now on as long as somebody may receive what is made in it.
    fn may_go_over(&mut self, queue: u64, id: u64) -> Result<()> {
        if self.queues.get(&queue).is_some_and(|queue| queue.lent.contains(&id)) {
            return Ok(());
        }
        self.end_lending_unused(queue);
        let queue = self.queues.get_mut(&queue).ok_or(ErrorKind::Stale)?;
        let object = self.objects.get_mut(&id).ok_or(ErrorKind::Stale)?;
        if queue.lent.len() >= LENT {
            return Err(ErrorKind::NoSlots);
        }
        queue.lent.insert(id);
        object.transit += 1;
        Ok(())
    }

    /// What is made in that object goes over that queue, too.
    pub(super) fn admit(&mut self, client: ComponentId, queue: u64, id: u64) -> Result<Said> {
        self.sends_alone(client, queue)?;
        let object = self.objects.get(&id).ok_or(ErrorKind::Stale)?;
        if object.lent.is_none() || object.access_of(client) != Some(Access::ReadWrite) {
            return Err(ErrorKind::Denied);
        }
        self.may_go_over(queue, id)?;
        Ok(Said::Done())
    }

    /// The object, for who receives from that queue; the number of the one that it was lent for.
    pub(super) fn fetch(&mut self, client: ComponentId, queue: u64, id: u64) -> Result<Answer<K>> {
        self.holds_end(client, queue, Role::CapRcv)?;
        let admitted = self.queues.get(&queue).is_some_and(|queue| queue.lent.contains(&id));
        let home = self.objects.get(&id).and_then(|object| object.lent);
        let home = home.filter(|_| admitted).ok_or(ErrorKind::Denied)?;
        self.needs_room(client)?;
        let item = self.give(client, id, Access::ReadWrite)?;
        Ok(Answer { said: Said::Number(home), items: Vec::from([item]) })
    }

    /// What nobody has any more, and is not on its way over the queue, does not stay for it.
    pub(super) fn end_lending_unused(&mut self, id: u64) {
        let Some(queue) = self.queues.get(&id) else { return };
        let memory = self.objects.get(&queue.object).and_then(|object| object.memory());
        // SAFETY: it is borrowed meanwhile.
        let ring = memory.and_then(|memory| unsafe { ring::<K>(memory) });
        let mut under_way = BTreeSet::new();
        for parcel in ring.iter().flat_map(parcels) {
            parcel.each(&mut |_, piece| under_way.extend(piece.object()));
        }
        let has = |id: &u64| self.objects.get(id).is_some_and(|it| it.holders().next().is_some());
        let unused = queue.lent.iter().filter(|id| !has(id) && !under_way.contains(id));
        let unused: Vec<u64> = unused.copied().collect();
        for object in unused {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.lent.remove(&object);
            }
            self.end_transit(object);
        }
    }

    fn end_transit(&mut self, id: u64) {
        if let Some(object) = self.objects.get_mut(&id) {
            object.transit -= 1;
        }
        self.sweep_object(id);
    }

    /// Nobody receives from that queue any more; what may have gone over it directly.
    pub(super) fn end_lending(&mut self, queue_object: u64, lent: BTreeSet<u64>, why: Gone) {
        if lent.is_empty() {
            return;
        }
        lent.iter().for_each(|id| self.end_transit(*id));
        let memory = self.objects.get(&queue_object).and_then(|object| object.memory());
        if let Some(memory) = memory {
            self.abandoned.push(Abandoned { memory: Arc::clone(memory), lent, why });
        }
    }
}
