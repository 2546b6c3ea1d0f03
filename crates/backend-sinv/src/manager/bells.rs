//! Arenas: who rings whose bell.

use std::vec::Vec;

use backend_local::outside::WordId;
use res_api::{ErrorKind, Side};
use res_kernel::{Access, Isolation};

use super::effects::{Effect, What};
use super::objects::Watch;
use super::{MANAGER, Result, State};
use crate::bell::{ARENA, BIT_BITS, Listening, SOURCES, half_of};
use crate::ends::{ComponentId, TRANSIT};
use crate::request::{Answer, Notice, Said};

/// An arena between two components, or between one and the manager.
pub(super) struct Arena {
    pair: [ComponentId; 2],
    /// Bits of each half that are in use.
    used: [Bits; 2],
}

/// Numbers that are given out and come back.
#[derive(Default)]
struct Bits {
    free: Vec<u32>,
    next: u32,
}

impl Bits {
    fn take(&mut self) -> Option<u32> {
        self.free.pop().or_else(|| {
            let bit = self.next;
            self.next += 1;
            (bit < SOURCES).then_some(bit)
        })
    }

    fn is_unused(&self) -> bool {
        self.free.len() == self.next as usize
    }
}

impl Arena {
    /// Which half that one listens to.
    pub(super) fn half_of(&self, listener: ComponentId) -> u32 {
        let other = if self.pair[0] == listener { self.pair[1] } else { self.pair[0] };
        half_of(listener, other)
    }
}

impl<K: Isolation> State<K> {
    /// A group of the component watches the word: whoever signals it has to ring which bell?
    pub(super) fn watch(&mut self, client: ComponentId, id: WordId) -> Result<Said> {
        self.holds(client, id, Some(Side::Waiters))?;
        let barrier = self.kernel.barrier();
        let object = self.objects.get_mut(&id.object).ok_or(ErrorKind::Stale)?;
        let (is_lent, is_new) = (object.lent.is_some(), object.word(id.offset).is_none());
        let having: Vec<_> = match is_lent {
            true => object.holders().map(|(holder, _)| holder).collect(),
            false => Vec::new(),
        };
        let word = object.word_or(id.offset, barrier);
        if is_new && !is_lent {
            // It has not travelled: both of its sides are where it was made.
            word.ends.begin(client);
        }
        if word.watch.is_some() {
            return Err(ErrorKind::Exists);
        }
        let signallers = if is_lent { &having } else { word.ends.side(Side::Signallers) };
        let others = signallers.iter();
        let mut others = others.filter(|other| **other != client && **other != TRANSIT);
        let peer = others.next().copied().unwrap_or(MANAGER);
        let arena = self.arena_between(client, peer)?;
        let bit = self.arenas.get_mut(&arena).and_then(|arena| {
            let half = arena.half_of(client);
            arena.used[half as usize].take()
        });
        let bit = bit.ok_or(ErrorKind::NoSlots)?;
        let object = self.objects.get_mut(&id.object);
        if let Some(word) = object.and_then(|object| object.word_mut(id.offset)) {
            word.watch = Some(Watch { by: client, arena, bit });
        }
        Ok(Said::Number(arena << BIT_BITS | u64::from(bit)))
    }

    pub(super) fn unwatch(&mut self, client: ComponentId, id: WordId) -> Said {
        let object = self.objects.get_mut(&id.object);
        let word = object.and_then(|object| object.word_mut(id.offset));
        let watch = word.and_then(|word| word.watch.take_if(|watch| watch.by == client));
        if let Some(Watch { arena: id, bit, .. }) = watch {
            if let Some(arena) = self.arenas.get_mut(&id) {
                let half = arena.half_of(client);
                arena.used[half as usize].free.push(bit);
            }
            self.sweep_arena(id);
        }
        Said::Done()
    }

    fn arena_between(&mut self, one: ComponentId, other: ComponentId) -> Result<u64> {
        let pair = [one.min(other), one.max(other)];
        let found = self.arenas.iter().find(|(_, arena)| arena.pair == pair);
        if let Some((id, _)) = found {
            return Ok(*id);
        }
        let id = self.add_memory(MANAGER, ARENA)?;
        self.arenas.insert(id, Arena { pair, used: Default::default() });
        Ok(id)
    }

    /// The arena: for the one who listens, or for the one who is to ring it for that word.
    pub(super) fn arena(
        &mut self,
        client: ComponentId,
        id: u64,
        word: Option<WordId>,
    ) -> Result<Answer<K>> {
        let arena = self.arenas.get(&id).filter(|arena| arena.pair.contains(&client));
        let arena = arena.ok_or(ErrorKind::Denied)?;
        let (half, is_shared) = (arena.half_of(client), arena.pair.contains(&MANAGER));
        let listening = Listening { half, is_shared };
        if let Some(word) = word {
            self.holds(client, word, None)?;
            let object = self.objects.get(&word.object).ok_or(ErrorKind::Stale)?;
            let watch = object.word(word.offset).and_then(|word| word.watch);
            if watch.is_none_or(|watch| watch.arena != id) {
                return Err(ErrorKind::Denied);
            }
        }
        let item = self.give(client, id, Access::ReadWrite)?;
        Ok(Answer { said: Said::Number(listening.number()), items: Vec::from([item]) })
    }

    /// The component shares no arena with whoever watches the word.
    pub(super) fn ring(&mut self, client: ComponentId, id: WordId) -> Result<Said> {
        self.holds(client, id, None)?;
        self.tell(id, What::Ring);
        Ok(Said::Done())
    }

    /// The arenas of a component that has ended go as soon as nobody watches by them. Whoever sleeps
    /// there looks once more.
    pub(super) fn leave_arenas(&mut self, client: ComponentId) {
        let of_client = self.arenas.iter().filter(|(_, arena)| arena.pair.contains(&client));
        let of_client: Vec<u64> = of_client.map(|(id, _)| *id).collect();
        for id in of_client {
            let memory = self.objects.get(&id).and_then(|object| object.memory()).cloned();
            self.effects.extend(memory.map(Effect::Rouse));
            self.sweep_arena(id);
        }
    }

    fn sweep_arena(&mut self, id: u64) {
        let Some(arena) = self.arenas.get(&id) else { return };
        let alive = |party: &ComponentId| {
            *party == MANAGER || self.components.get(party).is_some_and(|it| !it.has_ended())
        };
        if arena.pair.iter().all(alive) || !arena.used.iter().all(Bits::is_unused) {
            return;
        }
        let pair = arena.pair;
        self.arenas.remove(&id);
        for party in pair {
            self.notify(party, Notice::ArenaGone(id));
            // It keeps it mapped as long as it likes, and will not say that it has let go.
            self.withdraw(party, id);
        }
    }
}
