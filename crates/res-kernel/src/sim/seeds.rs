//! Many runs: which seeds, and what to say of one that fails.

use core::fmt;
use core::ops::Range;
use std::boxed::Box;
use std::env;
use std::io::Write;
use std::string::String;

use super::outcome::Outcome;
use super::shrink::Shrink;
use super::trace::Transcript;
use super::{Sim, Simulation};

/// How many steps may be spent on making a failing run smaller.
const SHRINKING: u64 = 4_000_000;
/// Lines of a trace that are printed.
const LINES: usize = 60;

/// Seeds to run something with.
///
/// # Example
///
/// ```
/// use res_kernel::sim::Seeds;
///
/// // 100 runs, or as many as `RES_SEEDS` says, or only the one that `RES_SEED` names. With
/// // `RES_SAY` each is announced before it begins. Where `RES_TRACE` names a directory, each is
/// // written there, and the smallest that fails, to be looked at: see `ChromeTrace`.
/// Seeds::from_env(100).check("nothing", |_| {});
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(Range<u64>);

impl IntoIterator for Seeds {
    type Item = u64;
    type IntoIter = Range<u64>;

    fn into_iter(self) -> Range<u64> {
        self.0
    }
}

/// What many runs were, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many there were.
    pub runs: u64,
    /// Their steps.
    pub steps: u64,
    /// Their switches from thread to thread.
    pub switches: u64,
}

/// A seed that fails.
///
/// ```
/// use res_kernel::sim::{Failure, Seeds};
///
/// let found = Seeds::first(10).find(|_| panic!("at once")).unwrap_err();
/// assert_eq!((found.outcome.seed, found.smallest.switches), (0, 0));
/// println!("{found}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What became of its run.
    pub outcome: Outcome,
    /// A run with fewer disturbances that fails in the same way, with all its steps.
    pub smallest: Outcome,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outcome, smallest } = self;
        write!(f, "{outcome}\nthe same with {} switches:", smallest.switches)?;
        let text = std::format!("{}", Transcript(&smallest.events));
        let lines = text.lines().count();
        let skipped = lines.saturating_sub(LINES);
        if skipped > 0 {
            write!(f, "\n  ({skipped} lines)")?;
        }
        text.lines()
            .skip(skipped)
            .filter(|line| !line.is_empty())
            .try_for_each(|line| write!(f, "\n{line}"))
    }
}

impl core::error::Error for Found {}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}

/// `n`, which is `0..n`, or `m..n`.
fn range(text: &str) -> Option<Range<u64>> {
    let (start, end) = text.split_once("..").unwrap_or(("0", text));
    Some(start.parse().ok()?..end.parse().ok()?)
}

/// Which seed is next, past the capture of the test runner: for a run that ends the process.
fn say(seed: u64) {
    // A report that cannot be written changes nothing.
    let _ = writeln!(std::io::stderr(), "{}: RES_SEED={seed}", test());
}

/// The name of the test that calls.
fn test() -> String {
    std::thread::current().name().unwrap_or("main").replace("::", ".")
}

impl Seeds {
    /// The seeds 0 to `count - 1`.
    pub const fn first(count: u64) -> Self {
        Self(0..count)
    }

    /// That seed alone.
    pub const fn one(seed: u64) -> Self {
        Self(seed..seed.saturating_add(1))
    }

    /// The seed `RES_SEED`; without it, the first `RES_SEEDS`, or those from one to below another
    /// (`RES_SEEDS=100..200`); without that, the first `count`.
    pub fn from_env(count: u64) -> Self {
        match number("RES_SEED") {
            Some(seed) => Self::one(seed),
            None => {
                let named = env::var("RES_SEEDS").ok().and_then(|named| range(&named));
                named.map_or(Self::first(count), Self)
            }
        }
    }

    /// Runs `body` with each seed until one fails.
    ///
    /// # Errors
    ///
    /// The first seed that fails.
    pub fn find(self, body: impl Fn(Sim) + Clone + 'static) -> Result<Summary, Box<Found>> {
        self.find_with(Simulation::new, body)
    }

    /// The same, with settings of one's own.
    ///
    /// # Errors
    ///
    /// The first seed that fails.
    pub fn find_with(
        self,
        settings: impl Fn(u64) -> Simulation,
        body: impl Fn(Sim) + Clone + 'static,
    ) -> Result<Summary, Box<Found>> {
        let mut summary = Summary::default();
        let aloud = env::var_os("RES_SAY").is_some();
        let drawn = env::var_os("RES_TRACE").is_some();
        for seed in self.0 {
            if aloud {
                say(seed);
            }
            let simulation = settings(seed);
            let simulation = if drawn { simulation.record() } else { simulation };
            let outcome = simulation.run(body.clone());
            outcome.draw(&std::format!("{}-{seed}", test()));
            summary.runs += 1;
            summary.steps += outcome.steps;
            summary.switches += outcome.switches;
            if outcome.failure.is_some() {
                let smallest = Shrink::run(&|| settings(seed), body, &outcome, SHRINKING);
                smallest.draw(&std::format!("{}-{seed}-smallest", test()));
                return Err(Box::new(Found { outcome, smallest }));
            }
        }
        Ok(summary)
    }

    /// Runs `body` with each seed, and reports one that fails, with how to run it again.
    ///
    /// # Panics
    ///
    /// If a run fails.
    pub fn check(self, name: &str, body: impl Fn(Sim) + Clone + 'static) -> Summary {
        self.find(body).unwrap_or_else(|found| {
            panic!("{name}, {found}\nagain: RES_SEED={} cargo test {name}", found.outcome.seed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_counted_or_named() {
        assert_eq!(range("7"), Some(0..7));
        assert_eq!(range("100..200"), Some(100..200));
        assert_eq!((range(""), range("1..x"), range("-1")), (None, None, None));
    }
}
