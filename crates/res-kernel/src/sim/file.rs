//! Open files: bytes that do not change.

use std::sync::Arc;
use std::vec::Vec;

use res_api::ErrorKind;

use crate::KernelFile;

/// A file of a simulation.
///
/// ```
/// use res_kernel::KernelFile;
/// use res_kernel::sim::SimFile;
///
/// let file = SimFile::new(b"what is in it");
/// let mut bytes = [0; 16];
/// assert_eq!(file.read_at(8, &mut bytes), Ok(5));
/// assert_eq!(&bytes[..5], b"in it");
/// ```
#[derive(Clone, Debug)]
pub struct SimFile(Arc<[u8]>);

impl SimFile {
    /// A file in which that is.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into().into())
    }
}

impl KernelFile for SimFile {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let count = bytes.len().min(self.0.len() - start);
        bytes[..count].copy_from_slice(&self.0[start..start + count]);
        Ok(count)
    }
}
