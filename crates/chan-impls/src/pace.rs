//! How often an end notifies the other (R19, R30), and how long one sleeps at most.

use core::time::Duration;

use res_api::{Blockpoint, Deadline, Gone, Instant, Notify, Side, Wake};

/// A [`Notify`] policy at work: the budget of one end.
#[derive(Debug)]
pub(crate) struct Pace {
    notify: Notify,
    window: Instant,
    used: u32,
}

impl Pace {
    pub(crate) fn new(notify: Notify) -> Self {
        Self { notify, window: Instant::from_nanos(0), used: 0 }
    }

    /// Notifies the other side of a change, as far as the policy allows; what signallers were told.
    #[inline(always)]
    pub(crate) fn notify<P: Blockpoint>(&mut self, at: &P) -> Option<Gone> {
        if matches!(self.notify, Notify::OnReady) {
            return at.trigger(Wake::All);
        }
        self.notify_seldom(at)
    }

    #[cold]
    fn notify_seldom<P: Blockpoint>(&mut self, at: &P) -> Option<Gone> {
        let due = match self.notify {
            Notify::OnReady => true,
            Notify::Never { .. } => false,
            Notify::Limited { events, period, .. } => {
                at.armed() && self.allows(at.now(), events, period)
            }
        };
        if due { at.trigger(Wake::All) } else { at.told(Side::Signallers) }
    }

    /// Whether one more notification fits the budget; if so it is spent.
    fn allows(&mut self, now: Instant, events: u32, period: Duration) -> bool {
        if now >= self.window + period || self.window == Instant::from_nanos(0) {
            self.window = now;
            self.used = 0;
        }
        let allowed = self.used < events;
        self.used += u32::from(allowed);
        allowed
    }

    /// Until when to sleep before looking again.
    pub(crate) fn nap<P: Blockpoint>(&self, at: &P, deadline: Deadline) -> Deadline {
        match self.notify {
            Notify::OnReady => deadline,
            Notify::Never { poll } | Notify::Limited { poll, .. } => {
                deadline.min(Deadline::at(at.now() + poll))
            }
        }
    }

    pub(crate) fn policy(&self) -> Notify {
        self.notify
    }
}
