//! Threads, as a scheduler has them.

use super::call::invoke;
use super::code::Errno;
use super::slot::handle;
use super::{Receive, TimeCap};

handle! {
    /// A thread that the holder may switch to.
    ThreadCap
}

/// With what a thread is switched to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The time that it runs in.
    pub time: TimeCap,
    /// The scheduling token: one that is no longer the latest makes the switch fail.
    pub token: u64,
    /// Its priority in that time.
    pub priority: u64,
    /// Who is told when it blocks.
    pub receive: Receive,
    /// Until when it may run.
    pub timeout: u64,
}

impl ThreadCap {
    /// Switches to the thread. Returns when somebody switches back.
    ///
    /// # Safety
    ///
    /// The calling component schedules that thread, and it may run now.
    ///
    /// # Errors
    ///
    /// `EBUSY` while notifications are pending, `EAGAIN` for a stale token, `EPERM` without
    /// budget.
    pub unsafe fn dispatch(self, with: Dispatch) -> Result<(), Errno> {
        let arguments = [with.token, with.priority, with.receive.slot().into(), with.timeout];
        // The operation is the slot of the time capability.
        // SAFETY: the caller's promise.
        unsafe { invoke(self.slot(), with.time.slot() as u16, arguments) }.done()
    }
}
