//! Domains: sets of threads that end together, at any step.

use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::vec::Vec;

use res_api::ErrorKind;
use res_sync::Deadline;

use super::faults::slot_for;
use super::machine::{Body, Machine, State};
use super::outcome::Place;
use super::run::inside;
use super::socket::{Pipes, Undelivered};
use super::trace::Step;
use super::{Sim, SimFile, SimPoint, SimSocket};
use crate::{
    Confinement, Domain, DomainEnd, DomainEntry, EntryCode, Isolation, KernelError, Restriction,
    ThreadEntry,
};

/// The domain that the first thread of a run is of.
pub(super) const COMPOSER: u32 = 0;
/// What a domain is said to be killed by.
const SIGNAL: i32 = 9;
const START: &str = "start a domain";

/// What there is of domains in a run.
#[derive(Default)]
pub(super) struct Domains {
    /// How each ended, in the order of their numbers, which begin at 1.
    ends: Vec<Known>,
    /// The entries that have been named: what travels is a place in here.
    entries: Vec<DomainEntry<Sim>>,
    /// By number: which points are between domains.
    between: Vec<bool>,
    pub(super) pipes: Pipes,
}

/// What is known of a domain.
struct Known {
    /// The thread that runs its entry.
    first: u32,
    /// The step of the run that it began behind.
    began: u64,
    /// What came of the entry.
    entry: Option<DomainEnd>,
    end: Option<DomainEnd>,
}

impl Domains {
    fn known(&mut self, domain: u32) -> &mut Known {
        &mut self.ends[domain as usize - 1]
    }

    pub(super) fn is_between(&self, place: Place) -> bool {
        let Place::Point(point) = place else { return false };
        self.between.get(point as usize).is_some_and(|between| *between)
    }
}

impl State {
    /// How that domain ended.
    fn end_of(&mut self, domain: u32) -> Option<DomainEnd> {
        self.domains.known(domain).end
    }

    /// All threads of the domain stop where they are: no destructor runs, what they have stored is
    /// there for all, and what they had of sockets is closed.
    fn end_domain(&mut self, domain: u32, end: DomainEnd) {
        if self.end_of(domain).is_some() {
            return;
        }
        self.domains.known(domain).end = Some(end);
        for thread in self.threads_of(domain) {
            if let Some(fiber) = self.stop(thread) {
                // SAFETY: it is not running, or it would not be here. What could point into its
                // stack is of its domain, of which nothing runs any more.
                unsafe { fiber.abandon() };
            }
        }
        for end in self.domains.pipes.ends_of(domain) {
            self.close(end);
        }
        self.wake_all(Place::EndOfDomain(domain));
    }

    /// The thread has run to its end, and its domain with it if it ran the entry. With the last
    /// thread of the composer all other domains end.
    pub(super) fn ended_in_domain(&mut self, thread: u32) {
        let domain = self.thread(thread).domain;
        if domain != COMPOSER {
            let known = self.domains.known(domain);
            if known.first == thread {
                let end = known.entry.unwrap_or(DomainEnd::Panicked);
                self.end_domain(domain, end);
            }
        } else if !self.domains.ends.is_empty() && self.threads_of(COMPOSER).is_empty() {
            for domain in 1..=self.domains.ends.len() as u32 {
                self.end_domain(domain, DomainEnd::Killed(SIGNAL));
            }
        }
    }

    /// Kills who is to die at this step. True if somebody was.
    pub(super) fn kill_at_this_step(&mut self) -> bool {
        let Some((domain, step)) = self.settings.kill else { return false };
        let known = (domain as usize).checked_sub(1).and_then(|at| self.domains.ends.get(at));
        let now = known.is_some_and(|it| it.end.is_none() && it.began + step == self.steps);
        if now {
            self.end_domain(domain, DomainEnd::Killed(SIGNAL));
        }
        now
    }

    /// What was sent to domains that have ended. To be dropped where the state is not borrowed.
    pub(super) fn undelivered(&mut self) -> Undelivered {
        let undelivered = self.domains.pipes.take_undelivered();
        if undelivered.has_objects() {
            // No thread unmaps these, so nobody else sees to it that nothing stored there stays.
            self.buffers.drain_all();
        }
        undelivered
    }
}

impl Machine {
    /// The domain of the calling thread.
    pub(super) fn domain(&self) -> u32 {
        self.state.borrow_mut().thread(self.current.get()).domain
    }

    /// A thread of the domain of the calling one.
    pub(super) fn add(&self, entry: ThreadEntry) -> u32 {
        let domain = self.domain();
        self.state.borrow_mut().add(Body::Entry(entry), domain)
    }

    fn begin(&self, entry: DomainEntry<Sim>) -> (SimDomain, SimSocket) {
        let mut state = self.state.borrow_mut();
        let domain = state.domains.ends.len() as u32 + 1;
        let (here, there) = state.domains.pipes.add(COMPOSER, domain);
        let [here, there] = [here, there].map(|end| SimSocket { run: self.run, end });
        let body = Body::First(Box::new(move || live(domain, entry, there)));
        let (first, began) = (state.add(body, domain), state.steps);
        state.domains.ends.push(Known { first, began, entry: None, end: None });
        state.start(first);
        (SimDomain { run: self.run, number: domain }, here)
    }
}

/// The first thread of a domain.
fn live(domain: u32, entry: DomainEntry<Sim>, socket: SimSocket) {
    let result = catch_unwind(AssertUnwindSafe(|| entry(Sim, socket)));
    inside(|machine| {
        let end = if result.is_ok() { DomainEnd::Returned } else { DomainEnd::Panicked };
        if result.is_err() {
            machine.caught();
        }
        machine.state.borrow_mut().domains.known(domain).entry = Some(end);
    });
    // What a panic carries may panic as it is dropped.
    core::mem::forget(result);
}

/// A set of simulated threads that began at an entry, and ends as a whole: when the entry returns
/// or panics, when it is killed, or behind the last thread of who composed the run.
///
/// Threads that it starts are of it. They stop where they are: no destructor runs, and what they
/// hold is leaked.
///
/// ```
/// use res_kernel::sim::SimSocket;
/// use res_kernel::{Domain, DomainEnd, Isolation, Sim};
/// use res_sync::Deadline;
///
/// fn at_once(_: Sim, _: SimSocket) {}
///
/// let outcome = Sim::run(1, |sim| {
///     let (domain, _socket) = sim.domain(at_once).expect("a domain");
///     assert_eq!(domain.wait(Deadline::NEVER), Some(DomainEnd::Returned));
/// });
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Debug)]
pub struct SimDomain {
    run: u64,
    number: u32,
}

impl SimDomain {
    /// Calls `f` in a thread of the same run.
    fn within<R>(&self, f: impl FnOnce(&Machine) -> R) -> Option<R> {
        inside(|machine| (machine.run == self.run).then(|| f(machine))).flatten()
    }
}

fn start(entry: DomainEntry<Sim>) -> Result<(SimDomain, SimSocket), KernelError> {
    let begun = inside(|machine| {
        if machine.domain() != COMPOSER {
            return Err(KernelError::new(START, ErrorKind::Denied));
        }
        slot_for(START)?;
        let next = machine.state.borrow().domains.ends.len() as u32 + 1;
        machine.turn(Step::Begin(next));
        machine.drain();
        Ok(machine.begin(entry))
    });
    begun.unwrap_or(Err(KernelError::new(START, ErrorKind::Invalid)))
}

/// What stands for a program that was built by itself: an entry of this one.
///
/// ```
/// use res_kernel::sim::{SimProgram, SimSocket};
/// use res_kernel::{Domain, DomainEnd, Isolation, Sim};
/// use res_sync::Deadline;
///
/// let program = SimProgram::new(|_: Sim, _: SimSocket| {});
/// let outcome = Sim::run(1, move |sim| {
///     let (domain, _socket) = sim.domain_of(&program).expect("a domain");
///     assert_eq!(domain.wait(Deadline::NEVER), Some(DomainEnd::Returned));
/// });
/// assert_eq!(outcome.failure, None);
/// ```
#[derive(Clone, Debug)]
pub struct SimProgram(DomainEntry<Sim>);

impl SimProgram {
    /// One that begins there.
    pub fn new(entry: DomainEntry<Sim>) -> Self {
        Self(entry)
    }
}

impl Isolation for Sim {
    type File = SimFile;
    type Socket = SimSocket;
    type Domain = SimDomain;
    type Program = SimProgram;

    fn between(&self, point: &SimPoint) {
        inside(|machine| {
            let between = &mut machine.state.borrow_mut().domains.between;
            let at = point.0 as usize;
            if between.len() <= at {
                between.resize(at + 1, false);
            }
            between[at] = true;
        });
    }

    fn code_of(&self, entry: DomainEntry<Self>) -> Result<EntryCode, KernelError> {
        let code = inside(|machine| {
            let entries = &mut machine.state.borrow_mut().domains.entries;
            let known = entries.iter().position(|one| *one as usize == entry as usize);
            known.unwrap_or_else(|| {
                entries.push(entry);
                entries.len() - 1
            })
        });
        let outside = KernelError::new("name an entry outside of a simulation", ErrorKind::Invalid);
        code.map(|code| EntryCode(code as u64)).ok_or(outside)
    }

    fn domain_at(&self, entry: EntryCode) -> Result<(SimDomain, SimSocket), KernelError> {
        let entry = inside(|machine| {
            let entries = &machine.state.borrow().domains.entries;
            usize::try_from(entry.0).ok().and_then(|at| entries.get(at).copied())
        });
        start(entry.flatten().ok_or(KernelError::new(START, ErrorKind::Invalid))?)
    }

    fn domain_of(&self, program: &SimProgram) -> Result<(SimDomain, SimSocket), KernelError> {
        start(program.0)
    }

    /// All of it: there is nothing else that a domain could ask for.
    fn confinement(&self) -> Result<Confinement, KernelError> {
        Ok(Restriction::ALL.into_iter().fold(Confinement::NONE, Confinement::with))
    }
}

impl Domain for SimDomain {
    fn id(&self) -> u64 {
        self.number.into()
    }

    /// It is over when this returns.
    fn kill(&self) {
        let undelivered = self.within(|machine| {
            machine.turn(Step::Kill(self.number));
            let mut state = machine.state.borrow_mut();
            state.end_domain(self.number, DomainEnd::Killed(SIGNAL));
            state.undelivered()
        });
        drop(undelivered);
    }

    fn wait(&self, deadline: Deadline) -> Option<DomainEnd> {
        self.within(|machine| {
            machine.turn(Step::Await(self.number));
            machine.drain();
            loop {
                let (end, now) = {
                    let mut state = machine.state.borrow_mut();
                    (state.end_of(self.number), state.now)
                };
                if end.is_some() || deadline.passed(now) {
                    return end;
                }
                machine.sleep(Place::EndOfDomain(self.number), 0, deadline);
            }
        })
        .flatten()
    }
}

impl Drop for SimDomain {
    fn drop(&mut self) {
        let ended = |machine: &Machine| machine.state.borrow_mut().end_of(self.number).is_some();
        if self.within(ended) == Some(false) {
            self.kill();
        }
    }
}
