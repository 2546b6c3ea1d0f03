//! What a queue is: a pure non-blocking algorithm, in two halves.

use core::ptr::NonNull;

use res_api::{ErrorKind, Gone, KindId, Trust};

/// The other half broke the protocol: an index went backwards or too far, or a value is none of
/// its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misbehaved;

/// Why a push failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// No room.
    Full,
    /// The other half broke the protocol.
    Misbehaved,
    /// The item may not go in.
    Refused(ErrorKind),
}

/// Why a pop failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopError {
    /// The other half broke the protocol.
    Misbehaved,
    /// There is an item, and no memory for it here. It is still there, or popped and lost.
    NoMemory,
    /// The same, and no place.
    NoSlots,
}

impl From<Misbehaved> for PopError {
    fn from(_: Misbehaved) -> Self {
        Self::Misbehaved
    }
}

/// What became of items that were pushed to a half that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// So many of them are out of the queue again, and nobody else has them; what was pushed
    /// before these was received.
    TakenBack(u32),
    /// The other half may be reading them.
    Unknown,
}

/// What both halves of a queue can say.
///
/// # Example
///
/// ```
/// use chan_impls::queue::Half;
///
/// fn full(half: &impl Half) -> bool {
///     half.len() == half.capacity()
/// }
/// # let (mut tx, _rx) = chan_impls::standalone::ring::<u8>(1).unwrap();
/// # assert!(!full(&tx));
/// # tx.push(1).unwrap();
/// # assert!(full(&tx));
/// ```
pub trait Half {
    /// Whether there is no other half like this: nobody else pushes, or pops. What it finds full or
    /// empty again has not been filled or emptied by another one meanwhile.
    const SOLE: bool = false;

    /// How many items fit.
    fn capacity(&self) -> u32;

    /// How many are queued, as far as this half can see now. At most the capacity.
    fn len(&self) -> u32;

    /// Whether none is.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items went through this half: its private state, which travels with it.
    fn position(&self) -> u64;

    /// The most items that this half has seen queued.
    fn high_water(&self) -> u32;
}

/// The pushing half of a queue.
///
/// # Safety
///
/// After [`retract`](Self::retract) said [`Fate::TakenBack`], so many of the items pushed last are
/// neither given out by the other half nor dropped by the queue. Where it may say
/// [`Fate::Unknown`], items are plain data.
///
/// # Example
///
/// ```
/// use chan_impls::PushQueue;
///
/// fn fill<Q: PushQueue<Item = u8>>(queue: &mut Q) {
///     while queue.has_room() == Ok(true) && queue.try_push(0).is_ok() {}
/// }
/// # use chan_impls::queue::Half;
/// # let (mut tx, _rx) = chan_impls::standalone::ring::<u8>(3).unwrap();
/// # fill(&mut tx);
/// # assert_eq!(tx.len(), 3);
/// ```
pub unsafe trait PushQueue: Half {
    /// What it holds.
    type Item;

    /// Whether a push would succeed. It stays so until then.
    ///
    /// # Errors
    ///
    /// The other half broke the protocol.
    fn has_room(&mut self) -> Result<bool, Misbehaved>;

    /// Pushes, if there is room.
    ///
    /// # Errors
    ///
    /// The item, and why.
    fn try_push(&mut self, item: Self::Item) -> Result<(), (Self::Item, PushError)>;

    /// Pushes what `item` points to, moving it out if that succeeds; otherwise it stays. Saves large
    /// items a copy.
    ///
    /// # Safety
    ///
    /// `item` is valid for reading. After success what it points to has been moved out.
    ///
    /// # Errors
    ///
    /// Why not.
    #[inline(always)]
    unsafe fn push_from(&mut self, item: *const Self::Item) -> Result<(), PushError> {
        // SAFETY: valid, says the caller; if it comes back, the original is the one that counts.
        self.try_push(unsafe { item.read() }).map_err(|(back, why)| {
            core::mem::forget(back);
            why
        })
    }

    /// Pushes as many of `items` as there is room for, in order; returns how many.
    ///
    /// # Errors
    ///
    /// Why not even the first was pushed.
    fn try_push_slice(&mut self, items: &[Self::Item]) -> Result<usize, PushError>
    where
        Self::Item: Copy,
    {
        for (pushed, item) in items.iter().enumerate() {
            match self.try_push(*item) {
                Ok(()) => {}
                Err(_) if pushed > 0 => return Ok(pushed),
                Err((_, why)) => return Err(why),
            }
        }
        Ok(items.len())
    }

    /// Takes back the `count` items pushed last, because the other half is `gone` (H22), as far as
    /// they can be. Only directly after these pushes.
    fn retract(&mut self, count: u32, gone: Gone) -> Fate;
}

/// The popping half of a queue.
///
/// # Example
///
/// ```
/// use chan_impls::PopQueue;
///
/// fn count<Q: PopQueue>(queue: &mut Q) -> usize {
///     core::iter::from_fn(|| queue.try_pop().ok().flatten()).count()
/// }
/// # let (mut tx, mut rx) = chan_impls::standalone::ring::<u8>(3).unwrap();
/// # tx.push(1).unwrap();
/// # assert_eq!(count(&mut rx), 1);
/// ```
pub trait PopQueue: Half {
    /// What it holds.
    type Item;

    /// Whether a pop would succeed. It stays so until then.
    ///
    /// # Errors
    ///
    /// The other half broke the protocol.
    fn has_item(&mut self) -> Result<bool, Misbehaved>;

    /// Pops what is there.
    ///
    /// # Errors
    ///
    /// [`PopError`].
    fn try_pop(&mut self) -> Result<Option<Self::Item>, PopError>;

    /// Pops as many items as are there and fit, in order; returns how many.
    ///
    /// # Errors
    ///
    /// Why not even the first was popped.
    fn try_pop_slice(&mut self, into: &mut [Self::Item]) -> Result<usize, PopError>
    where
        Self::Item: Copy,
    {
        for (popped, place) in into.iter_mut().enumerate() {
            match self.try_pop() {
                Ok(Some(item)) => *place = item,
                Err(why) if popped == 0 => return Err(why),
                Ok(None) | Err(_) => return Ok(popped),
            }
        }
        Ok(into.len())
    }
}

/// A half of a queue that lives in memory which another component may map.
///
/// # Safety
///
/// What [`attach`](Self::attach) returns touches only the [`bytes`](Self::bytes) that it asked
/// for, by atomics and assembly copies alone, and believes nothing that it finds there.
///
/// # Example
///
/// ```
/// use chan_impls::queue::InMemory;
///
/// fn fits<Q: InMemory>(capacity: u32, memory: u64) -> bool {
///     Q::bytes(capacity).is_some_and(|bytes| bytes <= memory)
/// }
/// # use chan_impls::SpscPush;
/// # use res_sync::model::Core;
/// # assert!(fits::<SpscPush<Core, u64>>(8, 512));
/// # assert!(!fits::<SpscPush<Core, u64>>(0, 512));
/// ```
pub unsafe trait InMemory: Sized + Send {
    /// The kind of channel that it is a half of.
    const KIND: KindId;
    /// What the halves must trust each other with.
    const TRUST: Trust;

    /// Bytes of memory for such a queue; `None` for a capacity of 0 or one that overflows.
    fn bytes(capacity: u32) -> Option<u64>;

    /// Makes the memory an empty queue. Called for the pushing half.
    ///
    /// # Safety
    ///
    /// `memory` is aligned to 64 and valid for [`bytes(capacity)`](Self::bytes), and nobody else
    /// knows it yet.
    unsafe fn init(memory: NonNull<u8>, capacity: u32);

    /// The half that has let `position` items through.
    ///
    /// # Safety
    ///
    /// `memory` is aligned to 64 and valid for [`bytes(capacity)`](Self::bytes) as long as the
    /// half lives, was initialised, and has no other such half now.
    unsafe fn attach(memory: NonNull<u8>, capacity: u32, position: u64) -> Self;
}
