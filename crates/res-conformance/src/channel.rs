//! Channels of data, of any kind (R13-R24).

use res_api::{
    AnyCap, Backend, CastReason, Deadline, Desc, ErrorKind, FromCap, Gone, IntoCap, Kind, KindId,
    Mem, Message, Name, Receiver, RecvError, Rights, Role, SendError, Sender, Tag, TryRecvError,
    TrySendError, kind_of,
};

use crate::stage::{Words, chan, stage};
use crate::{Failure, Harness};

/// The sending end of the kind under test.
pub type Snd<H, T> = <<H as Harness>::Kind as Kind<<H as Harness>::Backend>>::Snd<T>;
/// The receiving end of the kind under test.
pub type Rcv<H, T> = <<H as Harness>::Kind as Kind<<H as Harness>::Backend>>::Rcv<T>;

/// Capacities that are tried: powers of two, their neighbours, others.
const CAPACITIES: [u32; 6] = [1, 2, 3, 5, 8, 33];

/// Sends `first..` until the channel is full; how many went in.
fn fill(tx: &mut impl Sender<Msg = u64>, first: u64) -> Result<u64, Failure> {
    let mut next = first;
    loop {
        match tx.try_send(next) {
            Ok(()) => next += 1,
            Err(TrySendError::Full(back)) => {
                check_eq!(back, next, "the message that did not fit comes back");
                return Ok(next - first);
            }
            Err(other) => check!(false, "try_send: {other:?}"),
        }
        check!(next - first <= 1 << 20, "a channel that never gets full");
    }
}

/// Receives exactly `expected`, without waiting.
fn expect(rx: &mut impl Receiver<Msg = u64>, expected: u64) -> Result<(), Failure> {
    check_eq!(rx.try_recv(), Ok(expected), "try_recv");
    Ok(())
}

/// R13: each capacity is taken exactly, all slots of it, again after each emptying.
pub fn r13_bounded_takes_exactly_capacity<H: Harness>(h: &H) -> Result<(), Failure> {
    for capacity in CAPACITIES {
        let s = stage(h);
        let (mut tx, mut rx) = chan::<H, u64>(h, &s, capacity)?;
        for round in 0..3 {
            let first = round * u64::from(capacity);
            check_eq!(fill(&mut tx, first)?, u64::from(capacity), "messages that fit");
            for n in first..first + u64::from(capacity) {
                expect(&mut rx, n)?;
            }
            check_eq!(rx.try_recv(), Err(TryRecvError::Empty), "then");
        }
    }
    Ok(())
}

/// R13: after a message is taken out of a full channel exactly one fits.
pub fn r13_one_out_makes_room_for_one<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 3)?;
    let full = fill(&mut tx, 0)?;
    for taken in 0..20 {
        expect(&mut rx, taken)?;
        check_eq!(fill(&mut tx, full + taken)?, 1, "messages that fit after one was taken");
    }
    Ok(())
}

/// R13: messages arrive in the order of sending, each once, however often the ring wraps.
pub fn r13_order_is_kept_across_wraps<H: Harness>(h: &H) -> Result<(), Failure> {
    for capacity in CAPACITIES {
        let s = stage(h);
        let (mut tx, mut rx) = chan::<H, u64>(h, &s, capacity)?;
        let (mut sent, mut received) = (0, 0);
        for step in 0..8 * u64::from(capacity) {
            let batch = 1 + step % u64::from(capacity);
            for _ in 0..batch {
                tx.try_send(sent)?;
                sent += 1;
            }
            while received < sent {
                expect(&mut rx, received)?;
                received += 1;
            }
        }
        check_eq!(rx.try_recv(), Err(TryRecvError::Empty), "after the last");
    }
    Ok(())
}

/// R14: batches of any size, taken one by one and by drain in turn, keep the order between them.
pub fn r14_batches_keep_the_order_between_them<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 8)?;
    let (mut sent, mut received) = (0, 0);
    for step in 0..40_u64 {
        for _ in 0..1 + step % 4 {
            tx.try_send(sent)?;
            sent += 1;
        }
        // One by one, and the rest together with the next batch.
        expect(&mut rx, received)?;
        received += 1;
        for _ in 0..step % 3 {
            tx.try_send(sent)?;
            sent += 1;
        }
        let mut wrong = None;
        rx.drain(|n| {
            if n != received {
                wrong.get_or_insert((n, received));
            }
            received += 1;
        });
        check_eq!(wrong, None, "(found, expected) in a batch");
        check_eq!(received, sent, "messages received");
    }
    Ok(())
}

/// R14: slices go in and out as far as they fit, in one order with single messages.
pub fn r14_slices_keep_the_order_and_the_bound<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 5)?;
    let (mut sent, mut received) = (0, 0);
    for step in 0..30_u64 {
        let room = u64::from(tx.capacity() - tx.len());
        let batch: [u64; 7] = core::array::from_fn(|n| sent + n as u64);
        let count = 1 + step % 7;
        match tx.try_send_slice(&batch[..count as usize]) {
            Ok(n) => {
                check_eq!(n as u64, count.min(room), "sent of {count}, room for {room}");
                sent += n as u64;
            }
            Err(TrySendError::Full(())) => check_eq!(room, 0, "room, though it was full"),
            Err(other) => check!(false, "sending a slice: {other:?}"),
        }
        if step % 3 == 0 {
            expect(&mut rx, received)?;
            received += 1;
        }
        let mut into = [0; 4];
        let wanted = (step % 5) as usize;
        let n = rx.try_recv_slice(&mut into[..wanted.min(4)]).unwrap_or(0);
        for found in &into[..n] {
            check_eq!(*found, received, "received by a slice");
            received += 1;
        }
    }
    while received < sent {
        expect(&mut rx, received)?;
        received += 1;
    }
    Ok(())
}

/// R18: a slice sent to nobody says so, one that waits to be received is received before the close.
pub fn r18_slices_see_the_close<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, rx) = chan::<H, u64>(h, &s, 4)?;
    drop(rx);
    check_matches!(
        tx.try_send_slice(&[1, 2]),
        Err(TrySendError::Gone((), Gone::Closed)),
        "sending a slice to nobody"
    );
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 4)?;
    check_eq!(tx.try_send_slice(&[1, 2, 3]).ok(), Some(3), "sent");
    drop(tx);
    let mut into = [0; 2];
    check_eq!(rx.try_recv_slice(&mut into), Ok(2), "received after the close");
    check_eq!((into, rx.try_recv_slice(&mut into)), ([1, 2], Ok(1)), "and the rest");
    check_eq!(into[0], 3, "the last");
    let closed = Err(TryRecvError::Gone(Gone::Closed));
    check_eq!(rx.try_recv_slice(&mut into), closed, "then");
    Ok(())
}

/// R13: capacity 0 is refused with a defined error.
pub fn r13_capacity_zero_is_refused<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let kind = chan::<H, u64>(h, &s, 0).err().map(|failure| failure.kind());
    check_eq!(kind, Some(ErrorKind::Invalid), "a channel of capacity 0");
    Ok(())
}

/// R13: sizes that overflow are refused, not wrapped around.
pub fn r13_sizes_that_overflow_are_refused<H: Harness>(h: &H) -> Result<(), Failure> {
    // 8 MiB each.
    type Big = [u64; 1 << 20];
    let s = stage(h);
    // Attributes that the kind refuses would be refused here already.
    drop(chan::<H, u64>(h, &s, 1)?);
    for capacity in [1 << 31, u32::MAX] {
        let kind = chan::<H, Big>(h, &s, capacity).err().map(|failure| failure.kind());
        check_matches!(kind, Some(ErrorKind::Invalid | ErrorKind::NoMemory), "{capacity} of 8 MiB");
    }
    Ok(())
}

/// R13: tokens, messages of no bytes, are counted like any other.
pub fn r13_messages_of_no_bytes_are_counted<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, ()>(h, &s, 3)?;
    for _ in 0..5 {
        for _ in 0..3 {
            tx.try_send(())?;
        }
        check_matches!(tx.try_send(()), Err(TrySendError::Full(())), "the fourth token");
        check_eq!(rx.len(), 3, "tokens queued");
        let mut count = 0;
        rx.drain(|()| count += 1);
        check_eq!(count, 3, "tokens received");
    }
    Ok(())
}

fn arrives<H: Harness, T: Message + PartialEq + core::fmt::Debug + Copy>(
    h: &H,
    values: [T; 3],
) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, T>(h, &s, 2)?;
    for value in values {
        tx.try_send(value)?;
        check_matches!(rx.try_recv(), Ok(found) if *found == value, "{}", T::TAG.name);
    }
    Ok(())
}

/// R13: messages of any size and alignment arrive whole.
pub fn r13_messages_of_any_size_arrive_whole<H: Harness>(h: &H) -> Result<(), Failure> {
    arrives(h, [true, false, true])?;
    arrives(h, [[1_u8, 2, 3], [4, 5, 6], [7, 8, 9]])?;
    arrives(h, [u128::MAX, 1 << 64, 3])?;
    arrives(h, [[1_u32; 5], [2; 5], [u32::MAX; 5]])?;
    let long = |first: u64| core::array::from_fn::<u64, 16, _>(|n| first + n as u64);
    arrives(h, [long(0), long(100), long(u64::MAX - 16)])?;
    let longer = |first: u8| core::array::from_fn::<u8, 777, _>(|n| first.wrapping_add(n as u8));
    arrives(h, [longer(0), longer(99), longer(255)])
}

/// R14: operations that do not wait report full and empty.
pub fn r14_try_reports_full_and_empty<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 1)?;
    check_eq!(rx.try_recv(), Err(TryRecvError::Empty), "an empty channel");
    tx.try_send(1)?;
    check_matches!(tx.try_send(2), Err(TrySendError::Full(2)), "a full channel");
    expect(&mut rx, 1)?;
    check_eq!(rx.try_recv(), Err(TryRecvError::Empty), "an empty channel again");
    Ok(())
}

/// R14: with a deadline that has passed, sending and receiving look once; the message comes back.
/// The other side is another thread, so that a deadline that is ignored is noticed.
pub fn r14_a_passed_deadline_does_not_wait<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let ((mut full, keep), (keep_too, mut empty)) =
        (chan::<H, u64>(h, &s, 1)?, chan::<H, u64>(h, &s, 1)?);
    let done = Words::new(&*s)?;
    let (done_too, past) = (done.clone(), s.now());
    let thread = s.spawn(move || {
        for deadline in [Deadline::PASSED, Deadline::at(past)] {
            check_eq!(empty.recv_until(deadline), Err(RecvError::TimedOut), "nothing to receive");
            full.send_until(1, deadline).or_else(|error| match error {
                SendError::TimedOut(1) => Ok(()),
                other => Err(other),
            })?;
            check_matches!(full.send_until(2, deadline), Err(SendError::TimedOut(2)), "no room");
        }
        done_too.set(0, 1);
        Ok(())
    })?;
    let came_back = s.poll("operations with a passed deadline return", || done.get(0) == 1);
    // Whatever it waits for in vain ends.
    drop((keep, keep_too));
    came_back?;
    s.join(&thread)
}

/// R14: a deadline in the future ends a wait, not before it has passed.
pub fn r14_a_deadline_ends_a_wait<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let ((mut full, keep), (keep_too, mut empty)) =
        (chan::<H, u64>(h, &s, 1)?, chan::<H, u64>(h, &s, 1)?);
    let done = Words::new(&*s)?;
    let (done_too, inner) = (done.clone(), s.clone());
    full.try_send(1)?;
    let thread = s.spawn(move || {
        let by = inner.within(core::time::Duration::from_millis(2));
        check_eq!(empty.recv_until(by), Err(RecvError::TimedOut), "nothing to receive");
        check!(by.passed(inner.now()), "receiving gave up before the deadline");
        let by = inner.within(core::time::Duration::from_millis(2));
        check_matches!(full.send_until(2, by), Err(SendError::TimedOut(2)), "no room");
        check!(by.passed(inner.now()), "sending gave up before the deadline");
        done_too.set(0, 1);
        Ok(())
    })?;
    let came_back = s.poll("a deadline ends a wait", || done.get(0) == 1);
    drop((keep, keep_too));
    came_back?;
    s.join(&thread)
}

/// R14: an operation that can succeed does, whatever its deadline.
pub fn r14_a_passed_deadline_does_not_hinder<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 1)?;
    tx.send_until(5, Deadline::PASSED)?;
    check_eq!(rx.recv_until(Deadline::PASSED), Ok(5), "recv_until");
    Ok(())
}

/// R14: drain takes all that is there, in order, and says whether more will come.
pub fn r14_drain_takes_all_and_tells_the_end<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 4)?;
    let mut next = 0;
    check_eq!(rx.drain(|_| next += 100), None, "draining nothing");
    fill(&mut tx, 0)?;
    check_eq!(rx.drain(|n| next += u64::from(n == next)), None, "draining");
    check_eq!(next, 4, "messages in order");
    tx.try_send(4)?;
    drop(tx);
    check_eq!(rx.drain(|n| next += u64::from(n == next)), Some(Gone::Closed), "draining the rest");
    check_eq!(next, 5, "messages in order");
    Ok(())
}

/// R13: both ends agree on capacity and on how many are queued.
pub fn r13_len_and_capacity_agree<H: Harness>(h: &H) -> Result<(), Failure> {
    for capacity in CAPACITIES {
        let s = stage(h);
        let (mut tx, mut rx) = chan::<H, u64>(h, &s, capacity)?;
        check_eq!((tx.capacity(), rx.capacity()), (capacity, capacity), "capacity");
        check!(tx.is_empty() && rx.is_empty(), "a new channel is not empty");
        for n in 1..=capacity {
            tx.try_send(n.into())?;
            check_eq!((tx.len(), rx.len()), (n, n), "queued");
        }
        for n in (0..capacity).rev() {
            rx.try_recv()?;
            check_eq!((tx.len(), rx.len()), (n, n), "queued");
        }
    }
    Ok(())
}

/// R13: what an end has seen is counted: messages through it.
pub fn r13_stats_count_messages<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 2)?;
    for n in 0..7 {
        tx.try_send(n)?;
        expect(&mut rx, n)?;
    }
    tx.try_send(7)?;
    check_eq!((tx.stats().messages, rx.stats().messages), (8, 7), "messages");
    Ok(())
}

/// R18: each end learns that the other has closed; sending gives the message back.
pub fn r18_close_is_seen_by_the_other_end<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, rx) = chan::<H, u64>(h, &s, 2)?;
    check_eq!((tx.gone(), rx.gone()), (None, None), "of open ends");
    drop(rx);
    check_eq!(tx.gone(), Some(Gone::Closed), "of the sender");
    for n in 0..3 {
        check_matches!(tx.try_send(n), Err(TrySendError::Gone(m, Gone::Closed)) if *m == n, "try");
        check_matches!(tx.send(n), Err(SendError::Gone(m, Gone::Closed)) if *m == n, "send");
    }
    let (tx, mut rx) = chan::<H, u64>(h, &s, 2)?;
    drop(tx);
    check_eq!(rx.gone(), Some(Gone::Closed), "of the receiver");
    check_eq!(rx.try_recv(), Err(TryRecvError::Gone(Gone::Closed)), "try_recv");
    check_eq!(rx.recv(), Err(RecvError::Gone(Gone::Closed)), "recv");
    Ok(())
}

/// R18: what was sent before the close is received first, then the close.
pub fn r18_what_was_sent_before_the_close_is_received<H: Harness>(h: &H) -> Result<(), Failure> {
    for capacity in CAPACITIES {
        let s = stage(h);
        let (mut tx, mut rx) = chan::<H, u64>(h, &s, capacity)?;
        let sent = fill(&mut tx, 0)?;
        drop(tx);
        for n in 0..sent {
            check_eq!(rx.recv_until(s.soon()), Ok(n), "after the close");
        }
        for _ in 0..2 {
            check_eq!(rx.recv(), Err(RecvError::Gone(Gone::Closed)), "then");
        }
    }
    Ok(())
}

/// R18: a full channel whose receiver leaves says closed, not full.
pub fn r18_closed_is_stronger_than_full<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, rx) = chan::<H, u64>(h, &s, 2)?;
    fill(&mut tx, 0)?;
    drop(rx);
    check_matches!(tx.try_send(2), Err(TrySendError::Gone(2, Gone::Closed)), "try_send");
    let by = s.soon();
    check_matches!(tx.send_until(2, by), Err(SendError::Gone(2, Gone::Closed)), "send");
    s.before(by, "that the receiver has left")
}

/// R18: a receiver asleep wakes when the sender leaves.
pub fn r18_close_wakes_a_sleeping_receiver<H: Harness>(h: &H) -> Result<(), Failure> {
    for round in 0..H::rounds(20) {
        let s = stage(h);
        let (tx, mut rx) = chan::<H, u64>(h, &s, 1)?;
        let inner = s.clone();
        let thread = s.spawn(move || {
            let closed = Err(RecvError::Gone(Gone::Closed));
            check_eq!(rx.recv_until(inner.soon()), closed, "the sender has left");
            Ok(())
        })?;
        for _ in 0..round % 20 * 10 {
            s.yield_now();
        }
        drop(tx);
        s.join(&thread)?;
    }
    Ok(())
}

/// R18: a sender asleep wakes when the receiver leaves, and has its message back.
pub fn r18_close_wakes_a_sleeping_sender<H: Harness>(h: &H) -> Result<(), Failure> {
    for round in 0..H::rounds(20) {
        let s = stage(h);
        let (mut tx, rx) = chan::<H, u64>(h, &s, 1)?;
        let inner = s.clone();
        tx.try_send(0)?;
        let thread = s.spawn(move || {
            let sent = tx.send_until(1, inner.soon());
            check_matches!(sent, Err(SendError::Gone(1, Gone::Closed)), "the receiver has left");
            Ok(())
        })?;
        for _ in 0..round % 20 * 10 {
            s.yield_now();
        }
        drop(rx);
        s.join(&thread)?;
    }
    Ok(())
}

/// H22: a message that comes back with `Closed` has certainly not been received, and all before it
/// were taken by the channel.
pub fn h22_closed_gives_back_what_nobody_received<H: Harness>(h: &H) -> Result<(), Failure> {
    for round in 0..H::rounds(40) {
        let s = stage(h);
        let (mut tx, mut rx) = chan::<H, u64>(h, &s, 1 + round as u32 % 4)?;
        let (words, inner) = (Words::new(&*s)?, s.clone());
        let seen = words.clone();
        let thread = s.spawn(move || {
            for n in 0..round % 7 {
                check_eq!(rx.recv_until(inner.soon()), Ok(n), "received");
                seen.set(0, n + 1);
            }
            Ok(())
        })?;
        let mut next = 0;
        let back = loop {
            match tx.send_until(next, s.soon()) {
                Ok(()) => next += 1,
                Err(SendError::Gone(back, Gone::Closed)) => break back,
                Err(other) => check!(false, "send: {other:?}"),
            }
        };
        s.join(&thread)?;
        check_eq!(back, next, "the message that comes back");
        check!(words.get(0) <= next, "it was received as well");
        check_eq!(tx.stats().messages, next, "messages sent");
    }
    Ok(())
}

/// R8: with one slot and two threads each message and each answer needs a wake-up; none is lost.
pub fn r8_no_wakeup_is_lost_between_two_ends<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let rounds = s.rounds(1_500);
    let ((mut ping, mut pings), (mut pong, mut pongs)) =
        (chan::<H, u64>(h, &s, 1)?, chan::<H, u64>(h, &s, 1)?);
    let inner = s.clone();
    let thread = s.spawn(move || {
        for n in 0..rounds {
            check_eq!(pings.recv_until(inner.soon()), Ok(n), "ping");
            pong.send_until(n, inner.soon())?;
        }
        Ok(())
    })?;
    for n in 0..rounds {
        ping.send_until(n, s.soon())?;
        check_eq!(pongs.recv_until(s.soon()), Ok(n), "pong");
    }
    s.join(&thread)
}

/// R15: two threads at full speed: nothing is lost, doubled or overtaken, and full and empty wake.
pub fn r15_two_threads_keep_order<H: Harness>(h: &H) -> Result<(), Failure> {
    for capacity in CAPACITIES {
        let s = stage(h);
        let count = s.rounds(4_000);
        let (mut tx, mut rx) = chan::<H, u64>(h, &s, capacity)?;
        let inner = s.clone();
        let thread = s.spawn(move || {
            for n in 0..count {
                tx.send_until(n, inner.soon())?;
            }
            Ok(())
        })?;
        for n in 0..count {
            check_eq!(rx.recv_until(s.soon()), Ok(n), "received");
        }
        check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "then");
        s.join(&thread)?;
    }
    Ok(())
}

/// R15: a large message written by one thread is read whole by another, never half.
pub fn r15_large_messages_are_never_torn<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let count = s.rounds(1_000);
    let (mut tx, mut rx) = chan::<H, [u64; 40]>(h, &s, 3)?;
    let inner = s.clone();
    let thread = s.spawn(move || {
        for n in 0..count {
            tx.send_until([n; 40], inner.soon())?;
        }
        Ok(())
    })?;
    for n in 0..count {
        let message = rx.recv_until(s.soon())?;
        check!(message == [n; 40], "message {n} is torn: {:?} ..", &message[..3]);
    }
    s.join(&thread)
}

/// R21: an end that becomes a capability and an end again, in the middle of things, keeps its
/// place: nothing is lost or doubled.
pub fn r21_a_moved_end_keeps_its_place<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 3)?;
    let (mut sent, mut received) = (0, 0);
    for step in 0..20 {
        sent += fill(&mut tx, sent)?;
        expect(&mut rx, received)?;
        received += 1;
        if step % 2 == 0 {
            tx = tx.into_cap().cast()?;
        }
        if step % 3 == 0 {
            rx = rx.into_cap().cast()?;
        }
        check_eq!((tx.len(), rx.len()), (2, 2), "queued after the move");
        check_eq!((tx.gone(), rx.gone()), (None, None), "gone after the move");
    }
    drop(tx.into_cap());
    for n in received..sent {
        expect(&mut rx, n)?;
    }
    check_eq!(rx.try_recv(), Err(TryRecvError::Gone(Gone::Closed)), "then");
    Ok(())
}

/// What a cast answers, with the capability back.
fn wrong<C: AnyCap, T: FromCap<C>>(cap: C) -> Result<(C, CastReason), Failure> {
    let (desc, rights) = (cap.desc(), cap.rights());
    match cap.cast::<T>() {
        Ok(_) => check!(false, "a wrong cast succeeds: {:?}", desc),
        Err(error) => {
            check_eq!(error.cap.desc(), desc, "what comes back");
            check_eq!(error.cap.rights(), rights, "rights of what comes back");
            return Ok((error.cap, error.reason));
        }
    }
    unreachable!("the check above has failed")
}

/// R21: an end cast to the other end, to another message, to an end of capabilities or to memory
/// comes back unharmed, with the reason.
pub fn r21_wrong_casts_give_the_capability_back<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (tx, rx) = chan::<H, u64>(h, &s, 2)?;
    let (mut tx, mut rx) = (tx.into_cap(), rx.into_cap());
    let reasons;
    (tx, reasons) = wrong::<_, Rcv<H, u64>>(tx)?;
    check_eq!(reasons, CastReason::Role { have: Role::Snd, want: Role::Rcv }, "sender as receiver");
    (rx, _) = wrong::<_, Snd<H, u64>>(rx)?;
    let reason;
    (tx, reason) = wrong::<_, Snd<H, i64>>(tx)?;
    check_eq!(reason.kind(), ErrorKind::TypeMismatch, "u64 as i64");
    (rx, _) = wrong::<_, Rcv<H, [u8; 8]>>(rx)?;
    (rx, _) = wrong::<_, Rcv<H, u32>>(rx)?;
    (rx, _) = wrong::<_, Rcv<H, ()>>(rx)?;
    (tx, _) = wrong::<_, <H::Backend as Backend>::CapSnd>(tx)?;
    (rx, _) = wrong::<_, <H::Backend as Backend>::CapRcv>(rx)?;
    (tx, _) = wrong::<_, <H::Backend as Backend>::CapRcv>(tx)?;
    (tx, _) = wrong::<_, <H::Backend as Backend>::SharedMem>(tx)?;
    let (mut tx, mut rx) = (tx.cast::<Snd<H, u64>>()?, rx.cast::<Rcv<H, u64>>()?);
    tx.try_send(9)?;
    expect(&mut rx, 9)
}

/// Descriptions that differ from `desc` in one field each.
fn variants(desc: Desc) -> [Desc; 7] {
    let tag = |change: fn(&mut Tag)| {
        let mut other = desc;
        change(&mut other.msg);
        other
    };
    [
        tag(|tag| tag.name = const { Name::new("other") }),
        tag(|tag| tag.version += 1),
        tag(|tag| tag.size *= 2),
        tag(|tag| tag.align *= 2),
        tag(|tag| tag.layout ^= 1),
        Desc { kind: KindId::new(*b"none", 77), ..desc },
        Desc { role: if desc.role == Role::Snd { Role::Rcv } else { Role::Snd }, ..desc },
    ]
}

/// R21: a cast looks at direction and kind, and at name, version, size, alignment and layout of
/// the message.
pub fn r21_a_cast_looks_at_every_field<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (tx, rx) = chan::<H, u64>(h, &s, 2)?;
    let (tx, rx) = (tx.into_cap().desc(), rx.into_cap().desc());
    check_eq!(Snd::<H, u64>::accepts(&tx), Ok(()), "the right description");
    check_eq!(Rcv::<H, u64>::accepts(&rx), Ok(()), "the right description");
    for (tx, rx) in variants(tx).into_iter().zip(variants(rx)) {
        let (snd, rcv) = (s.bundle(tx, None, [])?, s.bundle(rx, None, [])?);
        let (_, reason) = wrong::<_, Snd<H, u64>>(snd)?;
        check_eq!(reason.kind(), ErrorKind::TypeMismatch, "the sender's cast");
        let (_, reason) = wrong::<_, Rcv<H, u64>>(rcv)?;
        check_eq!(reason.kind(), ErrorKind::TypeMismatch, "the receiver's cast");
    }
    Ok(())
}

/// R21: a capability that says the right thing of itself but has no parts is refused, unharmed.
pub fn r21_a_cast_checks_the_parts<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (tx, rx) = chan::<H, u64>(h, &s, 2)?;
    let (tx, rx) = (tx.into_cap().desc(), rx.into_cap().desc());
    let (_, reason) = wrong::<_, Snd<H, u64>>(s.bundle(tx, None, [])?)?;
    check_matches!(reason, CastReason::Parts(_), "a sender without parts");
    let (_, reason) = wrong::<_, Rcv<H, u64>>(s.bundle(rx, None, [])?)?;
    check_matches!(reason, CastReason::Parts(_), "a receiver without parts");
    Ok(())
}

/// R21: a capability tells kind, direction, message and capacity of its end.
pub fn r21_a_capability_describes_its_end<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (tx, rx) = chan::<H, u64>(h, &s, 3)?;
    for (desc, role) in [(tx.into_cap().desc(), Role::Snd), (rx.into_cap().desc(), Role::Rcv)] {
        check_eq!(desc.role, role, "role");
        check_eq!(desc.kind, H::Kind::ID, "kind");
        check_eq!(desc.msg, u64::TAG, "message");
        check_eq!(desc.trust, H::Kind::TRUST, "trust");
        check_eq!(desc.capacity, 3, "capacity");
    }
    Ok(())
}

/// R32: without the right to send or to receive an end cannot be used, and rights do not return.
pub fn r32_ends_need_their_rights<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (tx, rx) = chan::<H, u64>(h, &s, 3)?;
    let (mut tx, mut rx) = (tx.into_cap(), rx.into_cap());
    check!(
        tx.rights().contains(Rights::WRITE | Rights::TRANSFER),
        "of a sender: {:?}",
        tx.rights()
    );
    check!(
        rx.rights().contains(Rights::READ | Rights::TRANSFER),
        "of a receiver: {:?}",
        rx.rights()
    );
    tx.narrow(Rights::all() - Rights::WRITE);
    rx.narrow(Rights::all() - Rights::READ);
    tx.narrow(Rights::all());
    rx.narrow(Rights::all());
    let (_, reason) = wrong::<_, Snd<H, u64>>(tx)?;
    check_eq!(reason.kind(), ErrorKind::Denied, "sending without WRITE");
    let (_, reason) = wrong::<_, Rcv<H, u64>>(rx)?;
    check_eq!(reason.kind(), ErrorKind::Denied, "receiving without READ");
    Ok(())
}

/// R23: a channel is made in memory that the caller brings; too little memory comes back.
pub fn r23_memory_of_the_caller<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let Some(bytes) = H::Kind::bytes::<u64>(3, &h.attr()) else {
        check!(false, "no number of bytes for a channel of 3");
        return Ok(());
    };
    let memory = s.mem(bytes)?;
    let (mut tx, mut rx) = s
        .chan_in::<H::Kind, u64>(memory, 3, &h.attr())
        .map_err(|refused| Failure::from(refused.error))?;
    check_eq!(fill(&mut tx, 0)?, 3, "messages that fit");
    expect(&mut rx, 0)?;
    // Large enough for one, but not for so many.
    let small = s.mem(bytes)?;
    let many = 1 << 20;
    match s.chan_in::<H::Kind, u64>(small, many, &h.attr()) {
        Ok(_) => check!(false, "{many} messages fit {bytes} bytes"),
        Err(refused) => {
            check_eq!(kind_of(&refused.error), ErrorKind::NoMemory, "too little memory");
            check!(refused.value.is_some_and(|back| back.len() >= bytes), "memory is not back");
        }
    }
    Ok(())
}

/// R18: ends that leave in any order, with messages queued or not, harm nobody.
pub fn r18_ends_leave_in_any_order<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    for order in 0..8 {
        let (mut tx, rx) = chan::<H, u64>(h, &s, 2)?;
        if order & 1 != 0 {
            fill(&mut tx, 0)?;
        }
        if order & 4 != 0 {
            tx = tx.into_cap().cast()?;
        }
        if order & 2 != 0 {
            drop((tx, rx));
        } else {
            drop((rx, tx));
        }
    }
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 2)?;
    tx.try_send(1)?;
    expect(&mut rx, 1)
}
