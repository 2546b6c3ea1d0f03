//! Printing through a library. (The kernel prints as well, see
//! [`Console`](crate::composite::syscall::Console).)

use core::ffi::{c_char, c_int};

unsafe extern "C" {
    /// Prints `length` bytes and says how many it printed.
    ///
    /// # Safety
    ///
    /// `text` is that long, and eleven bytes behind it may be read: it takes pieces of twelve.
    pub fn cos_print_str(text: *const c_char, length: c_int) -> c_int;
}
