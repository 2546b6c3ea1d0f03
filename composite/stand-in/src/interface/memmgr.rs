//! The memory manager's functions: pages, which are never given back.

use std::ffi::c_ulong;
use std::ptr::null_mut;
use std::sync::Mutex;

use crate::host::inside;
use crate::switch::c_symbols;

const PAGE: usize = 4096;

c_symbols! {
    /// A page.
    fn memmgr_heap_page_alloc() -> u64 = heap_page_alloc;
    /// Pages in a row.
    fn memmgr_heap_page_allocn(pages: c_ulong) -> u64 = heap_page_allocn;
    /// Pages that others may map.
    fn memmgr_shared_page_allocn(pages: c_ulong, at: *mut u64) -> u32 = shared_page_allocn;
    /// Maps them.
    fn memmgr_shared_page_map(buffer: u32, at: *mut u64) -> c_ulong = shared_page_map;
}

/// Shared pages, by their id less one: where, and how many.
static BUFFERS: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

fn pages(count: u64) -> u64 {
    let bytes = (count as usize).checked_mul(PAGE).filter(|bytes| *bytes > 0);
    let Some(bytes) = bytes else { return 0 };
    let (protection, flags) =
        (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: new memory, wherever there is room.
    let at = unsafe { libc::mmap(null_mut(), bytes, protection, flags, -1, 0) };
    if at == libc::MAP_FAILED { 0 } else { at as u64 }
}

extern "C" fn heap_page_alloc() -> u64 {
    inside(|| pages(1))
}

extern "C" fn heap_page_allocn(count: c_ulong) -> u64 {
    inside(|| pages(count))
}

unsafe extern "C" fn shared_page_allocn(count: c_ulong, at: *mut u64) -> u32 {
    inside(|| {
        let base = pages(count);
        if base == 0 {
            return 0;
        }
        // SAFETY: the component's promise.
        unsafe { at.write(base) };
        let mut buffers = BUFFERS.lock().expect("nobody panics with it");
        buffers.push((base, count));
        buffers.len() as u32
    })
}

unsafe extern "C" fn shared_page_map(buffer: u32, at: *mut u64) -> c_ulong {
    inside(|| {
        let buffers = BUFFERS.lock().expect("nobody panics with it");
        let found = buffer.checked_sub(1).and_then(|index| buffers.get(index as usize));
        let Some((base, count)) = found else { return 0 };
        // SAFETY: the component's promise.
        unsafe { at.write(*base) };
        *count
    })
}
