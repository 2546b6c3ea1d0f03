//! Where the memory of a system comes from (R2a): a type parameter of the backend.
//!
//! | policy | memory | what is dropped |
//! |---|---|---|
//! | [`Static`] | a [`Region`] of the caller | goes back to a pool of blocks of that size |
//! | [`AllocOnly`] | a [`Region`] of the caller | stays taken until the whole system has gone |
//! | [`Dynamic`] (feature `alloc`) | the global allocator | is freed |
//!
//! With the first two nothing touches a heap after the system was made: threads too come from a
//! pool of a stated number that is made with it.

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::fmt;
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Release};

use res_sync::model::{Core, MemoryModel};

/// How a system gets and gives back memory. Called under the system's lock.
///
/// # Safety
///
/// `alloc` returns memory of that layout that nobody else has until it is freed.
///
/// # Example
///
/// ```
/// use backend_local::{Local, Static};
/// # use backend_local::Region;
///
/// static REGION: Region<{ 64 * 1024 }> = Region::new();
/// let system = Local::<Static>::over(&REGION, 0)?;
/// # Ok::<(), backend_local::LocalError>(())
/// ```
pub unsafe trait Policy: Send + 'static {
    /// Memory of that layout, if there is some left. The size is not 0.
    fn alloc(&mut self, layout: Layout) -> Option<NonNull<u8>>;

    /// Gives memory back.
    ///
    /// # Safety
    ///
    /// It came from `alloc` with that layout, and nobody uses it any more.
    unsafe fn free(&mut self, memory: NonNull<u8>, layout: Layout);
}

/// Every block begins at a multiple of a cache line.
const LINE: usize = 64;

/// Memory for one system at a time, wherever the caller puts it: as a rule in a `static`.
///
/// ```
/// use backend_local::{AllocOnly, Local, Region};
///
/// static REGION: Region<{ 256 * 1024 }> = Region::new();
/// let system = Local::<AllocOnly>::over(&REGION, 0)?;
/// assert!(Local::<AllocOnly>::over(&REGION, 0).is_err(), "it is taken");
/// drop(system);
/// assert!(Local::<AllocOnly>::over(&REGION, 0).is_ok(), "it is free again");
/// # Ok::<(), backend_local::LocalError>(())
/// ```
#[repr(C, align(64))]
pub struct Region<const BYTES: usize> {
    bytes: UnsafeCell<[MaybeUninit<u8>; BYTES]>,
    taken: <Core as MemoryModel>::U32,
}

// SAFETY: the bytes are reached through a `Claim` only, of which there is one at a time (`taken`).
unsafe impl<const BYTES: usize> Sync for Region<BYTES> {}

impl<const BYTES: usize> Region<BYTES> {
    /// Free memory.
    ///
    /// ```
    /// static REGION: backend_local::Region<{ 64 * 1024 }> = backend_local::Region::new();
    /// ```
    pub const fn new() -> Self {
        Self {
            bytes: UnsafeCell::new([MaybeUninit::uninit(); BYTES]),
            taken: <Core as MemoryModel>::U32::new(0),
        }
    }

    pub(crate) fn claim(&'static self) -> Option<Claim> {
        // AcqRel: partners the Release of the last claim's end, which is done with the bytes.
        if self.taken.swap(1, AcqRel) != 0 {
            return None;
        }
        let start = NonNull::from(&self.bytes).cast();
        Some(Claim { start, bytes: BYTES, used: 0, taken: &self.taken })
    }
}

impl<const BYTES: usize> Default for Region<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BYTES: usize> fmt::Debug for Region<BYTES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({BYTES} bytes)")
    }
}

/// The bytes of a region, as long as a system has them. Not nameable outside.
#[derive(Debug)]
pub struct Claim {
    start: NonNull<u8>,
    bytes: usize,
    used: usize,
    taken: &'static <Core as MemoryModel>::U32,
}

// SAFETY: the only way to the bytes of the region, which any thread may use.
unsafe impl Send for Claim {}

impl Claim {
    /// The next bytes, from the beginning of a line on.
    fn bump(&mut self, bytes: usize) -> Option<NonNull<u8>> {
        let end = self.used.checked_add(bytes.checked_next_multiple_of(LINE)?)?;
        if end > self.bytes {
            return None;
        }
        // SAFETY: `used <= end <= bytes`, so within the region or at its end.
        let block = unsafe { self.start.add(self.used) };
        self.used = end;
        Some(block)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Release: partners the swap in `claim`.
        self.taken.store(0, Release);
    }
}

/// A policy over a region.
///
/// ```
/// use backend_local::{Local, LocalError, OverRegion, Region};
///
/// static REGION: Region<{ 64 * 1024 }> = Region::new();
///
/// /// A system whose memory is never, or always, used again: `P` says which.
/// fn system<P: OverRegion>() -> Result<Local<P>, LocalError> {
///     Local::over(&REGION, 1)
/// }
/// # assert!(system::<backend_local::Static>().is_ok());
/// ```
pub trait OverRegion: Policy + Sized {
    #[doc(hidden)]
    fn over(claim: Claim) -> Self;
}

/// Memory from a region; what is dropped goes back to a pool of blocks of that size (a power of
/// two, at least 64), and creation from an empty pool and a used-up region is `NoSlots`.
///
/// ```
/// use backend_local::{Local, Region, Static};
/// use res_api::Backend;
///
/// static REGION: Region<{ 64 * 1024 }> = Region::new();
/// let system = Local::<Static>::over(&REGION, 0)?;
/// for _ in 0..10_000 {
///     system.blockpoint()?;
/// }
/// # Ok::<(), backend_local::LocalError>(())
/// ```
pub struct Static {
    claim: Claim,
    free: [Option<NonNull<FreeBlock>>; CLASSES],
}

const SMALLEST: u32 = LINE.trailing_zeros();
const CLASSES: usize = (usize::BITS - SMALLEST) as usize;

struct FreeBlock {
    next: Option<NonNull<FreeBlock>>,
}

// SAFETY: the free blocks are part of the claimed region.
unsafe impl Send for Static {}

impl fmt::Debug for Static {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Static({} of {} bytes used)", self.claim.used, self.claim.bytes)
    }
}

/// The power of two that a layout is served from, and its class.
fn class(layout: Layout) -> Option<(usize, usize)> {
    let size = layout.size().max(LINE).checked_next_power_of_two()?;
    (layout.align() <= LINE).then_some((size, (size.trailing_zeros() - SMALLEST) as usize))
}

// SAFETY: a block comes from the untouched part of the claimed region, or from the list of those
// given back; blocks of a class have one size, which is at least the layout's.
unsafe impl Policy for Static {
    fn alloc(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        let (size, class) = class(layout)?;
        match self.free[class] {
            Some(block) => {
                // SAFETY: a block in the list holds a `FreeBlock` that `free` wrote.
                self.free[class] = unsafe { block.as_ref().next };
                Some(block.cast())
            }
            None => self.claim.bump(size),
        }
    }

    unsafe fn free(&mut self, memory: NonNull<u8>, layout: Layout) {
        let Some((_, class)) = class(layout) else { return };
        let block = memory.cast::<FreeBlock>();
        // SAFETY: at least 64 bytes, aligned to 64, which nobody else uses any more.
        unsafe { block.write(FreeBlock { next: self.free[class] }) };
        self.free[class] = Some(block);
    }
}

impl OverRegion for Static {
    fn over(claim: Claim) -> Self {
        Self { claim, free: [None; CLASSES] }
    }
}

/// Memory from a region, in order; nothing is ever given back, until the whole system has gone.
///
/// ```
/// use backend_local::{AllocOnly, Local, Region};
/// use res_api::Backend;
///
/// static REGION: Region<{ 64 * 1024 }> = Region::new();
/// let system = Local::<AllocOnly>::over(&REGION, 0)?;
/// let made = (0..10_000).take_while(|_| system.blockpoint().is_ok()).count();
/// assert!(made > 100 && made < 10_000);
/// # Ok::<(), backend_local::LocalError>(())
/// ```
pub struct AllocOnly(Claim);

impl fmt::Debug for AllocOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AllocOnly({} of {} bytes used)", self.0.used, self.0.bytes)
    }
}

// SAFETY: each block comes from the untouched part of the claimed region.
unsafe impl Policy for AllocOnly {
    fn alloc(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.align() > LINE { None } else { self.0.bump(layout.size()) }
    }

    unsafe fn free(&mut self, _: NonNull<u8>, _: Layout) {}
}

impl OverRegion for AllocOnly {
    fn over(claim: Claim) -> Self {
        Self(claim)
    }
}

/// Memory from the global allocator.
///
/// ```
/// use backend_local::{Dynamic, Local};
///
/// let system = Local::<Dynamic>::new()?;
/// # Ok::<(), backend_local::LocalError>(())
/// ```
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub struct Dynamic(());

#[cfg(feature = "alloc")]
impl Dynamic {
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// As a block of whole pairs of lines: what is written often in one block must not slow down
    /// another, and processors fetch lines in pairs.
    fn lined(layout: Layout) -> Option<Layout> {
        Some(layout.align_to(2 * LINE).ok()?.pad_to_align())
    }
}

// SAFETY: the global allocator's contract.
#[cfg(feature = "alloc")]
unsafe impl Policy for Dynamic {
    fn alloc(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        // SAFETY: the trait says that the size is not 0.
        NonNull::new(unsafe { alloc::alloc::alloc(Self::lined(layout)?) })
    }

    unsafe fn free(&mut self, memory: NonNull<u8>, layout: Layout) {
        if let Some(layout) = Self::lined(layout) {
            // SAFETY: it came from `alloc` with that layout, says the caller.
            unsafe { alloc::alloc::dealloc(memory.as_ptr(), layout) };
        }
    }
}
