//! Points in time, and when to give up.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A point on the monotonic clock of a backend, in nanoseconds since an origin that all
/// components of one system share.
///
/// ```
/// use core::time::Duration;
/// use res_sync::Instant;
///
/// let start = Instant::from_nanos(1_000);
/// assert_eq!((start + Duration::from_micros(2)) - start, Duration::from_micros(2));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The point `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({} ns)", self.0)
    }
}

/// Saturates at the end of time (584 years after the origin).
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Zero where `earlier` is not earlier.
impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// When a wait gives up: at an [`Instant`], or [never](Deadline::NEVER).
///
/// Deadlines are absolute, so a retried wait does not start its time anew.
///
/// ```
/// use res_sync::{Deadline, Instant};
///
/// assert!(Deadline::at(Instant::from_nanos(5)) < Deadline::NEVER);
/// assert!(Deadline::PASSED.passed(Instant::from_nanos(0)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(u64);

impl Deadline {
    /// Waits without end. (The peer's leaving, stopping and revocation still end the wait.)
    pub const NEVER: Self = Self(u64::MAX);
    /// Has passed already: looks, and does not wait.
    pub const PASSED: Self = Self(0);

    /// At that point in time.
    pub const fn at(instant: Instant) -> Self {
        Self(instant.0)
    }

    /// The point in time, or `None` for [`NEVER`](Self::NEVER).
    pub const fn instant(self) -> Option<Instant> {
        match self.0 {
            u64::MAX => None,
            nanos => Some(Instant(nanos)),
        }
    }

    /// Whether it has passed at `now`.
    pub const fn passed(self, now: Instant) -> bool {
        self.0 != u64::MAX && self.0 <= now.0
    }
}

impl From<Instant> for Deadline {
    fn from(instant: Instant) -> Self {
        Self::at(instant)
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.instant() {
            Some(at) => write!(f, "Deadline({} ns)", at.0),
            None => f.write_str("Deadline(never)"),
        }
    }
}
