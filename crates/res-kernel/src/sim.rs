//! The deterministic simulator: a machine whose every decision comes from a seed.
//!
//! | operation | in a simulation |
//! |---|---|
//! | time | virtual: it passes when no thread can run |
//! | park, wake | compared and slept in one; which sleeper is woken is chosen; some wake for no reason |
//! | words | behind a store buffer for each thread ([`SimModel`]) |
//! | heavy barrier | empties all store buffers |
//! | thread | a coroutine, all on the OS thread that runs the simulation |
//! | which thread runs | chosen before each step by a [`Scheduler`]: [`Random`], [`Pct`], [`Strict`], or [all orders](Simulation::explore) |
//! | memory | bytes of the process |
//! | domain | a set of threads, which can be killed at any step |
//! | faults | wakes without a reason or late, no memory, no slots, a clock that jumps: [`Faults`] |
//! | socket | two queues of messages |
//!
//! A step is an access to a word, a fence, a look at the clock, a sleep, a waking, a start, a
//! join, a yield, what is done to sockets and domains. What a thread does between two steps nobody else can notice, if it has no data
//! races.
//!
//! ```
//! use core::sync::atomic::Ordering::Relaxed;
//! use core::time::Duration;
//! use res_kernel::{Kernel, Sim};
//! use res_sync::{Deadline, Event, Park, WaitError, model::Atomic};
//!
//! let outcome = Sim::run(42, |sim| {
//!     let (point, word) = (sim.point().expect("a point"), Atomic::new(0));
//!     let event = Event { park: &sim, point: &point, word: &word, barrier: sim.barrier() };
//!     let tomorrow = Deadline::at(sim.now() + Duration::from_secs(86_400));
//!     // It is tomorrow at once: nobody else can run.
//!     assert_eq!(event.wait_until(tomorrow, || None::<()>), Err(WaitError::TimedOut));
//! });
//! assert_eq!(outcome.failure, None);
//! ```
//!
//! # What to know
//!
//! * All simulated threads are one thread of the system: what std keeps for each thread they share,
//!   and a lock of std that is held over a step may be waited for for ever. Use
//!   [`res_sync::Mutex`].
//! * A word belongs to the threads of one run. Used by others it is a word like any other.
//! * Panics of simulated threads are not printed but told in [`Outcome::panics`].
//! * A thread that never ends leaves its stack, and what lies there, for ever: no destructor runs.
//!
//! # What it does not do yet
//!
//! * Several address spaces: domains share the heap, and what a domain holds when it is killed is
//!   leaked.
//! * Weaker orders than total store order.

mod buffers;
mod chrome;
mod domain;
mod faults;
mod fiber;
mod file;
mod machine;
mod memory;
mod model;
mod outcome;
mod panics;
mod park;
mod rng;
mod run;
mod schedule;
mod seeds;
mod shrink;
mod socket;
mod thread;
mod trace;
mod words;

use core::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};

use res_api::ErrorKind;
use res_sync::Barrier;

use crate::{Kernel, KernelError, Panicked, ThreadEntry};

pub use chrome::ChromeTrace;
pub use domain::{SimDomain, SimProgram};
pub use faults::{Failing, Faults};
pub use file::SimFile;
pub use memory::SimMemory;
pub use model::{SimModel, SimU32, SimU64};
pub use outcome::{Failure, Outcome, Place, Waiting};
pub use park::SimPoint;
pub use run::{Explored, Simulation};
pub use schedule::{Move, Pct, Random, Runnable, Scheduler, Strict, Turn, Why};
pub use seeds::{Found, Seeds, Summary};
pub use socket::SimSocket;
pub use thread::SimThread;
pub use trace::{Event, Step, Transcript};

/// Who a thread is that is not simulated.
const OUTSIDER: u32 = (1 << 31) - 1;

/// The simulated machine that the calling thread runs on.
///
/// A token of no size: it means the run that it is used in.
///
/// # Example
///
/// ```
/// use res_kernel::Sim;
/// use res_sync::Park;
///
/// let outcome = Sim::run(1, |sim| assert_eq!(sim.current(), 1));
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Sim;

impl Sim {
    /// The machine of the run that the calling thread is in. Costs nothing.
    ///
    /// ```
    /// const MACHINE: res_kernel::Sim = res_kernel::Sim::new();
    /// assert_eq!(size_of_val(&MACHINE), 0);
    /// ```
    pub const fn new() -> Self {
        Self
    }

    /// Runs `body` as the first thread of a machine, with all that the seed decides, until all
    /// threads have ended or something fails. A function of the seed, if `body` looks at nothing
    /// but what it is given.
    ///
    /// ```
    /// use res_kernel::Sim;
    /// use res_kernel::sim::Failure;
    ///
    /// let outcome = Sim::run(1, |_| panic!("so much"));
    /// let message = String::from("so much");
    /// assert_eq!(outcome.failure, Some(Failure::Panicked { thread: 1, message }));
    /// ```
    ///
    /// # Panics
    ///
    /// Inside of another run.
    pub fn run(seed: u64, body: impl FnOnce(Self) + 'static) -> Outcome {
        Simulation::new(seed).run(body)
    }
}

impl Kernel for Sim {
    type Thread = SimThread;
    type Memory = SimMemory;

    fn cores(&self) -> u32 {
        run::inside(|machine| machine.state.borrow().settings.cores).unwrap_or(1)
    }

    fn barrier(&self) -> Barrier {
        run::inside(|machine| machine.state.borrow().settings.barrier).unwrap_or_default()
    }

    fn point(&self) -> Result<SimPoint, KernelError> {
        faults::slot_for("make a point")?;
        let number = run::inside(|machine| {
            let mut state = machine.state.borrow_mut();
            state.points += 1;
            state.points
        });
        Ok(SimPoint(number.unwrap_or(0)))
    }

    /// Lets another thread run: that one, if it can. A microsecond passes.
    fn yield_to(&self, thread: Option<u32>) {
        run::inside(|machine| machine.yield_to(thread));
    }

    unsafe fn thread(&self, entry: ThreadEntry) -> Result<SimThread, KernelError> {
        faults::slot_for("make a thread")?;
        let made = run::inside(|machine| SimThread { run: machine.run, id: machine.add(entry) });
        made.ok_or(KernelError::new("make a thread outside of a simulation", ErrorKind::Invalid))
    }

    fn memory(&self, bytes: u64) -> Result<SimMemory, KernelError> {
        SimMemory::new(bytes)
    }

    fn guard(&self, body: &mut dyn FnMut()) -> Result<(), Panicked> {
        catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
            run::inside(machine::Machine::caught);
            // What a panic carries may panic as it is dropped; what that one carries is leaked.
            if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                run::inside(machine::Machine::caught);
                forget(another);
            }
            Panicked
        })
    }
}
