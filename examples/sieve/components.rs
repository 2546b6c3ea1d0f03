//! The components, written once: functions of the composing program, or programs of their own.

use res::{Backend, Env, Fault, Limits, Lookups, Receiver, Rx, Sender, Slot, Spsc, Tx, Value};

pub(crate) const LAST: Slot<Value<u64>> = Slot::new("last");
pub(crate) const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");
pub(crate) const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");
pub(crate) const PRIME: Slot<Tx<Spsc, u64>> = Slot::new("prime");

/// What each of them declares that it needs, besides what it is endowed with: nothing. It makes nothing
/// that is for others, and looks up no names.
pub(crate) const NEEDS: Limits =
    Limits { components: 0, queues: 0, names: 0, lookups: Lookups::Only(&[]), ..Limits::DEFAULT };

/// Says all numbers from 2 to the last one.
pub(crate) fn numbers<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    let (last, mut to) = (env.take(LAST)?, env.take(TO)?);
    Ok((2..=last).try_for_each(|n| to.send(n))?)
}

/// The first number that comes is a prime: it says so, and passes on what is no multiple of it.
pub(crate) fn sieve<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    let (mut from, mut to, mut prime) = (env.take(FROM)?, env.take(TO)?, env.take(PRIME)?);
    let Ok(first) = from.recv() else { return Ok(()) };
    prime.send(first)?;
    while let Ok(n) = from.recv() {
        if n % first != 0 {
            to.send(n)?;
        }
    }
    Ok(())
}
