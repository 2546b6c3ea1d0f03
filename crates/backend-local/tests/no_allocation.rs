//! Nothing is allocated where a system works: for every policy on the data path, and for policies
//! over a region not even where resources are made and dropped.

// A message that was not sent comes back in the error, whatever its size.
#![allow(clippy::result_large_err)]

mod counting;

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;
use std::time::Duration;

use backend_local::{AllocOnly, Local, OverRegion, Region, Static};
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    AnyCap, Backend, Blockpoint, CapTx, Deadline, Env, EvtGrp, Exit, Fault, Gone, IntoCap, Kind,
    Map, Mem, Memory, Name, Receiver, RecvError, Rights, Rx, SendError, Sender, SharedMem, Slot,
    Source, Thread, Timer, Trigger, TryRecvError, TrySendError, Tx, Value, WaitError, Wake,
};
use res_kernel::{Kernel, Linux};
use res_sync::Mutex;

use counting::{allocations, allocations_of_threads_after, ends, eventually, threads};

type Page = [u8; 1024];

const ROUNDS: u64 = if cfg!(miri) { 10 } else { 200 };

/// Does it, without an allocation in this thread.
#[track_caller]
fn quiet<R>(body: impl FnOnce() -> R) -> R {
    let before = allocations();
    let result = body();
    assert_eq!(allocations() - before, 0, "allocations");
    result
}

/// Until the other thread has armed itself there, so that a trigger has somebody to wake, or there
/// is nothing more to come of it.
fn until_armed(point: &impl Blockpoint, over: impl Fn() -> bool) {
    eventually(|| "somebody waits".into(), || point.armed() || over());
}

/// One test, because the threads of a system are told from those of other tests by their time.
#[test]
fn nothing_is_allocated() -> Result<(), Fault> {
    ends(all_of_it)
}

fn all_of_it() -> Result<(), Fault> {
    static REGION: Region<{ 1 << 18 }> = Region::new();
    static BUMPED: Region<{ 1 << 20 }> = Region::new();
    the_counter_counts();
    let system = Local::new()?;
    rings(&system)?;
    channels_of_any_type(&system)?;
    loans(&system)?;
    capabilities(&system)?;
    waits(&system)?;
    locks()?;
    over_a_region::<Static, _>(&REGION)?;
    over_a_region::<AllocOnly, _>(&BUMPED)
}

fn the_counter_counts() {
    let before = allocations();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(allocations() - before, 1);
    let others = threads();
    let caught = thread::spawn(|| std::panic::catch_unwind(|| quiet(|| Box::new(1)))).join();
    assert!(caught.is_ok_and(|result| result.is_err()), "what allocates is not quiet");
    assert!(allocations_of_threads_after(others) > 0);
}

/// Sends and receives where there is no need to wait, then with one side asleep each time.
fn to_and_fro<S, R, T, P>(mut tx: S, mut rx: R, make: impl Fn(u64) -> T + Sync)
where
    S: Sender<Msg = T> + Source<P> + Send,
    R: Receiver<Msg = T> + Source<P> + Send,
    T: Send + std::fmt::Debug,
    P: Blockpoint,
{
    let capacity = u64::from(tx.capacity());
    let mut messages: Vec<T> = (0..=capacity).map(&make).collect();
    quiet(|| {
        assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
        assert!(matches!(rx.recv_until(Deadline::PASSED), Err(RecvError::TimedOut)));
    });
    for message in messages.drain(1..) {
        quiet(|| assert!(tx.try_send(message).is_ok()));
    }
    for message in messages.drain(..) {
        // Dropping is the message's own affair.
        let back = quiet(|| tx.try_send(message));
        let Err(TrySendError::Full(message)) = back else { panic!("not full") };
        let soon = Deadline::at(tx.blockpoint().now() + Duration::from_micros(100));
        let back = quiet(|| tx.send_until(message, soon));
        assert!(matches!(back, Err(SendError::TimedOut(_))));
    }
    for _ in 0..capacity {
        drop(quiet(|| rx.recv()));
    }
    let (room, data) = (tx.blockpoint().clone(), rx.blockpoint().clone());
    thread::scope(|scope| {
        // So that a panic here drops it, and the sender does not wait for ever.
        let (mut rx, make) = (rx, &make);
        let sender = scope.spawn(move || {
            // The receiver sleeps first, then this side does, each time that it is full.
            for n in 0..ROUNDS {
                let message = make(n);
                if n < ROUNDS / 2 {
                    until_armed(&data, || false);
                }
                quiet(|| assert!(tx.send(message).is_ok()));
            }
            (tx.stats().blocked, tx)
        });
        for _ in 0..ROUNDS / 2 {
            drop(quiet(|| rx.recv()));
        }
        for _ in ROUNDS / 2..ROUNDS - capacity {
            until_armed(&room, || sender.is_finished());
            drop(quiet(|| rx.recv()));
        }
        let (blocked, tx) = sender.join().expect("the sender has sent all");
        assert!(blocked > 0 && rx.stats().blocked > 0, "somebody slept");
        for _ in 0..capacity {
            drop(quiet(|| rx.try_recv()));
        }
        let sender = scope.spawn(move || drop(tx));
        assert!(matches!(quiet(|| rx.recv()), Err(RecvError::Gone(Gone::Closed))));
        sender.join().expect("dropped");
    });
}

fn rings(system: &Local) -> Result<(), Fault> {
    for capacity in [1, 3] {
        let (tx, rx) = system.chan::<Spsc, u64>(capacity)?;
        to_and_fro(tx, rx, |n| n);
        let (tx, rx) = system.chan::<ZeroCopy, Page>(capacity)?;
        to_and_fro(tx, rx, |n| [n as u8; 1024]);
    }
    let (mut tx, mut rx) = system.chan::<Spsc, u64>(4)?;
    let mut into = [0; 8];
    quiet(|| {
        assert_eq!(tx.try_send_slice(&[1, 2, 3, 4, 5, 6]), Ok(4));
        assert_eq!(rx.try_recv_slice(&mut into), Ok(4));
    });
    Ok(())
}

fn channels_of_any_type(system: &Local) -> Result<(), Fault> {
    let (tx, rx) = system.any_chan::<String>(2)?;
    to_and_fro(tx, rx, |n| n.to_string());
    Ok(())
}

fn loans(system: &Local) -> Result<(), Fault> {
    let (mut tx, mut rx) = system.chan::<ZeroCopy, Page>(2)?;
    quiet(|| -> Result<(), Fault> {
        for byte in 0..10 {
            let mut loan = tx.loan()?;
            loan.bytes_mut().fill(byte);
            drop(tx.try_loan());
            tx.send_loan(loan)?;
            tx.send([byte; 1024])?;
            let (first, second) = (rx.recv_loan()?, rx.try_recv_loan()?);
            assert_eq!(first.as_ref(), second.as_ref());
            rx.release(second).expect("it is this end's");
            drop(first);
            assert!(rx.try_recv_loan().is_err());
        }
        Ok(())
    })?;
    let (mut stage, mut last) = rx.into_forwarder(system).expect("memory is there");
    thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(loan) = quiet(|| stage.recv_loan_until(Deadline::NEVER)) {
                quiet(|| stage.forward(loan)).expect("the last stage lives");
            }
        });
        scope.spawn(move || {
            while let Ok(loan) = quiet(|| last.recv_loan()) {
                quiet(|| drop(loan));
            }
        });
        for byte in 0..ROUNDS {
            quiet(|| tx.send([byte as u8; 1024]))?;
        }
        drop(tx);
        Ok(())
    })
}

fn capabilities(system: &Local) -> Result<(), Fault> {
    let ends = std::sync::Mutex::new(Vec::new());
    for _ in 0..ROUNDS + 10 {
        ends.lock().expect("whole").push(system.chan::<Spsc, u64>(1)?.1.into_cap());
    }
    let (tx, rx) = system.chanchan(2)?;
    let next = |_| ends.lock().expect("whole").pop().expect("enough of them");
    to_and_fro(tx, rx, next);

    // Ends go round: over the channel, and become ends again.
    let (mut over, mut other) = system.chanchan(1)?;
    let (mut tx, mut rx) = system.chan::<Spsc, u64>(1)?;
    for n in 0..10 {
        rx = quiet(|| -> Result<_, Fault> {
            over.send(rx.into_cap())?;
            tx.send(n)?;
            let mut rx = other.recv()?.cast::<<Spsc as Kind<Local>>::Rcv<u64>>()?;
            assert_eq!(rx.recv(), Ok(n));
            Ok(rx)
        })?;
    }
    Ok(())
}

fn waits(system: &Local) -> Result<(), Fault> {
    let go = system.blockpoint()?;
    let group = system.evtgrp(100)?;
    let (mut tx, rx) = system.chan::<Spsc, u64>(1)?;
    let timer = system.timer(system.after(Duration::from_secs(3600)), None)?;
    let registered = quiet(|| -> Result<_, Fault> {
        Ok([
            group.add(&go, Trigger::Edge, 0)?,
            group.add(&rx, Trigger::Level, 1)?,
            group.add(&timer, Trigger::Edge, 2)?,
        ])
    })?;
    let asleep = system.within(Duration::from_micros(100));
    assert_eq!(quiet(|| group.wait(asleep)), Err(WaitError::TimedOut));
    let turn = AtomicU64::new(0);
    let mut counts = [0; 3];
    thread::scope(|scope| {
        let (go, timer, turn) = (&go, &timer, &turn);
        // A panic here drops it, and the other thread does not wait for ever.
        let mut rx = rx;
        scope.spawn(move || {
            for n in 0..ROUNDS {
                eventually(|| format!("turn {n}"), || turn.load(Acquire) > n);
                quiet(|| match n % 3 {
                    0 => assert_eq!(go.trigger(Wake::All), None),
                    1 => tx.send(n).expect("the receiver lives"),
                    _ => timer.set(system.now() + Duration::from_micros(50), None),
                });
            }
        });
        for n in 0..ROUNDS {
            turn.store(n + 1, Release);
            quiet(|| {
                let event = group.wait(Deadline::NEVER).expect("nobody closes it");
                counts[event.data as usize] += 1;
                match event.data {
                    1 => assert!(rx.recv().is_ok() && rx.try_recv().is_err()),
                    2 => assert_eq!(timer.expirations(), 1),
                    _ => {}
                }
            });
        }
    });
    assert!(counts.iter().all(|count| *count > 0) && counts.iter().sum::<u64>() == ROUNDS);
    quiet(|| {
        drop(registered);
        timer.set(system.now(), Some(Duration::from_micros(20)));
        assert!(timer.wait(Deadline::NEVER).is_ok());
        timer.cancel();
        group.close();
    });

    // A waiter on a blockpoint, and one on a timer that is set while it waits.
    let by = system.within(Duration::from_secs(100));
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                quiet(|| go.checkpoint().wait(by)).expect("triggered");
            }
            quiet(|| timer.wait(by)).expect("set");
        });
        for _ in 0..ROUNDS {
            until_armed(&go, || false);
            quiet(|| go.trigger(Wake::All));
        }
        until_armed(timer.blockpoint(), || false);
        quiet(|| timer.set(system.now(), None));
    });
    Ok(())
}

fn locks() -> Result<(), Fault> {
    let machine = Linux::new();
    let total = Mutex::new(machine, machine.point()?, machine.barrier(), 0);
    let add = || {
        quiet(|| {
            for _ in 0..ROUNDS {
                let mut held = total.lock();
                *held += 1;
                // The other one has to wait, if it runs now.
                thread::yield_now();
                assert!(total.try_lock().is_none());
                assert!(total.lock_until(Deadline::PASSED).is_err());
            }
        });
    };
    thread::scope(|scope| {
        scope.spawn(add);
        add();
    });
    assert_eq!(*total.lock(), 2 * ROUNDS);
    Ok(())
}

const NUMBERS: Slot<Rx<Spsc, u64>> = Slot::new("numbers");
const SUM: Slot<Tx<Spsc, u64>> = Slot::new("sum");
const FACTOR: Slot<Value<u64>> = Slot::new("factor");
const ENDS: Slot<CapTx> = Slot::new("ends");
const SCRATCH: Slot<Memory> = Slot::new("scratch");
const OFFER: Name = Name::new("offer");

/// Takes, works, makes things of its own, publishes, and leaves some endowments where they are.
fn worker<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    let (mut numbers, mut sum, mut ends) = (env.take(NUMBERS)?, env.take(SUM)?, env.take(ENDS)?);
    let factor = env.take(FACTOR)?;
    let (mut tx, rx) = env.chan::<Spsc, u64>(2)?;
    ends.send(rx.into_cap())?;
    env.publish(OFFER, env.mem(100)?.share().into_cap()).map_err(|refused| refused.error)?;
    let thread = env.thread(move || assert!(tx.send(7).is_ok()))?;
    thread.start()?;
    let mut total = 0;
    while let Ok(n) = numbers.recv() {
        total += n * factor;
    }
    thread.join(Deadline::NEVER)?.ok()?;
    Ok(sum.send(total)?)
}

fn failing<B: Backend>(_: Env<B>) -> Result<(), Fault> {
    Err(Fault::new(res_api::ErrorKind::NotFound, "on purpose"))
}

/// Each resource, made, used and dropped. (A component that panics is not among them: the panic
/// itself is std's, which allocates.)
fn everything<P: OverRegion>(system: &Local<P>) -> Result<(), Fault> {
    let (mut tx, rx) = system.chan::<Spsc, u64>(4)?;
    let (sum_tx, mut sum_rx) = system.chan::<Spsc, u64>(1)?;
    let (ends_tx, mut ends_rx) = system.chanchan(2)?;
    let component = system.component(const { Name::new("worker") }, worker::<Local<P>>)?;
    component.endow(NUMBERS, rx)?;
    component.endow(SUM, sum_tx)?;
    component.endow(ENDS, ends_tx)?;
    component.endow(FACTOR, 3)?;
    component.endow(SCRATCH, system.mem(64)?.share())?;
    component.start()?;
    let mut offered = ends_rx.recv()?.cast::<<Spsc as Kind<Local<P>>>::Rcv<u64>>()?;
    assert_eq!(offered.recv(), Ok(7));
    let looked_up = loop {
        match system.lookup(OFFER) {
            Ok(cap) => break cap,
            Err(_) => system.yield_now(),
        }
    };
    assert!(looked_up.desc().capacity >= 100);
    (0..100).try_for_each(|n| tx.send(n))?;
    drop(tx);
    assert_eq!(sum_rx.recv(), Ok(3 * 99 * 50));
    assert_eq!(component.wait(Deadline::NEVER), Ok(Exit::Success));

    let component = system.component(const { Name::new("failing") }, failing::<Local<P>>)?;
    let (mut tx, mut rx) = system.chan::<ZeroCopy, Page>(2)?;
    let (group, point) = (system.evtgrp(5)?, system.blockpoint()?);
    let timer = system.timer(system.after(Duration::from_micros(10)), None)?;
    let registered = [
        group.add(&component, Trigger::Edge, 0)?,
        group.add(&rx, Trigger::Edge, 1)?,
        group.add(&point, Trigger::Edge, 2)?,
        group.add(&timer, Trigger::Edge, 3)?,
    ];
    component.start()?;
    let mut loan = tx.loan()?;
    loan.bytes_mut().fill(1);
    tx.send_loan(loan)?;
    point.trigger(Wake::All);
    let mut seen = [false; 4];
    while seen.contains(&false) {
        seen[group.wait(Deadline::NEVER)?.data as usize] = true;
    }
    assert!(component.wait(Deadline::NEVER)?.ok().is_err());
    let loan = rx.recv_loan()?;
    drop((group, registered));
    let (stage, last) = rx.into_forwarder(system).map_err(|refused| refused.error)?;
    drop((last, stage, tx, loan));

    let mut memory = system.mem(1000)?;
    memory.bytes_mut()[0] = 1;
    let shared = memory.share();
    let view = shared.alias(Rights::READ)?.map(Rights::READ)?;
    assert!(view.copy_out(0, &mut [0]).is_ok());
    let unstarted = system.component(const { Name::new("unstarted") }, worker::<Local<P>>)?;
    unstarted.endow(SCRATCH, shared)?;
    unstarted.stop();
    let (mut tx, mut rx) = system.chan::<Spsc, u64>(1)?;
    let thread = system.thread(move || assert_eq!(rx.recv(), Ok(1)))?;
    thread.start()?;
    tx.send(1)?;
    drop(system.thread(move || drop(tx))?);
    thread.join(Deadline::NEVER)?.ok()
}

fn over_a_region<P: OverRegion, const BYTES: usize>(
    region: &'static Region<BYTES>,
) -> Result<(), Fault> {
    let others = threads();
    let system = Local::<P>::over(region, 4)?;
    let (mine, theirs) = (allocations(), allocations_of_threads_after(others));
    let rounds = if cfg!(miri) { 1 } else { 5 };
    let result = (0..rounds).try_for_each(|_| everything(&system));
    assert_eq!(allocations() - mine, 0, "calls in the thread that uses the system");
    assert_eq!(allocations_of_threads_after(others) - theirs, 0, "calls in the system's threads");
    // The end of the system is the end of its threads; std frees what it had allocated for them.
    drop(system);
    result
}
