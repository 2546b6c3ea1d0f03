//! Page tables: mapping, and what memory is used for.

use super::call::{Answer, invoke};
use super::code::Errno;
use super::slot::handle;

handle! {
    /// A page table, or a part of one.
    PageTable
}

const COPY: u16 = 0;
const MEM_ACTIVATE: u16 = 23;
const MEM_DEACTIVATE: u16 = 24;
const RETYPE_TO_USER: u16 = 25;
const RETYPE_TO_KERNEL: u16 = 26;
const RETYPE_TO_FRAME: u16 = 27;
const MEM_MOVE: u16 = 36;
const INTROSPECT: u16 = 37;

impl PageTable {
    /// Maps the page at `source` also at `destination` of the table `into`, with `flags`.
    ///
    /// # Safety
    ///
    /// Who has mapped a page twice uses it accordingly.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn copy(
        self,
        source: u64,
        into: Self,
        destination: u64,
        flags: u64,
    ) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), COPY, [source, into.slot().into(), destination, flags]) }
            .done()
    }

    /// Maps the frame `frame` at `address` of the table `into`: two to the power of `order` bytes.
    ///
    /// # Safety
    ///
    /// Nothing that is in use there goes away.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn activate(
        self,
        frame: u64,
        into: Self,
        address: u64,
        order: u64,
    ) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), MEM_ACTIVATE, [frame, into.slot().into(), address, order]) }
            .done()
    }

    /// Operation 24: unmaps. How the words are packed is the kernel's.
    ///
    /// # Safety
    ///
    /// Nobody uses what goes away; the words are what this kernel expects.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn deactivate(self, arguments: [u64; 4]) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), MEM_DEACTIVATE, arguments) }.done()
    }

    /// Makes the untyped memory at `address` the users'.
    ///
    /// # Safety
    ///
    /// Nobody uses it as anything else.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn retype_to_user(self, address: u64) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), RETYPE_TO_USER, [address, 0, 0, 0]) }.done()
    }

    /// Makes the untyped memory at `address` the kernel's.
    ///
    /// # Safety
    ///
    /// Nobody uses it as anything else.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn retype_to_kernel(self, address: u64) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), RETYPE_TO_KERNEL, [address, 0, 0, 0]) }.done()
    }

    /// Makes the memory at `address` untyped again.
    ///
    /// # Safety
    ///
    /// Nobody uses it any more.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn retype_to_frame(self, address: u64) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), RETYPE_TO_FRAME, [address, 0, 0, 0]) }.done()
    }

    /// Operation 36: moves a mapping. How the words are packed is the kernel's.
    ///
    /// # Safety
    ///
    /// Nobody uses what goes away; the words are what this kernel expects.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn shift(self, arguments: [u64; 4]) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), MEM_MOVE, arguments) }.done()
    }

    /// What the kernel knows of the page at `address`.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn introspect(self, address: u64) -> Result<Answer, Errno> {
        // SAFETY: reads only.
        unsafe { invoke(self.slot(), INTROSPECT, [address, 0, 0, 0]) }.checked()
    }
}
