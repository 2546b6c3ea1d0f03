//! What a component has of an arena that it shares with another.

use core::sync::atomic::Ordering::Relaxed;
use std::collections::BTreeMap;
use std::vec::Vec;

use backend_local::Blockpoint;
use backend_local::outside::WordId;
use res_api::ErrorKind;
use res_kernel::Isolation;
use res_sync::model::Atomic;
use res_sync::{Budget, Instant, MemoryModel, Mutex, Rate};

use crate::bell::{Bell, Listening};
use crate::link::Link;
use crate::request::Request;

/// An arena that this component has mapped.
pub(super) struct Arena<K: Isolation> {
    pub(super) ours: Bell<K>,
    pub(super) theirs: Bell<K>,
    pub(super) sources: Mutex<K, Sources<K>>,
    /// The manager rings it, for several who share no arena with this component.
    pub(super) is_shared: bool,
    /// When the first of what is withheld is due, in nanoseconds; 0: nothing is. A copy for those who
    /// look all the time, written under the lock of the sources.
    due: <K::Model as MemoryModel>::U64,
    /// Last: the bells lie in it.
    _memory: K::Memory,
}

/// What a peer rings for.
pub(super) struct Sources<K: Isolation> {
    /// What stands for which bit, of those that groups here watch.
    pub(super) watched: BTreeMap<u32, Blockpoint<K>>,
    /// Those that were rung for, and until when their groups are not told: it was for nothing before
    /// (H12).
    withheld: BTreeMap<u32, Instant>,
    /// How many of them were marked.
    marked: u64,
    /// How often the peer may still ring for none of them.
    vain: Budget,
}

impl<K: Isolation> Sources<K> {
    fn new() -> Self {
        let (watched, withheld) = (BTreeMap::new(), BTreeMap::new());
        Self { watched, withheld, marked: 0, vain: Budget::new() }
    }

    /// Takes those that are due.
    fn take_due(&mut self, now: Instant) -> Vec<Blockpoint<K>> {
        let due = self.withheld.iter().filter(|(_, until)| **until <= now);
        let points = due.filter_map(|(bit, _)| self.watched.get(bit).cloned());
        let points: Vec<_> = points.collect();
        self.withheld.retain(|_, until| *until > now);
        self.marked += points.len() as u64;
        points
    }

    /// When the next one is due, in nanoseconds; 0: there is none.
    fn next_due(&self) -> u64 {
        self.withheld.values().min().map_or(0, |until| until.as_nanos())
    }

    /// The bell has woken somebody for nothing, who knew how many sources were marked: until when not
    /// to listen to it (H12).
    ///
    /// If one was marked since, the peer rang for another group here. The first time is for free: a
    /// peer that rings for what has been found already keeps to the rules.
    pub(super) fn woke_for_nothing(
        &mut self,
        known: &mut Option<u64>,
        now: Instant,
    ) -> Option<Instant> {
        if known.replace(self.marked) != Some(self.marked) {
            return None;
        }
        self.vain.spend(now, Rate::VAIN)
    }
}

impl<K: Isolation> Arena<K> {
    /// The arena, for whoever listens there, or for who is to ring for that word.
    pub(super) fn ask(link: &Link<K>, id: u64, word: Option<WordId>) -> Result<Self, ErrorKind> {
        let (number, object, memory) = link.memory(Request::Arena(id, word))?;
        let listening = Listening::of(number).ok_or(ErrorKind::Misbehaved)?;
        let new = Self::new(&link.kernel, memory, listening);
        new.inspect_err(|_| link.say(Request::Forget(object)))
    }

    /// One to which this component listens like that.
    fn new(kernel: &K, memory: K::Memory, listening: Listening) -> Result<Self, ErrorKind> {
        let Listening { half, is_shared } = listening;
        let bell = |half| {
            // SAFETY: the arena, which goes after its bells, keeps the memory mapped.
            let bell = unsafe { Bell::new(kernel, &memory, half) };
            bell.map_err(|error| error.kind)?.ok_or(ErrorKind::Misbehaved)
        };
        let (ours, theirs) = (bell(half)?, bell(1 - half)?);
        let point = kernel.point().map_err(|error| error.kind)?;
        let sources = Mutex::new(kernel.clone(), point, kernel.barrier(), Sources::new());
        Ok(Self { ours, theirs, sources, is_shared, due: Atomic::new(0), _memory: memory })
    }

    /// Marks the sources whose bits are set, and those that are due.
    pub(super) fn sweep(&self) {
        if let Some(due) = self.due() {
            let now = self.ours.now();
            if due <= now {
                self.tell_due(now);
            }
        }
        self.ours.sweep(|bit| self.rung(bit));
    }

    /// One that nobody rings any more: marks all sources that were rung for.
    pub(super) fn close(&self) {
        self.sweep();
        self.tell_due(Instant::from_nanos(u64::MAX));
    }

    /// When it is to be swept again, rung or not.
    pub(super) fn due(&self) -> Option<Instant> {
        // Relaxed: whoever sets it has the group wait anew.
        match self.due.load(Relaxed) {
            0 => None,
            due => Some(Instant::from_nanos(due)),
        }
    }

    /// It was rung for that source.
    pub(super) fn rung(&self, bit: u32) {
        let mut sources = self.sources.lock();
        let Some(point) = sources.watched.get(&bit).cloned() else { return };
        match point.vain_until() {
            None => {
                sources.marked += 1;
                drop(sources);
                point.mark();
            }
            Some(until) if !sources.withheld.contains_key(&bit) => {
                sources.withheld.insert(bit, until);
                self.due.store(sources.next_due(), Relaxed);
                drop(sources);
                // Whoever waits has to know when that is due.
                point.rearm();
            }
            Some(_) => {}
        }
    }

    /// Marks those that are due by then.
    fn tell_due(&self, now: Instant) {
        let due = {
            let mut sources = self.sources.lock();
            let due = sources.take_due(now);
            self.due.store(sources.next_due(), Relaxed);
            due
        };
        due.iter().for_each(Blockpoint::mark);
    }

    /// Nobody watches that source here any more. What is returned may be the last handle to its point:
    /// not to be dropped under a lock.
    pub(super) fn forget(&self, bit: u32) -> Option<Blockpoint<K>> {
        let mut sources = self.sources.lock();
        sources.withheld.remove(&bit);
        self.due.store(sources.next_due(), Relaxed);
        sources.watched.remove(&bit)
    }
}

#[cfg(test)]
mod tests {
    use backend_local::Local;
    use res_api::Backend;
    use res_kernel::linux::Linux;

    use super::*;

    /// Each group of this component hears it, and one of them it is for.
    #[test]
    fn what_another_group_here_was_told_is_not_for_nothing() {
        let mut sources = Sources::<Linux>::new();
        let (mut known, now) = (None, Instant::from_nanos(1));
        for _ in 0..1_000 {
            assert_eq!(sources.woke_for_nothing(&mut known, now), None);
            sources.marked += 1;
        }
        // The next wait, and then for nothing.
        known = None;
        let times = (0..).take_while(|_| sources.woke_for_nothing(&mut known, now).is_none());
        assert_eq!(times.count(), 1 + 63);
    }

    #[test]
    fn what_is_withheld_is_told_when_it_is_due() {
        let system = Local::new().expect("a system");
        let (mut sources, at) = (Sources::<Linux>::new(), Instant::from_nanos);
        for bit in 0..3 {
            sources.watched.insert(bit, system.blockpoint().expect("a point"));
        }
        // The last of them is watched no more.
        for (bit, until) in [(0, 5), (1, 7), (3, 5)] {
            sources.withheld.insert(bit, at(until));
        }
        let mut due = |now| (sources.take_due(at(now)).len(), sources.next_due());
        assert_eq!([4, 5, 6, 7].map(&mut due), [(0, 5), (1, 7), (0, 7), (1, 0)]);
        assert_eq!(sources.marked, 2);
    }
}
