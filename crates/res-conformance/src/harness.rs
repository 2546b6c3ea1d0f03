//! What is tested, how much of it there is, and what a case is.

use core::fmt;
use core::time::Duration;

use res_api::{Backend, Fault, Kind};

/// Why a case failed: what was found and expected, and where in the suite.
///
/// ```
/// use res_api::ErrorKind;
/// use res_conformance::Failure;
///
/// let failure = Failure::new(ErrorKind::Other, "found 1, expected 2");
/// assert!(failure.location().file().ends_with(".rs"));
/// ```
pub type Failure = Fault;

/// How much a fresh instance of a backend has, or how much a case needs of it.
///
/// ```
/// use res_conformance::Budget;
///
/// let small = Budget { threads: 1, objects: 100, bytes: 1 << 16 };
/// assert!(Budget::UNLIMITED.covers(small) && !small.covers(Budget::UNLIMITED));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Threads at one time, besides the one that runs the case. The entry of a component takes
    /// one.
    pub threads: u32,
    /// Resources (ends of channels, blockpoints, timers, sources, groups, components) that can be
    /// made, whether they are dropped or not.
    pub objects: u32,
    /// Bytes of memory that can be asked for, whether they are given back or not.
    pub bytes: u64,
}

impl Budget {
    /// As much as anybody wants.
    pub const UNLIMITED: Self = Self { threads: u32::MAX, objects: u32::MAX, bytes: u64::MAX };

    /// Whether that much is there.
    pub const fn covers(self, needs: Self) -> bool {
        self.threads >= needs.threads && self.objects >= needs.objects && self.bytes >= needs.bytes
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { threads, objects, bytes } = self;
        write!(f, "{threads} threads, {objects} objects, {bytes} bytes")
    }
}

/// A backend under test, and the kind of channel that is tested on it.
///
/// # Example
///
/// See the [crate](crate).
pub trait Harness: Default + 'static {
    /// What is tested.
    type Backend: Backend;
    /// The kind of channel that the cases use.
    type Kind: Kind<Self::Backend>;
    /// How reports call it.
    const NAME: &'static str;

    /// What a fresh instance has.
    fn budget() -> Budget;

    /// A fresh instance, for one case.
    ///
    /// # Panics
    ///
    /// Where none can be made.
    fn fresh(&self) -> Self::Backend;

    /// The attributes of the channels.
    fn attr(&self) -> <Self::Kind as Kind<Self::Backend>>::Attr {
        Default::default()
    }

    /// Runs a case as a test: on an instance of this harness, here and now. A harness whose backend
    /// stands on a simulated machine runs it on such a machine, as often as it likes.
    fn conduct(case: &Case<Self>) -> Verdict {
        case.check(&Self::default())
    }

    /// How long any wait of the suite lasts before the case fails.
    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }

    /// How many rounds, or generated cases, there are where a plain run on a real machine has that
    /// many: by default 50 times as many if the environment has `RES_LONG=1`.
    fn rounds(usual: u64) -> u64 {
        usual * default_effort()
    }

    /// The same of rounds in each of which something is made: a backend that never gives memory back
    /// has fewer. By default as many.
    fn rounds_of_making(usual: u64) -> u64 {
        Self::rounds(usual)
    }
}

#[cfg(feature = "std")]
fn default_effort() -> u64 {
    if std::env::var_os("RES_LONG").is_some_and(|value| value == "1") { 50 } else { 1 }
}

#[cfg(not(feature = "std"))]
fn default_effort() -> u64 {
    1
}

/// A case: a function with the requirement that it checks.
///
/// ```
/// use res_conformance::{Case, Harness, cases};
///
/// fn print_checklist<H: Harness>() {
///     for Case { name, requirement, text, .. } in cases::<H>() {
///         println!("{requirement:>4}  {name}: {text}");
///     }
/// }
/// ```
pub struct Case<H> {
    /// The function's name.
    pub name: &'static str,
    /// The number of the requirement (`R`), the hazard (`H`) or the open question (`Q`).
    pub requirement: &'static str,
    /// What is checked, in a sentence.
    pub text: &'static str,
    /// What it needs of a fresh instance.
    pub needs: Budget,
    /// The case.
    pub run: fn(&H) -> Result<(), Failure>,
}

impl<H> Clone for Case<H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H> Copy for Case<H> {}

impl<H> fmt::Debug for Case<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.requirement, self.name, self.text)
    }
}

/// What became of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a case may have failed"]
pub enum Verdict {
    /// It holds.
    Passed,
    /// It was not run: it needs that much.
    Skipped(Budget),
    /// It does not hold.
    Failed(Failure),
}

impl<H: Harness> Case<H> {
    /// Runs it, if the budget covers it.
    pub fn check(&self, harness: &H) -> Verdict {
        if !H::budget().covers(self.needs) {
            return Verdict::Skipped(self.needs);
        }
        match (self.run)(harness) {
            Ok(()) => Verdict::Passed,
            Err(failure) => Verdict::Failed(failure),
        }
    }
}

/// Runs a case as a `#[test]`: what [`conformance!`](crate::conformance) expands to. A skipped one
/// is reported on the standard error, past the capture of the test runner.
///
/// # Panics
///
/// If the case fails.
#[cfg(feature = "std")]
pub fn run_as_test<H: Harness>(case: &Case<H>) {
    use std::io::Write;

    match H::conduct(case) {
        Verdict::Passed => {}
        Verdict::Skipped(needs) => {
            let (name, of, has) = (case.name, H::NAME, H::budget());
            // A report that cannot be written changes nothing.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED-BY-BUDGET {name} on {of}: needs {needs}, has {has}"
            );
        }
        Verdict::Failed(failure) => panic!("{} on {}: {failure:?}", case.name, H::NAME),
    }
}
