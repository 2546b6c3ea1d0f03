//! The bells that a component listens to, and those that it rings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::vec::Vec;

use backend_local::Blockpoint;
use backend_local::outside::WordId;
use res_api::{Barrier, ErrorKind, WaitError};
use res_kernel::{Isolation, KernelError};
use res_sync::event::Snapshot;
use res_sync::{Deadline, Event, Mutex, Side, Waiting};

use crate::bell::{BIT_BITS, Bell};
use crate::link::Link;
use crate::request::Request;

/// An arena that this component has mapped.
struct Arena<K: Isolation> {
    ours: Bell<K>,
    theirs: Bell<K>,
    /// What stands for which bit, of those that groups here watch.
    sources: Mutex<K, BTreeMap<u32, Blockpoint<K>>>,
    /// Last: the bells lie in it.
    _memory: K::Memory,
}

impl<K: Isolation> Arena<K> {
    /// The arena, for whoever listens there, or for who is to ring for that word.
    fn ask(link: &Link<K>, id: u64, word: Option<WordId>) -> Result<Self, ErrorKind> {
        let (half, object, memory) = link.memory(Request::Arena(id, word))?;
        let half = u32::try_from(half).map_err(|_| ErrorKind::Misbehaved)?;
        let new = Self::new(&link.kernel, memory, half);
        new.inspect_err(|_| link.say(Request::Forget(object)))
    }

    /// One in which this component listens to that half.
    fn new(kernel: &K, memory: K::Memory, half: u32) -> Result<Self, ErrorKind> {
        let bell = |half| {
            // SAFETY: the arena, which goes after its bells, keeps the memory mapped.
            let bell = unsafe { Bell::new(kernel, &memory, half) };
            bell.map_err(|error| error.kind)?.ok_or(ErrorKind::Misbehaved)
        };
        let (ours, theirs) = (bell(half)?, bell(1 - half.min(1))?);
        let point = kernel.point().map_err(|error| error.kind)?;
        let sources = Mutex::new(kernel.clone(), point, kernel.barrier(), BTreeMap::new());
        Ok(Self { ours, theirs, sources, _memory: memory })
    }

    /// Marks the sources whose bits are set.
    fn sweep(&self) {
        self.ours.sweep(|bit| {
            let source = self.sources.lock().get(&bit).cloned();
            if let Some(source) = source {
                source.mark();
            }
        });
    }
}

/// All of a component's arenas.
pub(crate) struct Ears<K: Isolation> {
    known: Mutex<K, Known<K>>,
}

struct Known<K: Isolation> {
    arenas: BTreeMap<u64, Arc<Arena<K>>>,
    /// The same, for those that wait.
    list: Arc<[Arc<Arena<K>>]>,
    /// Which bell stands for which word that is watched here.
    watched: BTreeMap<WordId, u64>,
    /// In which arena the watcher of a word is told, as the manager said.
    watchers: BTreeMap<WordId, u64>,
    /// How often an arena was forgotten.
    forgotten: u64,
}

impl<K: Isolation> Ears<K> {
    pub(crate) fn new(kernel: &K) -> Result<Self, KernelError> {
        let (arenas, list) = (BTreeMap::new(), Arc::from(Vec::new()));
        let (watched, watchers) = (BTreeMap::new(), BTreeMap::new());
        let known = Known { arenas, list, watched, watchers, forgotten: 0 };
        Ok(Self { known: Mutex::new(kernel.clone(), kernel.point()?, kernel.barrier(), known) })
    }

    fn list(&self) -> Arc<[Arc<Arena<K>>]> {
        Arc::clone(&self.known.lock().list)
    }

    fn arena(
        &self,
        link: &Link<K>,
        id: u64,
        word: Option<WordId>,
    ) -> Result<Arc<Arena<K>>, ErrorKind> {
        loop {
            let forgotten = {
                let known = self.known.lock();
                let said = word.is_none_or(|word| known.watchers.get(&word) == Some(&id));
                if let Some(arena) = known.arenas.get(&id).filter(|_| said) {
                    return Ok(Arc::clone(arena));
                }
                known.forgotten
            };
            let new = Arc::new(Arena::ask(link, id, word)?);
            let mut known = self.known.lock();
            // One that has gone meanwhile may be this one, and nobody would say so again: ask anew.
            if known.forgotten == forgotten {
                if let Some(word) = word {
                    known.watchers.insert(word, id);
                }
                let arena = Arc::clone(known.arenas.entry(id).or_insert(new));
                known.list = known.arenas.values().cloned().collect();
                return Ok(arena);
            }
        }
    }

    /// A group here watches the word: which bell is to be rung for it.
    pub(crate) fn watch(
        &self,
        link: &Link<K>,
        word: WordId,
        point: &Blockpoint<K>,
    ) -> Result<u64, ErrorKind> {
        let bell = link.number(Request::Watch(word))?;
        let (arena, bit) = (bell >> BIT_BITS, bell as u32 & ((1 << BIT_BITS) - 1));
        let arena = self.arena(link, arena, None).inspect_err(|_| {
            let _ = link.ask(Request::Unwatch(word));
        })?;
        arena.sources.lock().insert(bit, point.clone());
        self.known.lock().watched.insert(word, bell);
        Ok(bell)
    }

    pub(crate) fn unwatch(&self, link: &Link<K>, word: WordId) {
        let source = {
            let mut known = self.known.lock();
            let Some(bell) = known.watched.remove(&word) else { return };
            let arena = known.arenas.get(&(bell >> BIT_BITS)).cloned();
            drop(known);
            let bit = bell as u32 & ((1 << BIT_BITS) - 1);
            arena.and_then(|arena| arena.sources.lock().remove(&bit))
        };
        // Not under a lock: it may be the last.
        drop(source);
        let _ = link.ask(Request::Unwatch(word));
    }

    /// Rings for the word. The number of the bell was read in memory that a peer can write.
    pub(crate) fn ring(&self, link: &Link<K>, word: WordId, bell: u64) {
        let (arena, bit) = (bell >> BIT_BITS, bell as u32 & ((1 << BIT_BITS) - 1));
        match self.arena(link, arena, Some(word)) {
            Ok(arena) => arena.theirs.ring(bit),
            // It shares no arena with whoever watches, or that was made up.
            Err(_) => drop(link.ask(Request::Ring(word))),
        }
    }

    /// The words of that object are not used here any more.
    pub(crate) fn forget_words(&self, object: u64) {
        let mut known = self.known.lock();
        let all = WordId { object, offset: 0 }..=WordId { object, offset: u32::MAX };
        while let Some((word, _)) = known.watchers.range(all.clone()).next() {
            let word = *word;
            known.watchers.remove(&word);
        }
    }

    /// The peer of that arena is gone.
    pub(crate) fn forget(&self, id: u64) {
        let gone = {
            let mut known = self.known.lock();
            known.forgotten += 1;
            known.watchers.retain(|_, arena| *arena != id);
            let gone = known.arenas.remove(&id);
            known.list = known.arenas.values().cloned().collect();
            gone
        };
        if let Some(arena) = gone {
            arena.sweep();
        }
    }

    /// As [`Event::wait_until`], and looks also when a bell has been rung.
    pub(crate) fn wait(
        &self,
        event: Event<'_, K>,
        deadline: Deadline,
        look: &mut dyn FnMut() -> bool,
    ) -> Result<(), WaitError> {
        let arenas = self.list();
        let mut listen = |arenas: &[Arc<Arena<K>>]| {
            arenas.iter().for_each(|arena| arena.sweep());
            look()
        };
        if listen(&arenas) || event.spin(|| listen(&arenas).then_some(())).is_some() {
            return Ok(());
        }
        drop(arenas);
        loop {
            // Before it is armed: who adds one later triggers the event.
            let armed = event.subscribe();
            let arenas = self.list();
            let bells = arenas.iter().map(|arena| arena.ours.event());
            let bells: Vec<_> = bells.map(|bell| (bell, bell.subscribe())).collect();
            event.park.heavy_barrier(strongest(event, &bells));
            if listen(&arenas) {
                return Ok(());
            }
            let gone = event.told(Side::Waiters);
            if let Some(gone) = gone {
                return Err(WaitError::Gone(gone));
            }
            if deadline.passed(event.park.now()) {
                return Err(WaitError::TimedOut);
            }
            // One that has moved: look again.
            if let Some(waits) = sleep_on((event, armed), &bells) {
                event.park.park_any(&waits, deadline);
            }
        }
    }
}

/// A word, as it was when it was armed.
type Armed<'a, K> = (Event<'a, K>, Snapshot);

/// The one barrier that does for all of them: the asymmetric one is a fence, too.
fn strongest<K: Isolation>(event: Event<'_, K>, bells: &[Armed<'_, K>]) -> Barrier {
    let asymmetric = bells.iter().any(|(bell, _)| bell.barrier == Barrier::Asymmetric);
    if asymmetric { Barrier::Asymmetric } else { event.barrier }
}

/// What to sleep on; none where one of them has moved since.
///
/// A bell whose listeners are told that nobody rings it any more is left out: only a peer that
/// breaks the rules writes that, and it would keep us awake for ever.
fn sleep_on<'a, K: Isolation>(
    own: Armed<'a, K>,
    bells: &[Armed<'a, K>],
) -> Option<Vec<Waiting<'a, K>>> {
    let bells = bells.iter().filter(|(_, armed)| armed.gone().is_none());
    let wait = |(event, armed): &Armed<'a, K>| {
        let seen = event.still(*armed)?;
        Some(Waiting { point: event.point, word: event.word, seen })
    };
    core::iter::once(&own).chain(bells).map(wait).collect()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::sync::atomic::AtomicU64;

    use chan_impls::Spsc;
    use res_api::{Backend, Env, EvtGrp, Fault, Gone, Name, Receiver, Rx, Sender, Slot, Trigger};
    use res_kernel::linux::Linux;
    use res_kernel::sim::Simulation;
    use res_kernel::{Kernel, Sim};
    use res_sync::Wake;

    use super::*;
    use crate::{Limits, Sinv};

    const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");

    /// Watches what its composer sends.
    fn watches(env: Env<Sinv<Sim>>) -> Result<(), Fault> {
        let (mut from, group) = (env.take(FROM)?, env.evtgrp(1)?);
        let _registered = group.add(&from, Trigger::Edge, 0)?;
        while from.drain(|_| ()).is_none() {
            group.wait(Deadline::NEVER)?;
        }
        Ok(())
    }

    /// Rings for one that ends, or is killed.
    fn rings(sim: Sim) {
        let system = Sinv::on(sim, Limits::default()).expect("a system");
        let (mut tx, from) = system.chan::<Spsc, u64>(4).expect("a channel");
        let component = system.component(const { Name::new("watches") }, watches).expect("made");
        component.endow(FROM, from).expect("endowed");
        if component.start().is_ok() {
            (0..3).for_each(|n| _ = tx.send(n));
            drop(tx);
            component.wait(Deadline::NEVER).expect("it ends");
        }
        // It is told of that by another thread.
        let late = system.within(Duration::from_secs(1));
        while !system.world.ears.known.lock().arenas.is_empty() {
            assert!(!late.passed(system.now()), "an arena is kept for ever");
            system.yield_now();
        }
    }

    #[test]
    fn no_arena_is_kept_whenever_its_other_party_is_killed() {
        for seed in 0..2 {
            let whole = Simulation::new(seed).run(rings);
            assert_eq!(whole.failure, None, "{whole}");
            for step in 1..whole.steps {
                let outcome = Simulation::new(seed).kill(1, step).run(rings);
                assert_eq!(outcome.failure, None, "step {step}: {outcome}");
            }
        }
    }

    #[test]
    fn a_bell_that_is_said_to_be_dead_keeps_nobody_awake() {
        let (kernel, words) = (Linux::new(), [const { AtomicU64::new(0) }; 3]);
        let point = kernel.point().expect("a point");
        let event = |word| Event { park: &kernel, point: &point, word, barrier: Barrier::Fence };
        let [own, good, bad] = words.each_ref().map(event);
        let arm = |event: Event<'_, Linux>| {
            let mut all = [own, good, bad].map(|it| (it, it.subscribe()));
            all.rotate_left(1);
            let _ = event.trigger(Wake::All);
            let [good, bad, own] = all;
            sleep_on(own, &[good, bad]).map(|waits| waits.len())
        };
        assert_eq!([own, good, bad].map(arm), [None; 3], "each is heard");
        bad.tell(Side::Waiters, Gone::PeerGone);
        // What it told is behind us; the others are slept on, and heard.
        let armed = [own, good, bad].map(|it| (it, it.subscribe()));
        assert_eq!(sleep_on(armed[0], &armed[1..]).map(|waits| waits.len()), Some(2));
        assert_eq!([own, good].map(arm), [None; 2]);
    }
}
