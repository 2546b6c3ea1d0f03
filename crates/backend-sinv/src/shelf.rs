//! Memory objects that are kept to be used again, for what goes over queues of capabilities directly.
//!
//! A channel is made in one of them, or in several. Whoever sends has it lent by the manager, and whoever
//! receives fetches it, once. When nothing here is made in it any more it stays here. The sender uses it
//! again for the next when all that it sent in it has come and is gone: at the end of each object lies how
//! many of these the receiver has let go, and how many it has given back.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::collections::BTreeMap;
use std::vec::Vec;

use backend_local::parcel::{AnyParcel as _, Parcel, Piece};
use res_api::{ErrorKind, Role};
use res_kernel::{Isolation, KernelError, KernelMemory};
use res_sync::Mutex;
use res_sync::model::Atomic as _;

use crate::bell::word_at;
use crate::link::Link;
use crate::request::Request;

/// What is at the end of an object: how many of those that came over its first queue are gone.
const GONE: u64 = 16;
/// How many went back, over another.
const BACK: u64 = 8;
/// Bytes of an object that are not for its users.
const TRAILER: u64 = 16;

/// How many rest here: of those that came, and of those that were made here for a queue.
const RESTING: usize = 16;

/// Such an object.
struct Lent<K: Isolation> {
    memory: K::Memory,
    /// The queue that it was lent for.
    home: u64,
    made_here: bool,
    /// The queues over which what is made in it may go, and may come; 0 for none.
    goes: u64,
    comes: u64,
    /// What is here that is made in it.
    uses: u32,
    /// It will not be used again.
    spoiled: bool,
    /// How many went over the first queue from here, and came back here over another.
    sent: u64,
    returned: u64,
    /// How many came over the first queue since the other side was told that they are gone.
    arrived: u64,
    /// When it began to rest, if it does.
    rested: u64,
}

impl<K: Isolation> Lent<K> {
    fn new(memory: K::Memory, home: u64, made_here: bool) -> Self {
        Self {
            memory,
            home,
            made_here,
            goes: 0,
            comes: 0,
            uses: 0,
            spoiled: false,
            sent: 0,
            returned: 0,
            arrived: 0,
            rested: 0,
        }
    }

    /// A word at its end.
    fn word(&self, from_end: u64) -> &<K::Model as res_sync::MemoryModel>::U64 {
        // SAFETY: whole pages, of which this is within the last.
        unsafe { word_at::<K>(&self.memory, self.memory.len() - from_end) }
    }

    /// Whether it can be used for something else of so many bytes that is to go over that queue.
    fn is_free(&self, queue: u64, bytes: u64) -> bool {
        // Large ones are for what is large.
        let fits = self.memory.len() >= bytes + TRAILER && self.memory.len() / 4 < bytes + 4096;
        self.rests_for(queue)
            && !self.spoiled
            && fits
            // Acquire: partners the Release of whoever received, when it had let go.
            && self.word(GONE).load(Acquire) == self.sent
            && self.word(BACK).load(Acquire) == self.returned
    }

    /// Nothing here is made in it, which was lent for that queue.
    fn rests_for(&self, queue: u64) -> bool {
        self.made_here && self.home == queue && self.uses == 0
    }

    /// Something that is made in it goes over that queue.
    fn goes_over(&mut self, queue: u64) {
        if queue == self.home {
            self.sent += 1;
        } else {
            // Release: partners the Acquire of `is_free`.
            self.word(BACK).fetch_add(1, Release);
        }
    }

    fn comes_over(&mut self, queue: u64) {
        self.uses += 1;
        if queue == self.home {
            self.arrived += 1;
        } else {
            self.returned += 1;
        }
    }

    /// It has not come after all: it will once more.
    fn has_not_come(&mut self, queue: u64) {
        if queue == self.home {
            self.arrived -= 1;
        } else {
            self.returned -= 1;
        }
    }

    /// It came from elsewhere, and rests.
    fn is_guest(&self) -> bool {
        !self.made_here && self.uses == 0
    }

    /// What was made in it before is not for whoever gets the next one.
    fn clear_behind(&self, bytes: u64) {
        for at in (bytes.next_multiple_of(8)..self.memory.len() - TRAILER).step_by(8) {
            // SAFETY: within the memory, in front of its end.
            unsafe { word_at::<K>(&self.memory, at) }.store(0, Relaxed);
        }
    }

    /// An end of that queue is not here any more.
    fn close(&mut self, queue: u64, role: Role) {
        match role {
            Role::CapSnd => {
                self.goes = if self.goes == queue { 0 } else { self.goes };
                self.spoiled |= self.made_here && self.home == queue;
            }
            Role::CapRcv if self.comes == queue => {
                self.comes = 0;
                self.spoiled |= !self.made_here;
            }
            _ => {}
        }
    }

    /// Nothing here is made in it.
    fn rests(&mut self) {
        let arrived = core::mem::take(&mut self.arrived);
        if arrived != 0 {
            // Release: partners the Acquire of `is_free`.
            self.word(GONE).fetch_add(arrived, Release);
        }
    }
}

/// Those of a component.
pub(crate) struct Shelf<K: Isolation>(Mutex<K, Kept<K>>);

struct Kept<K: Isolation> {
    /// By their numbers.
    objects: BTreeMap<u64, Lent<K>>,
    /// How often one of them has begun to rest.
    rested: u64,
    /// What has come of others, as often as the manager counts it.
    others: BTreeMap<u64, u32>,
}

impl<K: Isolation> Kept<K> {
    /// That of those which has rested for longest, where there are as many as may rest, or more than that
    /// by `more`.
    fn one_too_many(&self, more: usize, which: impl Fn(&Lent<K>) -> bool) -> Option<u64> {
        let resting = || self.objects.iter().filter(|(_, lent)| which(lent));
        let oldest = resting().min_by_key(|(_, lent)| lent.rested);
        oldest.filter(|_| resting().count() >= RESTING + more).map(|(id, _)| *id)
    }

    /// Something less here is made in it. What is to be forgotten is taken out: it, or what has rested for
    /// longest.
    fn let_go(&mut self, id: u64) -> Option<(u64, Lent<K>)> {
        let lent = self.objects.get_mut(&id)?;
        lent.uses = lent.uses.saturating_sub(1);
        if lent.uses != 0 {
            return None;
        }
        if lent.spoiled {
            return self.objects.remove_entry(&id);
        }
        lent.rests();
        self.rested += 1;
        lent.rested = self.rested;
        let oldest = self.one_too_many(1, Lent::is_guest)?;
        self.objects.remove_entry(&oldest)
    }

    /// Something of another one is gone.
    fn let_go_of_other(&mut self, id: u64) {
        if let Some(count) = self.others.get_mut(&id) {
            *count -= 1;
            if *count == 0 {
                self.others.remove(&id);
            }
        }
    }

    /// Takes out all that will not be used again, nor is.
    fn sweep(&mut self) -> Vec<(u64, Lent<K>)> {
        let is_over = |lent: &Lent<K>| lent.spoiled && lent.uses == 0;
        let over = self.objects.iter().filter(|(_, lent)| is_over(lent)).map(|(id, _)| *id);
        let over: Vec<_> = over.collect();
        over.into_iter().filter_map(|id| self.objects.remove_entry(&id)).collect()
    }
}

impl<K: Isolation> Shelf<K> {
    pub(crate) fn new(kernel: &K) -> Result<Self, KernelError> {
        let (objects, others) = (BTreeMap::new(), BTreeMap::new());
        let kept = Kept { objects, rested: 0, others };
        Ok(Self(Mutex::new(kernel.clone(), kernel.point()?, kernel.barrier(), kept)))
    }

    /// An object for what is to go over that queue, and its number.
    pub(crate) fn lend(
        &self,
        link: &Link<K>,
        queue: u64,
        bytes: u64,
    ) -> Result<(u64, K::Memory), ErrorKind> {
        if let Some(free) = self.reuse(link, queue, bytes)? {
            return Ok(free);
        }
        let asked = bytes.checked_add(TRAILER).ok_or(ErrorKind::NoMemory)?;
        let (_, id, memory) = link.memory(Request::Lend(queue, asked))?;
        let lent = alias(&memory).inspect_err(|_| link.say(Request::Forget(id)))?;
        let lent = Lent { goes: queue, uses: 1, ..Lent::new(lent, queue, true) };
        self.0.lock().objects.insert(id, lent);
        Ok((id, memory))
    }

    /// One that nobody uses any more. Of those that others still do, only some wait for that.
    fn reuse(
        &self,
        link: &Link<K>,
        queue: u64,
        bytes: u64,
    ) -> Result<Option<(u64, K::Memory)>, ErrorKind> {
        let mut kept = self.0.lock();
        let free = kept.objects.iter_mut().find(|(_, lent)| lent.is_free(queue, bytes));
        if let Some((id, lent)) = free {
            let memory = alias(&lent.memory)?;
            (lent.uses, lent.goes) = (1, queue);
            lent.clear_behind(bytes);
            return Ok(Some((*id, memory)));
        }
        if let Some(id) = kept.one_too_many(0, |lent| lent.rests_for(queue)) {
            let oldest = kept.objects.remove(&id);
            drop(kept);
            drop(oldest);
            link.say(Request::Forget(id));
        }
        Ok(None)
    }

    /// The objects of a parcel that can go over that queue directly.
    pub(crate) fn may_go(&self, link: &Link<K>, queue: u64, parcel: &Parcel) -> Option<Vec<u64>> {
        let objects = objects_of(parcel)?;
        objects.iter().all(|id| self.may_go_in(link, queue, *id)).then_some(objects)
    }

    fn may_go_in(&self, link: &Link<K>, queue: u64, id: u64) -> bool {
        match self.0.lock().objects.get(&id) {
            Some(lent) if lent.goes == queue => return true,
            Some(lent) if !lent.spoiled => {}
            _ => return false,
        }
        let admitted = link.ask(Request::Admit(queue, id)).is_ok();
        if let Some(lent) = self.0.lock().objects.get_mut(&id).filter(|_| admitted) {
            lent.goes = queue;
        }
        admitted
    }

    /// Something that is made in them goes that way.
    pub(crate) fn note_gone(&self, queue: u64, objects: &[u64]) {
        let mut kept = self.0.lock();
        for id in objects {
            if let Some(lent) = kept.objects.get_mut(id) {
                lent.goes_over(queue);
            }
        }
    }

    /// The objects of a parcel that has come over that queue directly, each of which is used once more:
    /// `Misbehaved` where nobody could have sent it.
    pub(crate) fn note_come(
        &self,
        link: &Link<K>,
        queue: u64,
        parcel: &Parcel,
    ) -> Result<Vec<u64>, ErrorKind> {
        let objects = objects_of(parcel).ok_or(ErrorKind::Misbehaved)?;
        for (count, id) in objects.iter().enumerate() {
            if let Err(kind) = self.use_once_more(link, queue, *id) {
                objects[..count].iter().for_each(|id| self.take_back(link, queue, *id));
                return Err(kind);
            }
        }
        Ok(objects)
    }

    /// Fetches it, if it is not known yet to come over that queue.
    fn use_once_more(&self, link: &Link<K>, queue: u64, id: u64) -> Result<(), ErrorKind> {
        let mut kept = self.0.lock();
        if let Some(lent) = kept.objects.get_mut(&id).filter(|lent| lent.comes == queue) {
            lent.comes_over(queue);
            return Ok(());
        }
        drop(kept);
        let fetched = link.memory(Request::Fetch(queue, id)).map_err(|kind| match kind {
            ErrorKind::NoMemory | ErrorKind::NoSlots => kind,
            _ => ErrorKind::Misbehaved,
        });
        let (home, _, memory) = fetched?;
        let mut kept = self.0.lock();
        // As often as the manager counts it here, less once.
        let mut counted = u32::from(kept.objects.contains_key(&id));
        if counted == 0 {
            // What came another way, and is in use, is in use with it from now on.
            counted = kept.others.remove(&id).unwrap_or(0);
            let new = Lent::new(memory, home, false);
            let lent = Lent { uses: counted, spoiled: counted != 0, ..new };
            kept.objects.insert(id, lent);
        }
        if let Some(lent) = kept.objects.get_mut(&id) {
            lent.comes = queue;
            lent.comes_over(queue);
        }
        drop(kept);
        (0..counted).for_each(|_| link.say(Request::Forget(id)));
        Ok(())
    }

    /// It is still where it came from.
    fn take_back(&self, link: &Link<K>, queue: u64, id: u64) {
        if let Some(lent) = self.0.lock().objects.get_mut(&id) {
            lent.has_not_come(queue);
        }
        self.let_go(link, id);
    }

    /// The object, if it is here.
    pub(crate) fn again(&self, id: u64) -> Option<Result<K::Memory, ErrorKind>> {
        self.0.lock().objects.get(&id).map(|lent| alias(&lent.memory))
    }

    /// Whether it is one that is kept here.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.0.lock().objects.contains_key(&id)
    }

    /// Something less here is made in it. False if it is not kept here.
    pub(crate) fn let_go(&self, link: &Link<K>, id: u64) -> bool {
        let mut kept = self.0.lock();
        if !kept.objects.contains_key(&id) {
            kept.let_go_of_other(id);
            return false;
        }
        let over = kept.let_go(id);
        drop(kept);
        if let Some((id, lent)) = over {
            drop(lent);
            link.say(Request::Forget(id));
        }
        true
    }

    /// It has come another way: who has what is made in it is not known here any more. Whether it is
    /// kept here.
    pub(crate) fn note_come_otherwise(&self, id: u64) -> bool {
        let mut kept = self.0.lock();
        let Kept { objects, others, .. } = &mut *kept;
        let Some(lent) = objects.get_mut(&id) else {
            *others.entry(id).or_default() += 1;
            return false;
        };
        lent.spoiled = true;
        lent.uses += 1;
        true
    }

    /// It is not used again.
    pub(crate) fn spoil(&self, id: u64) {
        if let Some(lent) = self.0.lock().objects.get_mut(&id) {
            lent.spoiled = true;
        }
    }

    /// The parcel goes another way, while it is here still.
    pub(crate) fn note_gone_otherwise(&self, parcel: &Parcel) {
        let mut kept = self.0.lock();
        if kept.objects.is_empty() {
            return;
        }
        parcel.each(&mut |_, piece| {
            if let Some(lent) = piece.object().and_then(|id| kept.objects.get_mut(&id)) {
                lent.spoiled = true;
            }
        });
    }

    /// An end of that queue is not here any more.
    pub(crate) fn close(&self, link: &Link<K>, queue: u64, role: Role) {
        let over = {
            let mut kept = self.0.lock();
            for lent in kept.objects.values_mut() {
                lent.close(queue, role);
            }
            kept.sweep()
        };
        for (id, lent) in over {
            drop(lent);
            link.say(Request::Forget(id));
        }
    }
}

fn alias<M: KernelMemory>(memory: &M) -> Result<M, ErrorKind> {
    memory.alias(memory.access()).map_err(|error| error.kind)
}

/// The objects that all of a parcel is made in, each once; none where it has none, or what cannot go
/// directly: ends of queues and files, and ends of which another one of their side stays.
fn objects_of(parcel: &Parcel) -> Option<Vec<u64>> {
    let (mut objects, mut may) = (Vec::new(), parcel.head.desc.role != Role::Mem);
    parcel.each(&mut |desc, piece| {
        may &= !desc.local && !matches!(piece, Piece::Word { kept: true, .. });
        match piece.object() {
            Some(id) if !objects.contains(&id) => objects.push(id),
            Some(_) => {}
            None => may = false,
        }
    });
    (may && !objects.is_empty()).then_some(objects)
}
