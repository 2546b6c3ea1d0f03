//! Sleeping, waking and the time.

use std::vec::Vec;

use res_sync::model::{Atomic, Core, MemoryModel};
use res_sync::{Barrier, Deadline, Instant, Park, Parked, Waiting, Wake};

use super::machine::Machine;
use super::model::{SimModel, SimU64, fence};
use super::outcome::Place;
use super::run::inside;
use super::trace::Step;
use super::{OUTSIDER, Sim};

/// A place to sleep at: a number, for reports.
///
/// ```
/// use res_kernel::{Kernel, Sim};
///
/// let outcome = Sim::run(1, |sim| {
///     assert_ne!(sim.point(), sim.point());
/// });
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SimPoint(pub(super) u32);

impl Park for Sim {
    type Model = SimModel;
    type Point = SimPoint;

    /// How late it is in the run. Time passes when no thread can run: then it is as late as the
    /// earliest deadline; and a little with each [`yield_to`](crate::Kernel::yield_to).
    fn now(&self) -> Instant {
        let now = inside(|machine| {
            machine.turn(Step::Clock);
            machine.state.borrow().now
        });
        now.unwrap_or_default()
    }

    fn spin_limit(&self) -> u32 {
        inside(|machine| machine.state.borrow().settings.spin).unwrap_or(0)
    }

    fn current(&self) -> u32 {
        inside(|machine| machine.current.get()).unwrap_or(OUTSIDER)
    }

    fn unwinding(&self) -> bool {
        inside(Machine::unwinding).unwrap_or_else(std::thread::panicking)
    }

    /// # Panics
    ///
    /// In a thread that is not simulated.
    fn park(&self, point: &SimPoint, word: &SimU64, seen: u64, deadline: Deadline) -> Parked {
        inside(|machine| park(machine, *point, word, seen, deadline))
            .expect("only a simulated thread can sleep")
    }

    /// # Panics
    ///
    /// In a thread that is not simulated.
    fn park_any(&self, waits: &[Waiting<'_, Self>], deadline: Deadline) -> Option<usize> {
        inside(|machine| park_any(machine, waits, deadline))
            .expect("only a simulated thread can sleep")
    }

    fn unpark(&self, point: &SimPoint, word: &SimU64, _moved: u64, wake: Wake) -> Option<u32> {
        let woken = inside(|machine| {
            machine.turn(Step::Wake(point.0));
            let mut state = machine.state.borrow_mut();
            let (place, word) = (Place::Point(point.0), word.as_ptr().addr());
            state.unpark(place, word, wake == Wake::One)
        });
        // Outside of a run nobody sleeps.
        Some(woken.unwrap_or(0))
    }

    fn heavy_barrier(&self, barrier: Barrier) {
        let simulated = inside(|machine| match barrier {
            // Partner: the fence of `light_barrier(Fence)`.
            Barrier::Fence => fence(machine),
            // Partner: nothing at all in `light_barrier(Asymmetric)`.
            Barrier::Asymmetric => {
                machine.turn(Step::Barrier);
                machine.drain_all();
            }
        });
        simulated.unwrap_or_else(Core::fence);
    }
}

fn park(
    machine: &Machine,
    point: SimPoint,
    word: &SimU64,
    seen: u64,
    deadline: Deadline,
) -> Parked {
    machine.turn(Step::Park(point.0));
    machine.drain();
    // From here until it sleeps nobody else runs: compared and slept in one, as a futex does.
    if word.seen(machine) != seen {
        return Parked::Awake;
    }
    let passed = || deadline.passed(machine.state.borrow().now);
    if passed() {
        return Parked::TimedOut;
    }
    let Some(until) = latest(machine, deadline) else { return Parked::Awake };
    let timed_out = machine.sleep(Place::Point(point.0), word.as_ptr().addr(), until);
    if timed_out && passed() { Parked::TimedOut } else { Parked::Awake }
}

fn park_any(machine: &Machine, waits: &[Waiting<'_, Sim>], deadline: Deadline) -> Option<usize> {
    machine.turn(Step::Park(waits.first()?.point.0));
    machine.drain();
    // As in `park`.
    if waits.iter().any(|wait| wait.word.seen(machine) != wait.seen) {
        return None;
    }
    let until = latest(machine, deadline)?;
    let place = |wait: &Waiting<'_, Sim>| (Place::Point(wait.point.0), wait.word.as_ptr().addr());
    let places: Vec<_> = waits.iter().map(place).collect();
    machine.sleep_any(&places, until)
}

/// Until when it sleeps at most, which may be earlier for no reason; none if that is now.
fn latest(machine: &Machine, deadline: Deadline) -> Option<Deadline> {
    let mut state = machine.state.borrow_mut();
    if deadline.passed(state.now) {
        return None;
    }
    let until = deadline.min(state.nap().map_or(Deadline::NEVER, Deadline::at));
    (!until.passed(state.now)).then_some(until)
}
