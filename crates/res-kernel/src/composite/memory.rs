//! Memory objects: runs of pages, which the memory manager does not take back; so they go to pools
//! of runs of that size.

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use res_api::ErrorKind;

use super::free_list::{FreeLists, next_fresh};
use super::interface::Address;
use super::interface::memmgr::{PAGE, memmgr_heap_page_allocn};
use super::{U32, U64};
use crate::{Access, KernelError, KernelMemory};

const MAKE: &str = "make a memory object";

/// Runs of pages that a component can have.
const MOST: usize = 256;
/// Sizes of runs: 1, 2, 4, .. pages, to 256 MiB.
const SIZES: usize = 17;

/// Pages in a row.
struct Run {
    /// 0 until the manager was asked for them.
    base: U64,
    /// Two to the power of this many pages.
    size: U32,
    /// How many mappings there are.
    mappings: U32,
}

static RUNS: [Run; MOST] =
    [const { Run { base: U64::new(0), size: U32::new(0), mappings: U32::new(0) } }; MOST];
static FREE: FreeLists<SIZES, MOST> = FreeLists::new();
/// Runs that have no pages yet.
static BARE: FreeLists<1, MOST> = FreeLists::new();
static USED: U32 = U32::new(0);

/// A memory object: pages of this component. Dropped by all who have it, it goes back to a pool of
/// its size, two to some power of pages. Pages that another component has, too, stay what they are.
///
/// All mappings here are at the same place, and for reading and writing: the memory manager has no
/// other.
///
/// # Example
///
/// ```no_run
/// use res_api::ErrorKind;
/// use res_kernel::{Access, Composite, Kernel, KernelMemory};
///
/// let memory = Composite::boot(0, 16)?.memory(5000)?;
/// assert_eq!(memory.len(), 8192);
/// assert_eq!(memory.alias(Access::Read).unwrap_err().kind, ErrorKind::Invalid);
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
pub struct CompositeMemory {
    /// None where other components have the pages, too.
    run: Option<u32>,
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: pages that stay where they are; the value only tells where, and counts who has it.
unsafe impl Send for CompositeMemory {}
// SAFETY: as for `Send`.
unsafe impl Sync for CompositeMemory {}

impl fmt::Debug for CompositeMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompositeMemory({} bytes at {:p})", self.len, self.base)
    }
}

impl CompositeMemory {
    /// One of the pool, or a new one; all 0.
    pub(super) fn take(bytes: u64) -> Result<Self, KernelError> {
        let size = size_for(bytes)?;
        let index = match FREE.pop(size) {
            Some(index) => index,
            None => new_run(size)?,
        };
        let run = &RUNS[index as usize];
        run.mappings.store(1, Relaxed);
        let memory = run.mapped(index)?;
        // SAFETY: so many bytes are mapped there, and nobody else has them.
        unsafe { memory.base.write_bytes(0, memory.len) };
        Ok(memory)
    }
}

impl CompositeMemory {
    /// Pages that the manager has mapped here for ever, because others have them.
    pub(super) fn of_pages(at: Address, pages: usize) -> Option<Self> {
        let base = NonNull::new(at as usize as *mut u8)?;
        (pages > 0).then_some(Self { run: None, base, len: PAGE * pages })
    }
}

impl Run {
    /// A mapping of it, which was counted before.
    fn mapped(&self, index: u32) -> Result<CompositeMemory, KernelError> {
        let base = self.base.load(Acquire) as usize as *mut u8;
        let base = NonNull::new(base).ok_or(KernelError::new(MAKE, ErrorKind::NoMemory))?;
        Ok(CompositeMemory { run: Some(index), base, len: PAGE << self.size.load(Relaxed) })
    }
}

/// Pages of the manager.
fn new_run(size: usize) -> Result<u32, KernelError> {
    let index = BARE.pop(0).or_else(|| next_fresh(&USED, MOST));
    let index = index.ok_or(KernelError::new(MAKE, ErrorKind::NoSlots))?;
    match memmgr_heap_page_allocn(1 << size) {
        0 => {
            BARE.push(0, index);
            Err(KernelError::new(MAKE, ErrorKind::NoMemory))
        }
        base => {
            let run = &RUNS[index as usize];
            run.size.store(size as u32, Relaxed);
            run.base.store(base, Release);
            Ok(index)
        }
    }
}

/// The smallest size of at least that many bytes.
fn size_for(bytes: u64) -> Result<usize, KernelError> {
    if bytes == 0 {
        return Err(KernelError::new(MAKE, ErrorKind::Invalid));
    }
    (0..SIZES)
        .find(|size| bytes <= (PAGE as u64) << size)
        .ok_or(KernelError::new(MAKE, ErrorKind::NoMemory))
}

impl KernelMemory for CompositeMemory {
    fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn len(&self) -> u64 {
        self.len as u64
    }

    fn access(&self) -> Access {
        Access::ReadWrite
    }

    fn alias(&self, access: Access) -> Result<Self, KernelError> {
        if access == Access::Read {
            let invalid = KernelError::new("map for reading only", ErrorKind::Invalid);
            return Err(invalid);
        }
        if let Some(index) = self.run {
            // Relaxed: whoever maps it again has it.
            RUNS[index as usize].mappings.fetch_add(1, Relaxed);
        }
        Ok(Self { ..*self })
    }
}

impl Drop for CompositeMemory {
    fn drop(&mut self) {
        let Some(index) = self.run else { return };
        let run = &RUNS[index as usize];
        // AcqRel: the last one sees what the others did, before somebody else gets it.
        if run.mappings.fetch_sub(1, AcqRel) == 1 {
            FREE.push(run.size.load(Relaxed) as usize, index);
        }
    }
}
