//! Virtual time.

use std::time::{Duration, Instant};

use res_kernel::sim::Seeds;
use res_kernel::{Kernel, KernelThread, Sim};
use res_sync::model::Atomic;
use res_sync::{Deadline, Event, Park, WaitError};

use crate::common::spawn;

fn sleep(sim: Sim, span: Duration) {
    let (point, word) = (sim.point().expect("a point"), Atomic::new(0));
    let event = Event { park: &sim, point: &point, word: &word, barrier: sim.barrier() };
    let until = Deadline::at(sim.now() + span);
    assert_eq!(event.wait_until(until, || None::<()>), Err(WaitError::TimedOut));
}

#[test]
fn a_year_passes_in_a_moment() {
    const YEAR: Duration = Duration::from_secs(31_536_000);
    let start = Instant::now();
    let outcome = Sim::run(9, |sim| {
        let before = sim.now();
        sleep(sim, YEAR);
        assert_eq!(sim.now() - before, YEAR);
    });
    assert_eq!(outcome.failure, None);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_earliest_deadline_comes_first() {
    Seeds::from_env(100).check("the_earliest_deadline_comes_first", |sim| {
        let napper = |millis| {
            spawn(sim, move || {
                sleep(sim, Duration::from_millis(millis));
                let now = sim.now().as_nanos() / 1_000_000;
                assert_eq!(now, millis, "woken late");
            })
        };
        let threads = [napper(30), napper(10), napper(20)];
        threads.iter().for_each(KernelThread::join);
    });
}

/// Who polls the clock sees it move, and others' deadlines pass meanwhile.
#[test]
fn yielding_takes_time() {
    Seeds::from_env(20).check("yielding_takes_time", |sim| {
        let other = spawn(sim, move || sleep(sim, Duration::from_millis(1)));
        let until = sim.now() + Duration::from_millis(2);
        while sim.now() < until {
            sim.yield_to(None);
        }
        other.join();
    });
}
