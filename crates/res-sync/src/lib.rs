//! The only home of atomics in the resource family.
//!
//! Everything that two threads, or two components, share without asking somebody else is made of
//! what stands here:
//!
//! * a [`MemoryModel`]: the atomics, cells and barriers as a *type parameter*,
//!   so that one build holds the real thing ([`Core`](model::Core)) and the models that tests run
//!   it on;
//! * [`Instant`] and [`Deadline`]: every wait of the family ends at an absolute time;
//! * [`Park`]: what has to be asked of the machine below to sleep and to wake;
//! * [`Event`]: the event count, on which everything that blocks, blocks;
//! * [`Budget`], [`Rate`]: how often something may happen in a period, such as being woken for nothing;
//! * [`Mutex`]: a lock on the same ground, poisoned by the death of its owner.
//!
//! The crate is `no_std`, needs no allocator and knows nothing of any operating system.
#![no_std]

#[cfg(feature = "test-models")]
extern crate std;

mod budget;
pub mod event;
mod gone;
pub mod model;
pub mod mutex;
mod park;
mod time;
mod word;

pub use budget::{Budget, Rate};
pub use event::{Event, Side, Triggered, WaitError};
pub use gone::Gone;
pub use model::{Barrier, MemoryModel};
pub use mutex::{Mutex, MutexGuard};
pub use park::{Park, Parked, Waiting, Wake};
pub use time::{Deadline, Instant};
pub use word::MovableWord;
