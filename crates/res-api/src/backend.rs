//! The root of the family: a supplier of every resource.

use core::time::Duration;

use crate::{
    AnyCap, BackendError, Barrier, Blockpoint, CastError, CastReason, Comp, Component, Deadline,
    Desc, Endowment, Ends, EndsIn, Entry, EvtGrp, FromCap, Instant, Kind, Map, Mapped, Mem,
    Message, Name, Part, Receiver, Refused, Sender, SharedMem, Source, Thread, ThreadId, Timer,
};

/// A thread, or what went wrong, with memory and body.
pub type ThreadIn<B, F> =
    Result<<B as Backend>::Thread, Refused<(<B as Backend>::Mem, F), <B as Backend>::Error>>;

/// A supplier of every resource: a small token, and inside a component that component's authority.
///
/// A component is written over `B: Backend` and needs no other bound; which backend it is decides
/// who composes the system.
///
/// # Example
///
/// ```
/// use res_api::{Backend, Deadline, Env, Fault, Kind, Receiver, Rx, Sender, Slot, Tx};
///
/// /// Passes numbers on, doubled; over any kind of channel, on any backend.
/// fn double<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
///     let mut from = env.take(Slot::<Rx<K, u64>>::new("from"))?;
///     let mut to = env.take(Slot::<Tx<K, u64>>::new("to"))?;
///     while let Ok(n) = from.recv() {
///         to.send(2 * n)?;
///     }
///     Ok(())
/// }
/// # use res_api::Name;
/// # use backend_local::Local;
/// # use chan_impls::Spsc;
/// # let system = Local::new()?;
/// # let ((mut tx, from), (to, mut rx)) = (system.chan::<Spsc, u64>(1)?, system.chan::<Spsc, u64>(1)?);
/// # let double = system.component(const { Name::new("double") }, double::<Local, Spsc>)?;
/// # double.endow(Slot::<Rx<Spsc, u64>>::new("from"), from)?;
/// # double.endow(Slot::<Tx<Spsc, u64>>::new("to"), to)?;
/// # double.start()?;
/// # tx.send(21)?;
/// # assert_eq!(rx.recv()?, 42);
/// # Ok::<(), Fault>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a backend",
    label = "not a `Backend`",
    note = "a component is generic over its backend: write `<B: Backend>` and take `Env<B>`"
)]
pub trait Backend: Clone + Send + Sync + 'static {
    /// What can go wrong.
    type Error: BackendError;
    /// The atomics of the machine.
    type Model: Mapped;
    /// Its capabilities.
    type Cap: AnyCap<Mem = Self::SharedMem, Blockpoint = Self::Blockpoint>;
    /// Private memory.
    type Mem: Mem<Shared = Self::SharedMem>;
    /// Shared memory.
    type SharedMem: SharedMem<Error = Self::Error, Private = Self::Mem, Map = Self::Map>
        + FromCap<Self::Cap>;
    /// A view of shared memory.
    type Map: Map<Model = Self::Model>;
    /// What everything that blocks, blocks on.
    type Blockpoint: Blockpoint + Source<Self::Blockpoint>;
    /// Timers.
    type Timer: Timer + Source<Self::Blockpoint> + Send;
    /// Event groups.
    type EvtGrp: EvtGrp<Self::Blockpoint, Error = Self::Error> + Send + Sync;
    /// The sending end of a channel of capabilities.
    type CapSnd: Sender<Msg = Self::Cap> + Source<Self::Blockpoint> + FromCap<Self::Cap> + Send;
    /// The receiving end of a channel of capabilities.
    type CapRcv: Receiver<Msg = Self::Cap> + Source<Self::Blockpoint> + FromCap<Self::Cap> + Send;
    /// Threads.
    type Thread: Thread<Error = Self::Error> + Source<Self::Blockpoint> + Send;
    /// Components.
    type Component: Component<Self::Cap, Error = Self::Error> + Source<Self::Blockpoint> + Send;

    /// The time.
    fn now(&self) -> Instant;

    /// The calling thread.
    fn current(&self) -> ThreadId;

    /// Lets another thread run; the named one, where the machine can.
    fn yield_to(&self, thread: Option<ThreadId>);

    /// Does nothing until then.
    fn sleep(&self, until: Instant);

    /// This backend, for making things of which a part is to be sent over that channel of capabilities:
    /// ends that are made, sent and used up all the time, as an answer to each request is.
    ///
    /// Where components are isolated, its memory is such as whoever receives there has as well, and is
    /// used again for the next when both have let go: so what is made in it can be sent without asking
    /// anybody. It works wherever else it goes, but not for longer than the components that have been
    /// given any of it: when one of them ends, all in that memory is over.
    ///
    /// ```
    /// use chan_impls::ZeroCopy;
    /// use res_api::{Backend, IntoCap, Sender};
    ///
    /// let system = backend_local::Local::new()?;
    /// let (mut over, _there) = system.chanchan(4)?;
    /// let (page, _pages) = system.making_for(&over).chan::<ZeroCopy, [u8; 4096]>(2)?;
    /// over.send(page.into_cap())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    fn making_for(&self, over: &Self::CapSnd) -> Self {
        let _ = over;
        self.clone()
    }

    /// Private memory of at least that many bytes, all 0.
    ///
    /// # Errors
    ///
    /// `Invalid` for 0 bytes, `NoMemory`.
    fn mem(&self, bytes: u64) -> Result<Self::Mem, Self::Error>;

    /// A blockpoint with that barrier between its sides; `None`: what the backend agreed on.
    ///
    /// # Errors
    ///
    /// `NoSlots`, `NoMemory`; `Invalid` for a barrier that the machine does not have.
    fn blockpoint_with(&self, barrier: Option<Barrier>) -> Result<Self::Blockpoint, Self::Error>;

    /// A timer that expires first at `first`, and then, if it has a period, again and again.
    ///
    /// # Errors
    ///
    /// `Invalid` for a period of 0; `NoSlots`, `NoMemory`.
    fn timer(&self, first: Instant, period: Option<Duration>) -> Result<Self::Timer, Self::Error>;

    /// An event group for at most `capacity` sources.
    ///
    /// # Errors
    ///
    /// `Invalid` for 0; `NoSlots`, `NoMemory`.
    fn evtgrp(&self, capacity: u32) -> Result<Self::EvtGrp, Self::Error>;

    /// A channel of capabilities; the pair is a [`ChanChan`](crate::ChanChan).
    ///
    /// # Errors
    ///
    /// `Invalid` for capacity 0 or one that overflows; `NoSlots`, `NoMemory`.
    fn chanchan(&self, capacity: u32) -> Result<(Self::CapSnd, Self::CapRcv), Self::Error>;

    /// A thread that will run `body`, which is kept in `memory`.
    ///
    /// # Errors
    ///
    /// `NoMemory` where the memory is too small for the body; `NoSlots` where the machine has no
    /// thread left. Memory and body come back.
    fn thread_in<F: FnOnce() + Send + 'static>(
        &self,
        memory: Self::Mem,
        body: F,
    ) -> ThreadIn<Self, F>;

    /// A component that is not started yet. Users call [`component`](Self::component).
    ///
    /// # Errors
    ///
    /// `NoSlots`, `NoMemory`.
    fn new_component<E: Entry<Self>>(
        &self,
        name: Name,
        entry: E,
    ) -> Result<Self::Component, Self::Error>;

    /// Calls `each` with everything that this component was endowed with and has not taken.
    fn endowments(&self, each: &mut dyn FnMut(Name, Desc));

    /// Takes an endowment. Components call [`Env::take`](crate::Env::take).
    ///
    /// # Errors
    ///
    /// `NotFound`.
    fn take_endowment(&self, name: Name) -> Result<Self::Cap, Self::Error>;

    /// Makes a capability known to all components under a name. The name dies with this component.
    ///
    /// # Errors
    ///
    /// `Exists` if the name is taken, `Denied` if the capability may not be handed on. It comes
    /// back.
    fn publish(&self, name: Name, cap: Self::Cap) -> Result<(), Refused<Self::Cap, Self::Error>>;

    /// What was published under a name. Memory, files, and sending ends of channels of capabilities
    /// are shared with everybody who asks; any other end goes to the first.
    ///
    /// # Errors
    ///
    /// `NotFound`; `Denied` for a name that this component may not look up; `NoSlots`, `NoMemory`: it
    /// has as much as it may have.
    fn lookup(&self, name: Name) -> Result<Self::Cap, Self::Error>;

    /// Makes a capability of parts. For authors of kinds. `from` is the capability that it is
    /// derived from, if any: rights are at most those of it.
    ///
    /// # Errors
    ///
    /// `NoSlots`, `NoMemory`.
    fn bundle(
        &self,
        desc: Desc,
        from: Option<&Self::Cap>,
        parts: impl IntoIterator<Item = Part<Self::Cap>>,
    ) -> Result<Self::Cap, Self::Error>;

    /// A blockpoint.
    ///
    /// # Errors
    ///
    /// `NoSlots`, `NoMemory`.
    fn blockpoint(&self) -> Result<Self::Blockpoint, Self::Error> {
        self.blockpoint_with(None)
    }

    /// Lets another thread run.
    fn yield_now(&self) {
        self.yield_to(None);
    }

    /// The point in time that comes after that span.
    fn after(&self, span: Duration) -> Instant {
        self.now() + span
    }

    /// The deadline that passes after that span.
    fn within(&self, span: Duration) -> Deadline {
        Deadline::at(self.after(span))
    }

    /// A channel of kind `K` for messages `T`. The pair is a [`Chan`](crate::Chan).
    ///
    /// # Errors
    ///
    /// `Invalid` for capacity 0 or a size that overflows; `NoSlots`, `NoMemory`.
    fn chan<K: Kind<Self>, T: Message>(
        &self,
        capacity: u32,
    ) -> Result<Ends<Self, K, T>, Self::Error> {
        self.chan_with::<K, T>(capacity, &K::Attr::default())
    }

    /// The same with attributes.
    ///
    /// # Errors
    ///
    /// As [`chan`](Self::chan).
    fn chan_with<K: Kind<Self>, T: Message>(
        &self,
        capacity: u32,
        attr: &K::Attr,
    ) -> Result<Ends<Self, K, T>, Self::Error> {
        let bytes = K::bytes::<T>(capacity, attr).ok_or(crate::ErrorKind::Invalid)?;
        let memory = self.mem(bytes)?;
        K::create_in::<T>(self, memory, capacity, attr).map_err(|refused| refused.error)
    }

    /// The same, where an end of it is to be sent over that channel of capabilities: made
    /// [for that](Self::making_for).
    ///
    /// ```
    /// use backend_local::Local;
    /// use chan_impls::Spsc;
    /// use res_api::{Backend, IntoCap, Receiver, Sender, Tx};
    ///
    /// let system = Local::new()?;
    /// let (mut over, mut there) = system.chanchan(4)?;
    /// let (answer, mut answered) = system.chan_for::<Spsc, u64>(&over, 1)?;
    /// over.send(answer.into_cap())?;
    /// system.cast::<Tx<Spsc, u64>>(there.recv()?)?.send(42)?;
    /// assert_eq!(answered.recv()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`chan`](Self::chan).
    fn chan_for<K: Kind<Self>, T: Message>(
        &self,
        over: &Self::CapSnd,
        capacity: u32,
    ) -> Result<Ends<Self, K, T>, Self::Error> {
        self.making_for(over).chan::<K, T>(capacity)
    }

    /// The same in memory that the caller brings (R23).
    ///
    /// # Errors
    ///
    /// As [`chan`](Self::chan); `NoMemory` also where the memory is too small. It comes back.
    fn chan_in<K: Kind<Self>, T: Message>(
        &self,
        memory: Self::Mem,
        capacity: u32,
        attr: &K::Attr,
    ) -> EndsIn<Self, K, T> {
        K::create_in::<T>(self, memory, capacity, attr)
    }

    /// What a capability is, with the type checked: direction, data or capabilities, kind, message.
    /// `D` is what a slot would hold: `Rx<Spsc, u64>`, `CapTx`, `Memory`, ...
    ///
    /// ```
    /// use backend_local::Local;
    /// use chan_impls::Spsc;
    /// use res_api::{Backend, IntoCap, Rx, Tx};
    ///
    /// let system = Local::new()?;
    /// let (tx, _rx) = system.chan::<Spsc, u64>(1)?;
    /// let wrong = system.cast::<Rx<Spsc, u64>>(tx.into_cap()).unwrap_err();
    /// assert!(system.cast::<Tx<Spsc, u64>>(wrong.cap).is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The capability itself, with the reason.
    fn cast<D: Endowment<Self>>(&self, cap: Self::Cap) -> Result<D::Handle, CastError<Self::Cap>> {
        if let Some(gone) = cap.gone() {
            return Err(CastError::new(cap, CastReason::Gone(gone)));
        }
        match D::accepts(&cap.desc()) {
            Ok(()) => D::from_cap(cap),
            Err(reason) => Err(CastError::new(cap, reason)),
        }
    }

    /// A thread that will run `body`; start it with [`Thread::start`].
    ///
    /// # Errors
    ///
    /// `NoSlots`, `NoMemory`.
    fn thread<F: FnOnce() + Send + 'static>(&self, body: F) -> Result<Self::Thread, Self::Error> {
        let memory = self.mem((size_of::<F>() as u64).max(1))?;
        self.thread_in(memory, body).map_err(|refused| refused.error)
    }

    /// A component that will run `entry`: endow it, then start it.
    ///
    /// # Errors
    ///
    /// `NoSlots`, `NoMemory`.
    fn component<E: Entry<Self>>(&self, name: Name, entry: E) -> Result<Comp<Self>, Self::Error> {
        Ok(Comp::new(self.clone(), self.new_component(name, entry)?))
    }
}

/// A backend all of whose components share one address space, so that a borrowed view of another's
/// message is sound.
///
/// # Safety
///
/// No component of the system is isolated from another: memory of a capability is reached only by
/// the code of this process, which keeps the rules of [`AnyCap::mem`].
///
/// # Example
///
/// ```
/// use res_api::OneSpace;
///
/// fn only_where_loans_can_be_borrowed<B: OneSpace>(_: &B) {}
/// # only_where_loans_can_be_borrowed(&backend_local::Local::new().unwrap());
/// ```
pub unsafe trait OneSpace: Backend {}
