//! The memfd below a memory object, and its mappings (H7, H15).

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use res_api::ErrorKind;
use rustix::fs::{
    MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fcntl_getfl, fstat,
    ftruncate, memfd_create, open,
};
use rustix::io::retry_on_intr;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use rustix::system::sysinfo;

use super::error::refused;
use crate::{Access, KernelError};

const MAKE: &str = "make a memory object";
const MAP: &str = "map memory";
const PASS: &str = "pass a memory object";
const RECEIVE: &str = "receive a memory object";

/// From the beginning: nobody changes the length.
const FIXED: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW);

/// Pages without a name, of a length that nobody can change.
#[derive(Debug)]
pub(super) struct Object {
    descriptor: OwnedFd,
    len: usize,
    /// How it is sealed for good, once that is known.
    seals: OnceLock<SealFlags>,
    /// One that reads only, for those who can open nothing.
    reader: OnceLock<OwnedFd>,
}

/// Whether those who get descriptors are kept from opening anything.
static RECEIVERS_OPEN_NOTHING: AtomicBool = AtomicBool::new(false);

/// From now on descriptors go to processes that can open nothing, and so cannot reopen them.
#[cfg(not(miri))]
pub(super) fn receivers_open_nothing() {
    // Relaxed: whoever gets a descriptor begins later.
    RECEIVERS_OPEN_NOTHING.store(true, Relaxed);
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
        // Where `pass` would add nothing but the last seal.
        let for_good = RECEIVERS_OPEN_NOTHING.load(Relaxed);
        let seals = if for_good { FIXED | SealFlags::SEAL } else { FIXED };
        fcntl_add_seals(&descriptor, seals).map_err(refused(MAKE))?;
        let seals = if for_good { OnceLock::from(seals) } else { OnceLock::new() };
        Ok(Self::of(descriptor, len, seals))
    }

    fn of(descriptor: OwnedFd, len: usize, seals: OnceLock<SealFlags>) -> Self {
        Self { descriptor, len, seals, reader: OnceLock::new() }
    }

    /// A descriptor for another process that is to have that access (H7). Those who can open nothing
    /// get one that reads only, which nobody maps for writing, and the object may go to others for
    /// writing. Where that cannot be relied on, the first time decides, for good: an object that was
    /// passed for reading is never mapped for writing again, by whatever way; one that was passed
    /// for writing cannot be passed for reading.
    pub(super) fn pass(&self, access: Access) -> Result<BorrowedFd<'_>, KernelError> {
        let open_nothing = RECEIVERS_OPEN_NOTHING.load(Relaxed);
        let seals = match access {
            Access::Read if !open_nothing => SealFlags::FUTURE_WRITE,
            Access::Read | Access::ReadWrite => SealFlags::empty(),
        };
        let read_only = self.sealed(seals)?.contains(SealFlags::FUTURE_WRITE);
        match access {
            Access::Read if !read_only && open_nothing => self.reader(),
            Access::Read if read_only => Ok(self.descriptor.as_fd()),
            Access::ReadWrite if !read_only => Ok(self.descriptor.as_fd()),
            Access::Read | Access::ReadWrite => Err(KernelError::new(PASS, ErrorKind::Denied)),
        }
    }

    /// Seals it for good, unless somebody has; how it is sealed.
    fn sealed(&self, seals: SealFlags) -> Result<SealFlags, KernelError> {
        if let Some(sealed) = self.seals.get() {
            return Ok(*sealed);
        }
        let sealed = self.seal(seals)?;
        // Another thread may have found out at the same time: it is for good.
        let _ = self.seals.set(sealed);
        Ok(sealed)
    }

    fn seal(&self, seals: SealFlags) -> Result<SealFlags, KernelError> {
        let now = || fcntl_get_seals(&self.descriptor).map_err(refused(PASS));
        let before = now()?;
        if before.contains(SealFlags::SEAL) {
            return Ok(before);
        }
        let added = fcntl_add_seals(&self.descriptor, seals | SealFlags::SEAL);
        let after = now()?;
        // It is refused where another thread was faster: then that one's hold.
        if after.contains(SealFlags::SEAL) {
            Ok(after)
        } else {
            added.map(|()| after).map_err(refused(PASS))
        }
    }

    fn reader(&self) -> Result<BorrowedFd<'_>, KernelError> {
        if self.reader.get().is_none() {
            let path = std::format!("/proc/self/fd/{}", self.descriptor.as_raw_fd());
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let reader = open(path, flags, Mode::empty()).map_err(refused(PASS))?;
            // Another thread may have been faster: then there is one.
            let _ = self.reader.set(reader);
        }
        let reader = self.reader.get().ok_or(KernelError::new(PASS, ErrorKind::Other))?;
        Ok(reader.as_fd())
    }

    /// How a descriptor is sealed that came from another process, if it can be memory: if its length
    /// has been fixed, which no file of a file system has.
    pub(super) fn seals_of(descriptor: &OwnedFd) -> Option<SealFlags> {
        fcntl_get_seals(descriptor).ok().filter(|seals| seals.intersects(FIXED))
    }

    /// The object of a descriptor that came so sealed, and what it allows. `Misbehaved`
    /// unless it is whole pages that are all there, and that nobody can take away.
    pub(super) fn received(
        descriptor: OwnedFd,
        seals: SealFlags,
    ) -> Result<(Self, Access), KernelError> {
        let wrong = KernelError::new(RECEIVE, ErrorKind::Misbehaved);
        let status = fstat(&descriptor).map_err(|_| wrong)?;
        let len = usize::try_from(status.st_size).map_err(|_| wrong)?;
        let whole = len != 0 && len.is_multiple_of(rustix::param::page_size());
        // What has no pages yet would get them here, at our expense.
        let there = status.st_blocks.saturating_mul(512) >= status.st_size;
        if !(seals.contains(FIXED | SealFlags::SEAL) && whole && there) {
            return Err(wrong);
        }
        let sealed = seals.intersects(SealFlags::FUTURE_WRITE | SealFlags::WRITE);
        let flags = fcntl_getfl(&descriptor).map_err(|_| wrong)?;
        let writes = !sealed && flags & OFlags::RWMODE == OFlags::RDWR;
        let access = if writes { Access::ReadWrite } else { Access::Read };
        Ok((Self::of(descriptor, len, OnceLock::from(seals)), access))
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
    use std::sync::Barrier;

    use rustix::io::Errno;

    use super::*;

    fn received(descriptor: OwnedFd) -> Result<(Object, Access), KernelError> {
        let seals = Object::seals_of(&descriptor);
        let seals = seals.ok_or(KernelError::new(RECEIVE, ErrorKind::Misbehaved))?;
        Object::received(descriptor, seals)
    }

    #[test]
    fn nobody_changes_the_length() {
        let object = Object::new(8192).unwrap();
        assert_eq!(ftruncate(&object.descriptor, 4096), Err(Errno::PERM));
        assert_eq!(ftruncate(&object.descriptor, 16384), Err(Errno::PERM));
    }

    #[test]
    fn what_was_passed_for_reading_is_not_written_again() {
        let object = Object::new(4096).unwrap();
        let first = object.map(Access::ReadWrite).unwrap();
        let passed = object.pass(Access::Read).unwrap().try_clone_to_owned().unwrap();
        let (theirs, access) = received(passed).unwrap();
        assert_eq!(access, Access::Read);
        for object in [&object, &theirs] {
            assert_eq!(object.map(Access::ReadWrite).unwrap_err().kind, ErrorKind::Denied);
            assert_eq!(object.pass(Access::ReadWrite).unwrap_err().kind, ErrorKind::Denied);
            assert!(object.map(Access::Read).is_ok() && object.pass(Access::Read).is_ok());
            assert_eq!(rustix::io::write(&object.descriptor, b"no"), Err(Errno::PERM));
        }
        // Not by way of the file system either, and who had it mapped goes on.
        let path = std::format!("/proc/self/fd/{}", theirs.descriptor.as_raw_fd());
        let again = std::fs::File::options().read(true).write(true).open(path).unwrap();
        let again = Object::of(again.into(), 4096, OnceLock::new());
        assert_eq!(again.map(Access::ReadWrite).unwrap_err().kind, ErrorKind::Denied);
        let second = theirs.map(Access::Read).unwrap();
        // SAFETY: both are mapped, and nobody else knows them.
        unsafe {
            first.base().write(9);
            assert_eq!(second.base().read(), 9);
        }
    }

    #[test]
    fn what_was_passed_for_writing_is_not_passed_for_reading() {
        let object = Object::new(4096).unwrap();
        let _mapped = object.map(Access::ReadWrite).unwrap();
        let passed = object.pass(Access::ReadWrite).unwrap().try_clone_to_owned().unwrap();
        assert_eq!(object.pass(Access::Read).unwrap_err().kind, ErrorKind::Denied);
        let (theirs, access) = received(passed).unwrap();
        assert_eq!(access, Access::ReadWrite);
        let again = fcntl_add_seals(&theirs.descriptor, SealFlags::FUTURE_WRITE);
        assert_eq!(again, Err(Errno::PERM), "they cannot seal it for us");
    }

    /// Two components get it at the same time.
    #[test]
    fn several_threads_pass_it_for_the_first_time() {
        const THREADS: usize = 4;
        for _ in 0..1000 {
            let (object, all) = (Object::new(4096).unwrap(), Barrier::new(THREADS));
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        all.wait();
                        assert!(object.pass(Access::ReadWrite).is_ok());
                    });
                }
            });
        }
    }

    #[test]
    fn what_may_be_taken_away_is_refused() {
        let make = |len, seals| {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let descriptor = memfd_create(c"theirs", flags).unwrap();
            ftruncate(&descriptor, len).unwrap();
            let pages = std::vec![1; len as usize];
            rustix::io::write(&descriptor, &pages).unwrap();
            fcntl_add_seals(&descriptor, seals).unwrap();
            received(descriptor).map(|_| ()).map_err(|error| error.kind)
        };
        let all = FIXED | SealFlags::SEAL;
        assert_eq!(make(4096, all), Ok(()));
        for (len, seals) in [
            (4096, SealFlags::GROW | SealFlags::SEAL),
            (4096, SealFlags::SHRINK | SealFlags::SEAL),
            (4096, FIXED),
            (0, all),
            (4000, all),
        ] {
            assert_eq!(make(len, seals), Err(ErrorKind::Misbehaved), "{len} {seals:?}");
        }
        // A hole, and what is no memory.
        let hole = memfd_create(c"hole", MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&hole, 1 << 40).unwrap();
        fcntl_add_seals(&hole, all).unwrap();
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        for descriptor in [hole, file.into()] {
            let refused = received(descriptor).unwrap_err();
            assert_eq!(refused.kind, ErrorKind::Misbehaved);
        }
    }
}
