//! Files: a source of bytes that the composing program has opened.

use core::fmt;

use res_api::{CastError, CastReason, Desc, ErrorKind, FromCap, IntoCap, KindId, Role, Tag};
use res_kernel::Kernel;

use crate::cap::Cap;
use crate::system::Ref;

/// An open file, whatever the machine calls one.
#[derive(Debug)]
pub(crate) struct FileObject {
    handle: u64,
    operations: &'static FileOperations,
    /// What it is known as outside of this component.
    number: Option<u64>,
}

/// What can be done with a handle of the machine.
#[derive(Debug)]
pub(crate) struct FileOperations {
    pub(crate) len: fn(u64) -> u64,
    pub(crate) read_at: fn(u64, u64, &mut [u8]) -> Result<usize, ErrorKind>,
    pub(crate) close: fn(u64),
}

impl FileObject {
    pub(crate) fn len(&self) -> u64 {
        (self.operations.len)(self.handle)
    }

    /// What it is known as outside of this component.
    pub(crate) fn number(&self) -> Option<u64> {
        self.number
    }
}

#[cfg(feature = "alloc")]
mod boxed {
    use alloc::boxed::Box;
    use core::ptr;

    use res_kernel::KernelFile;

    use super::{FileObject, FileOperations};

    /// Of files in boxes, whose addresses are the handles.
    struct Operations<F>(F);

    /// The file at that address.
    fn at<F>(handle: u64) -> *mut F {
        ptr::with_exposed_provenance_mut(handle as usize)
    }

    impl<F: KernelFile> Operations<F> {
        const ALL: &'static FileOperations = &FileOperations {
            // SAFETY: the address is that of a file in a box that `close` alone takes back.
            len: |handle| unsafe { (*at::<F>(handle)).len() },
            // SAFETY: as above.
            read_at: |handle, offset, bytes| unsafe { (*at::<F>(handle)).read_at(offset, bytes) },
            // SAFETY: it came out of a box in `boxed`, and is dropped once.
            close: |handle| drop(unsafe { Box::from_raw(at::<F>(handle)) }),
        };
    }

    impl FileObject {
        /// Of a file of the machine, which is known as `number` outside.
        pub(crate) fn boxed<F: KernelFile>(file: Box<F>, number: u64) -> Self {
            let handle = Box::into_raw(file).expose_provenance() as u64;
            Self { handle, operations: Operations::<F>::ALL, number: Some(number) }
        }
    }
}

impl Drop for FileObject {
    fn drop(&mut self) {
        (self.operations.close)(self.handle);
    }
}

/// A file of a local system.
///
/// ```
/// use backend_local::Local;
/// use res_api::{File, IntoCap};
///
/// let system = Local::new()?;
/// let file = system.file(std::fs::File::open("Cargo.toml")?)?;
/// let mut start = [0; 9];
/// assert_eq!(file.read_at(0, &mut start)?, 9);
/// assert_eq!(&start, b"[package]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct File<K: Kernel>(Ref<FileObject, K>);

impl<K: Kernel> fmt::Debug for File<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({} bytes)", self.0.len())
    }
}

#[cfg(feature = "alloc")]
impl<K: Kernel> File<K> {
    pub(crate) fn of(object: Ref<FileObject, K>) -> Self {
        Self(object)
    }
}

impl<K: Kernel> res_api::File for File<K> {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        (self.0.operations.read_at)(self.0.handle, offset, bytes)
    }
}

impl<K: Kernel> IntoCap<Cap<K>> for File<K> {
    fn into_cap(self) -> Cap<K> {
        Cap::of_file(self.0)
    }
}

impl<K: Kernel> FromCap<Cap<K>> for File<K> {
    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        desc.expect(Role::File, KindId::NONE, Tag::NONE)
    }

    fn attach(cap: Cap<K>) -> Result<Self, CastError<Cap<K>>> {
        cap.into_file()
            .map(Self)
            .map_err(|cap| CastError::new(cap, CastReason::Parts(ErrorKind::Invalid)))
    }
}

#[cfg(feature = "linux")]
mod linux {
    use std::fs;
    use std::mem::ManuallyDrop;
    use std::os::fd::{FromRawFd, IntoRawFd};
    use std::os::unix::fs::FileExt;

    use res_api::ErrorKind;
    use res_kernel::Linux;

    use super::{File, FileObject, FileOperations};
    use crate::error::LocalError;
    use crate::local::Local;
    use crate::policy::Policy;

    /// The file, as long as its descriptor is open.
    fn borrow(handle: u64) -> ManuallyDrop<fs::File> {
        // SAFETY: the descriptor came from `into_raw_fd` and is closed by `close` alone, when the
        // last reference goes.
        ManuallyDrop::new(unsafe { fs::File::from_raw_fd(handle as i32) })
    }

    static OPERATIONS: FileOperations = FileOperations {
        len: |handle| borrow(handle).metadata().map_or(0, |metadata| metadata.len()),
        read_at: |handle, offset, bytes| {
            borrow(handle).read_at(bytes, offset).map_err(|_| ErrorKind::Other)
        },
        close: |handle| drop(ManuallyDrop::into_inner(borrow(handle))),
    };

    impl<P: Policy> Local<P, Linux> {
        /// A file that this program has opened, to endow a component with.
        ///
        /// # Errors
        ///
        /// `NoSlots`; the file is closed then.
        pub fn file(&self, file: fs::File) -> Result<File<Linux>, LocalError> {
            let handle = file.into_raw_fd() as u64;
            let object = FileObject { handle, operations: &OPERATIONS, number: None };
            Ok(File(self.system().create(object)?))
        }
    }
}
