//! Open files.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use res_api::ErrorKind;

use crate::KernelFile;

/// A file that this process has opened, or was given.
///
/// ```
/// use res_kernel::KernelFile;
/// use res_kernel::linux::LinuxFile;
///
/// let file = LinuxFile::new(std::fs::File::open("Cargo.toml")?);
/// assert!(!file.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct LinuxFile(File);

impl LinuxFile {
    /// Of a file of std.
    pub fn new(file: File) -> Self {
        Self(file)
    }

    #[cfg_attr(miri, allow(dead_code))]
    pub(super) fn received(descriptor: OwnedFd) -> Self {
        Self(descriptor.into())
    }

    #[cfg_attr(miri, allow(dead_code))]
    pub(super) fn pass(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl KernelFile for LinuxFile {
    fn len(&self) -> u64 {
        // Not by std, which asks in a way that domains are kept from.
        rustix::fs::fstat(&self.0).map_or(0, |status| u64::try_from(status.st_size).unwrap_or(0))
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read_at(bytes, offset).map_err(|_| ErrorKind::Other)
    }
}
