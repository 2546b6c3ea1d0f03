//! Panics in simulated threads.

use std::cell::Cell;
use std::panic::{catch_unwind, resume_unwind};
use std::rc::Rc;

use res_kernel::sim::{Failure, Seeds};
use res_kernel::{Kernel, KernelThread, Panicked, Sim};
use res_sync::{Mutex, Park};

use crate::common::{shared, spawn};

#[test]
fn a_guard_catches() {
    let outcome = Sim::run(1, |sim| {
        assert_eq!(sim.guard(&mut || panic!("so")), Err(Panicked));
        assert_eq!(sim.guard(&mut || resume_unwind(Box::new(7))), Err(Panicked));
        assert_eq!(sim.guard(&mut || ()), Ok(()));
        assert!(!sim.unwinding());
    });
    assert_eq!(outcome.failure, None);
    assert!(outcome.panics.len() == 1 && outcome.panics[0].contains("so"), "{outcome}");
}

#[test]
fn a_panic_that_nobody_catches_ends_the_run() {
    let outcome = Sim::run(1, |sim| spawn(sim, || panic!("in thread {}", 2)).join());
    let message = "in thread 2".to_string();
    assert_eq!(outcome.failure, Some(Failure::Panicked { thread: 2, message }));
    // The next run knows nothing of it.
    assert_eq!(Sim::run(1, |sim| assert!(!sim.unwinding())).failure, None);
}

/// Looks, while it is dropped, whether its own thread unwinds. Others run meanwhile.
struct Witness(Sim, bool);

impl Drop for Witness {
    fn drop(&mut self) {
        for _ in 0..4 {
            assert_eq!(self.0.unwinding(), self.1, "unwinding");
            self.0.yield_to(None);
        }
    }
}

/// std counts the panics of an OS thread, of all simulated threads together.
#[test]
fn who_unwinds_is_not_confused() {
    Seeds::from_env(300).check("who_unwinds_is_not_confused", |sim| {
        let count = shared(Cell::new(0));
        let dies = |dies: bool| {
            let count = Rc::clone(&count);
            spawn(sim, move || {
                let guarded = sim.guard(&mut || {
                    let _witness = Witness(sim, dies);
                    sim.yield_to(None);
                    assert!(!dies, "on purpose");
                });
                assert_eq!(guarded.is_err(), dies);
                assert!(!sim.unwinding());
                count.set(count.get() + 1);
            })
        };
        let threads = [dies(true), dies(false), dies(true), dies(false)];
        threads.iter().for_each(KernelThread::join);
        assert_eq!(count.get(), 4);
    });
}

/// A mutex is poisoned by who dies holding it, and by nobody else.
#[test]
fn a_lock_is_poisoned_by_its_owner_alone() {
    Seeds::from_env(200).check("a_lock_is_poisoned_by_its_owner_alone", |sim| {
        let lock = || Mutex::new(sim, sim.point().expect("a point"), sim.barrier(), 0);
        let locks = shared([lock(), lock()]);
        let theirs = Rc::clone(&locks);
        let dies = spawn(sim, move || {
            let died = sim.guard(&mut || {
                let _held = theirs[0].lock();
                panic!("on purpose");
            });
            assert_eq!(died, Err(Panicked));
        });
        let theirs = Rc::clone(&locks);
        let lives = spawn(sim, move || {
            for _ in 0..10 {
                *theirs[1].lock() += 1;
            }
        });
        dies.join();
        lives.join();
        assert!(locks[0].is_poisoned() && !locks[1].is_poisoned());
    });
}

#[test]
fn a_panic_elsewhere_is_not_a_simulation_s() {
    assert!(catch_unwind(|| panic!("not simulated")).is_err());
}
