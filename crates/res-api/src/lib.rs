//! The traits that a component is written against, once.
//!
//! A component is a function over one type parameter, the [`Backend`]. It gets an [`Env`], takes
//! what it was endowed with by typed names ([`Slot`]), and uses channels ([`Sender`],
//! [`Receiver`]), blockpoints, event groups, timers, threads and memory. Who supplies them (a
//! library, a server in another process, a capability manager) is chosen where the system is
//! composed.
//!
//! The crate is `no_std` and needs no allocator. It has no implementation of anything: backends
//! and kinds are crates of their own.
//!
//! # For authors of kinds and backends
//!
//! A kind implements [`Kind`] once for every `B: Backend`: it makes memory and blockpoints, bundles
//! them into capabilities ([`Backend::bundle`], [`Part`]), and builds its ends from these
//! ([`FromCap::attach`], [`AnyCap::mem`], [`AnyCap::blockpoint`], [`AnyCap::end`]). An error is
//! made `From<ErrorKind>`. A backend implements [`Backend`] and the leaf traits; one that wraps
//! another reuses every associated type that it does not change (`type Mem = P::Mem`).
#![no_std]
#![deny(clippy::disallowed_types)]

#[cfg(test)]
extern crate std;

mod backend;
mod blockpoint;
mod cap;
mod chan;
mod component;
mod endowment;
mod env;
mod error;
mod evtgrp;
mod fault;
mod file;
mod kind;
mod mem;
mod message;
mod name;
mod rights;
mod text;
mod thread;
mod timer;

#[doc(hidden)]
pub use zerocopy;

pub use backend::{Backend, OneSpace, ThreadIn};
pub use blockpoint::{Blockpoint, Checkpoint};
pub use cap::{AnyCap, CastError, CastReason, Desc, FromCap, IntoCap, Part, Role};
pub use chan::{Chan, ChanChan, Receiver, Sender, Stats};
pub use component::{Comp, Component, EndowError, Entry};
pub use endowment::{CapRx, CapTx, Endowment, InFile, Memory, Rx, Slot, TakeError, Tx, Value};
pub use env::Env;
pub use error::{
    BackendError, ErrorKind, RecvError, Refused, SendError, TryRecvError, TrySendError, kind_of,
};
pub use evtgrp::{Event, EvtGrp, Source, SourceKind, Trigger};
pub use fault::{Exit, Fault};
pub use file::{File, Files};
pub use kind::{ChanAttr, Ends, EndsIn, Kind, KindId, Notify, Trust};
pub use mem::{Map, Mem, SharedMem};
pub use message::{LAYOUT_SEED, Message, Tag, layout_hash};
pub use name::Name;
pub use res_macros::message;
pub use res_sync::event::Snapshot;
pub use res_sync::model::Mapped;
pub use res_sync::{Barrier, Deadline, Gone, Instant, MemoryModel, Side, WaitError, Wake};
pub use rights::{ChanFlags, Rights};
pub use thread::{Thread, ThreadId, ThreadParam};
pub use timer::Timer;
