//! Rings for one address space: any `T: Send`, no blocking, no backend; a library in their own
//! right.
//!
//! The capacity is exact, both sides are wait-free, and what is left when the last end goes is
//! dropped. [`ring`] takes its memory from the global allocator, [`StaticRing`] is memory that the
//! caller brings.

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use res_api::Gone;
use res_sync::MemoryModel;
use res_sync::model::{Atomic, Cell, Core};

use crate::queue::{Fate, Half, Misbehaved, PopQueue, PushError, PushQueue};
use crate::ring::{Header, RxIndex, TxIndex};

/// What the ends share, except for the slots.
struct Shared<M: MemoryModel> {
    header: Header<M>,
    /// How many ends have gone.
    gone: M::U32,
}

impl<M: MemoryModel> Shared<M> {
    fn new() -> Self {
        Self { header: Header::new(), gone: Atomic::new(0) }
    }
}

/// Which memory the ring is in, and who frees it.
struct Place<T, M: MemoryModel> {
    shared: NonNull<Shared<M>>,
    slots: NonNull<M::Cell<T>>,
    /// Number of slots less one.
    mask: u64,
    /// It came from the allocator; the last end gives it back.
    #[cfg(feature = "alloc")]
    boxed: bool,
}

impl<T, M: MemoryModel> Clone for Place<T, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, M: MemoryModel> Copy for Place<T, M> {}

impl<T, M: MemoryModel> Place<T, M> {
    #[inline(always)]
    fn slot(&self, position: u64) -> &M::Cell<T> {
        // SAFETY: a number below the number of slots; the slots outlive both ends.
        unsafe { self.slots.add((position & self.mask) as usize).as_ref() }
    }

    fn shared(&self) -> &Shared<M> {
        // SAFETY: the shared part outlives both ends.
        unsafe { self.shared.as_ref() }
    }

    fn header(&self) -> NonNull<Header<M>> {
        NonNull::from(&self.shared().header)
    }

    /// # Safety
    ///
    /// Called twice with the same place at most: the result is one of the two ends.
    unsafe fn ends<'a>(self, capacity: u32) -> (Producer<'a, T, M>, Consumer<'a, T, M>) {
        // SAFETY: the header lives as long as the ends, and each side is made once.
        let (tx, rx) = unsafe {
            (TxIndex::new(self.header(), capacity, 0), RxIndex::new(self.header(), capacity, 0))
        };
        (
            Producer { index: tx, place: self, refused: false, of: PhantomData },
            Consumer { index: rx, place: self, of: PhantomData },
        )
    }

    /// One end goes. The last one drops what is left and frees the memory.
    fn leave(self, capacity: u32) {
        // AcqRel: the last one sees everything that the other did before it went.
        if self.shared().gone.fetch_add(1, AcqRel) == 0 {
            return;
        }
        self.drop_rest(capacity);
        #[cfg(feature = "alloc")]
        if self.boxed {
            let slots = NonNull::slice_from_raw_parts(self.slots, self.mask as usize + 1);
            // SAFETY: both were leaked from boxes in `ring`, and this is the last one to know.
            unsafe {
                drop(alloc::boxed::Box::from_raw(slots.as_ptr()));
                drop(alloc::boxed::Box::from_raw(self.shared.as_ptr()));
            }
        }
    }

    /// Drops what is in the slots. The caller is the last end.
    fn drop_rest(self, capacity: u32) {
        // SAFETY: the other end has gone; the position is what it, or we, stored last.
        let mut rest =
            unsafe { RxIndex::<M>::new(self.header(), capacity, self.shared().header.popped()) };
        while rest.items(1).is_ok_and(|items| items != 0) {
            // SAFETY: between head and tail, so it was written and not read.
            drop(unsafe { self.slot(rest.position()).read() });
            rest.release(1);
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
    place: Place<T, M>,
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
    place: Place<T, M>,
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
    use alloc::boxed::Box;

    let slots = crate::ring::slots(capacity)? as usize;
    // Checked here, because collecting into a box would panic.
    slots.checked_mul(size_of::<M::Cell<T>>()).filter(|bytes| *bytes <= isize::MAX as usize)?;
    let cells: Box<[M::Cell<T>]> = (0..slots).map(|_| Cell::empty()).collect();
    let place = Place {
        shared: NonNull::from(Box::leak(Box::new(Shared::new()))),
        slots: NonNull::from(Box::leak(cells)).cast(),
        mask: slots as u64 - 1,
        boxed: true,
    };
    // SAFETY: a new place; this is the only call with it.
    Some(unsafe { place.ends(capacity) })
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
pub struct StaticRing<T, const N: usize, M: MemoryModel = Core> {
    shared: Shared<M>,
    slots: [M::Cell<T>; N],
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
        Self { shared: Shared::new(), slots: core::array::from_fn(|_| Cell::empty()) }
    }

    /// The two ends, of an empty ring each time. (Leaking an end leaks what was queued.)
    pub fn split(&mut self) -> (Producer<'_, T, M>, Consumer<'_, T, M>) {
        self.shared = Shared::new();
        let place = Place {
            shared: NonNull::from(&mut self.shared),
            slots: NonNull::from(&mut self.slots).cast(),
            mask: N as u64 - 1,
            #[cfg(feature = "alloc")]
            boxed: false,
        };
        // SAFETY: the memory is borrowed as long as the ends live; a new header each time.
        unsafe { place.ends(N as u32) }
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
        if self.index.room(1) != Ok(0) {
            // SAFETY: the slot is free: the consumer has given it back, or it was never used.
            unsafe { self.place.slot(self.index.position()).write(item) };
            self.index.publish(1);
            return Ok(());
        }
        Err(item)
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
        for (offset, item) in items[..count].iter().enumerate() {
            // SAFETY: `count` slots from the position on are free.
            unsafe { self.place.slot(self.index.position() + offset as u64).write(*item) };
        }
        if count != 0 {
            self.index.publish(count as u32);
        }
        count
    }

    /// Whether the consumer has gone.
    pub fn is_abandoned(&self) -> bool {
        self.place.shared().gone.load(Relaxed) != 0
    }
}

impl<T, M: MemoryModel> Consumer<'_, T, M> {
    /// Pops what is there.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<T> {
        if self.index.items(1) == Ok(0) {
            return None;
        }
        // SAFETY: the producer has written the slot, and nobody has read it.
        let item = unsafe { self.place.slot(self.index.position()).read() };
        self.index.release(1);
        Some(item)
    }

    /// The next item, which stays in the ring.
    pub fn peek(&mut self) -> Option<&T> {
        if self.index.items(1) == Ok(0) {
            return None;
        }
        // SAFETY: the producer has written the slot, and does not touch it before it is released,
        // which takes this end, borrowed here.
        Some(unsafe { self.place.slot(self.index.position()).peek() })
    }

    /// Pops as many items as are there and fit; returns how many.
    #[inline]
    pub fn pop_slice(&mut self, items: &mut [T]) -> usize
    where
        T: Copy,
    {
        let want = items.len().min(self.index.capacity() as usize);
        let count = (self.index.items(want as u32).unwrap_or(0) as usize).min(want);
        for (offset, item) in items[..count].iter_mut().enumerate() {
            // SAFETY: `count` slots from the position on are written and not read.
            *item = unsafe { self.place.slot(self.index.position() + offset as u64).read() };
        }
        if count != 0 {
            self.index.release(count as u32);
        }
        count
    }

    /// Whether the producer has gone. There may still be items.
    pub fn is_abandoned(&self) -> bool {
        self.place.shared().gone.load(Relaxed) != 0
    }
}

macro_rules! end_of_ring {
    ($end:ident) => {
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
            fn drop(&mut self) {
                self.place.leave(self.index.capacity());
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

    fn retract(&mut self, count: u32, _: Gone) -> Fate {
        // Who was told that an end is gone (its component was stopped, or died) cannot conclude
        // that nobody uses it any more; that it was dropped is the only proof.
        // Acquire: partners the AcqRel of `leave`, so that what it popped is known.
        if self.place.shared().gone.load(Acquire) == 0 {
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
    fn try_pop(&mut self) -> Result<Option<T>, Misbehaved> {
        Ok(self.pop())
    }
}
