//! Rings for one address space: any `T: Send`, no blocking, no backend; a library in their own
//! right.
//!
//! The capacity is exact, both sides are wait-free, and what is left when the last end goes is
//! dropped. [`ring`] takes its memory from the global allocator, [`StaticRing`] is memory that the
//! caller brings.

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire};

use res_api::Gone;
use res_sync::MemoryModel;
use res_sync::model::{Atomic, Cell, Core};

use crate::queue::{Fate, Half, Misbehaved, PopError, PopQueue, PushError, PushQueue};
use crate::ring::{
    Header, RxIndex, TxIndex, prefetch_read, prefetch_write, read_ahead, write_ahead,
};

/// What the ends share, except for the slots. On lines of its own, so that a neighbour in memory
/// does not slow the indices down.
#[repr(C, align(128))]
struct Shared<T, M: MemoryModel> {
    /// First, so that its address is that of the whole.
    header: Header<M>,
    /// How many ends have gone.
    gone: M::U32,
    capacity: u32,
    slots: Slots<T, M>,
    /// It came from the allocator, as the beginning of a block; the last end gives it back.
    #[cfg(feature = "alloc")]
    block: Option<core::alloc::Layout>,
}

impl<T, M: MemoryModel> Shared<T, M> {
    fn new(capacity: u32, slots: Slots<T, M>) -> Self {
        Self {
            header: Header::new(),
            gone: Atomic::new(0),
            capacity,
            slots,
            #[cfg(feature = "alloc")]
            block: None,
        }
    }

    /// # Safety
    ///
    /// `shared` and its slots are valid until the second end has [left](Self::leave); called once.
    unsafe fn ends<'a>(shared: NonNull<Self>) -> (Producer<'a, T, M>, Consumer<'a, T, M>) {
        // SAFETY: valid, says the caller.
        let Self { capacity, slots, .. } = *unsafe { shared.as_ref() };
        // SAFETY: the header is the first field and lives as long as the ends; each side is made
        // once.
        let (tx, rx) = unsafe {
            (TxIndex::new(shared.cast(), capacity, 0), RxIndex::new(shared.cast(), capacity, 0))
        };
        (
            Producer { index: tx, slots, refused: false, of: PhantomData },
            Consumer { index: rx, slots, of: PhantomData },
        )
    }

    /// One end goes. The last one drops what is left and frees the memory.
    ///
    /// # Safety
    ///
    /// `shared` is that of an end, which does not touch it any more.
    #[inline(never)]
    unsafe fn leave(shared: NonNull<Self>) {
        // SAFETY: valid as long as an end has not left, and this one is leaving only now.
        let this = unsafe { shared.as_ref() };
        // AcqRel: the last one sees everything that the other did before it went.
        if this.gone.fetch_add(1, AcqRel) == 0 {
            return;
        }
        this.drop_rest();
        #[cfg(feature = "alloc")]
        if let Some(layout) = this.block {
            let cells = NonNull::slice_from_raw_parts(this.slots.first, this.slots.count());
            // SAFETY: `ring_with` has allocated and written both parts, and this is the last one to
            // know.
            unsafe {
                cells.drop_in_place();
                shared.drop_in_place();
                alloc::alloc::dealloc(shared.cast().as_ptr(), layout);
            }
        }
    }

    /// Drops what is in the slots. The caller is the last end.
    fn drop_rest(&self) {
        let header = NonNull::from(&self.header);
        // SAFETY: the other end has gone; the position is what it, or we, stored last.
        let mut rest = unsafe { RxIndex::<M>::new(header, self.capacity, self.header.popped()) };
        while rest.items(1).is_ok_and(|items| items != 0) {
            // SAFETY: between head and tail, so it was written and not read.
            drop(unsafe { self.slots.at(rest.position()).read() });
            rest.release(1);
        }
    }
}

/// Where the items are.
struct Slots<T, M: MemoryModel> {
    first: NonNull<M::Cell<T>>,
    /// Number of slots less one.
    mask: u64,
}

impl<T, M: MemoryModel> Clone for Slots<T, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, M: MemoryModel> Copy for Slots<T, M> {}

impl<T, M: MemoryModel> Slots<T, M> {
    fn count(&self) -> usize {
        self.mask as usize + 1
    }

    #[inline(always)]
    fn at(&self, position: u64) -> &M::Cell<T> {
        // SAFETY: a number below the number of slots; the slots outlive both ends.
        unsafe { self.first.add((position & self.mask) as usize).as_ref() }
    }

    /// The `count` slots from a position on, in two runs: up to the last one, and from the first.
    #[inline(always)]
    fn runs(&self, position: u64, count: usize) -> (&[M::Cell<T>], &[M::Cell<T>]) {
        let from = (position & self.mask) as usize;
        let first = count.min(self.count() - from);
        // SAFETY: numbers up to the number of slots, since `count` is one; the slots outlive both
        // ends.
        unsafe {
            (
                NonNull::slice_from_raw_parts(self.first.add(from), first).as_ref(),
                NonNull::slice_from_raw_parts(self.first, count - first).as_ref(),
            )
        }
    }
}

/// The pushing end of a ring.
///
/// ```
/// let (mut tx, mut rx) = chan_impls::standalone::ring::<String>(2).unwrap();
/// tx.push("first".into()).unwrap();
/// assert_eq!(rx.pop().as_deref(), Some("first"));
/// ```
pub struct Producer<'a, T, M: MemoryModel = Core> {
    index: TxIndex<M>,
    slots: Slots<T, M>,
    /// As a queue it takes nothing any more: it was told that the consumer is gone.
    refused: bool,
    of: PhantomData<(&'a (), T)>,
}

/// The popping end of a ring.
///
/// ```
/// let (tx, mut rx) = chan_impls::standalone::ring::<u8>(2).unwrap();
/// assert_eq!(rx.pop(), None);
/// drop(tx);
/// assert!(rx.is_abandoned());
/// ```
pub struct Consumer<'a, T, M: MemoryModel = Core> {
    index: RxIndex<M>,
    slots: Slots<T, M>,
    of: PhantomData<(&'a (), T)>,
}

// SAFETY: an end gives access to one side of the ring only, and items move between the threads of
// the two ends, which `T: Send` allows.
unsafe impl<T: Send, M: MemoryModel> Send for Producer<'_, T, M> {}
// SAFETY: as for `Producer`.
unsafe impl<T: Send, M: MemoryModel> Send for Consumer<'_, T, M> {}

/// A ring for up to `capacity` items, in memory of the global allocator. `None` for a capacity of
/// 0 or beyond 2^31.
///
/// ```
/// use chan_impls::standalone::ring;
///
/// let (mut tx, mut rx) = ring(3).unwrap();
/// assert_eq!((1..).take_while(|n| tx.push(*n).is_ok()).count(), 3);
/// assert_eq!(rx.pop(), Some(1));
/// assert!(ring::<u8>(0).is_none());
/// ```
#[cfg(feature = "alloc")]
pub fn ring<T: Send>(capacity: u32) -> Option<(Producer<'static, T>, Consumer<'static, T>)> {
    ring_with::<T, Core>(capacity)
}

/// The same on another memory model.
///
/// ```
/// use chan_impls::standalone::ring_with;
/// use res_sync::model::Core;
///
/// assert!(ring_with::<u8, Core>(1).is_some());
/// ```
#[cfg(feature = "alloc")]
pub fn ring_with<T: Send, M: MemoryModel>(
    capacity: u32,
) -> Option<(Producer<'static, T, M>, Consumer<'static, T, M>)> {
    use core::alloc::Layout;

    let slots = crate::ring::slots(capacity)? as usize;
    let cells = Layout::array::<M::Cell<T>>(slots).ok()?;
    // Items that fill lines begin with them.
    let cells = cells.align_to(align_of::<Shared<T, M>>()).ok()?;
    let (layout, offset) = Layout::new::<Shared<T, M>>().extend(cells).ok()?;
    // SAFETY: not of size 0, since it begins with the shared part.
    let block = NonNull::new(unsafe { alloc::alloc::alloc(layout) })?;
    let shared = block.cast::<Shared<T, M>>();
    // SAFETY: the parts of the layout lie in the block, aligned, and nobody else knows it.
    unsafe {
        let first = block.add(offset).cast::<M::Cell<T>>();
        for slot in 0..slots {
            first.add(slot).write(Cell::empty());
        }
        let slots = Slots { first, mask: slots as u64 - 1 };
        shared.write(Shared { block: Some(layout), ..Shared::new(capacity, slots) });
        Some(Shared::ends(shared))
    }
}

/// Memory for a ring of `N` items, a power of two, wherever the caller puts it.
///
/// ```
/// use chan_impls::standalone::StaticRing;
///
/// let mut memory = StaticRing::<u32, 4>::new();
/// let (mut tx, mut rx) = memory.split();
/// tx.push(1).unwrap();
/// assert_eq!(rx.pop(), Some(1));
/// ```
#[repr(C)]
pub struct StaticRing<T, const N: usize, M: MemoryModel = Core> {
    shared: Shared<T, M>,
    cells: [M::Cell<T>; N],
}

impl<T, const N: usize, M: MemoryModel> fmt::Debug for StaticRing<T, N, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StaticRing({N})")
    }
}

// SAFETY: sharing the memory gives access to nothing; `split` borrows it mutably.
unsafe impl<T: Send, const N: usize, M: MemoryModel> Sync for StaticRing<T, N, M> {}
// SAFETY: between splits it holds no items, since the last end drops what is left; after the
// leak of an end, items of type `T: Send` may be in it.
unsafe impl<T: Send, const N: usize, M: MemoryModel> Send for StaticRing<T, N, M> {}

impl<T: Send, const N: usize, M: MemoryModel> StaticRing<T, N, M> {
    /// Empty memory for a ring.
    pub fn new() -> Self {
        const { assert!(N.is_power_of_two() && N <= 1 << 31, "a power of two, at most 2^31") };
        let slots = Slots { first: NonNull::dangling(), mask: 0 };
        Self { shared: Shared::new(0, slots), cells: core::array::from_fn(|_| Cell::empty()) }
    }

    /// The two ends, of an empty ring each time. (Leaking an end leaks what was queued.)
    ///
    /// ```
    /// let mut memory = chan_impls::standalone::StaticRing::<u8, 2>::new();
    /// let (mut tx, mut rx) = memory.split();
    /// assert_eq!(tx.push(1), Ok(()));
    /// assert_eq!(rx.pop(), Some(1));
    /// ```
    pub fn split(&mut self) -> (Producer<'_, T, M>, Consumer<'_, T, M>) {
        let slots = Slots { first: NonNull::from(&mut self.cells).cast(), mask: N as u64 - 1 };
        self.shared = Shared::new(N as u32, slots);
        // SAFETY: the memory is borrowed as long as the ends live; a new header each time.
        unsafe { Shared::ends(NonNull::from(&mut self.shared)) }
    }
}

impl<T: Send, const N: usize, M: MemoryModel> Default for StaticRing<T, N, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, M: MemoryModel> Producer<'_, T, M> {
    /// Pushes, if there is room.
    ///
    /// # Errors
    ///
    /// The item, if the ring is full.
    #[inline(always)]
    pub fn push(&mut self, item: T) -> Result<(), T> {
        let Ok(room @ 1..) = self.index.room(1) else {
            return Err(item);
        };
        let ahead = const { write_ahead(size_of::<T>()) };
        if room > ahead {
            prefetch_write(self.slots.at(self.index.position() + u64::from(ahead)));
        }
        // SAFETY: the slot is free: the consumer has given it back, or it was never used.
        unsafe { self.slots.at(self.index.position()).write(item) };
        self.index.publish(1);
        Ok(())
    }

    /// Pushes as many of `items` as there is room for; returns how many. The consumer sees them
    /// all at once.
    #[inline]
    pub fn push_slice(&mut self, items: &[T]) -> usize
    where
        T: Copy,
    {
        let want = items.len().min(self.index.capacity() as usize);
        let room = self.index.room(want as u32).unwrap_or(0) as usize;
        let count = room.min(want);
        let (first, second) = self.slots.runs(self.index.position(), count);
        let (to_first, to_second) = items[..count].split_at(first.len());
        for (run, items) in [(first, to_first), (second, to_second)] {
            for (slot, item) in run.iter().zip(items) {
                // SAFETY: `count` slots from the position on are free.
                unsafe { slot.write(*item) };
            }
        }
        if count != 0 {
            self.index.publish(count as u32);
        }
        count
    }

    /// Whether the consumer has gone.
    pub fn is_abandoned(&self) -> bool {
        // Acquire: partners the AcqRel of `leave`, so that what it did before is seen from here on.
        self.shared().gone.load(Acquire) != 0
    }
}

impl<T, M: MemoryModel> Consumer<'_, T, M> {
    /// Pops what is there.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<T> {
        let Ok(items @ 1..) = self.index.items(1) else {
            return None;
        };
        let ahead = const { read_ahead(size_of::<T>()) };
        if items > ahead {
            prefetch_read(self.slots.at(self.index.position() + u64::from(ahead)));
        }
        // SAFETY: the producer has written the slot, and nobody has read it.
        let item = unsafe { self.slots.at(self.index.position()).read() };
        self.index.release(1);
        Some(item)
    }

    /// The next item, which stays in the ring.
    pub fn peek(&mut self) -> Option<&T> {
        if !matches!(self.index.items(1), Ok(1..)) {
            return None;
        }
        // SAFETY: the producer has written the slot, and does not touch it before it is released,
        // which takes this end, borrowed here.
        Some(unsafe { self.slots.at(self.index.position()).peek() })
    }

    /// Pops as many items as are there and fit; returns how many.
    #[inline]
    pub fn pop_slice(&mut self, items: &mut [T]) -> usize
    where
        T: Copy,
    {
        let want = items.len().min(self.index.capacity() as usize);
        let count = (self.index.items(want as u32).unwrap_or(0) as usize).min(want);
        let (first, second) = self.slots.runs(self.index.position(), count);
        let (from_first, from_second) = items[..count].split_at_mut(first.len());
        for (run, items) in [(first, from_first), (second, from_second)] {
            for (slot, item) in run.iter().zip(items) {
                // SAFETY: `count` slots from the position on are written and not read.
                *item = unsafe { slot.read() };
            }
        }
        if count != 0 {
            self.index.release(count as u32);
        }
        count
    }

    /// Whether the producer has gone. There may still be items: who finds none after this was true
    /// has had them all.
    pub fn is_abandoned(&self) -> bool {
        // Acquire: partners the AcqRel of `leave`, so that what it did before is seen from here on.
        self.shared().gone.load(Acquire) != 0
    }
}

macro_rules! end_of_ring {
    ($end:ident) => {
        impl<T, M: MemoryModel> $end<'_, T, M> {
            fn shared(&self) -> &Shared<T, M> {
                // SAFETY: the header is the first field of the shared part, which outlives both
                // ends.
                unsafe { self.index.home().cast().as_ref() }
            }
        }

        impl<T, M: MemoryModel> Half for $end<'_, T, M> {
            #[inline]
            fn capacity(&self) -> u32 {
                self.index.capacity()
            }
            fn len(&self) -> u32 {
                self.index.len()
            }
            fn position(&self) -> u64 {
                self.index.position()
            }
            fn high_water(&self) -> u32 {
                self.index.high_water()
            }
        }

        impl<T, M: MemoryModel> fmt::Debug for $end<'_, T, M> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} of {})", stringify!($end), self.len(), self.capacity())
            }
        }

        impl<T, M: MemoryModel> Drop for $end<'_, T, M> {
            // Nothing but an address leaves here, so that an end in a local stays in registers.
            #[inline(always)]
            fn drop(&mut self) {
                // SAFETY: the header is the first field of the shared part; this end is gone.
                unsafe { Shared::<T, M>::leave(self.index.home().cast()) };
            }
        }
    };
}

end_of_ring!(Producer);
end_of_ring!(Consumer);

// SAFETY: an item is retracted only after the consumer has gone, so nobody else takes it out; the
// tail is moved back before the last end drops what is left. The fate is always known.
unsafe impl<T, M: MemoryModel> PushQueue for Producer<'_, T, M> {
    type Item = T;

    #[inline(always)]
    fn has_room(&mut self) -> Result<bool, Misbehaved> {
        Ok(!self.refused && self.index.room(1)? != 0)
    }

    #[inline(always)]
    fn try_push(&mut self, item: T) -> Result<(), (T, PushError)> {
        if self.refused {
            return Err((item, PushError::Full));
        }
        self.push(item).map_err(|item| (item, PushError::Full))
    }

    #[inline]
    fn try_push_slice(&mut self, items: &[T]) -> Result<usize, PushError>
    where
        T: Copy,
    {
        if self.refused && !items.is_empty() {
            return Err(PushError::Full);
        }
        match self.push_slice(items) {
            0 if !items.is_empty() => Err(PushError::Full),
            pushed => Ok(pushed),
        }
    }

    fn retract(&mut self, count: u32, _: Gone) -> Fate {
        // Who was told that an end is gone (its component was stopped, or died) cannot conclude
        // that nobody uses it any more; that it was dropped is the only proof.
        // Acquire: partners the AcqRel of `leave`, so that what it popped is known.
        if self.shared().gone.load(Acquire) == 0 {
            self.refused = true;
            return Fate::TakenBack(0);
        }
        Fate::TakenBack(self.index.retract(count))
    }
}

impl<T, M: MemoryModel> PopQueue for Consumer<'_, T, M> {
    type Item = T;

    #[inline(always)]
    fn has_item(&mut self) -> Result<bool, Misbehaved> {
        Ok(self.index.items(1)? != 0)
    }

    #[inline(always)]
    fn try_pop(&mut self) -> Result<Option<T>, PopError> {
        Ok(self.pop())
    }

    #[inline]
    fn try_pop_slice(&mut self, into: &mut [T]) -> Result<usize, PopError>
    where
        T: Copy,
    {
        Ok(self.pop_slice(into))
    }
}
