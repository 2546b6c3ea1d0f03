//! Isolated components, joined by a manager that they invoke (R2b).
//!
//! [`Sinv`] implements all of `res-api` for components that share nothing but what they were given.
//! On Linux a component is a process. What crosses between two of them lies in memory objects that
//! these two have mapped: a channel with the words that its ends sleep on is one object. So data,
//! triggers and wakes never involve the manager; creation, lookup, transfer and death do.
//!
//! On Composite a component is one of the composer's, and the manager is another one: see
//! `composite`, with the feature of that name.
//!
//! Within a component everything is as in the library backend, which this one stands on.

#![no_std]

#[cfg(feature = "linux")]
extern crate std;

#[cfg(feature = "linux")]
mod bell;
#[cfg(feature = "linux")]
mod board;
#[cfg(feature = "linux")]
mod component;
#[cfg(feature = "composite")]
pub mod composite;
#[cfg(feature = "linux")]
mod ears;
#[cfg(feature = "linux")]
mod endowments;
#[cfg(any(feature = "linux", feature = "composite"))]
mod ends;
#[cfg(all(test, feature = "linux"))]
mod hostile;
#[cfg(feature = "linux")]
mod inspection;
#[cfg(feature = "linux")]
mod limits;
#[cfg(feature = "linux")]
mod line;
#[cfg(feature = "linux")]
mod link;
#[cfg(feature = "linux")]
mod manager;
#[cfg(feature = "linux")]
mod outside;
#[cfg(feature = "linux")]
mod protocol;
#[cfg(feature = "linux")]
mod request;
#[cfg(feature = "linux")]
mod shelf;
#[cfg(feature = "linux")]
mod sinv;
#[cfg(feature = "linux")]
mod spawn;
#[cfg(any(feature = "linux", feature = "composite"))]
mod wire;

pub use backend_local::LocalError as SinvError;
#[cfg(feature = "linux")]
pub use component::SinvComponent;
#[cfg(feature = "linux")]
pub use inspection::{Channel, Inspection, Member, Memory};
#[cfg(feature = "linux")]
pub use limits::{Limits, Lookups};
#[cfg(feature = "linux")]
pub use sinv::Sinv;
