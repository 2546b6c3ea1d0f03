//! Blockpoints: the event word, who is on which side of it, and the group that watches.

use core::fmt;
use core::sync::atomic::Ordering::{AcqRel, Relaxed};

use res_api::{
    Barrier, Deadline, ErrorKind, Gone, Instant, Side, Snapshot, Source, SourceKind, ThreadId,
    WaitError, Wake,
};
use res_kernel::Kernel;
use res_sync::model::Atomic;
use res_sync::{Budget, Event, MovableWord, Mutex, Rate};

use crate::error::LocalError;
use crate::evtgrp::Watch;
use crate::list::{Link, Linked, List};
use crate::mem::MemObject;
use crate::outside::{Outside, WordId};
use crate::system::{Ref, SystemRef, U32, U64};
use crate::timer::Timing;
use crate::vain::Vain;

/// What a blockpoint is a handle to.
///
/// The word is loaded by every trigger and written only when somebody sleeps or watches; the rest
/// of the line is as good as constant.
#[repr(C)]
pub(crate) struct Point<K: Kernel> {
    word: MovableWord<K::Model>,
    barrier: Barrier,
    kernel: K,
    place: K::Point,
    /// Ends that wait on it.
    waiters: U32<K>,
    /// Ends that signal it.
    signallers: U32<K>,
    watch: Mutex<K, Option<Watch<K>>>,
    /// Where the word lies, if it is not here.
    home: Mutex<K, Option<Home<K>>>,
    pub(crate) timing: Timing<K>,
    /// How often somebody elsewhere has had a group here told of it.
    marks: U64<K>,
    /// Until when the group is not told of it, in nanoseconds, since that was for nothing; 0: it is.
    vain_until: U64<K>,
    link: Link<Self>,
    system: SystemRef<K>,
}

/// What another component has to know of a word.
pub(crate) struct Whereabouts {
    pub(crate) word: WordId,
    pub(crate) barrier: Barrier,
    /// Another end of the same side stays here.
    pub(crate) kept: bool,
    /// An end of the other side is here.
    pub(crate) peer_here: bool,
}

/// A place in memory that other components know.
struct Home<K: Kernel> {
    memory: Ref<MemObject<K>, K>,
    word: WordId,
    /// An end that uses it has come from elsewhere, or gone there.
    travelled: bool,
    /// Ends of the same side are elsewhere, too: only outside is it known who leaves last.
    shared: bool,
    /// How often others may still wake those here, or have a group told, for nothing.
    vain: Budget,
    /// What a group here is told for nothing.
    told: Vain,
}

impl<K: Kernel> Home<K> {
    fn new(memory: &Ref<MemObject<K>, K>, word: WordId) -> Self {
        let memory = memory.clone();
        Self {
            memory,
            word,
            travelled: false,
            shared: false,
            vain: Budget::new(),
            told: Vain::default(),
        }
    }
}

impl<K: Kernel> Linked for Point<K> {
    fn link(&self) -> &Link<Self> {
        &self.link
    }
}

impl<K: Kernel> Point<K> {
    fn new(system: &SystemRef<K>, barrier: Barrier) -> Result<Self, LocalError> {
        let kernel = &system.kernel;
        let place = kernel.point()?;
        Ok(Self {
            word: MovableWord::new(kernel.first_word(&place)),
            barrier,
            kernel: kernel.clone(),
            place,
            waiters: Atomic::new(0),
            signallers: Atomic::new(0),
            watch: Mutex::new(kernel.clone(), kernel.point()?, barrier, None),
            home: Mutex::new(kernel.clone(), kernel.point()?, barrier, None),
            timing: Timing::new(),
            marks: Atomic::new(0),
            vain_until: Atomic::new(0),
            link: Link::new(),
            system: system.clone(),
        })
    }

    #[inline(always)]
    pub(crate) fn event(&self) -> Event<'_, K> {
        Event {
            park: &self.kernel,
            point: &self.place,
            word: self.word.get(),
            barrier: self.barrier,
        }
    }

    /// What one wait does about wake-ups for nothing (H12): until when not to listen. Where only this
    /// component can wake it, it always listens. The first one is for free: a peer that announces a
    /// message which has been found already keeps to the rules, and reading the clock takes time.
    fn vain(&self) -> impl FnMut() -> Option<Instant> {
        let mut first = true;
        move || {
            if core::mem::take(&mut first) {
                return None;
            }
            let mut home = self.home.lock();
            let home = home.as_mut().filter(|home| home.travelled)?;
            home.vain.spend(self.kernel.now(), Rate::VAIN)
        }
    }

    /// Its end finds nothing, and has found so much: if the group was told for nothing too often, it
    /// is not for a while (H12).
    fn finds_no_more(&self, found: u64) {
        // Relaxed: a count, of which a late one is as good.
        let told = self.marks.load(Relaxed);
        // Where only this component can tell the group, it always does.
        if told == 0 {
            return;
        }
        let mut home = self.home.lock();
        let Some(home) = home.as_mut().filter(|home| home.travelled) else { return };
        if home.told.is_told_for_nothing(found, told)
            && let Some(until) = home.vain.spend(self.kernel.now(), Rate::VAIN)
        {
            // Relaxed: who sees it late tells the group once more.
            self.vain_until.store(until.as_nanos(), Relaxed);
        }
    }

    fn holders(&self, side: Side) -> &U32<K> {
        match side {
            Side::Waiters => &self.waiters,
            Side::Signallers => &self.signallers,
        }
    }

    /// One more end on that side.
    pub(crate) fn join(&self, side: Side) {
        self.holders(side).fetch_add(1, AcqRel);
    }

    /// One end less on that side; the last one tells the other side why.
    pub(crate) fn leave(&self, side: Side, why: Gone) {
        // AcqRel: the last one sees what the others of its side did before.
        if self.holders(side).fetch_add(u32::MAX, AcqRel) != 1 {
            return;
        }
        let (travelled, shared) = match &*self.home.lock() {
            Some(home) => (home.travelled, home.shared),
            None => (false, false),
        };
        if !shared {
            self.tell(side.other(), why);
        }
        match self.outside().filter(|_| travelled) {
            Some((outside, word)) if shared => outside.lost(word, side, why),
            Some((outside, word)) => outside.left(word, side, why),
            None => {}
        }
    }

    /// Where the word is known outside of this component.
    fn outside(&self) -> Option<(&dyn Outside<K>, WordId)> {
        let outside = self.system.outside()?;
        let word = self.home.lock().as_ref().map(|home| home.word)?;
        Some((outside, word))
    }

    /// Moves the word into `memory`, unless it is at home somewhere already; false if there is no
    /// place left in it. Whoever has the point waits on nothing yet.
    pub(crate) fn settle(&self, memory: &Ref<MemObject<K>, K>) -> Result<bool, LocalError> {
        let mut home = self.home.lock();
        if home.is_some() {
            return Ok(true);
        }
        let Some((word, place)) = memory.next_word() else { return Ok(false) };
        if let Some(outside) = self.system.outside() {
            outside.widen(&self.place, word)?;
            self.event().begin_at(self.kernel.first_word(&self.place));
        }
        // SAFETY: the memory, which the home keeps, stays as long as the point.
        unsafe { self.word.move_to(place) };
        memory.set_point(word.offset, self);
        *home = Some(Home::new(memory, word));
        Ok(true)
    }

    /// Uses the word at that place, with the value that it has there. Nobody has the point yet.
    pub(crate) fn lie(&self, memory: &Ref<MemObject<K>, K>, offset: u32) -> Result<(), LocalError> {
        let place = memory.word_place(offset).ok_or(ErrorKind::Misbehaved)?;
        // SAFETY: the memory, which the home keeps, stays as long as the point.
        unsafe { self.word.join(place) };
        let word = WordId { object: memory.id(), offset };
        *self.home.lock() = Some(Home::new(memory, word));
        Ok(())
    }

    /// An end of that side goes elsewhere: here it leaves without a word. A group that watches here
    /// loses its source.
    pub(crate) fn depart(&self, side: Side) {
        let kept = self.holders(side).fetch_add(u32::MAX, AcqRel) > 1;
        if let Some(home) = &mut *self.home.lock() {
            home.travelled = true;
            home.shared |= kept;
        }
        if side == Side::Waiters {
            let watch = self.watch.lock().take();
            if watch.is_some() {
                self.unwatch();
            }
        }
    }

    /// Where the word is, how many ends of that side are here, and whether one of the other is.
    pub(crate) fn whereabouts(&self, side: Option<Side>) -> Option<Whereabouts> {
        let word = self.home.lock().as_ref().map(|home| home.word)?;
        let here = |side: Side| self.holders(side).fetch_add(0, AcqRel);
        Some(Whereabouts {
            word,
            barrier: self.barrier,
            kept: side.is_some_and(|side| here(side) > 1),
            peer_here: side.is_some_and(|side| here(side.other()) > 0),
        })
    }

    /// Announces that a group watches.
    pub(crate) fn begin_watch(&self, this: &Ref<Self, K>) -> Result<(), LocalError> {
        if let Some((outside, word)) = self.outside() {
            let bell = outside.watch(word, &Blockpoint(this.clone()))?;
            if let Some(home) = &*self.home.lock() {
                home.memory.set_bell(word.offset, bell);
            }
        }
        self.event().watch(true);
        Ok(())
    }

    /// Takes that back.
    pub(crate) fn unwatch(&self) {
        self.event().watch(false);
        if let Some((outside, word)) = self.outside() {
            outside.unwatch(word);
        }
    }

    pub(crate) fn tell(&self, side: Side, why: Gone) {
        if self.event().tell(side, why) {
            self.notify_group();
        }
    }

    /// Marks the source as pending in the group that watches.
    #[cold]
    fn notify_group(&self) {
        match self.watcher() {
            Some(watch) => watch.mark(),
            None => self.ring(),
        }
    }

    /// The group is in another component: rings the bell that it listens to.
    fn ring(&self) {
        let Some(outside) = self.system.outside() else { return };
        let bell = self.home.lock().as_ref().map(|home| {
            let bell = home.memory.bell(home.word.offset);
            (home.word, bell)
        });
        if let Some((word, bell)) = bell {
            outside.ring(word, bell);
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.kernel.now()
    }

    #[inline(always)]
    pub(crate) fn trigger(&self, wake: Wake) -> Option<Gone> {
        match self.event().somebody() {
            None => None,
            Some(word) => self.trigger_from(word, wake),
        }
    }

    #[cold]
    #[inline(never)]
    fn trigger_from(&self, word: u64, wake: Wake) -> Option<Gone> {
        let triggered = self.event().trigger_from(word, wake);
        if triggered.watched {
            self.notify_group();
        }
        triggered.gone
    }

    /// The group that watches; at most one.
    pub(crate) fn watch(&self) -> &Mutex<K, Option<Watch<K>>> {
        &self.watch
    }

    /// The same, as a copy: a group wakes others, which is not done under the lock.
    pub(crate) fn watcher(&self) -> Option<Watch<K>> {
        self.watch.lock().clone()
    }
}

impl<K: Kernel> Drop for Point<K> {
    fn drop(&mut self) {
        if let Some(Home { memory, word, .. }) = self.home.lock().take() {
            memory.forget_point(word.offset, self);
        }
        let _lists = self.system.lists();
        // SAFETY: under the lock.
        unsafe { List::unlink(self) };
    }
}

/// A blockpoint of a local system.
///
/// ```
/// use backend_local::Local;
/// use res_api::{Backend, Blockpoint, Deadline, Wake};
///
/// let system = Local::new()?;
/// let changed = system.blockpoint()?;
/// let checkpoint = changed.checkpoint();
/// changed.trigger(Wake::All);
/// assert!(checkpoint.wait(Deadline::NEVER).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Blockpoint<K: Kernel>(pub(crate) Ref<Point<K>, K>);

impl<K: Kernel> Blockpoint<K> {
    /// A point that belongs to nobody: for what a component cannot hold (its own end).
    pub(crate) fn unowned(
        system: &SystemRef<K>,
        barrier: Option<Barrier>,
    ) -> Result<Self, LocalError> {
        let barrier = match (barrier, system.barrier) {
            (Some(Barrier::Asymmetric), Barrier::Fence) => {
                return Err(ErrorKind::Invalid.into());
            }
            (chosen, agreed) => chosen.unwrap_or(agreed),
        };
        Ok(Self(system.create(Point::new(system, barrier)?)?))
    }

    /// The unowned point of an end, which comes once: with a fence whoever tells it does a little
    /// more then, and with the other barrier each wait for it would interrupt the other cores.
    pub(crate) fn of_an_end(system: &SystemRef<K>) -> Result<Self, LocalError> {
        Self::unowned(system, Some(Barrier::Fence))
    }

    /// The point of a word in memory that came from another component.
    pub(crate) fn of_word(
        memory: &Ref<MemObject<K>, K>,
        offset: u32,
        barrier: Barrier,
        shared: bool,
    ) -> Result<Self, LocalError> {
        let system = memory.system();
        if !memory.is_writable() {
            return Err(ErrorKind::Misbehaved.into());
        }
        let barrier = match (barrier, system.barrier) {
            (Barrier::Asymmetric, Barrier::Fence) => return Err(ErrorKind::Invalid.into()),
            (agreed, _) => agreed,
        };
        let point = memory.point_or(offset, || {
            let point = Point::new(system, barrier)?;
            if let Some(outside) = system.outside() {
                outside.widen(&point.place, WordId { object: memory.id(), offset })?;
            }
            point.lie(memory, offset)?;
            system.create(point)
        })?;
        if let Some(home) = &mut *point.home.lock() {
            home.travelled = true;
            home.shared |= shared;
        }
        Ok(Self(point))
    }

    /// Marks the source as pending in the group that watches here, if one does: somebody rang its
    /// bell. For backends that stand on this one.
    pub fn mark(&self) {
        // Relaxed: see `finds_no_more`.
        self.0.marks.fetch_add(1, Relaxed);
        if let Some(watch) = self.0.watcher() {
            watch.mark();
        }
    }

    /// Until when it is not to be marked, since that was for nothing too often (H12). For backends that
    /// stand on this one.
    pub fn vain_until(&self) -> Option<Instant> {
        // Relaxed: see `finds_no_more`.
        let until = self.0.vain_until.load(Relaxed);
        (until != 0 && self.0.kernel.now().as_nanos() < until).then(|| Instant::from_nanos(until))
    }

    /// Whoever waits for the group that watches here, if one does, does so anew. For backends that
    /// stand on this one.
    pub fn rearm(&self) {
        if let Some(watch) = self.0.watcher() {
            watch.rearm();
        }
    }

    /// Tells its waiters for good, as when what it stands for has ended. For backends that stand
    /// on this one.
    pub fn conclude(&self, gone: Gone) {
        self.0.tell(Side::Waiters, gone);
    }

    /// Puts it on the list of what a component has, so that stopping the component wakes it.
    pub(crate) fn list(&self, of: &List<Point<K>>) {
        let _lists = self.0.system().lists();
        // SAFETY: under the lock; the last handle takes it off before it goes away.
        unsafe {
            List::unlink(self.0.as_ptr());
            of.push(self.0.as_ptr());
        }
    }

    /// Takes it off the list of the component that made it.
    pub(crate) fn unlist(&self) {
        let _lists = self.0.system().lists();
        // SAFETY: under the lock.
        unsafe { List::unlink(self.0.as_ptr()) };
    }
}

impl<K: Kernel> Clone for Blockpoint<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Kernel> fmt::Debug for Blockpoint<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Blockpoint").field(&self.0.event()).finish()
    }
}

impl<K: Kernel> res_api::Blockpoint for Blockpoint<K> {
    #[inline(always)]
    fn trigger(&self, wake: Wake) -> Option<Gone> {
        self.0.trigger(wake)
    }

    #[inline]
    fn spin<R>(&self, look: impl FnMut() -> Option<R>) -> Option<R> {
        self.0.event().spin(look)
    }

    fn sleep_until<R>(
        &self,
        deadline: Deadline,
        look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        self.0.event().sleep_warily(deadline, look, self.0.vain())
    }

    fn nap(&self, until: Deadline) {
        self.0.kernel.nap(&self.0.place, until);
    }

    fn now(&self) -> Instant {
        self.0.kernel.now()
    }

    fn armed(&self) -> bool {
        self.0.event().armed()
    }

    fn told(&self, side: Side) -> Option<Gone> {
        self.0.event().told(side)
    }

    fn tell(&self, side: Side, gone: Gone) {
        self.0.tell(side, gone);
    }

    fn snapshot(&self) -> Snapshot {
        self.0.event().snapshot()
    }

    fn idle(&self, seen: Snapshot, found: Option<u64>) -> Option<Gone> {
        let gone = seen.gone();
        // A source whose other side is gone stays ready: each look says why.
        if seen.watched()
            && gone.is_none()
            && let Some(watch) = self.0.watcher()
        {
            watch.idle(|| self.0.event().unmoved_since(seen));
            if let Some(found) = found {
                self.0.finds_no_more(found);
            }
        }
        gone
    }

    fn arm(&self) -> Snapshot {
        self.0.event().checkpoint()
    }

    fn park(
        &self,
        armed: Snapshot,
        _dependency: Option<ThreadId>,
        deadline: Deadline,
    ) -> Result<(), WaitError> {
        // Linux has no priority inheritance for this (a futex with it would be another word), the
        // other kernels neither: the dependency stays a hint.
        self.0.event().wait_warily(armed, deadline, self.0.vain())
    }
}

impl<K: Kernel> Source<Self> for Blockpoint<K> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Blockpoint
    }

    fn blockpoint(&self) -> &Self {
        self
    }

    /// A trigger leaves nothing behind; only being told is a state.
    fn ready(&self) -> bool {
        self.0.event().told(Side::Waiters).is_some()
    }
}
