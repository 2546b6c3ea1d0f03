//! The system interfaces, as the composer links them into a component: plain C symbols, each a
//! library or a stub that invokes a manager.
//!
//! A component that uses a function here has to depend on the interface in its build; nothing else
//! is referred to. Calls of one another than those that the scheduler makes may let other threads
//! run.
//!
//! # What the system does not do
//!
//! * It frees nothing: not threads, blockpoints, pages or channels.
//! * It checks little: a wrong argument of a scheduler's function halts the machine, or is memory
//!   that is not there.

pub mod capmgr;
pub mod chanmgr;
pub mod evt;
pub mod init;
pub mod memmgr;
pub mod print;
pub mod sched;
pub mod syncipc;

/// A machine word.
pub type Word = u64;
/// The id of a thread: one of the whole system, never used again.
pub type ThreadId = Word;
/// An address.
pub type Address = Word;
/// A point on, or a span of, the cycle counter.
pub type Cycles = u64;
