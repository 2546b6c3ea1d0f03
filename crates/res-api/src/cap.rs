//! Capabilities: owned, transferable handles whose type is checked on receipt.
//!
//! An end of a channel is a capability plus a local view. The author of a kind *bundles* the parts
//! of an end (memory, the blockpoints that it signals or waits on, inner ends that it owns) into a
//! capability with [`Backend::bundle`](crate::Backend::bundle), and gets them back from it by
//! index when the end is [attached](FromCap::attach) somewhere else. Leaving, by drop, loss in
//! transit, revocation, death or panic, is the backend's: where the holder was the last on its
//! side of a word, the other side is told why. So no kind needs a `Drop`.

use core::fmt;

use thiserror::Error;

use crate::{ChanFlags, ErrorKind, Gone, KindId, Notify, Rights, Tag, Trust};

/// What a capability is a handle to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum Role {
    /// The sending end of a channel of data.
    Snd = 1,
    /// The receiving end of a channel of data.
    Rcv = 2,
    /// The sending end of a channel of capabilities.
    CapSnd = 3,
    /// The receiving end of a channel of capabilities.
    CapRcv = 4,
    /// Shared memory.
    Mem = 5,
    /// A value: an argument of a component.
    Value = 6,
    /// A file, or another source of bytes.
    File = 7,
    /// A thread.
    Thread = 8,
    /// A component.
    Component = 9,
    /// The end of a call that calls.
    Caller = 10,
    /// The end of a call that answers.
    Callee = 11,
}

impl Role {
    /// The one with that number.
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            1 => Self::Snd,
            2 => Self::Rcv,
            3 => Self::CapSnd,
            4 => Self::CapRcv,
            5 => Self::Mem,
            6 => Self::Value,
            7 => Self::File,
            8 => Self::Thread,
            9 => Self::Component,
            10 => Self::Caller,
            11 => Self::Callee,
            _ => return None,
        })
    }
}

/// What a capability says of itself. Kept by the backend, outside shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Desc {
    /// What it is a handle to.
    pub role: Role,
    /// The channel kind, or [`KindId::NONE`].
    pub kind: KindId,
    /// The message type, or [`Tag::NONE`].
    pub msg: Tag,
    /// The trust that the kind needs between its ends.
    pub trust: Trust,
    /// Messages that fit, or bytes of memory.
    pub capacity: u64,
    /// How many ends may share a side.
    pub lanes: u32,
    /// Which of them this is.
    pub lane: u32,
    /// It never leaves the component that made it.
    pub local: bool,
    /// When the other side is notified.
    pub notify: Notify,
}

impl Desc {
    /// Of something that is not a channel of data.
    pub const fn plain(role: Role, capacity: u64) -> Self {
        Self {
            role,
            kind: KindId::NONE,
            msg: Tag::NONE,
            trust: Trust::None,
            capacity,
            lanes: 1,
            lane: 0,
            local: false,
            notify: Notify::OnReady,
        }
    }

    /// Which end of what kind of channel it is; empty for what is not an end of one. (A call is no
    /// channel: both of its ends send and receive.)
    ///
    /// ```
    /// use res_api::{ChanFlags, Desc, Role};
    ///
    /// assert_eq!(Desc::plain(Role::CapRcv, 4).flags(), ChanFlags::RCV | ChanFlags::CHAN);
    /// ```
    pub fn flags(&self) -> ChanFlags {
        let end = match self.role {
            Role::Snd => ChanFlags::SND,
            Role::Rcv => ChanFlags::RCV,
            Role::CapSnd => ChanFlags::SND | ChanFlags::CHAN,
            Role::CapRcv => ChanFlags::RCV | ChanFlags::CHAN,
            _ => return ChanFlags::empty(),
        };
        let local = if self.local { ChanFlags::LOCAL } else { ChanFlags::empty() };
        let multi = if self.lanes > 1 { ChanFlags::MULTI } else { ChanFlags::empty() };
        end | local | multi
    }

    /// Whether it is a `role` end of that kind and message; what [`FromCap::accepts`] of most
    /// kinds is.
    ///
    /// # Errors
    ///
    /// The first difference.
    pub fn expect(&self, role: Role, kind: KindId, msg: Tag) -> Result<(), CastReason> {
        if self.role != role {
            return Err(CastReason::Role { have: self.role, want: role });
        }
        if self.kind != kind {
            return Err(CastReason::Kind { have: self.kind, want: kind });
        }
        if self.msg != msg {
            return Err(CastReason::Message { have: self.msg, want: msg });
        }
        Ok(())
    }
}

/// Why a capability is not what it was cast to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CastReason {
    /// Nothing of that name was endowed, or it has been taken already.
    #[error("nothing there")]
    NotThere,
    /// Another end, or not an end at all.
    #[error("it is a {have:?}, not a {want:?}")]
    Role {
        /// What it is.
        have: Role,
        /// What was asked for.
        want: Role,
    },
    /// An end of another kind of channel.
    #[error("its kind is {have:?}, not {want:?}")]
    Kind {
        /// What it is.
        have: KindId,
        /// What was asked for.
        want: KindId,
    },
    /// It carries another message.
    #[error("it carries {have}, not {want}")]
    Message {
        /// What it carries.
        have: Tag,
        /// What was asked for.
        want: Tag,
    },
    /// Its parts do not fit what it says of itself, or cannot be mapped.
    #[error("its parts cannot be attached: {0}")]
    Parts(ErrorKind),
    /// It has been revoked or has left already.
    #[error("it is gone: {0}")]
    Gone(Gone),
}

impl CastReason {
    /// The class of this failure.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotThere => ErrorKind::NotFound,
            Self::Role { .. } | Self::Kind { .. } | Self::Message { .. } => ErrorKind::TypeMismatch,
            Self::Parts(kind) => *kind,
            Self::Gone(gone) => (*gone).into(),
        }
    }
}

/// A failed cast. The capability comes back.
pub struct CastError<C> {
    /// The capability, unchanged.
    pub cap: C,
    /// Why it is not what was asked for.
    pub reason: CastReason,
    kind: ErrorKind,
}

impl<C> CastError<C> {
    /// Gives `cap` back because of `reason`.
    pub fn new(cap: C, reason: CastReason) -> Self {
        Self { cap, reason, kind: reason.kind() }
    }
}

impl<C> fmt::Debug for CastError<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CastError({:?})", self.reason)
    }
}

impl<C> fmt::Display for CastError<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<C> core::error::Error for CastError<C> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.kind)
    }
}

/// A part of what is bundled into a capability.
pub enum Part<C: AnyCap> {
    /// Memory that the end maps.
    Mem(C::Mem),
    /// A blockpoint that the end triggers. When the last end that signals it leaves, those who
    /// wait are told.
    Signal(C::Blockpoint),
    /// A blockpoint that the end waits on. When the last end that waits on it leaves, those who
    /// signal are told.
    Wait(C::Blockpoint),
    /// A blockpoint that the end only looks at.
    Look(C::Blockpoint),
    /// An inner end, which leaves together with this one.
    Own(C),
}

impl<C: AnyCap> fmt::Debug for Part<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mem(_) => "Mem",
            Self::Signal(_) => "Signal",
            Self::Wait(_) => "Wait",
            Self::Look(_) => "Look",
            Self::Own(_) => "Own",
        })
    }
}

/// A capability of some backend: owned, described, typed on receipt. Not `Copy`, and without the
/// backend's token, because it travels.
///
/// Dropping it leaves: the other side is told.
///
/// # Example
///
/// ```
/// use res_api::{AnyCap, CastError, FromCap};
///
/// /// Use what came if it is an `H`, hand it back if it is not.
/// fn only<C: AnyCap, H: FromCap<C>>(cap: C) -> Result<H, C> {
///     cap.cast().map_err(|CastError { cap, .. }| cap)
/// }
/// # use res_api::{Backend, IntoCap, Kind};
/// # use backend_local::Local;
/// # use chan_impls::Spsc;
/// # let (tx, _rx) = Local::new()?.chan::<Spsc, u64>(1)?;
/// # let cap = only::<_, <Spsc as Kind<Local>>::Rcv<u64>>(tx.into_cap()).unwrap_err();
/// # assert!(only::<_, <Spsc as Kind<Local>>::Snd<u64>>(cap).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait AnyCap: Sized + Send + 'static {
    /// The backend's shared memory.
    type Mem;
    /// The backend's blockpoint.
    type Blockpoint;

    /// What it says of itself.
    fn desc(&self) -> Desc;

    /// What it allows.
    fn rights(&self) -> Rights;

    /// The same with those rights at most.
    fn narrow(&mut self, rights: Rights);

    /// `None` while it may be used; why not otherwise.
    fn gone(&self) -> Option<Gone>;

    /// Which component sent it, if it was received: a number that the system gives each, and that no
    /// sender chooses (seL4 calls such a number a badge). 0 where the system does not say: it was not
    /// received, all components are one address space, it went without a manager (then no more than one
    /// can send there), or whoever composes the system sent it.
    fn sent_by(&self) -> u32 {
        0
    }

    /// The `index`-th part that is memory. For authors of kinds.
    ///
    /// # Safety
    ///
    /// The caller is the kind that bundled the capability ([`Desc::kind`] is its own): what is in
    /// that memory, and who touches it when, is the kind's to know. (The backend never asks: what
    /// an isolated peer does to memory is no data race, and kinds believe nothing they read.)
    unsafe fn mem(&self, index: u32) -> Option<Self::Mem>;

    /// The `index`-th part that is a blockpoint, of whichever side. For authors of kinds.
    fn blockpoint(&self, index: u32) -> Option<Self::Blockpoint>;

    /// A shadow of the `index`-th inner end: a view may be built on it, and dropping it does not
    /// leave, because this capability owns the end. For authors of kinds.
    fn end(&self, index: u32) -> Option<Self>;

    /// Private state of the end that travels with it, outside shared memory: what
    /// [`set_state`](Self::set_state) put there, 0 at first. For authors of kinds.
    fn state(&self) -> u64;

    /// Keeps private state for the journey. For authors of kinds.
    fn set_state(&mut self, state: u64);

    /// What it is, with the type checked: direction, data or capabilities, kind, message.
    ///
    /// # Errors
    ///
    /// The capability itself, with the reason.
    fn cast<H: FromCap<Self>>(self) -> Result<H, CastError<Self>> {
        if let Some(gone) = self.gone() {
            return Err(CastError::new(self, CastReason::Gone(gone)));
        }
        match H::accepts(&self.desc()) {
            Ok(()) => H::attach(self),
            Err(reason) => Err(CastError::new(self, reason)),
        }
    }
}

/// Can become a capability again, to travel.
///
/// # Example
///
/// ```
/// use res_api::{IntoCap, Sender};
///
/// /// Passes an end on over a channel of capabilities.
/// fn pass<C>(over: &mut impl Sender<Msg = C>, end: impl IntoCap<C>) -> bool {
///     over.send(end.into_cap()).is_ok()
/// }
/// # use res_api::Backend;
/// # let system = backend_local::Local::new()?;
/// # let (mut over, _other) = system.chanchan(1)?;
/// # let (tx, _rx) = system.chan::<chan_impls::Spsc, u64>(1)?;
/// # assert!(pass(&mut over, tx));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait IntoCap<C> {
    /// The capability in it. Cannot fail.
    fn into_cap(self) -> C;
}

/// Can be made of a capability.
///
/// # Example
///
/// ```
/// use res_api::{AnyCap, FromCap};
///
/// /// What this capability is, if it is not an end of type `E`.
/// fn is_not<C: AnyCap, E: FromCap<C>>(cap: &C) -> Option<res_api::CastReason> {
///     E::accepts(&cap.desc()).err()
/// }
/// # use res_api::{Backend, IntoCap, Kind};
/// # type Local = backend_local::Local;
/// # let (tx, _rx) = Local::new()?.chan::<chan_impls::Spsc, u64>(1)?;
/// # let cap = tx.into_cap();
/// # assert!(is_not::<_, <chan_impls::Spsc as Kind<Local>>::Snd<u64>>(&cap).is_none());
/// # assert!(is_not::<_, <chan_impls::Spsc as Kind<Local>>::Rcv<u64>>(&cap).is_some());
/// # Ok::<(), res_api::Fault>(())
/// ```
pub trait FromCap<C: AnyCap>: IntoCap<C> + Sized {
    /// Whether something that says this of itself can be attached.
    ///
    /// # Errors
    ///
    /// The first difference.
    fn accepts(desc: &Desc) -> Result<(), CastReason>;

    /// Builds the local view. Called after [`accepts`](Self::accepts) agreed; users call
    /// [`AnyCap::cast`].
    ///
    /// # Errors
    ///
    /// The capability itself, with the reason.
    fn attach(cap: C) -> Result<Self, CastError<C>>;
}
