//! What it costs without a library to hand something over by new memory: a memfd, made, written,
//! sent, mapped there and read.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use res_benches::{Candidate, time};

use super::peers::{connected, receive_descriptor, send_descriptor, stdin};

const PAGE: usize = 4096;

/// A page of an object, mapped as long as this lives.
struct Page(*mut u64);

impl Page {
    fn of(memory: RawFd) -> Self {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, wherever there is room for it.
        let at =
            unsafe { libc::mmap(std::ptr::null_mut(), PAGE, access, libc::MAP_SHARED, memory, 0) };
        assert_ne!(at, libc::MAP_FAILED, "memory is there");
        Self(at.cast())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: mapped by this, and nobody has its address.
        unsafe { libc::munmap(self.0.cast(), PAGE) };
    }
}

/// Memory with a word in it.
fn made(word: u64) -> OwnedFd {
    // SAFETY: makes a descriptor, which is taken over.
    let memory =
        unsafe { OwnedFd::from_raw_fd(libc::memfd_create(c"passed".as_ptr(), libc::MFD_CLOEXEC)) };
    // SAFETY: a call that refers to nothing but the descriptor.
    assert_eq!(unsafe { libc::ftruncate(memory.as_raw_fd(), PAGE as i64) }, 0);
    let page = Page::of(memory.as_raw_fd());
    // SAFETY: the page is mapped for writing, and nobody else has it.
    unsafe { page.0.write_volatile(word) };
    memory
}

/// The word in memory that came.
fn word_of(memory: &OwnedFd) -> u64 {
    let page = Page::of(memory.as_raw_fd());
    // SAFETY: the page is mapped, and who sent it does not write any more.
    unsafe { page.0.read_volatile() }
}

/// Hands on what is in the memory that comes, in new memory.
pub(crate) fn hand_on() {
    let stream = stdin();
    while let Some(memory) = receive_descriptor(&stream) {
        send_descriptor(&stream, made(word_of(&memory)).as_raw_fd());
    }
}

/// There and back: two passes.
pub(crate) fn memory_passed(count: u64) -> Candidate<'static> {
    let mut partner = None;
    Candidate::peer("new memory each time, over SCM_RIGHTS, and mapped, halved", move || {
        let (stream, _) =
            partner.get_or_insert_with(|| connected("hands on", "", libc::SOCK_SEQPACKET));
        time(2 * count, || {
            for number in 0..count {
                send_descriptor(stream, made(number).as_raw_fd());
                let memory = receive_descriptor(stream).expect("it comes back");
                assert_eq!(word_of(&memory), number);
            }
        })
    })
}
