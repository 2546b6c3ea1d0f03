//! A run is a function of its seed.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::time::Duration;

use res_kernel::sim::{
    Failure, Move, Outcome, Scheduler, Seeds, Simulation, Step, Transcript, Turn,
};
use res_kernel::{Kernel, KernelThread, Sim};
use res_sync::model::Atomic;
use res_sync::{Deadline, Event, Mutex, Park, Wake};

use crate::common::{Word, shared, spawn};

/// Three threads with a lock, an event and deadlines.
fn program(sim: Sim) {
    let lock = Mutex::new(sim, sim.point().expect("a point"), sim.barrier(), 0_u64);
    let shared = shared((lock, sim.point().expect("a point"), Word::new(0), Word::new(0)));
    let body = |id: u64| {
        let shared = Rc::clone(&shared);
        move || {
            let (lock, point, word, count) = &*shared;
            let event = Event { park: &sim, point, word, barrier: sim.barrier() };
            for round in 0..4 {
                *lock.lock() += id;
                count.fetch_add(1, AcqRel);
                event.trigger(Wake::All);
                let soon = Deadline::at(sim.now() + Duration::from_micros(round * id));
                let _ = event.wait_until(soon, || None::<()>);
            }
        }
    };
    let threads = [spawn(sim, body(1)), spawn(sim, body(2)), spawn(sim, body(3))];
    threads.iter().for_each(KernelThread::join);
    assert_eq!(*shared.0.lock(), 24);
}

fn run(seed: u64) -> Outcome {
    // What else is on the heap makes no difference.
    let ballast: Vec<_> = (0..seed % 7).map(|size| vec![0_u8; 64 << size]).collect();
    let outcome = Sim::run(seed, program);
    drop(ballast);
    outcome
}

#[test]
fn the_same_seed_is_the_same_run() {
    let mut hashes = BTreeSet::new();
    for seed in 0..300 {
        let (once, again) = (run(seed), run(seed));
        assert_eq!(once.failure, None, "{once}");
        assert_eq!(once, again);
        hashes.insert(once.hash);
    }
    assert!(hashes.len() > 290, "{} different runs of 300", hashes.len());
}

/// Also on another OS thread, whatever that has on its heap.
#[test]
fn the_same_seed_is_the_same_run_elsewhere() {
    let here: Vec<_> = (0..50).map(|seed| run(seed).hash).collect();
    let there = std::thread::spawn(|| (0..50).map(|seed| run(seed).hash).collect::<Vec<_>>());
    assert_eq!(here, there.join().expect("no panic"));
}

#[test]
fn a_seed_found_is_replayed() {
    let body = |sim: Sim| {
        let word: Rc<Word> = shared(Atomic::new(0));
        let theirs = Rc::clone(&word);
        let other = spawn(sim, move || {
            theirs.fetch_add(1, AcqRel);
        });
        assert_eq!(word.fetch_add(0, AcqRel), 0, "the other one came first");
        other.join();
    };
    let outcome = Seeds::first(1_000).find(body).expect_err("a failure").outcome;
    assert_eq!(Sim::run(outcome.seed, body), outcome);
}

/// Of a failing run, what matters is left: here one switch at the right moment.
#[test]
fn a_failing_run_is_made_smaller() {
    let found = Seeds::first(1_000).find(|sim| {
        let word: Rc<Word> = shared(Atomic::new(0));
        let adder = || {
            let word = Rc::clone(&word);
            spawn(sim, move || {
                for _ in 0..50 {
                    word.fetch_add(1, AcqRel);
                }
                word.store(word.load(Acquire) + 1, Release);
            })
        };
        let threads = [adder(), adder(), adder()];
        threads.iter().for_each(KernelThread::join);
        assert_eq!(word.load(Acquire), 153);
    });
    let found = found.expect_err("a lost update");
    let (before, after) = (found.outcome.switches, found.smallest.switches);
    assert!(2 * after < before, "{before} switches, then {after}: {found}");
    assert!(found.smallest.events.iter().any(|event| event.step == Step::Start(2)));
    assert!(Transcript(&found.smallest.events).to_string().lines().count() < 20, "{found}");
}

/// Decides what cannot be.
#[derive(Debug)]
struct Fool;

impl Scheduler for Fool {
    fn choose(&mut self, _: &Turn<'_>) -> Move {
        Move::Run(77)
    }
    fn pick(&mut self, _: usize) -> usize {
        0
    }
    fn chance(&mut self, _: u32) -> bool {
        false
    }
}

#[test]
fn an_impossible_decision_is_told() {
    let outcome = Simulation::new(0).scheduler(Fool).run(|sim| {
        spawn(sim, || ()).join();
    });
    assert_eq!(outcome.failure, Some(Failure::Impossible(Move::Run(77))));
}

#[test]
#[should_panic(expected = "does not do the same")]
fn a_program_that_differs_from_run_to_run_is_not_explored() {
    let runs = Rc::new(Cell::new(0));
    let _ = Simulation::new(0).explore(2, 100, move |sim| {
        runs.set(runs.get() + 1);
        for _ in 0..runs.get() % 3 {
            spawn(sim, move || sim.yield_to(None));
        }
    });
}
