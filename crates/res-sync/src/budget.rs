//! So much in a period, and no more (H12).

use core::time::Duration;

use crate::Instant;

/// So many events in each period. A period begins with the first event behind the one before.
///
/// ```
/// use core::time::Duration;
/// use res_sync::{Budget, Instant};
///
/// let (mut budget, at) = (Budget::new(2, Duration::from_nanos(10)), Instant::from_nanos);
/// assert!(budget.allows(at(5)) && budget.allows(at(14)));
/// assert!(!budget.allows(at(14)));
/// assert_eq!(budget.used_up(at(14)), Some(at(15)));
/// assert_eq!(budget.used_up(at(15)), None);
/// assert!(budget.allows(at(15)) && budget.allows(at(16)) && !budget.allows(at(17)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    events: u32,
    used: u32,
    period: Duration,
    /// When the period ends.
    ends: Instant,
}

impl Budget {
    /// How often a peer may wake somebody who then finds nothing: more rarely than is noticed, more
    /// often than peers do that keep to the rules. Over it, its word is slept on no more until the
    /// period ends.
    pub const VAIN: Self = Self::new(64, Duration::from_millis(10));

    /// So many in each such period.
    pub const fn new(events: u32, period: Duration) -> Self {
        Self { events, used: 0, period, ends: Instant::from_nanos(0) }
    }

    /// Whether one more fits; if so it is spent.
    pub fn allows(&mut self, now: Instant) -> bool {
        if now >= self.ends {
            self.ends = now + self.period;
            self.used = 0;
        }
        let allowed = self.used < self.events;
        self.used += u32::from(allowed);
        allowed
    }

    /// Until when none fits any more; none if one does.
    ///
    /// ```
    /// # use res_sync::{Budget, Instant};
    /// let nothing = Budget::new(0, core::time::Duration::from_nanos(10));
    /// assert_eq!(nothing.used_up(Instant::from_nanos(5)), Some(Instant::from_nanos(u64::MAX)));
    /// ```
    pub fn used_up(&self, now: Instant) -> Option<Instant> {
        match self.events {
            0 => Some(Instant::from_nanos(u64::MAX)),
            most => (now < self.ends && self.used >= most).then_some(self.ends),
        }
    }

    /// Spends one, which has happened already; until when the next one would be too many.
    ///
    /// ```
    /// # use res_sync::{Budget, Instant};
    /// let mut one = Budget::new(1, core::time::Duration::from_nanos(10));
    /// assert_eq!(one.spend(Instant::from_nanos(5)), Some(Instant::from_nanos(15)));
    /// ```
    pub fn spend(&mut self, now: Instant) -> Option<Instant> {
        let _ = self.allows(now);
        self.used_up(now)
    }
}
