//! A backend that wraps another, whose pieces can be broken one by one.
//!
//! It changes blockpoints, so it wraps everything that has one.

use std::marker::PhantomData;
use std::time::Duration;

use backend_local::{Local, LocalError};
use res_api::{
    AnyCap, Backend, Barrier, Blockpoint, CastError, CastReason, Component, Deadline, Desc, Entry,
    Event, EvtGrp, Exit, FromCap, Gone, Instant, IntoCap, Mem, Name, Part, Receiver, RecvError,
    Refused, Rights, SendError, Sender, SharedMem, Side, Snapshot, Source, SourceKind, Stats,
    Thread, ThreadId, ThreadIn, ThreadParam, Timer, Trigger, TryRecvError, TrySendError, WaitError,
    Wake,
};

/// What is broken.
pub(crate) trait Mutation: Copy + Send + Sync + 'static {
    /// A trigger between checkpoint and wait does not move the epoch that the waiter sleeps on.
    const EPOCH_NOT_MOVED: bool = false;
    /// `wait_until` does not look again after it has armed.
    const NO_RECHECK: bool = false;
    /// Who sleeps is not woken by a close.
    const CLOSE_WITHOUT_WAKE: bool = false;
    /// Waits do not end at their deadline.
    const DEADLINE_IGNORED: bool = false;
    /// Of several events at once one is reported.
    const EVENTS_LOST: bool = false;
    /// A level-triggered source is reported once.
    const LEVEL_NOT_REARMED: bool = false;
    /// Going idle does not compare the epoch of the snapshot.
    const IDLE_WITHOUT_EPOCH: bool = false;
    /// A capability that is received allows everything.
    const RIGHTS_WIDENED: bool = false;
    /// What is in transit when the receiver leaves does not close.
    const LEAKED_IN_TRANSIT: bool = false;
}

type P = Local;

/// The backend.
pub(crate) struct Wrap<M>(P, PhantomData<M>);

impl<M> Wrap<M> {
    pub(crate) fn new() -> Self {
        Self(Local::new().expect("a system"), PhantomData)
    }
}

impl<M> Clone for Wrap<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

pub(crate) struct Point<M>(<P as Backend>::Blockpoint, PhantomData<M>);

impl<M> Clone for Point<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

fn point<M>(of: &<P as Backend>::Blockpoint) -> Point<M> {
    Point(of.clone(), PhantomData)
}

impl<M: Mutation> Point<M> {
    fn deadline(deadline: Deadline) -> Deadline {
        if M::DEADLINE_IGNORED { Deadline::NEVER } else { deadline }
    }

    /// Sleeps through everything.
    fn sleep_through(&self, deadline: Deadline) -> WaitError {
        while !deadline.passed(self.0.now()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        WaitError::TimedOut
    }
}

impl<M: Mutation> Blockpoint for Point<M> {
    fn trigger(&self, wake: Wake) -> Option<Gone> {
        self.0.trigger(wake)
    }

    fn spin<R>(&self, _: impl FnMut() -> Option<R>) -> Option<R> {
        None
    }

    fn sleep_until<R>(
        &self,
        deadline: Deadline,
        mut look: impl FnMut() -> Option<R>,
    ) -> Result<R, WaitError> {
        loop {
            let armed = self.arm();
            if !M::NO_RECHECK
                && let Some(found) = look()
            {
                return Ok(found);
            }
            if let Err(why) = self.park(armed, None, deadline) {
                return look().ok_or(why);
            }
            if let Some(found) = look() {
                return Ok(found);
            }
        }
    }

    fn nap(&self, until: Deadline) {
        self.0.nap(until);
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn armed(&self) -> bool {
        self.0.armed()
    }

    fn told(&self, side: Side) -> Option<Gone> {
        self.0.told(side)
    }

    fn tell(&self, side: Side, gone: Gone) {
        self.0.tell(side, gone);
    }

    fn snapshot(&self) -> Snapshot {
        self.0.snapshot()
    }

    fn idle(&self, seen: Snapshot, found: Option<u64>) -> Option<Gone> {
        self.0.idle(if M::IDLE_WITHOUT_EPOCH { self.0.snapshot() } else { seen }, found)
    }

    fn arm(&self) -> Snapshot {
        self.0.arm()
    }

    fn park(
        &self,
        armed: Snapshot,
        dependency: Option<ThreadId>,
        deadline: Deadline,
    ) -> Result<(), WaitError> {
        // Armed anew, so whatever has come since the checkpoint is as if it had moved nothing.
        let armed = if M::EPOCH_NOT_MOVED { self.0.arm() } else { armed };
        match self.0.park(armed, dependency, Self::deadline(deadline)) {
            Err(WaitError::Gone(_)) if M::CLOSE_WITHOUT_WAKE => Err(self.sleep_through(deadline)),
            result => result,
        }
    }
}

impl<M: Mutation> Source<Point<M>> for Point<M> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Blockpoint
    }

    fn blockpoint(&self) -> &Self {
        self
    }

    fn ready(&self) -> bool {
        self.0.ready()
    }
}

/// Something of the parent with its blockpoint, wrapped.
pub(crate) struct With<T, M> {
    inner: T,
    point: Point<M>,
}

impl<T: Source<<P as Backend>::Blockpoint>, M> With<T, M> {
    fn new(inner: T) -> Self {
        let point = point(inner.blockpoint());
        Self { inner, point }
    }
}

impl<T: Source<<P as Backend>::Blockpoint>, M: Mutation> Source<Point<M>> for With<T, M> {
    fn source_kind(&self) -> SourceKind {
        self.inner.source_kind()
    }

    fn blockpoint(&self) -> &Point<M> {
        &self.point
    }

    fn ready(&self) -> bool {
        self.inner.ready()
    }
}

impl<T: Timer, M> Timer for With<T, M> {
    fn set(&self, first: Instant, period: Option<Duration>) {
        self.inner.set(first, period);
    }

    fn cancel(&self) {
        self.inner.cancel();
    }

    fn expirations(&self) -> u64 {
        self.inner.expirations()
    }

    fn wait(&self, deadline: Deadline) -> Result<u64, WaitError> {
        self.inner.wait(deadline)
    }
}

impl<T: Thread<Error = LocalError>, M> Thread for With<T, M> {
    type Error = LocalError;

    fn id(&self) -> ThreadId {
        self.inner.id()
    }

    fn set(&self, param: ThreadParam) -> Result<(), LocalError> {
        self.inner.set(param)
    }

    fn start(&self) -> Result<(), LocalError> {
        self.inner.start()
    }

    fn join(&self, deadline: Deadline) -> Result<Exit, WaitError> {
        self.inner.join(deadline)
    }
}

impl<T: Component<<P as Backend>::Cap, Error = LocalError>, M> Component<Cap<M>> for With<T, M> {
    type Error = LocalError;

    fn name(&self) -> Name {
        self.inner.name()
    }

    fn endow(&self, name: Name, cap: Cap<M>) -> Result<(), Refused<Cap<M>, LocalError>> {
        self.inner.endow(name, cap.0).map_err(refused)
    }

    fn start(&self) -> Result<(), LocalError> {
        self.inner.start()
    }

    fn stop(&self) {
        self.inner.stop();
    }

    fn wait(&self, deadline: Deadline) -> Result<Exit, WaitError> {
        self.inner.wait(deadline)
    }
}

/// A source of ours, as the parent's group wants it.
struct Inner<'a, M>(&'a dyn Source<Point<M>>);

impl<M> Source<<P as Backend>::Blockpoint> for Inner<'_, M> {
    fn source_kind(&self) -> SourceKind {
        self.0.source_kind()
    }

    fn blockpoint(&self) -> &<P as Backend>::Blockpoint {
        &self.0.blockpoint().0
    }

    fn ready(&self) -> bool {
        self.0.ready()
    }
}

pub(crate) struct Group<M>(<P as Backend>::EvtGrp, PhantomData<M>);

impl<M: Mutation> EvtGrp<Point<M>> for Group<M> {
    type Error = LocalError;
    type Registration =
        <<P as Backend>::EvtGrp as EvtGrp<<P as Backend>::Blockpoint>>::Registration;

    fn add(
        &self,
        source: &dyn Source<Point<M>>,
        trigger: Trigger,
        data: u64,
    ) -> Result<Self::Registration, LocalError> {
        let trigger = if M::LEVEL_NOT_REARMED { Trigger::Edge } else { trigger };
        self.0.add(&Inner(source), trigger, data)
    }

    fn wait(&self, deadline: Deadline) -> Result<Event, WaitError> {
        let event = self.0.wait(Point::<M>::deadline(deadline))?;
        if M::EVENTS_LOST {
            // Whatever came together with it.
            for _ in 0..8 {
                let _ = self.0.wait(Deadline::PASSED);
            }
        }
        Ok(event)
    }

    fn close(&self) {
        self.0.close();
    }

    fn gone(&self) -> Option<Gone> {
        self.0.gone()
    }

    fn capacity(&self) -> u32 {
        self.0.capacity()
    }
}

/// A capability, and what it allows beyond what it should.
pub(crate) struct Cap<M>(<P as Backend>::Cap, Rights, PhantomData<M>);

fn cap<M>(of: <P as Backend>::Cap) -> Cap<M> {
    Cap(of, Rights::empty(), PhantomData)
}

fn refused<M>(of: Refused<<P as Backend>::Cap, LocalError>) -> Refused<Cap<M>, LocalError> {
    Refused { value: cap(of.value), error: of.error }
}

impl<M: Mutation> AnyCap for Cap<M> {
    type Mem = Shared<M>;
    type Blockpoint = Point<M>;

    fn desc(&self) -> Desc {
        self.0.desc()
    }

    fn rights(&self) -> Rights {
        self.0.rights() | self.1
    }

    fn narrow(&mut self, rights: Rights) {
        self.0.narrow(rights);
        self.1 &= rights;
    }

    fn gone(&self) -> Option<Gone> {
        self.0.gone()
    }

    unsafe fn mem(&self, index: u32) -> Option<Shared<M>> {
        // SAFETY: the caller's promise, handed on.
        unsafe { self.0.mem(index) }.map(|memory| Shared(memory, PhantomData))
    }

    fn blockpoint(&self, index: u32) -> Option<Point<M>> {
        self.0.blockpoint(index).as_ref().map(point)
    }

    fn end(&self, index: u32) -> Option<Self> {
        self.0.end(index).map(cap)
    }

    fn state(&self) -> u64 {
        self.0.state()
    }

    fn set_state(&mut self, state: u64) {
        self.0.set_state(state);
    }
}

pub(crate) struct Private<M>(<P as Backend>::Mem, PhantomData<M>);
pub(crate) struct Shared<M>(<P as Backend>::SharedMem, PhantomData<M>);

impl<M: Mutation> Mem for Private<M> {
    type Shared = Shared<M>;

    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }

    fn share(self) -> Shared<M> {
        Shared(self.0.share(), PhantomData)
    }
}

impl<M: Mutation> SharedMem for Shared<M> {
    type Error = LocalError;
    type Private = Private<M>;
    type Map = <P as Backend>::Map;

    fn len(&self) -> u64 {
        self.0.len()
    }

    fn rights(&self) -> Rights {
        self.0.rights()
    }

    fn alias(&self, rights: Rights) -> Result<Self, LocalError> {
        Ok(Self(self.0.alias(rights)?, PhantomData))
    }

    fn unshare(self) -> Result<Private<M>, Self> {
        match self.0.unshare() {
            Ok(private) => Ok(Private(private, PhantomData)),
            Err(shared) => Err(Self(shared, PhantomData)),
        }
    }

    fn map(&self, rights: Rights) -> Result<Self::Map, LocalError> {
        self.0.map(rights)
    }
}

fn cast_error<M>(error: CastError<<P as Backend>::Cap>) -> CastError<Cap<M>> {
    CastError::new(cap(error.cap), error.reason)
}

impl<M: Mutation> IntoCap<Cap<M>> for Shared<M> {
    fn into_cap(self) -> Cap<M> {
        cap(self.0.into_cap())
    }
}

impl<M: Mutation> FromCap<Cap<M>> for Shared<M> {
    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        <<P as Backend>::SharedMem as FromCap<_>>::accepts(desc)
    }

    fn attach(cap: Cap<M>) -> Result<Self, CastError<Cap<M>>> {
        match FromCap::attach(cap.0) {
            Ok(memory) => Ok(Self(memory, PhantomData)),
            Err(error) => Err(cast_error(error)),
        }
    }
}

/// An end of a channel of capabilities; `None` only while it is taken apart.
pub(crate) struct CapEnd<T, M: Mutation, const RECEIVES: bool>(Option<T>, Point<M>, fn(&mut T));

impl<T: Source<<P as Backend>::Blockpoint>, M: Mutation, const RECEIVES: bool>
    CapEnd<T, M, RECEIVES>
{
    fn new(end: T, leave: fn(&mut T)) -> Self {
        let point = point(end.blockpoint());
        Self(Some(end), point, leave)
    }
}

impl<T, M: Mutation, const RECEIVES: bool> CapEnd<T, M, RECEIVES> {
    fn end(&self) -> &T {
        self.0.as_ref().expect("it is there until it is taken apart")
    }

    fn end_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("it is there until it is taken apart")
    }
}

impl<T, M: Mutation, const RECEIVES: bool> Drop for CapEnd<T, M, RECEIVES> {
    fn drop(&mut self) {
        if M::LEAKED_IN_TRANSIT
            && let Some(end) = &mut self.0
        {
            (self.2)(end);
        }
    }
}

impl<T: Source<<P as Backend>::Blockpoint>, M: Mutation, const RECEIVES: bool> Source<Point<M>>
    for CapEnd<T, M, RECEIVES>
{
    fn source_kind(&self) -> SourceKind {
        self.end().source_kind()
    }

    fn blockpoint(&self) -> &Point<M> {
        &self.1
    }

    fn ready(&self) -> bool {
        self.end().ready()
    }
}

impl<M: Mutation> Sender for CapEnd<<P as Backend>::CapSnd, M, false> {
    type Msg = Cap<M>;

    fn try_send(&mut self, message: Cap<M>) -> Result<(), TrySendError<Cap<M>>> {
        self.end_mut().try_send(message.0).map_err(|error| match error {
            TrySendError::Full(back) => TrySendError::Full(cap(back)),
            TrySendError::Gone(back, gone) => TrySendError::Gone(cap(back), gone),
            TrySendError::Refused(back, kind) => TrySendError::Refused(cap(back), kind),
        })
    }

    fn send_until(&mut self, message: Cap<M>, by: Deadline) -> Result<(), SendError<Cap<M>>> {
        self.end_mut().send_until(message.0, by).map_err(|error| match error {
            SendError::TimedOut(back) => SendError::TimedOut(cap(back)),
            SendError::Gone(back, gone) => SendError::Gone(cap(back), gone),
            SendError::Refused(back, kind) => SendError::Refused(cap(back), kind),
        })
    }

    fn capacity(&self) -> u32 {
        self.end().capacity()
    }

    fn len(&self) -> u32 {
        self.end().len()
    }

    fn gone(&self) -> Option<Gone> {
        self.end().gone()
    }

    fn stats(&self) -> Stats {
        self.end().stats()
    }
}

fn received<M: Mutation>(of: <P as Backend>::Cap) -> Cap<M> {
    let extra = if M::RIGHTS_WIDENED { Rights::all() } else { Rights::empty() };
    Cap(of, extra, PhantomData)
}

impl<M: Mutation> Receiver for CapEnd<<P as Backend>::CapRcv, M, true> {
    type Msg = Cap<M>;

    fn try_recv(&mut self) -> Result<Cap<M>, TryRecvError> {
        self.end_mut().try_recv().map(received)
    }

    fn recv_until(&mut self, deadline: Deadline) -> Result<Cap<M>, RecvError> {
        self.end_mut().recv_until(deadline).map(received)
    }

    fn capacity(&self) -> u32 {
        self.end().capacity()
    }

    fn len(&self) -> u32 {
        self.end().len()
    }

    fn gone(&self) -> Option<Gone> {
        self.end().gone()
    }

    fn stats(&self) -> Stats {
        self.end().stats()
    }
}

/// A receiver that leaves and forgets what is queued.
fn forget_all<R: Receiver>(end: &mut R) {
    while let Ok(lost) = end.try_recv() {
        std::mem::forget(lost);
    }
}

macro_rules! cap_end {
    ($end:ident, $receives:literal, $leave:expr) => {
        impl<M: Mutation> IntoCap<Cap<M>> for CapEnd<<P as Backend>::$end, M, $receives> {
            fn into_cap(mut self) -> Cap<M> {
                cap(self.0.take().expect("it is taken apart once").into_cap())
            }
        }

        impl<M: Mutation> FromCap<Cap<M>> for CapEnd<<P as Backend>::$end, M, $receives> {
            fn accepts(desc: &Desc) -> Result<(), CastReason> {
                <<P as Backend>::$end as FromCap<_>>::accepts(desc)
            }

            fn attach(cap: Cap<M>) -> Result<Self, CastError<Cap<M>>> {
                match FromCap::attach(cap.0) {
                    Ok(end) => Ok(Self::new(end, $leave)),
                    Err(error) => Err(cast_error(error)),
                }
            }
        }
    };
}

cap_end!(CapSnd, false, |_| {});
cap_end!(CapRcv, true, forget_all);

/// The entry of a component, which wants our backend, as the parent wants it.
struct Enter<E, M>(E, PhantomData<M>);

impl<E: Copy, M> Clone for Enter<E, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: Copy, M> Copy for Enter<E, M> {}

impl<E: Entry<Wrap<M>>, M: Mutation> Entry<P> for Enter<E, M> {
    fn run(self, parent: P) -> Exit {
        self.0.run(Wrap(parent, PhantomData))
    }
}

impl<M: Mutation> Backend for Wrap<M> {
    type Error = LocalError;
    type Model = <P as Backend>::Model;
    type Cap = Cap<M>;
    type Mem = Private<M>;
    type SharedMem = Shared<M>;
    type Map = <P as Backend>::Map;
    type Blockpoint = Point<M>;
    type Timer = With<<P as Backend>::Timer, M>;
    type EvtGrp = Group<M>;
    type CapSnd = CapEnd<<P as Backend>::CapSnd, M, false>;
    type CapRcv = CapEnd<<P as Backend>::CapRcv, M, true>;
    type Thread = With<<P as Backend>::Thread, M>;
    type Component = With<<P as Backend>::Component, M>;

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn current(&self) -> ThreadId {
        self.0.current()
    }

    fn yield_to(&self, thread: Option<ThreadId>) {
        self.0.yield_to(thread);
    }

    fn sleep(&self, until: Instant) {
        self.0.sleep(until);
    }

    fn mem(&self, bytes: u64) -> Result<Private<M>, LocalError> {
        Ok(Private(self.0.mem(bytes)?, PhantomData))
    }

    fn blockpoint_with(&self, barrier: Option<Barrier>) -> Result<Point<M>, LocalError> {
        Ok(Point(self.0.blockpoint_with(barrier)?, PhantomData))
    }

    fn timer(&self, first: Instant, period: Option<Duration>) -> Result<Self::Timer, LocalError> {
        Ok(With::new(self.0.timer(first, period)?))
    }

    fn evtgrp(&self, capacity: u32) -> Result<Group<M>, LocalError> {
        Ok(Group(self.0.evtgrp(capacity)?, PhantomData))
    }

    fn chanchan(&self, capacity: u32) -> Result<(Self::CapSnd, Self::CapRcv), LocalError> {
        let (tx, rx) = self.0.chanchan(capacity)?;
        Ok((CapEnd::new(tx, |_| {}), CapEnd::new(rx, forget_all)))
    }

    fn thread_in<F: FnOnce() + Send + 'static>(
        &self,
        memory: Private<M>,
        body: F,
    ) -> ThreadIn<Self, F> {
        match self.0.thread_in(memory.0, body) {
            Ok(thread) => Ok(With::new(thread)),
            Err(Refused { value: (memory, body), error }) => {
                Err(Refused { value: (Private(memory, PhantomData), body), error })
            }
        }
    }

    fn new_component<E: Entry<Self>>(
        &self,
        name: Name,
        entry: E,
    ) -> Result<Self::Component, LocalError> {
        Ok(With::new(self.0.new_component(name, Enter(entry, PhantomData))?))
    }

    fn endowments(&self, each: &mut dyn FnMut(Name, Desc)) {
        self.0.endowments(each);
    }

    fn take_endowment(&self, name: Name) -> Result<Cap<M>, LocalError> {
        self.0.take_endowment(name).map(cap)
    }

    fn publish(&self, name: Name, cap: Cap<M>) -> Result<(), Refused<Cap<M>, LocalError>> {
        self.0.publish(name, cap.0).map_err(refused)
    }

    fn lookup(&self, name: Name) -> Result<Cap<M>, LocalError> {
        self.0.lookup(name).map(cap)
    }

    fn bundle(
        &self,
        desc: Desc,
        from: Option<&Cap<M>>,
        parts: impl IntoIterator<Item = Part<Cap<M>>>,
    ) -> Result<Cap<M>, LocalError> {
        let parts = parts.into_iter().map(|part| match part {
            Part::Mem(memory) => Part::Mem(memory.0),
            Part::Signal(point) => Part::Signal(point.0),
            Part::Wait(point) => Part::Wait(point.0),
            Part::Look(point) => Part::Look(point.0),
            Part::Own(cap) => Part::Own(cap.0),
        });
        self.0.bundle(desc, from.map(|from| &from.0), parts).map(cap)
    }
}
