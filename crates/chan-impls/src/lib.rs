//! Channel kinds, written once for every backend, and the standalone rings they are made of.
//!
//! | what | where |
//! |---|---|
//! | index protocol of the ring, shared by all that follow | `ring` |
//! | [`ring()`](standalone::ring), [`StaticRing`](standalone::StaticRing): any `T: Send`, one address space, no blocking | [`standalone`] |
//! | [`Spsc`]: the ring for messages, with blocking ends | `spsc` |
//! | the blocking end of any queue: queue x blockpoint x [`Notify`](res_api::Notify) | [`endpoint`] |
//! | [`ZeroCopy`]: a pool of slots, and two `Spsc` of slot numbers | [`zero_copy`] |
//! | [`Caller`], [`Callee`]: one asks, one answers; [`#[interface]`](macro@interface) | [`call`] |
//! | servers that are found by name | [`service`] |
//!
//! A queue knows nothing of blocking, a kind nothing of who owns resources.
#![no_std]
#![deny(clippy::disallowed_types)]

#[cfg(feature = "alloc")]
extern crate alloc;

pub mod call;
pub mod endpoint;
mod pace;
mod patience;
pub mod queue;
mod ring;
pub mod service;
mod slot;
mod spsc;
pub mod standalone;
pub mod zero_copy;

#[doc(hidden)]
pub use call::generated;
pub use call::{Answers, CallError, Callee, Caller, Calls};
pub use queue::{Misbehaved, PopQueue, PushQueue};
pub use res_macros::interface;
pub use spsc::{Spsc, SpscPop, SpscPush};
pub use zero_copy::ZeroCopy;
