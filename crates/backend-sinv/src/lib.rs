//! Isolated components, joined by a manager that they invoke (R2b).
//!
//! [`Sinv`] implements all of `res-api` for components that share nothing but what they were given.
//! On Linux a component is a process. What crosses between two of them lies in memory objects that
//! these two have mapped: a channel with the words that its ends sleep on is one object. So data,
//! triggers and wakes never involve the manager; creation, lookup, transfer and death do.
//!
//! Within a component everything is as in the library backend, which this one stands on.

mod bell;
mod board;
mod component;
mod crew;
mod ears;
#[cfg(test)]
mod hostile;
mod inspection;
mod limits;
mod line;
mod link;
mod manager;
mod outside;
mod protocol;
mod request;
mod sinv;
mod spawn;
mod wire;

pub use backend_local::LocalError as SinvError;
pub use component::SinvComponent;
pub use inspection::{Channel, Inspection, Member, Memory};
pub use limits::Limits;
pub use sinv::Sinv;
