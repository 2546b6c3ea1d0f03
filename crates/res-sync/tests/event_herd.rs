//! A machine that wakes all whatever it is told: a trigger that wakes "one" is all that is needed.

#[path = "common/machine.rs"]
mod machine;

use core::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use machine::{Machine, ends, rounds};
use res_sync::model::Core;
use res_sync::{Barrier, Deadline, Event, Instant, Park, Parked, Wake};

#[derive(Clone)]
struct Herd(Machine);

impl Park for Herd {
    type Model = Core;
    type Point = ();
    const WAKES_ONE: bool = false;

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn spin_limit(&self) -> u32 {
        0
    }

    fn current(&self) -> u32 {
        self.0.current()
    }

    fn unwinding(&self) -> bool {
        false
    }

    fn park(&self, point: &(), word: &AtomicU64, seen: u64, deadline: Deadline) -> Parked {
        self.0.park(point, word, seen, deadline)
    }

    fn unpark(&self, point: &(), word: &AtomicU64, moved: u64, _: Wake) -> Option<u32> {
        self.0.unpark(point, word, moved, Wake::All);
        None
    }

    fn heavy_barrier(&self, barrier: Barrier) {
        self.0.heavy_barrier(barrier);
    }
}

#[test]
fn one_trigger_wakes_all_and_the_next_is_cheap() {
    ends(|| {
        for _ in 0..rounds(20) {
            wake_two();
        }
    });
}

fn wake_two() {
    let (herd, word) = (Herd(Machine::new()), AtomicU64::new(0));
    let event = Event { park: &herd, point: &(), word: &word, barrier: Barrier::Fence };
    let later = herd.0.after(Duration::from_secs(60));
    thread::scope(|scope| {
        let wait = || event.wait(event.checkpoint(), later);
        let waiters = [scope.spawn(wait), scope.spawn(wait)];
        herd.0.until_asleep(2);
        event.trigger(Wake::One);
        assert!(waiters.into_iter().all(|waiter| waiter.join().is_ok_and(|waited| waited.is_ok())));
    });
    assert!(!event.armed(), "nobody sleeps any more");
    let calls = herd.0.calls();
    event.trigger(Wake::One);
    assert_eq!(herd.0.calls(), calls, "it asks the machine for nothing");
}
