//! The event count in a simulation, and mutants of it which the simulator has to find.

use std::rc::Rc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::time::Instant;

use res_kernel::sim::{Failure, Outcome, Place, Seeds, SimModel, SimPoint, Simulation};
use res_kernel::{Kernel, KernelThread, Sim};
use res_sync::model::{Atomic, MemoryModel};
use res_sync::{Barrier, Deadline, Event, Park, Parked, Wake};

use crate::common::{Word, shared, spawn};

/// What a waiter and its signallers share.
struct Ground<P: Park> {
    park: P,
    point: P::Point,
    word: Word,
    ready: Word,
    barrier: Barrier,
}

impl<P: Park<Model = SimModel>> Ground<P> {
    fn event(&self) -> Event<'_, P> {
        Event { park: &self.park, point: &self.point, word: &self.word, barrier: self.barrier }
    }

    fn ready(&self, count: u64) -> Option<()> {
        (self.ready.load(Acquire) >= count).then_some(())
    }
}

/// How to wait, and how to signal, on some machine.
type Wait<P> = fn(&Ground<P>, u64);
type Signal<P> = fn(&Ground<P>);

/// A waiter that waits for `count` signals, each from a thread of its own.
fn scene<P: Park<Model = SimModel, Point = SimPoint>>(
    sim: Sim,
    park: P,
    wait: Wait<P>,
    signal: Signal<P>,
    count: u64,
) {
    let ground = shared(Ground {
        park,
        point: sim.point().expect("a point"),
        word: Atomic::new(0),
        ready: Atomic::new(0),
        barrier: sim.barrier(),
    });
    let theirs = Rc::clone(&ground);
    let waiter = spawn(sim, move || wait(&theirs, count));
    for _ in 0..count {
        let theirs = Rc::clone(&ground);
        spawn(sim, move || signal(&theirs));
    }
    waiter.join();
}

fn right_wait<P: Park<Model = SimModel>>(ground: &Ground<P>, count: u64) {
    let waited = ground.event().wait_until(Deadline::NEVER, || ground.ready(count));
    assert_eq!(waited, Ok(()));
}

/// The first signal is a plain store, as in a ring; several add.
fn right_signal<P: Park<Model = SimModel>>(ground: &Ground<P>) {
    ground.ready.store(1, Release);
    ground.event().trigger(Wake::All);
}

fn right_count<P: Park<Model = SimModel>>(ground: &Ground<P>) {
    ground.ready.fetch_add(1, AcqRel);
    ground.event().trigger(Wake::All);
}

/// Runs until it fails, which it has to within 1,000 seeds; says how many it took.
fn found(name: &str, body: impl Fn(Sim) + Clone + 'static) -> Outcome {
    let found = Seeds::first(1_000).find(body).expect_err(name);
    println!("{name}: found after {} seeds, {found}", found.outcome.seed + 1);
    let outcome = found.outcome;
    assert!(matches!(outcome.failure, Some(Failure::Deadlock(_))), "{name}: {outcome}");
    outcome
}

#[test]
fn the_right_one_passes() {
    let start = Instant::now();
    let check = |signal, count| {
        let seeds = Seeds::from_env(3_000);
        seeds.check("the_right_one", move |sim| scene(sim, sim, right_wait, signal, count))
    };
    let [one, three] = [check(right_signal, 1), check(right_count, 3)];
    let rate = |number: u64| number as f64 / start.elapsed().as_secs_f64();
    let (runs, steps) = (one.runs + three.runs, one.steps + three.steps);
    println!("{:.0} seeds a second, {:.0} steps a second", rate(runs), rate(steps));
}

#[test]
fn the_right_one_passes_in_every_order() {
    for barrier in [Barrier::Fence, Barrier::Asymmetric] {
        let simulation = Simulation::new(0).barrier(barrier);
        let explored = simulation.explore(3, 300_000, |sim| {
            scene(sim, sim, right_wait, right_signal, 1);
        });
        println!("{barrier:?}: {} orders", explored.runs);
        assert!(explored.complete && explored.failed.is_none(), "{explored:?}");
    }
}

/// The lost wake-up, in sixteen lines: checks, subscribes, and does not check again.
fn checks_before_it_subscribes(sim: Sim) {
    let shared = shared((sim.point().expect("a point"), Word::new(0), Word::new(0)));
    let theirs = Rc::clone(&shared);
    let waiter = spawn(sim, move || {
        let (point, word, ready) = &*theirs;
        let event = Event { park: &sim, point, word, barrier: sim.barrier() };
        while ready.load(Acquire) == 0 {
            let armed = event.checkpoint();
            let _ = event.wait(armed, Deadline::NEVER);
        }
    });
    let (point, word, ready) = &*shared;
    ready.store(1, Release);
    Event { park: &sim, point, word, barrier: sim.barrier() }.trigger(Wake::All);
    waiter.join();
}

#[test]
fn a_check_before_subscribing_is_found() {
    let outcome = found("check before subscribe", checks_before_it_subscribes);
    let Some(Failure::Deadlock(waiting)) = outcome.failure else { panic!("a deadlock") };
    assert_eq!(waiting.len(), 2);
    assert!(waiting.iter().any(|one| (one.thread, one.place) == (2, Place::Point(1))));
    assert!(waiting.iter().any(|one| (one.thread, one.place) == (1, Place::EndOf(2))));
}

/// One preemption is enough for it, and none is not.
#[test]
fn a_check_before_subscribing_is_found_by_trying_all_orders() {
    let explore =
        |bound| Simulation::new(0).cores(2).explore(bound, 10_000, checks_before_it_subscribes);
    assert!(explore(0).complete);
    let explored = explore(1);
    println!("found after {} orders", explored.runs);
    assert!(explored.failed.is_some(), "{explored:?}");
}

const SUBSCRIBED: u64 = 1;
const EPOCH: u64 = 1 << 8;

/// H1: moves the epoch, keeps the bit, wakes, and clears the bit in a second step.
fn clears_the_bit_later(ground: &Ground<Sim>) {
    ground.ready.fetch_add(1, AcqRel);
    SimModel::light_barrier(ground.barrier);
    let word = ground.word.load(Acquire);
    if word & SUBSCRIBED != 0 {
        let moved = ground.word.fetch_add(EPOCH, AcqRel).wrapping_add(EPOCH);
        let woken = ground.park.unpark(&ground.point, &ground.word, moved, Wake::All);
        if woken == Some(0) {
            ground.word.fetch_and(!SUBSCRIBED, AcqRel);
        }
    }
}

/// Waits as the faulty rule has it: on a bit that somebody clears it parks all the same.
fn parks_on_any_word(ground: &Ground<Sim>, count: u64) {
    while ground.ready(count).is_none() {
        let word = ground.word.fetch_or(SUBSCRIBED, AcqRel) | SUBSCRIBED;
        ground.park.heavy_barrier(ground.barrier);
        if ground.ready(count).is_some() {
            return;
        }
        while ground.word.load(Acquire) & !0xff == word & !0xff {
            let seen = ground.word.load(Acquire);
            if seen & !0xff == word & !0xff {
                ground.park.park(&ground.point, &ground.word, seen, Deadline::NEVER);
            }
        }
    }
}

#[test]
fn h1_a_bit_that_is_cleared_later_is_found() {
    let body = |sim| scene(sim, sim, parks_on_any_word, clears_the_bit_later, 2);
    let _ = found("H1", body);
}

/// The loop of that mutant is right where the trigger is.
#[test]
fn the_loop_of_the_mutant_is_right() {
    Seeds::from_env(1_000).check("the_loop_of_the_mutant", |sim| {
        scene(sim, sim, parks_on_any_word, right_count, 2);
    });
}

/// The simulated machine without its heavy barrier.
#[derive(Clone)]
struct NoBarrier(Sim);

impl Park for NoBarrier {
    type Model = SimModel;
    type Point = SimPoint;

    fn now(&self) -> res_sync::Instant {
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
    fn park(&self, point: &SimPoint, word: &Word, seen: u64, deadline: Deadline) -> Parked {
        self.0.park(point, word, seen, deadline)
    }
    fn unpark(&self, point: &SimPoint, word: &Word, moved: u64, wake: Wake) -> Option<u32> {
        self.0.unpark(point, word, moved, wake)
    }
    fn heavy_barrier(&self, _: Barrier) {}
}

#[test]
fn h3_a_missing_heavy_barrier_is_found() {
    let outcome = found("H3, no heavy barrier", |sim| {
        scene(sim, NoBarrier(sim), right_wait, right_signal, 1);
    });
    // Where both sides fence, the read-modify-write of the checkpoint is the waiter's.
    let fenced = move |seed| Simulation::new(seed).barrier(Barrier::Fence);
    let fine = Seeds::first(1_000).find_with(fenced, |sim| {
        scene(sim, NoBarrier(sim), right_wait, right_signal, 1);
    });
    assert!(fine.is_ok(), "{outcome}");
}

/// Fences were agreed on, and the signaller leaves its own out.
fn forgets_its_fence(ground: &Ground<Sim>) {
    ground.ready.store(1, Release);
    if ground.word.load(Acquire) & SUBSCRIBED != 0 {
        ground.event().trigger(Wake::All);
    }
}

#[test]
fn h3_a_missing_light_barrier_is_found() {
    let fenced = |seed| Simulation::new(seed).barrier(Barrier::Fence);
    let outcome = Seeds::first(1_000).find_with(fenced, |sim| {
        scene(sim, sim, right_wait, forgets_its_fence, 1);
    });
    let outcome = outcome.expect_err("a missing fence");
    println!("H3, no light barrier: found after {} seeds", outcome.outcome.seed + 1);
    assert!(matches!(outcome.outcome.failure, Some(Failure::Deadlock(_))), "{outcome}");
}
