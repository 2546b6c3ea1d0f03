//! The machine seam: what every backend stands on.
//!
//! A [`Kernel`] supplies time, threads, parking, barriers and memory objects, and knows nothing of
//! channels or ownership. Parking, waking and the clock are in [`Park`](res_sync::Park), which
//! `res-sync` builds its event count on; this crate adds the rest, and the implementations:
//!
//! | kernel | feature | needs |
//! |---|---|---|
//! | [`Linux`] | `linux` (default) | std |
//! | `Sim` | `sim` | std |
//! | `Composite` | `composite` | no std, no allocator; the symbols of Composite's interfaces |
//!
//! ARCHITECTURE.md maps each operation to Linux, the deterministic simulator and Composite.
#![no_std]

#[cfg(any(feature = "linux", feature = "sim"))]
extern crate std;

#[cfg(feature = "composite")]
pub mod composite;
mod confinement;
mod domain;
mod kernel;
#[cfg(feature = "linux")]
pub mod linux;
#[cfg(feature = "sim")]
pub mod sim;

#[cfg(feature = "composite")]
pub use composite::Composite;
pub use confinement::{Confinement, Restriction};
pub use domain::{
    Domain, DomainEnd, DomainEntry, EntryCode, Isolation, KernelFile, Passed, Place, Received,
    Socket,
};
pub use kernel::{Access, Kernel, KernelError, KernelMemory, KernelThread, Panicked, ThreadEntry};
#[cfg(feature = "linux")]
pub use linux::Linux;
#[cfg(feature = "sim")]
pub use sim::Sim;
