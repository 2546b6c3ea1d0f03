//! Where a Linux thread waits for the baton.
//!
//! Not the standard library's `park`: a thread waits in a signal handler, too, that has interrupted
//! it as it stopped waiting.

use std::ptr::null;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

/// Counts how often its thread was woken.
pub(crate) struct Baton(AtomicU32);

impl Baton {
    pub(crate) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The count, before one looks whether one has to wait.
    pub(crate) fn seen(&self) -> u32 {
        self.0.load(SeqCst)
    }

    /// Waits until the thread is woken for another time than `seen`. May return for no reason.
    pub(crate) fn wait(&self, seen: u32) {
        let forever = null::<libc::timespec>();
        // SAFETY: the word is static, and Linux only reads it.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                seen,
                forever,
            )
        };
    }

    /// Wakes the thread.
    pub(crate) fn wake(&self) {
        self.0.fetch_add(1, SeqCst);
        // SAFETY: the word is static; waking touches no memory.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1,
            )
        };
    }
}
