//! Event groups (R26-R30).

use res_api::{
    Backend, Blockpoint, Deadline, ErrorKind, Event, EvtGrp, Gone, Receiver, Sender, Source,
    SourceKind, Thread, Timer, Trigger, TryRecvError, WaitError, Wake, kind_of,
};

use crate::channel::{Rcv, Snd};
use crate::stage::{Stage, chan, stage};
use crate::{Failure, Harness};

const TIMED_OUT: Result<Event, WaitError> = Err(WaitError::TimedOut);

fn event(kind: SourceKind, data: u64) -> Result<Event, WaitError> {
    Ok(Event { kind, data })
}

/// A few channels, all empty.
type Channels<H, const N: usize> = ([Snd<H, u64>; N], [Rcv<H, u64>; N]);

fn channels<H: Harness, const N: usize>(
    h: &H,
    s: &Stage<H::Backend>,
) -> Result<Channels<H, N>, Failure> {
    let mut failure = None;
    let mut made: [Option<_>; N] =
        core::array::from_fn(|_| chan::<H, u64>(h, s, 4).map_err(|f| failure = Some(f)).ok());
    if let Some(failure) = failure {
        return Err(failure);
    }
    // Each is there: none has failed.
    let (mut txs, mut rxs) = ([const { None }; N], [const { None }; N]);
    for (at, ends) in made.iter_mut().enumerate() {
        (txs[at], rxs[at]) = ends.take().unzip();
    }
    let all = "each channel was made";
    Ok((txs.map(|tx| tx.expect(all)), rxs.map(|rx| rx.expect(all))))
}

/// R26: receivers, senders, blockpoints, timers and threads in one group: each is reported with its
/// kind and the datum that the client chose.
pub fn r26_group_reports_each_source<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(5)?;
    let ((mut tx, mut rx), (mut full, mut room)) =
        (chan::<H, u64>(h, &s, 1)?, chan::<H, u64>(h, &s, 1)?);
    full.try_send(0)?;
    let (point, timer, thread) =
        (s.blockpoint()?, s.timer(s.after(core::time::Duration::MAX), None)?, s.thread(|| {})?);
    let _registered = (
        group.add(&rx, Trigger::Edge, 10)?,
        group.add(&full, Trigger::Edge, 11)?,
        group.add(&point, Trigger::Edge, 12)?,
        group.add(&timer, Trigger::Edge, 13)?,
        group.add(&thread, Trigger::Edge, u64::MAX)?,
    );
    check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "nothing is ready");
    tx.try_send(1)?;
    check_eq!(group.wait(s.soon()), event(SourceKind::Receiver, 10), "a message");
    rx.try_recv()?;
    room.try_recv()?;
    check_eq!(group.wait(s.soon()), event(SourceKind::Sender, 11), "room");
    point.trigger(Wake::All);
    check_eq!(group.wait(s.soon()), event(SourceKind::Blockpoint, 12), "a trigger");
    timer.set(s.now(), None);
    check_eq!(group.wait(s.soon()), event(SourceKind::Timer, 13), "a timer");
    thread.start()?;
    check_eq!(group.wait(s.soon()), event(SourceKind::Thread, u64::MAX), "the end of a thread");
    check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "nothing is left");
    Ok(())
}

/// R26: several sources that become ready at once are all reported, each once.
pub fn r26_none_of_several_at_once_is_lost<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(5)?;
    let (mut txs, rxs) = channels::<H, 5>(h, &s)?;
    let mut registered = [const { None }; 5];
    for (at, rx) in rxs.iter().enumerate() {
        registered[at] = Some(group.add(rx, Trigger::Edge, at as u64)?);
    }
    for round in 0..4 {
        let mut rxs_left = 0b11111_u32;
        for tx in &mut txs {
            tx.try_send(round)?;
        }
        while rxs_left != 0 {
            let found = group.wait(s.soon())?;
            let bit = 1 << found.data;
            check!(rxs_left & bit != 0, "{found:?} is reported twice, or was not added");
            rxs_left &= !bit;
        }
        check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "all have been reported");
    }
    Ok(())
}

/// R29: several triggers of an edge-triggered source before a wait are one event; a later one is
/// another.
pub fn r29_edge_coalesces_without_loss<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(1)?;
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 4)?;
    let _registered = group.add(&rx, Trigger::Edge, 3)?;
    for _ in 0..4 {
        for n in 0..3 {
            tx.try_send(n)?;
        }
        check_eq!(group.wait(s.soon()), event(SourceKind::Receiver, 3), "three messages");
        check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "they are one event");
        let mut count = 0;
        rx.drain(|_| count += 1);
        check_eq!(count, 3, "messages");
    }
    Ok(())
}

/// R29: a level-triggered source is reported at each wait until its end finds nothing.
pub fn r29_level_reports_until_idle<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(1)?;
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 4)?;
    let _registered = group.add(&rx, Trigger::Level, 3)?;
    for _ in 0..3 {
        check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "nothing there");
        for n in 0..3 {
            tx.try_send(n)?;
        }
        for n in 0..3 {
            check_eq!(group.wait(s.soon()), event(SourceKind::Receiver, 3), "while some are there");
            check_eq!(group.wait(s.soon()), event(SourceKind::Receiver, 3), "again");
            check_eq!(rx.try_recv(), Ok(n), "received");
        }
        check_eq!(rx.try_recv(), Err(TryRecvError::Empty), "idle");
    }
    check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "after idle");
    Ok(())
}

/// R29: a sender is level-triggered on room.
pub fn r29_level_senders_report_room<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(1)?;
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 2)?;
    let _registered = group.add(&tx, Trigger::Level, 1)?;
    for _ in 0..3 {
        for _ in 0..3 {
            check_eq!(group.wait(s.soon()), event(SourceKind::Sender, 1), "while there is room");
        }
        while tx.try_send(0).is_ok() {}
        check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "when it is full");
        rx.drain(drop);
    }
    Ok(())
}

/// H23: going idle at the very moment when something comes does not lose it: level-triggered, two
/// threads.
pub fn h23_idle_loses_no_event<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (group, count) = (s.evtgrp(1)?, s.rounds(2_000));
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 2)?;
    let _registered = group.add(&rx, Trigger::Level, 0)?;
    let inner = s.clone();
    let thread = s.spawn(move || {
        for n in 0..count {
            tx.send_until(n, inner.soon())?;
        }
        Ok(())
    })?;
    let mut next = 0;
    while next < count {
        group.wait(s.soon())?;
        // One at a time, and then idle: as often as can be.
        while let Ok(n) = rx.try_recv() {
            check_eq!(n, next, "received");
            next += 1;
        }
    }
    s.join(&thread)
}

/// H23: who goes idle with an old snapshot does not take away what came since.
pub fn h23_an_old_snapshot_takes_nothing_away<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(1)?;
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 2)?;
    let _registered = group.add(&rx, Trigger::Level, 1)?;
    for n in 0..3 {
        let seen = rx.blockpoint().snapshot();
        tx.try_send(n)?;
        check_eq!(rx.blockpoint().idle(seen, None), None, "what was told");
        check_eq!(group.wait(s.soon()), event(SourceKind::Receiver, 1), "what came since");
        check_eq!(rx.try_recv(), Ok(n), "received");
    }
    Ok(())
}

/// R8: two threads send, edge-triggered; who waits on the group and drains misses nothing.
pub fn r8_no_wakeup_is_lost_through_a_group<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (group, count) = (s.evtgrp(2)?, s.rounds(1_500));
    let ([left, right], mut rxs) = channels::<H, 2>(h, &s)?;
    let _registered =
        [group.add(&rxs[0], Trigger::Edge, 0)?, group.add(&rxs[1], Trigger::Edge, 1)?];
    let sender = |mut tx: Snd<H, u64>| {
        let inner = s.clone();
        s.spawn(move || (0..count).try_for_each(|n| Ok(tx.send_until(n, inner.soon())?)))
    };
    let threads = [sender(left)?, sender(right)?];
    let (mut next, mut open) = ([0; 2], [true; 2]);
    while open != [false; 2] {
        let at = group.wait(s.soon())?.data as usize;
        let mut wrong = None;
        open[at] = rxs[at]
            .drain(|n| {
                if n != next[at] {
                    wrong.get_or_insert((n, next[at]));
                }
                next[at] += 1;
            })
            .is_none();
        check_eq!(wrong, None, "(found, expected) of source {at}");
    }
    check_eq!(next, [count; 2], "received");
    threads.iter().try_for_each(|thread| s.join(thread))
}

/// R26: a source that is ready when it is added is pending at once.
pub fn r26_added_when_ready_is_pending<H: Harness>(h: &H) -> Result<(), Failure> {
    for trigger in [Trigger::Edge, Trigger::Level] {
        let s = stage(h);
        let (mut tx, rx) = chan::<H, u64>(h, &s, 1)?;
        tx.try_send(1)?;
        let group = s.evtgrp(1)?;
        let _registered = group.add(&rx, trigger, 4)?;
        check_eq!(group.wait(s.soon()), event(SourceKind::Receiver, 4), "{trigger:?}");
    }
    Ok(())
}

/// R18: the close of a channel is an event at either end, and stays one for a level-triggered end.
pub fn r18_a_group_reports_the_close<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(2)?;
    let ((tx, mut rx), (mut full, other)) = (chan::<H, u64>(h, &s, 1)?, chan::<H, u64>(h, &s, 1)?);
    full.try_send(1)?;
    let _registered = (group.add(&rx, Trigger::Level, 0)?, group.add(&full, Trigger::Edge, 1)?);
    check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "nothing yet");
    drop(tx);
    for _ in 0..3 {
        check_eq!(group.wait(s.soon()), event(SourceKind::Receiver, 0), "the sender has left");
        check_eq!(rx.try_recv(), Err(TryRecvError::Gone(Gone::Closed)), "and says so");
    }
    drop(_registered.0);
    drop(other);
    check_eq!(group.wait(s.soon()), event(SourceKind::Sender, 1), "the receiver has left");
    Ok(())
}

/// R26: a source taken out is not reported any more, pending or not; its place is free, and it can
/// go into another group.
pub fn r26_a_removed_source_is_silent<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (group, other) = (s.evtgrp(1)?, s.evtgrp(1)?);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 4)?;
    for round in 0..5 {
        let registration = group.add(&rx, Trigger::Edge, round)?;
        tx.try_send(1)?;
        drop(registration);
        check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "the removed source was pending");
        tx.try_send(2)?;
        check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "the removed source is triggered");
        let _elsewhere = other.add(&rx, Trigger::Edge, round)?;
        check_eq!(other.wait(s.soon()), event(SourceKind::Receiver, round), "elsewhere");
        rx.drain(drop);
    }
    Ok(())
}

/// R26: a full group says `NoSlots`; a place given back is used again.
pub fn r26_a_full_group_has_no_slots<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(2)?;
    check_eq!(group.capacity(), 2, "capacity");
    let points = [s.blockpoint()?, s.blockpoint()?, s.blockpoint()?];
    let first = group.add(&points[0], Trigger::Edge, 0)?;
    let _second = group.add(&points[1], Trigger::Edge, 1)?;
    let kind = group.add(&points[2], Trigger::Edge, 2).err().map(|e| kind_of(&e));
    check_eq!(kind, Some(ErrorKind::NoSlots), "the third source");
    drop(first);
    let _third = group.add(&points[2], Trigger::Edge, 2)?;
    points[0].trigger(Wake::All);
    points[2].trigger(Wake::All);
    check_eq!(group.wait(s.soon()), event(SourceKind::Blockpoint, 2), "in the place of another");
    Ok(())
}

/// R26: a source that a group watches already is refused, by this group and by another.
pub fn r26_a_source_is_watched_once<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (group, other) = (s.evtgrp(3)?, s.evtgrp(3)?);
    let (mut tx, rx) = chan::<H, u64>(h, &s, 1)?;
    let _registered = group.add(&rx, Trigger::Edge, 0)?;
    for group in [&group, &other] {
        let kind = group.add(&rx, Trigger::Edge, 1).err().map(|e| kind_of(&e));
        check_eq!(kind, Some(ErrorKind::Exists), "adding it again");
    }
    tx.try_send(1)?;
    check_eq!(group.wait(s.soon()), event(SourceKind::Receiver, 0), "the first registration");
    check_eq!(other.wait(Deadline::PASSED), TIMED_OUT, "the other group");
    Ok(())
}

/// R26: a group of no places is refused.
pub fn r26_a_group_of_capacity_zero_is_refused<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let kind = s.evtgrp(0).err().map(|error| kind_of(&error));
    check_eq!(kind, Some(ErrorKind::Invalid), "a group of capacity 0");
    Ok(())
}

/// R26: a closed group says so to everybody who waits or adds, now and later, whatever is pending.
pub fn r26_a_closed_group_says_so<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(2)?;
    let (point, late) = (s.blockpoint()?, s.blockpoint()?);
    let _registered = group.add(&point, Trigger::Edge, 0)?;
    check_eq!(group.gone(), None, "of an open group");
    point.trigger(Wake::All);
    group.close();
    check_eq!(group.gone(), Some(Gone::Closed), "of a closed group");
    let closed = Err(WaitError::Gone(Gone::Closed));
    check_eq!(group.wait(s.soon()), closed, "waiting");
    check_eq!(group.wait(Deadline::PASSED), closed, "waiting again");
    let kind = group.add(&late, Trigger::Edge, 1).err().map(|e| kind_of(&e));
    check_eq!(kind, Some(ErrorKind::Closed), "adding");
    Ok(())
}

/// R26: source, group and registration may be dropped in any order.
pub fn r26_dropped_in_any_order<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    for order in 0..6 {
        let (mut tx, rx) = chan::<H, u64>(h, &s, 1)?;
        let group = s.evtgrp(1)?;
        let registration = group.add(&rx, Trigger::Edge, 0)?;
        tx.try_send(0)?;
        match order {
            0 => drop((rx, group, registration)),
            1 => drop((rx, registration, group)),
            2 => drop((group, rx, registration)),
            3 => drop((group, registration, rx)),
            4 => drop((registration, rx, group)),
            _ => drop((registration, group, rx)),
        }
        let _ = tx.try_send(1);
    }
    Ok(())
}

/// R26: a source that is ready all the time does not starve the others.
pub fn r26_no_source_starves<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(4)?;
    let (mut txs, rxs) = channels::<H, 4>(h, &s)?;
    let mut registered = [const { None }; 4];
    for (at, rx) in rxs.iter().enumerate() {
        registered[at] = Some(group.add(rx, Trigger::Level, at as u64)?);
        txs[at].try_send(1)?;
    }
    for round in 0..5 {
        let mut seen = 0;
        for _ in 0..rxs.len() {
            seen |= 1 << group.wait(s.soon())?.data;
        }
        check_eq!(seen, 0b1111, "sources reported in round {round}");
    }
    Ok(())
}

/// R14: a wait with a deadline that has passed looks, and comes back.
pub fn r14_a_group_wait_keeps_its_deadline<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let group = s.evtgrp(1)?;
    check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "an empty group");
    let by = s.within(core::time::Duration::from_millis(1));
    check_eq!(group.wait(by), TIMED_OUT, "an empty group");
    check!(by.passed(s.now()), "the wait gave up before the deadline");
    Ok(())
}

/// R26: hundreds of sources in one group, on no helper thread; the right one is found.
pub fn r26_hundreds_of_sources<H: Harness>(h: &H) -> Result<(), Failure> {
    const MANY: usize = 300;
    let s = stage(h);
    let group = s.evtgrp(MANY as u32)?;
    let mut sources = [const { None }; MANY];
    for (at, place) in sources.iter_mut().enumerate() {
        let point = s.blockpoint()?;
        let registered = group.add(&point, Trigger::Edge, at as u64)?;
        *place = Some((registered, point));
    }
    for step in 0..2 * MANY {
        let at = step * 77 % MANY;
        if let Some((_, point)) = &sources[at] {
            point.trigger(Wake::All);
        }
        check_eq!(group.wait(s.soon()).map(|event| event.data), Ok(at as u64), "the source");
    }
    check_eq!(group.wait(Deadline::PASSED), TIMED_OUT, "then");
    Ok(())
}

/// R26: ends of channels say what they are and whether they are ready.
pub fn r26_ends_say_whether_they_are_ready<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 1)?;
    check_eq!(tx.source_kind(), SourceKind::Sender, "kind of a sender");
    check_eq!(rx.source_kind(), SourceKind::Receiver, "kind of a receiver");
    check_eq!((tx.ready(), rx.ready()), (true, false), "(sender, receiver), when empty");
    tx.try_send(1)?;
    check_eq!((tx.ready(), rx.ready()), (false, true), "(sender, receiver), when full");
    rx.try_recv()?;
    check_eq!((tx.ready(), rx.ready()), (true, false), "(sender, receiver), when empty again");
    drop(tx);
    check!(rx.ready(), "a receiver whose sender has left is not ready");
    Ok(())
}
