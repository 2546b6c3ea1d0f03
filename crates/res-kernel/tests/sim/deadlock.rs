//! What cannot end is told.

use std::rc::Rc;
use std::sync::atomic::Ordering::{Acquire, Release};

use res_api::ThreadParam;
use res_kernel::sim::{Failure, Place, SimModel, Simulation, Strict, Waiting};
use res_kernel::{Kernel, KernelThread, Sim};
use res_sync::model::{Atomic, MemoryModel};
use res_sync::{Deadline, Event};

use crate::common::{Word, shared, spawn, thread};

fn sleep_for_ever(sim: Sim) {
    let (point, word) = (sim.point().expect("a point"), Atomic::new(0));
    let event = Event { park: &sim, point: &point, word: &word, barrier: sim.barrier() };
    let _ = event.wait_until(Deadline::NEVER, || None::<()>);
}

#[test]
fn a_deadlock_says_who_waits_for_what() {
    let outcome = Sim::run(5, |sim| {
        sim.point().expect("a point that nobody uses");
        spawn(sim, move || sleep_for_ever(sim)).join();
    });
    let waiting = vec![
        Waiting { thread: 1, place: Place::EndOf(2) },
        Waiting { thread: 2, place: Place::Point(2) },
    ];
    let Some(Failure::Deadlock(mut found)) = outcome.failure else { panic!("no deadlock") };
    found.sort_by_key(|one| one.thread);
    assert_eq!(found, waiting);
}

/// A thread that nobody joins counts too.
#[test]
fn a_thread_left_behind_is_a_deadlock() {
    let outcome = Sim::run(5, |sim| {
        spawn(sim, move || sleep_for_ever(sim));
    });
    let waiting = vec![Waiting { thread: 2, place: Place::Point(1) }];
    assert_eq!(outcome.failure, Some(Failure::Deadlock(waiting)));
}

/// H20: what is on the stack of a thread that never ends is not dropped.
#[test]
fn no_destructor_runs_in_what_is_left() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            unreachable!("a destructor has run");
        }
    }
    let outcome = Sim::run(5, |sim| {
        let bomb = Bomb;
        sleep_for_ever(sim);
        drop(bomb);
    });
    assert!(matches!(outcome.failure, Some(Failure::Deadlock(_))));
}

#[test]
fn a_run_without_end_is_ended() {
    let outcome = Simulation::new(1).steps(10_000).run(|sim| {
        loop {
            sim.yield_to(None);
        }
    });
    assert_eq!(outcome.failure, Some(Failure::TooLong { steps: 10_000 }));
}

/// H5: who spins over a less urgent holder spins for ever, where both are on one core.
#[test]
fn h5_spinning_over_a_less_urgent_holder_is_found() {
    let run = |urgent: u32, [held_on, spun_on]: [u32; 2]| {
        let simulation = Simulation::new(1).cores(2).scheduler(Strict::new(1)).steps(50_000);
        simulation.run(move |sim| {
            let held: Rc<Word> = shared(Atomic::new(1));
            let theirs = Rc::clone(&held);
            let holder = thread(sim, move || theirs.store(0, Release));
            let theirs = Rc::clone(&held);
            let spinner = thread(sim, move || {
                while theirs.load(Acquire) != 0 {
                    SimModel::spin_hint();
                }
            });
            holder.set(ThreadParam::Core(held_on)).expect("a core");
            spinner.set(ThreadParam::Core(spun_on)).expect("a core");
            holder.set(ThreadParam::Priority(10)).expect("a priority");
            spinner.set(ThreadParam::Priority(urgent)).expect("a priority");
            spinner.start().expect("a start");
            holder.start().expect("a start");
            spinner.join();
        })
    };
    assert_eq!(run(11, [1, 1]).failure, Some(Failure::TooLong { steps: 50_000 }));
    assert_eq!(run(10, [1, 1]).failure, None);
    assert_eq!(run(11, [0, 1]).failure, None);
    assert_eq!(run(11, [1, 0]).failure, None);
}
