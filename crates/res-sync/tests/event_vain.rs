//! Proves, on a machine with a clock of its own, that who may wake a waiter as often as it likes, does
//! so no more than [`Rate::VAIN`] allows (H12): it moves the word, or wakes without that, or moves it
//! before anybody can sleep. What is there is found a period later at most, and deadlines hold.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use res_sync::model::Core;
use res_sync::{
    Barrier, Budget, Deadline, Event, Gone, Instant, Park, Parked, Rate, Side, WaitError, Wake,
};

const PERIOD: Duration = Duration::from_millis(10);
const MOST: u32 = 64;

/// What the peer does all the time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pest {
    /// Triggers, once somebody sleeps.
    Triggers,
    /// Wakes, and leaves the word as it is.
    Wakes,
    /// Triggers as soon as somebody has armed.
    Hammers,
}

const ALL: [Pest; 3] = [Pest::Triggers, Pest::Wakes, Pest::Hammers];

struct Shared {
    pest: Pest,
    word: AtomicU64,
    now: AtomicU64,
    /// Sleeps that did not listen.
    naps: AtomicU32,
}

/// One waiter and its peer; time passes by what they do.
#[derive(Clone)]
struct Machine(Arc<Shared>);

impl Machine {
    fn new(pest: Pest) -> Self {
        let (word, now) = (AtomicU64::new(0), AtomicU64::new(1));
        Self(Arc::new(Shared { pest, word, now, naps: AtomicU32::new(0) }))
    }

    fn event(&self) -> Event<'_, Self> {
        Event { park: self, point: &(), word: &self.0.word, barrier: Barrier::Fence }
    }

    fn pass(&self, time: Duration) {
        let before = self.0.now.fetch_add(time.as_nanos() as u64, Relaxed);
        assert!(before < 1_000_000_000, "it waits for ever");
    }

    fn is_after(&self, at: Instant) -> bool {
        self.0.now.load(Relaxed) >= at.as_nanos()
    }
}

impl Park for Machine {
    type Model = Core;
    type Point = ();

    fn now(&self) -> Instant {
        self.pass(Duration::from_nanos(100));
        Instant::from_nanos(self.0.now.load(Relaxed))
    }

    fn spin_limit(&self) -> u32 {
        0
    }

    fn current(&self) -> u32 {
        1
    }

    fn unwinding(&self) -> bool {
        false
    }

    fn park(&self, (): &(), word: &AtomicU64, seen: u64, deadline: Deadline) -> Parked {
        if !std::ptr::eq(word, &self.0.word) {
            let until = deadline.instant().expect("it is not for ever");
            self.0.naps.fetch_add(1, Relaxed);
            self.0.now.fetch_max(until.as_nanos(), Relaxed);
            return Parked::TimedOut;
        }
        self.pass(Duration::from_micros(1));
        if self.0.pest == Pest::Triggers && word.load(Relaxed) == seen {
            let _ = self.event().trigger(Wake::All);
        }
        Parked::Awake
    }

    fn unpark(&self, (): &(), _: &AtomicU64, _: u64, _: Wake) -> Option<u32> {
        Some(1)
    }

    fn heavy_barrier(&self, _: Barrier) {
        if self.0.pest == Pest::Hammers {
            let _ = self.event().trigger(Wake::All);
        }
    }
}

/// What has been spent.
fn vain<'a>(
    machine: &'a Machine,
    budget: &'a Mutex<Budget>,
) -> impl FnMut() -> Option<Instant> + 'a {
    || budget.lock().expect("nobody panics").spend(machine.now(), Rate::VAIN)
}

/// How often it has looked at most, by then.
fn most(until: Instant) -> u32 {
    let periods = until.as_nanos().div_ceil(PERIOD.as_nanos() as u64) as u32;
    // In each it is woken so often, and looks once more behind its nap.
    (MOST + 1) * periods + 1
}

#[test]
fn a_peer_that_wakes_for_nothing_does_so_a_few_times_in_a_period() {
    for pest in ALL {
        let (machine, budget) = (Machine::new(pest), Mutex::new(Budget::new()));
        let there = Instant::from_nanos(95_000_000);
        let mut looks = 0;
        let look = || {
            machine.pass(Duration::from_nanos(100));
            looks += 1;
            machine.is_after(there).then_some(7)
        };
        let (event, wakes) = (machine.event(), vain(&machine, &budget));
        assert_eq!(event.sleep_warily(Deadline::NEVER, look, wakes), Ok(7), "{pest:?}");
        let now = machine.now();
        assert!(now - there <= PERIOD + Duration::from_millis(1), "{pest:?}: {now:?}");
        assert!(looks <= most(now), "{pest:?}: it has looked {looks} times");
        assert!(machine.0.naps.load(Relaxed) <= 11, "{pest:?}: once in a period");
    }
}

/// For one wait after the other, too.
#[test]
fn what_has_been_spent_stays_so_in_the_next_wait() {
    for pest in ALL {
        let (machine, budget) = (Machine::new(pest), Mutex::new(Budget::new()));
        let (mut waits, mut looks) = (0, 0);
        while !machine.is_after(Instant::from_nanos(95_000_000)) {
            let soon = Deadline::at(machine.now() + Duration::from_micros(500));
            let look = || {
                looks += 1;
                None::<()>
            };
            let (event, wakes) = (machine.event(), vain(&machine, &budget));
            assert_eq!(event.sleep_warily(soon, look, wakes), Err(WaitError::TimedOut));
            waits += 1;
        }
        let most = most(machine.now()) + 4 * waits;
        assert!(looks <= most, "{pest:?}: it has looked {looks} times in {waits} waits");
    }
}

#[test]
fn a_deadline_holds_whatever_the_peer_does() {
    for pest in ALL {
        let (machine, budget) = (Machine::new(pest), Mutex::new(Budget::new()));
        let deadline = Instant::from_nanos(25_000_000);
        let (event, wakes) = (machine.event(), vain(&machine, &budget));
        let result = event.sleep_warily(deadline.into(), || None::<()>, wakes);
        assert_eq!(result, Err(WaitError::TimedOut), "{pest:?}");
        let late = machine.now() - deadline;
        assert!(late < Duration::from_millis(1), "{pest:?}: {late:?}");
    }
}

#[test]
fn what_is_told_meanwhile_is_seen_behind_the_nap() {
    for pest in ALL {
        let (machine, budget) = (Machine::new(pest), Mutex::new(Budget::new()));
        let look = || {
            if machine.0.naps.load(Relaxed) == 1 {
                machine.event().tell(Side::Waiters, Gone::PeerGone);
            }
            None::<()>
        };
        let (event, wakes) = (machine.event(), vain(&machine, &budget));
        let result = event.sleep_warily(Deadline::NEVER, look, wakes);
        assert_eq!(result, Err(WaitError::Gone(Gone::PeerGone)), "{pest:?}");
        assert!(machine.now().as_nanos() < 21_000_000, "{pest:?}: {:?}", machine.now());
    }
}

/// Where all who wake are trusted, each is heard at once.
#[test]
fn who_trusts_always_listens() {
    for pest in ALL {
        let machine = Machine::new(pest);
        let mut looks = 0;
        let look = || {
            looks += 1;
            machine.pass(Duration::from_micros(1));
            machine.is_after(Instant::from_nanos(5_000_000)).then_some(())
        };
        let until = Deadline::at(Instant::from_nanos(5_000_000));
        let _ = machine.event().sleep_until(until, look);
        assert_eq!(machine.0.naps.load(Relaxed), 0, "{pest:?}");
        assert!(looks > MOST || pest == Pest::Wakes, "{pest:?}: {looks}");
    }
}
