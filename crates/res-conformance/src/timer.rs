//! Timers.

use core::time::Duration;

use res_api::{
    Backend, Deadline, ErrorKind, EvtGrp, Source, SourceKind, Timer, Trigger, WaitError, kind_of,
};

use crate::stage::stage;
use crate::{Failure, Harness};

const TICK: Duration = Duration::from_millis(1);
/// Far enough that it does not come.
const FAR: Duration = Duration::from_secs(100_000);

/// R7: a timer expires once at its time, not before, and is then quiet.
pub fn r7_a_timer_expires_once_and_not_before<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let due = s.after(TICK);
    let timer = s.timer(due, None)?;
    check_eq!(timer.wait(s.soon()), Ok(1), "expirations");
    check!(s.now() >= due, "expired before its time");
    check_eq!(timer.expirations(), 0, "expirations since");
    check_eq!(timer.wait(Deadline::PASSED), Err(WaitError::TimedOut), "then");
    Ok(())
}

/// R7: a timer that is due already reports at once; one that is not, not at all.
pub fn r7_a_timer_of_the_past_and_one_of_the_future<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let past = s.timer(s.now(), None)?;
    check_eq!(past.wait(Deadline::PASSED), Ok(1), "a timer of the past");
    let future = s.timer(s.after(FAR), None)?;
    check_eq!((future.expirations(), future.ready()), (0, false), "a timer of the future");
    check_eq!(future.wait(Deadline::PASSED), Err(WaitError::TimedOut), "waiting for it");
    check_eq!(future.wait(s.within(TICK)), Err(WaitError::TimedOut), "waiting for it a little");
    Ok(())
}

/// R7: a periodic timer expires again and again, and counts what was missed.
pub fn r7_a_periodic_timer_counts<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let first = s.after(TICK);
    let timer = s.timer(first, Some(TICK))?;
    let mut times = 0;
    while times < 5 {
        let more = timer.wait(s.soon())?;
        check!(more > 0, "a wait that reports nothing");
        times += more;
        let passed = (s.now() - first).as_nanos() / TICK.as_nanos() + 1;
        check!(u128::from(times) <= passed, "{times} expirations after {passed} periods");
    }
    Ok(())
}

/// R7: setting a timer anew forgets what has expired; cancelling stops it.
pub fn r7_set_anew_and_cancelled<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let timer = s.timer(s.now(), None)?;
    timer.set(s.after(FAR), None);
    check_eq!(timer.expirations(), 0, "after it was set anew");
    timer.set(s.now(), Some(FAR));
    check_eq!(timer.wait(s.soon()), Ok(1), "set to now");
    timer.set(s.now(), None);
    timer.cancel();
    check_eq!(timer.expirations(), 0, "after it was cancelled");
    check_eq!(timer.wait(s.within(TICK)), Err(WaitError::TimedOut), "waiting for a cancelled one");
    timer.set(s.now(), None);
    check_eq!(timer.wait(s.soon()), Ok(1), "set again after it was cancelled");
    Ok(())
}

/// R7: a period of 0 is refused.
pub fn r7_a_period_of_zero_is_refused<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let refused = s.timer(s.now(), Some(Duration::ZERO)).err();
    check_eq!(refused.map(|e| kind_of(&e)), Some(ErrorKind::Invalid), "a period of 0");
    Ok(())
}

/// R7: whoever waits for a timer learns that it is set to an earlier time.
pub fn r7_a_waiter_follows_a_timer_set_earlier<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let timer = s.timer(s.after(FAR), None)?;
    let group = s.evtgrp(1)?;
    let _registered = group.add(&timer, Trigger::Edge, 1)?;
    let inner = s.clone();
    let thread = s.spawn(move || {
        timer.set(inner.now(), None);
        Ok(())
    })?;
    let by = s.soon();
    check_eq!(group.wait(by)?.kind, SourceKind::Timer, "the event");
    s.before(by, "the earlier time")?;
    s.join(&thread)
}

/// R7: sleeping lasts until its time, not less; sleeping until the past does not sleep.
pub fn r7_sleep_lasts_until_then<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let until = s.after(TICK);
    s.sleep(until);
    check!(s.now() >= until, "it woke too early");
    s.sleep(until);
    let (first, second) = (s.now(), s.now());
    check!(second >= first, "time goes backwards");
    Ok(())
}
