//! The manager: knows who holds what, makes what has to be made, and sees to it that what is gone is
//! told (H9, H10, H14).
//!
//! A request says what is wanted; who wants it is known from where it came, never from what it
//! says. What changes is changed under one lock; who has to be told is told behind it. The manager
//! never waits for a component.

mod ahead;
mod bells;
mod components;
mod doors;
mod effects;
mod inspect;
mod items;
mod lent;
mod objects;
mod parcels;
mod queues;
mod serving;

use core::mem::take;
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::vec::Vec;

use backend_local::parcel::Parcel;
use res_api::{Barrier, ErrorKind, Exit, Name};
use res_kernel::{Confinement, Isolation, KernelError};
use res_sync::Mutex;

use crate::limits::Limits;
use crate::request::{Answer, ComponentId, Notice, Request, Said};

use bells::Arena;
use components::Client;
use doors::Door;
use effects::Effect;
use lent::Abandoned;
use objects::Object;
use queues::Queue;
use serving::Servers;

/// The manager itself, as a party of an arena.
const MANAGER: ComponentId = 0;
/// The component that composes the system.
pub(crate) const MAIN: ComponentId = 1;

/// A manager.
pub(crate) struct Manager<K: Isolation> {
    kernel: K,
    /// For words that others have mapped.
    point: K::Point,
    /// What components are kept from.
    confinement: Confinement,
    /// Tells the component that composes the system, which is in this address space, a notice.
    main: OnceLock<Box<dyn Fn(Notice) + Send + Sync>>,
    state: Mutex<K, State<K>>,
    servers: Servers<K>,
}

/// What it knows.
struct State<K: Isolation> {
    kernel: K,
    /// Of components that the composing one makes.
    limits: Limits,
    /// Whether all components have been told to end: none begins any more.
    stopping: bool,
    /// The last number that was given.
    last: u64,
    components: BTreeMap<ComponentId, Client<K>>,
    objects: BTreeMap<u64, Object<K>>,
    queues: BTreeMap<u64, Queue>,
    doors: BTreeMap<u64, Door>,
    /// The queues whose doors do not say any more what is so.
    outdated: BTreeSet<u64>,
    arenas: BTreeMap<u64, Arena>,
    names: BTreeMap<Name, Published>,
    effects: Vec<Effect<K>>,
    /// Looked at when all of these have been told.
    abandoned: Vec<Abandoned<K>>,
    /// Objects that nobody has any more.
    gone: Vec<Object<K>>,
}

/// What is known to all under a name.
struct Published {
    owner: ComponentId,
    /// None: the first who asked has it.
    parcel: Option<Parcel>,
}

type Result<T> = core::result::Result<T, ErrorKind>;

impl<K: Isolation> Manager<K> {
    pub(crate) fn new(kernel: &K, limits: Limits) -> core::result::Result<Arc<Self>, KernelError> {
        // Whoever starts domains begins now, with the cores that this program has now: a first thread
        // that pins itself later would make the machine look like one core to all components.
        let confinement = kernel.confinement()?;
        let point = kernel.point()?;
        kernel.between(&point);
        let state = State {
            kernel: kernel.clone(),
            limits,
            stopping: false,
            last: u64::from(MAIN),
            components: BTreeMap::from([(MAIN, Client::main()?)]),
            objects: BTreeMap::new(),
            queues: BTreeMap::new(),
            doors: BTreeMap::new(),
            outdated: BTreeSet::new(),
            arenas: BTreeMap::new(),
            names: BTreeMap::new(),
            effects: Vec::new(),
            abandoned: Vec::new(),
            gone: Vec::new(),
        };
        // Several threads want it at once, and each wait would cost the other barrier (H3).
        let state = Mutex::new(kernel.clone(), kernel.point()?, Barrier::Fence, state);
        Ok(Arc::new(Self {
            kernel: kernel.clone(),
            point,
            confinement,
            main: OnceLock::new(),
            state,
            servers: Servers::new(kernel)?,
        }))
    }

    /// From now on this hears what is said to the component that composes the system: in whatever
    /// thread, with no lock held here.
    pub(crate) fn tell_main(&self, tell: impl Fn(Notice) + Send + Sync + 'static) {
        let _ = self.main.set(Box::new(tell));
    }

    /// Does what a component asks for.
    pub(crate) fn handle(self: &Arc<Self>, client: ComponentId, request: Request) -> Answer<K> {
        let answer = match request {
            Request::Start(component) => self.start(client, component),
            Request::Board() => self.make_board(client),
            Request::Memory(bytes) => self.make_memory(client, bytes),
            Request::Lookup(name) => self.lookup(client, name),
            Request::Lend(queue, bytes) => self.lend(client, queue, bytes),
            Request::Ends(exit) if client == MAIN => {
                self.bury(MAIN, exit);
                Ok(Said::Done().into())
            }
            request => self.within(|state| state.answer(client, request)),
        };
        answer.unwrap_or_else(|kind| Said::Refused(kind).into())
    }

    /// Changes what is known, then tells whoever has to be told. To take memory away takes longer
    /// than all of that, and comes last.
    fn within<R>(&self, change: impl FnOnce(&mut State<K>) -> R) -> R {
        let (result, effects, abandoned, gone) = {
            let mut state = self.state.lock();
            let result = change(&mut state);
            state.show_doors();
            let State { effects, abandoned, gone, .. } = &mut *state;
            (result, take(effects), take(abandoned), take(gone))
        };
        for effect in effects {
            effect.run(self);
        }
        for abandoned in abandoned {
            self.lose_directly(abandoned);
        }
        drop(gone);
        result
    }

    /// A memory object that the component accounts for. To make one takes the machine longer than
    /// what others ask for meanwhile takes the manager.
    fn make_memory(&self, client: ComponentId, bytes: u64) -> Result<Answer<K>> {
        self.within(|state| state.begin_memory(client, bytes))?;
        let memory = self.kernel.memory(bytes).map_err(|error| error.kind);
        self.within(|state| state.end_memory(client, bytes, memory))
    }

    /// That component has ended, and so: nothing of it runs any more.
    pub(crate) fn bury(&self, component: ComponentId, exit: Exit) {
        self.within(|state| state.bury(component, exit));
    }

    /// From now on that component, which has not begun, has those limits.
    pub(crate) fn limit(&self, component: ComponentId, limits: Limits) -> Result<()> {
        self.within(|state| state.limit(component, limits))
    }

    /// A file that the composing program has opened; the number that it gets.
    pub(crate) fn add_file(&self, file: Arc<K::File>) -> u64 {
        self.within(|state| state.add_file(file))
    }
}

impl<K: Isolation> State<K> {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// How much that component may have.
    fn limits_of(&self, client: ComponentId) -> Limits {
        self.components.get(&client).map_or(self.limits, |client| client.limits)
    }

    fn client(&mut self, id: ComponentId) -> Result<&mut Client<K>> {
        self.components.get_mut(&id).ok_or(ErrorKind::Stale)
    }

    fn answer(&mut self, client: ComponentId, request: Request) -> Result<Answer<K>> {
        self.client(client)?.requests += 1;
        let said = match request {
            Request::Take(name) => return self.take(client, name),
            Request::Queue(capacity) => return self.make_queue(client, capacity),
            Request::Receive(queue) => return self.receive(client, queue),
            Request::Again(object) => return self.give_again(client, object),
            Request::Fetch(queue, object) => return self.fetch(client, queue, object),
            Request::Arena(arena, word) => return self.arena(client, arena, word),
            Request::Admit(queue, object) => self.admit(client, queue, object)?,
            Request::Recall(queue) => self.recall(client, queue)?,
            Request::Return(queue, parcel) => self.take_back(client, queue, parcel)?,
            Request::Forget(object) => self.forget(client, object),
            Request::Left(word, side, why) => self.left(client, word, side, why),
            Request::LeftQueue(queue, role, why) => self.left_queue(client, queue, role, why),
            Request::Export(to, parcel) => self.export(client, to, parcel)?,
            Request::Endowments(start) => self.endowments(client, start)?,
            Request::Component(name, entry) => self.make_at(client, name, entry)?,
            Request::Stop(component) => self.stop(client, component)?,
            Request::Abandon(component) => self.abandon(client, component)?,
            Request::Watch(word) => self.watch(client, word)?,
            Request::Unwatch(word) => self.unwatch(client, word),
            Request::Ring(word) => self.ring(client, word)?,
            Request::Notices() => self.notices(client)?,
            // Not under the lock.
            Request::Start(_)
            | Request::Board()
            | Request::Memory(_)
            | Request::Lookup(_)
            | Request::Lend(..)
            | Request::Ends(_) => return Err(ErrorKind::Invalid),
        };
        Ok(said.into())
    }
}
