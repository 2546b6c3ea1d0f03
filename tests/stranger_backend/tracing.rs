//! A backend as a third party writes it, against the facade alone: it says what is asked of it,
//! and lets its parent do it.
//!
//! It changes no capability, so it reuses every associated type of its parent.

use std::marker::PhantomData;
use std::time::Duration;

use res::{Backend, Barrier, Desc, Entry, Exit, Instant, Name, Part, Refused, ThreadId, ThreadIn};

/// Where it says so. A type and no value: the entry of a component carries none.
pub(crate) trait Trace: Copy + Send + Sync + 'static {
    /// That was asked for.
    fn called(what: &'static str);
}

/// The backend `P`, traced to `T`.
#[derive(Debug)]
pub(crate) struct Tracing<P, T>(P, PhantomData<T>);

impl<P, T> Tracing<P, T> {
    /// Traces a backend.
    pub(crate) fn new(parent: P) -> Self {
        Self(parent, PhantomData)
    }
}

impl<P: Clone, T> Clone for Tracing<P, T> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

/// The entry of a component that wants our backend, as the parent wants it.
struct Enter<E, T>(E, PhantomData<T>);

impl<E: Copy, T> Clone for Enter<E, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E: Copy, T> Copy for Enter<E, T> {}

impl<P: Backend, E: Entry<Tracing<P, T>>, T: Trace> Entry<P> for Enter<E, T> {
    fn run(self, parent: P) -> Exit {
        T::called("run");
        self.0.run(Tracing::new(parent))
    }
}

impl<P: Backend, T: Trace> Backend for Tracing<P, T> {
    type Error = P::Error;
    type Model = P::Model;
    type Cap = P::Cap;
    type Mem = P::Mem;
    type SharedMem = P::SharedMem;
    type Map = P::Map;
    type Blockpoint = P::Blockpoint;
    type Timer = P::Timer;
    type EvtGrp = P::EvtGrp;
    type CapSnd = P::CapSnd;
    type CapRcv = P::CapRcv;
    type Thread = P::Thread;
    type Component = P::Component;

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
        T::called("sleep");
        self.0.sleep(until);
    }

    fn making_for(&self, over: &P::CapSnd) -> Self {
        T::called("making_for");
        Self::new(self.0.making_for(over))
    }

    fn mem(&self, bytes: u64) -> Result<P::Mem, P::Error> {
        T::called("mem");
        self.0.mem(bytes)
    }

    fn blockpoint_with(&self, barrier: Option<Barrier>) -> Result<P::Blockpoint, P::Error> {
        T::called("blockpoint");
        self.0.blockpoint_with(barrier)
    }

    fn timer(&self, first: Instant, period: Option<Duration>) -> Result<P::Timer, P::Error> {
        T::called("timer");
        self.0.timer(first, period)
    }

    fn evtgrp(&self, capacity: u32) -> Result<P::EvtGrp, P::Error> {
        T::called("evtgrp");
        self.0.evtgrp(capacity)
    }

    fn chanchan(&self, capacity: u32) -> Result<(P::CapSnd, P::CapRcv), P::Error> {
        T::called("chanchan");
        self.0.chanchan(capacity)
    }

    fn thread_in<F: FnOnce() + Send + 'static>(&self, memory: P::Mem, body: F) -> ThreadIn<P, F> {
        T::called("thread");
        self.0.thread_in(memory, body)
    }

    fn new_component<E: Entry<Self>>(
        &self,
        name: Name,
        entry: E,
    ) -> Result<P::Component, P::Error> {
        T::called("component");
        self.0.new_component(name, Enter(entry, PhantomData::<T>))
    }

    fn endowments(&self, each: &mut dyn FnMut(Name, Desc)) {
        self.0.endowments(each);
    }

    fn take_endowment(&self, name: Name) -> Result<P::Cap, P::Error> {
        T::called("take");
        self.0.take_endowment(name)
    }

    fn publish(&self, name: Name, cap: P::Cap) -> Result<(), Refused<P::Cap, P::Error>> {
        T::called("publish");
        self.0.publish(name, cap)
    }

    fn lookup(&self, name: Name) -> Result<P::Cap, P::Error> {
        T::called("lookup");
        self.0.lookup(name)
    }

    fn bundle(
        &self,
        desc: Desc,
        from: Option<&P::Cap>,
        parts: impl IntoIterator<Item = Part<P::Cap>>,
    ) -> Result<P::Cap, P::Error> {
        T::called("bundle");
        self.0.bundle(desc, from, parts)
    }
}
