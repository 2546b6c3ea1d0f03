//! Channels of any `T: Send`, for backends of one address space that offer them.
//!
//! Not part of `Backend`: a harness that has them implements [`AnyChan`], and
//! [`conformance!(any ..)`](crate::conformance) instantiates these cases.

use std::string::{String, ToString};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use res_api::{Gone, MemoryModel, Receiver, RecvError, SendError, Sender, TrySendError};
use res_sync::model::{Atomic, Core};

use crate::stage::stage;
use crate::{Failure, Harness};

/// Makes channels of any `T: Send`.
///
/// # Example
///
/// ```
/// use res_api::{Receiver, Sender};
/// use res_conformance::any::AnyChan;
///
/// fn text<H: AnyChan>(h: &H) -> Option<String> {
///     let (mut tx, mut rx) = h.any_chan::<String>(&h.fresh(), 1).ok()?;
///     tx.send("text".to_string()).ok()?;
///     rx.recv().ok()
/// }
/// ```
pub trait AnyChan: Harness {
    /// The sending end.
    type Snd<T: Send + 'static>: Sender<Msg = T> + Send;
    /// The receiving end.
    type Rcv<T: Send + 'static>: Receiver<Msg = T> + Send;

    /// Both ends of a new channel.
    ///
    /// # Errors
    ///
    /// What the backend says.
    fn any_chan<T: Send + 'static>(
        &self,
        b: &Self::Backend,
        capacity: u32,
    ) -> Result<(Self::Snd<T>, Self::Rcv<T>), Failure>;
}

/// A number of drops.
type Counter = <Core as MemoryModel>::U32;

/// Counts its drops. Has nothing to free, so that a second drop is counted and harms nobody.
struct Counted(&'static Counter);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A counter that is never freed: a broken queue may drop late.
fn counter() -> &'static Counter {
    // Somebody knows them, so that a search for leaks finds the others'.
    static ALL: std::sync::Mutex<std::vec::Vec<&'static Counter>> =
        std::sync::Mutex::new(std::vec::Vec::new());
    let counter = std::boxed::Box::leak(std::boxed::Box::new(Atomic::new(0)));
    ALL.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(counter);
    counter
}

/// H18: a value that is received is dropped once, by who received it.
pub fn h18_a_received_value_is_dropped_once<H: AnyChan>(h: &H) -> Result<(), Failure> {
    let (s, drops) = (stage(h), counter());
    let (mut tx, mut rx) = h.any_chan::<Counted>(&s, 2)?;
    for n in 0..7 {
        tx.try_send(Counted(drops))?;
        let value = rx.try_recv()?;
        check_eq!(drops.load(Relaxed), n, "drops while it is held");
        drop(value);
        check_eq!(drops.load(Relaxed), n + 1, "drops");
    }
    drop((tx, rx));
    check_eq!(drops.load(Relaxed), 7, "drops at the end");
    Ok(())
}

/// H18: values that are queued when the ends leave, in either order, are dropped once.
pub fn h18_queued_values_are_dropped_once<H: AnyChan>(h: &H) -> Result<(), Failure> {
    for sender_first in [true, false] {
        let (s, drops) = (stage(h), counter());
        let (mut tx, mut rx) = h.any_chan::<Counted>(&s, 3)?;
        for _ in 0..3 {
            tx.try_send(Counted(drops))?;
        }
        drop(rx.try_recv()?);
        tx.try_send(Counted(drops))?;
        check_eq!(drops.load(Relaxed), 1, "drops while they are queued");
        if sender_first {
            drop((tx, rx));
        } else {
            drop((rx, tx));
        }
        check_eq!(drops.load(Relaxed), 4, "drops at the end");
    }
    Ok(())
}

/// H22: a value that comes back because the channel is full or closed is dropped once.
pub fn h22_a_value_that_comes_back_is_dropped_once<H: AnyChan>(h: &H) -> Result<(), Failure> {
    let (s, drops) = (stage(h), counter());
    let (mut tx, rx) = h.any_chan::<Counted>(&s, 1)?;
    tx.try_send(Counted(drops))?;
    let full = tx.try_send(Counted(drops));
    check_eq!(drops.load(Relaxed), 0, "drops while one is queued and one came back");
    drop(full);
    drop(rx);
    let closed = tx.try_send(Counted(drops));
    let before = drops.load(Relaxed);
    let Err(TrySendError::Gone(back, Gone::Closed)) = closed else {
        check!(false, "sent to nobody");
        return Ok(());
    };
    drop(back);
    check_eq!(drops.load(Relaxed), before + 1, "drops of the one that came back");
    drop(tx);
    check_eq!(drops.load(Relaxed), 3, "drops at the end");
    Ok(())
}

/// R15: text goes from thread to thread whole.
pub fn r15_text_travels_between_threads<H: AnyChan>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let count = s.rounds(1_000);
    let (mut tx, mut rx) = h.any_chan::<String>(&s, 3)?;
    let inner = s.clone();
    let thread = s.spawn(move || {
        for n in 0..count {
            tx.send_until(n.to_string(), inner.soon())?;
        }
        Ok(())
    })?;
    for n in 0..count {
        check_eq!(rx.recv_until(s.soon()), Ok(n.to_string()), "received");
    }
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "then");
    s.join(&thread)
}

/// H22: the sender's values are all accounted for when the receiver leaves at any moment.
pub fn h22_no_value_is_lost_or_doubled_by_a_close<H: AnyChan>(h: &H) -> Result<(), Failure> {
    for round in 0..H::rounds(40) {
        let s = stage(h);
        let (mut tx, mut rx) = h.any_chan::<Arc<()>>(&s, 2)?;
        let (value, inner) = (Arc::new(()), s.clone());
        let thread = s.spawn(move || {
            for _ in 0..round % 5 {
                rx.recv_until(inner.soon())?;
            }
            Ok(())
        })?;
        let back = loop {
            match tx.send_until(Arc::clone(&value), s.soon()) {
                Ok(()) => {}
                Err(SendError::Gone(back, Gone::Closed)) => break back,
                Err(other) => check!(false, "send: {other:?}"),
            }
        };
        s.join(&thread)?;
        drop((tx, back));
        check_eq!(Arc::strong_count(&value), 1, "owners left");
    }
    Ok(())
}
