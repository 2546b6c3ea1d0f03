//! Proves, in every interleaving that loom can make of two or three threads, that [`Mutex`] lets
//! one thread at a time at what it protects, that a release is seen by the next owner and wakes
//! it, and that a lock whose owner died is broken by one, poisoned, and handed on.
//!
//! The same harness runs locks that break a single step. Their tests pass only if loom finds the
//! failure: the proof that the models can fail.

#[path = "common/models.rs"]
mod models;

use std::marker::PhantomData;
use std::mem::forget;
use std::sync::Arc;
use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

use loom::thread;
use models::{DEADLOCK, Preemptions, RACE, assert_found, check};
use res_sync::model::{Atomic, Cell, Loom, LoomCell, LoomPark, LoomPoint, MemoryModel};
use res_sync::mutex::LockError;
use res_sync::{Barrier, Deadline, Event, Mutex, Wake};

type Counter = LoomCell<u32>;
type RealLock = Mutex<LoomPark, Counter>;

fn read(counter: &Counter) -> u32 {
    // SAFETY: it is written before, and loom fails the model if another thread is there.
    unsafe { counter.read() }
}

fn write(counter: &Counter, value: u32) {
    // SAFETY: loom fails the model if another thread is there.
    unsafe { counter.write(value) };
}

fn counter() -> Counter {
    let counter = Counter::empty();
    write(&counter, 0);
    counter
}

fn real_lock() -> Arc<RealLock> {
    Arc::new(Mutex::new(LoomPark, LoomPoint::default(), Barrier::Fence, counter()))
}

/// Starts the thread with that id; the model's first one is thread 1.
fn spawn<T: ?Sized + 'static, R: 'static>(
    id: u32,
    shared: &Arc<T>,
    body: impl FnOnce(&T) -> R + 'static,
) -> thread::JoinHandle<R> {
    let shared = shared.clone();
    thread::spawn(move || {
        LoomPark::set_current(id);
        body(&shared)
    })
}

// ---- Exclusion ----

/// What protects a counter.
trait Lock: Sync + Send + 'static {
    fn create() -> Arc<Self>;
    fn with(&self, body: impl FnOnce(&Counter));
}

impl Lock for RealLock {
    fn create() -> Arc<Self> {
        real_lock()
    }

    fn with(&self, body: impl FnOnce(&Counter)) {
        body(&self.lock());
    }
}

/// So many threads count, each so many times; nothing is lost, no two are at it at once, and
/// nobody waits for ever.
fn counts<L: Lock>(threads: u32, times: u32, preemptions: Preemptions) {
    check(preemptions, move || {
        let lock = L::create();
        let others: Vec<_> =
            (2..=threads).map(|id| spawn(id, &lock, move |lock| count(lock, times))).collect();
        count(&*lock, times);
        others.into_iter().for_each(|other| other.join().expect("no thread panics"));
        lock.with(|counter| assert_eq!(read(counter), threads * times));
    });
}

fn count<L: Lock>(lock: &L, times: u32) {
    for _ in 0..times {
        lock.with(|counter| write(counter, read(counter) + 1));
    }
}

#[test]
fn two_threads_count() {
    counts::<RealLock>(2, 1, Preemptions::up_to(4, 5));
}

#[test]
fn two_threads_count_twice() {
    counts::<RealLock>(2, 2, Preemptions::up_to(2, 3));
}

#[test]
fn three_threads_count() {
    counts::<RealLock>(3, 1, Preemptions::up_to(2, 3));
}

// ---- Mutants ----

/// A lock as plain as can be. What a mutant does not replace is right.
struct Sketch<S> {
    owner: <Loom as MemoryModel>::U32,
    word: <Loom as MemoryModel>::U64,
    point: LoomPoint,
    counter: Counter,
    _steps: PhantomData<fn() -> S>,
}

// SAFETY: all but the counter is atomic or a lock; loom fails a model in which two threads are at
// the counter at once.
unsafe impl<S> Sync for Sketch<S> {}

const FREE: u32 = 0;
const HELD: u32 = 1;

impl<S> Sketch<S> {
    fn event(&self) -> Event<'_, LoomPark> {
        Event { park: &LoomPark, point: &self.point, word: &self.word, barrier: Barrier::Fence }
    }

    fn take(&self, order: Ordering) -> Option<()> {
        self.owner.compare_exchange(FREE, HELD, order, Relaxed).ok().map(drop)
    }

    fn give(&self, order: Ordering) {
        self.owner.store(FREE, order);
    }

    fn announce(&self) {
        self.event().trigger(Wake::One);
    }
}

trait Steps: Sized + 'static {
    fn take(lock: &Sketch<Self>) -> Option<()> {
        lock.take(Acquire)
    }

    fn release(lock: &Sketch<Self>) {
        lock.give(Release);
        lock.announce();
    }
}

impl<S: Steps> Lock for Sketch<S> {
    fn create() -> Arc<Self> {
        Arc::new(Self {
            owner: Atomic::new(FREE),
            word: Atomic::new(0),
            point: LoomPoint::default(),
            counter: counter(),
            _steps: PhantomData,
        })
    }

    fn with(&self, body: impl FnOnce(&Counter)) {
        let taken = self.event().wait_until(Deadline::NEVER, || S::take(self));
        taken.expect("nothing but the lock ends the wait");
        body(&self.counter);
        S::release(self);
    }
}

/// Two threads that count once: where the sketch is right and each mutant fails.
fn two_count<S: Steps>() {
    counts::<Sketch<S>>(2, 1, Preemptions::up_to(3, 4));
}

/// What is wrong with a mutant is its one step.
struct Sound;

impl Steps for Sound {}

#[test]
fn the_lock_of_the_mutants_is_right() {
    two_count::<Sound>();
}

/// Releases without a trigger.
struct Silent;

impl Steps for Silent {
    fn release(lock: &Sketch<Self>) {
        lock.give(Release);
    }
}

#[test]
fn mutant_that_releases_without_a_trigger_is_found() {
    assert_found(DEADLOCK, two_count::<Silent>);
}

/// Announces the release before it happens.
struct Hasty;

impl Steps for Hasty {
    fn release(lock: &Sketch<Self>) {
        lock.announce();
        lock.give(Release);
    }
}

#[test]
fn mutant_that_triggers_before_it_releases_is_found() {
    assert_found(DEADLOCK, two_count::<Hasty>);
}

/// Does not see what the last owner wrote.
struct TakesRelaxed;

impl Steps for TakesRelaxed {
    fn take(lock: &Sketch<Self>) -> Option<()> {
        lock.take(Relaxed)
    }
}

#[test]
fn mutant_that_takes_without_acquire_is_found() {
    assert_found(RACE, two_count::<TakesRelaxed>);
}

/// Does not show what it wrote.
struct GivesRelaxed;

impl Steps for GivesRelaxed {
    fn release(lock: &Sketch<Self>) {
        lock.give(Relaxed);
        lock.announce();
    }
}

#[test]
fn mutant_that_gives_without_release_is_found() {
    assert_found(RACE, two_count::<GivesRelaxed>);
}

/// Looks whether it is free, and takes it in a second step.
struct LooksThenTakes;

impl Steps for LooksThenTakes {
    fn take(lock: &Sketch<Self>) -> Option<()> {
        (lock.owner.load(Acquire) == FREE).then(|| lock.owner.store(HELD, Relaxed))
    }
}

#[test]
fn mutant_that_takes_in_two_steps_is_found() {
    assert_found(RACE, two_count::<LooksThenTakes>);
}

// ---- Handing on ----

/// Who waits for a held lock is woken by its release, and sees what its owner wrote.
#[test]
fn a_release_hands_the_lock_on() {
    check(Preemptions::up_to(4, 5), || {
        let lock = real_lock();
        let guard = lock.lock();
        let waiter = spawn(2, &lock, |lock| read(&lock.lock()));
        assert_eq!(lock.owner(), Some(1));
        write(&guard, 7);
        drop(guard);
        assert_eq!(waiter.join().expect("no thread panics"), 7);
        assert_eq!(lock.owner(), None);
    });
}

/// Two wait, and one release wakes one of them: its own release has to wake the other.
#[test]
fn a_release_hands_the_lock_on_and_on() {
    check(Preemptions::up_to(2, 3), || {
        let lock = real_lock();
        let guard = lock.lock();
        let waiters = [2, 3].map(|id| spawn(id, &lock, |lock| count(lock, 1)));
        drop(guard);
        waiters.into_iter().for_each(|waiter| waiter.join().expect("no thread panics"));
        assert_eq!(read(&lock.lock()), 2);
    });
}

/// Who gives up does not take the wake-up with it that another needs.
#[test]
fn one_that_gives_up_harms_nobody() {
    check(Preemptions::up_to(2, 3), || {
        let lock = real_lock();
        let guard = lock.lock();
        let patient = spawn(2, &lock, |lock| count(lock, 1));
        let hurried = spawn(3, &lock, |lock| match lock.lock_until(Deadline::PASSED) {
            Ok(_) => {}
            Err(LockError::TimedOut(owner)) => assert!(owner <= 2),
            Err(LockError::Poisoned(_)) => panic!("nobody died"),
        });
        drop(guard);
        patient.join().expect("no thread panics");
        hurried.join().expect("no thread panics");
        assert_eq!(read(&lock.lock()), 1);
    });
}

// ---- Death ----

/// Dies holding the lock.
fn die(lock: &RealLock) {
    let guard = lock.lock();
    write(&guard, 7);
    forget(guard);
}

/// Waits for the lock, which must come poisoned and with what the dead owner wrote.
fn inherit(lock: &RealLock) {
    let Err(LockError::Poisoned(guard)) = lock.lock_until(Deadline::NEVER) else {
        panic!("the owner died");
    };
    assert_eq!(read(&guard), 7);
}

/// The proof of death breaks the lock, wakes the waiter and poisons. Nothing but the breaking
/// orders the waiter behind what the dead owner wrote.
#[test]
fn the_death_of_the_owner_hands_the_lock_on_poisoned() {
    check(Preemptions::up_to(4, 5), || {
        let lock = real_lock();
        let guard = lock.lock();
        let heir = spawn(2, &lock, inherit);
        write(&guard, 7);
        forget(guard);
        assert!(!lock.owner_died(0), "nobody is not dead");
        assert!(!lock.owner_died(3), "another thread's death is none of this lock's business");
        assert!(lock.owner_died(1));
        heir.join().expect("no thread panics");
        assert!(lock.is_poisoned());
        assert!(!lock.owner_died(1), "it holds nothing any more");
    });
}

/// Two have the proof: one of them breaks the lock, and the heir keeps what it took.
#[test]
fn one_breaks_the_lock_of_the_dead() {
    check(Preemptions::up_to(2, 3), || {
        let lock = real_lock();
        die(&lock);
        let heir = spawn(2, &lock, inherit);
        let other = spawn(3, &lock, |lock| lock.owner_died(1));
        let broken = lock.owner_died(1);
        let other = other.join().expect("no thread panics");
        heir.join().expect("no thread panics");
        assert!(broken != other, "broken by {}", if broken { "both" } else { "nobody" });
        assert_eq!(lock.owner(), None);
    });
}
