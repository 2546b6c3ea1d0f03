//! The backend itself.

use core::fmt;
use core::time::Duration;

use backend_local::distant::{DistantRcv, DistantSnd};
use backend_local::{
    Blockpoint, Cap, Group, Local, LocalError, Map, Mem, Region, SharedMem, Static, Thread, Timer,
};
use res_api::{
    AnyCap, Backend, Barrier, Deadline, Desc, Entry, ErrorKind, Exit, Gone, Instant, Name, Part,
    Refused, Rights, Role, Source, SourceKind, ThreadId, WaitError,
};
use res_kernel::Composite;
use res_kernel::composite::interface::memmgr::BufferId;

use super::ask::Ask;
use super::link::{Inbox, Link};

/// A component of a system of isolated ones, on Composite.
///
/// A value of this type is a token, the component's authority. Whatever it makes can be given to other
/// components: so each channel, and each memory that is shared, takes a page at least, of which the
/// manager knows. What is only for the component itself is made by a plain
/// [`Local`](backend_local::Local).
///
/// ```no_run
/// use backend_local::Region;
/// use backend_sinv::composite::Sinv;
/// use chan_impls::Spsc;
/// use res_api::{Backend, Deadline, Fault, IntoCap, Name, Rx, Sender};
/// use res_kernel::Composite;
///
/// static REGION: Region<{ 64 * 1024 }> = Region::new();
///
/// fn talk() -> Result<(), Fault> {
///     let machine = Composite::boot(4, 16)?;
///     let own = Sinv::attach(machine, &REGION, 3, Deadline::PASSED)?;
///     let (mut tx, rx) = own.chan::<Spsc, u64>(8)?;
///     // Another component looks it up: `own.cast::<Rx<Spsc, u64>>(own.lookup(name)?)?`.
///     own.publish(const { Name::new("numbers") }, rx.into_cap()).map_err(|refused| refused.error)?;
///     Ok(tx.send(42)?)
/// }
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Sinv {
    local: Local<Static, Composite>,
    link: &'static Link,
}

impl fmt::Debug for Sinv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sinv")
    }
}

/// Components at run time are what there is none of here.
#[derive(Debug)]
pub enum NoComponent {}

impl Sinv {
    /// Makes this component one of the system, with its own memory in the region and `threads`
    /// threads of the machine's pool. Where one has ended whose last things are still about to go, it
    /// waits for that until the deadline. It ends when all of its tokens are gone, and all that was
    /// made with them; then its names are free again.
    ///
    /// The composer has connected the interface `sinv` of this component with the manager. A thread
    /// that uses the backend is less than 14 invocations deep, and not in the manager.
    ///
    /// # Errors
    ///
    /// `Exists` if there is another one in this component, or in that region until the deadline;
    /// `NoSlots` if the system has too many components, or there are not so many threads; `NoMemory`.
    pub fn attach<const BYTES: usize>(
        machine: Composite,
        region: &'static Region<BYTES>,
        threads: u32,
        deadline: Deadline,
    ) -> Result<Self, LocalError> {
        let mut link = None;
        let local = Local::over_within(machine, region, threads, deadline, || {
            let attached = Link::attach(machine)?;
            link = Some(attached);
            Ok(attached)
        })?;
        Ok(Self { local, link: link.ok_or(ErrorKind::Other)? })
    }
}

impl Backend for Sinv {
    type Error = LocalError;
    type Model = <Composite as res_sync::Park>::Model;
    type Cap = Cap<Composite>;
    type Mem = Mem<Composite>;
    type SharedMem = SharedMem<Composite>;
    type Map = Map<Composite>;
    type Blockpoint = Blockpoint<Composite>;
    type Timer = Timer<Composite>;
    type EvtGrp = Group<Composite>;
    type CapSnd = DistantSnd<Self, Composite>;
    type CapRcv = DistantRcv<Self, Composite>;
    type Thread = Thread<Composite>;
    type Component = NoComponent;

    fn now(&self) -> Instant {
        self.local.now()
    }

    fn current(&self) -> ThreadId {
        self.local.current()
    }

    fn yield_to(&self, thread: Option<ThreadId>) {
        self.local.yield_to(thread);
    }

    fn sleep(&self, until: Instant) {
        self.local.sleep(until);
    }

    fn mem(&self, bytes: u64) -> Result<Mem<Composite>, LocalError> {
        self.local.mem(bytes)
    }

    fn blockpoint_with(&self, barrier: Option<Barrier>) -> Result<Self::Blockpoint, LocalError> {
        self.local.blockpoint_with(barrier)
    }

    fn timer(&self, first: Instant, period: Option<Duration>) -> Result<Self::Timer, LocalError> {
        self.local.timer(first, period)
    }

    fn evtgrp(&self, capacity: u32) -> Result<Self::EvtGrp, LocalError> {
        self.local.evtgrp(capacity)
    }

    fn chanchan(&self, capacity: u32) -> Result<(Self::CapSnd, Self::CapRcv), LocalError> {
        self.local.admit()?;
        let [queue, object, buffer] = self.link.ask(Ask::Queue(capacity))?;
        let made = match self.link.open(buffer as BufferId) {
            Ok(memory) => self.local.distant_pair(queue, capacity, object, memory),
            Err(error) => {
                self.link.say(Ask::Forget(object));
                Err(error.into())
            }
        };
        made.inspect_err(|_| {
            for role in [Role::CapSnd, Role::CapRcv] {
                self.link.say(Ask::LeftQueue(queue, role, Gone::Closed));
            }
        })
    }

    fn thread_in<F: FnOnce() + Send + 'static>(
        &self,
        memory: Self::Mem,
        body: F,
    ) -> Result<Self::Thread, Refused<(Self::Mem, F), LocalError>> {
        self.local.thread_in(memory, body)
    }

    /// `NoSlots`: components are there from boot.
    fn new_component<E: Entry<Self>>(&self, _: Name, _: E) -> Result<NoComponent, LocalError> {
        Err(ErrorKind::NoSlots.into())
    }

    /// None: nobody has made this component.
    fn endowments(&self, _: &mut dyn FnMut(Name, Desc)) {}

    /// `NotFound`: nobody has made this component.
    fn take_endowment(&self, _: Name) -> Result<Self::Cap, LocalError> {
        Err(ErrorKind::NotFound.into())
    }

    fn publish(&self, name: Name, cap: Self::Cap) -> Result<(), Refused<Self::Cap, LocalError>> {
        if !cap.rights().contains(Rights::TRANSFER) {
            return Err(Refused::new(cap, ErrorKind::Denied));
        }
        match self.link.publish(name, &cap) {
            Ok(()) => {
                cap.sent();
                Ok(())
            }
            Err(kind) => Err(Refused::new(cap, kind)),
        }
    }

    fn lookup(&self, name: Name) -> Result<Self::Cap, LocalError> {
        let mut inbox = Inbox::of(&self.local.unpacker())?;
        self.link.lookup(name, &mut inbox)?;
        let parcel = inbox.parcel().ok_or(ErrorKind::Misbehaved)?;
        self.local.unpack(&parcel, inbox.contents(self.link))
    }

    fn bundle(
        &self,
        desc: Desc,
        from: Option<&Self::Cap>,
        parts: impl IntoIterator<Item = Part<Self::Cap>>,
    ) -> Result<Self::Cap, LocalError> {
        self.local.bundle(desc, from, parts)
    }
}

impl res_api::Component<Cap<Composite>> for NoComponent {
    type Error = LocalError;

    fn name(&self) -> Name {
        match *self {}
    }

    fn endow(&self, _: Name, _: Cap<Composite>) -> Result<(), Refused<Cap<Composite>, LocalError>> {
        match *self {}
    }

    fn start(&self) -> Result<(), LocalError> {
        match *self {}
    }

    fn stop(&self) {
        match *self {}
    }

    fn wait(&self, _: Deadline) -> Result<Exit, WaitError> {
        match *self {}
    }
}

impl Source<Blockpoint<Composite>> for NoComponent {
    fn source_kind(&self) -> SourceKind {
        match *self {}
    }

    fn blockpoint(&self) -> &Blockpoint<Composite> {
        match *self {}
    }

    fn ready(&self) -> bool {
        match *self {}
    }
}
