//! [`Spsc`]: the ring for messages, across any boundary.

use core::marker::PhantomData;
use core::ptr::NonNull;

use res_api::{Backend, ChanAttr, EndsIn, Gone, Kind, KindId, Mapped, Message, Trust};

use crate::endpoint::{self, QueueRcv, QueueSnd};
use crate::queue::{Fate, Half, InMemory, Misbehaved, PopError, PopQueue, PushError, PushQueue};
use crate::ring::{
    Header, RxIndex, TxIndex, prefetch_read, prefetch_write, read_ahead, slots, slots_at,
    write_ahead,
};
use crate::slot;

/// The default kind: one sender, one receiver, a ring between them.
///
/// Wait-free on both sides; all of its capacity is usable (up to 2^31); a peer can send garbage
/// values or stop, and nothing else, so it needs no trust.
///
/// # Example
///
/// ```
/// use chan_impls::Spsc;
/// use res_api::{Backend, Fault, Receiver, Sender};
///
/// fn hello<B: Backend>(b: &B) -> Result<u64, Fault> {
///     let (mut tx, mut rx) = b.chan::<Spsc, u64>(16)?;
///     tx.send(42)?;
///     Ok(rx.recv()?)
/// }
/// # assert_eq!(hello(&backend_local::Local::new()?)?, 42);
/// # Ok::<(), Fault>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Spsc;

impl<B: Backend> Kind<B> for Spsc {
    const ID: KindId = ID;
    const TRUST: Trust = Trust::None;
    type Attr = ChanAttr;
    type Snd<T: Message> = QueueSnd<B, SpscPush<B::Model, T>>;
    type Rcv<T: Message> = QueueRcv<B, SpscPop<B::Model, T>>;

    fn bytes<T: Message>(capacity: u32, _: &ChanAttr) -> Option<u64> {
        bytes::<T>(capacity)
    }

    fn create_in<T: Message>(
        b: &B,
        memory: B::Mem,
        capacity: u32,
        attr: &ChanAttr,
    ) -> EndsIn<B, Self, T> {
        endpoint::create_in(b, memory, capacity, attr)
    }
}

const ID: KindId = KindId::new(*b"spsc", 3);

impl Spsc {
    /// How many messages are in a ring of that capacity, as its memory says: for people who look at
    /// a system. Whoever has the memory may have written anything there.
    ///
    /// # Safety
    ///
    /// The memory is aligned to 64 and valid for atomic loads in the [bytes](Kind::bytes) of such a
    /// ring.
    pub unsafe fn queued<M: Mapped>(memory: NonNull<u8>, capacity: u32) -> u32 {
        // SAFETY: a header is at the beginning of a ring, says the caller, and is made of atomics.
        unsafe { memory.cast::<Header<M>>().as_ref() }.queued(capacity)
    }
}

/// Bytes that cores hand to each other at once.
const CACHE_LINE: usize = 64;

/// Bytes of all slots for that many messages.
fn bytes_of_slots<T: Message>(capacity: u32) -> Option<u64> {
    u64::from(slots(capacity)?).checked_mul(slot::stride::<T>() as u64)
}

fn bytes<T: Message>(capacity: u32) -> Option<u64> {
    let slots = bytes_of_slots::<T>(capacity)?;
    let bytes = slots.checked_add(slots_at(slots))?;
    // Offsets into it must fit a pointer.
    (bytes <= isize::MAX as u64).then_some(bytes)
}

/// The pushing half of a ring of messages in mapped memory.
///
/// ```
/// use core::ptr::NonNull;
///
/// use chan_impls::queue::InMemory;
/// use chan_impls::{PopQueue, PushQueue, SpscPop, SpscPush};
/// use res_sync::model::Core;
///
/// #[repr(align(64))]
/// struct Memory([u8; 1024]);
///
/// let mut memory = Memory([0; 1024]);
/// let start = NonNull::from(&mut memory).cast();
/// assert!(SpscPush::<Core, u64>::bytes(8).unwrap() <= 1024);
/// // SAFETY: aligned, large enough, ours alone, and longer-lived than the halves.
/// let (mut tx, mut rx) = unsafe {
///     SpscPush::<Core, u64>::init(start, 8);
///     (SpscPush::<Core, u64>::attach(start, 8, 0), SpscPop::<Core, u64>::attach(start, 8, 0))
/// };
/// tx.try_push(42).unwrap();
/// assert_eq!(rx.try_pop(), Ok(Some(42)));
/// ```
pub struct SpscPush<M: Mapped, T> {
    index: TxIndex<M>,
    slots: Slots<T>,
}

/// The popping half of a ring of messages in mapped memory.
///
/// See [`SpscPush`] for an example.
pub struct SpscPop<M: Mapped, T> {
    index: RxIndex<M>,
    slots: Slots<T>,
}

impl<M: Mapped, T> core::fmt::Debug for SpscPush<M, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SpscPush({} of {})", self.index.len(), self.index.capacity())
    }
}

impl<M: Mapped, T> core::fmt::Debug for SpscPop<M, T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SpscPop({} of {})", self.index.len(), self.index.capacity())
    }
}

/// The slots, behind the header.
struct Slots<T> {
    base: NonNull<u8>,
    mask: u64,
    of: PhantomData<fn(T) -> T>,
}

// SAFETY: an address and a number; who may use which slot is the index protocol's.
unsafe impl<T> Send for Slots<T> {}

impl<T: Message> Slots<T> {
    /// # Safety
    ///
    /// `memory` is valid for the bytes of a ring of that capacity, as long as this lives.
    unsafe fn behind_header(memory: NonNull<u8>, capacity: u32) -> Self {
        let start = slots_at(bytes_of_slots::<T>(capacity).unwrap_or(0));
        // SAFETY: within the memory, says the caller.
        let base = unsafe { memory.add(start as usize) };
        Self { base, mask: u64::from(slots(capacity).unwrap_or(1) - 1), of: PhantomData }
    }

    #[inline(always)]
    fn at(&self, position: u64) -> NonNull<u8> {
        let offset = (position & self.mask) as usize * slot::stride::<T>();
        // SAFETY: a slot number below the number of slots, so within the memory.
        unsafe { self.base.add(offset) }
    }
}

// SAFETY: `init` writes a header of an empty ring and `attach` uses the bytes that
// `Spsc::bytes` asked for, by atomics and assembly copies only.
unsafe impl<M: Mapped, T: Message> InMemory for SpscPush<M, T> {
    const KIND: KindId = ID;
    const TRUST: Trust = Trust::None;

    fn bytes(capacity: u32) -> Option<u64> {
        bytes::<T>(capacity)
    }

    unsafe fn init(memory: NonNull<u8>, _: u32) {
        // SAFETY: valid for writing a header and aligned, says the caller.
        unsafe { memory.cast::<Header<M>>().write(Header::new()) };
    }

    unsafe fn attach(memory: NonNull<u8>, capacity: u32, position: u64) -> Self {
        // SAFETY: the caller's promise, handed on.
        unsafe {
            Self {
                index: TxIndex::new(memory.cast(), capacity, position),
                slots: Slots::behind_header(memory, capacity),
            }
        }
    }
}

// SAFETY: as for the pushing half.
unsafe impl<M: Mapped, T: Message> InMemory for SpscPop<M, T> {
    const KIND: KindId = ID;
    const TRUST: Trust = Trust::None;

    fn bytes(capacity: u32) -> Option<u64> {
        bytes::<T>(capacity)
    }

    unsafe fn init(_: NonNull<u8>, _: u32) {}

    unsafe fn attach(memory: NonNull<u8>, capacity: u32, position: u64) -> Self {
        // SAFETY: the caller's promise, handed on.
        unsafe {
            Self {
                index: RxIndex::new(memory.cast(), capacity, position),
                slots: Slots::behind_header(memory, capacity),
            }
        }
    }
}

macro_rules! half_by_index {
    ($half:ident) => {
        impl<M: Mapped, T: Message> Half for $half<M, T> {
            const SOLE: bool = true;

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
    };
}

half_by_index!(SpscPush);
half_by_index!(SpscPop);

// SAFETY: messages are plain data (`Message: IntoBytes`), and a retracted one is behind the tail,
// where no consumer looks.
unsafe impl<M: Mapped, T: Message> PushQueue for SpscPush<M, T> {
    type Item = T;

    #[inline(always)]
    fn has_room(&mut self) -> Result<bool, Misbehaved> {
        Ok(self.index.room(1)? != 0)
    }

    #[inline(always)]
    fn try_push(&mut self, item: T) -> Result<(), (T, PushError)> {
        // SAFETY: a local; messages are plain data, so what is left of it needs no dropping.
        unsafe { self.push_from(&item) }.map_err(|why| (item, why))
    }

    #[inline(always)]
    unsafe fn push_from(&mut self, item: *const T) -> Result<(), PushError> {
        self.index.prefetch(size_of::<T>());
        let room = match self.index.room(1) {
            Ok(0) => return Err(PushError::Full),
            Ok(room) => room,
            Err(Misbehaved) => return Err(PushError::Misbehaved),
        };
        let ahead = const { write_ahead(slot::stride::<T>()) };
        if room > ahead {
            prefetch_write(self.slots.at(self.index.position() + u64::from(ahead)).as_ptr());
        }
        let slot = self.slots.at(self.index.position());
        // Its line was asked for that far ahead, if there was room; but where several slots share it,
        // the consumer has had it since. (To ask for a line of its own again made messages of 64 bytes
        // 1.23 as slow, one way.)
        if room <= ahead || const { slot::stride::<T>() < CACHE_LINE } {
            prefetch_write(slot.as_ptr());
        }
        // SAFETY: the item is valid, says the caller.
        let item = unsafe { &*item };
        // SAFETY: the slot is within the memory, and free, so an honest consumer is not reading it.
        unsafe { slot::put::<M, T>(slot, item) };
        if const { slot::is_short::<T>() } {
            self.index.note(slot::bits(item));
        }
        self.index.publish(1);
        Ok(())
    }

    fn try_push_slice(&mut self, items: &[T]) -> Result<usize, PushError>
    where
        T: Copy,
    {
        let want = items.len().min(self.index.capacity() as usize);
        let room = self.index.room(want as u32).map_err(|Misbehaved| PushError::Misbehaved)?;
        let count = want.min(room as usize);
        if count == 0 && want != 0 {
            return Err(PushError::Full);
        }
        for (position, item) in (self.index.position()..).zip(&items[..count]) {
            // SAFETY: `count` slots from the position on are within the memory, and free.
            unsafe { slot::put::<M, T>(self.slots.at(position), item) };
        }
        self.index.publish(count as u32);
        Ok(count)
    }

    fn retract(&mut self, count: u32, gone: Gone) -> Fate {
        match gone {
            Gone::Closed => Fate::TakenBack(self.index.retract(count)),
            // All of it was received before.
            _ if self.index.is_drained() => Fate::TakenBack(0),
            _ => Fate::Unknown,
        }
    }
}

impl<M: Mapped, T: Message> PopQueue for SpscPop<M, T> {
    type Item = T;

    #[inline(always)]
    fn has_item(&mut self) -> Result<bool, Misbehaved> {
        Ok(self.index.items(1)? != 0)
    }

    #[inline(always)]
    fn try_pop(&mut self) -> Result<Option<T>, PopError> {
        let had = self.index.has_known();
        let items = self.index.items(1)?;
        if items == 0 {
            return Ok(None);
        }
        if const { slot::is_short::<T>() }
            && !had
            && items == 1
            && let Some(bits) = self.index.noted()
        {
            self.index.release(1);
            return slot::of_bits(bits).map(Some).ok_or(PopError::Misbehaved);
        }
        let ahead = const { read_ahead(slot::stride::<T>()) };
        if items > ahead {
            prefetch_read(self.slots.at(self.index.position() + u64::from(ahead)).as_ptr());
        }
        // SAFETY: the slot is within the memory; an honest producer has written it.
        let item = unsafe { slot::take::<M, T>(self.slots.at(self.index.position())) };
        self.index.release(1);
        item.map(Some).ok_or(PopError::Misbehaved)
    }

    fn try_pop_slice(&mut self, into: &mut [T]) -> Result<usize, PopError>
    where
        T: Copy,
    {
        let want = into.len().min(self.index.capacity() as usize);
        let count = want.min(self.index.items(want as u32)? as usize);
        for (position, place) in (self.index.position()..).zip(&mut into[..count]) {
            // SAFETY: `count` slots from the position on are within the memory; an honest producer
            // has written them.
            let item = unsafe { slot::take::<M, T>(self.slots.at(position)) };
            *place = item.ok_or(PopError::Misbehaved)?;
        }
        self.index.release(count as u32);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use res_sync::model::Core;

    use super::*;

    #[repr(align(64))]
    struct Memory([u8; 1024]);

    #[test]
    fn what_was_received_before_a_death_was_sent() {
        let mut memory = Memory([0; 1024]);
        let start = NonNull::from(&mut memory.0).cast();
        // SAFETY: aligned, large enough, ours alone, and longer-lived than the halves.
        let (mut tx, mut rx) = unsafe {
            SpscPush::<Core, u64>::init(start, 4);
            (SpscPush::<Core, u64>::attach(start, 4, 0), SpscPop::<Core, u64>::attach(start, 4, 0))
        };
        for gone in [Gone::PeerGone, Gone::Revoked] {
            assert_eq!(tx.try_push(1), Ok(()));
            assert_eq!(tx.retract(1, gone), Fate::Unknown);
            assert_eq!(rx.try_pop(), Ok(Some(1)));
            assert_eq!(tx.retract(1, gone), Fate::TakenBack(0));
        }
    }
}
