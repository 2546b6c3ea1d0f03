//! Timers.

use core::time::Duration;

use crate::{Deadline, Instant, WaitError};

/// Expires at a point in time, and then, if it has a period, again and again.
///
/// It is a source for event groups. No thread stands behind it: who waits, waits until then.
///
/// # Example
///
/// ```
/// use core::time::Duration;
/// use res_api::{Backend, Deadline, Fault, Timer};
///
/// fn two_ticks<B: Backend>(b: &B) -> Result<u64, Fault> {
///     let tick = Duration::from_millis(1);
///     let timer = b.timer(b.now() + tick, Some(tick))?;
///     Ok(timer.wait(Deadline::NEVER)? + timer.wait(Deadline::NEVER)?)
/// }
/// # assert!(two_ticks(&backend_local::Local::new()?)? >= 2);
/// # Ok::<(), Fault>(())
/// ```
pub trait Timer {
    /// Sets it anew. What has expired and was not reported is forgotten.
    fn set(&self, first: Instant, period: Option<Duration>);

    /// Stops it; waiting then ends by the deadline alone.
    fn cancel(&self);

    /// How often it expired since it was last asked, without waiting.
    fn expirations(&self) -> u64;

    /// Waits for it to expire; returns how often it did since it was last asked.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`]; [`WaitError::Gone`] if its component is stopped.
    fn wait(&self, deadline: Deadline) -> Result<u64, WaitError>;
}
