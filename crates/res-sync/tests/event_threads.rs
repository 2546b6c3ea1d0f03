//! Proves with real threads that the waits of [`Event`] end when they have to: by a trigger, by a
//! telling, by their deadline and not before it; that the fast paths ask nothing of the machine;
//! and that no wake-up is lost where threads time out, wake one and wake all in a crowd.

#[path = "common/machine.rs"]
mod machine;

use std::cell::Cell;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::thread;
use std::time::Duration;

use machine::{Machine, ends, rounds};
use res_sync::{Barrier, Deadline, Event, Gone, Park, Side, Triggered, WaitError, Wake};

/// One move of the epoch, as the documentation of `res_sync::event` has it.
const EPOCH_ONE: u64 = 1 << 8;

/// A word, its machine, and what is waited for.
struct Ground {
    machine: Machine,
    word: AtomicU64,
    tokens: AtomicU32,
}

impl Ground {
    fn new(machine: Machine) -> Self {
        Self { machine, word: AtomicU64::new(0), tokens: AtomicU32::new(0) }
    }

    fn event(&self) -> Event<'_, Machine> {
        Event { park: &self.machine, point: &(), word: &self.word, barrier: Barrier::Fence }
    }

    fn post(&self, wake: Wake) -> Triggered {
        self.tokens.fetch_add(1, Release);
        self.event().trigger(wake)
    }

    /// Takes a token, if there is one.
    fn take(&self) -> Option<()> {
        self.tokens.fetch_update(AcqRel, Acquire, |there| there.checked_sub(1)).ok().map(drop)
    }

    fn take_until(&self, deadline: Deadline) -> Result<(), WaitError> {
        self.event().wait_until(deadline, || self.take())
    }
}

fn ground() -> Ground {
    Ground::new(Machine::new())
}

// ---- Fast paths ----

#[test]
fn a_look_that_succeeds_at_once_asks_nothing_of_the_machine() {
    let ground = ground();
    assert_eq!(ground.event().wait_until(Deadline::PASSED, || Some(7)), Ok(7));
    assert_eq!(ground.word.load(Relaxed), 0, "it has not armed");
    assert_eq!(ground.machine.calls(), 0);
}

/// What it has been told stays, and its epoch goes forward only.
#[test]
fn a_word_that_goes_on_elsewhere_begins_behind_what_was_there() {
    let ground = ground();
    ground.event().tell(Side::Waiters, Gone::Closed);
    let told = ground.word.load(Relaxed);
    ground.event().begin_at(told & !(EPOCH_ONE - 1));
    assert_eq!(ground.word.load(Relaxed), told, "it is not behind that");
    ground.event().begin_at(told + 7 * EPOCH_ONE);
    assert_eq!(ground.word.load(Relaxed), told + 7 * EPOCH_ONE);
    ground.event().begin_at(0);
    assert_eq!(ground.word.load(Relaxed), told + 7 * EPOCH_ONE, "nor does it go back");
    assert_eq!(ground.event().told(Side::Waiters), Some(Gone::Closed));
}

#[test]
fn a_trigger_that_nobody_waits_for_asks_nothing_of_the_machine() {
    let ground = ground();
    assert_eq!(ground.post(Wake::All), Triggered { gone: None, watched: false });
    assert_eq!(ground.word.load(Relaxed), 0, "it has not moved the epoch");
    assert_eq!(ground.machine.calls(), 0);
}

#[test]
fn a_look_that_succeeds_while_spinning_asks_nothing_of_the_machine() {
    let ground = Ground::new(Machine::spinning(3));
    let looks = Cell::new(0);
    let look = || (looks.replace(looks.get() + 1) == 1).then_some(());
    assert_eq!(ground.event().wait_until(Deadline::PASSED, look), Ok(()));
    assert_eq!(ground.machine.calls(), 0);
}

// ---- Deadlines ----

#[test]
fn a_wait_ends_at_a_deadline_that_has_passed() {
    let ground = ground();
    assert_eq!(ground.take_until(Deadline::PASSED), Err(WaitError::TimedOut));
    assert_eq!(ground.machine.asleep(), 0);
}

#[test]
fn a_wait_does_not_end_before_its_deadline() {
    let ground = ground();
    let deadline = ground.machine.after(Duration::from_millis(5));
    assert_eq!(ground.take_until(deadline), Err(WaitError::TimedOut));
    assert!(deadline.passed(ground.machine.now()));
    assert_eq!(ground.machine.asleep(), 0);
}

/// The look behind the deadline is the last one: it comes after the wait and it counts.
#[test]
fn a_wait_looks_once_more_behind_its_deadline() {
    let ground = ground();
    let looks = Cell::new(0);
    let look = || (looks.replace(looks.get() + 1) == 2).then_some(());
    assert_eq!(ground.event().wait_until(Deadline::PASSED, look), Ok(()));
    assert_eq!(looks.get(), 3, "at once, armed, and behind the deadline");
}

/// Wake-ups that bring nothing do not start the time anew.
#[test]
fn idle_wake_ups_do_not_put_a_deadline_off() {
    let ground = ground();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Relaxed) {
                ground.event().trigger(Wake::All);
            }
        });
        let deadline = ground.machine.after(Duration::from_millis(5));
        let end = ground.take_until(deadline);
        stop.store(true, Relaxed);
        assert_eq!(end, Err(WaitError::TimedOut));
        assert!(deadline.passed(ground.machine.now()));
    });
}

// ---- Triggers ----

#[test]
fn a_trigger_between_arming_and_sleeping_ends_the_wait() {
    let ground = ground();
    let armed = ground.event().checkpoint();
    ground.event().trigger(Wake::One);
    assert_eq!(ground.event().wait(armed, Deadline::NEVER), Ok(()));
    assert_eq!(ground.machine.asleep(), 0);
}

#[test]
fn a_trigger_wakes_one_that_sleeps() {
    ends(|| {
        let ground = ground();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| ground.take_until(Deadline::NEVER));
            ground.machine.until_asleep(1);
            ground.post(Wake::All);
            assert_eq!(waiter.join().expect("it does not panic"), Ok(()));
        });
    });
}

/// One of two is woken, the other goes on sleeping until the next trigger.
#[test]
fn waking_one_wakes_one() {
    ends(|| {
        let ground = ground();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| ground.take_until(Deadline::NEVER).expect("nobody is told"));
            }
            ground.machine.until_asleep(2);
            ground.post(Wake::One);
            assert_eq!(ground.machine.asleep(), 1);
            ground.machine.until_asleep(1);
            ground.post(Wake::One);
        });
        assert_eq!(ground.tokens.load(Relaxed), 0);
    });
}

/// Who wakes one and finds nobody asleep moves the epoch again while it clears the bit (H1): then
/// the next trigger is cheap.
#[test]
fn waking_one_where_nobody_sleeps_disarms() {
    let ground = ground();
    ground.event().checkpoint();
    ground.event().trigger(Wake::One);
    assert!(!ground.event().armed());
    assert_eq!(ground.word.load(Relaxed), 2 * EPOCH_ONE, "moved twice, no flag set");
}

#[test]
fn waking_all_wakes_all() {
    ends(|| {
        let ground = ground();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| ground.take_until(Deadline::NEVER).expect("nobody is told"));
            }
            ground.machine.until_asleep(3);
            ground.tokens.store(3, Release);
            ground.event().trigger(Wake::All);
            assert_eq!(ground.machine.asleep(), 0);
        });
        assert_eq!(ground.tokens.load(Relaxed), 0);
    });
}

/// A peer that clears the bit without moving the epoch breaks the rule. Whoever parked on that
/// value would sleep for ever, so it counts as a wake-up.
#[test]
fn a_bit_that_a_peer_has_cleared_is_a_wake_up() {
    let ground = ground();
    let armed = ground.event().checkpoint();
    ground.word.store(0, Relaxed);
    assert_eq!(ground.event().wait(armed, Deadline::PASSED), Ok(()));
}

// ---- Tellings ----

#[test]
fn closing_wakes_one_that_sleeps() {
    ends(|| {
        let ground = ground();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| ground.take_until(Deadline::NEVER));
            ground.machine.until_asleep(1);
            ground.event().tell(Side::Waiters, Gone::Closed);
            let end = waiter.join().expect("it does not panic");
            assert_eq!(end, Err(WaitError::Gone(Gone::Closed)));
        });
    });
}

#[test]
fn what_was_sent_before_the_end_is_found_before_the_end() {
    let ground = ground();
    ground.post(Wake::All);
    ground.event().tell(Side::Waiters, Gone::PeerGone);
    assert_eq!(ground.take_until(Deadline::NEVER), Ok(()));
    assert_eq!(ground.take_until(Deadline::NEVER), Err(WaitError::Gone(Gone::PeerGone)));
}

/// Being told outweighs the deadline: it says more.
#[test]
fn the_reason_comes_before_the_deadline() {
    let ground = Ground::new(Machine::spinning(2));
    ground.event().tell(Side::Waiters, Gone::Revoked);
    assert_eq!(ground.take_until(Deadline::PASSED), Err(WaitError::Gone(Gone::Revoked)));
}

/// A telling moves the epoch too; the wait says that it was no trigger.
#[test]
fn a_wait_that_was_armed_before_the_end_says_why_it_ends() {
    let ground = ground();
    let armed = ground.event().checkpoint();
    ground.event().tell(Side::Waiters, Gone::PeerGone);
    let end = ground.event().wait(armed, Deadline::NEVER);
    assert_eq!(end, Err(WaitError::Gone(Gone::PeerGone)));
}

const REASONS: [Gone; 5] =
    [Gone::Closed, Gone::PeerGone, Gone::Misbehaved, Gone::PeerRevoked, Gone::Revoked];

#[test]
fn the_stronger_reason_stays_on_each_side_for_itself() {
    for side in [Side::Waiters, Side::Signallers] {
        for first in REASONS {
            for second in REASONS {
                let ground = ground();
                ground.event().tell(side, first);
                ground.event().tell(side, second);
                assert_eq!(ground.event().told(side), Some(first.max(second)));
                assert_eq!(ground.event().told(side.other()), None);
            }
        }
    }
}

#[test]
fn signallers_are_told_with_every_trigger() {
    let ground = ground();
    ground.event().tell(Side::Signallers, Gone::Closed);
    for _ in 0..2 {
        assert_eq!(ground.event().trigger(Wake::All).gone, Some(Gone::Closed));
    }
    ground.event().checkpoint();
    assert_eq!(ground.event().trigger(Wake::One).gone, Some(Gone::Closed));
    assert_eq!(ground.event().told(Side::Signallers), Some(Gone::Closed));
    assert_eq!(ground.event().snapshot().gone(), None);
}

#[test]
fn a_telling_moves_the_epoch_only_where_it_says_something_new() {
    let ground = ground();
    let before = ground.event().snapshot();
    ground.event().tell(Side::Waiters, Gone::Misbehaved);
    assert!(!ground.event().unmoved_since(before));
    let told = ground.event().snapshot();
    ground.event().tell(Side::Waiters, Gone::Closed);
    assert!(ground.event().unmoved_since(told));
}

// ---- Groups ----

#[test]
fn while_a_group_watches_every_trigger_moves_the_epoch_and_says_so() {
    let ground = ground();
    ground.event().watch(true);
    for _ in 0..2 {
        let seen = ground.event().snapshot();
        assert!(ground.post(Wake::All).watched);
        assert!(!ground.event().unmoved_since(seen));
    }
    ground.event().watch(false);
    let seen = ground.event().snapshot();
    assert!(!ground.post(Wake::All).watched);
    assert!(ground.event().unmoved_since(seen));
}

/// What a trigger would find: a waiter or a group, until the trigger that wakes it or its leave.
#[test]
fn a_word_is_armed_while_somebody_is_there() {
    let ground = ground();
    assert!(!ground.event().armed());
    ground.event().checkpoint();
    assert!(ground.event().armed());
    ground.event().trigger(Wake::All);
    assert!(!ground.event().armed());
    ground.event().watch(true);
    ground.event().trigger(Wake::All);
    assert!(ground.event().armed() && ground.event().snapshot().watched());
    ground.event().watch(false);
    assert!(!ground.event().armed() && !ground.event().snapshot().watched());
}

#[test]
fn a_telling_says_whether_a_group_has_to_be_notified() {
    let ground = ground();
    assert!(!ground.event().tell(Side::Waiters, Gone::Closed));
    ground.event().watch(true);
    assert!(ground.event().tell(Side::Waiters, Gone::Revoked));
    assert!(ground.event().tell(Side::Signallers, Gone::Closed));
    assert!(!ground.event().tell(Side::Signallers, Gone::Closed), "it has been told already");
}

/// A waiter and a group at one word do not get into each other's way.
#[test]
fn watching_and_waiting_go_together() {
    ends(|| {
        let ground = ground();
        ground.event().watch(true);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| ground.take_until(Deadline::NEVER));
            ground.machine.until_asleep(1);
            assert!(ground.post(Wake::All).watched);
            assert_eq!(waiter.join().expect("it does not panic"), Ok(()));
        });
        assert!(ground.event().trigger(Wake::All).watched, "it still watches");
    });
}

// ---- Crowds ----

/// Two threads hand one token to and fro. One lost wake-up and both sleep for ever.
fn play_ping_pong(machine: Machine) {
    let (ping, pong) = (Ground::new(machine.clone()), Ground::new(machine));
    let play = |from: &Ground, to: &Ground| {
        for _ in 0..rounds(50_000) {
            from.take_until(Deadline::NEVER).expect("nobody is told");
            to.post(Wake::All);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| play(&ping, &pong));
        ping.post(Wake::All);
        play(&pong, &ping);
    });
    assert_eq!(ping.tokens.load(Relaxed), 1, "the last one that came back");
    assert_eq!(pong.tokens.load(Relaxed), 0);
}

#[test]
fn ping_pong_asleep() {
    ends(|| play_ping_pong(Machine::new()));
}

#[test]
fn ping_pong_spinning() {
    ends(|| play_ping_pong(Machine::spinning(50)));
}

/// Takes one token; with a deadline that always passes soon, however often that takes.
fn take_one(ground: &Ground, patient: bool) {
    let next = || {
        if patient { Deadline::NEVER } else { ground.machine.after(Duration::from_micros(30)) }
    };
    while let Err(why) = ground.take_until(next()) {
        assert_eq!(why, WaitError::TimedOut);
        assert!(!patient, "its deadline never passes");
    }
}

/// Four take what two post, and each token wakes at most one or all. Half of the takers give up
/// all the time: none of them may leave with the wake-up that a patient one needs.
fn crowd(wake: Wake) {
    let ground = ground();
    let each = rounds(50_000);
    thread::scope(|scope| {
        for taker in 0..4 {
            let ground = &ground;
            scope.spawn(move || (0..each).for_each(|_| take_one(ground, taker % 2 == 0)));
        }
        for _ in 0..2 {
            scope.spawn(|| (0..2 * each).for_each(|_| post_quietly(&ground, wake)));
        }
    });
    assert_eq!(ground.tokens.load(Relaxed), 0);
    assert_eq!(ground.machine.asleep(), 0);
}

fn post_quietly(ground: &Ground, wake: Wake) {
    assert_eq!(ground.post(wake), Triggered { gone: None, watched: false });
}

#[test]
fn a_crowd_loses_no_wake_up_that_wakes_one() {
    ends(|| crowd(Wake::One));
}

#[test]
fn a_crowd_loses_no_wake_up_that_wakes_all() {
    ends(|| crowd(Wake::All));
}

// ---- The error ----

#[test]
fn the_error_says_why() {
    assert_eq!(WaitError::TimedOut.to_string(), "the deadline passed");
    assert_eq!(WaitError::Gone(Gone::Closed).to_string(), Gone::Closed.to_string());
    let error: &dyn std::error::Error = &WaitError::TimedOut;
    assert!(error.source().is_none());
}
