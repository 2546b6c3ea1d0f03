//! The backend itself.

use core::fmt;
use core::time::Duration;
use std::eprintln;
use std::process::ExitCode;
use std::sync::Arc;

use backend_local::distant::{DistantRcv, DistantSnd};
use backend_local::{
    Blockpoint, Cap, Dynamic, Group, Local, LocalError, Map, Mem, SharedMem, Thread, Timer,
};
use res_api::{
    Backend, Barrier, Comp, Deadline, Desc, Entry, ErrorKind, Instant, Name, Part, Refused,
    ThreadId,
};
use res_kernel::linux::Interrupt;
use res_kernel::{DomainEntry, Isolation, Linux, Passed, Place, Socket};

use crate::component::{SinvComponent, export};
use crate::inspection::Inspection;
use crate::limits::Limits;
use crate::line::Line;
use crate::link::{Arrival, Link, open_file};
use crate::manager::Manager;
use crate::outside::{Beyond, World};
use crate::protocol::PROTOCOL;
use crate::request::{Destination, Hello, Request};
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
    /// The queue of capabilities that it makes memory for; 0 for none.
    over: u64,
}

impl<K: Isolation> Clone for Sinv<K> {
    fn clone(&self) -> Self {
        Self { local: self.local.clone(), world: Arc::clone(&self.world), over: self.over }
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
        Self::of(World::here(&kernel, &manager)?)
    }

    /// The component that knows that.
    fn of(world: Arc<World<K>>) -> Result<Self, LocalError> {
        let outside = Arc::new(Beyond(Arc::clone(&world)));
        let local = Local::within(world.link.kernel.clone(), outside)?;
        Ok(Self { local, world, over: 0 })
    }

    /// Where a component begins, in a domain of its own.
    fn enter<E: Entry<Self>>(kernel: K, socket: K::Socket) {
        if let Ok(own) = Self::greeted(kernel, socket) {
            // SAFETY: `new_component` was given such a value, which has no size (it checks that)
            // and is `Copy`: another one of it is no bytes.
            own.live(unsafe { core::ptr::NonNull::<E>::dangling().read() });
        }
    }

    /// Runs the entry of this component, until all of it has ended.
    fn live<E: Entry<Self>>(self, entry: E) {
        let Self { local, world, over } = self;
        local.run(|local| entry.run(Self { local, world, over }));
    }

    /// The component that the manager says this is.
    fn greeted(kernel: K, socket: K::Socket) -> Result<Self, LocalError> {
        let mut bytes = [0; Hello::BYTES];
        let mut places: [Place<K::Socket>; 1] = [None];
        let received = socket.recv(&mut bytes, &mut places, Deadline::NEVER)?;
        let said = &bytes[..received.bytes];
        if !said.starts_with(&PROTOCOL.encoded()) {
            return Err(ErrorKind::TypeMismatch.into());
        }
        let hello = Hello::decoded(said).ok_or(ErrorKind::Misbehaved)?;
        let [board] = places;
        let link = Link::there(&kernel, hello.id, Line::new(socket))?;
        let world = World::new(link, hello.endowments, board.and_then(Passed::into_memory))?;
        let own = Self::of(world)?;
        own.world.own(&own.local);
        Ok(own)
    }

    /// Gives a component that has not been started other limits than the system gives each: what it
    /// declares that it needs.
    ///
    /// ```
    /// use backend_sinv::{Limits, Lookups, Sinv};
    /// use res_api::{Backend, Env, Name};
    ///
    /// /// It looks up nothing, and makes no components.
    /// const NEEDS: Limits = Limits { components: 0, lookups: Lookups::Only(&[]), ..Limits::DEFAULT };
    ///
    /// fn modest(_: Env<Sinv>) {}
    ///
    /// let system = Sinv::new()?;
    /// let component = system.component(const { Name::new("modest") }, modest)?;
    /// system.limit(&component, NEEDS)?;
    /// component.start()?;
    /// # component.wait(res_api::Deadline::NEVER)?.ok()?;
    /// # Ok::<(), res_api::Fault>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Denied` in a component; `Invalid` where it has been started.
    pub fn limit(&self, component: &Comp<Self>, limits: Limits) -> Result<(), LocalError> {
        component.as_inner().limit(limits)
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

    /// Asks all components to end, and waits until they have; those that live at the deadline are
    /// killed. Whatever they held tells the others so, as ever. None begins any more: `start` is
    /// `Closed`.
    ///
    /// ```
    /// use backend_sinv::Sinv;
    /// use res_api::{Backend, Deadline, Env, Exit, Name};
    ///
    /// fn stubborn(_: Env<Sinv>) {
    ///     loop {
    ///         std::hint::spin_loop();
    ///     }
    /// }
    ///
    /// let system = Sinv::new()?;
    /// let component = system.component(const { Name::new("stubborn") }, stubborn)?;
    /// component.start()?;
    /// system.stop(Deadline::PASSED)?;
    /// assert_eq!(component.wait(Deadline::NEVER)?, Exit::Died);
    /// # Ok::<(), res_api::Fault>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Denied` in a component.
    pub fn stop(&self, deadline: Deadline) -> Result<(), LocalError> {
        let manager = self.world.link.manager().ok_or(ErrorKind::Denied)?;
        manager.stop_all(deadline);
        Ok(())
    }

    /// Whether [`stop`](Self::stop) has been called, or an interrupt did. In a component, never.
    pub fn is_stopping(&self) -> bool {
        self.world.link.manager().is_some_and(|manager| manager.is_stopping())
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

impl<K: Isolation> Sinv<K> {
    /// A component that executes a program which was built by itself; its `main` is
    /// [`Sinv::main`]. It is confined like all others, before its first instruction. What it is
    /// endowed with has to be what it takes there: the names and types are to be shared as source, and
    /// both programs to be built of the same versions of these crates.
    ///
    /// It makes no components itself: their entries are in the composing program.
    ///
    /// ```no_run
    /// use backend_sinv::Sinv;
    /// use res_api::{Deadline, Fault, Name};
    /// use res_kernel::linux::LinuxProgram;
    ///
    /// let program = LinuxProgram::new(&std::fs::File::open("target/release/adder")?)?;
    /// let system = Sinv::new()?;
    /// let adder = system.component_of(const { Name::new("adder") }, &program)?;
    /// adder.start()?;
    /// adder.wait(Deadline::NEVER)?.ok()?;
    /// # Ok::<(), Fault>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Denied` in a component, `NoMemory`, `NoSlots`.
    pub fn component_of(&self, name: Name, program: &K::Program) -> Result<Comp<Self>, LocalError> {
        self.local.admit()?;
        let end = self.local.point_of_an_end()?;
        let made = SinvComponent::new(&self.world, name, end, |link| {
            let manager = link.manager().ok_or(ErrorKind::Denied)?;
            manager.make_of(name, program.clone())
        })?;
        Ok(Comp::new(self.clone(), made))
    }
}

impl Sinv<Linux> {
    /// The `main` of a program that is a component, for [`component_of`](Self::component_of). What
    /// it returns matters to nobody; the system learns what the entry does. Whatever the program
    /// still does behind that has a tenth of a second.
    ///
    /// ```no_run
    /// use backend_sinv::Sinv;
    /// use chan_impls::Spsc;
    /// use res_api::{Env, Fault, Sender, Slot, Tx};
    ///
    /// const ANSWER: Slot<Tx<Spsc, u64>> = Slot::new("answer");
    ///
    /// fn answer(env: Env<Sinv>) -> Result<(), Fault> {
    ///     Ok(env.take(ANSWER)?.send(42)?)
    /// }
    ///
    /// fn main() -> std::process::ExitCode {
    ///     Sinv::main(answer)
    /// }
    /// ```
    pub fn main<E: Entry<Self>>(entry: E) -> ExitCode {
        let machine = Linux::new();
        let Some(socket) = machine.socket_of_program() else {
            eprintln!("this program is a component: it is for a system to start");
            return ExitCode::from(2);
        };
        match Self::greeted(machine, socket) {
            Ok(own) => {
                own.live(entry);
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("this component and its system do not fit: {error}");
                ExitCode::FAILURE
            }
        }
    }

    /// From now on, when this program is asked to end, by Ctrl-C or `SIGTERM`, all components
    /// [`stop`](Self::stop), and have so much time for it, as long as what is returned lives. This
    /// program itself goes on: it sees them end, does what it does then, and asks
    /// [`is_stopping`](Self::is_stopping) if it wants to know. Who asks once more ends everything at
    /// once.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let system = backend_sinv::Sinv::new()?;
    /// let _interrupt = system.stop_on_interrupt(Duration::from_secs(5))?;
    /// # Ok::<(), backend_sinv::SinvError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Denied` in a component, `NoSlots`.
    pub fn stop_on_interrupt(&self, grace: Duration) -> Result<Interrupt, LocalError> {
        let manager = Arc::downgrade(self.world.link.manager().ok_or(ErrorKind::Denied)?);
        Ok(Linux::new().on_interrupt(move || {
            if let Some(manager) = manager.upgrade() {
                manager.stop_all(Deadline::at(res_sync::Park::now(&Linux::new()) + grace));
            }
        })?)
    }

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

    fn making_for(&self, over: &Self::CapSnd) -> Self {
        Self { over: over.queue().queue(), ..self.clone() }
    }

    fn mem(&self, bytes: u64) -> Result<Mem<K>, LocalError> {
        self.local.mem_over(bytes, self.over)
    }

    fn blockpoint_with(&self, barrier: Option<Barrier>) -> Result<Blockpoint<K>, LocalError> {
        self.heard()?.blockpoint_with(barrier)
    }

    fn timer(&self, first: Instant, period: Option<Duration>) -> Result<Timer<K>, LocalError> {
        self.heard()?.timer(first, period)
    }

    fn evtgrp(&self, capacity: u32) -> Result<Group<K>, LocalError> {
        self.heard()?.evtgrp(capacity)
    }

    fn chanchan(&self, capacity: u32) -> Result<(Self::CapSnd, Self::CapRcv), LocalError> {
        let local = self.heard()?;
        local.admit()?;
        let (queue, object, memory) = self.world.link.memory(Request::Queue(capacity))?;
        let made = local.distant_pair(queue, capacity, object, memory);
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
        let local = self.heard()?;
        local.admit()?;
        let entry: DomainEntry<K> = Self::enter::<E>;
        let code = self.world.link.kernel.code_of(entry)?;
        SinvComponent::at(&self.world, name, local.point_of_an_end()?, code)
    }

    fn endowments(&self, each: &mut dyn FnMut(Name, Desc)) {
        let list = self.world.endowments.list(&self.world.link);
        list.into_iter().for_each(|(name, desc)| each(name, desc));
    }

    fn take_endowment(&self, name: Name) -> Result<Cap<K>, LocalError> {
        self.world.endowments.take(name, || self.received(Request::Take(name)))
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
    /// What makes that which the manager may have something to say about: it is heard from now on.
    fn heard(&self) -> Result<&Local<Dynamic, K>, LocalError> {
        self.world.listen()?;
        Ok(&self.local)
    }

    /// A capability that the manager has for this component.
    fn received(&self, request: Request) -> Result<Cap<K>, LocalError> {
        let local = self.heard()?;
        let arrived = self.world.import(request)?;
        let Arrival { parcel, contents, .. } = arrived.ok_or(ErrorKind::NotFound)?;
        local.unpack(&parcel, contents)
    }
}

impl res_api::Files for Sinv<Linux> {
    type File = backend_local::File<Linux>;
}

#[cfg(test)]
mod tests {
    use chan_impls::Spsc;
    use res_api::{BackendError, Env, Exit, Fault, Receiver, Sender, Slot, Thread as _, Tx};
    use res_kernel::linux::LinuxSocket;
    use res_kernel::sim::{Seeds, SimProgram};
    use res_kernel::{Kernel, Sim};

    use super::*;

    /// What another build says first is not read any further.
    #[test]
    fn another_protocol_is_a_typed_error() {
        let greeted = |protocol| {
            let (here, there) = LinuxSocket::pair().expect("a pair");
            let (name, endowments) = (Name::new("other"), std::vec::Vec::new());
            let hello = Hello { protocol, id: 7, name, endowments };
            let board = Linux::new().memory(crate::board::BOARD).expect("memory");
            here.send(&hello.encoded(), &[Passed::Memory(&board)]).expect("it listens");
            // Nobody answers what it would ask then.
            drop(here);
            Sinv::greeted(Linux::new(), there).map(drop)
        };
        assert_eq!(greeted(PROTOCOL ^ 1), Err(LocalError::Kind(ErrorKind::TypeMismatch)));
        assert_eq!(greeted(PROTOCOL), Ok(()));
    }

    const SAID: Slot<Tx<Spsc, u64>> = Slot::new("said");

    /// Its own program is not the one that components are forked from.
    fn makes_another(env: Env<Sinv<Sim>>) -> Result<(), Fault> {
        fn idle(_: Env<Sinv<Sim>>) {}
        let mut said = env.take(SAID)?;
        let made = env.component(const { Name::new("another") }, idle);
        let refused = made.is_err_and(|error| error.kind() == ErrorKind::Invalid);
        Ok(said.send(refused.into())?)
    }

    #[test]
    fn a_component_of_a_program_makes_none_of_the_composing_one() {
        let program = SimProgram::new(enter(makes_another));
        let outcome = Sim::run(1, move |sim| {
            let system = Sinv::on(sim, Limits::default()).expect("a system");
            let component = system.component_of(const { Name::new("program") }, &program);
            let component = component.expect("a component");
            let (said, mut hears) = system.chan::<Spsc, u64>(1).expect("a channel");
            component.endow(SAID, said).expect("it has not begun");
            component.start().expect("it starts");
            assert_eq!(hears.recv(), Ok(1));
            assert_eq!(component.wait(Deadline::NEVER), Ok(Exit::Success));
        });
        assert_eq!(outcome.failure, None);
    }

    /// Ends by force only.
    fn never_ends(env: Env<Sinv<Sim>>) {
        loop {
            env.yield_to(None);
        }
    }

    /// It has begun before all are stopped, behind that, or meanwhile.
    #[test]
    fn nothing_that_begins_outlives_a_stop() {
        Seeds::from_env(60).check("stop", |sim| {
            let system = Sinv::on(sim, Limits::default()).expect("a system");
            let component = system.component(const { Name::new("stubborn") }, never_ends);
            let component = component.expect("a component");
            let stops = system.clone();
            let stopping = system.thread(move || stops.stop(Deadline::PASSED).expect("stopped"));
            let stopping = stopping.expect("a thread");
            stopping.start().expect("it starts");
            if component.start().is_ok() {
                assert_eq!(component.wait(Deadline::NEVER), Ok(Exit::Died));
            }
            stopping.join(Deadline::NEVER).expect("it ends").ok().expect("and well");
        });
    }

    /// Where a component with that entry begins.
    fn enter<E: Entry<Sinv<Sim>>>(_: E) -> DomainEntry<Sim> {
        Sinv::enter::<E>
    }
}
