//! What the machine below has to do so that a thread can sleep.

use core::time::Duration;

use crate::model::{Atomic, Barrier, MemoryModel};
use crate::{Deadline, Instant};

/// How long a thread sleeps at most that cannot sleep on all of its words.
const NAP: Duration = Duration::from_millis(1);

/// How many of those who wait are woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wake {
    /// One of them. A woken waiter that leaves without acting must pass the wake on.
    One,
    /// All of them.
    All,
}

/// Why [`Park::park`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parked {
    /// Woken, or the word had moved already, or for no reason: look again.
    Awake,
    /// The deadline passed.
    TimedOut,
}

/// One of several words that a thread sleeps on.
#[derive(Debug)]
pub struct Waiting<'a, P: Park> {
    /// The place that goes with the word.
    pub point: &'a P::Point,
    /// The word.
    pub word: &'a <P::Model as MemoryModel>::U64,
    /// What it was when the thread decided to sleep.
    pub seen: u64,
}

/// The slow path of everything that blocks, as the kernel supplies it.
///
/// A value of this type is a small token (on Linux of no size); in the simulator it names the
/// simulation. Fast paths never use it.
///
/// # Example
///
/// ```
/// use res_sync::Park;
///
/// /// Half a second from now, on whatever machine this runs.
/// fn soon(machine: &impl Park) -> res_sync::Deadline {
///     res_sync::Deadline::at(machine.now() + core::time::Duration::from_millis(500))
/// }
/// ```
pub trait Park: Clone + Send + Sync + 'static {
    /// The atomics that this machine's threads share.
    type Model: MemoryModel;

    /// What names the place to sleep at besides the word: nothing on Linux, the scheduler's
    /// blockpoint id on Composite (H4). It never lies in shared memory.
    type Point: Send + Sync;

    /// Whether [`Wake::One`] wakes one. Where it is `false`, [`unpark`](Self::unpark) wakes all
    /// whatever it is told, and says `None`: then a trigger need not keep a waiter in mind who
    /// sleeps on.
    const WAKES_ONE: bool = true;

    /// The time.
    fn now(&self) -> Instant;

    /// What a word that is slept on at `point` begins with: an epoch that the machine has not seen
    /// there yet (H4). A machine that keeps the epochs of its places for ever, and uses places
    /// anew, says what is behind the last one; for all others it is 0.
    fn first_word(&self, point: &Self::Point) -> u64 {
        let _ = point;
        0
    }

    /// How many spin hints a waiter may spend on looking again before it parks; 0 on one core (H5).
    fn spin_limit(&self) -> u32;

    /// The calling thread: never 0, and no other living thread has the same.
    fn current(&self) -> u32;

    /// Whether the calling thread is unwinding from a panic.
    fn unwinding(&self) -> bool;

    /// Sleeps while `word` is `seen`, until [`unpark`](Self::unpark) on the same point and word,
    /// or the deadline. May return for no reason.
    fn park(
        &self,
        point: &Self::Point,
        word: &<Self::Model as MemoryModel>::U64,
        seen: u64,
        deadline: Deadline,
    ) -> Parked;

    /// Wakes those parked on the point and word, whose new value is `moved`. Returns how many
    /// were woken, or `None` where the machine cannot say (then [`Wake::All`] is what it did).
    fn unpark(
        &self,
        point: &Self::Point,
        word: &<Self::Model as MemoryModel>::U64,
        moved: u64,
        wake: Wake,
    ) -> Option<u32>;

    /// Sleeps while each word is what was seen of it, until an [`unpark`](Self::unpark) on one of
    /// them, or the deadline. Says which that was, if there was one and the machine knows. May
    /// return for no reason: a machine that cannot sleep on that many sleeps on the first, for a
    /// millisecond at most, which is what this does.
    fn park_any(&self, waits: &[Waiting<'_, Self>], deadline: Deadline) -> Option<usize> {
        let Waiting { point, word, seen } = waits.first()?;
        let nap = Deadline::at(self.now() + NAP);
        let (Parked::Awake | Parked::TimedOut) = self.park(point, word, *seen, deadline.min(nap));
        None
    }

    /// Sleeps until then, whatever is triggered. For who has been woken too often (H12).
    ///
    /// It parks at `point`, on a word that nobody else has. A machine that knows its sleepers by
    /// the place alone has to do something else.
    fn nap(&self, point: &Self::Point, until: Deadline) {
        let own = <Self::Model as MemoryModel>::U64::new(0);
        while !until.passed(self.now()) {
            let (Parked::Awake | Parked::TimedOut) = self.park(point, &own, 0, until);
        }
    }

    /// The sleeper's half of the store-load barrier (H3): afterwards, what any thread of the
    /// connection did before its own [`light_barrier`](MemoryModel::light_barrier) is visible
    /// here, or what this thread did before is visible behind that light barrier.
    fn heavy_barrier(&self, barrier: Barrier);
}
