//! The index protocol of the single-producer single-consumer ring.
//!
//! Two free-running 64-bit indices, two cache lines apart: `tail` counts pushes and is written by
//! the producer alone, `head` counts pops and is written by the consumer alone. Each side believes
//! only its private copy of its own index, and keeps a cached copy of the other's, which it
//! refreshes when the cache says full (or empty), and then checks: an index that goes backwards
//! or too far is [`Misbehaved`]. All slots are usable; storage is rounded up to a power of two.
//!
//! Beside `tail`, on the same line, lies what was pushed last, where that is short, and behind it
//! the slots, where [they are few](slots_at): a consumer that finds one item, as in calls and
//! answers, need not wait for the line of its slot as well.
//!
//! Wait-free on both sides: no loop, and two shared loads at most per operation.
//!
//! | access | order | partner |
//! |---|---|---|
//! | producer stores `tail` | Release | consumer's Acquire load of `tail`: it sees the slot's content |
//! | consumer stores `head` | Release | producer's Acquire load of `head`: the slot was read before it is written again |

use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use res_sync::MemoryModel;
use res_sync::model::Atomic;

use crate::queue::Misbehaved;

/// Bytes from one index to the other: a pair of cache lines, because processors fetch neighbours too.
const LINE: usize = 128;

/// What both sides share besides the slots, at the beginning of the memory.
#[repr(C)]
pub(crate) struct Header<M: MemoryModel> {
    head: M::U64,
    _apart: [u8; LINE - size_of::<u64>()],
    tail: M::U64,
    /// The low half of the number of a push, and what was pushed. It may be another push than the
    /// one that the consumer looks for, and says so.
    latest: M::U64,
}

/// A short item, with the number of its push.
const fn latest(position: u64, bits: u32) -> u64 {
    position << u32::BITS | bits as u64
}

/// Bytes of a header in mapped memory.
const HEADER: u64 = (LINE + 2 * size_of::<u64>()) as u64;

/// Slots of so many bytes together lie beside `tail`. With 8 bytes for each, and neither side waiting
/// for long, messages went up to four times as fast as with slots on lines of their own; from 256
/// bytes on nothing was gained.
const FEW: u64 = 128;

/// Where slots of so many bytes together begin: at a multiple of 16, and of lines where they are many.
pub(crate) const fn slots_at(bytes: u64) -> u64 {
    if bytes <= FEW { HEADER } else { 2 * LINE as u64 }
}

impl<M: MemoryModel> Header<M> {
    /// How many items are in it, as far as one can believe what it says.
    pub(crate) fn queued(&self, capacity: u32) -> u32 {
        let (tail, head) = (self.tail.load(Relaxed), self.head.load(Relaxed));
        tail.wrapping_sub(head).min(capacity.into()) as u32
    }

    /// An empty ring.
    pub(crate) fn new() -> Self {
        let word = || M::U64::new(0);
        Self { head: word(), _apart: [0; LINE - size_of::<u64>()], tail: word(), latest: word() }
    }

    /// What the consumer stored last. Only for who knows that it has gone, or is it.
    pub(crate) fn popped(&self) -> u64 {
        self.head.load(Acquire)
    }
}

/// The largest capacity.
pub(crate) const MAX_CAPACITY: u32 = 1 << 31;

/// Slots to store `capacity` items: a power of two. `None` for 0 and beyond 2^31.
pub(crate) const fn slots(capacity: u32) -> Option<u32> {
    if capacity == 0 || capacity > MAX_CAPACITY { None } else { Some(capacity.next_power_of_two()) }
}

/// How far ahead of itself a side asks for the lines of slots, in bytes. Two cores hand lines to
/// each other much more slowly than either works on them, and neither executes far enough ahead to
/// have several on their way; these distances were measured to be enough.
const WRITE_AHEAD: usize = 512;
/// Less, because half a ring of 64 words has to be enough for it.
const READ_AHEAD: usize = 256;

/// The same in slots, of so many bytes each; further than any ring, where there is nothing to ask.
const fn slots_ahead(bytes: usize, slot: usize) -> u32 {
    match slot {
        0 => u32::MAX,
        slot if slot > bytes => 1,
        slot => (bytes / slot) as u32,
    }
}

/// How many slots ahead the producer asks. Only within its room: what else is there is being read.
pub(crate) const fn write_ahead(slot: usize) -> u32 {
    slots_ahead(WRITE_AHEAD, slot)
}

/// How many slots ahead the consumer asks. Only within the items: what else is there is being
/// written.
pub(crate) const fn read_ahead(slot: usize) -> u32 {
    slots_ahead(READ_AHEAD, slot)
}

/// Asks for the line at an address, to write it soon. Only a hint; never faults.
///
/// A store asks for its line when all that comes before it is done. A push therefore asks for the lines
/// that it writes as soon as it begins: they come at once, and while the other side is asked for room. A
/// round trip of 8 bytes took 0.65 to 0.95 of the time.
#[inline(always)]
pub(crate) fn prefetch_write<S>(at: *const S) {
    // SAFETY: changes nothing that the program can see, whatever the address.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    unsafe {
        core::arch::asm!(
            "prefetchw [{}]",
            in(reg) at.addr(),
            options(nomem, nostack, preserves_flags),
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

/// Asks for the line at an address, to read it soon. Only a hint; never faults.
#[inline(always)]
pub(crate) fn prefetch_read<S>(at: *const S) {
    // SAFETY: changes nothing that the program can see, whatever the address.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    unsafe {
        core::arch::asm!(
            "prefetcht0 [{}]",
            in(reg) at.addr(),
            options(nomem, nostack, preserves_flags),
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = at;
}

/// The producer's side of the indices.
pub(crate) struct TxIndex<M: MemoryModel> {
    header: NonNull<Header<M>>,
    /// Ours; the shared word is only a copy for the consumer.
    tail: u64,
    /// How far `tail` may go, as we last believed: the consumer's index and the capacity. Never
    /// decreases, at most `tail + capacity`.
    limit: u64,
    capacity: u32,
    high_water: u32,
}

/// The consumer's side of the indices.
pub(crate) struct RxIndex<M: MemoryModel> {
    header: NonNull<Header<M>>,
    /// Ours; the shared word is only a copy for the producer.
    head: u64,
    /// What we last believed of the producer; never decreases, at most `head + capacity`.
    tail: u64,
    capacity: u32,
    high_water: u32,
}

// SAFETY: the header is made of atomics, which any thread may use; the rest are numbers. The
// owner of the index sees to it that the header outlives it.
unsafe impl<M: MemoryModel> Send for TxIndex<M> {}
// SAFETY: as for `TxIndex`.
unsafe impl<M: MemoryModel> Send for RxIndex<M> {}

impl<M: MemoryModel> TxIndex<M> {
    /// The producer's side of a ring in which `tail` items have been pushed.
    ///
    /// # Safety
    ///
    /// `header` is valid for shared access as long as the index lives, nobody else is its
    /// producer, and `slots(capacity)` is some.
    pub(crate) unsafe fn new(header: NonNull<Header<M>>, capacity: u32, tail: u64) -> Self {
        // Believe that it is as full as it can be: who needs more room asks, and checks the answer.
        let limit = tail.max(capacity.into());
        Self { header, tail, limit, capacity, high_water: 0 }
    }

    /// Where the header is.
    #[inline(always)]
    pub(crate) fn home(&self) -> NonNull<Header<M>> {
        self.header
    }

    #[inline(always)]
    fn header(&self) -> &Header<M> {
        // SAFETY: valid for shared access, says `new`.
        unsafe { self.header.as_ref() }
    }

    /// Asks for the line that [`publish`](Self::publish) writes, where an item of so many bytes is
    /// written before a consumer that polls takes the line back: one of 64 bytes took 1.25 of the
    /// time, one way.
    #[inline(always)]
    pub(crate) fn prefetch(&self, bytes: usize) {
        if bytes <= 2 * size_of::<u64>() {
            prefetch_write(&raw const self.header().tail);
        }
    }

    /// How many slots are free; asks the consumer only if fewer than `want` are known to be.
    #[inline(always)]
    pub(crate) fn room(&mut self, want: u32) -> Result<u32, Misbehaved> {
        let known = self.limit - self.tail;
        if known >= u64::from(want) {
            return Ok(known as u32);
        }
        self.ask()
    }

    /// Asks the consumer, and believes what is believable.
    #[inline(always)]
    fn ask(&mut self) -> Result<u32, Misbehaved> {
        let known = self.limit - self.tail;
        // Acquire: partners the Release in `RxIndex::release`.
        let head = self.header().head.load(Acquire);
        let capacity = u64::from(self.capacity);
        let limit = head.wrapping_add(capacity);
        let free = limit.wrapping_sub(self.tail);
        // Not behind what we believed, not more than we pushed.
        if free < known || free > capacity {
            return Err(Misbehaved);
        }
        self.limit = limit;
        let queued = (capacity - free) as u32;
        if queued > self.high_water {
            self.high_water = queued;
        }
        Ok(free as u32)
    }

    /// The number of the next push; its slot is this modulo the number of slots.
    #[inline(always)]
    pub(crate) fn position(&self) -> u64 {
        self.tail
    }

    /// Writes the bits of the next push where the consumer looks first.
    #[inline(always)]
    pub(crate) fn note(&mut self, bits: u32) {
        // Relaxed: `publish` comes behind it.
        self.header().latest.store(latest(self.tail, bits), Relaxed);
    }

    /// Gives `count` written slots to the consumer; `room` said that they were free.
    #[inline(always)]
    pub(crate) fn publish(&mut self, count: u32) {
        self.tail += u64::from(count);
        // Release: partners the Acquire in `RxIndex::ask`.
        self.header().tail.store(self.tail, Release);
    }

    /// Takes the last `count` pushes back, as far as they were not popped; returns how many. Only
    /// where the consumer has left (H22), and the caller has seen what it did before.
    pub(crate) fn retract(&mut self, count: u32) -> u32 {
        // Acquire: partners the Release in `RxIndex::release`.
        let unread = self.tail.wrapping_sub(self.header().head.load(Acquire));
        // Whatever it says, what it was believed to have popped is not taken back.
        let believed = u64::from(self.capacity) - (self.limit - self.tail);
        let count = unread.min(believed).min(count.into());
        self.tail -= count;
        // Relaxed: nobody is there to read it but who looks at the length.
        self.header().tail.store(self.tail, Relaxed);
        count as u32
    }

    /// Whether all pushes were popped, as far as the consumer says.
    pub(crate) fn is_drained(&self) -> bool {
        // Acquire: partners the Release in `RxIndex::release`.
        self.header().head.load(Acquire) == self.tail
    }

    pub(crate) fn len(&self) -> u32 {
        let head = self.header().head.load(Relaxed);
        self.tail.wrapping_sub(head).min(self.capacity.into()) as u32
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    pub(crate) fn high_water(&self) -> u32 {
        self.high_water
    }
}

impl<M: MemoryModel> RxIndex<M> {
    /// The consumer's side of a ring from which `head` items have been popped.
    ///
    /// # Safety
    ///
    /// `header` is valid for shared access as long as the index lives, nobody else is its
    /// consumer, and `slots(capacity)` is some.
    pub(crate) unsafe fn new(header: NonNull<Header<M>>, capacity: u32, head: u64) -> Self {
        // Believe that it is empty: the first pop asks, and checks the answer.
        Self { header, head, tail: head, capacity, high_water: 0 }
    }

    /// Where the header is.
    #[inline(always)]
    pub(crate) fn home(&self) -> NonNull<Header<M>> {
        self.header
    }

    #[inline(always)]
    fn header(&self) -> &Header<M> {
        // SAFETY: valid for shared access, says `new`.
        unsafe { self.header.as_ref() }
    }

    /// Asks the producer, and believes what is believable.
    #[inline(always)]
    fn ask(&mut self) -> Result<u32, Misbehaved> {
        // Acquire: partners the Release in `TxIndex::publish`.
        let tail = self.header().tail.load(Acquire);
        let queued = tail.wrapping_sub(self.head);
        // Not behind what we believed, not more than fits.
        if queued < self.tail - self.head || queued > self.capacity.into() {
            return Err(Misbehaved);
        }
        self.tail = tail;
        self.high_water = self.high_water.max(queued as u32);
        Ok(queued as u32)
    }

    /// Whether items are known to be there, so that nobody has to be asked.
    #[inline(always)]
    pub(crate) fn has_known(&self) -> bool {
        self.tail != self.head
    }

    /// The bits of the next item, if that is what the producer noted last. Where the producer was just
    /// asked, the line is here.
    #[inline(always)]
    pub(crate) fn noted(&self) -> Option<u32> {
        // Relaxed: behind the Acquire in `ask`, so it is this push or a later one; or, where several
        // were pushed at a time, an earlier one.
        let noted = self.header().latest.load(Relaxed);
        (noted == latest(self.head, noted as u32)).then_some(noted as u32)
    }

    /// How many items are there; asks the producer only if fewer than `want` are known to be.
    #[inline(always)]
    pub(crate) fn items(&mut self, want: u32) -> Result<u32, Misbehaved> {
        let known = (self.tail - self.head) as u32;
        if known >= want {
            return Ok(known);
        }
        self.ask()
    }

    /// The number of the next pop; its slot is this modulo the number of slots.
    #[inline(always)]
    pub(crate) fn position(&self) -> u64 {
        self.head
    }

    /// Gives `count` read slots back to the producer; `items` said that they were there.
    #[inline(always)]
    pub(crate) fn release(&mut self, count: u32) {
        self.head += u64::from(count);
        // Release: partners the Acquire in `TxIndex::ask`.
        self.header().head.store(self.head, Release);
    }

    pub(crate) fn len(&self) -> u32 {
        let tail = self.header().tail.load(Relaxed);
        let queued = tail.wrapping_sub(self.head);
        // A tail behind our head is a lie.
        if queued > u64::MAX / 2 { 0 } else { queued.min(self.capacity.into()) as u32 }
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    pub(crate) fn high_water(&self) -> u32 {
        self.high_water
    }
}
