//! Channel variants as types (R24).

use core::fmt;
use core::time::Duration;

use crate::{Backend, Barrier, FromCap, Message, Receiver, Refused, Sender, Source};

/// The number that tells kinds apart where they meet at run time: four letters and a version.
///
/// ```
/// use res_api::KindId;
///
/// const MINE: KindId = KindId::new(*b"mine", 1);
/// assert_eq!(format!("{MINE:?}"), "mine/1");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KindId(u64);

impl KindId {
    /// Not a channel of data.
    pub const NONE: Self = Self(0);

    /// Of four letters and the version of the layout.
    ///
    /// ```
    /// use res_api::KindId;
    ///
    /// const MINE: KindId = KindId::new(*b"mine", 1);
    /// assert_ne!(MINE, KindId::new(*b"mine", 2));
    /// ```
    pub const fn new(letters: [u8; 4], version: u32) -> Self {
        Self((u32::from_le_bytes(letters) as u64) << 32 | version as u64)
    }

    /// Of what crossed a domain.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// As it crosses a domain.
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for KindId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str("none");
        }
        for letter in ((self.0 >> 32) as u32).to_le_bytes() {
            write!(f, "{}", char::from(letter))?;
        }
        write!(f, "/{}", self.0 as u32)
    }
}

/// What a kind demands of the relation between its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Trust {
    /// None: a peer can send garbage values or stop, and nothing else.
    None = 0,
    /// Ends that share a side trust each other.
    SameSide = 1,
    /// The receiver trusts the sender not to write after it has sent.
    StableAfterSend = 2,
    /// Both ends trust each other fully.
    Full = 3,
}

impl Trust {
    /// The one with that number.
    pub const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::None,
            1 => Self::SameSide,
            2 => Self::StableAfterSend,
            3 => Self::Full,
            _ => return None,
        })
    }
}

/// When an end notifies the other (R19, R30). Orthogonal to the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Notify {
    /// When the other side has armed itself, and not otherwise: no redundant events.
    #[default]
    OnReady,
    /// Never: the other side polls, and a blocking operation looks again at that period. A peer that
    /// notifies all the same wakes it once in a period at most.
    Never {
        /// The longest delay.
        poll: Duration,
    },
    /// At most `events` per `period`; what is more is dropped, and the waiting side looks again
    /// after `poll` at the latest, so delay is bounded. The waiting side holds it against a peer that
    /// does not: woken so often in a period, it sleeps without listening until the period ends, and
    /// looks every `poll`. (What else there is to hear, such as why the peer is gone, it hears then.)
    Limited {
        /// Notifications per period.
        events: u32,
        /// The period.
        period: Duration,
        /// The longest delay.
        poll: Duration,
    },
}

/// The attributes that every kind of this family takes; a kind may define its own.
///
/// ```
/// use res_api::{ChanAttr, Notify};
///
/// let attr = ChanAttr { notify: Notify::OnReady, ..ChanAttr::default() };
/// assert_eq!(attr.lanes, 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChanAttr {
    /// When an end notifies the other.
    pub notify: Notify,
    /// Who pays for the order between trigger and sleeper; `None`: what the backend agreed on.
    pub barrier: Option<Barrier>,
    /// The largest number of ends that share a side, fixed at creation (H19).
    pub lanes: u32,
    /// Its ends never leave the component that made it.
    pub local: bool,
}

impl Default for ChanAttr {
    fn default() -> Self {
        Self { notify: Notify::OnReady, barrier: None, lanes: 1, local: false }
    }
}

/// The two ends of a kind's channel.
pub type Ends<B, K, T> = (<K as Kind<B>>::Snd<T>, <K as Kind<B>>::Rcv<T>);

/// The two ends, or what went wrong, with the memory (unless somebody else knows it already).
pub type EndsIn<B, K, T> =
    Result<Ends<B, K, T>, Refused<Option<<B as Backend>::Mem>, <B as Backend>::Error>>;

/// A channel variant: written once for all backends, by anybody.
///
/// A kind knows nothing of who owns resources: it asks `b` for memory and blockpoints, and bundles
/// them into capabilities.
///
/// # Example
///
/// ```
/// use res_api::{Backend, Fault, Kind, Receiver, Sender};
///
/// /// There and back, over any kind of channel, on any backend.
/// fn echo<B: Backend, K: Kind<B>>(b: &B) -> Result<u64, Fault> {
///     let (mut tx, mut rx) = b.chan::<K, u64>(4)?;
///     tx.send(42)?;
///     Ok(rx.recv()?)
/// }
/// # let system = backend_local::Local::new()?;
/// # assert_eq!(echo::<_, chan_impls::Spsc>(&system)?, 42);
/// # assert_eq!(echo::<_, chan_impls::ZeroCopy>(&system)?, 42);
/// # Ok::<(), Fault>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a kind of channel on the backend `{B}`",
    label = "not a `Kind<{B}>`",
    note = "kinds are types such as `Spsc` and `ZeroCopy`; in code that is generic over the kind, write the bound `K: Kind<B>`"
)]
pub trait Kind<B: Backend>: 'static {
    /// Its number.
    const ID: crate::KindId;
    /// What it demands of the relation between its ends.
    const TRUST: Trust;
    /// What can be chosen at creation.
    type Attr: Default;
    /// The sending end.
    type Snd<T: Message>: Sender<Msg = T> + Source<B::Blockpoint> + FromCap<B::Cap> + Send;
    /// The receiving end.
    type Rcv<T: Message>: Receiver<Msg = T> + Source<B::Blockpoint> + FromCap<B::Cap> + Send;

    /// Bytes of memory that such a channel needs; `None` where the capacity is 0 or the size
    /// overflows.
    fn bytes<T: Message>(capacity: u32, attr: &Self::Attr) -> Option<u64>;

    /// Makes a channel in memory that the caller brings (R23).
    ///
    /// # Errors
    ///
    /// `Invalid` for a capacity that [`bytes`](Self::bytes) refuses, `NoMemory` where the memory
    /// is too small, what the backend says. The memory comes back.
    fn create_in<T: Message>(
        b: &B,
        memory: B::Mem,
        capacity: u32,
        attr: &Self::Attr,
    ) -> EndsIn<B, Self, T>
    where
        Self: Sized;
}
