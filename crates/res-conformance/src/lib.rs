//! What every backend, and every kind of channel, has to do: as cases that anybody can run on
//! theirs.
//!
//! A case is a public generic function `fn(&H) -> Result<(), Failure>` over a [`Harness`], which
//! says what is tested and how much of it there is. The cases are named for the requirement that
//! they check, so that the list of them is a checklist; [`cases`] yields it, with the text of each
//! requirement, for machines that have no test runner, and [`conformance!`] makes a `#[test]` of
//! each for those that have.
//!
//! ```
//! use backend_local::Local;
//! use chan_impls::Spsc;
//! use res_conformance::{Budget, Harness, Verdict, cases};
//!
//! #[derive(Default)]
//! struct Mine;
//!
//! impl Harness for Mine {
//!     type Backend = Local;
//!     type Kind = Spsc;
//!     const NAME: &'static str = "Local";
//!     fn budget() -> Budget {
//!         Budget::UNLIMITED
//!     }
//!     fn fresh(&self) -> Local {
//!         Local::new().expect("a system")
//!     }
//! }
//!
//! let first = cases::<Mine>().next().expect("a case");
//! assert!(matches!(first.check(&Mine), Verdict::Passed));
//! ```
//!
//! A case that needs more than the budget is not run, and the runner says so: `SKIPPED-BY-BUDGET`.
//! Every wait has a deadline ([`Harness::patience`]), so a backend that loses a wake-up fails and
//! does not hang. The suite itself is tested against backends that are broken on purpose
//! (`tests/mutants.rs`).
//!
//! What it does not do: measure time (no case asserts that something is fast), and simulate a
//! hostile peer, which needs a machine with several address spaces.
#![no_std]
#![deny(clippy::disallowed_types)]

#[cfg(feature = "std")]
extern crate std;

#[macro_use]
mod check;
mod harness;
mod stage;
#[macro_use]
mod table;

#[cfg(feature = "std")]
pub mod any;
pub mod blockpoint;
pub mod chanchan;
pub mod channel;
pub mod component;
pub mod evtgrp;
pub mod mem;
#[cfg(feature = "proptest")]
pub mod model;
pub mod names;
#[cfg(feature = "std")]
pub mod shared;
pub mod thread;
pub mod timer;
pub mod trace;

#[cfg(feature = "std")]
pub use harness::run_as_test;
pub use harness::{Budget, Case, Failure, Harness, Verdict};
pub use table::cases;
