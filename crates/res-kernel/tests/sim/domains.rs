//! Domains of a simulation: what travels between them, how they end, and what is left then.

use std::cell::Cell;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::Duration;

use res_api::ErrorKind;
use res_kernel::sim::{Outcome, Seeds, SimFile, SimMemory, SimSocket, Simulation};
use res_kernel::{
    Access, Domain, DomainEnd, DomainEntry, EntryCode, Isolation, Kernel, KernelFile, KernelMemory,
    Passed, Sim, Socket,
};
use res_sync::model::Atomic;
use res_sync::{Barrier, Deadline, Event, Gone, Mutex, Park, Side, WaitError, Wake};

use crate::common::{Word, spawn};

const KILLED: Option<DomainEnd> = Some(DomainEnd::Killed(9));

thread_local! {
    /// How many probes have been made, and how many dropped: of all domains of a run.
    static PROBES: Cell<(u32, u32)> = const { Cell::new((0, 0)) };
}

/// Something to hold.
struct Probe;

impl Probe {
    fn new() -> Self {
        PROBES.set((PROBES.get().0 + 1, PROBES.get().1));
        Self
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        PROBES.set((PROBES.get().0, PROBES.get().1 + 1));
    }
}

fn checked(count: u64, body: impl Fn(Sim) + Clone + 'static) {
    Seeds::from_env(count).check("domains", body);
}

fn word_of(socket: &SimSocket) -> Result<[u8; 4], ErrorKind> {
    let mut word = [0; 4];
    let received = socket.recv(&mut word, &mut [], Deadline::NEVER);
    received.map(|_| word).map_err(|error| error.kind)
}

fn one(socket: &SimSocket) -> Passed<SimMemory, SimFile> {
    let mut place = [None];
    socket.recv(&mut [0; 8], &mut place, Deadline::NEVER).expect("the other side sends");
    place[0].take().expect("an object came")
}

fn one_object(socket: &SimSocket) -> SimMemory {
    one(socket).into_memory().expect("a memory object")
}

/// The first two words of a page.
fn words(memory: &SimMemory) -> &[Word; 2] {
    // SAFETY: aligned and mapped, and used by atomics only.
    unsafe { memory.base().cast().as_ref() }
}

fn stays(_: Sim, socket: SimSocket) {
    let _ = socket.recv(&mut [], &mut [], Deadline::NEVER);
}

#[test]
fn they_end_in_several_ways() {
    fn returns(_: Sim, _: SimSocket) {
        let _probe = Probe::new();
    }
    fn panics(_: Sim, _: SimSocket) {
        let _probe = Probe::new();
        panic!("on purpose");
    }
    checked(100, |sim| {
        let ends: [(DomainEntry<Sim>, DomainEnd); 2] =
            [(returns, DomainEnd::Returned), (panics, DomainEnd::Panicked)];
        for (entry, end) in ends {
            PROBES.set((0, 0));
            let (domain, socket) = sim.domain(entry).expect("a domain");
            assert_eq!(word_of(&socket), Err(ErrorKind::PeerGone));
            assert_eq!(domain.wait(Deadline::NEVER), Some(end));
            assert_eq!(domain.wait(Deadline::PASSED), Some(end), "and so it stays");
            assert_eq!(PROBES.get(), (1, 1));
        }
        let (domain, socket) = sim.domain(stays).expect("a domain");
        let soon = Deadline::at(sim.now() + Duration::from_millis(1));
        assert_eq!(domain.wait(soon), None);
        domain.kill();
        assert_eq!(domain.wait(Deadline::NEVER), KILLED);
        assert_eq!(socket.send(b"?", &[]).map_err(|error| error.kind), Err(ErrorKind::PeerGone));
        let (domain, socket) = sim.domain(stays).expect("a domain");
        drop(socket);
        assert_eq!(domain.wait(Deadline::NEVER), Some(DomainEnd::Returned));
        let (domain, socket) = sim.domain(stays).expect("a domain");
        drop(domain);
        assert_eq!(word_of(&socket), Err(ErrorKind::PeerGone));
    });
}

#[test]
fn what_was_sent_before_the_end_is_received() {
    fn speaks(_: Sim, socket: SimSocket) {
        for word in [b"one ", b"two "] {
            socket.send(word, &[]).expect("the other side lives");
        }
    }
    checked(100, |sim| {
        let (domain, socket) = sim.domain(speaks).expect("a domain");
        assert_eq!((word_of(&socket), word_of(&socket)), (Ok(*b"one "), Ok(*b"two ")));
        assert_eq!(word_of(&socket), Err(ErrorKind::PeerGone));
        assert_eq!(domain.wait(Deadline::NEVER), Some(DomainEnd::Returned));
    });
}

#[test]
fn objects_travel_as_they_are_mapped() {
    fn uses(sim: Sim, socket: SimSocket) {
        assert_eq!(sim.memory(1).expect_err("not here").kind, ErrorKind::Denied);
        let code = sim.code_of(uses).expect("a code");
        assert_eq!(sim.domain_at(code).expect_err("not here").kind, ErrorKind::Denied);
        let (page, other) = (one_object(&socket), one_object(&socket));
        assert_eq!((page.access(), other.access()), (Access::ReadWrite, Access::Read));
        let refused = other.alias(Access::ReadWrite).expect_err("for reading");
        assert_eq!(refused.kind, ErrorKind::Denied);
        let file = one(&socket).into_file().expect("a file");
        let mut text = [0; 8];
        let count = file.read_at(0, &mut text).expect("a file") as u64;
        words(&page)[0].store(words(&other)[0].load(Acquire) + count, Release);
        socket.send(b"done", &[Passed::Memory(&page)]).expect("the other side waits");
    }
    checked(100, |sim| {
        let code = sim.code_of(uses).expect("a code");
        assert_eq!(sim.code_of(uses), Ok(code));
        let none = EntryCode(code.0 + 1);
        assert_eq!(sim.domain_at(none).expect_err("none").kind, ErrorKind::Invalid);
        let (domain, socket) = sim.domain_at(code).expect("a domain");
        let (page, other) = (sim.memory(1).expect("memory"), sim.memory(1).expect("memory"));
        words(&other)[0].store(39, Release);
        socket.send(b"page", &[Passed::Memory(&page)]).expect("it listens");
        let other = other.alias(Access::Read).expect("a mapping");
        socket.send(b"other", &[Passed::Memory(&other)]).expect("it listens");
        socket.send(b"file", &[Passed::File(&SimFile::new("abc"))]).expect("it listens");
        let again = one_object(&socket);
        assert_eq!((words(&page)[0].load(Acquire), words(&again)[0].load(Acquire)), (42, 42));
        assert_eq!(domain.wait(Deadline::NEVER), Some(DomainEnd::Returned));
    });
}

#[test]
fn messages_have_limits() {
    fn echoes(_: Sim, socket: SimSocket) {
        let mut small = [0; 2];
        for _ in 0..2 {
            let wrong = socket.recv(&mut small, &mut [], Deadline::NEVER).expect_err("not that");
            assert_eq!(wrong.kind, ErrorKind::Misbehaved);
        }
        assert_eq!(socket.recv(&mut small, &mut [], Deadline::NEVER).map(|it| it.bytes), Ok(2));
        let nothing = socket.recv(&mut small, &mut [], Deadline::PASSED).expect_err("nothing");
        assert_eq!(nothing.kind, ErrorKind::TimedOut);
        socket.send(&[], &[]).expect("it listens");
    }
    checked(50, |sim| {
        let (domain, socket) = sim.domain(echoes).expect("a domain");
        let over = [0; SimSocket::MOST_BYTES + 1];
        assert_eq!(socket.send(&over, &[]).expect_err("too much").kind, ErrorKind::Invalid);
        let page = sim.memory(1).expect("memory");
        let many = [Passed::Memory(&page); SimSocket::MOST_OBJECTS + 1];
        assert_eq!(socket.send(&[], &many).expect_err("too many").kind, ErrorKind::Invalid);
        socket.send(b"long", &[]).expect("sent");
        socket.send(&[], &[Passed::Memory(&page)]).expect("sent");
        socket.send(b"ok", &[]).expect("sent");
        socket.recv(&mut [], &mut [], Deadline::NEVER).expect("an answer");
        assert_eq!(domain.wait(Deadline::NEVER), Some(DomainEnd::Returned));

        fn sleeps(sim: Sim, _socket: SimSocket) {
            let (point, word) = (sim.point().expect("a point"), Word::new(0));
            let event = Event { park: &sim, point: &point, word: &word, barrier: Barrier::Fence };
            let _ = event.wait_until(Deadline::NEVER, || None::<()>);
        }
        let (_domain, socket) = sim.domain(sleeps).expect("a domain");
        let refused = (0..100).find_map(|_| socket.send(b"full", &[Passed::Memory(&page)]).err());
        assert_eq!(refused.map(|error| error.kind), Some(ErrorKind::NoSlots));
        let soon = Deadline::at(sim.now() + Duration::from_millis(1));
        assert_eq!(socket.room(soon).map_err(|error| error.kind), Err(ErrorKind::TimedOut));
    });
}

/// Who sends more than fits waits for whoever takes it, also where that one is less urgent (H5).
#[test]
fn who_waits_for_room_lets_others_run() {
    fn counts(_: Sim, socket: SimSocket) {
        for expected in 0..100_u8 {
            let mut byte = [0];
            let received = socket.recv(&mut byte, &mut [], Deadline::NEVER).expect("it comes");
            assert_eq!((received.bytes, byte), (1, [expected]));
        }
    }
    Seeds::from_env(50).check("who_waits_for_room", |sim| {
        let (domain, socket) = sim.domain(counts).expect("a domain");
        for number in 0..100 {
            while socket.send(&[number], &[]).is_err() {
                socket.room(Deadline::NEVER).expect("somebody listens");
            }
        }
        assert!(domain.ended(Deadline::NEVER));
        // Nobody is there any more: no message waits for room.
        assert_eq!(socket.room(Deadline::NEVER), Ok(()));
    });
}

/// One side of a game: adds one to a count whenever it is its turn.
fn play(sim: Sim, memory: &SimMemory, mine: u64, rounds: u64) -> Result<(), WaitError> {
    let point = sim.point().expect("a point");
    sim.between(&point);
    let [word, count] = words(memory);
    let event = Event { park: &sim, point: &point, word, barrier: sim.barrier() };
    for _ in 0..rounds {
        let turn = || (count.load(Acquire) % 2 == mine).then_some(());
        event.wait_until(Deadline::NEVER, turn)?;
        count.store(count.load(Acquire) + 1, Release);
        event.trigger(Wake::All);
    }
    Ok(())
}

#[test]
fn two_domains_take_turns() {
    fn plays(sim: Sim, socket: SimSocket) {
        let memory = one_object(&socket);
        play(sim, &memory, 1, 10).expect("the other side plays");
    }
    checked(200, |sim| {
        let (domain, socket) = sim.domain(plays).expect("a domain");
        let memory = sim.memory(1).expect("memory");
        socket.send(&[], &[Passed::Memory(&memory)]).expect("it listens");
        play(sim, &memory, 0, 10).expect("the other side plays");
        assert_eq!(domain.wait(Deadline::NEVER), Some(DomainEnd::Returned));
        assert_eq!(words(&memory)[1].load(Acquire), 20);
    });
}

/// Holds a lock and a probe in several threads while it plays.
fn holds(sim: Sim, socket: SimSocket) {
    let _probe = Probe::new();
    let memory = one_object(&socket);
    spawn(sim, move || {
        let _probe = Probe::new();
        let lock = Mutex::new(sim, sim.point().expect("a point"), sim.barrier(), Probe::new());
        let _locked = lock.lock();
        let (point, word) = (sim.point().expect("a point"), Word::new(0));
        let event = Event { park: &sim, point: &point, word: &word, barrier: Barrier::Fence };
        let _ = event.wait_until(Deadline::NEVER, || None::<()>);
    });
    let _ = play(sim, &memory, 1, u64::MAX);
}

/// Plays with one that may be killed, and tells itself that it is gone.
fn plays_until_it_is_dead(sim: Sim, kill_after: Option<u64>) {
    PROBES.set((0, 0));
    let (domain, socket) = sim.domain(holds).expect("a domain");
    let memory = std::rc::Rc::new(sim.memory(1).expect("memory"));
    // It may be dead already.
    let _ = socket.send(&[], &[Passed::Memory(&*memory)]);
    let theirs = std::rc::Rc::clone(&memory);
    let watch = spawn(sim, move || {
        if let Some(after) = kill_after {
            (0..after).for_each(|_| sim.yield_to(None));
            domain.kill();
        }
        let end = domain.wait(Deadline::NEVER);
        assert!(end == KILLED, "{end:?}");
        // Nothing of it runs behind this.
        let before = PROBES.get();
        let point = sim.point().expect("a point");
        sim.between(&point);
        let [word, _] = words(&theirs);
        let event = Event { park: &sim, point: &point, word, barrier: sim.barrier() };
        event.tell(Side::Waiters, Gone::PeerGone);
        // It may have died between moving the word and waking us.
        event.rouse();
        (0..10).for_each(|_| sim.yield_to(None));
        assert_eq!(PROBES.get(), before);
    });
    let rounds = if kill_after.is_some() { 30 } else { u64::MAX };
    let played = play(sim, &memory, 0, rounds);
    assert!(matches!(played, Ok(()) | Err(WaitError::Gone(Gone::PeerGone))), "{played:?}");
    assert_eq!(word_of(&socket), Err(ErrorKind::PeerGone));
    assert_eq!(socket.send(&[], &[]).map_err(|error| error.kind), Err(ErrorKind::PeerGone));
    res_kernel::KernelThread::join(&watch);
    assert_eq!(PROBES.get().1, 0, "no destructor runs");
}

#[test]
fn a_kill_at_any_time_runs_no_destructor_and_is_told() {
    checked(300, |sim| plays_until_it_is_dead(sim, Some(20)));
}

/// At each step of the run, one after the other.
#[test]
fn a_kill_at_each_step_runs_no_destructor_and_is_told() {
    let run = |seed, step| -> Outcome {
        let killed = Simulation::new(seed).kill(1, step);
        killed.run(|sim| plays_until_it_is_dead(sim, None))
    };
    for seed in 0..3 {
        for step in 1..300 {
            let outcome = run(seed, step);
            assert_eq!(outcome.failure, None, "killed at step {step}: {outcome}");
        }
    }
    assert_eq!(run(1, 77), run(1, 77));
}

#[test]
fn the_same_seed_kills_at_the_same_step() {
    let run = |seed| Sim::run(seed, |sim| plays_until_it_is_dead(sim, Some(20)));
    let mut hashes = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let (once, again) = (run(seed), run(seed));
        assert_eq!(once.failure, None, "{once}");
        assert_eq!(once, again);
        hashes.insert(once.hash);
    }
    assert!(hashes.len() > 45, "{} different runs of 50", hashes.len());
}

/// What std counts as a panic is another thread's, and it will not be over.
#[test]
fn one_that_is_killed_as_it_unwinds_is_not_taken_for_others() {
    struct Waits(Sim);
    impl Drop for Waits {
        fn drop(&mut self) {
            assert!(self.0.unwinding());
            loop {
                self.0.yield_to(None);
            }
        }
    }
    fn unwinds(sim: Sim, _: SimSocket) {
        let _waits = Waits(sim);
        panic!("on purpose");
    }
    checked(20, |sim| {
        assert!(!sim.unwinding());
        let (domain, _socket) = sim.domain(unwinds).expect("a domain");
        (0..10).for_each(|_| sim.yield_to(None));
        domain.kill();
        assert!(!sim.unwinding());
        spawn(sim, move || assert!(!sim.unwinding()));
    });
}

#[test]
fn all_end_with_the_composer() {
    let outcome = Sim::run(1, |sim| std::mem::forget(sim.domain(stays)));
    assert_eq!(outcome.failure, None);
}
