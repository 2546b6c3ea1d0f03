//! What a component has of an arena that it shares with another.

use core::mem::replace;
use core::sync::atomic::Ordering::Relaxed;
use std::collections::BTreeMap;

use backend_local::Blockpoint;
use backend_local::outside::WordId;
use res_api::ErrorKind;
use res_kernel::Isolation;
use res_sync::model::Atomic;
use res_sync::{Budget, Instant, MemoryModel, Mutex, Rate};

use crate::bell::Bell;
use crate::link::Link;
use crate::request::Request;

/// An arena that this component has mapped.
pub(super) struct Arena<K: Isolation> {
    pub(super) ours: Bell<K>,
    pub(super) theirs: Bell<K>,
    pub(super) sources: Mutex<K, Sources<K>>,
    /// Until when it is not listened to, in nanoseconds; 0: it is.
    deaf: <K::Model as MemoryModel>::U64,
    /// Last: the bells lie in it.
    _memory: K::Memory,
}

/// What a peer rings for.
pub(super) struct Sources<K: Isolation> {
    /// What stands for which bit, of those that groups here watch.
    pub(super) watched: BTreeMap<u32, Watched<K>>,
    /// How many of them were marked.
    marked: u64,
    /// How often the peer may still ring for none of them.
    vain: Budget,
}

/// A source of a group here.
pub(super) struct Watched<K: Isolation> {
    point: Blockpoint<K>,
    /// How often it was marked.
    marked: u64,
    /// How much had been found there when its end was last stuck, and how often it was marked then.
    stuck: (u64, u64),
}

impl<K: Isolation> Watched<K> {
    pub(super) fn new(point: &Blockpoint<K>) -> Self {
        Self { point: point.clone(), marked: 0, stuck: (0, 0) }
    }
}

impl<K: Isolation> Arena<K> {
    /// The arena, for whoever listens there, or for who is to ring for that word.
    pub(super) fn ask(link: &Link<K>, id: u64, word: Option<WordId>) -> Result<Self, ErrorKind> {
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
        let sources = Sources { watched: BTreeMap::new(), marked: 0, vain: Budget::new() };
        let sources = Mutex::new(kernel.clone(), point, kernel.barrier(), sources);
        Ok(Self { ours, theirs, sources, deaf: Atomic::new(0), _memory: memory })
    }

    /// Marks the sources whose bits are set, unless it is not listened to.
    pub(super) fn sweep(&self) {
        // Relaxed: see `spend`.
        if self.deaf.load(Relaxed) != 0 {
            if self.deaf_until(self.ours.now()).is_some() {
                return;
            }
            self.deaf.store(0, Relaxed);
        }
        self.sweep_all();
    }

    /// Marks the sources whose bits are set.
    pub(super) fn sweep_all(&self) {
        self.ours.sweep(|bit| {
            let point = {
                let mut sources = self.sources.lock();
                let watched = sources.watched.get_mut(&bit).map(|watched| {
                    watched.marked += 1;
                    watched.point.clone()
                });
                sources.marked += u64::from(watched.is_some());
                watched
            };
            if let Some(point) = point {
                point.mark();
            }
        });
    }

    /// The bell has woken somebody for nothing, who knew how many sources were marked (H12).
    ///
    /// If one was marked since, the peer rang for another group here. The first time is for free: a
    /// peer that rings for what has been found already keeps to the rules.
    pub(super) fn woke_for_nothing(&self, known: &mut Option<u64>, now: Instant) {
        let mut sources = self.sources.lock();
        if known.replace(sources.marked) == Some(sources.marked) {
            self.spend(&mut sources.vain, now);
        }
    }

    /// The end of that source has found so much, and no more since it last said so: if it was marked
    /// meanwhile, that was for nothing (H12).
    pub(super) fn stuck(&self, bit: u32, at: u64) {
        let mut sources = self.sources.lock();
        let Some(watched) = sources.watched.get_mut(&bit) else { return };
        let before = replace(&mut watched.stuck, (at, watched.marked));
        if before.0 == at && before.1 != watched.marked {
            self.spend(&mut sources.vain, self.ours.now());
        }
    }

    /// Once more for nothing: too often, and it is not listened to until the period is over.
    fn spend(&self, vain: &mut Budget, now: Instant) {
        if let Some(until) = vain.spend(now, Rate::VAIN) {
            // Relaxed: who sees it late listens once more.
            self.deaf.store(until.as_nanos(), Relaxed);
        }
    }

    /// When it is listened to again, if it is not.
    pub(super) fn deaf_until(&self, now: Instant) -> Option<Instant> {
        // Relaxed: see `spend`.
        let until = self.deaf.load(Relaxed);
        (now.as_nanos() < until).then(|| Instant::from_nanos(until))
    }
}

#[cfg(test)]
mod tests {
    use backend_local::Local;
    use res_api::Backend;
    use res_kernel::Kernel;
    use res_kernel::linux::Linux;

    use super::*;
    use crate::bell::ARENA;

    fn arena() -> Arena<Linux> {
        let kernel = Linux::new();
        let memory = kernel.memory(ARENA).expect("memory");
        Arena::new(&kernel, memory, 0).expect("an arena")
    }

    /// How often it is listened to when that is done again and again.
    fn times(arena: &Arena<Linux>, now: Instant, mut again: impl FnMut()) -> usize {
        let listened = |_: &usize| {
            again();
            arena.deaf_until(now).is_none()
        };
        (0..10_000).take_while(listened).count()
    }

    /// Each group of this component hears it, and one of them it is for.
    #[test]
    fn what_another_group_here_was_told_is_not_for_nothing() {
        let (arena, mut known, now) = (arena(), None, Instant::from_nanos(1));
        let fine = times(&arena, now, || {
            arena.woke_for_nothing(&mut known, now);
            arena.sources.lock().marked += 1;
        });
        assert_eq!(fine, 10_000);
        // The next wait, and then for nothing.
        known = None;
        assert_eq!(times(&arena, now, || arena.woke_for_nothing(&mut known, now)), 1 + 63);
    }

    #[test]
    fn what_was_told_to_who_is_stuck_was_for_nothing() {
        let (arena, system) = (arena(), Local::new().expect("a system"));
        let point = system.blockpoint().expect("a point");
        arena.sources.lock().watched.insert(5, Watched::new(&point));
        let now = arena.ours.now();
        let told = |bit, at| {
            arena.ours.ring(bit);
            arena.sweep_all();
            arena.stuck(5, at);
        };
        // It has found something, was told of another, or only looked.
        let mut at = 0;
        let finds = times(&arena, now, || {
            at += 1;
            told(5, at);
        });
        let others = times(&arena, now, || told(6, at));
        let looks = times(&arena, now, || arena.stuck(5, at));
        assert_eq!([finds, others, looks], [10_000; 3]);
        // The clock goes on: two periods, if that takes so long.
        let told = times(&arena, now, || told(5, at));
        assert!((63..=2 * 63).contains(&told), "{told}");
    }
}
