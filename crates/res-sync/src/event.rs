//! The event count: the one thing that everything which blocks, blocks on.
//!
//! # The word
//!
//! | bits | meaning | set by | cleared by |
//! |---|---|---|---|
//! | 0 | somebody is subscribed (has armed, may sleep) | a waiter | the trigger that moves the epoch |
//! | 1 | an event group watches | the group | the group |
//! | 2-4 | what the waiters are told ([`Gone`]) | the backend | nobody |
//! | 5-7 | what the signallers are told ([`Gone`]) | the backend | nobody |
//! | 8-63 | the epoch | a trigger that finds bit 0 or 1, every telling | wraps after 2^56 moves |
//!
//! A machine that parks on 32 bits compares the low half: the flags and 24 bits of the epoch.
//!
//! # The rules (H1-H3)
//!
//! * A trigger makes its data visible, passes the [light barrier](MemoryModel::light_barrier) and
//!   loads the word. All of bits 0-1 and 5-7 clear: done, with one plain load.
//! * Otherwise it moves the epoch and clears bit 0 in *one* compare-and-swap, then wakes all.
//!   To wake one it keeps bit 0; if that woke nobody, it moves the epoch again while clearing
//!   bit 0, and wakes all. (Not on a machine that wakes all in any case.)
//! * A waiter arms first ([`Event::checkpoint`]: sets bit 0, passes the heavy barrier), then looks
//!   at its data, then sleeps while the epoch is that of its checkpoint.
//!
//! # Who is woken for nothing (H12)
//!
//! Whoever has mapped the word can wake those who sleep on it, and keep them from sleeping, as often
//! as it likes. So a waiter that does not trust all of them counts how often it was woken and found
//! nothing ([`Event::sleep_warily`]), and sleeps for a while without listening if that is too often.
//! What it then looks at late, it sees behind that: a message, why the other side is gone, that it is
//! to stop.

use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use crate::model::{Atomic, Barrier, MemoryModel};
use crate::{Deadline, Gone, Instant, Park, Parked, Wake};

const SUBSCRIBED: u64 = 1 << 0;
const WATCHED: u64 = 1 << 1;
const FIELD: u64 = 0b111;
const WAITERS_SHIFT: u32 = 2;
const SIGNALLERS_SHIFT: u32 = 5;
/// Where the epoch begins in the word, for machines that compare it alone.
pub const EPOCH_SHIFT: u32 = 8;
const EPOCH_ONE: u64 = 1 << EPOCH_SHIFT;
const FLAGS: u64 = EPOCH_ONE - 1;
/// What makes a trigger leave its fast path.
const COLD: u64 = SUBSCRIBED | WATCHED | FIELD << SIGNALLERS_SHIFT;

/// Spin hints between two looks, at most.
const LONGEST_PAUSE: u32 = 2;

const fn told(word: u64, side: Side) -> Option<Gone> {
    Gone::from_code((word >> side.shift() & FIELD) as u32)
}

const fn next_epoch(word: u64) -> u64 {
    word.wrapping_add(EPOCH_ONE)
}

const fn epoch(word: u64) -> u64 {
    word & !FLAGS
}

/// The two sides of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Those who wait on it.
    Waiters,
    /// Those who trigger it.
    Signallers,
}

impl Side {
    const fn shift(self) -> u32 {
        match self {
            Self::Waiters => WAITERS_SHIFT,
            Self::Signallers => SIGNALLERS_SHIFT,
        }
    }

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Waiters => Self::Signallers,
            Self::Signallers => Self::Waiters,
        }
    }
}

/// What a trigger found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triggered {
    /// What the signallers are told.
    pub gone: Option<Gone>,
    /// An event group watches: the caller has to mark the source as pending there.
    pub watched: bool,
}

impl Triggered {
    const QUIET: Self = Self { gone: None, watched: false };

    fn new(word: u64) -> Self {
        Self { gone: told(word, Side::Signallers), watched: word & WATCHED != 0 }
    }
}

/// Why a wait ended without a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitError {
    /// The deadline passed.
    TimedOut,
    /// The waiters were told so. Look once more: what was sent before is still there.
    Gone(Gone),
}

impl core::fmt::Display for WaitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the deadline passed"),
            Self::Gone(gone) => gone.fmt(f),
        }
    }
}

impl core::error::Error for WaitError {}

/// A word as it was, to compare with later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot(u64);

impl Snapshot {
    /// What the waiters had been told.
    pub const fn gone(self) -> Option<Gone> {
        told(self.0, Side::Waiters)
    }

    /// Whether a group watched.
    pub const fn watched(self) -> bool {
        self.0 & WATCHED != 0
    }
}

/// An event count: a word, the place to sleep at, the machine to ask, and the agreed barrier.
///
/// It borrows its parts, because the word may lie in shared memory while the rest must not.
///
/// ```
/// use res_sync::{Event, Park, Wake};
///
/// /// The one right way to wait.
/// fn wait_for<P: Park>(event: Event<'_, P>, ready: impl Fn() -> bool) -> bool {
///     event.wait_until(res_sync::Deadline::NEVER, || ready().then_some(())).is_ok()
/// }
/// ```
pub struct Event<'a, P: Park> {
    /// The machine.
    pub park: &'a P,
    /// Where to sleep.
    pub point: &'a P::Point,
    /// The word.
    pub word: &'a <P::Model as MemoryModel>::U64,
    /// What the connection agreed on.
    pub barrier: Barrier,
}

impl<P: Park> Clone for Event<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P: Park> Copy for Event<'_, P> {}

impl<P: Park> core::fmt::Debug for Event<'_, P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Event").field("word", self.word).field("barrier", &self.barrier).finish()
    }
}

impl<P: Park> Event<'_, P> {
    /// Announces that something has changed. Make the change visible (a Release store) before.
    ///
    /// Uncontended: the light barrier, one load, one test. A group that watches is the caller's
    /// to notify ([`Triggered::watched`]).
    #[inline(always)]
    pub fn trigger(self, wake: Wake) -> Triggered {
        match self.somebody() {
            None => Triggered::QUIET,
            Some(word) => self.trigger_from(word, wake),
        }
    }

    /// The first half of [`trigger`](Self::trigger), and all of it where nobody is subscribed,
    /// watches, or told the signallers something: then `None`. Else the word, for
    /// [`trigger_from`](Self::trigger_from).
    #[inline(always)]
    pub fn somebody(self) -> Option<u64> {
        P::Model::light_barrier(self.barrier);
        // Acquire: partners the AcqRel of `tell`, so that whoever is told why also sees what the
        // teller did before. The order after the caller's own store is the light barrier's.
        let word = self.word.load(Acquire);
        (word & COLD != 0).then_some(word)
    }

    /// The second half of [`trigger`](Self::trigger); `word` is what
    /// [`somebody`](Self::somebody) loaded.
    #[cold]
    #[inline(never)]
    pub fn trigger_from(self, mut word: u64, wake: Wake) -> Triggered {
        loop {
            if word & (SUBSCRIBED | WATCHED) == 0 {
                return Triggered::new(word);
            }
            let keep = wake == Wake::One && P::WAKES_ONE;
            let moved = next_epoch(word) & if keep { !0 } else { !SUBSCRIBED };
            // AcqRel: a waiter that loads the moved epoch (Acquire, in `wait`) sees our data.
            match self.word.compare_exchange(word, moved, AcqRel, Acquire) {
                Err(found) => word = found,
                Ok(_) => {
                    if word & SUBSCRIBED != 0 {
                        let woken = self.park.unpark(self.point, self.word, moved, wake);
                        if keep && woken == Some(0) {
                            self.wake_all();
                        }
                    }
                    return Triggered::new(moved);
                }
            }
        }
    }

    /// Moves the epoch, clears "subscribed" and wakes everybody, if anybody is subscribed.
    fn wake_all(self) {
        let mut word = self.word.load(Acquire);
        while word & SUBSCRIBED != 0 {
            let moved = next_epoch(word) & !SUBSCRIBED;
            match self.word.compare_exchange(word, moved, AcqRel, Acquire) {
                Err(found) => word = found,
                Ok(_) => {
                    self.park.unpark(self.point, self.word, moved, Wake::All);
                    return;
                }
            }
        }
    }

    /// From now on its epoch is not behind that of `first`. Nobody waits yet: for a word that goes on
    /// at another place to sleep at.
    ///
    /// ```
    /// use res_sync::event::EPOCH_SHIFT;
    /// # use core::sync::atomic::AtomicU64;
    /// # use core::sync::atomic::Ordering::Relaxed;
    /// # use res_sync::{Barrier, Event};
    /// # fn on<P: res_sync::Park<Model = res_sync::model::Core>>(park: &P, point: &P::Point) {
    /// let word = AtomicU64::new(7 << EPOCH_SHIFT);
    /// let event = Event { park, point, word: &word, barrier: Barrier::Fence };
    /// event.begin_at(3 << EPOCH_SHIFT);
    /// assert_eq!(word.load(Relaxed), 7 << EPOCH_SHIFT);
    /// event.begin_at(9 << EPOCH_SHIFT);
    /// assert_eq!(word.load(Relaxed), 9 << EPOCH_SHIFT);
    /// # }
    /// ```
    pub fn begin_at(self, first: u64) {
        let word = self.word.load(Relaxed);
        if epoch(word) < epoch(first) {
            // Relaxed: nobody else has the word; whoever gets it does so by a Release of its own.
            self.word.store(word & FLAGS | epoch(first), Relaxed);
        }
    }

    /// Moves the epoch and wakes everybody, whatever the word says: for who has proof that a thread
    /// is dead which may have moved the word and then woken nobody (H14). Nobody else would, since
    /// whoever moves the word takes it upon himself to wake.
    pub fn rouse(self) {
        let mut word = self.word.load(Acquire);
        loop {
            let moved = next_epoch(word) & !SUBSCRIBED;
            // AcqRel, as in `trigger_from`.
            match self.word.compare_exchange(word, moved, AcqRel, Acquire) {
                Err(found) => word = found,
                Ok(_) => {
                    self.park.unpark(self.point, self.word, moved, Wake::All);
                    return;
                }
            }
        }
    }

    /// Tells one side why the other is gone, moves the epoch and wakes everybody. The stronger
    /// reason stays. True where a group watches and has to be notified.
    pub fn tell(self, side: Side, gone: Gone) -> bool {
        let mut word = self.word.load(Acquire);
        loop {
            if told(word, side).is_some_and(|before| before >= gone) {
                return false;
            }
            let field = FIELD << side.shift();
            let code = u64::from(gone.code()) << side.shift();
            let moved = (next_epoch(word) & !field & !SUBSCRIBED) | code;
            // AcqRel: what the leaving side did before (its last message) is visible to whoever
            // loads the reason (Acquire).
            match self.word.compare_exchange(word, moved, AcqRel, Acquire) {
                Err(found) => word = found,
                Ok(_) => {
                    if word & SUBSCRIBED != 0 {
                        self.park.unpark(self.point, self.word, moved, Wake::All);
                    }
                    return word & WATCHED != 0;
                }
            }
        }
    }

    /// What that side has been told.
    #[inline]
    pub fn told(self, side: Side) -> Option<Gone> {
        told(self.word.load(Acquire), side)
    }

    /// Arms: from now on a trigger moves the epoch. Look at your data behind it, then
    /// [`wait`](Self::wait).
    pub fn checkpoint(self) -> Snapshot {
        let armed = self.subscribe();
        self.park.heavy_barrier(self.barrier);
        armed
    }

    /// The first half of [`checkpoint`](Self::checkpoint), for who arms several words: pass the
    /// [heavy barrier](Park::heavy_barrier) once behind the last of them, for the barriers that
    /// all of them have agreed on, before you look.
    pub fn subscribe(self) -> Snapshot {
        // AcqRel: Acquire for the reason that may be in it; Release orders nothing by itself. The
        // store-load order between this bit and the look is the heavy barrier's.
        Snapshot(self.word.fetch_or(SUBSCRIBED, AcqRel) | SUBSCRIBED)
    }

    /// What the word is, if it may still be slept on since it was `armed`; none if it was triggered
    /// or the waiters were told something.
    pub fn still(self, armed: Snapshot) -> Option<u64> {
        // Acquire: partners the AcqRel of the trigger that moved the epoch.
        let word = self.word.load(Acquire);
        let unmoved = told(word, Side::Waiters).is_none() && epoch(word) == epoch(armed.0);
        // A peer that clears the bit without moving the epoch breaks the rule; parking on that
        // value would never end, so it counts as a wake-up: arm again.
        (unmoved && word & SUBSCRIBED != 0).then_some(word)
    }

    /// Sleeps until a trigger after `armed` (from [`checkpoint`](Self::checkpoint)), a telling,
    /// or the deadline.
    ///
    /// # Errors
    ///
    /// [`WaitError::Gone`] where the waiters have been told so, [`WaitError::TimedOut`].
    pub fn wait(self, armed: Snapshot, deadline: Deadline) -> Result<(), WaitError> {
        self.wait_warily(armed, deadline, || None)
    }

    /// As [`wait`](Self::wait), and each time that it was woken although nothing has moved, it asks
    /// `vain` until when not to listen. If it did not, it returns as if it had been triggered.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_warily(
        self,
        armed: Snapshot,
        deadline: Deadline,
        mut vain: impl FnMut() -> Option<Instant>,
    ) -> Result<(), WaitError> {
        let mut woken = false;
        loop {
            let Some(word) = self.still(armed) else {
                return match self.told(Side::Waiters) {
                    Some(gone) => Err(WaitError::Gone(gone)),
                    None => Ok(()),
                };
            };
            if deadline.passed(self.park.now()) {
                return Err(WaitError::TimedOut);
            }
            if woken && self.rest(deadline, &mut vain) {
                return Ok(());
            }
            // The result is not needed: the loop looks at the word, then at the clock.
            let (Parked::Awake | Parked::TimedOut) =
                self.park.park(self.point, self.word, word, deadline);
            woken = true;
        }
    }

    /// Woken for nothing: sleeps until `vain` says, without listening. Whether it did.
    #[cold]
    #[inline(never)]
    fn rest(self, deadline: Deadline, vain: &mut impl FnMut() -> Option<Instant>) -> bool {
        let until = vain();
        if let Some(until) = until {
            self.park.nap(self.point, deadline.min(until.into()));
        }
        until.is_some()
    }

    /// Looks until there is something: at once, then spinning a little (not at all on one core),
    /// then armed, then asleep. A look that succeeds at once costs nothing else.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait), after one more look that found nothing.
    #[inline]
    pub fn wait_until<R>(
        self,
        deadline: Deadline,
        mut look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        match look().or_else(|| self.spin(&mut look)) {
            Some(found) => Ok(found),
            None => self.sleep_until(deadline, look),
        }
    }

    /// The first part of [`wait_until`](Self::wait_until): looks after a spin hint, then after
    /// two, and so on, as long as the machine allows. Nobody is asked, no clock is read.
    #[inline]
    pub fn spin<R>(self, mut look: impl FnMut() -> Option<R>) -> Option<R> {
        let (mut left, mut pause) = (self.park.spin_limit(), 1);
        while left > 0 {
            // Longer and longer: each look takes the line away from the peer that writes it, and
            // a peer that is let alone for a moment gets several items done.
            for _ in 0..pause.min(left) {
                P::Model::spin_hint();
            }
            left = left.saturating_sub(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
            let found = look();
            if found.is_some() || self.told(Side::Waiters).is_some() {
                return found;
            }
        }
        None
    }

    /// The second part of [`wait_until`](Self::wait_until): looks armed, then sleeps.
    ///
    /// # Errors
    ///
    /// As [`wait_until`](Self::wait_until).
    pub fn sleep_until<R>(
        self,
        deadline: Deadline,
        look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        self.sleep_warily(deadline, look, || None)
    }

    /// As [`sleep_until`](Self::sleep_until), and each time that it was woken and there is nothing, it
    /// asks `vain` until when not to listen. Until then it sleeps, whatever is triggered; then it
    /// looks, and goes on as before.
    ///
    /// ```
    /// use core::cell::Cell;
    /// use res_sync::{Budget, Deadline, Event, Park, Rate, WaitError};
    ///
    /// /// Waits for a peer that may trigger as often as it likes.
    /// fn hear<P: Park>(
    ///     event: Event<'_, P>,
    ///     budget: &Cell<Budget>,
    ///     look: impl FnMut() -> Option<u64>,
    /// ) -> Result<u64, WaitError> {
    ///     let vain = || {
    ///         let mut left = budget.get();
    ///         let until = left.spend(event.park.now(), Rate::VAIN);
    ///         budget.set(left);
    ///         until
    ///     };
    ///     event.sleep_warily(Deadline::NEVER, look, vain)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`wait_until`](Self::wait_until).
    pub fn sleep_warily<R>(
        self,
        deadline: Deadline,
        mut look: impl FnMut() -> Option<R>,
        mut vain: impl FnMut() -> Option<Instant>,
    ) -> Result<R, WaitError> {
        let mut woken = false;
        loop {
            let armed = self.checkpoint();
            if let Some(found) = look() {
                return Ok(found);
            }
            if woken && self.rest(deadline, &mut vain) {
                woken = false;
                if !deadline.passed(self.park.now()) {
                    continue;
                }
                // Not to be found out by waiting: whoever moves the word all the time ends each wait.
                let gone = self.told(Side::Waiters);
                return look().ok_or(gone.map_or(WaitError::TimedOut, WaitError::Gone));
            }
            match self.wait_warily(armed, deadline, &mut vain) {
                Ok(()) => woken = true,
                Err(why) => return look().ok_or(why),
            }
        }
    }

    /// Whether a trigger would find somebody: the light barrier and a load.
    pub fn armed(self) -> bool {
        P::Model::light_barrier(self.barrier);
        self.word.load(Acquire) & (SUBSCRIBED | WATCHED) != 0
    }

    /// Whether somebody has armed and was not triggered since: sleeps, as a rule. For people who
    /// look: it orders nothing.
    pub fn is_armed(self) -> bool {
        self.word.load(Acquire) & SUBSCRIBED != 0
    }

    /// The word as it is, without arming.
    pub fn snapshot(self) -> Snapshot {
        Snapshot(self.word.load(Acquire))
    }

    /// Whether the epoch is still that of `seen` (H23).
    pub fn unmoved_since(self, seen: Snapshot) -> bool {
        epoch(self.word.load(Acquire)) == epoch(seen.0)
    }

    /// Lets triggers know that a group watches (or does not any more). Behind it, look whether
    /// the source is ready already.
    pub fn watch(self, on: bool) {
        if on {
            // AcqRel and the heavy barrier: as in `checkpoint`.
            self.word.fetch_or(WATCHED, AcqRel);
            self.park.heavy_barrier(self.barrier);
        } else {
            self.word.fetch_and(!WATCHED, AcqRel);
        }
    }
}
