//! Event groups: a pending bitmap, one bit per source, and one word to sleep on.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use res_api::{
    Deadline, ErrorKind, Event, EvtGrp, Gone, Side, Source, SourceKind, Trigger, WaitError, Wake,
};
use res_kernel::Kernel;
use res_sync::Mutex;
use res_sync::model::Atomic;

use crate::bitmap::Bitmap;
use crate::blockpoint::{Blockpoint, Point};
use crate::error::LocalError;
use crate::system::{Ref, SystemRef, U32, U64};

/// What a group is a handle to.
pub(crate) struct GroupObject<K: Kernel> {
    wake: Blockpoint<K>,
    pending: Bitmap<K>,
    slots: Slots<K>,
    /// Where the next sweep begins, so that no source starves another.
    cursor: U32<K>,
    /// A timer was set meanwhile: whoever waits has to compute its deadline anew.
    rearm: U32<K>,
    /// How many slots hold timers. Changed under the table's lock.
    timers: U32<K>,
    /// Which slots are free.
    table: Mutex<K, Table>,
}

struct Table {
    used: u32,
    /// The lowest slot that may be free.
    hint: u32,
}

/// One source: what the waiter reads of it. Written under the table's lock while free.
struct Slot<K: Kernel> {
    /// 0: free; else the kind, and whether it is level-triggered.
    state: U64<K>,
    data: U64<K>,
    /// The timer's point while its registration lives.
    timer: U64<K>,
}

const LEVEL: u64 = 1 << 32;

/// The slots, in memory of the system.
struct Slots<K: Kernel> {
    system: SystemRef<K>,
    base: NonNull<Slot<K>>,
    count: u32,
}

// SAFETY: atomics in memory that lives as long as this.
unsafe impl<K: Kernel> Send for Slots<K> {}
// SAFETY: as for `Send`.
unsafe impl<K: Kernel> Sync for Slots<K> {}

impl<K: Kernel> Slots<K> {
    fn new(system: &SystemRef<K>, count: u32) -> Result<Self, LocalError> {
        let layout = Layout::array::<Slot<K>>(count as usize).map_err(|_| ErrorKind::NoMemory)?;
        let base = system.alloc(layout).ok_or(ErrorKind::NoMemory)?.cast::<Slot<K>>();
        for index in 0..count as usize {
            let slot = Slot { state: Atomic::new(0), data: Atomic::new(0), timer: Atomic::new(0) };
            // SAFETY: within the memory, which nobody else has.
            unsafe { base.add(index).write(slot) };
        }
        Ok(Self { system: system.clone(), base, count })
    }

    fn at(&self, index: u32) -> Option<&Slot<K>> {
        // SAFETY: below the count.
        (index < self.count).then(|| unsafe { self.base.add(index as usize).as_ref() })
    }
}

impl<K: Kernel> Drop for Slots<K> {
    fn drop(&mut self) {
        for index in 0..self.count as usize {
            // SAFETY: written by `new`, and nobody uses it any more.
            unsafe { self.base.add(index).drop_in_place() };
        }
        if let Ok(layout) = Layout::array::<Slot<K>>(self.count as usize) {
            // SAFETY: it came from `alloc` with that layout.
            unsafe { self.system.free(self.base.cast(), layout) };
        }
    }
}

/// Which group watches a point, and as which source.
pub(crate) struct Watch<K: Kernel> {
    group: Ref<GroupObject<K>, K>,
    index: u32,
}

impl<K: Kernel> Clone for Watch<K> {
    fn clone(&self) -> Self {
        Self { group: self.group.clone(), index: self.index }
    }
}

impl<K: Kernel> Watch<K> {
    fn is(&self, group: &Group<K>, index: u32) -> bool {
        self.group.same(&group.0) && self.index == index
    }

    /// The source became ready.
    pub(crate) fn mark(&self) {
        self.group.pending.set(self.index);
        self.group.wake.0.trigger(Wake::All);
    }

    /// The source found nothing: takes a level-triggered one off the ready list, and puts it back
    /// if it was triggered meanwhile (H23).
    pub(crate) fn idle(&self, unmoved: impl FnOnce() -> bool) {
        let level = self.group.slots.at(self.index).map(|slot| slot.state.load(Acquire) & LEVEL);
        if level.is_some_and(|level| level != 0) {
            self.group.pending.clear(self.index);
            if !unmoved() {
                self.mark();
            }
        }
    }

    /// The timer's due time has changed.
    pub(crate) fn rearm(&self) {
        // Release: partners the swap of the waiter, which then reads the new time.
        self.group.rearm.store(1, Release);
        self.group.wake.0.trigger(Wake::All);
    }
}

/// What a look at the group found.
enum Found {
    Event(Event),
    Rearm,
}

impl<K: Kernel> GroupObject<K> {
    /// Takes the next pending event.
    fn sweep(&self) -> Option<Found> {
        // AcqRel: partners the Release of `rearm`.
        if self.rearm.load(Relaxed) != 0 && self.rearm.swap(0, AcqRel) != 0 {
            return Some(Found::Rearm);
        }
        // Bounded: each turn clears a bit that nobody owns any more, or returns.
        for _ in 0..=self.slots.count {
            let bit = self.pending.find_from(self.cursor.load(Relaxed))?;
            // Relaxed: any place to begin is right, a later one is fair.
            self.cursor.store(if bit + 1 == self.slots.count { 0 } else { bit + 1 }, Relaxed);
            let Some(slot) = self.slots.at(bit) else { continue };
            // Acquire: partners the Release of `add`, which wrote the data before.
            let state = slot.state.load(Acquire);
            let level = state & LEVEL != 0;
            if !level && !self.pending.clear(bit) {
                // Another waiter was faster.
                continue;
            }
            let Some(kind) = kind_of(state) else {
                self.pending.clear(bit);
                continue;
            };
            return Some(Found::Event(Event { kind, data: slot.data.load(Relaxed) }));
        }
        None
    }

    /// Looks until something is pending. Where sources have their signallers in other components,
    /// those ring bells.
    fn await_event(&self, deadline: Deadline) -> Result<Found, WaitError> {
        let event = self.wake.0.event();
        let Some(outside) = self.wake.0.system().outside() else {
            return event.wait_until(deadline, || self.sweep());
        };
        let mut found = None;
        let waited = outside.wait(event, deadline, &mut || {
            found = self.sweep();
            found.is_some()
        });
        found.ok_or(waited.err().unwrap_or(WaitError::TimedOut))
    }

    /// Marks the timers that are due; the time when the next one will be.
    fn fire_timers(&self) -> Deadline {
        // Acquire: partners the AcqRel of `add_timer`. A timer that is added after this wakes the
        // waiter by `rearm`.
        let mut left = self.timers.load(Acquire);
        let mut next = Deadline::NEVER;
        if left == 0 {
            return next;
        }
        let _table = self.table.lock();
        let now = self.wake.0.now();
        for index in 0..self.slots.count {
            let Some(slot) = self.slots.at(index) else { break };
            let point = slot.timer.load(Relaxed) as usize as *const Point<K>;
            if point.is_null() {
                continue;
            }
            // SAFETY: the registration, which clears this under the lock that we hold, keeps the
            // point alive. The address came from `Ref::as_ptr` and was exposed there.
            let timing =
                unsafe { &(*core::ptr::with_exposed_provenance::<Point<K>>(point.addr())).timing };
            if timing.fire(now) {
                self.pending.set(index);
            }
            next = next.min(timing.due());
            left = left.saturating_sub(1);
            if left == 0 {
                break;
            }
        }
        next
    }
}

fn kind_of(state: u64) -> Option<SourceKind> {
    Some(match state as u32 {
        1 => SourceKind::Receiver,
        2 => SourceKind::Sender,
        3 => SourceKind::Blockpoint,
        4 => SourceKind::Timer,
        5 => SourceKind::Thread,
        6 => SourceKind::Component,
        7 => SourceKind::Caller,
        8 => SourceKind::Callee,
        _ => return None,
    })
}

/// An event group of a local system.
///
/// ```
/// use backend_local::Local;
/// use res_api::{Backend, Blockpoint, Deadline, EvtGrp, Trigger, Wake};
///
/// let system = Local::new()?;
/// let group = system.evtgrp(1)?;
/// let changed = system.blockpoint()?;
/// let _registration = group.add(&changed, Trigger::Edge, 7)?;
/// changed.trigger(Wake::All);
/// assert_eq!(group.wait(Deadline::NEVER)?.data, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Group<K: Kernel>(Ref<GroupObject<K>, K>);

impl<K: Kernel> fmt::Debug for Group<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({} of {} sources)", self.0.table.lock().used, self.0.slots.count)
    }
}

impl<K: Kernel> Group<K> {
    pub(crate) fn new(
        system: &SystemRef<K>,
        wake: Blockpoint<K>,
        capacity: u32,
    ) -> Result<Self, LocalError> {
        if capacity == 0 {
            return Err(ErrorKind::Invalid.into());
        }
        let table = Table { used: 0, hint: 0 };
        let table =
            Mutex::new(system.kernel.clone(), system.kernel.point()?, system.barrier, table);
        Ok(Self(system.create(GroupObject {
            wake,
            pending: Bitmap::new(system, capacity)?,
            slots: Slots::new(system, capacity)?,
            cursor: Atomic::new(0),
            rearm: Atomic::new(0),
            timers: Atomic::new(0),
            table,
        })?))
    }

    /// A free slot, marked as used by a source of that state.
    fn claim(&self, kind: SourceKind, level: bool, data: u64) -> Result<u32, LocalError> {
        let mut table = self.0.table.lock();
        let count = self.0.slots.count;
        if table.used == count {
            return Err(ErrorKind::NoSlots.into());
        }
        let is_free =
            |index: &u32| self.0.slots.at(*index).is_some_and(|slot| slot.state.load(Relaxed) == 0);
        let index = (table.hint..count).find(is_free).ok_or(ErrorKind::NoSlots)?;
        table.hint = index + 1;
        table.used += 1;
        self.0.pending.clear(index);
        let slot = self.0.slots.at(index).ok_or(ErrorKind::NoSlots)?;
        slot.data.store(data, Relaxed);
        // Release: partners the Acquire of `sweep`.
        slot.state.store(u64::from(kind as u32) | if level { LEVEL } else { 0 }, Release);
        Ok(index)
    }

    /// Gives a slot back.
    fn vacate(&self, index: u32) {
        let mut table = self.0.table.lock();
        let Some(slot) = self.0.slots.at(index) else { return };
        if slot.timer.swap(0, Relaxed) != 0 {
            self.0.timers.fetch_add(u32::MAX, AcqRel);
        }
        slot.state.store(0, Release);
        self.0.pending.clear(index);
        table.used -= 1;
        table.hint = table.hint.min(index);
    }

    /// From now on the group fires the timer.
    fn add_timer(&self, index: u32, point: &Ref<Point<K>, K>) {
        let _table = self.0.table.lock();
        if let Some(slot) = self.0.slots.at(index) {
            slot.timer.store(point.as_ptr().expose_provenance() as u64, Relaxed);
            self.0.timers.fetch_add(1, AcqRel);
        }
    }
}

impl<K: Kernel> EvtGrp<Blockpoint<K>> for Group<K> {
    type Error = LocalError;
    type Registration = Registration<K>;

    fn add(
        &self,
        source: &dyn Source<Blockpoint<K>>,
        trigger: Trigger,
        data: u64,
    ) -> Result<Registration<K>, LocalError> {
        if let Some(gone) = self.gone() {
            return Err(ErrorKind::from(gone).into());
        }
        let point = source.blockpoint().0.clone();
        let kind = source.source_kind();
        // A blockpoint has no state to be level-triggered on.
        let level = trigger == Trigger::Level && kind != SourceKind::Blockpoint;
        let index = self.claim(kind, level, data)?;
        let watch = Watch { group: self.0.clone(), index };
        {
            let mut watching = point.watch().lock();
            if watching.is_some() {
                drop(watching);
                self.vacate(index);
                return Err(ErrorKind::Exists.into());
            }
            *watching = Some(watch.clone());
        }
        if let Err(error) = point.begin_watch(&point) {
            point.watch().lock().take();
            self.vacate(index);
            return Err(error);
        }
        if kind == SourceKind::Timer {
            self.add_timer(index, &point);
            watch.rearm();
        }
        // Behind the announcement that we watch: what came before is seen here.
        if source.ready() {
            watch.mark();
        }
        Ok(Registration { group: Self(self.0.clone()), point, index })
    }

    fn wait(&self, deadline: Deadline) -> Result<Event, WaitError> {
        loop {
            let next = self.0.fire_timers();
            match self.0.await_event(deadline.min(next)) {
                Ok(Found::Event(_)) if self.gone().is_some() => {
                    return Err(WaitError::Gone(self.gone().unwrap_or(Gone::Closed)));
                }
                Ok(Found::Event(event)) => return Ok(event),
                Ok(Found::Rearm) => {}
                // A timer is due before the deadline: it is marked at the next turn.
                Err(WaitError::TimedOut) if next < deadline => {}
                Err(why) => return Err(why),
            }
        }
    }

    fn close(&self) {
        self.0.wake.0.tell(Side::Waiters, Gone::Closed);
    }

    fn gone(&self) -> Option<Gone> {
        self.0.wake.0.event().told(Side::Waiters)
    }

    fn capacity(&self) -> u32 {
        self.0.slots.count
    }
}

/// Keeps a source in a group of a local system.
///
/// ```
/// use backend_local::Local;
/// use res_api::{Backend, EvtGrp, Trigger};
///
/// let system = Local::new()?;
/// let (group, changed) = (system.evtgrp(1)?, system.blockpoint()?);
/// let registration = group.add(&changed, Trigger::Edge, 0)?;
/// assert!(group.add(&changed, Trigger::Edge, 0).is_err(), "it is full");
/// drop(registration);
/// assert!(group.add(&changed, Trigger::Edge, 0).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Registration<K: Kernel> {
    group: Group<K>,
    point: Ref<Point<K>, K>,
    index: u32,
}

impl<K: Kernel> fmt::Debug for Registration<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registration({})", self.index)
    }
}

impl<K: Kernel> Drop for Registration<K> {
    fn drop(&mut self) {
        let mut watching = self.point.watch().lock();
        // Not so where the end has gone to another component meanwhile.
        let ours = watching.as_ref().is_some_and(|watch| watch.is(&self.group, self.index));
        let watch = if ours { watching.take() } else { None };
        drop(watching);
        if ours {
            self.point.unwatch();
        }
        self.group.vacate(self.index);
        drop(watch);
    }
}
