//! The machine seam: what every backend stands on.
//!
//! A [`Kernel`] supplies time, threads, parking, barriers and memory objects, and knows nothing of
//! channels or ownership. Parking, waking and the clock are in [`Park`](res_sync::Park), which
//! `res-sync` builds its event count on; this crate adds the rest, and the implementations:
//!
//! | kernel | feature | needs |
//! |---|---|---|
//! | [`Linux`] | `linux` (default) | std |
//!
//! ARCHITECTURE.md maps each operation to Linux, the deterministic simulator and Composite.
#![no_std]

#[cfg(feature = "linux")]
extern crate std;

mod domain;
mod kernel;
#[cfg(feature = "linux")]
pub mod linux;

pub use domain::{Domain, DomainEnd, DomainEntry, Isolation, Received, Socket};
pub use kernel::{Access, Kernel, KernelError, KernelMemory, KernelThread, Panicked, ThreadEntry};
#[cfg(feature = "linux")]
pub use linux::Linux;
