//! The backend itself.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use res_api::{
    Backend, Barrier, Deadline, Desc, Entry, ErrorKind, Exit, FromCap, Instant, Name, Part,
    Refused, Rights, Role, Side, ThreadId,
};
use res_kernel::Kernel;

use crate::blockpoint::Blockpoint;
use crate::cap::{Cap, LocalPart, Shared};
use crate::chanchan::{CapQueue, CapRcv, CapSnd};
use crate::component::{Component, ComponentObject};
use crate::error::LocalError;
use crate::evtgrp::Group;
use crate::mem::{Map, Mem, SharedMem};
use crate::names::Node;
use crate::outside::Outside;
use crate::policy::Policy;
use crate::system::{Reach, Ref, SystemRef};
use crate::thread::Thread;
use crate::timer::Timer;

#[cfg(feature = "alloc")]
use crate::policy::Dynamic;
#[cfg(feature = "linux")]
use res_kernel::Linux;

/// A system in one address space: `P` says where its memory comes from, `K` what machine is below.
///
/// A value of this type is a token: inside a component it is that component's authority, and the
/// one that was made first is the composing program's. When all tokens and all things made with
/// them are gone, so is the system.
///
/// ```
/// use backend_local::Local;
/// use chan_impls::Spsc;
/// use res_api::{Backend, Receiver, Sender};
///
/// let system = Local::new()?;
/// let (mut tx, mut rx) = system.chan::<Spsc, u64>(4)?;
/// tx.send(42)?;
/// assert_eq!(rx.recv()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "linux")]
pub struct Local<P: Policy = Dynamic, K: Kernel = Linux> {
    component: Ref<ComponentObject<K>, K>,
    policy: PhantomData<fn() -> P>,
}

/// A system in one address space: `P` says where its memory comes from, `K` what machine is below.
///
/// A value of this type is a token: inside a component it is that component's authority, and the
/// one that was made first is the composing program's.
#[cfg(not(feature = "linux"))]
pub struct Local<P: Policy, K: Kernel> {
    component: Ref<ComponentObject<K>, K>,
    policy: PhantomData<fn() -> P>,
}

impl<P: Policy, K: Kernel> Clone for Local<P, K> {
    fn clone(&self) -> Self {
        Self { component: self.component.clone(), policy: PhantomData }
    }
}

impl<P: Policy, K: Kernel> fmt::Debug for Local<P, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Local(component {})", self.component.id())
    }
}

impl<P: Policy, K: Kernel> Local<P, K> {
    /// A system of memory from `policy` on `kernel`, with `threads` workers (0: made on demand).
    pub(crate) fn make(
        kernel: K,
        policy: P,
        threads: Option<u32>,
        reach: Option<Reach<K>>,
    ) -> Result<Self, LocalError> {
        let system = SystemRef::new(kernel, policy, reach)?;
        if let Some(threads) = threads {
            system.pool.fill(&system, threads)?;
        }
        Self::main_of(&system)
    }

    fn main_of(system: &SystemRef<K>) -> Result<Self, LocalError> {
        let name = Name::reserved(".main")?;
        let component = ComponentObject::create(system, name, |_| Exit::Success)?;
        Ok(Self { component, policy: PhantomData })
    }

    pub(crate) fn component(&self) -> &Ref<ComponentObject<K>, K> {
        &self.component
    }

    pub(crate) fn system(&self) -> &SystemRef<K> {
        self.component.system()
    }

    /// A point on the list of this component.
    fn point(&self, barrier: Option<Barrier>) -> Result<Blockpoint<K>, LocalError> {
        self.component.admit()?;
        let point = Blockpoint::unowned(self.system(), barrier)?;
        point.list(&self.component.points);
        if self.component.admit().is_err() {
            // Stopped meanwhile, perhaps before it was on the list.
            point.0.tell(Side::Waiters, res_api::Gone::Closed);
        }
        Ok(point)
    }

    pub(crate) fn end(
        &self,
        desc: Desc,
        from: Option<&Cap<K>>,
        parts: impl IntoIterator<Item = LocalPart<K>>,
    ) -> Result<Cap<K>, LocalError> {
        self.component.admit()?;
        let cap = Cap::bundle(self.system(), desc, from, parts.into_iter().map(Ok))?;
        self.hold(&cap);
        Ok(cap)
    }

    /// From now on the component holds it. One that was stopped is told so by whatever it gets
    /// later, too.
    pub(crate) fn hold(&self, cap: &Cap<K>) {
        cap.list(&self.component.ends);
        if self.component.admit().is_err() {
            cap.stop();
        }
    }

    /// What a pair of ends is bundled from: `carrier`, and two points.
    pub(crate) fn pair(
        &self,
        roles: [Role; 2],
        capacity: u32,
        carrier: impl Fn() -> Option<LocalPart<K>>,
    ) -> Result<([Cap<K>; 2], Blockpoint<K>, Blockpoint<K>), LocalError> {
        // The ends tell them, so they are on nobody's list.
        let data = Blockpoint::unowned(self.system(), None)?;
        let room = Blockpoint::unowned(self.system(), None)?;
        let end = |role, signal: &Blockpoint<K>, wait: &Blockpoint<K>| {
            let points = [
                LocalPart::Point(signal.clone(), Some(Side::Signallers)),
                LocalPart::Point(wait.clone(), Some(Side::Waiters)),
            ];
            let desc = Desc::plain(role, capacity.into());
            self.end(desc, None, carrier().into_iter().chain(points))
        };
        let ends = [end(roles[0], &data, &room)?, end(roles[1], &room, &data)?];
        Ok((ends, data, room))
    }
}

#[cfg(feature = "linux")]
impl Local<Dynamic, Linux> {
    /// A system on this machine, with memory of the global allocator and threads on demand.
    ///
    /// ```
    /// let system = backend_local::Local::new()?;
    /// # Ok::<(), backend_local::LocalError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NoMemory`.
    pub fn new() -> Result<Self, LocalError> {
        Self::on(Linux::new())
    }
}

#[cfg(feature = "alloc")]
impl<K: Kernel> Local<Dynamic, K> {
    /// A system on any machine, with memory of the global allocator and threads on demand.
    ///
    /// ```
    /// use backend_local::{Dynamic, Local};
    /// use res_kernel::Linux;
    ///
    /// let system = Local::<Dynamic, Linux>::on(Linux::new())?;
    /// # Ok::<(), backend_local::LocalError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NoMemory`; what the machine refuses.
    pub fn on(kernel: K) -> Result<Self, LocalError> {
        Self::make(kernel, Dynamic::new(), None, None)
    }

    /// A system that is one component of several. What there is besides it goes with it.
    ///
    /// # Errors
    ///
    /// `NoMemory`; what the machine refuses.
    pub fn within(
        kernel: K,
        outside: alloc::sync::Arc<dyn Outside<K>>,
    ) -> Result<Self, LocalError> {
        Self::make(kernel, Dynamic::new(), None, Some(Reach::Counted(outside)))
    }
}

#[cfg(feature = "linux")]
impl<P: crate::policy::OverRegion> Local<P, Linux> {
    /// A system on this machine in memory of the caller, with a pool of `threads` threads. From
    /// then on it touches no heap.
    ///
    /// ```
    /// use backend_local::{Local, Region, Static};
    ///
    /// static REGION: Region<{ 64 * 1024 }> = Region::new();
    /// let system = Local::<Static>::over(&REGION, 2)?;
    /// assert!(Local::<Static>::over(&REGION, 2).is_err(), "another system is there");
    /// # Ok::<(), backend_local::LocalError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Exists` if another system is in that memory; `NoMemory` if it is too small; what the
    /// machine refuses.
    pub fn over<const BYTES: usize>(
        region: &'static crate::Region<BYTES>,
        threads: u32,
    ) -> Result<Self, LocalError> {
        Self::over_with(Linux::new(), region, threads, Deadline::PASSED)
    }

    /// The same, waiting for the end of the system that is in that memory: one ends when the last
    /// of its threads has let go, which is a little after it was joined.
    ///
    /// ```
    /// use backend_local::{Local, Region, Static};
    /// use res_api::Deadline;
    ///
    /// static REGION: Region<{ 64 * 1024 }> = Region::new();
    /// for _ in 0..3 {
    ///     Local::<Static>::over_by(&REGION, 1, Deadline::NEVER)?;
    /// }
    /// # Ok::<(), backend_local::LocalError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`over`](Self::over); `Exists` at the deadline.
    pub fn over_by<const BYTES: usize>(
        region: &'static crate::Region<BYTES>,
        threads: u32,
        deadline: Deadline,
    ) -> Result<Self, LocalError> {
        Self::over_with(Linux::new(), region, threads, deadline)
    }
}

/// How often a region that is taken is asked for again.
const NAP: Duration = Duration::from_micros(50);

/// Sleeps a little.
fn nap<K: Kernel>(kernel: &K) -> Result<(), LocalError> {
    kernel.nap(&kernel.point()?, Deadline::at(kernel.now() + NAP));
    Ok(())
}

impl<P: crate::policy::OverRegion, K: Kernel> Local<P, K> {
    /// A system in memory of the caller, on any machine.
    ///
    /// ```
    /// use backend_local::{AllocOnly, Local, Region};
    /// use res_api::Deadline;
    /// use res_kernel::Linux;
    ///
    /// static REGION: Region<{ 64 * 1024 }> = Region::new();
    /// let machine = Linux::new();
    /// let system = Local::<AllocOnly>::over_with(machine, &REGION, 2, Deadline::PASSED)?;
    /// # Ok::<(), backend_local::LocalError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Exists` if another system is in that memory until the deadline; `NoMemory` if it is too
    /// small; what the machine refuses.
    pub fn over_with<const BYTES: usize>(
        kernel: K,
        region: &'static crate::Region<BYTES>,
        threads: u32,
        deadline: Deadline,
    ) -> Result<Self, LocalError> {
        let policy = P::over(claim_by(&kernel, region, deadline)?);
        Self::make(kernel, policy, Some(threads), None)
    }

    /// The same for one that is one component of several. What there is besides it is told of its
    /// [end](Outside::ended), when all that was made in it is gone.
    ///
    /// # Errors
    ///
    /// As [`over_with`](Self::over_with); what `outside` says, which is asked for once the memory is
    /// there.
    pub fn over_within<const BYTES: usize>(
        kernel: K,
        region: &'static crate::Region<BYTES>,
        threads: u32,
        deadline: Deadline,
        outside: impl FnOnce() -> Result<&'static dyn Outside<K>, LocalError>,
    ) -> Result<Self, LocalError> {
        let policy = P::over(claim_by(&kernel, region, deadline)?);
        let reach = Reach::Static(outside()?);
        Self::make(kernel, policy, Some(threads), Some(reach))
    }
}

/// The memory of a region, when the system that is in it has ended.
fn claim_by<K: Kernel, const BYTES: usize>(
    kernel: &K,
    region: &'static crate::Region<BYTES>,
    deadline: Deadline,
) -> Result<crate::policy::Claim, LocalError> {
    loop {
        match region.claim() {
            Some(claim) => return Ok(claim),
            None if deadline.passed(kernel.now()) => return Err(ErrorKind::Exists.into()),
            None => nap(kernel)?,
        }
    }
}

/// Runs an entry with the authority of a component.
fn enter<P: Policy, K: Kernel, E: Entry<Local<P, K>>>(
    component: Ref<ComponentObject<K>, K>,
) -> Exit {
    // SAFETY: `new_component` was given such a value, which has no size (it checks that) and is
    // `Copy`: another one of it is no bytes.
    let entry: E = unsafe { core::ptr::NonNull::dangling().read() };
    entry.run(Local { component, policy: PhantomData })
}

impl<P: Policy, K: Kernel> Backend for Local<P, K> {
    type Error = LocalError;
    type Model = K::Model;
    type Cap = Cap<K>;
    type Mem = Mem<K>;
    type SharedMem = SharedMem<K>;
    type Map = Map<K>;
    type Blockpoint = Blockpoint<K>;
    type Timer = Timer<K>;
    type EvtGrp = Group<K>;
    type CapSnd = CapSnd<P, K>;
    type CapRcv = CapRcv<P, K>;
    type Thread = Thread<K>;
    type Component = Component<K>;

    fn now(&self) -> Instant {
        self.system().kernel.now()
    }

    fn current(&self) -> ThreadId {
        ThreadId(self.system().kernel.current())
    }

    fn yield_to(&self, thread: Option<ThreadId>) {
        self.system().kernel.yield_to(thread.map(|thread| thread.0));
    }

    fn sleep(&self, until: Instant) {
        use res_api::Blockpoint as _;
        // A point of its own that nobody triggers; without one there is nothing but yielding.
        match self.point(None) {
            Ok(point) => drop(point.wait_until(until.into(), || None::<()>)),
            Err(_) => {
                while self.now() < until {
                    self.yield_to(None);
                }
            }
        }
    }

    fn mem(&self, bytes: u64) -> Result<Mem<K>, LocalError> {
        self.mem_over(bytes, 0)
    }

    fn blockpoint_with(&self, barrier: Option<Barrier>) -> Result<Blockpoint<K>, LocalError> {
        self.point(barrier)
    }

    fn timer(&self, first: Instant, period: Option<Duration>) -> Result<Timer<K>, LocalError> {
        if period == Some(Duration::ZERO) {
            return Err(ErrorKind::Invalid.into());
        }
        Ok(Timer::new(self.point(None)?, first, period))
    }

    fn evtgrp(&self, capacity: u32) -> Result<Group<K>, LocalError> {
        Group::new(self.system(), self.point(None)?, capacity)
    }

    fn chanchan(&self, capacity: u32) -> Result<(CapSnd<P, K>, CapRcv<P, K>), LocalError> {
        let queue = CapQueue::new(self.system(), capacity)?;
        let carrier = || Some(LocalPart::Queue(queue.clone()));
        let roles = [Role::CapSnd, Role::CapRcv];
        let ([snd, rcv], ..) = self.pair(roles, capacity, carrier)?;
        let tx = CapSnd::<P, K>::attach(snd).map_err(|error| error.reason.kind())?;
        let rx = CapRcv::<P, K>::attach(rcv).map_err(|error| error.reason.kind())?;
        Ok((tx, rx))
    }

    fn thread_in<F: FnOnce() + Send + 'static>(
        &self,
        memory: Mem<K>,
        body: F,
    ) -> Result<Thread<K>, Refused<(Mem<K>, F), LocalError>> {
        match self.component.admit() {
            Ok(()) => Thread::new(&self.component, memory, body),
            Err(error) => Err(Refused { value: (memory, body), error }),
        }
    }

    fn new_component<E: Entry<Self>>(&self, name: Name, _: E) -> Result<Component<K>, LocalError> {
        const {
            assert!(
                size_of::<E>() == 0,
                "the entry of a component captures variables: give it what it needs as endowments"
            )
        };
        self.component.admit()?;
        Ok(Component(ComponentObject::create(self.system(), name, enter::<P, K, E>)?))
    }

    fn endowments(&self, each: &mut dyn FnMut(Name, Desc)) {
        self.component.endowments.lock().each(each);
    }

    fn take_endowment(&self, name: Name) -> Result<Cap<K>, LocalError> {
        let cap = self.component.endowments.lock().take(name).ok_or(ErrorKind::NotFound)?;
        self.hold(&cap);
        Ok(cap)
    }

    fn publish(&self, name: Name, cap: Cap<K>) -> Result<(), Refused<Cap<K>, LocalError>> {
        use res_api::AnyCap as _;
        if !cap.rights().contains(Rights::TRANSFER) {
            return Err(Refused::new(cap, ErrorKind::Denied));
        }
        if !cap.is_of(self.system()) {
            return Err(Refused::new(cap, ErrorKind::Invalid));
        }
        let node = self
            .component
            .admit()
            .and_then(|()| Node::create(self.system(), name, self.component.id()));
        let node = match node {
            Ok(node) => node,
            Err(error) => return Err(Refused { value: cap, error }),
        };
        cap.unlist();
        let inserted = self.system().lists().insert(node, cap);
        inserted.inspect_err(|refused| refused.value.list(&self.component.ends))
    }

    fn lookup(&self, name: Name) -> Result<Cap<K>, LocalError> {
        self.component.admit()?;
        let shared = self.system().lists().share(name).ok_or(ErrorKind::NotFound)?;
        match shared {
            Shared::Cap(cap) => {
                self.hold(&cap);
                Ok(cap)
            }
            Shared::Sender { desc, rights, queue, points: [signal, wait] } => {
                let parts = [
                    LocalPart::Queue(queue),
                    LocalPart::Point(signal, Some(Side::Signallers)),
                    LocalPart::Point(wait, Some(Side::Waiters)),
                ];
                let mut cap = self.end(desc, None, parts)?;
                res_api::AnyCap::narrow(&mut cap, rights);
                Ok(cap)
            }
        }
    }

    fn bundle(
        &self,
        desc: Desc,
        from: Option<&Cap<K>>,
        parts: impl IntoIterator<Item = Part<Cap<K>>>,
    ) -> Result<Cap<K>, LocalError> {
        self.end(desc, from, parts.into_iter().map(Cap::part))
    }
}

#[cfg(feature = "linux")]
impl<P: Policy> res_api::Files for Local<P, Linux> {
    type File = crate::file::File<Linux>;
}

// SAFETY: all components are threads of one process.
unsafe impl<P: Policy, K: Kernel> res_api::OneSpace for Local<P, K> {}
