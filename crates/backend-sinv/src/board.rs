//! Where the manager says that it has something to say.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use res_api::{Barrier, Deadline, Wake};
use res_kernel::{Isolation, KernelError};
use res_sync::Event;
use res_sync::model::Atomic;

use crate::bell::word_at;

/// Bytes of a board.
pub(crate) const BOARD: u64 = 64;

const EVENT: u64 = 0;
const COUNT: u64 = 8;
/// How much the component has taken of what came ahead of being asked for.
const TAKEN: u64 = 16;

/// The manager's side: there is more.
pub(crate) fn post<K: Isolation>(kernel: &K, point: &K::Point, board: &K::Memory) {
    // SAFETY: within the board.
    let (word, count) = unsafe { (word_at::<K>(board, EVENT), word_at::<K>(board, COUNT)) };
    count.fetch_add(1, AcqRel);
    let event = Event { park: kernel, point, word, barrier: Barrier::Fence };
    let _ = event.trigger(Wake::All);
}

/// The manager's side: how much has been taken, as the component says.
pub(crate) fn taken<K: Isolation>(board: &K::Memory) -> u64 {
    // SAFETY: within the board.
    // Relaxed: a number; nothing that is read behind it depends on it.
    unsafe { word_at::<K>(board, TAKEN) }.load(Relaxed)
}

/// The component's side: so much has been taken.
pub(crate) fn take<K: Isolation>(board: &K::Memory, taken: u64) {
    // SAFETY: within the board.
    // Relaxed: as in `taken`.
    unsafe { word_at::<K>(board, TAKEN) }.store(taken, Relaxed);
}

/// The component's side.
pub(crate) struct Board<K: Isolation> {
    kernel: K,
    point: K::Point,
    memory: K::Memory,
}

impl<K: Isolation> Board<K> {
    pub(crate) fn new(kernel: &K, memory: K::Memory) -> Result<Self, KernelError> {
        let point = kernel.point()?;
        kernel.between(&point);
        Ok(Self { kernel: kernel.clone(), point, memory })
    }

    /// Waits until there is more than that; how much there is.
    pub(crate) fn wait(&self, seen: u64) -> u64 {
        // SAFETY: within the board.
        let (word, count) =
            unsafe { (word_at::<K>(&self.memory, EVENT), word_at::<K>(&self.memory, COUNT)) };
        let event = Event { park: &self.kernel, point: &self.point, word, barrier: Barrier::Fence };
        // Asleep at once: nobody hurries.
        let look = || Some(count.load(Acquire)).filter(|now| *now != seen);
        event.sleep_until(Deadline::NEVER, look).unwrap_or(seen)
    }
}
