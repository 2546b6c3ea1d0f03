//! Both barriers keep the order that sleeping needs: of two that each store and then look, one
//! sees the other.

use std::hint;
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
};
use std::thread;
use std::time::Duration;

use res_kernel::linux::LinuxPoint;
use res_kernel::{Kernel, Linux};
use res_sync::model::{Core, MemoryModel};
use res_sync::{Barrier, Deadline, Event, Park, Wake};

const MACHINE: Linux = Linux::new();
const ROUNDS: u64 = if cfg!(miri) { 20 } else { 20_000 };

#[test]
fn the_answer_stays_the_same() {
    let agreed = MACHINE.barrier();
    assert_eq!(MACHINE.barrier(), agreed);
    MACHINE.heavy_barrier(agreed);
    MACHINE.heavy_barrier(Barrier::Fence);
}

/// A line of its own for each word.
#[derive(Default)]
#[repr(align(128))]
struct Line(AtomicU64);

/// By how many turns of a loop the sides may come apart, so that in some rounds they coincide.
const SKEWS: u64 = 64;

fn linger(turns: u64) {
    (0..turns).for_each(|turn| {
        hint::black_box(turn);
    });
}

#[derive(Default)]
struct Sides {
    light: Line,
    heavy: Line,
    light_saw: Line,
    round: Line,
}

impl Sides {
    fn light_side(&self, barrier: Barrier) {
        for round in 1..=ROUNDS {
            self.meet(2 * round);
            linger(round % SKEWS);
            self.light.0.store(round, Relaxed);
            Core::light_barrier(barrier);
            self.light_saw.0.store(self.heavy.0.load(Relaxed), Relaxed);
            self.meet(2 * round + 1);
        }
    }

    /// How often neither saw the other.
    fn heavy_side(&self, barrier: Barrier) -> u64 {
        let mut misses = 0;
        for round in 1..=ROUNDS {
            self.meet(2 * round);
            linger(round / SKEWS % SKEWS);
            self.heavy.0.store(round, Relaxed);
            MACHINE.heavy_barrier(barrier);
            let heavy_saw = self.light.0.load(Relaxed);
            self.meet(2 * round + 1);
            let light_saw = self.light_saw.0.load(Relaxed);
            misses += u64::from(heavy_saw != round && light_saw != round);
        }
        misses
    }

    /// Goes on when both are here for the `meeting`-th time. (2 is the first.) They leave as close
    /// to each other as can be: spinning, unless the other does not even run.
    fn meet(&self, meeting: u64) {
        let all = 2 * (meeting - 1);
        self.round.0.fetch_add(1, SeqCst);
        for look in 1_u32.. {
            if self.round.0.load(SeqCst) >= all {
                break;
            }
            if look.is_multiple_of(1000) { thread::yield_now() } else { hint::spin_loop() }
        }
    }
}

fn one_sees_the_other(barrier: Barrier) {
    let sides = Sides::default();
    thread::scope(|scope| {
        scope.spawn(|| sides.light_side(barrier));
        assert_eq!(sides.heavy_side(barrier), 0, "neither saw the other");
    });
}

#[test]
fn fences_on_both_sides_keep_the_order() {
    one_sees_the_other(Barrier::Fence);
}

#[test]
fn the_machines_best_barrier_keeps_the_order() {
    one_sees_the_other(MACHINE.barrier());
}

/// Two threads that hand a number to and fro, sleeping in between; a lost wake-up is a timeout.
fn to_and_fro(barrier: Barrier) {
    let (turn, word) = (AtomicU64::new(0), AtomicU64::new(0));
    let play = |mine: u64| {
        let event = Event { park: &MACHINE, point: &LinuxPoint::default(), word: &word, barrier };
        let late = Deadline::at(MACHINE.now() + Duration::from_secs(60));
        for round in 0..ROUNDS / 2 {
            let mine = 2 * round + mine;
            let look = || (turn.load(SeqCst) == mine).then_some(());
            event.wait_until(late, look).expect("a wake-up was lost");
            turn.store(mine + 1, SeqCst);
            event.trigger(Wake::All);
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| play(1));
        play(0);
    });
}

#[test]
fn no_wake_up_is_lost_with_fences() {
    to_and_fro(Barrier::Fence);
}

#[test]
fn no_wake_up_is_lost_with_the_machines_best_barrier() {
    to_and_fro(MACHINE.barrier());
}
