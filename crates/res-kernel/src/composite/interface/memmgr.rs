//! The memory manager: pages, which are never given back.
//!
//! # What the manager does not do
//!
//! * It maps shared pages five times at most, that of their maker among them; once more halts the
//!   machine. Nothing is ever unmapped.
//! * Asked to map a buffer that is not there it says so, and keeps its lock: whoever maps anything
//!   after that spins for ever.
//! * It asks nobody who he is: any component may map any buffer.

use core::ffi::c_ulong;

use super::{Address, Word};

/// Names pages that several components may map.
pub type BufferId = u32;

/// Bytes of a page.
pub const PAGE: usize = 4096;

unsafe extern "C" {
    /// A page of this component; 0 if there is none.
    pub safe fn memmgr_heap_page_alloc() -> Address;

    /// `pages` pages in a row, at least one; 0 if there are none.
    pub safe fn memmgr_heap_page_allocn(pages: c_ulong) -> Address;

    /// The same, beginning at a multiple of `align`.
    pub safe fn memmgr_heap_page_allocn_aligned(pages: c_ulong, align: c_ulong) -> Address;

    /// `pages` pages that others may map too: their name, 0 if there are none, and where they are
    /// here.
    ///
    /// # Safety
    ///
    /// `at` may be written to.
    pub fn memmgr_shared_page_allocn(pages: c_ulong, at: *mut Address) -> BufferId;

    /// The same, beginning at a multiple of `align`.
    ///
    /// # Safety
    ///
    /// `at` may be written to.
    pub fn memmgr_shared_page_allocn_aligned(
        pages: c_ulong,
        align: c_ulong,
        at: *mut Address,
    ) -> BufferId;

    /// Maps shared pages, for writing, at another address each time: how many, and where.
    ///
    /// # Safety
    ///
    /// `at` may be written to. The buffer is there, and has been mapped less than five times, or
    /// the memory manager is lost.
    pub fn memmgr_shared_page_map(buffer: BufferId, at: *mut Address) -> c_ulong;

    /// The same, beginning at a multiple of `align`.
    ///
    /// # Safety
    ///
    /// As [`memmgr_shared_page_map`].
    pub fn memmgr_shared_page_map_aligned(
        buffer: BufferId,
        align: c_ulong,
        at: *mut Address,
    ) -> c_ulong;

    /// Maps `size` bytes of physical memory.
    ///
    /// # Safety
    ///
    /// What is there may be used as memory, and is nobody else's.
    pub fn memmgr_map_phys_to_virt(physical: Word, size: usize) -> Address;

    /// Where a page of this component is in physical memory.
    pub safe fn memmgr_virt_to_phys(address: Address) -> Address;
}
