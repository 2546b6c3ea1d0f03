//! Memory objects: bytes of the process.

use core::alloc::Layout;
use core::ptr::NonNull;
use std::alloc::{alloc_zeroed, dealloc};
use std::sync::Arc;

use res_api::ErrorKind;

use super::domain::COMPOSER;
use super::faults::memory_for;
use super::machine::Machine;
use super::run::inside;
use crate::{Access, KernelError, KernelMemory};

const PAGE: usize = 4096;
const MAKE: &str = "make a memory object";
const MAP: &str = "map a memory object";

/// A memory object of a simulation. All its mappings are at the same place, and what one allows is
/// not enforced.
///
/// ```
/// use res_kernel::{Kernel, KernelMemory, Sim};
///
/// let outcome = Sim::run(1, |sim| {
///     assert_eq!(sim.memory(1).expect("memory").len(), 4096);
/// });
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Debug)]
pub struct SimMemory {
    pages: Arc<Pages>,
    access: Access,
}

#[derive(Debug)]
struct Pages {
    base: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the bytes belong to the process; the value tells where they are and frees them, once.
unsafe impl Send for Pages {}
// SAFETY: shared, it only tells where they are.
unsafe impl Sync for Pages {}

impl SimMemory {
    pub(super) fn new(bytes: u64) -> Result<Self, KernelError> {
        let refused = |kind| KernelError::new(MAKE, kind);
        if inside(Machine::domain) > Some(COMPOSER) {
            return Err(refused(ErrorKind::Denied));
        }
        if bytes == 0 {
            return Err(refused(ErrorKind::Invalid));
        }
        memory_for(MAKE)?;
        let layout = usize::try_from(bytes)
            .ok()
            .and_then(|bytes| bytes.checked_next_multiple_of(PAGE))
            .and_then(|bytes| Layout::from_size_align(bytes, PAGE).ok())
            .ok_or(refused(ErrorKind::NoMemory))?;
        // SAFETY: the size is not 0.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) });
        let base = base.ok_or(refused(ErrorKind::NoMemory))?;
        Ok(Self { pages: Arc::new(Pages { base, layout }), access: Access::ReadWrite })
    }

    /// The same, on its way to another domain, which will map it.
    pub(super) fn to_send(&self) -> Self {
        Self { pages: Arc::clone(&self.pages), access: self.access }
    }

    /// It has come, and is mapped, if there is memory for that.
    pub(super) fn map(self) -> Result<Self, KernelError> {
        memory_for(MAP)?;
        Ok(self)
    }
}

impl KernelMemory for SimMemory {
    fn base(&self) -> NonNull<u8> {
        self.pages.base
    }

    fn len(&self) -> u64 {
        self.pages.layout.size() as u64
    }

    fn access(&self) -> Access {
        self.access
    }

    fn alias(&self, access: Access) -> Result<Self, KernelError> {
        if (self.access, access) == (Access::Read, Access::ReadWrite) {
            let operation = "map for writing what is mapped for reading";
            return Err(KernelError::new(operation, ErrorKind::Denied));
        }
        Self { pages: Arc::clone(&self.pages), access }.map()
    }
}

impl Drop for SimMemory {
    fn drop(&mut self) {
        // What the calling thread has stored here must not be looked for when somebody else has
        // the bytes. Others of its domain have told it that they are done, by a store behind theirs.
        inside(Machine::drain);
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: allocated in `SimMemory::new` with that layout, and the last mapping goes.
        unsafe { dealloc(self.base.as_ptr(), self.layout) };
    }
}
