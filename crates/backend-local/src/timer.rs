//! Timers: a due time on a point. No thread stands behind one; who waits, waits until then.

use core::fmt;
use core::sync::atomic::Ordering::{AcqRel, Acquire};
use core::time::Duration;

use res_api::{Deadline, Instant, Side, Source, SourceKind, WaitError};
use res_kernel::Kernel;
use res_sync::model::Atomic;

use crate::blockpoint::Blockpoint;
use crate::system::U64;

/// The due time of a point, in nanoseconds; `u64::MAX` where it is not a timer, or stopped.
pub(crate) struct Timing<K: Kernel> {
    due: U64<K>,
    period: U64<K>,
    expired: U64<K>,
}

impl<K: Kernel> Timing<K> {
    pub(crate) fn new() -> Self {
        Self { due: Atomic::new(u64::MAX), period: Atomic::new(0), expired: Atomic::new(0) }
    }

    pub(crate) fn due(&self) -> Deadline {
        // Acquire: partners the AcqRel of `set`.
        match self.due.load(Acquire) {
            u64::MAX => Deadline::NEVER,
            nanos => Deadline::at(Instant::from_nanos(nanos)),
        }
    }

    /// Counts what has expired by `now`; true if something has.
    pub(crate) fn fire(&self, now: Instant) -> bool {
        let mut due = self.due.load(Acquire);
        while due <= now.as_nanos() && due != u64::MAX {
            let period = self.period.load(Acquire);
            let (times, next) = match period {
                0 => (1, u64::MAX),
                _ => {
                    let times = (now.as_nanos() - due) / period + 1;
                    (times, due.saturating_add(times.saturating_mul(period)))
                }
            };
            // AcqRel: one of several that wait counts it.
            match self.due.compare_exchange(due, next, AcqRel, Acquire) {
                Ok(_) => {
                    self.expired.fetch_add(times, AcqRel);
                    return true;
                }
                Err(found) => due = found,
            }
        }
        false
    }

    fn set(&self, first: Instant, period: Option<Duration>) {
        self.due.swap(u64::MAX, AcqRel);
        let period = period.map_or(0, |span| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
        self.period.swap(period, AcqRel);
        self.expired.swap(0, AcqRel);
        self.due.swap(first.as_nanos().min(u64::MAX - 1), AcqRel);
    }

    fn take_expired(&self) -> u64 {
        self.expired.swap(0, AcqRel)
    }
}

/// A timer of a local system.
///
/// ```
/// use backend_local::Local;
/// use res_api::{Backend, Deadline, Timer};
///
/// let system = Local::new()?;
/// let timer = system.timer(system.now(), None)?;
/// assert_eq!(timer.wait(Deadline::NEVER)?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Timer<K: Kernel>(Blockpoint<K>);

impl<K: Kernel> fmt::Debug for Timer<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timer").field(&self.0.0.timing.due()).finish()
    }
}

impl<K: Kernel> Timer<K> {
    pub(crate) fn new(point: Blockpoint<K>, first: Instant, period: Option<Duration>) -> Self {
        point.0.timing.set(first, period);
        Self(point)
    }

    fn rearm(&self) {
        match self.0.0.watcher() {
            Some(watch) => watch.rearm(),
            // Somebody may wait on the timer itself.
            None => drop(self.0.0.trigger(res_api::Wake::All)),
        }
    }
}

impl<K: Kernel> res_api::Timer for Timer<K> {
    fn set(&self, first: Instant, period: Option<Duration>) {
        self.0.0.timing.set(first, period);
        self.rearm();
    }

    fn cancel(&self) {
        self.0.0.timing.set(Instant::from_nanos(u64::MAX - 1), None);
        self.rearm();
    }

    fn expirations(&self) -> u64 {
        use res_api::Blockpoint as _;
        let seen = self.0.snapshot();
        self.0.0.timing.fire(self.0.now());
        let times = self.0.0.timing.take_expired();
        self.0.idle(seen, None);
        times
    }

    fn wait(&self, deadline: Deadline) -> Result<u64, WaitError> {
        use res_api::Blockpoint as _;
        loop {
            let due = self.0.0.timing.due();
            let look = || match self.expirations() {
                0 if self.0.0.timing.due() == due => None,
                times => Some(times),
            };
            match self.0.wait_until(deadline.min(due), look) {
                // Set anew meanwhile, or due now: wait by the time that holds now.
                Ok(0) => {}
                Err(WaitError::TimedOut) if !deadline.passed(self.0.now()) => {}
                result => return result,
            }
        }
    }
}

impl<K: Kernel> Source<Blockpoint<K>> for Timer<K> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Timer
    }

    fn blockpoint(&self) -> &Blockpoint<K> {
        &self.0
    }

    fn ready(&self) -> bool {
        let timing = &self.0.0.timing;
        timing.due().passed(self.0.0.now()) || self.0.0.event().told(Side::Waiters).is_some()
    }
}
