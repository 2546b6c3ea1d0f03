//! The memfd below a memory object, and its mappings (H7, H15).

use core::ptr::{self, NonNull};
use std::os::fd::OwnedFd;

use res_api::ErrorKind;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::retry_on_intr;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use rustix::system::sysinfo;

use super::error::refused;
use crate::{Access, KernelError};

const MAKE: &str = "make a memory object";
const MAP: &str = "map memory";

/// Pages without a name, of a length that nobody can change.
#[derive(Debug)]
pub(super) struct Object {
    descriptor: OwnedFd,
    len: usize,
}

impl Object {
    /// An object of `len` bytes, whole pages, all 0.
    pub(super) fn new(len: usize) -> Result<Self, KernelError> {
        if len as u64 > memory_of_the_machine() {
            return Err(KernelError::new(MAKE, ErrorKind::NoMemory));
        }
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let descriptor = memfd_create(c"res", flags).map_err(refused(MAKE))?;
        ftruncate(&descriptor, len as u64).map_err(refused(MAKE))?;
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&descriptor, seals).map_err(refused(MAKE))?;
        Ok(Self { descriptor, len })
    }

    /// Maps all of it, somewhere.
    pub(super) fn map(&self, access: Access) -> Result<Mapping, KernelError> {
        let (protection, populate) = match access {
            Access::Read => (ProtFlags::READ, Advice::LinuxPopulateRead),
            Access::ReadWrite => {
                let both = ProtFlags::READ | ProtFlags::WRITE;
                (both, Advice::LinuxPopulateWrite)
            }
        };
        let (file, shared) = (&self.descriptor, MapFlags::SHARED);
        // SAFETY: without MAP_FIXED, and no address asked for, the kernel takes a range that
        // nothing in this process uses, so no object of anybody's changes.
        let base = unsafe { mmap(ptr::null_mut(), self.len, protection, shared, file, 0) };
        let mapping = Mapping::new(base.map_err(refused(MAP))?, self.len)?;
        mapping.advise(Advice::LinuxDontFork)?;
        mapping.advise(populate)?;
        Ok(mapping)
    }
}

/// An object as it appears in the address space; unmapped when dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: an address range belongs to the process, not to a thread: any thread may unmap it.
unsafe impl Send for Mapping {}
// SAFETY: a shared `Mapping` only tells where and how long it is; it reads and writes nothing.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(base: *mut core::ffi::c_void, len: usize) -> Result<Self, KernelError> {
        // Linux maps nothing at address 0 that was not asked for there.
        let base = NonNull::new(base.cast()).ok_or(KernelError::new(MAP, ErrorKind::Other))?;
        Ok(Self { base, len })
    }

    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Populating takes up again where a signal interrupted it.
    fn advise(&self, advice: Advice) -> Result<(), KernelError> {
        // SAFETY: the range is this mapping, whole. The advice given here (not to fork it, to
        // supply its pages) changes no byte of it and takes no page away.
        retry_on_intr(|| unsafe { madvise(self.base.as_ptr().cast(), self.len, advice) })
            .map_err(refused(MAP))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range came from `mmap` in `Object::map` and is unmapped here only, once.
        // Nobody may use it any more: `KernelMemory::base` is a raw pointer, good as long as the
        // memory lives, and the memory is being dropped.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert_eq!(unmapped, Ok(()), "a whole mapping can be unmapped");
    }
}

/// Its size, with what it can swap. Asked for more, Linux would begin to supply pages, and kill
/// somebody when they run out.
fn memory_of_the_machine() -> u64 {
    let machine = sysinfo();
    let units = machine.totalram.saturating_add(machine.totalswap);
    units.saturating_mul(u64::from(machine.mem_unit))
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn nobody_changes_the_length() {
        let object = Object::new(8192).unwrap();
        assert_eq!(ftruncate(&object.descriptor, 4096), Err(Errno::PERM));
        assert_eq!(ftruncate(&object.descriptor, 16384), Err(Errno::PERM));
        let again = fcntl_add_seals(&object.descriptor, SealFlags::WRITE);
        assert_eq!(again, Err(Errno::PERM));
    }
}
