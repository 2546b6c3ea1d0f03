//! Parking at blockpoints of the scheduler.

use core::sync::atomic::AtomicU64;
use core::time::Duration;

use res_api::Fault;
use res_kernel::{Composite, Kernel};
use res_sync::{Barrier, Deadline, Event, Park, Parked, WaitError, Wake};

use super::beside::started;
use super::ground::Ground;
use super::{LONG, within};
use crate::report::check;

/// Two threads take turns.
pub(super) fn wakes(machine: Composite) -> Result<(), Fault> {
    let ground = Ground::new(machine)?;
    let mut body = || {
        for round in 1..=500 {
            ground.await_at_least(round, Deadline::NEVER).ok();
            ground.answer();
        }
    };
    let _other = started(machine, &mut body)?;
    for round in 1..=500 {
        ground.post(Wake::One);
        check!(ground.await_answers(round, within(machine, LONG)));
    }
    Ok(())
}

/// One wake, and all that sleep are awake.
pub(super) fn wakes_all(machine: Composite) -> Result<(), Fault> {
    let ground = Ground::new(machine)?;
    let body = || {
        ground.await_at_least(1, Deadline::NEVER).ok();
        ground.answer();
    };
    let [mut one, mut two, mut three] = [body; 3];
    let _others =
        [started(machine, &mut one)?, started(machine, &mut two)?, started(machine, &mut three)?];
    machine.yield_to(None);
    check!(ground.answers() == 0);
    ground.post(Wake::One);
    check!(ground.await_answers(3, within(machine, LONG)));
    Ok(())
}

/// A place that was used before begins behind its last epoch, and wakes (H4).
pub(super) fn keeps_its_epoch(machine: Composite) -> Result<(), Fault> {
    for _ in 0..3 {
        let before = {
            let point = machine.point()?;
            machine.first_word(&point)
        };
        // The pool gives the same places again.
        wakes(machine)?;
        let points = [machine.point()?, machine.point()?];
        check!(points.iter().any(|point| machine.first_word(point) >= before + (400 << 8)));
    }
    Ok(())
}

/// Nobody triggers.
pub(super) fn deadline(machine: Composite) -> Result<(), Fault> {
    let ground = Ground::new(machine)?;
    for span in [0, 1, 5_000, 25_000].map(Duration::from_micros) {
        let start = machine.now();
        let waited = ground.await_at_least(1, Deadline::at(start + span));
        let passed = machine.now() - start;
        check!(waited == Err(WaitError::TimedOut));
        check!(passed >= span);
        check!(passed < span + Duration::from_millis(500));
    }
    Ok(())
}

/// A wait with a deadline ends by a trigger before it, and the place is as good as new after one
/// that passed, with another epoch and in another life.
pub(super) fn after_a_deadline(machine: Composite) -> Result<(), Fault> {
    for _ in 0..3 {
        let point = machine.point()?;
        // The epoch has moved a hundred times, of which the scheduler was told nothing.
        let word = AtomicU64::new(machine.first_word(&point) + (100 << 8));
        let event = Event { park: &machine, point: &point, word: &word, barrier: Barrier::Fence };
        let soon = within(machine, Duration::from_millis(1));
        check!(event.wait_until(soon, || None::<()>) == Err(WaitError::TimedOut));
        // Word and epoch are what they were, so it sleeps again.
        let again = within(machine, Duration::from_millis(1));
        let armed = event.checkpoint();
        check!(event.wait(armed, again) == Err(WaitError::TimedOut));
        drop(point);

        let ground = Ground::new(machine)?;
        let mut body = || {
            ground.await_at_least(1, within(machine, LONG)).ok();
            ground.answer();
        };
        let _other = started(machine, &mut body)?;
        machine.yield_to(None);
        let start = machine.now();
        ground.post(Wake::All);
        check!(ground.await_answers(1, within(machine, LONG)));
        check!(machine.now() - start < Duration::from_secs(1));
    }
    // A word that has moved.
    let point = machine.point()?;
    let word = AtomicU64::new(machine.first_word(&point));
    let (seen, moved) = (machine.first_word(&point), machine.first_word(&point) + (1 << 8));
    check!(machine.unpark(&point, &word, moved, Wake::All).is_none());
    check!(machine.park(&point, &word, seen, Deadline::NEVER) == Parked::Awake);
    Ok(())
}
