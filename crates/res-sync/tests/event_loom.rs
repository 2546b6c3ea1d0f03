//! Proves, in every interleaving that loom can make of two to four threads, that [`Event`] loses
//! no wake-up (H1, H2), orders what was done before a trigger or a telling before what is done
//! behind the wait, keeps the stronger reason, and lets a level-triggered source go idle without
//! losing what came in between (H23).
//!
//! One harness runs the real thing and its mutants, each of which breaks a single step. A test of
//! a mutant passes only if loom finds the failure: the proof that the models can fail.

#[path = "common/models.rs"]
mod models;

use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use loom::thread;
use models::{DEADLOCK, Preemptions, RACE, assert_found, check};
use res_sync::event::Snapshot;
use res_sync::model::{Atomic, Cell, Loom, LoomCell, LoomPark, LoomPoint, MemoryModel};
use res_sync::{Barrier, Deadline, Event, Gone, Park, Side, Triggered, WaitError, Wake};

// The layout of the word, as the documentation of `res_sync::event` has it.
const SUBSCRIBED: u64 = 1 << 0;
const EPOCH_ONE: u64 = 1 << 8;
const WAITERS_SHIFT: u32 = 2;

/// What the threads of a model share.
struct Ground {
    word: <Loom as MemoryModel>::U64,
    point: LoomPoint,
    /// What is waited for.
    tokens: <Loom as MemoryModel>::U32,
    /// The source is on the ready list of its group.
    ready: <Loom as MemoryModel>::U32,
    /// What no order but that of the event protects.
    payload: LoomCell<u32>,
}

// SAFETY: all but the payload is atomic or a lock; loom fails a model in which two threads are at
// the payload at once.
unsafe impl Sync for Ground {}

impl Ground {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            word: Atomic::new(0),
            point: LoomPoint::default(),
            tokens: Atomic::new(0),
            ready: Atomic::new(0),
            payload: Cell::empty(),
        })
    }

    fn event(&self) -> Event<'_, LoomPark> {
        Event {
            park: &LoomPark,
            point: &self.point,
            word: &self.word,
            barrier: Barrier::Fence,
        }
    }

    fn unpark(&self, moved: u64, wake: Wake) -> u32 {
        LoomPark.unpark(&self.point, &self.word, moved, wake).expect("this machine counts")
    }

    fn write_payload(&self) {
        // SAFETY: loom fails the model if another thread is there.
        unsafe { self.payload.write(7) };
    }

    fn read_payload(&self) -> u32 {
        // SAFETY: loom fails the model if a writer is there, or has not been before.
        unsafe { self.payload.read() }
    }

    /// Takes one token, if there is one.
    fn take(&self) -> Option<()> {
        let mut there = self.tokens.load(Acquire);
        while there != 0 {
            match self.tokens.compare_exchange(there, there - 1, AcqRel, Acquire) {
                Ok(_) => return Some(()),
                Err(found) => there = found,
            }
        }
        None
    }
}

/// The steps of the event count. What a mutant does not replace is the real thing.
trait Protocol: 'static {
    fn trigger(ground: &Ground, wake: Wake) -> Triggered {
        ground.event().trigger(wake)
    }

    fn checkpoint(ground: &Ground) -> Snapshot {
        ground.event().checkpoint()
    }

    fn wait(ground: &Ground, armed: Snapshot) -> Result<(), WaitError> {
        ground.event().wait(armed, Deadline::NEVER)
    }

    /// Look, arm, look, sleep (H2).
    fn wait_until<R>(
        ground: &Ground,
        mut look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        if let Some(found) = look() {
            return Ok(found);
        }
        loop {
            let armed = Self::checkpoint(ground);
            if let Some(found) = look() {
                return Ok(found);
            }
            if let Err(why) = Self::wait(ground, armed) {
                return look().ok_or(why);
            }
        }
    }

    fn tell(ground: &Ground, side: Side, gone: Gone) {
        ground.event().tell(side, gone);
    }

    /// Takes the source off the ready list, unless something came since `seen` (H23). Off first,
    /// compared then: a trigger moves the epoch before it marks the source.
    fn idle(ground: &Ground, seen: Snapshot) {
        ground.ready.swap(0, AcqRel);
        if !ground.event().unmoved_since(seen) {
            ground.ready.store(1, Release);
        }
    }
}

/// The real thing, its loop of waiting included.
struct Real;

impl Protocol for Real {
    fn wait_until<R>(ground: &Ground, look: impl FnMut() -> Option<R>) -> Result<R, WaitError> {
        ground.event().wait_until(Deadline::NEVER, look)
    }
}

/// The steps of the real thing in the loop of the harness, which the mutants share.
struct Steps;

impl Protocol for Steps {}

// ---- No wake-up is lost ----

/// So many waiters, and for each entry of `posts` a thread that posts so many tokens and triggers
/// behind each. One of the waiters is the model's first thread.
#[derive(Clone, Copy)]
struct Shape {
    waiters: u32,
    posts: &'static [u32],
    wake: Wake,
    preemptions: Preemptions,
}

const ONE_BY_ONE: Shape =
    Shape { waiters: 1, posts: &[1], wake: Wake::All, preemptions: Preemptions::ANY };
const ONE_BY_TWO: Shape =
    Shape { waiters: 1, posts: &[1, 1], wake: Wake::All, preemptions: Preemptions::ANY };
const TWO_BY_ONE: Shape =
    Shape { waiters: 2, posts: &[1], wake: Wake::All, preemptions: Preemptions::ANY };
const ONE_BY_THREE: Shape =
    Shape { waiters: 1, posts: &[1, 1, 1], wake: Wake::All, preemptions: Preemptions::ANY };
const TWO_BY_TWO: Shape =
    Shape { waiters: 2, posts: &[1, 1], wake: Wake::All, preemptions: Preemptions::ANY };
const TWO_BY_ONES: Shape =
    Shape { waiters: 2, posts: &[2], wake: Wake::One, preemptions: Preemptions::ANY };
const TWO_BY_TWO_ONES: Shape =
    Shape { waiters: 2, posts: &[1, 1], wake: Wake::One, preemptions: Preemptions::ANY };

/// No thread of that shape waits for ever: loom reports a deadlock otherwise.
fn nobody_sleeps_on<P: Protocol>(shape: Shape) {
    check(shape.preemptions, move || {
        let ground = Ground::new();
        let mut threads: Vec<_> = (1..shape.waiters)
            .map(|_| spawn(&ground, move |ground| wait_in::<P>(ground, shape)))
            .collect();
        threads.extend(shape.posts.iter().map(|&posts| {
            spawn(&ground, move |ground| post::<P>(ground, posts, shape.wake))
        }));
        wait_in::<P>(&ground, shape);
        threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    });
}

fn spawn(
    ground: &Arc<Ground>,
    body: impl FnOnce(&Ground) + 'static,
) -> thread::JoinHandle<()> {
    let ground = ground.clone();
    thread::spawn(move || body(&ground))
}

fn post<P: Protocol>(ground: &Ground, times: u32, wake: Wake) {
    for _ in 0..times {
        ground.tokens.fetch_add(1, Release);
        P::trigger(ground, wake);
    }
}

/// Where one is woken each takes a token; where all are, each waits for the last of them.
fn wait_in<P: Protocol>(ground: &Ground, shape: Shape) {
    let all: u32 = shape.posts.iter().sum();
    let look = || match shape.wake {
        Wake::One => ground.take(),
        Wake::All => (ground.tokens.load(Acquire) == all).then_some(()),
    };
    P::wait_until(ground, look).expect("nobody is told anything");
}

#[test]
fn one_waiter_and_one_trigger() {
    nobody_sleeps_on::<Real>(ONE_BY_ONE);
    nobody_sleeps_on::<Steps>(ONE_BY_ONE);
}

#[test]
fn one_waiter_and_two_triggers() {
    nobody_sleeps_on::<Real>(ONE_BY_TWO);
}

#[test]
fn one_waiter_and_three_triggers() {
    nobody_sleeps_on::<Real>(ONE_BY_THREE);
}

#[test]
fn two_waiters_and_a_trigger_that_wakes_all() {
    nobody_sleeps_on::<Real>(TWO_BY_ONE);
}

#[test]
fn two_waiters_and_two_triggers_that_wake_all() {
    nobody_sleeps_on::<Real>(TWO_BY_TWO);
}

#[test]
fn two_waiters_and_a_thread_that_wakes_one_twice() {
    nobody_sleeps_on::<Real>(TWO_BY_ONES);
}

#[test]
fn two_waiters_and_two_triggers_that_wake_one() {
    nobody_sleeps_on::<Real>(TWO_BY_TWO_ONES);
}
