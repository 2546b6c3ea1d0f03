//! What a component has of an arena that it shares with another.

use std::collections::BTreeMap;

use backend_local::Blockpoint;
use backend_local::outside::WordId;
use res_api::ErrorKind;
use res_kernel::Isolation;
use res_sync::{Budget, Instant, Mutex, Rate};

use crate::bell::Bell;
use crate::link::Link;
use crate::request::Request;

/// An arena that this component has mapped.
pub(super) struct Arena<K: Isolation> {
    pub(super) ours: Bell<K>,
    pub(super) theirs: Bell<K>,
    pub(super) sources: Mutex<K, Sources<K>>,
    /// Last: the bells lie in it.
    _memory: K::Memory,
}

/// What a peer rings for.
pub(super) struct Sources<K: Isolation> {
    /// What stands for which bit, of those that groups here watch.
    pub(super) watched: BTreeMap<u32, Blockpoint<K>>,
    /// How many of them were marked.
    marked: u64,
    /// How often the peer may still ring for none of them.
    vain: Budget,
}

impl<K: Isolation> Sources<K> {
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
        Ok(Self { ours, theirs, sources, _memory: memory })
    }

    /// Marks the sources whose bits are set.
    pub(super) fn sweep(&self) {
        self.ours.sweep(|bit| {
            let source = {
                let mut sources = self.sources.lock();
                let source = sources.watched.get(&bit).cloned();
                sources.marked += u64::from(source.is_some());
                source
            };
            if let Some(source) = source {
                source.mark();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use res_kernel::linux::Linux;

    use super::*;

    /// Each group of this component hears it, and one of them it is for.
    #[test]
    fn what_another_group_here_was_told_is_not_for_nothing() {
        let watched = BTreeMap::new();
        let mut sources = Sources::<Linux> { watched, marked: 0, vain: Budget::new() };
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
}
