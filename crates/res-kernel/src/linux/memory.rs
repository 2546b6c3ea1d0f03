//! Memory objects and the handles to their mappings.

use core::ptr::NonNull;
#[cfg(not(miri))]
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use res_api::ErrorKind;
#[cfg(not(miri))]
use rustix::fs::SealFlags;

use super::object::{Mapping, Object};
use crate::{Access, KernelError, KernelMemory};

const MAKE: &str = "make a memory object";

/// A memory object of Linux, mapped: a sealed memfd, so its pages are there from the beginning and
/// nobody can cut them off.
///
/// It has no name and leaves nothing behind. A fork does not inherit the mapping: its child must
/// neither use nor drop the value.
///
/// # Example
///
/// ```
/// use res_kernel::{Access, Kernel, KernelMemory, Linux};
///
/// let memory = Linux::new().memory(1)?;
/// assert!(memory.len() >= 4096, "whole pages");
/// assert_eq!(memory.access(), Access::ReadWrite);
/// assert_eq!(memory.alias(Access::Read)?.access(), Access::Read);
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
#[derive(Debug)]
pub struct LinuxMemory {
    object: Arc<Object>,
    mapping: Arc<Mapping>,
    access: Access,
}

impl LinuxMemory {
    pub(super) fn new(bytes: u64) -> Result<Self, KernelError> {
        let object = Object::new(whole_pages(bytes)?)?;
        Self::map(Arc::new(object), Access::ReadWrite)
    }

    /// The descriptor of its object, for another process that is to have the same access.
    #[cfg(not(miri))]
    pub(super) fn pass(&self) -> Result<BorrowedFd<'_>, KernelError> {
        self.object.pass(self.access)
    }

    /// Maps what came from another process, as far as it allows.
    #[cfg(not(miri))]
    pub(super) fn received(descriptor: OwnedFd, seals: SealFlags) -> Result<Self, KernelError> {
        let (object, access) = Object::received(descriptor, seals)?;
        Self::map(Arc::new(object), access)
    }

    fn map(object: Arc<Object>, access: Access) -> Result<Self, KernelError> {
        let mapping = Arc::new(object.map(access)?);
        Ok(Self { object, mapping, access })
    }
}

impl KernelMemory for LinuxMemory {
    fn base(&self) -> NonNull<u8> {
        self.mapping.base()
    }

    fn len(&self) -> u64 {
        self.mapping.len() as u64
    }

    fn access(&self) -> Access {
        self.access
    }

    fn alias(&self, access: Access) -> Result<Self, KernelError> {
        if (self.access, access) == (Access::Read, Access::ReadWrite) {
            return Err(KernelError::new(
                "map for writing what is mapped for reading",
                ErrorKind::Denied,
            ));
        }
        if self.access == access {
            let (object, mapping) = (Arc::clone(&self.object), Arc::clone(&self.mapping));
            return Ok(Self { object, mapping, access });
        }
        Self::map(Arc::clone(&self.object), access)
    }
}

/// `bytes`, rounded up to whole pages; what does not fit the address space cannot be had.
fn whole_pages(bytes: u64) -> Result<usize, KernelError> {
    if bytes == 0 {
        return Err(KernelError::new(MAKE, ErrorKind::Invalid));
    }
    usize::try_from(bytes)
        .ok()
        .and_then(|bytes| bytes.checked_next_multiple_of(rustix::param::page_size()))
        .filter(|len| isize::try_from(*len).is_ok())
        .ok_or(KernelError::new(MAKE, ErrorKind::NoMemory))
}
