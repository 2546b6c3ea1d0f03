//! The page that a component shares with the manager, and with nobody else.
//!
//! | bytes | what |
//! |---|---|
//! | 0 to 2047 | what does not fit into an invocation, while one thread asks |
//! | 2048 to 2055 | a bit for each source that a group here watches: its bell was rung |
//! | 2560 to 3071 | who sleeps here until a bell is rung: 32 times a blockpoint and an epoch |
//!
//! Each side can write anything there at any time: what is read is copied first, and then looked at.

use core::ptr::NonNull;

use res_kernel::KernelMemory;
use res_kernel::composite::CompositeMemory;
use res_sync::model::{Core, MemoryModel, bytes};

use crate::wire::Sink;

/// Bytes of a capability that travels, at most.
pub(super) const PARCEL: usize = 768;
/// Memory objects of one, at most.
pub(super) const OBJECTS: usize = 8;
/// Bytes of what is said of an object that comes.
pub(super) const OBJECT: usize = 16;

/// Sources that can be watched.
pub(super) const SOURCES: u32 = 64;
/// Threads that can wait for bells at a time: as many as the system has.
pub(super) const SLEEPERS: usize = 32;

const BITS: usize = 2048;
const ASLEEP: usize = 2560;

const _: () = assert!(OBJECTS * OBJECT + PARCEL <= BITS && ASLEEP + SLEEPERS * 16 <= 4096);

type U64 = <Core as MemoryModel>::U64;

/// Such a page, as it is mapped here: for ever.
#[derive(Clone, Copy)]
pub(super) struct Page(NonNull<u8>);

// SAFETY: everybody uses it by atomics, or by copies that bear that others write meanwhile.
unsafe impl Send for Page {}
// SAFETY: as for `Send`.
unsafe impl Sync for Page {}

/// Who sleeps until a bell is rung.
pub(super) struct Sleeper<'a> {
    /// The blockpoint; 0 where nobody sleeps.
    pub(super) point: &'a U64,
    /// The epoch to trigger it with.
    pub(super) epoch: &'a U64,
}

impl Page {
    /// Those pages, or the first of them.
    pub(super) fn of(memory: &CompositeMemory) -> Self {
        Self(memory.base())
    }

    /// Room for what is put into it piece by piece, from the beginning on.
    pub(super) fn room(self) -> Room {
        Room { page: self, used: 0 }
    }

    /// Writes, from the beginning on.
    pub(super) fn put(self, from: &[u8]) {
        let len = from.len().min(BITS);
        // SAFETY: within the page, which begins at a multiple of 8; both sides copy like this.
        unsafe { bytes::put::<Core>(self.0, from.as_ptr(), len) };
    }

    /// Reads, from the beginning on.
    pub(super) fn take(self, to: &mut [u8]) {
        self.take_from(0, to);
    }

    /// Reads from that place on, which is a multiple of 8.
    pub(super) fn take_from(self, at: usize, to: &mut [u8]) {
        let len = to.len().min(BITS.saturating_sub(at));
        // SAFETY: within the page, which begins at a multiple of 8; both sides copy like this.
        unsafe { bytes::take::<Core>(self.0.add(at), to.as_mut_ptr(), len) };
    }

    fn word(&self, at: usize) -> &U64 {
        debug_assert!(at.is_multiple_of(8) && at < 4096);
        // SAFETY: within the page, aligned; everybody uses what is behind `BITS` by atomics.
        unsafe { self.0.add(at).cast().as_ref() }
    }

    /// Which bells were rung.
    pub(super) fn bits(&self) -> &U64 {
        self.word(BITS)
    }

    /// The sleeper of that number.
    pub(super) fn sleeper(&self, number: usize) -> Sleeper<'_> {
        let at = ASLEEP + number % SLEEPERS * 16;
        Sleeper { point: self.word(at), epoch: self.word(at + 8) }
    }
}

/// Room for bytes in a page, for the one thread that may use its beginning.
pub(super) struct Room {
    page: Page,
    used: usize,
}

impl Room {
    /// How many bytes were put there.
    pub(super) fn used(&self) -> usize {
        self.used
    }
}

impl Sink for Room {
    /// What there is no room for is counted, and not put there.
    fn append(&mut self, bytes: &[u8]) {
        for (at, byte) in (self.used..BITS).zip(bytes) {
            // SAFETY: within the page, which the other side looks at when it is asked to.
            unsafe { self.page.0.add(at).write_volatile(*byte) };
        }
        self.used = self.used.saturating_add(bytes.len());
    }
}
