//! Blockpoints (R8-R11).

use core::cell::Cell;

use res_api::{Backend, Blockpoint, Deadline, Gone, Side, Source, SourceKind, WaitError, Wake};

use crate::stage::{Stage, Words, stage};
use crate::{Failure, Harness};

/// R8: a trigger between checkpoint and wait is not lost, whichever way it wakes.
pub fn r8_a_trigger_after_the_checkpoint_is_seen<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let point = s.blockpoint()?;
    for wake in [Wake::All, Wake::One, Wake::All] {
        let checkpoint = point.checkpoint();
        check_eq!(point.trigger(wake), None, "what signallers are told");
        let by = s.soon();
        check_eq!(checkpoint.wait(by), Ok(()), "the wait after {wake:?}");
        s.before(by, "the trigger")?;
    }
    Ok(())
}

/// R8: without a trigger the wait goes on to its deadline; an old trigger does not end it.
pub fn r8_an_old_trigger_ends_no_wait<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let point = s.blockpoint()?;
    point.trigger(Wake::All);
    let timed_out = Err(WaitError::TimedOut);
    check_eq!(point.checkpoint().wait(Deadline::PASSED), timed_out, "nothing since");
    let by = s.within(core::time::Duration::from_millis(1));
    check_eq!(point.checkpoint().wait(by), timed_out, "nothing since");
    check!(by.passed(s.now()), "the wait gave up before the deadline");
    Ok(())
}

/// R8: one trigger is seen by every checkpoint that was taken before it.
pub fn r8_a_trigger_reaches_every_checkpoint<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let point = s.blockpoint()?;
    let (first, second) = (point.checkpoint(), point.checkpoint());
    point.trigger(Wake::All);
    let third = point.checkpoint();
    check_eq!(first.wait(s.soon()), Ok(()), "the first");
    check_eq!(second.wait(s.soon()), Ok(()), "the second");
    check_eq!(third.wait(Deadline::PASSED), Err(WaitError::TimedOut), "the third, too late");
    Ok(())
}

/// H2: `wait_until` looks again after it has armed: what comes between the first look and the
/// arming is found, and not only at the deadline.
pub fn h2_it_looks_again_after_arming<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let point = s.blockpoint()?;
    let (looks, ready) = (Cell::new(0), Cell::new(false));
    let by = s.soon();
    let found = point.wait_until(by, || {
        looks.set(looks.get() + 1);
        if ready.get() {
            return Some(7);
        }
        // Behind the look, and before the waiter has armed, the data changes.
        if !point.armed() {
            ready.set(true);
            point.trigger(Wake::All);
        }
        None
    });
    check_eq!(found, Ok(7), "after {} looks", looks.get());
    s.before(by, "the change")
}

/// R14: `wait_until` with a passed deadline looks, and does not wait.
pub fn r14_wait_until_a_passed_deadline_looks<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let point = s.blockpoint()?;
    check_eq!(point.wait_until(Deadline::PASSED, || Some(3)), Ok(3), "something there");
    let nothing = point.wait_until(Deadline::PASSED, || None::<()>);
    check_eq!(nothing, Err(WaitError::TimedOut), "nothing there");
    Ok(())
}

/// R9: armed says whether a trigger would reach somebody; a trigger disarms.
pub fn r9_armed_says_who_subscribed<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let point = s.blockpoint()?;
    check!(!point.armed(), "a new blockpoint is armed");
    let checkpoint = point.checkpoint();
    check!(point.armed(), "a checkpoint does not arm");
    point.trigger(Wake::All);
    check!(!point.armed(), "a trigger for all leaves it armed");
    Ok(checkpoint.wait(s.soon())?)
}

/// R18: who is told that the other side is gone stops waiting, now and later; each side is told
/// its own, and the stronger reason stays.
pub fn r18_telling_ends_waits_and_stays<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let point = s.blockpoint()?;
    let checkpoint = point.checkpoint();
    point.tell(Side::Waiters, Gone::PeerGone);
    let gone = Err(WaitError::Gone(Gone::PeerGone));
    check_eq!(checkpoint.wait(s.soon()), gone, "the waiter");
    check_eq!(point.checkpoint().wait(s.soon()), gone, "a later waiter");
    check_eq!(point.wait_until(s.soon(), || None::<()>), gone, "wait_until");
    check_eq!(point.wait_until(s.soon(), || Some(1)), Ok(1), "the last look");
    check_eq!(point.trigger(Wake::All), None, "signallers are told nothing");
    point.tell(Side::Waiters, Gone::Closed);
    check_eq!(point.told(Side::Waiters), Some(Gone::PeerGone), "the stronger reason");
    point.tell(Side::Signallers, Gone::Closed);
    check_eq!(point.trigger(Wake::All), Some(Gone::Closed), "signallers");
    point.tell(Side::Signallers, Gone::Revoked);
    check_eq!(point.trigger(Wake::One), Some(Gone::Revoked), "signallers, the stronger reason");
    Ok(())
}

/// R8: a clone is the same blockpoint.
pub fn r8_a_clone_is_the_same<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let point = s.blockpoint()?;
    let clone = point.clone();
    let checkpoint = point.checkpoint();
    clone.trigger(Wake::All);
    check_eq!(checkpoint.wait(s.soon()), Ok(()), "triggered through the clone");
    drop(point);
    clone.tell(Side::Waiters, Gone::Closed);
    check_eq!(clone.told(Side::Waiters), Some(Gone::Closed), "the clone alone");
    Ok(())
}

/// Q1: a blockpoint is a source.
pub fn q1_a_blockpoint_is_a_source<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let point = s.blockpoint()?;
    check_eq!(point.source_kind(), SourceKind::Blockpoint, "kind");
    check!(!point.ready(), "a new blockpoint is ready");
    point.tell(Side::Waiters, Gone::Closed);
    check!(point.ready(), "a closed blockpoint is not ready");
    Ok(())
}

/// Waits, one way or the other, until the word is `value`.
fn await_word<B: Backend>(
    s: &Stage<B>,
    point: &B::Blockpoint,
    words: &Words<B>,
    value: u64,
) -> Result<(), Failure> {
    let look = || (words.get(0) == value).then_some(());
    if value.is_multiple_of(2) {
        return Ok(point.wait_until(s.soon(), look)?);
    }
    while look().is_none() {
        let checkpoint = point.checkpoint();
        if look().is_none() {
            checkpoint.wait(s.soon())?;
        }
    }
    Ok(())
}

/// R8: two threads in turn, each step a change and a trigger: no wake-up is lost.
pub fn r8_no_wakeup_is_lost<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (point, words, turns) = (s.blockpoint()?, Words::new(&*s)?, s.rounds(2_000));
    let (inner, theirs, counter) = (s.clone(), point.clone(), words.clone());
    let thread = s.spawn(move || {
        for turn in (1..turns).step_by(2) {
            await_word(&inner, &theirs, &counter, turn)?;
            counter.set(0, turn + 1);
            theirs.trigger(Wake::All);
        }
        Ok(())
    })?;
    for turn in (0..turns).step_by(2) {
        await_word(&s, &point, &words, turn)?;
        words.set(0, turn + 1);
        point.trigger(Wake::All);
    }
    s.join(&thread)
}

/// R8: several wait on one blockpoint; a trigger for all reaches each of them, in each round.
pub fn r8_all_waiters_are_reached<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (point, words, rounds) = (s.blockpoint()?, Words::new(&*s)?, s.rounds(200));
    let waiter = |_| {
        let (inner, point, words) = (s.clone(), point.clone(), words.clone());
        s.spawn(move || {
            for round in 1..=rounds {
                let look = || (words.get(0) >= round).then_some(());
                point.wait_until(inner.soon(), look)?;
                words.add(1, 1);
                point.trigger(Wake::All);
            }
            Ok(())
        })
    };
    let threads = [waiter(0)?, waiter(1)?];
    for round in 1..=rounds {
        words.set(0, round);
        point.trigger(Wake::All);
        point.wait_until(s.soon(), || (words.get(1) >= 2 * round).then_some(()))?;
    }
    threads.iter().try_for_each(|thread| s.join(thread))
}

/// H1: one of several is woken for each permit, whoever it is; no permit is left while somebody
/// sleeps, because who wakes takes one and a trigger that woke nobody is not forgotten.
pub fn h1_waking_one_of_several_loses_nothing<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (point, words, permits) = (s.blockpoint()?, Words::new(&*s)?, s.rounds(500));
    let taker = |_| {
        let (inner, point, words) = (s.clone(), point.clone(), words.clone());
        s.spawn(move || {
            for _ in 0..permits {
                point.wait_until(inner.soon(), || take(&words))?;
                words.add(1, 1);
            }
            Ok(())
        })
    };
    let threads = [taker(0)?, taker(1)?];
    for _ in 0..2 * permits {
        words.add(0, 1);
        point.trigger(Wake::One);
    }
    threads.iter().try_for_each(|thread| s.join(thread))?;
    check_eq!((words.get(0), words.get(1)), (0, 2 * permits), "permits (left, taken)");
    Ok(())
}

/// Takes a permit, if there is one.
fn take<B: Backend>(words: &Words<B>) -> Option<()> {
    words.take(0).then_some(())
}

/// R18: telling wakes those who sleep.
pub fn r18_telling_wakes_sleepers<H: Harness>(h: &H) -> Result<(), Failure> {
    for round in 0..H::rounds(20) {
        let s = stage(h);
        let point = s.blockpoint()?;
        let (inner, theirs) = (s.clone(), point.clone());
        let thread = s.spawn(move || {
            let told = theirs.wait_until(inner.soon(), || None::<()>);
            check_eq!(told, Err(WaitError::Gone(Gone::Closed)), "the sleeper");
            Ok(())
        })?;
        for _ in 0..round % 20 * 10 {
            s.yield_now();
        }
        point.tell(Side::Waiters, Gone::Closed);
        s.join(&thread)?;
    }
    Ok(())
}

/// H23: a snapshot shows what waiters were told, and `idle` repeats it.
pub fn h23_idle_answers_what_was_told<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let point = s.blockpoint()?;
    let before = point.snapshot();
    check_eq!(point.idle(before, None), None, "nothing told");
    point.tell(Side::Waiters, Gone::PeerGone);
    check_eq!(point.idle(before, None), None, "told only after the snapshot");
    check_eq!(point.idle(point.snapshot(), None), Some(Gone::PeerGone), "told before the snapshot");
    Ok(())
}
