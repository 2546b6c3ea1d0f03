//! The two ends of a channel (R13-R18).

use core::time::Duration;

use crate::{Deadline, Gone, RecvError, SendError, TryRecvError, TrySendError};

/// What an end has seen so far. Gathered where an end waits or looks at the other's index, so it
/// costs the fast path nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stats {
    /// Messages that went through this end.
    pub messages: u64,
    /// How often it went to sleep, because spinning a little had not been enough.
    pub blocked: u64,
    /// For how long altogether.
    pub blocked_for: Duration,
    /// The most messages that it has seen queued.
    pub high_water: u32,
}

/// The sending end.
///
/// # Behaviour
///
/// 1. Messages arrive in the order of sending, each once.
/// 2. A channel of capacity `n` takes `n` messages without a receive, and no more.
/// 3. `try_send` never waits; `send_until` waits for room until the deadline.
/// 4. When the receiver has left, sending fails and gives the message back; a sender asleep wakes.
/// 5. Nothing is allocated, and nobody else is asked unless somebody sleeps.
///
/// # Example
///
/// ```
/// use res_api::{Deadline, SendError, Sender};
///
/// fn offer(tx: &mut dyn Sender<Msg = u64>, value: u64) -> Option<u64> {
///     tx.send_until(value, Deadline::PASSED).map_err(SendError::into_inner).err()
/// }
/// # use res_api::Backend;
/// # let (mut tx, _rx) = backend_local::Local::new()?.chan::<chan_impls::Spsc, u64>(1)?;
/// # assert_eq!(offer(&mut tx, 1), None);
/// # assert_eq!(offer(&mut tx, 2), Some(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Sender {
    /// What it carries.
    type Msg;

    /// Sends if there is room.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`], [`TrySendError::Gone`]; the message comes back.
    fn try_send(&mut self, message: Self::Msg) -> Result<(), TrySendError<Self::Msg>>;

    /// Sends, waiting for room until the deadline.
    ///
    /// # Errors
    ///
    /// [`SendError::TimedOut`], [`SendError::Gone`]; the message comes back.
    fn send_until(
        &mut self,
        message: Self::Msg,
        deadline: Deadline,
    ) -> Result<(), SendError<Self::Msg>>;

    /// Sends, waiting for room as long as there is a receiver.
    ///
    /// # Errors
    ///
    /// [`SendError::Gone`]; the message comes back.
    fn send(&mut self, message: Self::Msg) -> Result<(), SendError<Self::Msg>> {
        self.send_until(message, Deadline::NEVER)
    }

    /// Sends as many of `messages` as there is room for, in order, and notifies at most once;
    /// returns how many. The rest can be sent later.
    ///
    /// # Errors
    ///
    /// As [`try_send`](Self::try_send), if not even the first one was sent.
    fn try_send_slice(&mut self, messages: &[Self::Msg]) -> Result<usize, TrySendError<()>>
    where
        Self::Msg: Copy,
    {
        for (sent, message) in messages.iter().enumerate() {
            match self.try_send(*message) {
                Ok(()) => {}
                Err(_) if sent > 0 => return Ok(sent),
                Err(error) => return Err(error.without_message()),
            }
        }
        Ok(messages.len())
    }

    /// How many messages fit.
    fn capacity(&self) -> u32;

    /// How many are queued now.
    fn len(&self) -> u32;

    /// Whether none is queued now.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the receiver is gone, as far as is known, and why.
    fn gone(&self) -> Option<Gone>;

    /// What this end has seen.
    fn stats(&self) -> Stats;
}

/// The receiving end.
///
/// # Behaviour
///
/// 1. What was sent before the sender left is received first; then [`Gone`] says why.
/// 2. `try_recv` never waits; `recv_until` waits until the deadline.
/// 3. A receiver asleep wakes when the sender leaves.
///
/// # Example
///
/// ```
/// use res_api::Receiver;
///
/// fn total(rx: &mut impl Receiver<Msg = u64>) -> u64 {
///     let mut sum = 0;
///     while let Ok(n) = rx.recv() {
///         sum += n;
///     }
///     sum
/// }
/// # use res_api::{Backend, Sender};
/// # let (mut tx, mut rx) = backend_local::Local::new()?.chan::<chan_impls::Spsc, u64>(2)?;
/// # tx.send(1)?;
/// # tx.send(2)?;
/// # drop(tx);
/// # assert_eq!(total(&mut rx), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Receiver {
    /// What it carries.
    type Msg;

    /// Receives what is there.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`].
    fn try_recv(&mut self) -> Result<Self::Msg, TryRecvError>;

    /// Receives, waiting until the deadline.
    ///
    /// # Errors
    ///
    /// [`RecvError`].
    fn recv_until(&mut self, deadline: Deadline) -> Result<Self::Msg, RecvError>;

    /// Receives, waiting as long as there is a sender.
    ///
    /// # Errors
    ///
    /// [`RecvError::Gone`]; [`RecvError::NoMemory`], [`RecvError::NoSlots`].
    fn recv(&mut self) -> Result<Self::Msg, RecvError> {
        self.recv_until(Deadline::NEVER)
    }

    /// Receives as many messages as are there and fit into `into`, in order, and notifies at most
    /// once; returns how many.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv), if there was not even one.
    fn try_recv_slice(&mut self, into: &mut [Self::Msg]) -> Result<usize, TryRecvError>
    where
        Self::Msg: Copy,
    {
        for (received, place) in into.iter_mut().enumerate() {
            match self.try_recv() {
                Ok(message) => *place = message,
                Err(_) if received > 0 => return Ok(received),
                Err(error) => return Err(error),
            }
        }
        Ok(into.len())
    }

    /// Receives everything that is there and can be received, without waiting. `Some` once nothing
    /// will come any more. What to do with an edge-triggered event.
    fn drain(&mut self, mut each: impl FnMut(Self::Msg)) -> Option<Gone>
    where
        Self: Sized,
    {
        loop {
            match self.try_recv() {
                Ok(message) => each(message),
                Err(TryRecvError::Empty | TryRecvError::NoMemory | TryRecvError::NoSlots) => {
                    return None;
                }
                Err(TryRecvError::Gone(gone)) => return Some(gone),
            }
        }
    }

    /// How many messages fit.
    fn capacity(&self) -> u32;

    /// How many are queued now.
    fn len(&self) -> u32;

    /// Whether none is queued now.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the sender is gone, as far as is known, and why. There may still be messages.
    fn gone(&self) -> Option<Gone>;

    /// What this end has seen.
    fn stats(&self) -> Stats;
}

/// A channel: both ends, until they are split. Every pair of ends is one.
///
/// # Example
///
/// ```
/// use res_api::{Chan, Receiver, Sender};
///
/// fn echo<S: Sender<Msg = u8>, R: Receiver<Msg = u8>>(mut chan: impl Chan<S, R>) -> Option<u8> {
///     let (tx, rx) = chan.ends();
///     tx.send(1).ok()?;
///     rx.recv().ok()
/// }
/// # use res_api::Backend;
/// # let pair = backend_local::Local::new()?.chan::<chan_impls::Spsc, u8>(1)?;
/// # assert_eq!(echo(pair), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Chan<Snd, Rcv>: Sized {
    /// The two ends, to give to two holders.
    fn split(self) -> (Snd, Rcv);

    /// Both ends, in one place.
    fn ends(&mut self) -> (&mut Snd, &mut Rcv);
}

impl<S: Sender, R: Receiver<Msg = S::Msg>> Chan<S, R> for (S, R) {
    fn split(self) -> (S, R) {
        self
    }

    fn ends(&mut self) -> (&mut S, &mut R) {
        (&mut self.0, &mut self.1)
    }
}

/// A channel of channels: it carries capabilities `C`, first of all ends of other channels (R21).
/// Every pair of ends that carries capabilities is one.
///
/// An end in transit that is never received closes its channel.
///
/// # Example
///
/// ```
/// use res_api::{Backend, Chan, ChanChan, Fault, IntoCap, Kind, Sender};
///
/// fn hand_over<B: Backend, K: Kind<B>>(b: &B, end: K::Rcv<u64>) -> Result<B::CapRcv, Fault> {
///     let (mut tx, rx) = b.chanchan(1)?.split();
///     tx.send(end.into_cap())?;
///     Ok(rx)
/// }
/// # use res_api::{AnyCap, Receiver};
/// # let system = backend_local::Local::new()?;
/// # let (mut tx, rx) = system.chan::<chan_impls::Spsc, u64>(1)?;
/// # let mut over = hand_over::<_, chan_impls::Spsc>(&system, rx)?;
/// # assert!(system.cast::<res_api::Rx<chan_impls::Spsc, u64>>(over.recv()?).is_ok());
/// # Ok::<(), Fault>(())
/// ```
pub trait ChanChan<C>: Chan<Self::Snd, Self::Rcv> {
    /// The sending end.
    type Snd: Sender<Msg = C>;
    /// The receiving end.
    type Rcv: Receiver<Msg = C>;
}

impl<C, S: Sender<Msg = C>, R: Receiver<Msg = C>> ChanChan<C> for (S, R) {
    type Snd = S;
    type Rcv = R;
}
