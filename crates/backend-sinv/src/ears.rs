//! The bells that a component listens to, and those that it rings.

mod arena;
mod heard;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::vec::Vec;

use backend_local::Blockpoint;
use backend_local::outside::WordId;
use res_api::{ErrorKind, WaitError};
use res_kernel::{Isolation, KernelError};
use res_sync::{Deadline, Event, Mutex, Side};

use arena::Arena;
use heard::{Heard, sleep_on, strongest};

use crate::bell::BIT_BITS;
use crate::link::Link;
use crate::request::Request;

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
        arena.sources.lock().watched.insert(bit, point.clone());
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
            arena.and_then(|arena| arena.forget(bit))
        };
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
            arena.close();
        }
    }

    /// As [`Event::wait_until`], and looks also when a bell has been rung. One that is rung for nothing
    /// again and again is not listened to for a while; to the others it makes no difference.
    pub(crate) fn wait(
        &self,
        event: Event<'_, K>,
        deadline: Deadline,
        look: &mut dyn FnMut() -> bool,
    ) -> Result<(), WaitError> {
        let mut arenas = self.list();
        let mut listen = |arenas: &[Arc<Arena<K>>]| {
            arenas.iter().for_each(|arena| arena.sweep());
            look()
        };
        if listen(&arenas) || event.spin(|| listen(&arenas).then_some(())).is_some() {
            return Ok(());
        }
        let mut heard = Heard::default();
        loop {
            // Before it is armed: who adds one later triggers the event.
            let armed = event.subscribe();
            let listed = self.list();
            if !Arc::ptr_eq(&arenas, &listed) {
                (arenas, heard) = (listed, Heard::default());
            }
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
            let now = event.park.now();
            if deadline.passed(now) {
                return Err(WaitError::TimedOut);
            }
            heard.judge(&arenas, now);
            // One that has moved: look again.
            let woken = sleep_on((event, armed), &bells, &heard).and_then(|waits| {
                let due = arenas.iter().filter_map(|arena| arena.due()).min();
                let until =
                    deadline.min(heard.deaf_until()).min(due.map_or(Deadline::NEVER, Deadline::at));
                let woken = event.park.park_any(&waits, until)?;
                waits.get(woken).map(|waiting| waiting.word)
            });
            heard.note(&bells, woken);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use chan_impls::Spsc;
    use res_api::{
        AnyCap, Backend, Blockpoint, Entry, Env, EvtGrp, Fault, FromCap, Name, Receiver, Rx,
        Sender, Slot, Thread, Trigger, TryRecvError, Tx, Wake,
    };
    use res_kernel::sim::Simulation;
    use res_kernel::{Kernel, Sim};

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

    const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");
    const MILLISECOND: Duration = Duration::from_millis(1);
    const LATE: Duration = Duration::from_secs(60);

    type Cap = <Sinv<Sim> as Backend>::Cap;

    /// For how long one rings that sends nothing.
    const HOSTILE: Duration = Duration::from_millis(40);

    /// Rings all the time, and sends nothing; then the time, once.
    fn pesters<S: Sender<Msg = u64> + FromCap<Cap>>(
        env: &Env<Sinv<Sim>>,
        to: S,
        ring: impl Fn(&Cap),
    ) -> Result<(), Fault> {
        let (to, late) = (to.into_cap(), env.now() + HOSTILE);
        while env.now() < late {
            ring(&to);
            env.yield_now();
        }
        let Ok(mut to) = S::attach(to) else { return Err(ErrorKind::Invalid.into()) };
        let _ = to.send(env.now().as_nanos());
        // Its end would be told as well.
        env.sleep(env.now() + HOSTILE);
        Ok(())
    }

    /// Rings for what nobody watches, as soon as it has something to ring.
    fn rings_for_nothing(env: Env<Sinv<Sim>>) -> Result<(), Fault> {
        let mut to = env.take(TO)?;
        while env.world.ears.list().is_empty() {
            to.send(0)?;
        }
        let arenas = env.world.ears.list();
        pesters(&env, to, |_| {
            arenas.iter().for_each(|arena| arena.theirs.ring(crate::bell::SOURCES - 1));
        })
    }

    /// Rings for its own channel.
    fn rings_and_sends_nothing(env: Env<Sinv<Sim>>) -> Result<(), Fault> {
        let mut to = env.take(TO)?;
        to.send(0)?;
        pesters(&env, to, |to| {
            let data = to.blockpoint(0).expect("what the receiver waits on");
            let _ = data.trigger(Wake::All);
        })
    }

    /// Sends the time now and then.
    fn sends_the_time(env: Env<Sinv<Sim>>) -> Result<(), Fault> {
        let mut to = env.take(TO)?;
        to.send(0)?;
        for _ in 0..10 {
            env.sleep(env.now() + 3 * MILLISECOND);
            to.send(env.now().as_nanos())?;
        }
        Ok(())
    }

    /// Waits, and looks.
    type Wait = fn(&Sinv<Sim>, &<Sinv<Sim> as Backend>::EvtGrp, &mut dyn FnMut() -> bool);

    fn by_itself(
        system: &Sinv<Sim>,
        _: &<Sinv<Sim> as Backend>::EvtGrp,
        look: &mut dyn FnMut() -> bool,
    ) {
        let sim = &system.world.link.kernel;
        let (point, word) = (sim.point().expect("a point"), res_sync::model::Atomic::new(0));
        let event = Event { park: sim, point: &point, word: &word, barrier: sim.barrier() };
        system.world.ears.wait(event, system.within(LATE), look).expect("heard");
    }

    fn by_the_group(
        system: &Sinv<Sim>,
        group: &<Sinv<Sim> as Backend>::EvtGrp,
        look: &mut dyn FnMut() -> bool,
    ) {
        group.wait(system.within(LATE)).expect("heard");
        look();
    }

    /// Listens to one of each, whose channels are watched before they have them, or afterwards.
    fn listens(sim: Sim, rings: impl Entry<Sinv<Sim>>, wait: Wait, early: bool) {
        let system = Sinv::on(sim, Limits::default()).expect("a system");
        let late = system.within(LATE);
        let [(bad, mut from_bad), (good, mut from)] =
            [(); 2].map(|()| system.chan::<Spsc, u64>(4).expect("a channel"));
        let group = system.evtgrp(2).expect("a group");
        let watch = |bad: &_, good: &_| {
            [bad, good].map(|rx| group.add(rx, Trigger::Edge, 1).expect("added"))
        };
        let watched = early.then(|| watch(&from_bad, &from));
        let hostile = system.component(const { Name::new("hostile") }, rings);
        let honest = system.component(const { Name::new("honest") }, sends_the_time);
        let components = [(hostile.expect("made"), bad), (honest.expect("made"), good)];
        let components = components.map(|(component, to)| {
            component.endow(TO, to).expect("endowed");
            component.start().expect("started");
            component
        });
        assert_eq!([&mut from_bad, &mut from].map(|rx| rx.recv_until(late)), [Ok(0); 2]);
        let _watched = watched.unwrap_or_else(|| watch(&from_bad, &from));
        while from_bad.try_recv().is_ok() {}
        let took = |sent| Duration::from_nanos(system.now().as_nanos() - sent);
        let (begin, mut looks, mut came, mut last) = (system.now(), 0, 0, None);
        while came < 10 || last.is_none() {
            wait(&system, &group, &mut || {
                looks += 1;
                last = last.or(from_bad.try_recv().ok().filter(|sent| *sent != 0).map(took));
                let Ok(sent) = from.try_recv() else { return last.is_some() };
                assert!(took(sent) < MILLISECOND, "an honest one waits for {:?}", took(sent));
                came += 1;
                true
            });
        }
        assert!(last < Some(11 * MILLISECOND), "the last word comes after {last:?}");
        // So many, one behind each of them, and a few for each that came.
        let periods = (system.now() - begin).as_millis() / 10 + 2;
        assert!(looks < 65 * periods + 6 * 10, "{looks} looks in {periods} periods");
        components.iter().for_each(|it| assert_eq!(it.wait(late), Ok(res_api::Exit::Success)));
    }

    fn nobody_is_delayed(rings: impl Entry<Sinv<Sim>> + 'static, wait: Wait, early: bool) {
        for seed in 0..8 {
            let outcome = Simulation::new(seed).run(move |sim| listens(sim, rings, wait, early));
            assert_eq!(outcome.failure, None, "seed {seed}: {outcome}");
        }
    }

    #[test]
    fn who_rings_for_nothing_wakes_nobody_often_and_delays_nobody() {
        nobody_is_delayed(rings_for_nothing, by_itself, false);
    }

    #[test]
    fn a_group_is_seldom_told_by_who_rings_and_sends_nothing() {
        nobody_is_delayed(rings_and_sends_nothing, by_the_group, false);
    }

    /// One that has the other end, and says nothing.
    fn is_silent(env: Env<Sinv<Sim>>) -> Result<(), Fault> {
        let mut to = env.take(TO)?;
        to.send(0)?;
        env.sleep(env.now() + HOSTILE);
        Ok(())
    }

    /// The source is rung for in vain, and then once while somebody waits, of which another thread
    /// learns.
    fn waits_for_what_another_thread_has_withheld(sim: Sim) {
        let system = Sinv::on(sim, Limits::default()).expect("a system");
        let (to, mut from) = system.chan::<Spsc, u64>(4).expect("a channel");
        let silent = system.component(const { Name::new("silent") }, is_silent).expect("made");
        silent.endow(TO, to).expect("endowed");
        silent.start().expect("started");
        assert_eq!(from.recv(), Ok(0));
        let group = Arc::new(system.evtgrp(1).expect("a group"));
        let _watched = group.add(&from, Trigger::Edge, 7).expect("added");
        let arenas = system.world.ears.list();
        let source = arenas[0]
            .sources
            .lock()
            .watched
            .first_key_value()
            .map(|(bit, point)| (*bit, point.clone()));
        let (bit, point) = source.expect("one is watched");
        while point.vain_until().is_none() {
            arenas[0].rung(bit);
            assert_eq!(from.try_recv(), Err(TryRecvError::Empty));
        }
        while group.wait(Deadline::PASSED).is_ok() {}
        let (late, waited, clock) = (system.within(HOSTILE), Arc::clone(&group), system.clone());
        let waits = system.thread(move || {
            let begin = clock.now();
            assert_eq!(waited.wait(late).map(|event| event.data), Ok(7));
            assert!(clock.now() - begin < 11 * MILLISECOND, "the period is over before");
        });
        let waits = waits.expect("a thread");
        waits.start().expect("started");
        system.sleep(system.now() + MILLISECOND);
        arenas[0].rung(bit);
        assert_eq!(waits.join(Deadline::NEVER), Ok(res_api::Exit::Success));
    }

    #[test]
    fn who_waits_learns_of_what_another_thread_has_withheld() {
        for seed in 0..8 {
            let outcome = Simulation::new(seed).run(waits_for_what_another_thread_has_withheld);
            assert_eq!(outcome.failure, None, "seed {seed}: {outcome}");
        }
    }

    /// Neither has an arena with who listens: the manager rings the same bell for both.
    #[test]
    fn who_rings_by_the_manager_delays_nobody_either() {
        nobody_is_delayed(rings_and_sends_nothing, by_the_group, true);
    }
}
