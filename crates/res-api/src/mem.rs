//! Memory (R31, R32).
//!
//! Private memory is bytes. Sharing consumes it and yields shared memory, which is never lent as
//! bytes: words are atomics, the rest is copied in and out (H18).

use core::ptr::NonNull;

use crate::{ErrorKind, MemoryModel, Rights};

/// Memory that only its holder knows.
///
/// # Example
///
/// ```
/// use res_api::{Backend, Fault, Map, Mem, Rights, SharedMem};
///
/// fn prepared<B: Backend>(b: &B) -> Result<B::SharedMem, Fault> {
///     let mut page = b.mem(4096)?;
///     page.bytes_mut()[..5].copy_from_slice(b"hello");
///     Ok(page.share())
/// }
/// # let view = prepared(&backend_local::Local::new()?)?.map(Rights::READ)?;
/// # let mut text = [0; 5];
/// # view.copy_out(0, &mut text)?;
/// # assert_eq!(&text, b"hello");
/// # Ok::<(), Fault>(())
/// ```
pub trait Mem: Send + Sized {
    /// What it becomes when it is shared.
    type Shared;

    /// The bytes, zero at first. They begin at a multiple of 64.
    fn bytes(&self) -> &[u8];

    /// The bytes, to write.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// How many there are: at least as many as were asked for.
    fn len(&self) -> u64 {
        self.bytes().len() as u64
    }

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives up being alone with it.
    fn share(self) -> Self::Shared;
}

/// Memory that several may know. A handle; dropping the last one, and the last mapping, frees it.
///
/// # Example
///
/// ```
/// use res_api::{Backend, Fault, Map, Mem, Rights, SharedMem};
///
/// fn both_see<B: Backend>(b: &B) -> Result<bool, Fault> {
///     let memory = b.mem(64)?.share();
///     let reader = memory.alias(Rights::READ)?;
///     memory.map(Rights::READ | Rights::WRITE)?.copy_in(0, &[7])?;
///     let mut byte = [0];
///     reader.map(Rights::READ)?.copy_out(0, &mut byte)?;
///     Ok(byte == [7])
/// }
/// # assert!(both_see(&backend_local::Local::new()?)?);
/// # Ok::<(), Fault>(())
/// ```
pub trait SharedMem: Send + Sized {
    /// The backend's error.
    type Error: From<ErrorKind>;
    /// What it is while only one knows it.
    type Private;
    /// A view of it.
    type Map: Map;

    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What this handle allows.
    fn rights(&self) -> Rights;

    /// Another handle to the same memory, with those rights at most, to give away.
    ///
    /// # Errors
    ///
    /// `Denied` where this handle does not have the rights.
    fn alias(&self, rights: Rights) -> Result<Self, Self::Error>;

    /// Private memory again, if this is the only handle and nobody has a view.
    ///
    /// # Errors
    ///
    /// The handle itself, where others know the memory.
    fn unshare(self) -> Result<Self::Private, Self>;

    /// A view with those rights; dropping it unmaps.
    ///
    /// # Errors
    ///
    /// `Denied` where this handle does not have the rights; `NoMemory`, `NoSlots`.
    fn map(&self, rights: Rights) -> Result<Self::Map, Self::Error>;
}

/// A view of shared memory. Bytes are copied in and out; words are atomics.
///
/// # Example
///
/// ```
/// use res_api::{Backend, Map, Mem, Rights, SharedMem};
///
/// let system = backend_local::Local::new()?;
/// let map = system.mem(64)?.share().map(Rights::READ | Rights::WRITE)?;
/// map.copy_in(8, b"hello")?;
/// let mut back = [0; 5];
/// map.copy_out(8, &mut back)?;
/// assert_eq!(&back, b"hello");
/// # Ok::<(), res_api::Fault>(())
/// ```
pub trait Map: Clone + Send + Sync + 'static {
    /// The atomics of the machine.
    type Model: MemoryModel;

    /// Where it begins, at a multiple of 64. Valid as long as this view or a clone of it lives;
    /// writable only with [`Rights::WRITE`]. Others may read and write it at any time, so there
    /// is no reference to it. For authors of kinds.
    fn base(&self) -> NonNull<u8>;

    /// How many bytes there are.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What this view allows.
    fn rights(&self) -> Rights;

    /// Writes bytes at `offset`; not as a whole: who reads them meanwhile may see a part.
    ///
    /// # Errors
    ///
    /// `Invalid` where they do not fit, `Denied` where the view is read-only.
    fn copy_in(&self, offset: u64, bytes: &[u8]) -> Result<(), ErrorKind>;

    /// Reads bytes at `offset`; not as a whole: of what is written meanwhile it may see a part.
    ///
    /// # Errors
    ///
    /// `Invalid` where there are fewer.
    fn copy_out(&self, offset: u64, bytes: &mut [u8]) -> Result<(), ErrorKind>;

    /// The 64-bit word at `offset`.
    ///
    /// # Errors
    ///
    /// `Invalid` where there is none or the offset is no multiple of 8; `Denied` where the view is
    /// read-only (use [`load`](Self::load) there).
    fn word(&self, offset: u64) -> Result<&<Self::Model as MemoryModel>::U64, ErrorKind>;

    /// Loads the 64-bit word at `offset`, with Acquire.
    ///
    /// # Errors
    ///
    /// `Invalid` where there is none or the offset is no multiple of 8.
    fn load(&self, offset: u64) -> Result<u64, ErrorKind>;
}
