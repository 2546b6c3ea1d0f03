//! How often an end notifies the other (R19, R30), and how long one sleeps at most.

use core::time::Duration;

use res_api::{Blockpoint, Deadline, Gone, Notify, Side, WaitError, Wake};
use res_sync::Budget;

/// A [`Notify`] policy at work: the budgets of one end.
#[derive(Debug)]
pub(crate) struct Pace {
    notify: Notify,
    /// How often it may still notify the other.
    notifies: Budget,
    /// How often the other may still wake this one, whatever that one thinks of it (H12).
    wakes: Budget,
}

impl Pace {
    pub(crate) fn new(notify: Notify) -> Self {
        let (events, period) = match notify {
            Notify::OnReady => (u32::MAX, Duration::ZERO),
            Notify::Never { poll } => (0, poll),
            Notify::Limited { events, period, .. } => (events, period),
        };
        let notifies = Budget::new(events, period);
        // One at least: being told that the other is gone wakes at once.
        let wakes = Budget::new(events.max(1), period);
        Self { notify, notifies, wakes }
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
            Notify::Limited { .. } => at.armed() && self.notifies.allows(at.now()),
        };
        if due { at.trigger(Wake::All) } else { at.told(Side::Signallers) }
    }

    /// Sleeps until `look` finds something, the deadline, or the other side is gone.
    pub(crate) fn sleep_until<P: Blockpoint, R>(
        &mut self,
        at: &P,
        deadline: Deadline,
        mut look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        let poll = match self.notify {
            Notify::OnReady => return at.sleep_until(deadline, look),
            Notify::Never { poll } | Notify::Limited { poll, .. } => poll,
        };
        loop {
            let now = at.now();
            let used_up = self.wakes.used_up(now);
            let until = used_up.map_or(now + poll, |until| until.min(now + poll));
            let until = deadline.min(Deadline::at(until));
            let found = match used_up {
                None => self.listen(at, until, &mut look),
                Some(_) => poll_at(at, until, &mut look),
            };
            match found {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                Err(WaitError::TimedOut) if until < deadline => {}
                Err(why) => return Err(why),
            }
        }
    }

    /// Sleeps until then, or until the other has woken it so often that it may no more: `None`.
    fn listen<P: Blockpoint, R>(
        &mut self,
        at: &P,
        until: Deadline,
        look: &mut impl FnMut() -> Option<R>,
    ) -> Result<Option<R>, WaitError> {
        let (mut slept, mut used_up) = (false, false);
        at.sleep_until(until, || {
            if core::mem::replace(&mut slept, true) {
                let now = at.now();
                let told = at.told(Side::Waiters).is_some();
                used_up = !told && !until.passed(now) && self.wakes.spend(now).is_some();
            }
            let found = look();
            (found.is_some() || used_up).then_some(found)
        })
    }

    pub(crate) fn policy(&self) -> Notify {
        self.notify
    }
}

/// Sleeps until then, whatever the other does, and looks.
fn poll_at<P: Blockpoint, R>(
    at: &P,
    until: Deadline,
    look: &mut impl FnMut() -> Option<R>,
) -> Result<Option<R>, WaitError> {
    at.nap(until);
    // Before the look: what was sent before the other side went is found.
    let gone = at.told(Side::Waiters);
    look().map(Some).ok_or(gone.map_or(WaitError::TimedOut, WaitError::Gone))
}
