//! Every resource as a library in one address space (R2a).
//!
//! [`Local`] implements all of `res-api`: threads, blockpoints, channels of every kind, channels
//! of channels, event groups, timers, memory, and components that are threads with a name space
//! of their own. Where its memory comes from is a type parameter ([`Static`], [`AllocOnly`],
//! `Dynamic`), what machine is below is another.
//!
//! There is no isolation: components trust each other not to scribble. What a component was not
//! given it cannot name, and what it holds closes when it ends, panics or is stopped.
//!
//! # What a panic does
//!
//! A panic in any thread of a component is the death of the component: its ends leave with
//! [`PeerGone`](res_api::Gone::PeerGone), and who waits for it sees [`Exit::Died`](res_api::Exit).
#![no_std]
#![deny(clippy::disallowed_types)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(feature = "linux", test))]
extern crate std;

#[cfg(feature = "alloc")]
mod any_chan;
pub mod bitmap;
mod blockpoint;
mod cap;
mod chanchan;
mod component;
pub mod direct;
pub mod distant;
mod error;
mod evtgrp;
mod file;
mod list;
mod local;
mod mem;
mod names;
mod objects;
pub mod outside;
pub mod parcel;
mod policy;
mod pool;
mod system;
mod thread;
mod timer;
mod vain;

#[cfg(feature = "alloc")]
pub use any_chan::{AnyRcv, AnySnd};
pub use blockpoint::Blockpoint;
pub use cap::Cap;
pub use chanchan::{CapPop, CapPush, CapRcv, CapSnd};
pub use component::Component;
pub use error::LocalError;
pub use evtgrp::{Group, Registration};
pub use file::File;
pub use local::Local;
pub use mem::{Map, Mem, SharedMem};
#[cfg(feature = "alloc")]
pub use policy::Dynamic;
pub use policy::{AllocOnly, OverRegion, Policy, Region, Static};
pub use thread::Thread;
pub use timer::Timer;
