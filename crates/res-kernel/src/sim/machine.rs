//! The simulated machine: threads of which one runs at a time, and a clock that stands still while
//! one does.

use core::cell::{Cell, RefCell};
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use res_sync::{Barrier, Deadline, Instant};

use super::buffers::Buffers;
use super::domain::{COMPOSER, Domains};
use super::faults::{Asked, Faults};
use super::fiber::{Fiber, Way, suspend};
use super::outcome::{Failure, Place, Waiting};
use super::run;
use super::schedule::{Move, Runnable, Scheduler, Turn, Why};
use super::trace::{Event, Step, Trace};
use crate::ThreadEntry;

/// The first thread, whose end is awaited like that of all others.
pub(super) const FIRST: u32 = 1;
/// The priority of threads that were not given one.
pub(super) const ORDINARY: u32 = 16;
/// What letting others run costs: a thread that polls the clock has to see it move.
const YIELD_NANOS: u64 = 1_000;
/// How many panics are remembered.
const PANICS: usize = 8;

/// What a run is made with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) barrier: Barrier,
    pub(super) cores: u32,
    pub(super) spin: u32,
    pub(super) steps: u64,
    pub(super) record: bool,
    pub(super) faults: Faults,
    /// A domain that dies so many steps after it began, by nobody's hand.
    pub(super) kill: Option<(u32, u64)>,
}

/// What a thread does.
pub(super) enum Body {
    First(Box<dyn FnOnce()>),
    Entry(ThreadEntry),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Made,
    Started,
    Ended,
}

/// A thread of the machine.
pub(super) struct Thread {
    pub(super) stage: Stage,
    pub(super) body: Option<Body>,
    pub(super) fiber: Option<Fiber>,
    /// The domain that it is of.
    pub(super) domain: u32,
    priority: u32,
    /// Where it was put, if anywhere.
    core: Option<u32>,
    /// Whether it was unwinding when it was last looked at.
    unwinding: bool,
    /// Which of the places where it last slept it was woken at; none if its deadline passed.
    woken_at: Option<usize>,
}

impl Thread {
    pub(super) fn set_unwinding(&mut self, unwinding: bool) {
        self.unwinding = unwinding;
    }
}

/// What a thread sleeps on.
struct Bed {
    place: Place,
    /// Whether the place is one that is between domains: there the word is what counts.
    between: bool,
    /// The address of the word; compared and nothing else.
    word: usize,
}

/// A thread that waits.
struct Sleeper {
    thread: u32,
    /// One, or several.
    beds: Vec<Bed>,
    deadline: Deadline,
}

/// A thread that was woken, and hears of it later.
struct Late {
    thread: u32,
    until: Instant,
}

/// All that changes. Borrowed for moments only, never while another thread runs.
pub(super) struct State {
    pub(super) settings: Settings,
    pub(super) scheduler: Box<dyn Scheduler>,
    pub(super) buffers: Buffers,
    /// In the order of their numbers, which begin at 1.
    threads: Vec<Thread>,
    /// In the order of their numbers.
    runnable: Vec<Runnable>,
    /// In the order in which they went to sleep.
    sleepers: Vec<Sleeper>,
    /// In the order in which they were woken.
    late: Vec<Late>,
    pub(super) asked: Asked,
    pub(super) points: u32,
    pub(super) domains: Domains,
    pub(super) now: Instant,
    pub(super) trace: Trace,
    pub(super) steps: u64,
    pub(super) switches: u64,
    /// Who runs, or ran last.
    pub(super) running: u32,
    /// Who runs next; nobody when the run is over.
    pub(super) next: Option<u32>,
    pub(super) failure: Option<Failure>,
    pub(super) panics: Vec<String>,
    /// How many of the threads that do not run are unwinding.
    pub(super) unwinding_elsewhere: u32,
}

/// The machine of a run.
pub(super) struct Machine {
    pub(super) state: RefCell<State>,
    /// The thread that runs, 0 between two of them.
    pub(super) current: Cell<u32>,
    /// How the thread that runs gives the processor back: set at its beginning, and whenever it
    /// goes on.
    pub(super) way: Cell<Option<Way>>,
    /// Whether no other thread may run now.
    pub(super) held: Cell<bool>,
    /// For messages.
    pub(super) seed: u64,
    /// Which run of this OS thread it is.
    pub(super) run: u64,
}

impl State {
    pub(super) fn thread(&mut self, thread: u32) -> &mut Thread {
        &mut self.threads[thread as usize - 1]
    }

    /// A thread that does not run yet.
    pub(super) fn add(&mut self, body: Body, domain: u32) -> u32 {
        self.threads.push(Thread {
            stage: Stage::Made,
            body: Some(body),
            fiber: None,
            domain,
            priority: ORDINARY,
            core: None,
            unwinding: false,
            woken_at: None,
        });
        self.threads.len() as u32
    }

    /// From now on it can run.
    pub(super) fn start(&mut self, thread: u32) {
        self.thread(thread).stage = Stage::Started;
        self.ready(thread);
    }

    pub(super) fn set_priority(&mut self, thread: u32, priority: u32) {
        self.thread(thread).priority = priority;
        self.reconsider(thread);
    }

    /// Where it runs from now on; `None` is wherever there is a place.
    pub(super) fn set_core(&mut self, thread: u32, core: Option<u32>) {
        self.thread(thread).core = core;
        self.reconsider(thread);
    }

    /// What the scheduler is told of it has changed.
    fn reconsider(&mut self, thread: u32) {
        let now = self.as_runnable(thread);
        self.runnable.iter_mut().filter(|one| one.thread == thread).for_each(|one| *one = now);
    }

    fn as_runnable(&mut self, thread: u32) -> Runnable {
        let cores = self.settings.cores;
        let Thread { priority, core, .. } = *self.thread(thread);
        Runnable { thread, priority, core: core.unwrap_or((thread - FIRST) % cores) }
    }

    fn ready(&mut self, thread: u32) {
        let runnable = self.as_runnable(thread);
        let at = self.runnable.partition_point(|one| one.thread < thread);
        self.runnable.insert(at, runnable);
    }

    /// It cannot run any more, and what it has stored is there for all.
    fn unready(&mut self, thread: u32) {
        self.buffers.drain(thread);
        self.runnable.retain(|one| one.thread != thread);
    }

    /// It has run to its end.
    pub(super) fn end(&mut self, thread: u32) {
        self.note(thread, Step::End);
        self.unready(thread);
        self.thread(thread).stage = Stage::Ended;
        self.wake_all(Place::EndOf(thread));
        self.ended_in_domain(thread);
    }

    /// It stops where it is. Its fiber, if that is not running.
    pub(super) fn stop(&mut self, thread: u32) -> Option<Fiber> {
        self.note(thread, Step::Stop);
        self.sleepers.retain(|sleeper| sleeper.thread != thread);
        self.late.retain(|late| late.thread != thread);
        self.unready(thread);
        let thread = self.thread(thread);
        thread.stage = Stage::Ended;
        // Not dropped: that would run its destructors.
        core::mem::forget(thread.body.take());
        thread.fiber.take()
    }

    /// Threads of that domain that have not ended.
    pub(super) fn threads_of(&self, domain: u32) -> Vec<u32> {
        let lives = |thread: &Thread| thread.domain == domain && thread.stage != Stage::Ended;
        let numbered = (1..).zip(&self.threads);
        numbered.filter(|(_, thread)| lives(thread)).map(|(number, _)| number).collect()
    }

    /// Wakes all that wait there.
    pub(super) fn wake_all(&mut self, place: Place) {
        self.wake(|sleeper| sleeper.beds.iter().position(|bed| bed.place == place));
    }

    pub(super) fn note(&mut self, thread: u32, step: Step) {
        let of = (thread as usize).checked_sub(1).and_then(|at| self.threads.get(at));
        let domain = of.map_or(COMPOSER, |thread| thread.domain);
        self.trace.note(Event { at: self.now, domain, thread, step });
    }

    /// Wakes all that sleep, where `which` says that each of them does.
    fn wake(&mut self, which: impl Fn(&Sleeper) -> Option<usize>) -> u32 {
        let mut woken = 0;
        let mut at = 0;
        while let Some(sleeper) = self.sleepers.get(at) {
            if let Some(bed) = which(sleeper) {
                self.wake_at(at, bed);
                woken += 1;
            } else {
                at += 1;
            }
        }
        woken
    }

    fn wake_at(&mut self, at: usize, bed: usize) {
        let Sleeper { thread, deadline, .. } = self.sleepers.remove(at);
        self.thread(thread).woken_at = Some(bed);
        match self.delay(thread) {
            None => self.rouse(self.running, thread),
            Some(until) => {
                let until = deadline.instant().map_or(until, |deadline| deadline.min(until));
                self.late.push(Late { thread, until });
            }
        }
    }

    fn rouse(&mut self, by: u32, thread: u32) {
        self.note(by, Step::Woke(thread));
        self.ready(thread);
    }

    /// Wakes those who sleep at that place on that word, or one of them.
    pub(super) fn unpark(&mut self, place: Place, word: usize, one: bool) -> u32 {
        let between = self.domains.is_between(place);
        let same = |bed: &Bed| if between { bed.between } else { bed.place == place };
        let here =
            |sleeper: &Sleeper| sleeper.beds.iter().position(|bed| same(bed) && bed.word == word);
        if !one {
            return self.wake(here);
        }
        let numbered = self.sleepers.iter().enumerate();
        let found: Vec<_> =
            numbered.filter_map(|(at, sleeper)| Some((at, here(sleeper)?))).collect();
        match found.len() {
            0 => 0,
            count => {
                let (at, bed) = found[self.scheduler.pick(count)];
                self.wake_at(at, bed);
                1
            }
        }
    }

    /// It is as late as `until`; whose deadline has passed, wakes.
    pub(super) fn pass(&mut self, until: Instant) {
        self.now = self.now.max(until);
        let now = self.now;
        while let Some(at) = self.sleepers.iter().position(|one| one.deadline.passed(now)) {
            let thread = self.sleepers.remove(at).thread;
            self.thread(thread).woken_at = None;
            self.rouse(0, thread);
        }
        while let Some(at) = self.late.iter().position(|late| late.until <= now) {
            let thread = self.late.remove(at).thread;
            self.rouse(0, thread);
        }
    }

    /// Nobody can run: it is as late as the next deadline. False where there is none.
    fn pass_to_next_deadline(&mut self) -> bool {
        let deadlines = self.sleepers.iter().filter_map(|sleeper| sleeper.deadline.instant());
        let next = deadlines.chain(self.late.iter().map(|late| late.until)).min();
        if let Some(next) = next {
            self.note(0, Step::Time(next.as_nanos()));
            self.pass(next);
        }
        next.is_some()
    }

    fn deadlock(&self) -> Option<Failure> {
        let waiting = |one: &Sleeper| {
            let (thread, bed) = (one.thread, one.beds.first()?);
            Some(Waiting { thread, place: bed.place })
        };
        let waiting: Vec<_> = self.sleepers.iter().filter_map(waiting).collect();
        (!waiting.is_empty()).then_some(Failure::Deadlock(waiting))
    }

    /// The run is over; the first reason counts.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    pub(super) fn remember_panic(&mut self, text: String) {
        if self.panics.len() == PANICS {
            self.panics.remove(0);
        }
        self.panics.push(text);
    }

    /// Who goes on; nobody if the run is over.
    pub(super) fn decide(&mut self, why: Why, current: Option<u32>) -> Option<u32> {
        self.decide_for(why, current, None)
    }

    /// The same, where the current thread asks for the thread `to`: if that can run, it does.
    fn decide_for(&mut self, why: Why, current: Option<u32>, to: Option<u32>) -> Option<u32> {
        if self.steps > self.settings.steps {
            self.fail(Failure::TooLong { steps: self.settings.steps });
        }
        if self.runnable.is_empty() && !self.pass_to_next_deadline() {
            self.failure = self.failure.take().or(self.deadlock());
            return None;
        }
        let to = to.filter(|to| current != Some(*to) && self.can_run(*to));
        while self.failure.is_none() {
            if to.is_some() {
                return to;
            }
            match self.choose(why, current) {
                Move::Run(thread) if self.can_run(thread) => return Some(thread),
                Move::Flush(thread) if self.buffers.flush_oldest(thread) => {
                    self.note(thread, Step::Flush);
                }
                impossible => self.fail(Failure::Impossible(impossible)),
            }
        }
        None
    }

    fn choose(&mut self, why: Why, current: Option<u32>) -> Move {
        let (runnable, buffered) = (&self.runnable[..], self.buffers.busy());
        if let ([only], []) = (runnable, buffered) {
            return Move::Run(only.thread);
        }
        self.scheduler.choose(&Turn { why, current, runnable, buffered })
    }

    fn can_run(&self, thread: u32) -> bool {
        self.runnable.iter().any(|one| one.thread == thread)
    }
}

impl Machine {
    pub(super) fn new(
        settings: Settings,
        scheduler: Box<dyn Scheduler>,
        seed: u64,
        run: u64,
    ) -> Self {
        let state = State {
            settings,
            scheduler,
            buffers: Buffers::default(),
            threads: Vec::new(),
            runnable: Vec::new(),
            sleepers: Vec::new(),
            late: Vec::new(),
            asked: Asked::default(),
            points: 0,
            domains: Domains::default(),
            now: Instant::from_nanos(1),
            trace: Trace::new(settings.record),
            steps: 0,
            switches: 0,
            running: 0,
            next: None,
            failure: None,
            panics: Vec::new(),
            unwinding_elsewhere: run::lost_unwinding(),
        };
        let (current, way, held) = (Cell::new(0), Cell::new(None), Cell::new(false));
        Self { state: RefCell::new(state), current, way, held, seed, run }
    }

    /// A place where any thread may run, before the calling one does `step`.
    pub(super) fn turn(&self, step: Step) {
        self.turn_because(step, Why::Step, None);
    }

    /// Lets others run, if there are any: the thread `to`, if it can.
    pub(super) fn yield_to(&self, to: Option<u32>) {
        let later = {
            let state = self.state.borrow();
            Instant::from_nanos(state.now.as_nanos().saturating_add(YIELD_NANOS))
        };
        self.state.borrow_mut().pass(later);
        self.turn_because(Step::Yield, Why::Yield, to);
    }

    /// Lets others run, in a loop that looks for something.
    pub(super) fn spin(&self) {
        self.turn_because(Step::Spin, Why::Yield, None);
    }

    fn turn_because(&self, step: Step, why: Why, to: Option<u32>) {
        if self.held.get() {
            return;
        }
        let me = self.current.get();
        let next = {
            let mut state = self.state.borrow_mut();
            state.steps += 1;
            state.jump();
            if state.kill_at_this_step() && state.thread(me).stage == Stage::Ended {
                // Nobody resumes this one.
                state.decide(Why::Blocked, None)
            } else {
                state.decide_for(why, Some(me), to)
            }
        };
        self.hand_over(me, next);
        self.state.borrow_mut().note(me, step);
    }

    /// Sleeps. True if that ended at the deadline.
    pub(super) fn sleep(&self, place: Place, word: usize, deadline: Deadline) -> bool {
        self.sleep_any(&[(place, word)], deadline).is_none()
    }

    /// The same at several places, until it is woken at one of them: at which, unless the deadline
    /// came first.
    pub(super) fn sleep_any(&self, at: &[(Place, usize)], deadline: Deadline) -> Option<usize> {
        let me = self.current.get();
        let next = {
            let mut state = self.state.borrow_mut();
            at.iter().for_each(|(place, _)| state.note(me, Step::Sleep(*place)));
            state.unready(me);
            let domains = &state.domains;
            let bed = |&(place, word)| Bed { place, between: domains.is_between(place), word };
            let beds = at.iter().map(bed).collect();
            state.sleepers.push(Sleeper { thread: me, beds, deadline });
            state.decide(Why::Blocked, None)
        };
        self.hand_over(me, next);
        self.state.borrow_mut().thread(me).woken_at
    }

    /// Lets `next` run, unless that is the calling thread, and returns when this one is next.
    fn hand_over(&self, me: u32, next: Option<u32>) {
        if next == Some(me) {
            return;
        }
        let unwinding = self.unwinding();
        {
            let mut state = self.state.borrow_mut();
            if state.settings.cores == 1 {
                // The next one runs behind the same store buffer.
                state.buffers.drain(me);
            }
            state.next = next;
            state.switches += u64::from(next.is_some());
            state.unwinding_elsewhere += u32::from(unwinding);
            state.thread(me).unwinding = unwinding;
        }
        let way = self.way.get();
        if let Some(way) = way {
            // SAFETY: this thread's own: set by itself at its beginning, and below each time that
            // it goes on after another one.
            unsafe { suspend(way) };
        }
        self.way.set(way);
        self.state.borrow_mut().unwinding_elsewhere -= u32::from(unwinding);
    }

    /// Whether the calling thread is unwinding. std counts the panics of an OS thread, so of all
    /// simulated threads together: what it says is true of this one only where no other is
    /// unwinding. Then it is what was true when this thread ran last, or began to panic.
    pub(super) fn unwinding(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let elsewhere = state.unwinding_elsewhere != 0;
        let thread = state.thread(self.current.get());
        if elsewhere { thread.unwinding } else { std::thread::panicking() }
    }

    /// A panic of the calling thread was caught.
    pub(super) fn caught(&self) {
        self.state.borrow_mut().thread(self.current.get()).set_unwinding(false);
    }
}
