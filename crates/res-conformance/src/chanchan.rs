//! Channels of channels: they carry capabilities (R5, R21, H10).

use res_api::{
    AnyCap, Backend, CastReason, Deadline, ErrorKind, Gone, IntoCap, Map, Mem, Receiver, RecvError,
    Rights, Role, SendError, Sender, SharedMem, TryRecvError, TrySendError, kind_of,
};

use crate::channel::{Rcv, Snd};
use crate::stage::{Stage, chan, chan_for, stage};
use crate::{Failure, Harness};

type CapSnd<H> = <<H as Harness>::Backend as Backend>::CapSnd;
type CapRcv<H> = <<H as Harness>::Backend as Backend>::CapRcv;
type Shared<H> = <<H as Harness>::Backend as Backend>::SharedMem;

/// R21: an end travels over a channel and works there, in its place; so does what is in it.
pub fn r21_an_end_travels<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, mut arrived) = s.chanchan(2)?;
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 3)?;
    for n in 0..3 {
        tx.try_send(n)?;
    }
    check_eq!(rx.try_recv(), Ok(0), "before the journey");
    ends.try_send(rx.into_cap())?;
    ends.try_send(tx.into_cap())?;
    let mut rx = arrived.try_recv()?.cast::<Rcv<H, u64>>()?;
    let mut tx = arrived.try_recv()?.cast::<Snd<H, u64>>()?;
    check_eq!((tx.gone(), rx.gone()), (None, None), "gone");
    tx.try_send(3)?;
    for n in 1..4 {
        check_eq!(rx.try_recv(), Ok(n), "after the journey");
    }
    check_eq!(rx.try_recv(), Err(TryRecvError::Empty), "then");
    Ok(())
}

/// R21: an end changes hands while the other end is in use by another thread.
pub fn r21_an_end_travels_while_the_other_is_in_use<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (count, moves) = (s.rounds(600), 6);
    let (mut ends, mut arrived) = s.chanchan(1)?;
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 3)?;
    let inner = s.clone();
    let thread = s.spawn(move || {
        for n in 0..count {
            tx.send_until(n, inner.soon())?;
        }
        Ok(())
    })?;
    for n in 0..count {
        if n % (count / moves) == 0 {
            ends.try_send(rx.into_cap())?;
            rx = arrived.try_recv()?.cast()?;
        }
        check_eq!(rx.recv_until(s.soon()), Ok(n), "received");
    }
    s.join(&thread)
}

/// R21: what is made for a channel goes over it, over and over, in order with all else that does, and
/// wherever else it is sent.
pub fn r21_what_is_made_for_a_channel_goes_over_it<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, mut arrived) = s.chanchan(2)?;
    for n in 0..s.rounds_of_making(20) {
        two_go_in_order(h, &s, &mut ends, &mut arrived, n)?;
        one_goes_elsewhere(h, &s, &mut ends, &mut arrived, n)?;
    }
    Ok(())
}

/// (By itself, as the other one: components on small stacks run these cases.)
#[inline(never)]
fn two_go_in_order<H: Harness>(
    h: &H,
    s: &Stage<H::Backend>,
    ends: &mut CapSnd<H>,
    arrived: &mut CapRcv<H>,
    n: u64,
) -> Result<(), Failure> {
    let (mut tx, rx) = chan_for::<H, u64>(h, s, ends, 1)?;
    ends.try_send(rx.into_cap())?;
    let (mut other, rx) = match n % 3 {
        0 => chan::<H, u64>(h, s, 1)?,
        _ => chan_for::<H, u64>(h, s, ends, 1)?,
    };
    ends.try_send(rx.into_cap())?;
    check_eq!((ends.len(), arrived.len()), (2, 2), "queued");
    let full = ends.try_send(s.mem(64)?.share().into_cap());
    check_matches!(full, Err(TrySendError::Full(_)), "a third one");
    tx.try_send(n)?;
    other.try_send(n + 100)?;
    for expected in [n, n + 100] {
        let mut rx = arrived.try_recv()?.cast::<Rcv<H, u64>>()?;
        check_eq!(rx.try_recv(), Ok(expected), "in order");
    }
    check_eq!(arrived.try_recv().err(), Some(TryRecvError::Empty), "then");
    Ok(())
}

#[inline(never)]
fn one_goes_elsewhere<H: Harness>(
    h: &H,
    s: &Stage<H::Backend>,
    ends: &mut CapSnd<H>,
    arrived: &mut CapRcv<H>,
    n: u64,
) -> Result<(), Failure> {
    let (mut tx, rx) = chan_for::<H, u64>(h, s, ends, 3)?;
    tx.try_send(n)?;
    ends.try_send(rx.into_cap())?;
    let mut rx = arrived.try_recv()?.cast::<Rcv<H, u64>>()?;
    tx.try_send(n + 1)?;
    check_eq!(rx.try_recv(), Ok(n), "before its journey");
    let (mut others, mut elsewhere) = s.chanchan(1)?;
    others.try_send(tx.into_cap())?;
    let mut tx = elsewhere.try_recv()?.cast::<Snd<H, u64>>()?;
    check_eq!(rx.try_recv(), Ok(n + 1), "after the journey of the other end");
    tx.try_send(n + 2)?;
    drop(tx);
    check_eq!(rx.recv_until(s.soon()), Ok(n + 2), "before the close");
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "then");
    Ok(())
}

/// H10: what is made for a channel and never received closes its channel, as any other.
pub fn h10_what_is_made_for_a_channel_is_lost_with_it<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    for sender_first in [false, true] {
        let (mut ends, mut arrived) = s.chanchan(3)?;
        let (mut tx, rx) = chan_for::<H, u64>(h, &s, &ends, 2)?;
        let (far, mut near) = chan_for::<H, u64>(h, &s, &ends, 2)?;
        let (mut first, first_rx) = chan_for::<H, u64>(h, &s, &ends, 2)?;
        for cap in [first_rx.into_cap(), rx.into_cap(), far.into_cap()] {
            ends.try_send(cap)?;
        }
        let mut received = arrived.try_recv()?.cast::<Rcv<H, u64>>()?;
        tx.try_send(1)?;
        check_eq!((tx.gone(), near.gone()), (None, None), "while it is in transit");
        if sender_first {
            drop(ends);
            check_eq!((tx.gone(), near.gone()), (None, None), "while there is a receiver");
            drop(arrived);
        } else {
            drop((arrived, ends));
        }
        check_eq!(near.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "the receiver");
        check_matches!(tx.try_send(2), Err(TrySendError::Gone(2, Gone::Closed)), "the sender");
        first.try_send(3)?;
        check_eq!(received.try_recv(), Ok(3), "what had been received");
    }
    Ok(())
}

/// R13: a channel of capabilities is bounded exactly, keeps the order, and gives back what does
/// not fit.
pub fn r13_capabilities_are_bounded_and_in_order<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, mut arrived) = s.chanchan(2)?;
    check_eq!((ends.capacity(), arrived.capacity()), (2, 2), "capacity");
    let memory = |bytes| s.mem(bytes).map(|memory| memory.share().into_cap());
    for _ in 0..3 {
        ends.try_send(memory(64)?)?;
        ends.try_send(memory(4096)?)?;
        check_eq!((ends.len(), arrived.len()), (2, 2), "queued");
        let Err(TrySendError::Full(back)) = ends.try_send(memory(64)?) else {
            check!(false, "a third one fits two places");
            return Ok(());
        };
        check_eq!(back.desc().role, Role::Mem, "what comes back");
        let late = ends.send_until(back, Deadline::PASSED);
        check_matches!(late, Err(SendError::TimedOut(_)), "with a passed deadline");
        let (first, second) = (arrived.try_recv()?.desc(), arrived.try_recv()?.desc());
        check!(first.capacity < second.capacity, "{first:?} before {second:?}");
        check_eq!(arrived.try_recv().err(), Some(TryRecvError::Empty), "then");
    }
    Ok(())
}

/// R13: capacity 0 is refused.
pub fn r13_a_chanchan_of_capacity_zero_is_refused<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let kind = s.chanchan(0).err().map(|error| kind_of(&error));
    check_eq!(kind, Some(ErrorKind::Invalid), "a channel of capabilities of capacity 0");
    Ok(())
}

/// H10: an end cannot travel over its own channel, in either direction; it comes back unharmed.
pub fn h10_no_end_travels_over_its_own_channel<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, arrived) = s.chanchan(2)?;
    let Err(TrySendError::Refused(back, kind)) = ends.try_send(arrived.into_cap()) else {
        check!(false, "a receiver travels over its own channel");
        return Ok(());
    };
    check_eq!(kind, ErrorKind::Invalid, "why not");
    let mut arrived = back.cast::<CapRcv<H>>()?;
    ends.try_send(s.mem(64)?.share().into_cap())?;
    check_eq!(arrived.try_recv()?.desc().role, Role::Mem, "over the channel that lives");
    Ok(())
}

/// H10: a capability in transit that is never received closes its channel: when the receiver
/// leaves, whatever left first.
pub fn h10_lost_in_transit_closes_its_channel<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    for sender_first in [false, true] {
        let (mut ends, arrived) = s.chanchan(2)?;
        let (mut tx, rx) = chan::<H, u64>(h, &s, 2)?;
        let (far, mut near) = chan::<H, u64>(h, &s, 2)?;
        ends.try_send(rx.into_cap())?;
        ends.try_send(far.into_cap())?;
        tx.try_send(1)?;
        check_eq!((tx.gone(), near.gone()), (None, None), "while it is in transit");
        if sender_first {
            drop(ends);
            check_eq!((tx.gone(), near.gone()), (None, None), "while there is a receiver");
            drop(arrived);
        } else {
            drop((arrived, ends));
        }
        check_matches!(tx.try_send(2), Err(TrySendError::Gone(2, Gone::Closed)), "the sender");
        check_eq!(near.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "the receiver");
    }
    Ok(())
}

/// H10: the same through two channels: an end in a channel whose end is itself in transit.
pub fn h10_lost_in_transit_closes_what_is_inside<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut outer, outer_rx) = s.chanchan(1)?;
    let (mut inner, inner_rx) = s.chanchan(1)?;
    let (tx, mut rx) = chan::<H, u64>(h, &s, 1)?;
    inner.try_send(tx.into_cap())?;
    outer.try_send(inner_rx.into_cap())?;
    check_eq!(rx.gone(), None, "while it is in transit");
    drop(outer_rx);
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "the end inside");
    check_matches!(inner.gone(), Some(Gone::Closed), "the channel around it");
    Ok(())
}

/// H10: a capability in transit that is lost wakes who sleeps at the other end.
pub fn h10_lost_in_transit_wakes_a_sleeper<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, arrived) = s.chanchan(1)?;
    let (tx, mut rx) = chan::<H, u64>(h, &s, 1)?;
    ends.try_send(tx.into_cap())?;
    let inner = s.clone();
    let thread = s.spawn(move || {
        let closed = Err(RecvError::Gone(Gone::Closed));
        check_eq!(rx.recv_until(inner.soon()), closed, "the sleeper");
        Ok(())
    })?;
    for _ in 0..50 {
        s.yield_now();
    }
    drop(arrived);
    s.join(&thread)
}

/// R18: what was sent before the sender left is received, then the close; a receiver asleep wakes.
pub fn r18_capabilities_sent_before_the_close_arrive<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, mut arrived) = s.chanchan(2)?;
    ends.try_send(s.mem(64)?.share().into_cap())?;
    drop(ends);
    check_eq!(arrived.recv_until(s.soon())?.desc().role, Role::Mem, "after the close");
    let closed = arrived.recv_until(s.soon()).err();
    check_eq!(closed, Some(RecvError::Gone(Gone::Closed)), "then");
    Ok(())
}

/// R18: a capability that comes back because the receiver has left is usable.
pub fn r18_a_capability_comes_back_from_a_closed_channel<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, arrived) = s.chanchan(1)?;
    drop(arrived);
    let (tx, mut rx) = chan::<H, u64>(h, &s, 1)?;
    let Err(TrySendError::Gone(back, Gone::Closed)) = ends.try_send(tx.into_cap()) else {
        check!(false, "sent to nobody");
        return Ok(());
    };
    let mut tx = back.cast::<Snd<H, u64>>()?;
    tx.try_send(6)?;
    check_eq!(rx.try_recv(), Ok(6), "over the end that came back");
    Ok(())
}

/// R5: what may not be handed on is refused, comes back, and the channel lives.
pub fn r5_what_may_not_be_handed_on_is_refused<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, mut arrived) = s.chanchan(1)?;
    let (tx, _rx) = chan::<H, u64>(h, &s, 1)?;
    let mut cap = tx.into_cap();
    cap.narrow(Rights::WRITE);
    let Err(TrySendError::Refused(back, ErrorKind::Denied)) = ends.try_send(cap) else {
        check!(false, "handed on without TRANSFER");
        return Ok(());
    };
    check!(back.cast::<Snd<H, u64>>().is_ok(), "what came back is no sender any more");
    ends.try_send(s.mem(64)?.share().into_cap())?;
    check_eq!(arrived.try_recv()?.desc().role, Role::Mem, "over the channel that lives");
    Ok(())
}

/// R32: rights only shrink on a journey.
pub fn r32_rights_only_shrink_on_a_journey<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, mut arrived) = s.chanchan(1)?;
    let given = Rights::READ | Rights::TRANSFER;
    let mut cap = s.mem(64)?.share().into_cap();
    cap.narrow(given);
    for _ in 0..2 {
        ends.try_send(cap)?;
        cap = arrived.try_recv()?;
        check_eq!(cap.rights(), given, "rights after the journey");
        cap.narrow(Rights::all());
        check_eq!(cap.rights(), given, "rights after asking for all");
    }
    let memory: Shared<H> = cap.cast()?;
    let kind = memory.map(Rights::READ | Rights::WRITE).err().map(|error| kind_of(&error));
    check_eq!(kind, Some(ErrorKind::Denied), "mapping to write");
    // An end that may not send may not send after a journey either.
    let (tx, _rx) = chan::<H, u64>(h, &s, 1)?;
    let mut cap = tx.into_cap();
    cap.narrow(Rights::TRANSFER);
    ends.try_send(cap)?;
    let refused = arrived.try_recv()?.cast::<Snd<H, u64>>().err();
    check_matches!(refused.map(|error| error.reason), Some(CastReason::Parts(_)), "sending");
    Ok(())
}

/// R21: memory travels, and is the same memory there.
pub fn r21_memory_travels<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, mut arrived) = s.chanchan(1)?;
    let memory = s.mem(64)?.share();
    let here = memory.map(Rights::READ | Rights::WRITE)?;
    ends.try_send(memory.alias(Rights::READ | Rights::TRANSFER)?.into_cap())?;
    let there: Shared<H> = arrived.try_recv()?.cast()?;
    here.copy_in(0, &[3])?;
    let mut byte = [0];
    there.map(Rights::READ)?.copy_out(0, &mut byte)?;
    check_eq!(byte, [3], "what was written here is read there");
    Ok(())
}

/// R21: wrong casts of what arrives give it back: direction, data or capabilities, kind, message.
pub fn r21_wrong_casts_of_what_arrives<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, mut arrived) = s.chanchan(2)?;
    let (inner_tx, inner_rx) = s.chanchan(1)?;
    ends.try_send(inner_tx.into_cap())?;
    ends.try_send(inner_rx.into_cap())?;
    let (tx, rx) = (arrived.try_recv()?, arrived.try_recv()?);
    let mismatch = ErrorKind::TypeMismatch;
    let tx = tx.cast::<CapRcv<H>>().err().map(|e| (e.reason.kind(), e.cap));
    let Some((kind, tx)) = tx else {
        check!(false, "a sender of capabilities cast to a receiver");
        return Ok(());
    };
    check_eq!(kind, mismatch, "a sender of capabilities as a receiver");
    let Some(error) = tx.cast::<Snd<H, u64>>().err() else {
        check!(false, "a sender of capabilities cast to one of data");
        return Ok(());
    };
    check_eq!(error.reason.kind(), mismatch, "a sender of capabilities as one of data");
    let Some(wrong) = rx.cast::<Shared<H>>().err() else {
        check!(false, "a receiver cast to memory");
        return Ok(());
    };
    check_eq!(wrong.reason.kind(), mismatch, "a receiver of capabilities as memory");
    let (mut tx, mut rx) = (error.cap.cast::<CapSnd<H>>()?, wrong.cap.cast::<CapRcv<H>>()?);
    tx.try_send(s.mem(64)?.share().into_cap())?;
    check_eq!(rx.try_recv()?.desc().role, Role::Mem, "over the ends that came back");
    Ok(())
}

/// R21: the end of a channel of capabilities keeps its place when it travels.
pub fn r21_an_end_of_capabilities_keeps_its_place<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, mut arrived) = s.chanchan(2)?;
    for bytes in [64, 4096] {
        ends.try_send(s.mem(bytes)?.share().into_cap())?;
    }
    let first = arrived.try_recv()?;
    let mut arrived = arrived.into_cap().cast::<CapRcv<H>>()?;
    let mut ends = ends.into_cap().cast::<CapSnd<H>>()?;
    ends.try_send(first)?;
    let large = arrived.try_recv()?.desc().capacity;
    let small = arrived.try_recv()?.desc().capacity;
    check!(large >= 4096 && small < large, "{large} bytes, then {small} bytes");
    Ok(())
}

/// R13: a sender of capabilities asleep for room wakes when there is some, and when the receiver
/// leaves.
pub fn r13_a_full_chanchan_wakes_its_sender<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut ends, mut arrived) = s.chanchan(1)?;
    let cap = || -> Result<_, Failure> { Ok(s.mem(64)?.share().into_cap()) };
    let (first, second, third) = (cap()?, cap()?, cap()?);
    let inner = s.clone();
    let thread = s.spawn(move || {
        ends.send_until(first, inner.soon())?;
        ends.send_until(second, inner.soon())?;
        let sent = ends.send_until(third, inner.soon());
        check_matches!(sent, Err(SendError::Gone(_, Gone::Closed)), "the receiver has left");
        Ok(())
    })?;
    let received = arrived.recv_until(s.soon()).map(drop);
    check_eq!(received, Ok(()), "the first");
    s.poll("the second is sent", || arrived.len() == 1)?;
    drop(arrived);
    s.join(&thread)
}
