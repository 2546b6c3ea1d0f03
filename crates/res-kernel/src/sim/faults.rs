//! What a machine may do to a program in which nothing is wrong.

use core::time::Duration;

use res_api::ErrorKind;
use res_sync::Instant;

use super::machine::{Machine, State};
use super::run::inside;
use super::trace::Step;
use crate::KernelError;

/// Once in so many sleeps, unless told otherwise.
const SPURIOUS: u32 = 64;
/// The shortest and the longest that somebody sleeps who need not: this, doubled so many times.
const MOMENT: Duration = Duration::from_micros(1);
const DOUBLED: usize = 16;
/// The same, for how far the clock jumps: from a millisecond to nine minutes.
const JUMP: Duration = Duration::from_millis(1);
const FARTHER: usize = 20;

/// Faults of the machine below, which a program has to live with.
///
/// All that happens at random is decided by the scheduler, so by the seed, and is a [`Step`] of the
/// run. What no machine does is not here: one that keeps the contract of
/// [`Park`](res_sync::Park) loses no wake-up. A domain that dies is
/// [`Simulation::kill`](super::Simulation::kill).
///
/// ```
/// use res_kernel::Kernel;
/// use res_kernel::sim::{Failing, Faults, Simulation};
///
/// let faults = Faults { memory: Failing::The(2), ..Faults::default() };
/// let outcome = Simulation::new(1).faults(faults).run(|sim| {
///     assert!(sim.memory(1).is_ok());
///     assert!(sim.memory(1).is_err());
///     assert!(sim.memory(1).is_ok());
/// });
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Once in so many times a thread that sleeps at a point wakes for no reason, at once or after a
    /// while; never for 0. Once in 64 times unless told otherwise.
    pub spurious: u32,
    /// Once in so many times who is woken hears of it later, up to 30 ms; never for 0.
    pub late: u32,
    /// Once in so many steps the clock jumps, up to nine minutes; never for 0. It never goes back.
    pub jumps: u32,
    /// When there is no memory for an object or a mapping: `NoMemory`.
    pub memory: Failing,
    /// When no point, thread or domain can be made, or no thread can be started: `NoSlots`.
    pub creation: Failing,
}

impl Default for Faults {
    fn default() -> Self {
        let (memory, creation) = (Failing::Never, Failing::Never);
        Self { spurious: SPURIOUS, late: 0, jumps: 0, memory, creation }
    }
}

/// Which of many like operations fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failing {
    /// None.
    #[default]
    Never,
    /// That one alone; the first is 1.
    The(u64),
    /// That one, and all behind it.
    From(u64),
    /// One in so many, at random.
    OneIn(u32),
}

/// How often something was asked for that may fail.
#[derive(Debug, Default)]
pub(super) struct Asked {
    memory: u64,
    creation: u64,
}

impl State {
    /// Whether something happens that is allowed but rare; never for 0.
    pub(super) fn chance(&mut self, one_in: u32) -> bool {
        one_in != 0 && self.scheduler.chance(one_in)
    }

    fn some(&mut self, shortest: Duration, doubled: usize) -> Duration {
        shortest * (1 << self.scheduler.pick(doubled))
    }

    fn later(&self, span: Duration) -> Instant {
        self.now + span
    }

    /// Until when a thread sleeps at most that is about to, if it is to wake for no reason.
    pub(super) fn nap(&mut self) -> Option<Instant> {
        if !self.chance(self.settings.faults.spurious) {
            return None;
        }
        let at_once = self.scheduler.pick(2) == 0;
        let span = if at_once { Duration::ZERO } else { self.some(MOMENT, DOUBLED) };
        let until = self.later(span);
        self.note(self.running, Step::Nap(until.as_nanos()));
        Some(until)
    }

    /// When that thread hears that it was woken, if it does so later.
    pub(super) fn delay(&mut self, thread: u32) -> Option<Instant> {
        if !self.chance(self.settings.faults.late) {
            return None;
        }
        let span = self.some(MOMENT, DOUBLED);
        self.note(self.running, Step::Late(thread));
        Some(self.later(span))
    }

    /// The clock may jump.
    pub(super) fn jump(&mut self) {
        if self.chance(self.settings.faults.jumps) {
            let span = self.some(JUMP, FARTHER);
            let until = self.later(span);
            self.note(0, Step::Jump(until.as_nanos()));
            self.pass(until);
        }
    }

    /// Whether the operation that is the `asked`th of its kind fails.
    fn fails(&mut self, failing: Failing, asked: u64) -> bool {
        let fails = match failing {
            Failing::Never => false,
            Failing::The(one) => asked == one,
            Failing::From(first) => asked >= first,
            Failing::OneIn(many) => self.chance(many),
        };
        if fails {
            self.note(self.running, Step::Refused);
        }
        fails
    }

    fn lacks_memory(&mut self) -> bool {
        self.asked.memory += 1;
        self.fails(self.settings.faults.memory, self.asked.memory)
    }

    fn lacks_slots(&mut self) -> bool {
        self.asked.creation += 1;
        self.fails(self.settings.faults.creation, self.asked.creation)
    }
}

/// Refuses where the run is short of it.
fn unless(lacks: impl FnOnce(&mut State) -> bool, refused: KernelError) -> Result<(), KernelError> {
    let lacks = inside(|machine: &Machine| lacks(&mut machine.state.borrow_mut()));
    if lacks == Some(true) { Err(refused) } else { Ok(()) }
}

/// There is memory for that.
pub(super) fn memory_for(operation: &'static str) -> Result<(), KernelError> {
    unless(State::lacks_memory, KernelError::new(operation, ErrorKind::NoMemory))
}

/// There is a slot for that.
pub(super) fn slot_for(operation: &'static str) -> Result<(), KernelError> {
    unless(State::lacks_slots, KernelError::new(operation, ErrorKind::NoSlots))
}
