//! What the machine does to a program, and that it is the seed that decides on it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::Duration;

use res_api::ErrorKind;
use res_kernel::sim::{Failing, Faults, Outcome, Seeds, SimSocket, Simulation, Step};
use res_kernel::{
    Access, Domain, DomainEnd, Isolation, Kernel, KernelError, KernelMemory, KernelThread, Passed,
    Sim, Socket, ThreadEntry,
};
use res_sync::model::Atomic;
use res_sync::{Deadline, Event, Park, Parked, Wake};

use crate::common::{Word, shared, spawn};

const NONE: Faults =
    Faults { spurious: 0, late: 0, jumps: 0, memory: Failing::Never, creation: Failing::Never };
const SPURIOUS: Faults = Faults { spurious: 2, ..NONE };
const LATE: Faults = Faults { late: 2, ..NONE };
const JUMPS: Faults = Faults { jumps: 10, ..NONE };

fn run(seed: u64, faults: Faults, body: impl Fn(Sim) + Clone + 'static) -> Outcome {
    Simulation::new(seed).faults(faults).record().run(body)
}

/// In how many of 200 runs something like that happens.
fn count(faults: Faults, body: impl Fn(Sim) + Clone + 'static, which: fn(Step) -> bool) -> usize {
    let happens = |seed: &u64| {
        let outcome = run(*seed, faults, body.clone());
        assert_eq!(outcome.failure, None, "{outcome}");
        outcome.events.iter().any(|event| which(event.step))
    };
    (0..200).filter(happens).count()
}

fn is_nap(step: Step) -> bool {
    matches!(step, Step::Nap(_))
}

fn is_late(step: Step) -> bool {
    matches!(step, Step::Late(_))
}

fn is_jump(step: Step) -> bool {
    matches!(step, Step::Jump(_))
}

/// Two threads that take turns, by an event or by sleeping without one.
fn takes_turns(sim: Sim) {
    let shared = shared((sim.point().expect("a point"), Word::new(0), Word::new(0)));
    let player = |mine: u64| {
        let shared = Rc::clone(&shared);
        spawn(sim, move || {
            let (point, word, count) = &*shared;
            let event = Event { park: &sim, point, word, barrier: sim.barrier() };
            for _ in 0..4 {
                let turn = || (count.load(Acquire) % 2 == mine).then_some(());
                event.wait_until(Deadline::NEVER, turn).expect("the other one plays");
                count.fetch_add(1, AcqRel);
                event.trigger(Wake::All);
            }
        })
    };
    let players = [player(0), player(1)];
    players.iter().for_each(KernelThread::join);
    assert_eq!(shared.2.load(Acquire), 8);
}

#[test]
fn wake_ups_come_late_and_for_no_reason_and_none_is_lost() {
    let happens = [
        count(SPURIOUS, takes_turns, is_nap),
        count(LATE, takes_turns, is_late),
        count(JUMPS, takes_turns, is_jump),
    ];
    assert!(happens.iter().all(|runs| *runs > 100), "{happens:?} of 200 runs each");
    let none = |step| is_nap(step) || is_late(step) || is_jump(step);
    assert_eq!(count(NONE, takes_turns, none), 0);
}

/// Takes the first return of a sleep for the word that it waits for.
fn believes_in_a_wake_up(sim: Sim) {
    let shared = shared((sim.point().expect("a point"), Word::new(0)));
    let theirs = Rc::clone(&shared);
    let sleeper = spawn(sim, move || {
        sim.park(&theirs.0, &theirs.1, 0, Deadline::NEVER);
        assert_eq!(theirs.1.load(Acquire), 1, "nobody has moved it");
    });
    shared.1.fetch_add(1, AcqRel);
    sim.unpark(&shared.0, &shared.1, 1, Wake::All);
    sleeper.join();
}

#[test]
fn who_believes_in_a_wake_up_is_found() {
    let fine = Seeds::first(300)
        .find_with(|seed| Simulation::new(seed).faults(NONE), believes_in_a_wake_up);
    assert!(fine.is_ok(), "{fine:?}");
    let faulty = |seed| Simulation::new(seed).faults(SPURIOUS);
    let found = Seeds::first(300).find_with(faulty, believes_in_a_wake_up);
    let found = found.expect_err("a wake-up without a reason");
    // What made it fail is left when it is made smaller.
    assert!(found.smallest.events.iter().any(|event| is_nap(event.step)), "{found}");
    assert!(found.smallest.failure.is_some());
}

/// Somebody who is woken late is told that it is awake, and is counted as woken in time.
#[test]
fn a_late_wake_up_is_one() {
    let faults = Faults { late: 1, ..NONE };
    for seed in 0..100 {
        let outcome = run(seed, faults, |sim| {
            let shared = shared((sim.point().expect("a point"), Word::new(0)));
            let theirs = Rc::clone(&shared);
            let sleeper = spawn(sim, move || {
                let tomorrow = Deadline::at(sim.now() + Duration::from_secs(86_400));
                assert_eq!(sim.park(&theirs.0, &theirs.1, 0, tomorrow), Parked::Awake);
            });
            let mut woken = Some(0);
            while woken == Some(0) {
                sim.yield_to(None);
                woken = sim.unpark(&shared.0, &shared.1, 0, Wake::All);
            }
            assert_eq!(woken, Some(1));
            assert_eq!(sim.unpark(&shared.0, &shared.1, 0, Wake::All), Some(0), "woken twice");
            sleeper.join();
        });
        assert_eq!(outcome.failure, None, "{outcome}");
    }
}

/// It jumps, and never back; whose deadline it jumps over, wakes.
#[test]
fn the_clock_jumps_forward() {
    let largest = shared(Cell::new(Duration::ZERO));
    for seed in 0..100 {
        let largest = Rc::clone(&largest);
        let outcome = run(seed, JUMPS, move |sim| {
            let mut before = sim.now();
            for _ in 0..30 {
                let now = sim.now();
                assert!(now >= before);
                largest.set(largest.get().max(now - before));
                before = now;
            }
            let (point, word) = (sim.point().expect("a point"), Word::new(0));
            let soon = Deadline::at(sim.now() + Duration::from_secs(1));
            assert_eq!(sim.park(&point, &word, 0, soon), Parked::TimedOut);
            assert!(soon.passed(sim.now()));
        });
        assert_eq!(outcome.failure, None, "{outcome}");
    }
    assert!(largest.get() > Duration::from_secs(60), "{largest:?}");
}

fn kind<T>(result: Result<T, KernelError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind)
}

unsafe fn nothing(_: *mut ()) {}

fn thread(sim: Sim) -> Result<impl KernelThread, KernelError> {
    let entry = ThreadEntry { run: nothing, data: core::ptr::null_mut() };
    // SAFETY: `nothing` touches nothing.
    unsafe { sim.thread(entry) }
}

#[test]
fn each_creation_can_fail() {
    fn ends(_: Sim, _: SimSocket) {}
    let faults = |failing| Faults { creation: failing, ..NONE };
    let outcome = run(1, faults(Failing::From(3)), |sim| {
        let thread_before = thread(sim).expect("the first");
        sim.point().expect("the second");
        assert_eq!(kind(sim.point()), Some(ErrorKind::NoSlots));
        assert_eq!(kind(thread(sim)), Some(ErrorKind::NoSlots));
        assert_eq!(kind(thread_before.start()), Some(ErrorKind::NoSlots));
        assert_eq!(kind(sim.domain(ends)), Some(ErrorKind::NoSlots));
    });
    assert_eq!(outcome.failure, None, "{outcome}");
    let refused = outcome.events.iter().filter(|event| event.step == Step::Refused).count();
    assert_eq!(refused, 4);

    let outcome = run(1, faults(Failing::The(2)), |sim| {
        let thread = thread(sim).expect("the first");
        assert_eq!(kind(thread.start()), Some(ErrorKind::NoSlots));
        thread.start().expect("the next time it can be");
        thread.join();
    });
    assert_eq!(outcome.failure, None, "{outcome}");
}

#[test]
fn memory_runs_out() {
    fn receives(_: Sim, socket: SimSocket) {
        let mut place = [None];
        for there in [false, true] {
            let received = socket.recv(&mut [0; 8], &mut place, Deadline::NEVER);
            assert_eq!(received.map(|it| it.objects), Ok(1));
            assert_eq!(place[0].is_some(), there);
        }
    }
    let outcome = run(1, Faults { memory: Failing::The(3), ..NONE }, |sim| {
        let memory = sim.memory(1).expect("the first");
        memory.alias(Access::Read).expect("the second");
        let (domain, socket) = sim.domain(receives).expect("a domain");
        for _ in 0..2 {
            socket.send(&[], &[Passed::Memory(&memory)]).expect("sent");
        }
        assert_eq!(domain.wait(Deadline::NEVER), Some(DomainEnd::Returned));
    });
    assert_eq!(outcome.failure, None, "{outcome}");
}

/// Every so often, as the seed has it: some runs fail, some do not, and each does so again.
#[test]
fn chance_comes_from_the_seed() {
    let faults = Faults { spurious: 3, late: 3, jumps: 50, memory: Failing::OneIn(3), ..NONE };
    let failed = shared(Cell::new(0));
    for seed in 0..100 {
        let body = {
            let failed = Rc::clone(&failed);
            move |sim: Sim| {
                failed.set(failed.get() + u32::from(sim.memory(1).is_err()));
                takes_turns(sim);
            }
        };
        assert_eq!(run(seed, faults, body.clone()), run(seed, faults, body));
    }
    assert!((20..150).contains(&failed.get()), "{failed:?} of 200");
}
