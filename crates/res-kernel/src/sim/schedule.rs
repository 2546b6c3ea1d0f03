//! Who runs next: the one place where a run is decided.

mod exhaustive;
mod pct;
mod random;
mod strict;

pub(super) use exhaustive::{Exhaustive, Path};
pub use pct::Pct;
pub use random::Random;
pub use strict::Strict;

/// Why there is a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The current thread is about to do something that others may notice.
    Step,
    /// It lets others run.
    Yield,
    /// It sleeps, or has ended.
    Blocked,
}

/// A thread that can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Runnable {
    /// Its number.
    pub thread: u32,
    /// Greater is more urgent.
    pub priority: u32,
    /// Where it was put; those that nobody puts anywhere are dealt out to all cores in turn.
    pub core: u32,
}

/// What is to be decided.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// Why.
    pub why: Why,
    /// The thread that has run until now, if it can go on.
    pub current: Option<u32>,
    /// All that can run, never none, in the order of their numbers.
    pub runnable: &'a [Runnable],
    /// The threads that have stored what others do not see yet.
    pub buffered: &'a [u32],
}

impl Turn<'_> {
    /// The current one, where it has no reason to stop.
    pub fn undisturbed(&self) -> Option<u32> {
        self.current.filter(|_| self.why == Why::Step)
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// That thread goes on to its next step.
    Run(u32),
    /// The oldest store of that thread becomes visible to the others; then there is another turn.
    Flush(u32),
}

/// Decides. All that differs between two runs of one program comes from here.
///
/// # Example
///
/// ```
/// use res_kernel::sim::{Move, Scheduler, Simulation, Turn};
///
/// /// Whoever came first runs as long as it can.
/// #[derive(Debug)]
/// struct InOrder;
///
/// impl Scheduler for InOrder {
///     fn choose(&mut self, turn: &Turn<'_>) -> Move {
///         Move::Run(turn.runnable[0].thread)
///     }
///     fn pick(&mut self, _options: usize) -> usize {
///         0
///     }
///     fn chance(&mut self, _one_in: u32) -> bool {
///         false
///     }
/// }
///
/// let outcome = Simulation::new(0).scheduler(InOrder).run(|_| {});
/// assert_eq!(outcome.failure, None);
/// ```
pub trait Scheduler: core::fmt::Debug {
    /// Which of the runnable threads goes on, or which store becomes visible.
    fn choose(&mut self, turn: &Turn<'_>) -> Move;

    /// One of so many ways to go on, none better than another (never 0 of them).
    fn pick(&mut self, options: usize) -> usize;

    /// Whether something happens that is allowed but rare, about once in so many times.
    fn chance(&mut self, one_in: u32) -> bool;
}
