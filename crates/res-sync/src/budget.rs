//! So much in a period, and no more (H12).

use core::time::Duration;

use crate::Instant;

/// So many events in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub events: u32,
    /// In how long.
    pub period: Duration,
}

impl Rate {
    /// How often a peer may wake somebody who then finds nothing: more rarely than is noticed, more
    /// often than peers do that keep to the rules. Over it, its word is slept on no more until the
    /// period ends.
    pub const VAIN: Self = Self { events: 64, period: Duration::from_millis(10) };
}

/// What has been spent of a rate. A period begins with the first event behind the one before.
///
/// ```
/// use core::time::Duration;
/// use res_sync::{Budget, Instant, Rate};
///
/// let rate = Rate { events: 2, period: Duration::from_nanos(10) };
/// let (mut budget, at) = (Budget::new(), Instant::from_nanos);
/// assert!(budget.allows(at(5), rate) && budget.allows(at(14), rate));
/// assert!(!budget.allows(at(14), rate));
/// assert_eq!(budget.used_up(at(14), rate), Some(at(15)));
/// assert_eq!(budget.used_up(at(15), rate), None);
/// assert!(budget.allows(at(15), rate) && budget.allows(at(16), rate));
/// assert!(!budget.allows(at(17), rate));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    used: u32,
    /// When the period ends.
    ends: Instant,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

impl Budget {
    /// Nothing has been spent.
    pub const fn new() -> Self {
        Self { used: 0, ends: Instant::from_nanos(0) }
    }

    /// Whether one more fits; if so it is spent.
    pub fn allows(&mut self, now: Instant, rate: Rate) -> bool {
        if now >= self.ends {
            *self = Self { used: 0, ends: now + rate.period };
        }
        let allowed = self.used < rate.events;
        self.used += u32::from(allowed);
        allowed
    }

    /// Until when none fits any more; none if one does.
    pub fn used_up(&self, now: Instant, rate: Rate) -> Option<Instant> {
        (now < self.ends && self.used >= rate.events).then_some(self.ends)
    }

    /// Spends one, which has happened already; until when the next one would be too many.
    ///
    /// ```
    /// # use res_sync::{Budget, Instant, Rate};
    /// let one = Rate { events: 1, period: core::time::Duration::from_nanos(10) };
    /// let spent = Budget::new().spend(Instant::from_nanos(5), one);
    /// assert_eq!(spent, Some(Instant::from_nanos(15)));
    /// ```
    pub fn spend(&mut self, now: Instant, rate: Rate) -> Option<Instant> {
        let _ = self.allows(now, rate);
        self.used_up(now, rate)
    }
}
