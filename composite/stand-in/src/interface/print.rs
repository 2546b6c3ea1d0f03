//! The library that prints.

use std::ffi::{c_char, c_int};

use crate::host::inside;
use crate::kernel::say;
use crate::switch::c_symbols;

c_symbols! {
    /// Prints, and says how many bytes.
    fn cos_print_str(text: *const c_char, length: c_int) -> c_int = print_str;
}

unsafe extern "C" fn print_str(text: *const c_char, length: c_int) -> c_int {
    inside(|| {
        let bytes = usize::try_from(length).unwrap_or(0);
        // SAFETY: so many bytes are there, says the component.
        say(unsafe { std::slice::from_raw_parts(text.cast(), bytes) });
        length
    })
}
