//! Loans: slots of the pool that the user of an end has for a while.

use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use res_api::{Backend, Blockpoint, ErrorKind, Gone, Map, Message, OneSpace, Wake};

use super::record::{Place, Record, drop_loan};
use crate::slot;

/// The slots of a channel.
pub(super) struct Pool<B: Backend> {
    map: B::Map,
    capacity: u32,
}

/// Slots begin at a multiple of this.
const LINE: usize = 64;

/// Bytes from one slot to the next.
fn stride<T>() -> u64 {
    slot::stride::<T>().max(1).next_multiple_of(LINE) as u64
}

/// Bytes of a pool; none for capacity 0, beyond 2^31, or where they overflow.
pub(super) fn pool_bytes<T: Message>(capacity: u32) -> Option<u64> {
    crate::ring::slots(capacity)?;
    let bytes = stride::<T>().checked_mul(capacity.into())?;
    (bytes <= isize::MAX as u64).then_some(bytes)
}

impl<B: Backend> Pool<B> {
    pub(super) fn new<T: Message>(map: B::Map, capacity: u32) -> Option<Self> {
        let fits = map.len() >= pool_bytes::<T>(capacity)?;
        fits.then_some(Self { map, capacity })
    }

    pub(super) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Where a slot begins; `slot` is below the capacity.
    pub(super) fn slot<T: Message>(&self, slot: u32) -> NonNull<u8> {
        debug_assert!(slot < self.capacity);
        // SAFETY: within the pool (`new`).
        unsafe { slot_of::<B, T>(&self.map, slot) }
    }
}

/// Where a slot begins.
///
/// # Safety
///
/// It is within the pool that is mapped there.
unsafe fn slot_of<B: Backend, T: Message>(pool: &B::Map, slot: u32) -> NonNull<u8> {
    // SAFETY: the caller says so.
    unsafe { pool.base().add((u64::from(slot) * stride::<T>()) as usize) }
}

/// What a loan needs of the end that lends, for as long as it lasts.
///
/// It moves with each loan, so it is short, and in that order: what says that there is none is the
/// last word. Were it one of the first word, whoever takes it would look there, and then read
/// the rest in other pieces than it was written in; and wait until all of those are written.
#[repr(C)]
pub(super) struct Tether<B: Backend> {
    pool: B::Map,
    record: B::Map,
    /// What the end waits on.
    home: B::Blockpoint,
    _there: There,
}

/// A whole word, of which all other values can say that there is none.
#[derive(Clone, Copy)]
#[repr(u64)]
enum There {
    Yes,
}

impl<B: Backend> Tether<B> {
    #[cold]
    #[inline(never)]
    fn new(pool: &Pool<B>, record: &Record<B>, home: &B::Blockpoint) -> Self {
        let (pool, record, home) = (pool.map.clone(), record.map().clone(), home.clone());
        Self { pool, record, home, _there: There::Yes }
    }
}

/// The tether that an ended loan has left, for the next one of the same end.
///
/// In a cell, so that what says that there is none says nothing of the end that has it: a result that is
/// an end would be copied once more for that.
pub(super) struct Spare<B: Backend>(Cell<Option<Tether<B>>>);

impl<B: Backend> Default for Spare<B> {
    fn default() -> Self {
        Self(Cell::new(None))
    }
}

impl<B: Backend> Spare<B> {
    /// That one, or a new one.
    #[inline]
    pub(super) fn tether(
        &mut self,
        pool: &Pool<B>,
        record: &Record<B>,
        home: &B::Blockpoint,
    ) -> Tether<B> {
        self.0.get_mut().take().unwrap_or_else(|| Tether::new(pool, record, home))
    }
}

/// A slot, and whom to tell when it is dropped.
#[repr(C)]
struct Slot<B: Backend> {
    tether: Tether<B>,
    /// A slot of the pool, and of the record: below 2^32, and a whole word, as it moves as one.
    number: u64,
}

impl<B: Backend> Slot<B> {
    fn number(&self) -> u32 {
        self.number as u32
    }

    fn offset<T: Message>(&self, offset: u64, len: usize) -> Result<u64, ErrorKind> {
        let end = offset.checked_add(len as u64).ok_or(ErrorKind::Invalid)?;
        if end > size_of::<T>() as u64 {
            return Err(ErrorKind::Invalid);
        }
        Ok(self.number * stride::<T>() + offset)
    }

    fn start<T: Message>(&self) -> NonNull<u8> {
        // SAFETY: it is a slot of the pool.
        unsafe { slot_of::<B, T>(&self.tether.pool, self.number()) }
    }
}

impl<B: Backend> Drop for Slot<B> {
    fn drop(&mut self) {
        // SAFETY: it is a slot of the record.
        unsafe { drop_loan::<B>(&self.tether.record, self.number()) };
        self.tether.home.trigger(Wake::All);
    }
}

/// A slot to write a message into, lent by a sender. Dropped unsent, it is free again.
///
/// What is in it at first is what the last message left.
///
/// ```
/// use chan_impls::ZeroCopy;
/// use res_api::{Backend, Receiver};
///
/// let (mut tx, mut rx) = backend_local::Local::new()?.chan::<ZeroCopy, [u8; 100]>(2)?;
/// let mut draft = tx.loan()?;
/// draft.bytes_mut().fill(7);
/// draft.copy_in(1, &[8])?;
/// tx.send_loan(draft)?;
/// assert_eq!(rx.recv()?[..3], [7, 8, 7]);
/// # Ok::<(), res_api::Fault>(())
/// ```
pub struct LoanMut<B: Backend, T> {
    slot: Slot<B>,
    of: PhantomData<fn(T) -> T>,
}

/// A message where it lies, lent by a receiver. Dropped, it goes back.
///
/// ```
/// use chan_impls::ZeroCopy;
/// use res_api::{Backend, Sender};
///
/// let (mut tx, mut rx) = backend_local::Local::new()?.chan::<ZeroCopy, u64>(2)?;
/// tx.send(1)?;
/// tx.send(2)?;
/// let (first, second) = (rx.recv_loan()?, rx.recv_loan()?);
/// rx.release(second).unwrap();
/// assert_eq!(first.as_ref(), Some(&1));
/// # Ok::<(), res_api::Fault>(())
/// ```
pub struct Loan<B: Backend, T> {
    slot: Slot<B>,
    of: PhantomData<fn(T) -> T>,
}

macro_rules! loan {
    ($loan:ident) => {
        impl<B: Backend, T> fmt::Debug for $loan<B, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}(slot {})", stringify!($loan), self.slot.number)
            }
        }

        impl<B: Backend, T: Message> $loan<B, T> {
            pub(super) fn new(tether: Tether<B>, number: u32) -> Self {
                Self { slot: Slot { tether, number: number.into() }, of: PhantomData }
            }

            /// Whether the end with that record has lent it.
            pub(super) fn is_of(&self, record: &Record<B>) -> bool {
                let slot = &self.slot;
                record.is(&slot.tether.record) && record.place(slot.number()) == Some(Place::Lent)
            }

            /// Ends the loan without giving the slot back, and leaves its tether for the next loan of
            /// the same end; its number.
            pub(super) fn keep(self, spare: &mut Spare<B>) -> u32 {
                let slot = ManuallyDrop::new(self.slot);
                // SAFETY: moved out once, and what is left in the wrapper is never dropped.
                *spare.0.get_mut() = Some(unsafe { core::ptr::read(&slot.tether) });
                slot.number()
            }

            /// Reads bytes at `offset` of the message.
            ///
            /// # Errors
            ///
            /// `Invalid` where there are fewer.
            pub fn copy_out(&self, offset: u64, bytes: &mut [u8]) -> Result<(), ErrorKind> {
                let offset = self.slot.offset::<T>(offset, bytes.len())?;
                self.slot.tether.pool.copy_out(offset, bytes)
            }

            /// A copy of the message.
            ///
            /// # Errors
            ///
            /// [`Gone::Misbehaved`] if what is there is no `T`.
            pub fn get(&self) -> Result<T, Gone> {
                let at = self.slot.start::<T>();
                // SAFETY: a slot of the pool; what a peer does to it meanwhile is no race, and
                // the value is checked.
                unsafe { slot::take::<B::Model, T>(at) }.ok_or(Gone::Misbehaved)
            }
        }
    };
}

loan!(LoanMut);
loan!(Loan);

impl<B: Backend, T: Message> LoanMut<B, T> {
    /// Writes bytes at `offset` of the message.
    ///
    /// # Errors
    ///
    /// `Invalid` where they do not fit.
    pub fn copy_in(&mut self, offset: u64, bytes: &[u8]) -> Result<(), ErrorKind> {
        let offset = self.slot.offset::<T>(offset, bytes.len())?;
        self.slot.tether.pool.copy_in(offset, bytes)
    }

    /// Writes the whole message.
    pub fn set(&mut self, message: &T) {
        // SAFETY: a slot of the pool, which is lent to us alone.
        unsafe { slot::put::<B::Model, T>(self.slot.start::<T>(), message) };
    }
}

impl<B: OneSpace, T: Message> LoanMut<B, T> {
    /// The bytes of the message, to write in place. Only where all share one address space.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let start = self.slot.start::<T>();
        // SAFETY: the bytes of a slot, initialised when the pool was; lent to us alone, in the one
        // address space there is (`OneSpace`), and borrowed with the loan.
        unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), size_of::<T>()) }
    }
}

impl<B: OneSpace, T: Message> Loan<B, T> {
    /// The message in place, if it is one. Only where all share one address space.
    pub fn as_ref(&self) -> Option<&T> {
        let start = self.slot.start::<T>();
        // SAFETY: the bytes of a slot, initialised when the pool was; while it is lent, nobody in
        // the one address space there is (`OneSpace`) writes it; borrowed with the loan.
        let bytes = unsafe { core::slice::from_raw_parts(start.as_ptr(), size_of::<T>()) };
        T::try_ref_from_bytes(bytes).ok()
    }
}
