//! The hardware capability: interrupts, timers, the end of the machine.

use super::call::{Answer, invoke};
use super::code::Errno;
use super::slot::handle;

handle! {
    /// The hardware.
    Hardware
}

/// An operation on the hardware: 45 to 50. (43 and 44 are the table's.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HardwareOperation(u16);

const FIRST: u16 = 45;
const SHUTDOWN: u16 = 50;

impl HardwareOperation {
    /// Ends the machine.
    pub const SHUTDOWN: Self = Self(SHUTDOWN);

    /// The one of that number, if it is one on a hardware capability.
    pub const fn numbered(number: u16) -> Option<Self> {
        if number >= FIRST && number <= SHUTDOWN { Some(Self(number)) } else { None }
    }
}

impl Hardware {
    /// Does it.
    ///
    /// # Safety
    ///
    /// The words are what this kernel expects of the operation, and what it does to the machine is
    /// sound.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub unsafe fn operate(
        self,
        operation: HardwareOperation,
        arguments: [u64; 4],
    ) -> Result<Answer, Errno> {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), operation.0, arguments) }.checked()
    }
}
