//! Event groups: one wait for any of many sources (R26-R29).

use crate::{Deadline, ErrorKind, Gone, WaitError};

/// What a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum SourceKind {
    /// A receiver: there is something to receive, or nothing will come any more.
    Receiver = 1,
    /// A sender: there is room again, or nobody will receive any more.
    Sender = 2,
    /// A blockpoint: triggered.
    Blockpoint = 3,
    /// A timer: expired.
    Timer = 4,
    /// A thread: ended.
    Thread = 5,
    /// A component: ended.
    Component = 6,
    /// The calling end of a call: the frame is free, or nobody will answer any more.
    Caller = 7,
    /// The answering end of a call: there is a request, or none will come any more.
    Callee = 8,
}

/// Anything with a readiness that can change; it changes on a blockpoint `P`.
///
/// # Example
///
/// ```
/// use res_api::Source;
///
/// fn ready<P>(sources: &[&dyn Source<P>]) -> usize {
///     sources.iter().filter(|source| source.ready()).count()
/// }
/// # use res_api::{Backend, Sender};
/// # let system = backend_local::Local::new()?;
/// # let (mut tx, rx) = system.chan::<chan_impls::Spsc, u64>(1)?;
/// # assert_eq!(ready(&[&tx, &rx]), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Source<P> {
    /// What it is.
    fn source_kind(&self) -> SourceKind;

    /// Where its changes are announced.
    fn blockpoint(&self) -> &P;

    /// Whether an operation would succeed now, or would say why it never will.
    fn ready(&self) -> bool;
}

/// When a group reports a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// Once for each time it became ready, or several times at once coalesced. Take everything
    /// that is there before you wait again.
    Edge,
    /// At each wait as long as it is ready, in turn with the others. The end that finds nothing
    /// any more takes the source off by itself.
    Level,
}

/// What a wait returned: an index and a kind, never a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// What the source is.
    pub kind: SourceKind,
    /// What the client chose when it added the source.
    pub data: u64,
}

/// A group of sources over blockpoints of type `P`.
///
/// Waiting asks no manager when something is pending; a trigger sets one bit. The group holds no
/// source alive: dropping source, group and registration in any order is safe.
///
/// # Example
///
/// ```
/// use res_api::{Backend, Deadline, EvtGrp, Fault, Kind, Receiver, Trigger};
///
/// /// Adds up what comes over two channels of any kind.
/// fn sum<B: Backend, K: Kind<B>>(b: &B, mut ends: [K::Rcv<u64>; 2]) -> Result<u64, Fault> {
///     let group = b.evtgrp(2)?;
///     let _left = group.add(&ends[0], Trigger::Edge, 0)?;
///     let _right = group.add(&ends[1], Trigger::Edge, 1)?;
///     let (mut sum, mut open) = (0, 2);
///     while open > 0 {
///         let which = group.wait(Deadline::NEVER)?.data as usize;
///         if ends[which].drain(|n| sum += n).is_some() {
///             open -= 1;
///         }
///     }
///     Ok(sum)
/// }
/// # use res_api::Sender;
/// # let system = backend_local::Local::new()?;
/// # let (mut left, a) = system.chan::<chan_impls::Spsc, u64>(1)?;
/// # let (mut right, b) = system.chan::<chan_impls::Spsc, u64>(1)?;
/// # left.send(1)?;
/// # right.send(2)?;
/// # drop((left, right));
/// # assert_eq!(sum::<_, chan_impls::Spsc>(&system, [a, b])?, 3);
/// # Ok::<(), Fault>(())
/// ```
pub trait EvtGrp<P> {
    /// The backend's error.
    type Error: From<ErrorKind>;
    /// Keeps a source in the group; dropping it takes the source out.
    type Registration: Send;

    /// Adds a source. If it is ready already, it is pending at once. `data` comes back with each
    /// event.
    ///
    /// # Errors
    ///
    /// `NoSlots` when the group is full, `Exists` when a group watches the source already,
    /// `Closed` when the group is closed.
    fn add(
        &self,
        source: &dyn Source<P>,
        trigger: Trigger,
        data: u64,
    ) -> Result<Self::Registration, Self::Error>;

    /// The next event. What is pending is reported in turn, so that no source starves another.
    /// Several threads may wait; an event goes to one of them.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`]; [`WaitError::Gone`] once the group is closed.
    fn wait(&self, deadline: Deadline) -> Result<Event, WaitError>;

    /// Closes the group: everybody who waits on it, now or later, gets [`Gone::Closed`].
    fn close(&self);

    /// Whether it was closed, and why.
    fn gone(&self) -> Option<Gone>;

    /// How many sources fit.
    fn capacity(&self) -> u32;
}
