//! Time capabilities: processor time as something that is handed on.

use super::call::invoke;
use super::code::Errno;
use super::slot::handle;

handle! {
    /// Time to run in, with priorities.
    TimeCap
}

const TRANSFER: u16 = 39;
const DELEGATE: u16 = 40;
const MERGE: u16 = 41;
const WAKEUP: u16 = 42;

impl TimeCap {
    /// Operation 39. How the words are packed is the kernel's; see its user library.
    ///
    /// # Safety
    ///
    /// The words are what this kernel expects of a transfer.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn transfer(self, arguments: [u64; 4]) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), TRANSFER, arguments) }.done()
    }

    /// Operation 40.
    ///
    /// # Safety
    ///
    /// The words are what this kernel expects of a delegation.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn delegate(self, arguments: [u64; 4]) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), DELEGATE, arguments) }.done()
    }

    /// Operation 41.
    ///
    /// # Safety
    ///
    /// The words are what this kernel expects of a merge.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn merge(self, arguments: [u64; 4]) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), MERGE, arguments) }.done()
    }

    /// Operation 42.
    ///
    /// # Safety
    ///
    /// The words are what this kernel expects of a wake-up.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn wakeup(self, arguments: [u64; 4]) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), WAKEUP, arguments) }.done()
    }
}
