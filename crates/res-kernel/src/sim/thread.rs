//! Simulated threads: made first, started later (R6).

use res_api::{ErrorKind, ThreadParam};
use res_sync::Deadline;

use super::faults::slot_for;
use super::machine::{Machine, ORDINARY, Stage};
use super::outcome::Place;
use super::run::inside;
use super::trace::Step;
use crate::{KernelError, KernelThread};

/// A thread of a simulation.
///
/// A priority and a core are for the scheduler, which may be one that heeds them. There are no
/// periods and no budgets: `Invalid`.
///
/// ```
/// use res_kernel::{Kernel, KernelThread, Sim, ThreadEntry};
///
/// unsafe fn nothing(_: *mut ()) {}
///
/// let outcome = Sim::run(1, |sim| {
///     let entry = ThreadEntry { run: nothing, data: core::ptr::null_mut() };
///     // SAFETY: `nothing` touches nothing.
///     let thread = unsafe { sim.thread(entry) }.expect("a thread");
///     thread.start().expect("a start");
///     thread.join();
/// });
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Debug)]
pub struct SimThread {
    pub(super) run: u64,
    pub(super) id: u32,
}

impl SimThread {
    /// Calls `f` in a thread of the same run.
    fn within<R>(
        &self,
        operation: &'static str,
        f: impl FnOnce(&Machine) -> Result<R, KernelError>,
    ) -> Result<R, KernelError> {
        inside(|machine| (machine.run == self.run).then(|| f(machine)))
            .flatten()
            .unwrap_or(Err(KernelError::new(operation, ErrorKind::Stale)))
    }

    fn stage(&self, machine: &Machine) -> Stage {
        machine.state.borrow_mut().thread(self.id).stage
    }
}

impl KernelThread for SimThread {
    fn id(&self) -> u32 {
        self.id
    }

    fn set(&self, param: ThreadParam) -> Result<(), KernelError> {
        const SET: &str = "set a parameter of a thread";
        self.within(SET, |machine| {
            let mut state = machine.state.borrow_mut();
            match param {
                ThreadParam::Priority(priority @ 1..=31) => {
                    state.set_priority(self.id, priority);
                    Ok(())
                }
                ThreadParam::Core(core) if core < state.settings.cores => {
                    state.set_core(self.id, Some(core));
                    Ok(())
                }
                _ => Err(KernelError::new(SET, ErrorKind::Invalid)),
            }
        })
    }

    fn reset(&self) {
        // Of a run that is over there is nothing to forget.
        let _ = self.within("forget parameters", |machine| {
            let mut state = machine.state.borrow_mut();
            state.set_priority(self.id, ORDINARY);
            state.set_core(self.id, None);
            Ok(())
        });
    }

    fn start(&self) -> Result<(), KernelError> {
        const START: &str = "start a thread";
        self.within(START, |machine| {
            if self.stage(machine) != Stage::Made {
                return Err(KernelError::new("start a thread again", ErrorKind::Invalid));
            }
            slot_for(START)?;
            machine.turn(Step::Start(self.id));
            // What it finds is all that was done before.
            machine.drain();
            machine.state.borrow_mut().start(self.id);
            Ok(())
        })
    }

    fn join(&self) {
        let _ = self.within("join a thread", |machine| {
            machine.turn(Step::Join(self.id));
            let itself = machine.current.get() == self.id;
            if self.stage(machine) == Stage::Started && !itself {
                machine.sleep(Place::EndOf(self.id), 0, Deadline::NEVER);
            }
            Ok(())
        });
    }
}
