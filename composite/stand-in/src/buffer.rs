//! Pages, and buffers: pages that are mapped several times.

use std::ffi::c_void;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd};
use std::ptr::null_mut;
use std::sync::Mutex;

use crate::halt::halt;

pub(crate) const PAGE: u64 = 4096;

/// Mappings that the manager keeps a record of, for each page.
const MOST_MAPPINGS: usize = 5;

struct Buffer {
    pages: u64,
    file: File,
    mappings: usize,
}

struct Buffers {
    /// By their id less one.
    all: Vec<Buffer>,
    /// The manager's lock, which is left taken by a mapping of a buffer that is not there.
    lost: bool,
}

static BUFFERS: Mutex<Buffers> = Mutex::new(Buffers { all: Vec::new(), lost: false });

/// New pages, beginning at a multiple of `align`; 0 where there is no room. Asked for none, the
/// manager gives one.
pub(crate) fn pages(count: u64, align: u64) -> u64 {
    map(count, align, -1)
}

/// Maps pages of a file, or new ones.
fn map(count: u64, align: u64, file: i32) -> u64 {
    let align = align.max(PAGE);
    let bytes = count.max(1).checked_mul(PAGE);
    let Some(room) = bytes.and_then(|bytes| bytes.checked_add(align)) else { return 0 };
    let (bytes, reserve) = (room - align, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: new memory, wherever there is room.
    let base = unsafe { libc::mmap(null_mut(), room as usize, libc::PROT_NONE, reserve, -1, 0) };
    if base == libc::MAP_FAILED {
        return 0;
    }
    let at = (base as u64).next_multiple_of(align) as *mut c_void;
    let kind = if file < 0 { reserve } else { libc::MAP_SHARED };
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: within the room that was reserved for it.
    let at = unsafe { libc::mmap(at, bytes as usize, access, kind | libc::MAP_FIXED, file, 0) };
    if at == libc::MAP_FAILED { 0 } else { at as u64 }
}

/// A new buffer: its id and where its first mapping is.
pub(crate) fn alloc(pages: u64, align: u64) -> Option<(u32, u64)> {
    // SAFETY: a name, and no memory but that.
    let file = unsafe { libc::memfd_create(c"buffer".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(file >= 0, "a file for a buffer");
    // SAFETY: it was just opened, and is nobody else's.
    let file = unsafe { File::from_raw_fd(file) };
    file.set_len(pages.max(1).checked_mul(PAGE)?).ok()?;
    let at = map(pages, align, file.as_raw_fd());
    let mut buffers = BUFFERS.lock().expect("nobody panics with it");
    buffers.all.push(Buffer { pages, file, mappings: 1 });
    (at != 0).then_some((buffers.all.len() as u32, at))
}

/// Maps a buffer once more: how many pages, and where.
pub(crate) fn map_again(id: u32, align: u64) -> Option<(u64, u64)> {
    let mut buffers = BUFFERS.lock().expect("nobody panics with it");
    if buffers.lost {
        halt("the memory manager waits for a lock that it left taken");
    }
    let index = (id as usize).wrapping_sub(1);
    let Some(buffer) = buffers.all.get_mut(index) else {
        buffers.lost = true;
        return None;
    };
    if buffer.mappings == MOST_MAPPINGS {
        halt("assertion: one mapping more than the memory manager has");
    }
    buffer.mappings += 1;
    Some((buffer.pages, map(buffer.pages, align, buffer.file.as_raw_fd())))
}
