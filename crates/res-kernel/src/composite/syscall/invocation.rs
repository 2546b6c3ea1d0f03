//! Synchronous invocation: calling a function of another component, on the calling thread.

use super::call::{Answer, invoke};
use super::slot::handle;

handle! {
    /// A function of another component.
    Invocation
}

const INVOKE: u16 = 0;

impl Invocation {
    /// Calls it with four words. The result is whatever the server says, not an error number, and
    /// up to three extra results are where it left them.
    ///
    /// An ordinary call goes through the interface's own stub, which costs a few instructions more
    /// and knows how the words are packed.
    ///
    /// # Safety
    ///
    /// The words are what the function expects; what it does with them (addresses among them) is
    /// sound. The thread is in less than 15 invocations, and not in one of that server: its stack
    /// there is in use.
    pub unsafe fn call(self, arguments: [u64; 4]) -> Answer {
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), INVOKE, arguments) }
    }
}

/// What the composer emits for each imported function `f` under the name `__cosrt_ucap_f`. Declare
/// it as an `extern` static, and read it by [`Stub::read`].
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Stub {
    /// The code that performs the invocation.
    pub stub: u64,
    /// The slot of the capability. It changes from build to build.
    pub capability: u64,
    /// Another function to call instead; 0 for none.
    pub alternative: u64,
}

impl Stub {
    /// A copy of what is there, which may lie at any multiple of four bytes.
    ///
    /// # Safety
    ///
    /// `place` is such a symbol.
    pub unsafe fn read(place: *const Self) -> Self {
        // SAFETY: three words are there, says the caller; they need no alignment.
        unsafe { place.read_unaligned() }
    }

    /// The capability.
    pub const fn invocation(&self) -> Invocation {
        Invocation::at(self.capability as u32)
    }
}
