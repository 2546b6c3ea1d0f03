//! What became of a run.

use core::fmt;
use std::string::String;
use std::vec::Vec;

use res_sync::Instant;

use super::schedule::Move;
use super::trace::Event;

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// To be woken at the point with that number; points are numbered as they are made.
    Point(u32),
    /// For the end of that thread.
    EndOf(u32),
    /// For a message, or the end of the other side, at that end of a socket; ends are numbered as
    /// they are made.
    Socket(u32),
    /// For room for a message that is sent at that end.
    Room(u32),
    /// For the end of that domain.
    EndOfDomain(u32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Point(point) => write!(f, "sleeps at point {point}"),
            Self::EndOf(thread) => write!(f, "waits for the end of thread {thread}"),
            Self::Socket(end) => write!(f, "listens at end {end} of a socket"),
            Self::Room(end) => write!(f, "waits for room at end {end} of a socket"),
            Self::EndOfDomain(domain) => write!(f, "waits for the end of domain {domain}"),
        }
    }
}

/// A thread that waits, with nobody left who could end that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// Its number.
    pub thread: u32,
    /// Where.
    pub place: Place,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// No thread can run, and no deadline will change that.
    Deadlock(Vec<Waiting>),
    /// A panic that nothing caught.
    Panicked {
        /// In which thread; 1 is the one that the run began with.
        thread: u32,
        /// What it said.
        message: String,
    },
    /// It did not end within the steps that it had.
    TooLong {
        /// How many those were.
        steps: u64,
    },
    /// A scheduler decided something that is not possible.
    Impossible(Move),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlock(waiting) => {
                f.write_str("deadlock")?;
                waiting
                    .iter()
                    .try_for_each(|one| write!(f, ", thread {} {}", one.thread, one.place))
            }
            Self::Panicked { thread, message } => write!(f, "thread {thread} panicked: {message}"),
            Self::TooLong { steps } => write!(f, "not at its end after {steps} steps"),
            Self::Impossible(chosen) => write!(f, "the scheduler decided on {chosen:?}"),
        }
    }
}

impl core::error::Error for Failure {}

/// What became of a run: a function of the program, the settings and the seed.
///
/// ```
/// use res_kernel::Sim;
///
/// let (once, again) = (Sim::run(3, |_| {}), Sim::run(3, |_| {}));
/// assert_eq!(once, again);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a run may have failed"]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// A hash over every step of every thread: ids only, no addresses.
    pub hash: u64,
    /// How many steps there were: places where another thread could have run.
    pub steps: u64,
    /// How many times another one did.
    pub switches: u64,
    /// How late it was at the end.
    pub now: Instant,
    /// All that happened, where the run was to be [recorded](super::Simulation::record).
    pub events: Vec<Event>,
    /// What the last panics said, whether they were caught or not.
    pub panics: Vec<String>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, steps, switches, now, .. } = self;
        write!(f, "seed {seed}: {steps} steps, {switches} switches, {} ns", now.as_nanos())?;
        if let Some(failure) = &self.failure {
            write!(f, "; {failure}")?;
        }
        self.panics.iter().try_for_each(|panic| write!(f, "\n  a panic: {panic}"))
    }
}
