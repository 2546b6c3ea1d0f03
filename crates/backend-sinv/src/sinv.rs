//! The backend itself.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use backend_local::distant::{DistantRcv, DistantSnd};
use backend_local::{
    Blockpoint, Cap, Dynamic, Group, Local, LocalError, Map, Mem, SharedMem, Thread, Timer,
};
use res_api::{
    Backend, Barrier, Deadline, Desc, Entry, ErrorKind, Instant, Name, Part, Refused, ThreadId,
};
use res_kernel::{DomainEntry, Isolation, Linux, Passed, Place, Socket};

use crate::board::Board;
use crate::component::{SinvComponent, export};
use crate::inspection::Inspection;
use crate::limits::Limits;
use crate::link::{Link, open_file};
use crate::manager::{MAIN, Manager};
use crate::outside::{Beyond, World};
use crate::request::{Destination, Hello, Request, Said};
use crate::spawn::spawn;
use crate::wire::Wire;

/// A system of isolated components on the machine `K`.
///
/// A value of this type is a token: inside a component it is that component's authority, and the one
/// that was made first is the composing program's. The manager is in the composing program; when
/// that ends, so do all components.
///
/// ```
/// use backend_sinv::Sinv;
/// use chan_impls::Spsc;
/// use res_api::{Backend, Deadline, Env, Fault, Name, Receiver, Rx, Sender, Slot, Tx};
///
/// const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");
/// const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");
///
/// /// Runs in a process of its own.
/// fn double(env: Env<Sinv>) -> Result<(), Fault> {
///     let (mut from, mut to) = (env.take(FROM)?, env.take(TO)?);
///     while let Ok(n) = from.recv() {
///         to.send(2 * n)?;
///     }
///     Ok(())
/// }
///
/// let system = Sinv::new()?;
/// let ((mut tx, from), (to, mut rx)) = (system.chan::<Spsc, u64>(8)?, system.chan::<Spsc, u64>(8)?);
/// let component = system.component(const { Name::new("double") }, double)?;
/// component.endow(FROM, from)?;
/// component.endow(TO, to)?;
/// component.start()?;
/// tx.send(21)?;
/// assert_eq!(rx.recv()?, 42);
/// drop(tx);
/// component.wait(Deadline::NEVER)?.ok()?;
/// # Ok::<(), Fault>(())
/// ```
pub struct Sinv<K: Isolation = Linux> {
    pub(crate) local: Local<Dynamic, K>,
    pub(crate) world: Arc<World<K>>,
}

impl<K: Isolation> Clone for Sinv<K> {
    fn clone(&self) -> Self {
        Self { local: self.local.clone(), world: Arc::clone(&self.world) }
    }
}

impl<K: Isolation> fmt::Debug for Sinv<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sinv(component {})", self.world.link.id)
    }
}

impl Sinv<Linux> {
    /// A system on this machine.
    ///
    /// ```
    /// let system = backend_sinv::Sinv::new()?;
    /// # Ok::<(), backend_sinv::SinvError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NoMemory`, `NoSlots`.
    pub fn new() -> Result<Self, LocalError> {
        Self::on(Linux::new(), Limits::default())
    }
}

impl<K: Isolation> Sinv<K> {
    /// A system on any machine that isolates, with limits for each of its components.
    ///
    /// ```
    /// use backend_sinv::{Limits, Sinv};
    /// use res_kernel::Linux;
    ///
    /// let system = Sinv::on(Linux::new(), Limits::default())?;
    /// # Ok::<(), backend_sinv::SinvError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `NoMemory`, `NoSlots`.
    pub fn on(kernel: K, limits: Limits) -> Result<Self, LocalError> {
        let manager = Manager::new(&kernel, limits)?;
        manager.warn();
        let board = Board::new(&kernel, manager.main_board()?)?;
        let world = World::new(Link::here(&kernel, MAIN, manager))?;
        Self::join(kernel, world, board)
    }

    /// A component, which hears what the manager says.
    fn join(kernel: K, world: Arc<World<K>>, board: Board<K>) -> Result<Self, LocalError> {
        let local = Local::within(kernel.clone(), Arc::new(Beyond(Arc::clone(&world))))?;
        let hears = Arc::clone(&world);
        spawn(&kernel, move || hears.hear(board))?;
        Ok(Self { local, world })
    }

    /// Where a component begins, in a domain of its own.
    fn enter<E: Entry<Self>>(kernel: K, socket: K::Socket) {
        if let Ok(own) = Self::greeted(kernel, socket) {
            let world = Arc::clone(&own.world);
            own.local.run(|local| {
                // SAFETY: `new_component` was given such a value, which has no size (it checks
                // that) and is `Copy`: another one of it is no bytes.
                let entry: E = unsafe { core::ptr::NonNull::dangling().read() };
                entry.run(Self { local, world })
            });
        }
    }

    /// The component that the manager says this is.
    fn greeted(kernel: K, socket: K::Socket) -> Result<Self, LocalError> {
        let mut bytes = [0; 256];
        let mut places: [Place<K::Socket>; 1] = [None];
        let received = socket.recv(&mut bytes, &mut places, Deadline::NEVER)?;
        let hello = Hello::decoded(&bytes[..received.bytes]).ok_or(ErrorKind::Misbehaved)?;
        let [board] = places;
        let board = board.and_then(Passed::into_memory).ok_or(ErrorKind::NoMemory)?;
        let board = Board::new(&kernel, board)?;
        let world = World::new(Link::there(&kernel, hello.id, socket)?)?;
        let own = Self::join(kernel, world, board)?;
        own.world.own(&own.local);
        Ok(own)
    }

    /// What lives, who holds what, and who waits for what: for people who look. None in a component,
    /// which knows only of itself.
    ///
    /// ```
    /// let system = backend_sinv::Sinv::new()?;
    /// let seen = system.inspect().expect("this is the composing program");
    /// assert_eq!(seen.components.len(), 1);
    /// println!("{seen}");
    /// # Ok::<(), backend_sinv::SinvError>(())
    /// ```
    pub fn inspect(&self) -> Option<Inspection> {
        self.world.link.manager().map(|manager| manager.inspect())
    }

    /// A file of the machine, to endow a component with. Only the composing program opens files.
    ///
    /// # Errors
    ///
    /// `Denied` in a component.
    pub fn kernel_file(&self, file: K::File) -> Result<backend_local::File<K>, LocalError> {
        let manager = self.world.link.manager().ok_or(ErrorKind::Denied)?;
        let file = Arc::new(file);
        let number = manager.add_file(Arc::clone(&file));
        self.local.adopt(open_file(file, number))
    }
}

impl Sinv<Linux> {
    /// A file that this program has opened, to endow a component with.
    ///
    /// # Errors
    ///
    /// `Denied` in a component, which opens no files.
    pub fn file(&self, file: std::fs::File) -> Result<backend_local::File<Linux>, LocalError> {
        self.kernel_file(res_kernel::linux::LinuxFile::new(file))
    }
}

impl<K: Isolation> Backend for Sinv<K> {
    type Error = LocalError;
    type Model = K::Model;
    type Cap = Cap<K>;
    type Mem = Mem<K>;
    type SharedMem = SharedMem<K>;
    type Map = Map<K>;
    type Blockpoint = Blockpoint<K>;
    type Timer = Timer<K>;
    type EvtGrp = Group<K>;
    type CapSnd = DistantSnd<Self, K>;
    type CapRcv = DistantRcv<Self, K>;
    type Thread = Thread<K>;
    type Component = SinvComponent<K>;

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

    fn mem(&self, bytes: u64) -> Result<Mem<K>, LocalError> {
        self.local.mem(bytes)
    }

    fn blockpoint_with(&self, barrier: Option<Barrier>) -> Result<Blockpoint<K>, LocalError> {
        self.local.blockpoint_with(barrier)
    }

    fn timer(&self, first: Instant, period: Option<Duration>) -> Result<Timer<K>, LocalError> {
        self.local.timer(first, period)
    }

    fn evtgrp(&self, capacity: u32) -> Result<Group<K>, LocalError> {
        self.local.evtgrp(capacity)
    }

    fn chanchan(&self, capacity: u32) -> Result<(Self::CapSnd, Self::CapRcv), LocalError> {
        self.local.admit()?;
        let (queue, object, memory) = self.world.link.memory(Request::Queue(capacity))?;
        let made = self.local.distant_pair(queue, capacity, object, memory);
        made.inspect_err(|_| self.world.link.abandon_queue(queue))
    }

    fn thread_in<F: FnOnce() + Send + 'static>(
        &self,
        memory: Mem<K>,
        body: F,
    ) -> Result<Thread<K>, Refused<(Mem<K>, F), LocalError>> {
        self.local.thread_in(memory, body)
    }

    fn new_component<E: Entry<Self>>(
        &self,
        name: Name,
        _: E,
    ) -> Result<SinvComponent<K>, LocalError> {
        const {
            assert!(
                size_of::<E>() == 0,
                "the entry of a component captures variables: give it what it needs as endowments"
            )
        };
        self.local.admit()?;
        let entry: DomainEntry<K> = Self::enter::<E>;
        let code = self.world.link.kernel.code_of(entry)?;
        SinvComponent::new(&self.world, name, code.0, self.local.lone_point()?)
    }

    fn endowments(&self, each: &mut dyn FnMut(Name, Desc)) {
        let mut start = 0;
        while let Ok(Said::Endowments(some)) = self.world.link.ask(Request::Endowments(start)) {
            if some.is_empty() {
                return;
            }
            start += some.len() as u32;
            some.into_iter().for_each(|(name, desc)| each(name, desc));
        }
    }

    fn take_endowment(&self, name: Name) -> Result<Cap<K>, LocalError> {
        self.received(Request::Take(name))
    }

    fn publish(&self, name: Name, cap: Cap<K>) -> Result<(), Refused<Cap<K>, LocalError>> {
        match self.local.admit() {
            Ok(()) => export(&self.world, Destination::Name(name), cap),
            Err(error) => Err(Refused { value: cap, error }),
        }
    }

    fn lookup(&self, name: Name) -> Result<Cap<K>, LocalError> {
        self.local.admit()?;
        self.received(Request::Lookup(name))
    }

    fn bundle(
        &self,
        desc: Desc,
        from: Option<&Cap<K>>,
        parts: impl IntoIterator<Item = Part<Cap<K>>>,
    ) -> Result<Cap<K>, LocalError> {
        self.local.bundle(desc, from, parts)
    }
}

impl<K: Isolation> Sinv<K> {
    /// A capability that the manager has for this component.
    fn received(&self, request: Request) -> Result<Cap<K>, LocalError> {
        let arrived = self.world.link.parcel(request)?;
        let (parcel, contents) = arrived.ok_or(ErrorKind::NotFound)?;
        self.local.unpack(parcel, contents)
    }
}

impl res_api::Files for Sinv<Linux> {
    type File = backend_local::File<Linux>;
}
