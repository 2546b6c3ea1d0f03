//! Threads (R6, R7).

use core::time::Duration;

use crate::{Deadline, ErrorKind, Exit, WaitError};

/// A thread of a system; never 0. No two that live at the same time have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub u32);

/// How a thread is scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ThreadParam {
    /// A fixed priority, 1 to 31; a *greater* number is more urgent.
    Priority(u32),
    /// The core it runs on.
    Core(u32),
    /// Its period, which is its deadline too. Goes with a budget.
    Period(Duration),
    /// The processor time it may use in each period.
    Budget(Duration),
}

/// A thread: made first, started later, so that parameters can be set in between.
///
/// Dropped before it was started, it never runs, and what its body owns is dropped. Dropped later,
/// it runs on by itself.
///
/// # Example
///
/// ```
/// use res_api::{Backend, Deadline, Fault, Thread, ThreadParam};
///
/// fn aside<B: Backend>(b: &B) -> Result<(), Fault> {
///     let thread = b.thread(|| { /* work */ })?;
///     thread.set(ThreadParam::Core(0))?;
///     thread.start()?;
///     thread.join(Deadline::NEVER)?.ok()
/// }
/// # aside(&backend_local::Local::new()?)?;
/// # Ok::<(), Fault>(())
/// ```
pub trait Thread {
    /// The backend's error.
    type Error: From<ErrorKind>;

    /// Which one it is.
    fn id(&self) -> ThreadId;

    /// Sets a parameter, before or after the start.
    ///
    /// # Errors
    ///
    /// `Denied` or `Invalid` where the machine refuses it; it is never ignored.
    fn set(&self, param: ThreadParam) -> Result<(), Self::Error>;

    /// Lets it run.
    ///
    /// # Errors
    ///
    /// `Invalid` if it was started before; `NoSlots` or `NoMemory` where the machine has no thread
    /// left.
    fn start(&self) -> Result<(), Self::Error>;

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`].
    fn join(&self, deadline: Deadline) -> Result<Exit, WaitError>;
}
