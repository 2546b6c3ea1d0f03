//! Printing through the kernel.

use core::fmt;

use super::call::invoke;
use super::slot::handle;

handle! {
    /// What prints on the machine's console.
    Printer
}

/// Bytes that one call takes.
const MOST: usize = 12;

const PRINT: u16 = 0;

impl Printer {
    /// Prints at most twelve bytes from the beginning of `text`, and says how many; 0 where the
    /// kernel printed none.
    pub fn print_some(self, text: &[u8]) -> usize {
        let mut bytes = [0; 16];
        let some = text.len().min(MOST);
        bytes[..some].copy_from_slice(&text[..some]);
        let word = |at: usize| {
            u64::from(u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
        };
        // SAFETY: printing touches no memory: the text is in the arguments.
        let answer =
            unsafe { invoke(self.slot(), PRINT, [word(0), word(4), word(8), text.len() as u64]) };
        usize::try_from(answer.result).unwrap_or(0).min(some)
    }

    /// Prints all of it, unless the kernel refuses.
    pub fn print(self, text: &str) {
        let mut left = text.as_bytes();
        while !left.is_empty() {
            match self.print_some(left) {
                0 => return,
                printed => left = &left[printed..],
            }
        }
    }
}

/// Writes formatted text to the console: `write!(Console, "..")`.
///
/// Each piece of the text is printed in pieces of twelve bytes; other components may print in
/// between.
///
/// # Example
///
/// ```no_run
/// use core::fmt::Write;
/// use res_kernel::composite::syscall::Console;
///
/// writeln!(Console, "{} threads", 22).ok();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        super::boot::PRINT.print(text);
        Ok(())
    }
}
