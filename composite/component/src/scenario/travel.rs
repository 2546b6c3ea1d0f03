//! Ends that travel over channels of capabilities, which lie with the manager.

use backend_sinv::composite::Sinv;
use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, ErrorKind, Fault, Gone, IntoCap, Kind, Receiver, RecvError, Rx, SendError,
    Sender, TrySendError,
};
use res_kernel::Composite;

use super::beside::started;
use super::isolated::{attach, publish};
use super::{LONG, within};
use crate::peer::Peer;
use crate::report::check;

type Snd = <Spsc as Kind<Sinv>>::Snd<u64>;
type Cap = <Sinv as Backend>::Cap;
type CapSnd = <Sinv as Backend>::CapSnd;
type CapRcv = <Sinv as Backend>::CapRcv;

/// Sends an end, with a number that is in its channel; the other end.
#[inline(never)]
fn send_one(own: &Sinv, over: &mut CapSnd, number: u64) -> Result<Snd, Fault> {
    let (mut tx, rx) = own.chan::<Spsc, u64>(1)?;
    tx.send(number)?;
    over.send(rx.into_cap())?;
    Ok(tx)
}

/// Ends go to another component, more than there is room for at a time.
pub(super) fn there(machine: Composite) -> Result<(), Fault> {
    const COUNT: u64 = 100;
    let own = attach(machine)?;
    let (mut over, other) = own.chanchan(2)?;
    publish(&own, 80, other.into_cap())?;
    let mut sum = Ok(0);
    let mut body = || sum = Peer::COLLECT.get([80, 0, 0, 0]);
    let beside = started(machine, &mut body)?;
    for number in 0..COUNT {
        send_one(&own, &mut over, number)?;
    }
    drop(over);
    drop(beside);
    check!(sum? == (0..COUNT).sum());
    Ok(())
}

/// Ends come from another component, by a sending end that is shared by all who look it up.
pub(super) fn here(machine: Composite) -> Result<(), Fault> {
    const COUNT: u64 = 50;
    let own = attach(machine)?;
    let (over, mut other) = own.chanchan(3)?;
    publish(&own, 81, over.into_cap())?;
    for _ in 0..2 {
        let mut sent = Ok(0);
        let mut body = || sent = Peer::SUPPLY.get([81, COUNT, 0, 0]);
        let beside = started(machine, &mut body)?;
        for number in 0..COUNT {
            check!(receive_one(machine, &own, &mut other)? == number);
        }
        drop(beside);
        check!(sent? == COUNT);
    }
    Ok(())
}

#[inline(never)]
fn receive_one(machine: Composite, own: &Sinv, other: &mut CapRcv) -> Result<u64, Fault> {
    let end = other.recv_until(within(machine, LONG))?;
    let mut rx = own.cast::<Rx<Spsc, u64>>(end)?;
    let number = rx.recv()?;
    check!(rx.recv() == Err(RecvError::Gone(Gone::Closed)));
    Ok(number)
}

/// What is in a queue leaves with its receiver, and so does what is in a queue in there. (Ends are kept
/// as capabilities, which are smaller.)
pub(super) fn lost(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let [inner, inner_end, deep] = queue_with_one(&own)?;
    let near = queue_left(&own, inner_end)?;
    for sender in [deep, near] {
        check!(is_gone(sender)?);
    }
    is_closed(&own, inner)?;
    // Nothing of it is left: there would not be room for as much again and again.
    for _ in 0..40 {
        leave_one(&own)?;
    }
    Ok(())
}

/// A queue in which an end is: its ends, and the other end of that.
#[inline(never)]
fn queue_with_one(own: &Sinv) -> Result<[Cap; 3], Fault> {
    let ([deep, deep_end], [inner, inner_end]) = (channel(own)?, queue(own)?);
    Ok([send(inner, deep_end)?, inner_end, deep])
}

/// Another queue, in which the end is, and an end of a channel, and whose receiver leaves; the other end
/// of that channel.
#[inline(never)]
fn queue_left(own: &Sinv, inner_end: Cap) -> Result<Cap, Fault> {
    let ([near, near_end], [over, other]) = (channel(own)?, queue(own)?);
    let _over = send(send(over, inner_end)?, near_end)?;
    drop(other);
    Ok(near)
}

#[inline(never)]
fn is_gone(sender: Cap) -> Result<bool, Fault> {
    let mut sender = sender.cast::<Snd>()?;
    Ok(matches!(sender.try_send(3), Err(TrySendError::Gone(3, Gone::Closed))))
}

#[inline(never)]
fn is_closed(own: &Sinv, inner: Cap) -> Result<(), Fault> {
    let ([_tx, rx], mut inner) = (channel(own)?, inner.cast::<CapSnd>()?);
    check!(matches!(inner.send(rx), Err(SendError::Gone(_, Gone::Closed))));
    Ok(())
}

#[inline(never)]
fn leave_one(own: &Sinv) -> Result<(), Fault> {
    let ([_near, near_end], [over, _other]) = (channel(own)?, queue(own)?);
    send(over, near_end).map(drop)
}

/// An end does not travel over its own channel, and no two are in the queues of one another.
pub(super) fn circles(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    in_one_another(&own)?;
    over_its_own(&own)
}

fn is_invalid<T>(sent: Result<(), SendError<T>>) -> bool {
    matches!(sent, Err(SendError::Refused(_, ErrorKind::Invalid)))
}

#[inline(never)]
fn in_one_another(own: &Sinv) -> Result<(), Fault> {
    let ([one, one_end], [two, two_end]) = (queue(own)?, queue(own)?);
    one.cast::<CapSnd>()?.send(two_end)?;
    check!(is_invalid(two.cast::<CapSnd>()?.send(one_end)));
    Ok(())
}

#[inline(never)]
fn channel(own: &Sinv) -> Result<[Cap; 2], Fault> {
    let (tx, rx) = own.chan::<Spsc, u64>(1)?;
    Ok([tx.into_cap(), rx.into_cap()])
}

/// Sends something over a queue's sending end, which comes back.
#[inline(never)]
fn send(over: Cap, cap: Cap) -> Result<Cap, Fault> {
    let mut over = over.cast::<CapSnd>()?;
    over.send(cap)?;
    Ok(over.into_cap())
}

#[inline(never)]
fn queue(own: &Sinv) -> Result<[Cap; 2], Fault> {
    let (snd, rcv) = own.chanchan(2)?;
    Ok([snd.into_cap(), rcv.into_cap()])
}

#[inline(never)]
fn over_its_own(own: &Sinv) -> Result<(), Fault> {
    let (mut over, end) = own.chanchan(1)?;
    check!(is_invalid(over.send(end.into_cap())));
    Ok(())
}
