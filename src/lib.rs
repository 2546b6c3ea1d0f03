//! One family of resource traits for systems made of isolated components.
//!
//! This is the facade: one flat list of what a component author needs, and the backends that the
//! features switch on. A component is written over `B: Backend`; who composes the system chooses
//! the backend.
//!
//! ```
//! use res::{Backend, Deadline, Env, Fault, Local, Name, Receiver, Rx, Sender, Slot, Spsc, Tx};
//!
//! const WORDS: Slot<Rx<Spsc, u64>> = Slot::new("words");
//! const TOTAL: Slot<Tx<Spsc, u64>> = Slot::new("total");
//!
//! fn adder<B: Backend>(env: Env<B>) -> Result<(), Fault> {
//!     let (mut words, mut total) = (env.take(WORDS)?, env.take(TOTAL)?);
//!     let mut sum = 0;
//!     while let Ok(n) = words.recv() {
//!         sum += n;
//!     }
//!     Ok(total.send(sum)?)
//! }
//!
//! fn main() -> Result<(), Fault> {
//!     let system = Local::new()?;
//!     let (mut tx, words) = system.chan::<Spsc, u64>(64)?;
//!     let (total, mut rx) = system.chan::<Spsc, u64>(1)?;
//!     let adder = system.component(const { Name::new("adder") }, adder::<Local>)?;
//!     adder.endow(WORDS, words)?;
//!     adder.endow(TOTAL, total)?;
//!     adder.start()?;
//!     for n in 1..=10 {
//!         tx.send(n)?;
//!     }
//!     drop(tx);
//!     assert_eq!(rx.recv()?, 55);
//!     adder.wait(Deadline::NEVER)?.ok()
//! }
//! ```
//!
//! Components call each other through a trait: see [`interface`] and [`Service`].
//!
//! | feature | brings |
//! |---|---|
//! | `local` (default) | [`Local`]: every resource as a library in one address space, on Linux |
//! | `sinv` (default) | [`Sinv`]: isolated components, on Linux: processes |
//! | `capmgr` | nothing yet: a name kept for the backend to come |
#![no_std]

pub use chan_impls::call;
#[doc(hidden)]
pub use chan_impls::generated;
pub use chan_impls::service::{self, Service};
pub use chan_impls::standalone;
pub use chan_impls::zero_copy;
pub use chan_impls::{Answers, CallError, Callee, Caller, Calls, Spsc, ZeroCopy, interface};
pub use res_api::*;
pub use res_sync as sync;

#[cfg(feature = "local")]
pub use backend_local::{AllocOnly, Dynamic, Local, LocalError, Region, Static};
#[cfg(feature = "sinv")]
pub use backend_sinv::{Limits, Lookups, Sinv, SinvError};
#[cfg(any(feature = "local", feature = "sinv"))]
pub use res_kernel as kernel;
