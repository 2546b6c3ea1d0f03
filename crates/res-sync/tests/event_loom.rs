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
const WATCHED: u64 = 1 << 1;
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
        Event { park: &LoomPark, point: &self.point, word: &self.word, barrier: Barrier::Fence }
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
    fn wait_until<R>(ground: &Ground, mut look: impl FnMut() -> Option<R>) -> Result<R, WaitError> {
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

    fn watch(ground: &Ground) {
        ground.event().watch(true);
    }

    /// Takes the source off the ready list, unless something came since `seen` (H23). Off first,
    /// compared then: a trigger moves the epoch before it marks the source.
    fn idle(ground: &Ground, seen: Snapshot) {
        ground.ready.swap(0, AcqRel);
        if !ground.event().unmoved_since(seen) {
            ground.ready.swap(1, Release);
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

/// For models that are small enough to be looked at from end to end.
const ANY: Preemptions = Preemptions { daily: None, long: None };

const ONE_BY_ONE: Shape = Shape { waiters: 1, posts: &[1], wake: Wake::All, preemptions: ANY };
const ONE_BY_TWO: Shape =
    Shape { waiters: 1, posts: &[1, 1], wake: Wake::All, preemptions: Preemptions::up_to(3, 4) };
const ONE_BY_THREE: Shape =
    Shape { waiters: 1, posts: &[1, 1, 1], wake: Wake::All, preemptions: Preemptions::up_to(1, 2) };
const TWO_BY_ONE: Shape =
    Shape { waiters: 2, posts: &[1], wake: Wake::All, preemptions: Preemptions::up_to(2, 4) };
const TWO_BY_TWO: Shape =
    Shape { waiters: 2, posts: &[1, 1], wake: Wake::All, preemptions: Preemptions::up_to(1, 2) };
const TWO_TOKENS_OF_ONE: Shape =
    Shape { waiters: 2, posts: &[2], wake: Wake::One, preemptions: Preemptions::up_to(2, 3) };
const TWO_TOKENS_OF_TWO: Shape =
    Shape { waiters: 2, posts: &[1, 1], wake: Wake::One, preemptions: Preemptions::up_to(1, 2) };

/// No thread of that shape waits for ever: loom reports a deadlock otherwise.
fn nobody_sleeps_on<P: Protocol>(shape: Shape) {
    check(shape.preemptions, move || {
        let ground = Ground::new();
        let mut threads: Vec<_> = (1..shape.waiters)
            .map(|_| spawn(&ground, move |ground| wait_in::<P>(ground, shape)))
            .collect();
        threads.extend(
            shape
                .posts
                .iter()
                .map(|&posts| spawn(&ground, move |ground| post::<P>(ground, posts, shape.wake))),
        );
        wait_in::<P>(&ground, shape);
        threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    });
}

fn spawn(ground: &Arc<Ground>, body: impl FnOnce(&Ground) + 'static) -> thread::JoinHandle<()> {
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
fn two_waiters_and_one_trigger() {
    nobody_sleeps_on::<Real>(TWO_BY_ONE);
}

#[test]
fn two_waiters_and_two_triggers() {
    nobody_sleeps_on::<Real>(TWO_BY_TWO);
}

#[test]
fn two_waiters_and_a_thread_that_wakes_one_twice() {
    nobody_sleeps_on::<Real>(TWO_TOKENS_OF_ONE);
}

#[test]
fn two_waiters_and_two_threads_that_wake_one() {
    nobody_sleeps_on::<Real>(TWO_TOKENS_OF_TWO);
}

/// What is wrong with a mutant is its one step, not the loop that it shares with this.
#[test]
fn the_loop_of_the_mutants_is_right() {
    nobody_sleeps_on::<Steps>(ONE_BY_ONE);
    nobody_sleeps_on::<Steps>(TWO_TOKENS_OF_TWO);
}

/// H1: moves the epoch, keeps the bit, wakes, and clears the bit in a second step.
struct ClearsLater;

impl Protocol for ClearsLater {
    fn trigger(ground: &Ground, wake: Wake) -> Triggered {
        Loom::light_barrier(Barrier::Fence);
        if ground.word.load(Acquire) & SUBSCRIBED != 0 {
            let moved = ground.word.fetch_add(EPOCH_ONE, AcqRel) + EPOCH_ONE;
            ground.unpark(moved, wake);
            ground.word.fetch_and(!SUBSCRIBED, AcqRel);
        }
        QUIET
    }
}

const QUIET: Triggered = Triggered { gone: None, watched: false };

#[test]
fn mutant_that_clears_the_bit_later_is_found() {
    assert_found(DEADLOCK, || nobody_sleeps_on::<ClearsLater>(ONE_BY_TWO));
}

/// H2: looks, arms, and sleeps without looking again.
struct LooksOnce;

impl Protocol for LooksOnce {
    fn wait_until<R>(ground: &Ground, mut look: impl FnMut() -> Option<R>) -> Result<R, WaitError> {
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            let armed = Self::checkpoint(ground);
            Self::wait(ground, armed)?;
        }
    }
}

#[test]
fn mutant_that_does_not_look_again_is_found() {
    assert_found(DEADLOCK, || nobody_sleeps_on::<LooksOnce>(ONE_BY_ONE));
}

/// H3: looks at the word without a barrier behind the change that it announces.
struct NoLightBarrier;

impl Protocol for NoLightBarrier {
    fn trigger(ground: &Ground, wake: Wake) -> Triggered {
        if ground.word.load(Acquire) & SUBSCRIBED == 0 {
            return QUIET;
        }
        ground.event().trigger(wake)
    }
}

#[test]
fn mutant_without_a_light_barrier_is_found() {
    assert_found(DEADLOCK, || nobody_sleeps_on::<NoLightBarrier>(ONE_BY_ONE));
}

/// H3: arms without a barrier before the look that follows.
struct NoHeavyBarrier;

impl Protocol for NoHeavyBarrier {
    fn checkpoint(ground: &Ground) -> Snapshot {
        ground.word.fetch_or(SUBSCRIBED, AcqRel);
        ground.event().snapshot()
    }
}

#[test]
fn mutant_without_a_heavy_barrier_is_found() {
    assert_found(DEADLOCK, || nobody_sleeps_on::<NoHeavyBarrier>(ONE_BY_ONE));
}

/// Clears the bit though it wakes only one: the next trigger believes that nobody sleeps.
struct ForgetsTheOther;

impl Protocol for ForgetsTheOther {
    fn trigger(ground: &Ground, wake: Wake) -> Triggered {
        Loom::light_barrier(Barrier::Fence);
        let mut word = ground.word.load(Acquire);
        while word & SUBSCRIBED != 0 {
            let moved = (word + EPOCH_ONE) & !SUBSCRIBED;
            match ground.word.compare_exchange(word, moved, AcqRel, Acquire) {
                Err(found) => word = found,
                Ok(_) => {
                    ground.unpark(moved, wake);
                    break;
                }
            }
        }
        QUIET
    }
}

#[test]
fn mutant_that_forgets_the_other_sleeper_is_found() {
    assert_found(DEADLOCK, || nobody_sleeps_on::<ForgetsTheOther>(TWO_TOKENS_OF_ONE));
}

/// H1 where one is woken: finds nobody asleep and clears the bit without moving the epoch again.
struct ClearsBehindOne;

impl Protocol for ClearsBehindOne {
    fn trigger(ground: &Ground, _: Wake) -> Triggered {
        Loom::light_barrier(Barrier::Fence);
        if ground.word.load(Acquire) & SUBSCRIBED != 0 {
            let moved = ground.word.fetch_add(EPOCH_ONE, AcqRel) + EPOCH_ONE;
            if ground.unpark(moved, Wake::One) == 0 {
                ground.word.fetch_and(!SUBSCRIBED, AcqRel);
            }
        }
        QUIET
    }
}

#[test]
fn mutant_that_clears_the_bit_because_nobody_slept_is_found() {
    assert_found(DEADLOCK, || nobody_sleeps_on::<ClearsBehindOne>(ONE_BY_TWO));
}

// ---- What was done before is seen behind ----

/// The end of a wait that was armed before the trigger orders the trigger's side before it.
fn a_trigger_publishes<P: Protocol>() {
    check(ANY, || {
        let ground = Ground::new();
        let armed = P::checkpoint(&ground);
        let sender = spawn(&ground, |ground| {
            ground.write_payload();
            P::trigger(ground, Wake::All);
        });
        assert_eq!(P::wait(&ground, armed), Ok(()));
        assert_eq!(ground.read_payload(), 7);
        sender.join().expect("no thread panics");
    });
}

#[test]
fn what_was_done_before_a_trigger_is_seen_behind_the_wait() {
    a_trigger_publishes::<Real>();
}

/// Moves the epoch, but releases nothing with it.
struct MovesRelaxed;

impl Protocol for MovesRelaxed {
    fn trigger(ground: &Ground, wake: Wake) -> Triggered {
        let moved = (ground.word.load(Acquire) + EPOCH_ONE) & !SUBSCRIBED;
        ground.word.store(moved, Relaxed);
        ground.unpark(moved, wake);
        QUIET
    }
}

#[test]
fn mutant_that_moves_the_epoch_relaxed_is_found() {
    assert_found(RACE, a_trigger_publishes::<MovesRelaxed>);
}

// ---- Tellings ----

/// The waiter ends with the reason, has seen what the teller did before, and finds in its last
/// look what was sent before.
fn closing_wakes<P: Protocol>() {
    check(ANY, || {
        let ground = Ground::new();
        let closer = spawn(&ground, |ground| {
            ground.write_payload();
            ground.tokens.store(1, Relaxed);
            P::tell(ground, Side::Waiters, Gone::Closed);
        });
        // The token is not what this one waits for.
        let end = P::wait_until(&ground, || None::<()>);
        assert_eq!(end, Err(WaitError::Gone(Gone::Closed)));
        assert_eq!(ground.read_payload(), 7);
        assert_eq!(P::wait_until(&ground, || last_look(&ground)), Ok(1));
        closer.join().expect("no thread panics");
    });
}

fn last_look(ground: &Ground) -> Option<u32> {
    Some(ground.tokens.load(Relaxed)).filter(|&tokens| tokens != 0)
}

#[test]
fn closing_wakes_a_waiter_which_sees_all_that_was_sent() {
    closing_wakes::<Real>();
}

/// The last thing that was sent is found however close behind it the closing comes.
#[test]
fn a_waiter_told_of_the_end_looks_once_more() {
    check(Preemptions { daily: Some(4), long: None }, || {
        let ground = Ground::new();
        let closer = spawn(&ground, |ground| {
            ground.tokens.store(1, Relaxed);
            Real::tell(ground, Side::Waiters, Gone::Closed);
        });
        assert_eq!(Real::wait_until(&ground, || last_look(&ground)), Ok(1));
        closer.join().expect("no thread panics");
    });
}

/// Tells without waking.
struct TellsSoftly;

impl Protocol for TellsSoftly {
    fn tell(ground: &Ground, _: Side, gone: Gone) {
        ground.word.fetch_or(u64::from(gone.code()) << WAITERS_SHIFT, AcqRel);
    }
}

#[test]
fn mutant_that_tells_without_waking_is_found() {
    assert_found(DEADLOCK, closing_wakes::<TellsSoftly>);
}

/// Whoever is told sees what the teller did before; a later trigger is told for certain.
#[test]
fn signallers_are_told() {
    check(ANY, || {
        let ground = Ground::new();
        let teller = spawn(&ground, |ground| {
            ground.write_payload();
            Real::tell(ground, Side::Signallers, Gone::PeerGone);
        });
        if let Some(gone) = Real::trigger(&ground, Wake::All).gone {
            assert_eq!(gone, Gone::PeerGone);
            assert_eq!(ground.read_payload(), 7);
        }
        teller.join().expect("no thread panics");
        assert_eq!(Real::trigger(&ground, Wake::All).gone, Some(Gone::PeerGone));
    });
}

/// A reason brings what the teller did before, by whichever way it is read.
#[test]
fn a_reason_brings_what_was_done_before_it() {
    let ways: [fn(&Ground) -> Option<Gone>; 2] =
        [|ground| ground.event().told(Side::Waiters), |ground| ground.event().snapshot().gone()];
    for read_reason in ways {
        check(ANY, move || {
            let ground = Ground::new();
            let teller = spawn(&ground, |ground| {
                ground.write_payload();
                Real::tell(ground, Side::Waiters, Gone::Closed);
            });
            if read_reason(&ground).is_some() {
                assert_eq!(ground.read_payload(), 7);
            }
            teller.join().expect("no thread panics");
            assert_eq!(read_reason(&ground), Some(Gone::Closed));
        });
    }
}

/// Telling the other side clears the waiter's bit: it is woken for that, and arms again.
#[test]
fn telling_the_signallers_costs_the_waiter_no_wake_up() {
    check(Preemptions::up_to(2, 3), || {
        let ground = Ground::new();
        let teller = spawn(&ground, |ground| Real::tell(ground, Side::Signallers, Gone::Closed));
        let sender = spawn(&ground, |ground| post::<Real>(ground, 1, Wake::All));
        let end = Real::wait_until(&ground, || ground.take());
        assert_eq!(end, Ok(()));
        teller.join().expect("no thread panics");
        sender.join().expect("no thread panics");
    });
}

/// Three tell at once: the strongest reason stays, none is followed by a weaker one, and the
/// other side hears nothing.
fn the_strongest_stays<P: Protocol>() {
    check(Preemptions::up_to(3, 5), || {
        let ground = Ground::new();
        let tellers = [Gone::Closed, Gone::Revoked]
            .map(|gone| spawn(&ground, move |ground| P::tell(ground, Side::Waiters, gone)));
        P::tell(&ground, Side::Waiters, Gone::PeerGone);
        let first = ground.event().told(Side::Waiters);
        assert!(first >= Some(Gone::PeerGone));
        assert!(ground.event().told(Side::Waiters) >= first);
        tellers.into_iter().for_each(|teller| teller.join().expect("no thread panics"));
        assert_eq!(ground.event().told(Side::Waiters), Some(Gone::Revoked));
        assert_eq!(ground.event().told(Side::Signallers), None);
    });
}

#[test]
fn the_strongest_of_racing_reasons_stays() {
    the_strongest_stays::<Real>();
}

/// Looks which reason is there, and writes its own in a second step.
struct TellsInTwoSteps;

impl Protocol for TellsInTwoSteps {
    fn tell(ground: &Ground, side: Side, gone: Gone) {
        if ground.event().told(side) < Some(gone) {
            let word = ground.event().told(side.other()).map_or(0, Gone::code);
            assert_eq!(word, 0, "this mutant knows one side only");
            ground.word.swap(u64::from(gone.code()) << WAITERS_SHIFT, AcqRel);
        }
    }
}

#[test]
fn mutant_that_tells_in_two_steps_is_found() {
    assert_found("assertion", the_strongest_stays::<TellsInTwoSteps>);
}

// ---- Groups ----

/// What the sender does: posts, and marks the source as ready where the group watches.
fn post_to_group<P: Protocol>(ground: &Ground) {
    ground.tokens.fetch_add(1, Release);
    if P::trigger(ground, Wake::All).watched {
        ground.ready.swap(1, Release);
    }
}

/// The token is taken, or the source is on the ready list.
fn assert_not_lost(ground: &Ground, found: Option<()>) {
    let listed = ground.ready.load(Acquire) == 1;
    assert!(found.is_some() || listed, "the event is lost");
}

/// A group that begins to watch and looks behind that misses nothing.
fn watching_misses_nothing<P: Protocol>() {
    check(ANY, || {
        let ground = Ground::new();
        let sender = spawn(&ground, post_to_group::<P>);
        P::watch(&ground);
        let found = ground.take();
        sender.join().expect("no thread panics");
        assert_not_lost(&ground, found);
    });
}

#[test]
fn a_group_that_begins_to_watch_misses_nothing() {
    watching_misses_nothing::<Real>();
}

/// Sets the bit without a barrier before the look that follows.
struct WatchesUnfenced;

impl Protocol for WatchesUnfenced {
    fn watch(ground: &Ground) {
        ground.word.fetch_or(WATCHED, AcqRel);
    }
}

#[test]
fn mutant_that_watches_without_a_barrier_is_found() {
    assert_found("is lost", watching_misses_nothing::<WatchesUnfenced>);
}

/// A level-triggered source in a group: the receiver that finds it empty takes it off the list.
fn idle_loses_nothing<P: Protocol>() {
    check(ANY, || {
        let ground = Ground::new();
        P::watch(&ground);
        ground.ready.swap(1, Release);
        let sender = spawn(&ground, post_to_group::<P>);
        let seen = ground.event().snapshot();
        let found = ground.take();
        if found.is_none() {
            P::idle(&ground, seen);
        }
        sender.join().expect("no thread panics");
        assert_not_lost(&ground, found);
    });
}

#[test]
fn going_idle_loses_no_event() {
    idle_loses_nothing::<Real>();
}

/// H23: takes the source off whatever has come.
struct IdleBlindly;

impl Protocol for IdleBlindly {
    fn idle(ground: &Ground, _: Snapshot) {
        ground.ready.swap(0, AcqRel);
    }
}

#[test]
fn mutant_that_goes_idle_blindly_is_found() {
    assert_found("is lost", idle_loses_nothing::<IdleBlindly>);
}

/// H23: compares, and takes the source off in a second step.
struct IdleTooLate;

impl Protocol for IdleTooLate {
    fn idle(ground: &Ground, seen: Snapshot) {
        if ground.event().unmoved_since(seen) {
            ground.ready.swap(0, AcqRel);
        }
    }
}

#[test]
fn mutant_that_compares_before_it_goes_idle_is_found() {
    assert_found("is lost", idle_loses_nothing::<IdleTooLate>);
}

/// An epoch that has moved since a snapshot brings what its trigger announced.
#[test]
fn a_moved_epoch_brings_what_it_announces() {
    check(ANY, || {
        let ground = Ground::new();
        let seen = ground.event().checkpoint();
        let sender = spawn(&ground, |ground| {
            ground.write_payload();
            Real::trigger(ground, Wake::All);
        });
        if !ground.event().unmoved_since(seen) {
            assert_eq!(ground.read_payload(), 7);
        }
        sender.join().expect("no thread panics");
        assert!(!ground.event().unmoved_since(seen));
        assert!(ground.event().unmoved_since(ground.event().snapshot()));
    });
}

// ---- The model itself ----

/// loom alone tries a single order here, because the writer's own load hides that of the first
/// thread (its issue 392). The words of the model see to it that both are tried.
#[test]
fn a_load_before_a_write_hides_no_order() {
    for value in [0, 1] {
        let model = move || {
            let ground = Ground::new();
            let writer = spawn(&ground, |ground| {
                ground.tokens.load(Relaxed);
                ground.tokens.store(1, Relaxed);
            });
            assert_ne!(ground.tokens.load(Relaxed), value, "this value is seen");
            writer.join().expect("no thread panics");
        };
        assert_found("this value is seen", || check(ANY, model));
    }
}
