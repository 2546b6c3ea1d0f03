//! A run: from the seed to its outcome.

use core::cell::{Cell, RefCell};
use core::ptr;
use std::boxed::Box;
use std::rc::Rc;

use res_sync::Barrier;

use super::domain::COMPOSER;
use super::faults::Faults;
use super::fiber::Fiber;
use super::machine::{Body, FIRST, Machine, Settings, Stage, State};
use super::outcome::Outcome;
use super::rng::Rng;
use super::schedule::{Exhaustive, Path, Pct, Random, Scheduler, Strict, Why};
use super::{Sim, panics};

/// More steps than any test needs.
const STEPS: u64 = 20_000_000;
const CORES: u32 = 4;
const SPIN: u32 = 6;

std::thread_local! {
    /// The machine of the run that this OS thread is in.
    static MACHINE: Cell<*const Machine> = const { Cell::new(ptr::null()) };
    /// How many runs there were in this OS thread.
    static RUNS: Cell<u64> = const { Cell::new(0) };
    /// How many simulated threads were unwinding when they ended for ever: std counts them still.
    static LOST: Cell<u32> = const { Cell::new(0) };
}

/// Threads that std takes for unwinding, and that are of runs that are over.
pub(super) fn lost_unwinding() -> u32 {
    LOST.get()
}

/// Calls `f` if the caller is a simulated thread.
pub(super) fn inside<R>(f: impl FnOnce(&Machine) -> R) -> Option<R> {
    // SAFETY: either null, or the machine in the frame of the `Simulation::go` that this OS thread
    // is in: it outlives all code that its threads run, and takes the pointer away before it goes.
    let machine = unsafe { MACHINE.get().as_ref() }?;
    (machine.current.get() != 0).then(|| f(machine))
}

/// Takes the machine away at the end of a run, also by a panic.
struct Entered;

impl Entered {
    fn new(machine: &Machine) -> Self {
        let before = MACHINE.replace(ptr::from_ref(machine));
        assert!(before.is_null(), "a simulation within a simulation");
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        MACHINE.set(ptr::null());
    }
}

/// The settings of a run.
///
/// # Example
///
/// ```
/// use res_kernel::sim::{Pct, Simulation};
/// use res_sync::{Barrier, Park};
///
/// let outcome = Simulation::new(1)
///     .scheduler(Pct::new(1, 3))
///     .barrier(Barrier::Fence)
///     .run(|sim| assert_eq!(sim.current(), 1));
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Debug)]
pub struct Simulation {
    seed: u64,
    scheduler: Box<dyn Scheduler>,
    settings: Settings,
}

impl Simulation {
    /// What that seed stands for: the scheduler and its own seed, which barrier is agreed on, how
    /// many cores there are, and whether waiters spin.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let barrier = if rng.one_in(4) { Barrier::Fence } else { Barrier::Asymmetric };
        let kind = rng.below(8);
        let (own, depth) = (rng.next(), 2 + rng.below(4) as u32);
        let scheduler: Box<dyn Scheduler> = match kind {
            0..5 => Box::new(Random::new(own)),
            5..7 => Box::new(Pct::new(own, depth)),
            _ => Box::new(Strict::new(own)),
        };
        let cores = if kind < 7 { CORES } else { 1 + rng.below(2) as u32 };
        // On one core nobody spins (H5).
        let spin = if cores > 1 && rng.one_in(4) { SPIN } else { 0 };
        let (steps, record, faults, kill) = (STEPS, false, Faults::default(), None);
        let settings = Settings { barrier, cores, spin, steps, record, faults, kill };
        Self { seed, scheduler, settings }
    }

    /// Who decides.
    #[must_use]
    pub fn scheduler(mut self, scheduler: impl Scheduler + 'static) -> Self {
        self.scheduler = Box::new(scheduler);
        self
    }

    /// With a scheduler that asks the one there was.
    pub(super) fn wrap<S: Scheduler + 'static>(
        self,
        with: impl FnOnce(Box<dyn Scheduler>) -> S,
    ) -> Self {
        Self { scheduler: Box::new(with(self.scheduler)), ..self }
    }

    /// The barrier that all threads agree on.
    #[must_use]
    pub fn barrier(mut self, barrier: Barrier) -> Self {
        self.settings.barrier = barrier;
        self
    }

    /// How many cores the machine says that it has. With one, all threads store through one
    /// buffer; with more, each has its own, and keeps it where another one runs on its core
    /// meanwhile. [`Strict`] has each core run threads of its own; the others care for priorities and
    /// cores no more than a machine with a core for each thread does.
    #[must_use]
    pub fn cores(mut self, cores: u32) -> Self {
        self.settings.cores = cores.max(1);
        self
    }

    /// How often a waiter looks before it sleeps.
    #[must_use]
    pub fn spin_limit(mut self, looks: u32) -> Self {
        self.settings.spin = looks;
        self
    }

    /// After how many steps a run has failed: twenty million unless told otherwise.
    #[must_use]
    pub fn steps(mut self, steps: u64) -> Self {
        self.settings.steps = steps;
        self
    }

    /// Kills that domain at the so-manieth step that anybody takes after it began, if it lives then.
    /// Domains are numbered from 1 on, as they are started. For trying each step of a scene: where
    /// the hash of the outcome is that of a run without, it was over.
    #[must_use]
    pub fn kill(mut self, domain: u32, step: u64) -> Self {
        self.settings.kill = Some((domain, step));
        self
    }

    /// What the machine below does to the program.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.settings.faults = faults;
        self
    }

    /// Keeps a list of all steps: [`Outcome::events`].
    #[must_use]
    pub fn record(mut self) -> Self {
        self.settings.record = true;
        self
    }

    /// Runs `body`, as thread 1, until all threads have ended or something fails.
    ///
    /// # Panics
    ///
    /// Inside of another run.
    pub fn run(self, body: impl FnOnce(Sim) + 'static) -> Outcome {
        let Self { seed, scheduler, settings } = self;
        go(seed, scheduler, settings, Box::new(move || body(Sim)))
    }

    /// Runs `body` in every order that there is within `bound`: so many times a thread is stopped
    /// that could go on, or a store becomes visible before it has to. For small programs; `most`
    /// runs at most. It ends at the first failure.
    ///
    /// ```
    /// use res_kernel::sim::Simulation;
    ///
    /// let explored = Simulation::new(0).explore(2, 100, |_| {});
    /// assert!(explored.complete && explored.failed.is_none());
    /// assert_eq!(explored.runs, 1);
    /// ```
    ///
    /// # Panics
    ///
    /// Inside of another run, or if `body` does not do the same in each run.
    pub fn explore(self, bound: u32, most: u64, body: impl Fn(Sim) + Clone + 'static) -> Explored {
        let path = Rc::new(RefCell::new(Path::default()));
        let mut runs = 0;
        while runs < most {
            let scheduler = Exhaustive::new(Rc::clone(&path), bound);
            let body = body.clone();
            let body = Box::new(move || body(Sim));
            let outcome = go(self.seed, Box::new(scheduler), self.settings, body);
            runs += 1;
            if outcome.failure.is_some() {
                return Explored { runs, complete: false, failed: Some(outcome) };
            }
            assert!(!path.borrow().strayed(), "the program does not do the same in each run");
            if !path.borrow_mut().advance() {
                return Explored { runs, complete: true, failed: None };
            }
        }
        Explored { runs, complete: false, failed: None }
    }
}

/// What came of running every order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a run may have failed"]
pub struct Explored {
    /// How many runs there were.
    pub runs: u64,
    /// Whether those were all within the bound.
    pub complete: bool,
    /// The first that failed.
    pub failed: Option<Outcome>,
}

fn go(
    seed: u64,
    scheduler: Box<dyn Scheduler>,
    settings: Settings,
    body: Box<dyn FnOnce()>,
) -> Outcome {
    panics::listen();
    let machine = Machine::new(settings, scheduler, seed, RUNS.replace(RUNS.get() + 1));
    let entered = Entered::new(&machine);
    {
        let mut state = machine.state.borrow_mut();
        let first = state.add(Body::First(body), COMPOSER);
        state.start(first);
        state.next = Some(FIRST);
    }
    turn_by_turn(&machine);
    drop(entered);
    outcome(seed, machine.state.into_inner())
}

/// Resumes one thread after the other, until nobody is next.
fn turn_by_turn(machine: &Machine) {
    loop {
        let (id, mut fiber) = {
            let mut state = machine.state.borrow_mut();
            let Some(id) = state.next else { return };
            state.running = id;
            let thread = state.thread(id);
            // It stays in its place while it runs, where the thread finds the way out of it.
            match (thread.fiber.take(), thread.body.take()) {
                (Some(fiber), _) => (id, fiber),
                (None, Some(body)) => (id, Fiber::new(body)),
                (None, None) => unreachable!("thread {id} has ended"),
            }
        };
        machine.current.set(id);
        let ended = fiber.resume();
        machine.current.set(0);
        let undelivered = {
            let mut state = machine.state.borrow_mut();
            if state.thread(id).stage == Stage::Ended {
                // Killed while it ran. SAFETY: it does not run, and all that could point into its
                // stack was of its domain, which has ended.
                unsafe { fiber.abandon() };
            } else if ended {
                state.end(id);
                state.next = state.decide(Why::Blocked, None);
            } else {
                state.thread(id).fiber = Some(fiber);
            }
            state.undelivered()
        };
        drop(undelivered);
    }
}

fn outcome(seed: u64, state: State) -> Outcome {
    LOST.set(state.unwinding_elsewhere);
    let (hash, events) = state.trace.finish();
    Outcome {
        seed,
        hash,
        steps: state.steps,
        switches: state.switches,
        now: state.now,
        events,
        panics: state.panics,
        failure: state.failure,
    }
}
