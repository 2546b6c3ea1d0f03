//! Memory objects and files: who has them, and who is on which side of the words in them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::vec::Vec;

use backend_local::outside::{HEADER, PLACE, WordId};
use res_api::{Barrier, Desc, ErrorKind, Gone, Side};
use res_kernel::{Access, Isolation, KernelMemory};

use super::effects::What;
use super::{MAIN, Result, State};
use crate::ends::{ComponentId, Ends, Holders, Parting, is_place, may_give};
use crate::request::{Answer, Item, Said};

/// A memory object or a file.
pub(super) struct Object<K: Isolation> {
    thing: Thing<K>,
    /// Who made it, and has to account for it.
    owner: ComponentId,
    grants: BTreeMap<ComponentId, Grant>,
    /// In how many capabilities on their way it is.
    pub(super) transit: u32,
    words: BTreeMap<u32, Word>,
    /// It is for what goes over that queue directly: who holds which end in it is not known here.
    pub(super) lent: Option<u64>,
    /// An end whose words lie in it.
    pub(super) end: Option<Desc>,
}

enum Thing<K: Isolation> {
    Memory(Arc<K::Memory>),
    File(Arc<K::File>),
}

/// What a component has of an object.
#[derive(Clone, Copy)]
struct Grant {
    /// How often it has been given it.
    count: u32,
    access: Access,
}

/// A word of which an end has travelled.
pub(super) struct Word {
    pub(super) barrier: Barrier,
    /// Who holds ends of it.
    pub(super) ends: Ends<Vec<ComponentId>>,
    pub(super) watch: Option<Watch>,
}

impl Holders for Vec<ComponentId> {
    fn has(&self, who: ComponentId) -> bool {
        self.contains(&who)
    }

    fn len(&self) -> usize {
        self.len()
    }

    fn add(&mut self, who: ComponentId) {
        self.push(who);
    }

    fn remove(&mut self, who: ComponentId) -> bool {
        let at = self.iter().position(|holder| *holder == who);
        at.map(|at| self.swap_remove(at)).is_some()
    }

    fn remove_all(&mut self, who: ComponentId) -> bool {
        let before = self.len();
        self.retain(|holder| *holder != who);
        self.len() < before
    }
}

/// A group that watches a word.
#[derive(Clone, Copy)]
pub(super) struct Watch {
    pub(super) by: ComponentId,
    pub(super) arena: u64,
    pub(super) bit: u32,
}

impl<K: Isolation> Object<K> {
    pub(super) fn memory(&self) -> Option<&Arc<K::Memory>> {
        match &self.thing {
            Thing::Memory(memory) => Some(memory),
            Thing::File(_) => None,
        }
    }

    pub(super) fn word(&self, offset: u32) -> Option<&Word> {
        self.words.get(&offset)
    }

    pub(super) fn word_mut(&mut self, offset: u32) -> Option<&mut Word> {
        self.words.get_mut(&offset)
    }

    /// The word, which has not travelled before: what is known of it says who holds it.
    pub(super) fn word_or(&mut self, offset: u32, barrier: Barrier) -> &mut Word {
        let new = Word { barrier, ends: Ends::default(), watch: None };
        self.words.entry(offset).or_insert(new)
    }

    pub(super) fn access_of(&self, client: ComponentId) -> Option<Access> {
        self.grants.get(&client).map(|grant| grant.access)
    }

    pub(super) fn owner(&self) -> ComponentId {
        self.owner
    }

    /// Who has it, and how.
    pub(super) fn holders(&self) -> impl Iterator<Item = (ComponentId, Access)> {
        self.grants.iter().map(|(client, grant)| (*client, grant.access))
    }

    /// Its words of which an end has travelled, by their places.
    pub(super) fn words(&self) -> impl Iterator<Item = (u32, &Word)> {
        self.words.iter().map(|(offset, word)| (*offset, word))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.memory().map_or(0, |memory| memory.len())
    }

    /// Gives it to a component.
    fn grant(&mut self, client: ComponentId, access: Access) {
        let grant = self.grants.entry(client).or_insert(Grant { count: 0, access });
        grant.count += 1;
        if access == Access::ReadWrite {
            grant.access = access;
        }
    }

    /// Whether a component has it mapped like that, and has an end in it, so that it will not have
    /// forgotten it by the time that it hears of this.
    pub(super) fn is_used(&self, client: ComponentId, access: Access) -> bool {
        let enough = |has| has == Access::ReadWrite || access == Access::Read;
        let both = [Side::Waiters, Side::Signallers];
        let holds = |word: &Word| both.iter().any(|side| word.ends.side(*side).has(client));
        self.access_of(client).is_some_and(enough) && self.words.values().any(holds)
    }

    /// What goes with an answer.
    pub(super) fn item(&self, id: u64, access: Access) -> Item<K> {
        match &self.thing {
            Thing::Memory(memory) => Item::Memory(id, Arc::clone(memory), access),
            Thing::File(file) => Item::File(id, Arc::clone(file)),
        }
    }
}

impl<K: Isolation> State<K> {
    fn add_object(&mut self, owner: ComponentId, thing: Thing<K>) -> u64 {
        let id = self.next();
        let (grants, words) = (BTreeMap::new(), BTreeMap::new());
        let object = Object { thing, owner, grants, transit: 0, words, lent: None, end: None };
        self.objects.insert(id, object);
        id
    }

    /// A memory object that `owner` accounts for.
    pub(super) fn add_memory(&mut self, owner: ComponentId, bytes: u64) -> Result<u64> {
        self.reserve(owner, bytes)?;
        let memory = self.kernel.memory(bytes).map_err(|error| error.kind);
        self.account(owner, bytes, memory)
    }

    /// A component is about to have a memory object more, if it may.
    pub(super) fn reserve(&mut self, owner: ComponentId, bytes: u64) -> Result<()> {
        let limits = self.limits_of(owner);
        if let Some(client) = self.components.get_mut(&owner) {
            let used = client.bytes.checked_add(bytes).ok_or(ErrorKind::NoMemory)?;
            if used > limits.bytes {
                return Err(ErrorKind::NoMemory);
            }
            if client.objects.len().max(client.made as usize) >= limits.objects as usize {
                return Err(ErrorKind::NoSlots);
            }
            client.bytes = used;
            client.made += 1;
        }
        Ok(())
    }

    /// It has been made, and is perhaps a little longer; or it could not be.
    pub(super) fn account(
        &mut self,
        owner: ComponentId,
        reserved: u64,
        memory: Result<K::Memory>,
    ) -> Result<u64> {
        let bytes = memory.as_ref().map_or(0, KernelMemory::len);
        if let Some(client) = self.components.get_mut(&owner) {
            client.bytes = client.bytes.saturating_sub(reserved).saturating_add(bytes);
            client.made = client.made.saturating_sub(u32::from(memory.is_err()));
        }
        Ok(self.add_object(owner, Thing::Memory(Arc::new(memory?))))
    }

    /// Gives an object to a component.
    pub(super) fn give(&mut self, client: ComponentId, id: u64, access: Access) -> Result<Item<K>> {
        let object = self.objects.get_mut(&id).ok_or(ErrorKind::Stale)?;
        object.grant(client, access);
        let item = object.item(id, access);
        self.client(client)?.objects.insert(id);
        Ok(item)
    }

    /// It had it no more, as a part of something came.
    pub(super) fn give_again(&self, client: ComponentId, id: u64) -> Result<Answer<K>> {
        let object = self.objects.get(&id).ok_or(ErrorKind::Stale)?;
        let access = object.access_of(client).ok_or(ErrorKind::Denied)?;
        Ok(Answer { said: Said::Done(), items: Vec::from([object.item(id, access)]) })
    }

    /// A component asks for memory.
    pub(super) fn begin_memory(&mut self, client: ComponentId, bytes: u64) -> Result<()> {
        self.client(client)?.requests += 1;
        self.reserve(client, bytes)
    }

    /// It has been made, or not.
    pub(super) fn end_memory(
        &mut self,
        client: ComponentId,
        reserved: u64,
        memory: Result<K::Memory>,
    ) -> Result<Answer<K>> {
        let id = self.account(client, reserved, memory)?;
        let given = self.give(client, id, Access::ReadWrite);
        // Whoever asked may have ended meanwhile.
        let item = given.inspect_err(|_| self.take_away(client, id, None))?;
        Ok(Answer { said: Said::Number(id), items: Vec::from([item]) })
    }

    pub(super) fn add_file(&mut self, file: Arc<K::File>) -> u64 {
        let id = self.add_object(MAIN, Thing::File(file));
        // The main component is there as long as its tokens are.
        let _ = self.give(MAIN, id, Access::Read);
        id
    }

    /// A component does not use any more what it was given once.
    pub(super) fn forget(&mut self, client: ComponentId, id: u64) -> Said {
        if let Some(object) = self.objects.get_mut(&id)
            && let Some(grant) = object.grants.get_mut(&client)
        {
            grant.count -= 1;
            if grant.count == 0 {
                self.withdraw(client, id);
            }
        }
        Said::Done()
    }

    /// The component does not account for the object any more, and has nothing of it.
    pub(super) fn withdraw(&mut self, client: ComponentId, id: u64) {
        self.take_away(client, id, None);
        if let Some(client) = self.components.get_mut(&client) {
            client.objects.remove(&id);
        }
    }

    /// The component has nothing of the object any more. Where it has ended, its ends leave.
    pub(super) fn take_away(&mut self, client: ComponentId, id: u64, why: Option<Gone>) {
        let Some(object) = self.objects.get_mut(&id) else { return };
        object.grants.remove(&client);
        let lent = object.lent;
        let (mut told, mut held, mut unwatched) = (Vec::new(), Vec::new(), Vec::new());
        for (offset, word) in &mut object.words {
            let at = WordId { object: id, offset: *offset };
            for side in [Side::Waiters, Side::Signallers] {
                let had = word.ends.side(side).has(client);
                if word.ends.leave(side, client) {
                    told.push((at, side.other()));
                }
                if had && held.last() != Some(&at) {
                    held.push(at);
                }
            }
            if word.watch.is_some_and(|watch| watch.by == client) {
                unwatched.push(at);
            }
        }
        // Also where nobody has it yet: who fetches it finds it so.
        if let Some(gone) = why.filter(|_| object.lent.is_some()) {
            for offset in (0..HEADER as u32).step_by(PLACE) {
                self.tell(WordId { object: id, offset }, What::Over(gone));
            }
        }
        if let Some(gone) = why {
            told.into_iter().for_each(|(at, side)| self.tell(at, What::Tell(side, gone)));
            // Behind what they are told: a thread of it may have ended where it had moved the word
            // and not woken those who sleep there, and nobody does that for it.
            held.into_iter().for_each(|at| self.tell(at, What::Rouse));
        }
        for at in unwatched {
            self.unwatch(client, at);
        }
        self.sweep_object(id);
        if let (Some(queue), Some(_)) = (lent, why) {
            self.end_lending_unused(queue);
        }
    }

    /// The object goes when nobody has it, and nothing that is under way needs it. An arena stays as
    /// long as it is one.
    pub(super) fn sweep_object(&mut self, id: u64) {
        let unused =
            self.objects.get(&id).is_some_and(|it| it.grants.is_empty() && it.transit == 0);
        if unused
            && !self.arenas.contains_key(&id)
            && let Some(object) = self.objects.remove(&id)
        {
            if let Some(owner) = self.components.get_mut(&object.owner) {
                owner.bytes = owner.bytes.saturating_sub(object.bytes());
                owner.made = owner.made.saturating_sub(u32::from(object.memory().is_some()));
            }
            self.gone.push(object);
        }
    }

    /// The last end of that side that the component had has left. Where it was not the last of all,
    /// it has not told those on the other side; where it was, telling them again changes nothing.
    pub(super) fn left(&mut self, client: ComponentId, id: WordId, side: Side, why: Gone) -> Said {
        let writes = |object: &Object<K>| object.access_of(client) == Some(Access::ReadWrite);
        let was_last = match self.counted_word(id) {
            Some(word) => word.ends.leave(side, client),
            // Whoever can write there could say it as well.
            None => self.is_lent(id.object) && self.objects.get(&id.object).is_some_and(writes),
        };
        if was_last {
            self.tell(id, What::Tell(side.other(), why));
        }
        Said::Done()
    }

    pub(super) fn is_lent(&self, object: u64) -> bool {
        self.objects.get(&object).is_some_and(|object| object.lent.is_some())
    }

    /// The word, if it is known who holds it.
    pub(super) fn counted_word(&mut self, id: WordId) -> Option<&mut Word> {
        let object = self.objects.get_mut(&id.object).filter(|object| object.lent.is_none());
        object.and_then(|object| object.word_mut(id.offset))
    }

    /// Whether an end of that side is the component's to give away.
    pub(super) fn holds(&self, client: ComponentId, id: WordId, side: Option<Side>) -> Result<()> {
        let object = self.objects.get(&id.object).ok_or(ErrorKind::Stale)?;
        let writes = object.access_of(client) == Some(Access::ReadWrite);
        if object.memory().is_none() || !is_place(id.offset) {
            return Err(ErrorKind::Invalid);
        }
        let ends = object.word(id.offset).map(|word| &word.ends);
        let holds = object.lent.is_some() || may_give(ends, side, client, object.owner() == client);
        if writes && holds { Ok(()) } else { Err(ErrorKind::Denied) }
    }

    /// An end goes on its way.
    pub(super) fn depart(
        &mut self,
        client: ComponentId,
        id: WordId,
        barrier: Barrier,
        parting: Parting,
    ) {
        let Some(object) = self.objects.get_mut(&id.object) else { return };
        if object.lent.is_some() {
            return;
        }
        match object.word_mut(id.offset) {
            Some(word) => word.ends.depart(client, parting),
            None => object.word_or(id.offset, barrier).ends.depart_first(client, parting),
        }
    }
}
