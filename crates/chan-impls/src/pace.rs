//! How often an end notifies the other (R19, R30), and how long one sleeps at most.

use res_api::{AnyCap, Blockpoint, Deadline, Gone, Notify, Side, WaitError, Wake};
use res_sync::{Budget, Rate};

/// A [`Notify`] policy at work: the budgets of one end. What the policy is, its capability says.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Whether it is [`Notify::OnReady`]: kept here for the path that is taken each time.
    on_ready: bool,
    /// How often it may still notify the other.
    notifies: Budget,
    /// How often the other may still wake this one, whatever that one thinks of it (H12).
    wakes: Budget,
}

impl Pace {
    pub(crate) fn new(notify: Notify) -> Self {
        let on_ready = matches!(notify, Notify::OnReady);
        Self { on_ready, notifies: Budget::new(), wakes: Budget::new() }
    }

    /// Notifies the other side of a change, as far as the policy allows; what signallers were told.
    #[inline(always)]
    pub(crate) fn notify<P: Blockpoint>(&mut self, at: &P, of: &impl AnyCap) -> Option<Gone> {
        if self.on_ready {
            return at.trigger(Wake::All);
        }
        self.notify_seldom(at, of.desc().notify)
    }

    #[cold]
    fn notify_seldom<P: Blockpoint>(&mut self, at: &P, policy: Notify) -> Option<Gone> {
        let due = match policy {
            Notify::OnReady => true,
            Notify::Never { .. } => false,
            Notify::Limited { events, period, .. } => {
                at.armed() && self.notifies.allows(at.now(), Rate { events, period })
            }
        };
        if due { at.trigger(Wake::All) } else { at.told(Side::Signallers) }
    }

    /// Sleeps until `look` finds something, the deadline, or the other side is gone.
    pub(crate) fn sleep_until<P: Blockpoint, R>(
        &mut self,
        at: &P,
        of: &impl AnyCap,
        deadline: Deadline,
        look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        if self.on_ready {
            return at.sleep_until(deadline, look);
        }
        self.sleep_and_poll(at, of.desc().notify, deadline, look)
    }

    /// The same, looking that often. (By itself, for what it needs of the stack.)
    #[inline(never)]
    fn sleep_and_poll<P: Blockpoint, R>(
        &mut self,
        at: &P,
        policy: Notify,
        deadline: Deadline,
        mut look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        // One at least: being told that the other is gone wakes at once.
        let (wakes, poll) = match policy {
            Notify::OnReady => return at.sleep_until(deadline, look),
            Notify::Never { poll } => (Rate { events: 1, period: poll }, poll),
            Notify::Limited { events, period, poll } => {
                (Rate { events: events.max(1), period }, poll)
            }
        };
        loop {
            let now = at.now();
            let used_up = self.wakes.used_up(now, wakes);
            let until = used_up.map_or(now + poll, |until| until.min(now + poll));
            let until = deadline.min(Deadline::at(until));
            let found = match used_up {
                None => self.listen(at, wakes, until, &mut look),
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
        wakes: Rate,
        until: Deadline,
        look: &mut impl FnMut() -> Option<R>,
    ) -> Result<Option<R>, WaitError> {
        let (mut slept, mut used_up) = (false, false);
        at.sleep_until(until, || {
            if core::mem::replace(&mut slept, true) {
                let now = at.now();
                let told = at.told(Side::Waiters).is_some();
                used_up = !told && !until.passed(now) && self.wakes.spend(now, wakes).is_some();
            }
            let found = look();
            (found.is_some() || used_up).then_some(found)
        })
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
