//! Threads (R6, R7).

use res_api::{
    Backend, Deadline, ErrorKind, Exit, Gone, Mem, Receiver, RecvError, Sender, Source, SourceKind,
    Thread, ThreadParam, WaitError, kind_of,
};

use crate::stage::{Words, chan, stage};
use crate::{Failure, Harness};

/// R6: making a thread does not run it; starting it does, once; joining returns after its end.
pub fn r6_a_thread_runs_when_it_is_started<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let words = Words::new(&*s)?;
    let theirs = words.clone();
    let thread = s.thread(move || {
        theirs.add(0, 1);
    })?;
    check_eq!(thread.join(Deadline::PASSED), Err(WaitError::TimedOut), "joining before the start");
    s.yield_now();
    check_eq!(words.get(0), 0, "runs before the start");
    thread.start()?;
    check_eq!(thread.join(s.soon()), Ok(Exit::Success), "joining");
    check_eq!(words.get(0), 1, "runs");
    check_eq!(thread.join(Deadline::PASSED), Ok(Exit::Success), "joining again");
    Ok(())
}

/// R6: a second start is `Invalid`, while it runs and after.
pub fn r6_a_second_start_is_invalid<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 1)?;
    let thread = s.thread(move || {
        let _ = rx.recv();
    })?;
    thread.start()?;
    let kind = thread.start().err().map(|error| kind_of(&error));
    check_eq!(kind, Some(ErrorKind::Invalid), "starting a running thread");
    tx.send_until(1, s.soon())?;
    s.join(&thread)?;
    let kind = thread.start().err().map(|error| kind_of(&error));
    check_eq!(kind, Some(ErrorKind::Invalid), "starting a thread that has ended");
    Ok(())
}

/// R7: a thread knows who it is; the id is not 0 and not that of another living thread.
pub fn r7_a_thread_knows_its_id<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (words, inner) = (Words::new(&*s)?, s.clone());
    let theirs = words.clone();
    let thread = s.thread(move || theirs.set(0, inner.current().0.into()))?;
    let id = thread.id();
    check!(id.0 != 0 && id != s.current(), "id {id:?} besides {:?}", s.current());
    thread.start()?;
    s.join(&thread)?;
    check_eq!(words.get(0), u64::from(id.0), "what the thread says it is");
    check_eq!(s.current(), s.current(), "the calling thread");
    Ok(())
}

/// R6: dropped before the start, a thread never runs, and what its body owns is dropped.
pub fn r6_dropped_before_the_start_it_never_runs<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let words = Words::new(&*s)?;
    let (theirs, (mut tx, mut rx)) = (words.clone(), chan::<H, u64>(h, &s, 1)?);
    let thread = s.thread(move || {
        theirs.set(0, 1);
        let _ = tx.try_send(1);
    })?;
    drop(thread);
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "what it owned");
    check_eq!(words.get(0), 0, "runs");
    Ok(())
}

/// R6: dropped after the start, a thread runs on; at its end what it owned is dropped.
pub fn r6_dropped_after_the_start_it_runs_on<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut go, mut wait) = chan::<H, u64>(h, &s, 1)?;
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 1)?;
    let thread = s.thread(move || {
        if let Ok(n) = wait.recv() {
            let _ = tx.send(n + 1);
        }
    })?;
    thread.start()?;
    drop(thread);
    go.send_until(4, s.soon())?;
    check_eq!(rx.recv_until(s.soon()), Ok(5), "from the thread");
    check_eq!(rx.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "then");
    Ok(())
}

/// R23: a body that does not fit the memory that was brought is refused; both come back.
pub fn r23_a_body_that_does_not_fit_comes_back<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let words = Words::new(&*s)?;
    let (theirs, ballast) = (words.clone(), [1_u64; 1024]);
    let body = move || theirs.set(0, ballast.iter().sum());
    let small = s.mem(64)?;
    // A backend may round up, but hardly so far.
    check!(small.len() < 8192, "64 bytes asked for, {} there", small.len());
    let Err(refused) = s.thread_in(small, body) else {
        check!(false, "8 KiB of body fit 64 bytes");
        return Ok(());
    };
    check_eq!(kind_of(&refused.error), ErrorKind::NoMemory, "too little memory");
    let (memory, body) = refused.value;
    check!(memory.len() >= 64, "the memory is not back");
    let large = s.mem(size_of_val(&body) as u64)?;
    let thread = s.thread_in(large, body).map_err(|refused| Failure::from(refused.error))?;
    thread.start()?;
    s.join(&thread)?;
    check_eq!(words.get(0), 1024, "the body has run");
    Ok(())
}

/// R7: threads one after the other, many more than there are at one time.
pub fn r7_many_threads_one_after_the_other<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let words = Words::new(&*s)?;
    for _ in 0..40 {
        let theirs = words.clone();
        let thread = s.spawn(move || {
            theirs.add(0, 1);
            Ok(())
        })?;
        s.join(&thread)?;
    }
    check_eq!(words.get(0), 40, "runs");
    Ok(())
}

/// R6: where the number of threads is stated, one more is `NoSlots`, and the body comes back.
pub fn r6_one_thread_too_many_is_no_slots<H: Harness>(h: &H) -> Result<(), Failure> {
    let (s, most) = (stage(h), H::budget().threads);
    // Where threads come on demand there is no number to reach.
    if most > 64 {
        return Ok(());
    }
    let words = Words::new(&*s)?;
    let hold = |words: Words<H::Backend>| s.thread(move || drop(words));
    let mut held: [Option<<H::Backend as Backend>::Thread>; 65] = [const { None }; 65];
    for place in held.iter_mut().take(most as usize) {
        *place = Some(hold(words.clone())?);
    }
    let kind = hold(words.clone()).err().map(|failure| kind_of(&failure));
    check_eq!(kind, Some(ErrorKind::NoSlots), "one thread too many");
    held[0] = None;
    hold(words).map(drop)?;
    Ok(())
}

/// R7: a parameter that makes no sense is refused, never ignored.
pub fn r7_senseless_parameters_are_refused<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let thread = s.thread(|| {})?;
    for param in [
        ThreadParam::Priority(0),
        ThreadParam::Priority(32),
        ThreadParam::Priority(u32::MAX),
        ThreadParam::Core(u32::MAX),
    ] {
        let kind = thread.set(param).err().map(|error| kind_of(&error));
        check_matches!(kind, Some(ErrorKind::Invalid | ErrorKind::Denied), "{param:?}");
    }
    thread.start()?;
    s.join(&thread)
}

/// R26: a thread is a source: ready at its end.
pub fn r26_a_thread_is_a_source<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let thread = s.thread(|| {})?;
    check_eq!(thread.source_kind(), SourceKind::Thread, "kind");
    check!(!thread.ready(), "ready before its end");
    thread.start()?;
    s.join(&thread)?;
    check!(thread.ready(), "not ready after its end");
    Ok(())
}

/// R7: yielding, to anybody or to a named thread, comes back.
pub fn r7_yield_comes_back<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 1)?;
    let thread = s.spawn(move || {
        let _ = rx.recv();
        Ok(())
    })?;
    for _ in 0..10 {
        s.yield_now();
        s.yield_to(Some(thread.id()));
        s.yield_to(Some(s.current()));
    }
    tx.send_until(1, s.soon())?;
    s.join(&thread)
}
