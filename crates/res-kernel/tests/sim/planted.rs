//! Known mistakes, each in a program of a few lines that has a switch for it: without it 1,000 seeds
//! find nothing, with it one of the first 1,000 does, and the test says which.
//!
//! The others of the kind: a check before subscribing, H1's rule and missing barriers are in
//! `event.rs`, a lost update in `litmus.rs`. An `Acquire` or `Release` made `Relaxed` is beyond total
//! store order and found by loom: `mutant_*` in `res-sync/tests/event_loom.rs` and `mutex_loom.rs`,
//! `chan-impls/tests/standalone_loom.rs` and `call_loom.rs`.

use std::rc::Rc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use res_api::ThreadParam;
use res_kernel::sim::{Failure, Found, Seeds, SimMemory, SimModel, SimSocket, Simulation};
use res_kernel::{Domain, Isolation, Kernel, KernelMemory, KernelThread, Passed, Sim, Socket};
use res_sync::model::{Atomic, MemoryModel};
use res_sync::{Deadline, Event, Mutex, Wake};

use crate::common::{Word, shared, spawn, thread};

const SEEDS: u64 = 1_000;

/// The right program passes, the other one does not; how it fails.
fn is_found(
    name: &str,
    settings: fn(u64) -> Simulation,
    right: fn(Sim),
    wrong: fn(Sim),
) -> Box<Found> {
    let passed = Seeds::first(SEEDS).find_with(settings, right);
    passed.unwrap_or_else(|found| panic!("{name}, the right one: {found}"));
    let found = Seeds::first(SEEDS).find_with(settings, wrong).expect_err(name);
    println!("{name}: found after {} seeds, {found}", found.outcome.seed + 1);
    found
}

fn is_panic(found: &Found, said: &str) -> bool {
    matches!(&found.outcome.failure, Some(Failure::Panicked { message, .. }) if message.contains(said))
}

// --- Closing: what was sent before is received.

/// Looks for something to receive, then whether the channel is closed. What was sent in between is
/// seen by looking again.
fn drains<const AGAIN: bool>(sim: Sim) {
    let shared = shared((sim.point().expect("a point"), Word::new(0), Word::new(0), Word::new(0)));
    let theirs = Rc::clone(&shared);
    let sender = spawn(sim, move || {
        let (point, word, sent, closed) = &*theirs;
        let event = Event { park: &sim, point, word, barrier: sim.barrier() };
        for number in 1..3 {
            sent.store(number, Release);
            event.trigger(Wake::All);
        }
        closed.store(1, Release);
        event.trigger(Wake::All);
    });
    let (point, word, sent, closed) = &*shared;
    let event = Event { park: &sim, point, word, barrier: sim.barrier() };
    let mut received = 0;
    loop {
        let look = || {
            let more = sent.load(Acquire) > received;
            (more || closed.load(Acquire) == 1).then_some(more)
        };
        let more = event.wait_until(Deadline::NEVER, look).expect("nobody is told anything");
        if more || AGAIN && sent.load(Acquire) > received {
            received += 1;
        } else {
            break;
        }
    }
    assert_eq!(received, 2, "lost at the end");
    sender.join();
}

#[test]
fn a_close_without_another_look_is_found() {
    let found =
        is_found("no look after the close", Simulation::new, drains::<true>, drains::<false>);
    assert!(is_panic(&found, "lost at the end"), "{found}");
}

// --- Reclaiming: not while somebody reads.

/// What stands where something was reclaimed.
const GONE: u64 = u64::MAX;

/// Two versions of something; the old one is reclaimed when nobody reads. A reader says that it reads
/// before it looks which one is current.
fn reads<const SAYS_FIRST: bool>(sim: Sim) {
    let shared = shared((Word::new(0), Word::new(0), [Word::new(7), Word::new(8)]));
    let theirs = Rc::clone(&shared);
    let reader = spawn(sim, move || {
        let (current, readers, versions) = &*theirs;
        if SAYS_FIRST {
            readers.fetch_add(1, AcqRel);
        }
        let version = &versions[current.load(Acquire) as usize];
        if !SAYS_FIRST {
            readers.fetch_add(1, AcqRel);
        }
        assert_ne!(version.load(Acquire), GONE, "reclaimed under a reader");
        readers.fetch_add(u64::MAX, AcqRel);
    });
    let (current, readers, versions) = &*shared;
    current.swap(1, AcqRel);
    while readers.load(Acquire) != 0 {
        sim.yield_to(None);
    }
    versions[0].store(GONE, Release);
    reader.join();
}

#[test]
fn reclaiming_before_the_last_reader_is_found() {
    let found = is_found("reclaimed too early", Simulation::new, reads::<true>, reads::<false>);
    assert!(is_panic(&found, "reclaimed under a reader"), "{found}");
}

// --- Revocation: whoever has it by then.

/// Somebody hands on what he holds, and somebody else revokes it from all. Whether he holds it is
/// looked at under the lock.
fn revokes<const LOOKS_FIRST: bool>(sim: Sim) {
    let holders = Mutex::new(sim, sim.point().expect("a point"), sim.barrier(), [true, false]);
    let shared = shared(holders);
    let theirs = Rc::clone(&shared);
    let giver = spawn(sim, move || {
        let had = theirs.lock()[0];
        let mut holders = theirs.lock();
        if if LOOKS_FIRST { had } else { holders[0] } {
            *holders = [false, true];
        }
    });
    *shared.lock() = [false, false];
    giver.join();
    assert_eq!(*shared.lock(), [false, false], "it survives");
}

#[test]
fn a_transfer_that_outruns_a_revocation_is_found() {
    let found =
        is_found("revoked before handed on", Simulation::new, revokes::<false>, revokes::<true>);
    assert!(is_panic(&found, "it survives"), "{found}");
}

// --- Death: what was on its way is somebody's.

const GIVER: u64 = 1;
const TAKER: u64 = 2;

fn owner(memory: &SimMemory) -> &Word {
    // SAFETY: aligned and mapped, and used by atomics only.
    unsafe { memory.base().cast().as_ref() }
}

/// A domain hands on what it owns, in one step or in two, and may die at any.
fn gives<const STEPS: u32>(_: Sim, socket: SimSocket) {
    let mut place = [None];
    socket.recv(&mut [], &mut place, Deadline::NEVER).expect("the other side lives");
    let memory = place[0].take().and_then(Passed::into_memory).expect("a memory object");
    if STEPS == 2 {
        owner(&memory).swap(0, AcqRel);
    }
    owner(&memory).swap(TAKER, AcqRel);
}

/// Whoever is dead owns nothing: it comes back.
fn inherits<const STEPS: u32>(sim: Sim) {
    let (domain, socket) = sim.domain(gives::<STEPS>).expect("a domain");
    let memory = sim.memory(1).expect("memory");
    owner(&memory).store(GIVER, Release);
    let _ = socket.send(&[], &[Passed::Memory(&memory)]);
    domain.wait(Deadline::NEVER);
    assert_ne!(owner(&memory).load(Acquire), 0, "it is nobody's");
}

/// Each seed kills at another step.
fn kills(seed: u64) -> Simulation {
    Simulation::new(seed).kill(1, seed % 16)
}

#[test]
fn a_kill_in_the_middle_of_a_transfer_is_found() {
    let found = is_found("killed in between", kills, inherits::<1>, inherits::<2>);
    assert!(is_panic(&found, "it is nobody's"), "{found}");
}

// --- Priorities (H5): a wait ends in a sleep.

/// Waits for one that is less urgent, for ever awake or not.
fn waits<const SPINS: bool>(sim: Sim) {
    let shared = shared((sim.point().expect("a point"), Word::new(0), Word::new(1)));
    let theirs = Rc::clone(&shared);
    let holder = thread(sim, move || {
        let (point, word, held) = &*theirs;
        held.store(0, Release);
        Event { park: &sim, point, word, barrier: sim.barrier() }.trigger(Wake::All);
    });
    let theirs = Rc::clone(&shared);
    let waiter = thread(sim, move || {
        let (point, word, held) = &*theirs;
        while SPINS && held.load(Acquire) != 0 {
            SimModel::spin_hint();
        }
        let event = Event { park: &sim, point, word, barrier: sim.barrier() };
        let free = || (held.load(Acquire) == 0).then_some(());
        event.wait_until(Deadline::NEVER, free).expect("nobody is told anything");
    });
    for (thread, priority) in [(&holder, 10), (&waiter, 11)] {
        thread.set(ThreadParam::Priority(priority)).expect("a priority");
    }
    waiter.start().expect("a start");
    holder.start().expect("a start");
    waiter.join();
}

/// A run of a few words needs no more steps.
fn short(seed: u64) -> Simulation {
    Simulation::new(seed).steps(20_000)
}

#[test]
fn spinning_over_a_less_urgent_holder_is_found() {
    let found = is_found("H5, spins", short, waits::<false>, waits::<true>);
    assert_eq!(found.outcome.failure, Some(Failure::TooLong { steps: 20_000 }));
}

// --- Publishing: the flag behind what it announces.

/// Writes something, and says so; the reader believes what is said.
fn publishes<const FLAG_FIRST: bool>(sim: Sim) {
    let shared = shared([Word::new(0), Word::new(0)]);
    let theirs = Rc::clone(&shared);
    let writer = spawn(sim, move || {
        let [data, flag] = &*theirs;
        let order = if FLAG_FIRST { [flag, data] } else { [data, flag] };
        order.iter().for_each(|word| word.store(1, Relaxed));
    });
    let [data, flag] = &*shared;
    if flag.load(Acquire) == 1 {
        assert_eq!(data.load(Acquire), 1, "announced, and not there");
    }
    writer.join();
}

#[test]
fn announcing_before_writing_is_found() {
    let found =
        is_found("announced too early", Simulation::new, publishes::<false>, publishes::<true>);
    assert!(is_panic(&found, "announced, and not there"), "{found}");
}
