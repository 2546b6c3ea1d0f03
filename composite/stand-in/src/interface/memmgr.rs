//! The memory manager's functions: pages, which are never given back.

use std::ffi::c_ulong;

use crate::buffer::{self, PAGE};
use crate::host::inside;
use crate::switch::c_symbols;

c_symbols! {
    /// A page.
    fn memmgr_heap_page_alloc() -> u64 = heap_page_alloc;
    /// Pages in a row.
    fn memmgr_heap_page_allocn(pages: c_ulong) -> u64 = heap_page_allocn;
    /// The same, at a multiple of `align`.
    fn memmgr_heap_page_allocn_aligned(pages: c_ulong, align: c_ulong) -> u64 =
        heap_page_allocn_aligned;
    /// Pages that others may map.
    fn memmgr_shared_page_allocn(pages: c_ulong, at: *mut u64) -> u32 = shared_page_allocn;
    /// The same, at a multiple of `align`.
    fn memmgr_shared_page_allocn_aligned(pages: c_ulong, align: c_ulong, at: *mut u64) -> u32 =
        shared_page_allocn_aligned;
    /// Maps them once more; the fifth time halts the machine.
    fn memmgr_shared_page_map(buffer: u32, at: *mut u64) -> c_ulong = shared_page_map;
    /// The same, at a multiple of `align`.
    fn memmgr_shared_page_map_aligned(buffer: u32, align: c_ulong, at: *mut u64) -> c_ulong =
        shared_page_map_aligned;
}

extern "C" fn heap_page_alloc() -> u64 {
    inside(|| buffer::pages(1, PAGE))
}

extern "C" fn heap_page_allocn(count: c_ulong) -> u64 {
    inside(|| buffer::pages(count, PAGE))
}

extern "C" fn heap_page_allocn_aligned(count: c_ulong, align: c_ulong) -> u64 {
    inside(|| buffer::pages(count, align))
}

unsafe extern "C" fn shared_page_allocn(count: c_ulong, at: *mut u64) -> u32 {
    // SAFETY: the component's promise.
    unsafe { shared_page_allocn_aligned(count, PAGE, at) }
}

unsafe extern "C" fn shared_page_allocn_aligned(
    count: c_ulong,
    align: c_ulong,
    at: *mut u64,
) -> u32 {
    inside(|| {
        let (id, address) = buffer::alloc(count, align).unwrap_or_default();
        // SAFETY: the component's promise.
        unsafe { at.write(address) };
        id
    })
}

unsafe extern "C" fn shared_page_map(id: u32, at: *mut u64) -> c_ulong {
    // SAFETY: the component's promise.
    unsafe { shared_page_map_aligned(id, PAGE, at) }
}

unsafe extern "C" fn shared_page_map_aligned(id: u32, align: c_ulong, at: *mut u64) -> c_ulong {
    inside(|| {
        let (pages, address) = buffer::map_again(id, align).unwrap_or_default();
        // SAFETY: the component's promise.
        unsafe { at.write(address) };
        pages
    })
}
