//! What threads do to words, through their store buffers.

use super::buffers::Bytes;
use super::machine::{Machine, State};

impl State {
    /// Takes away what another thread has stored there and others do not see yet; what they see
    /// instead, where that stays so.
    fn beneath(&mut self, thread: u32, bytes: Bytes) -> Option<&mut u64> {
        let owner = self.buffers.owner(bytes).filter(|owner| *owner != thread)?;
        if self.buffers.straddles(owner, bytes) {
            self.buffers.drain(owner);
            return None;
        }
        self.buffers.seen_beneath(owner, bytes)
    }
}

impl Machine {
    /// What the calling thread has stored is there for all.
    pub(super) fn drain(&self) {
        self.state.borrow_mut().buffers.drain(self.current.get());
    }

    /// What any thread has stored is there for all.
    pub(super) fn drain_all(&self) {
        self.state.borrow_mut().buffers.drain_all();
    }

    /// What the calling thread sees there, where memory holds `newest`.
    pub(super) fn seen(&self, bytes: Bytes, newest: u64) -> u64 {
        let mut state = self.state.borrow_mut();
        state.beneath(self.current.get(), bytes).map_or(newest, |before| *before)
    }

    /// Stores: only the calling thread sees it, for now. `swap` does so in memory, and returns
    /// what was there.
    pub(super) fn store(&self, bytes: Bytes, value: u64, swap: impl FnOnce() -> u64) {
        let me = self.current.get();
        let mut state = self.state.borrow_mut();
        if state.buffers.straddles(me, bytes) {
            state.buffers.drain(me);
        }
        if state.beneath(me, bytes).is_some() {
            // Two threads store there. Which store comes first?
            if state.scheduler.pick(2) == 0 {
                while let Some(owner) = state.buffers.owner(bytes).filter(|owner| *owner != me) {
                    state.buffers.flush_oldest(owner);
                }
            } else {
                state.buffers.drain(me);
                if let Some(before) = state.beneath(me, bytes) {
                    *before = value;
                    return;
                }
            }
        }
        state.buffers.push(me, bytes, swap());
    }

    /// Reads, and writes what `change` makes of that, if anything; returns what was read. `get` and
    /// `put` are how memory is reached. All that the calling thread stored before is there for all.
    pub(super) fn modify(
        &self,
        bytes: Bytes,
        change: impl FnOnce(u64) -> Option<u64>,
        get: impl FnOnce() -> u64,
        put: impl FnOnce(u64),
    ) -> u64 {
        let me = self.current.get();
        let mut state = self.state.borrow_mut();
        state.buffers.drain(me);
        if let Some(before) = state.beneath(me, bytes) {
            // Beneath the store of another thread, which comes after this in the order of memory.
            let found = *before;
            *before = change(found).unwrap_or(found);
            return found;
        }
        let found = get();
        if let Some(value) = change(found) {
            put(value);
        }
        found
    }
}
