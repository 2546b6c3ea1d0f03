//! Blockpoints: event counts as a resource (R8-R11).

use crate::{Deadline, Gone, Instant, Side, Snapshot, ThreadId, WaitError, Wake};

/// What everything that blocks, blocks on.
///
/// To wait: look at your data; take a [checkpoint](Self::checkpoint); look again; wait at the
/// checkpoint; begin anew. [`wait_until`](Self::wait_until) does just that. To wake: change the
/// data, then [`trigger`](Self::trigger). No wake-up is lost, in whatever order.
///
/// # Example
///
/// ```
/// use core::sync::atomic::{AtomicBool, Ordering};
/// use res_api::{Blockpoint, Deadline, Wake};
///
/// fn open(gate: &AtomicBool, changed: &impl Blockpoint) {
///     gate.store(true, Ordering::Release);
///     changed.trigger(Wake::All);
/// }
///
/// fn pass(gate: &AtomicBool, changed: &impl Blockpoint, by: Deadline) -> bool {
///     changed.wait_until(by, || gate.load(Ordering::Acquire).then_some(())).is_ok()
/// }
/// # use res_api::Backend;
/// # let system = backend_local::Local::new()?;
/// # let (gate, changed) = (AtomicBool::new(false), system.blockpoint()?);
/// # assert!(!pass(&gate, &changed, Deadline::PASSED));
/// # open(&gate, &changed);
/// # assert!(pass(&gate, &changed, Deadline::NEVER));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Blockpoint: Clone + Send + Sync + 'static {
    /// Announces a change. With nobody subscribed it is one load and no system call.
    ///
    /// Returns what signallers have been told: why nobody will wait here any more.
    fn trigger(&self, wake: Wake) -> Option<Gone>;

    /// Arms: from now on a trigger is noticed by the checkpoint's wait.
    fn checkpoint(&self) -> Checkpoint<'_, Self> {
        Checkpoint { blockpoint: self, armed: self.arm(), dependency: None }
    }

    /// Looks until there is something or the deadline passes: at once, then spinning a little,
    /// then armed, then asleep.
    ///
    /// # Errors
    ///
    /// [`WaitError::Gone`] where waiters were told so (after a last look), else
    /// [`WaitError::TimedOut`].
    fn wait_until<R>(
        &self,
        deadline: Deadline,
        mut look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        match look().or_else(|| self.spin(&mut look)) {
            Some(found) => Ok(found),
            None => self.sleep_until(deadline, look),
        }
    }

    /// The first part of [`wait_until`](Self::wait_until): looks again and again for a few
    /// microseconds at most; not at all on one core.
    fn spin<R>(&self, look: impl FnMut() -> Option<R>) -> Option<R>;

    /// The second part of [`wait_until`](Self::wait_until): looks armed, then sleeps.
    ///
    /// Where other components can trigger it, and do so again and again while there is nothing to be
    /// found, it is not listened to for a moment: what comes then is found a few milliseconds later.
    ///
    /// # Errors
    ///
    /// As [`wait_until`](Self::wait_until).
    fn sleep_until<R>(
        &self,
        deadline: Deadline,
        look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError>;

    /// Sleeps until then, whatever is triggered or told meanwhile: for who was woken more often than
    /// was agreed on (H12). Look behind it.
    ///
    /// ```
    /// use core::time::Duration;
    /// use res_api::{Backend, Blockpoint};
    ///
    /// let system = backend_local::Local::new()?;
    /// let changed = system.blockpoint()?;
    /// let soon = changed.now() + Duration::from_millis(1);
    /// changed.nap(soon.into());
    /// assert!(changed.now() >= soon);
    /// # Ok::<(), res_api::Fault>(())
    /// ```
    fn nap(&self, until: Deadline);

    /// The time, so that who holds a blockpoint can make a deadline.
    fn now(&self) -> Instant;

    /// Whether a trigger would have somebody to reach: who has armed, or a group that watches.
    fn armed(&self) -> bool;

    /// What that side has been told.
    fn told(&self, side: Side) -> Option<Gone>;

    /// Tells one side why the other is gone, and wakes everybody. The stronger reason stays. For
    /// authors of kinds and backends.
    fn tell(&self, side: Side, gone: Gone);

    /// The state now, without arming. For ends that are about to report idle.
    fn snapshot(&self) -> Snapshot;

    /// Says that the source found nothing after `seen`: takes it off the ready list of the group
    /// that watches, unless it was triggered since (H23). Returns what waiters had been told at
    /// `seen`: whoever looked after that has seen everything that was sent before.
    ///
    /// `found`: how much it has found so far, where nobody else takes what it looks for. If the group is
    /// told of a source again and again that finds no more, the backend tells it less often (H12).
    fn idle(&self, seen: Snapshot, found: Option<u64>) -> Option<Gone>;

    /// The first half of a checkpoint. Users call [`checkpoint`](Self::checkpoint).
    fn arm(&self) -> Snapshot;

    /// The second half of a checkpoint. Users call [`Checkpoint::wait`].
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::wait`].
    fn park(
        &self,
        armed: Snapshot,
        dependency: Option<ThreadId>,
        deadline: Deadline,
    ) -> Result<(), WaitError>;
}

/// An armed blockpoint: look at your data again, then [`wait`](Self::wait).
///
/// ```
/// use res_api::{Backend, Blockpoint, Deadline, Wake};
///
/// let system = backend_local::Local::new()?;
/// let changed = system.blockpoint()?;
/// let checkpoint = changed.checkpoint(); // from here on no trigger is missed
/// changed.trigger(Wake::All);
/// checkpoint.wait(Deadline::NEVER)?; // has been triggered, so it does not sleep
/// # Ok::<(), res_api::Fault>(())
/// ```
#[derive(Debug)]
#[must_use = "look at the data again, then wait at the checkpoint"]
pub struct Checkpoint<'a, P: ?Sized> {
    blockpoint: &'a P,
    armed: Snapshot,
    dependency: Option<ThreadId>,
}

impl<P: Blockpoint> Checkpoint<'_, P> {
    /// Names the thread that is waited for, so that a scheduler with priority inheritance can
    /// lend it the waiter's priority (R11). A hint.
    pub fn depends_on(mut self, thread: ThreadId) -> Self {
        self.dependency = Some(thread);
        self
    }

    /// Sleeps until a trigger that came after the checkpoint.
    ///
    /// # Errors
    ///
    /// [`WaitError::Gone`] where waiters were told so: look once more. [`WaitError::TimedOut`].
    pub fn wait(self, deadline: Deadline) -> Result<(), WaitError> {
        self.blockpoint.park(self.armed, self.dependency, deadline)
    }
}
