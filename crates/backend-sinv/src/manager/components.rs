//! Components: how they begin, how they are told to end, and what becomes of what they had.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::vec::Vec;

use backend_local::parcel::Parcel;
use res_api::{Deadline, Desc, ErrorKind, Exit, Gone, Name};
use res_kernel::{Access, Domain, EntryCode, Isolation, KernelError, Passed, Socket};

use super::effects::Effect;
use super::parcels::IN_ONE;
use super::serving::Service;
use super::{MAIN, Manager, Result, State};
use crate::board::BOARD;
use crate::limits::Limits;
use crate::protocol::PROTOCOL;
use crate::request::{Answer, ComponentId, Hello, Item, Notice, Said};
use crate::wire::Wire;

/// No object that has a number: the board.
const BOARD_ITSELF: u64 = 0;

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Made,
    Starting,
    Running,
    Ended,
}

/// Where a component begins.
pub(super) enum Beginning<K: Isolation> {
    /// In the composing program.
    Entry(EntryCode),
    /// In one of its own.
    Program(K::Program),
}

impl<K: Isolation> Clone for Beginning<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Entry(code) => Self::Entry(*code),
            Self::Program(program) => Self::Program(program.clone()),
        }
    }
}

/// A component, as the manager knows it.
pub(super) struct Client<K: Isolation> {
    pub(super) name: Name,
    pub(super) creator: ComponentId,
    pub(super) limits: Limits,
    pub(super) stage: Stage,
    beginning: Beginning<K>,
    /// What it was endowed with; None where it has been taken.
    pub(super) endowments: Vec<(Name, Option<Parcel>)>,
    /// The objects that it has.
    pub(super) objects: BTreeSet<u64>,
    /// How many of the objects are there that it made, and their bytes.
    pub(super) made: u32,
    pub(super) bytes: u64,
    /// How many requests it has made.
    pub(super) requests: u64,
    notices: Vec<Notice>,
    /// Where it is told that there is something to say, if it hears that.
    pub(super) board: Option<Arc<K::Memory>>,
    /// What it runs in, once it does. Never known of the one that composes the system.
    pub(super) runs: Option<Running<K>>,
    /// How much has been sent ahead of being asked for.
    pub(super) ahead: u64,
}

/// What a component runs in, and the way to it.
pub(super) struct Running<K: Isolation> {
    pub(super) domain: Arc<K::Domain>,
    /// As long as somebody listens there.
    pub(super) socket: Weak<K::Socket>,
}

impl<K: Isolation> Clone for Running<K> {
    fn clone(&self) -> Self {
        let Self { domain, socket } = self;
        Self { domain: domain.clone(), socket: socket.clone() }
    }
}

impl<K: Isolation> Client<K> {
    fn new(name: Name, creator: ComponentId, limits: Limits, beginning: Beginning<K>) -> Self {
        Self {
            name,
            creator,
            limits,
            stage: Stage::Made,
            beginning,
            endowments: Vec::new(),
            objects: BTreeSet::new(),
            made: 0,
            bytes: 0,
            requests: 0,
            notices: Vec::new(),
            board: None,
            runs: None,
            ahead: 0,
        }
    }

    /// The one that composes the system.
    pub(super) fn main() -> core::result::Result<Self, KernelError> {
        let name = Name::reserved(".main");
        let name = name.map_err(|kind| KernelError::new("name the main component", kind))?;
        let client = Self::new(name, MAIN, Limits::NONE, Beginning::Entry(EntryCode(0)));
        Ok(Self { stage: Stage::Running, ..client })
    }

    /// Whether it executes another program than the composing one.
    pub(super) fn executes_its_own(&self) -> bool {
        matches!(self.beginning, Beginning::Program(_))
    }

    /// What it was endowed with and has not taken.
    pub(super) fn untaken(&self) -> impl Iterator<Item = (Name, Desc)> {
        let all = self.endowments.iter();
        all.filter_map(|(name, parcel)| Some((*name, parcel.as_ref()?.head.desc)))
    }

    pub(super) fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }
}

impl<K: Isolation> State<K> {
    pub(super) fn make_component(
        &mut self,
        client: ComponentId,
        name: Name,
        beginning: Beginning<K>,
    ) -> Result<ComponentId> {
        // The main component counts as its own creator.
        let made = self.components.iter().filter(|(id, it)| it.creator == client && **id != client);
        // Those of whose ends it has not heard count as well.
        let is_end = |notice: &&Notice| matches!(notice, Notice::Ended(..));
        let notices = self.components.get(&client).map(|it| it.notices.iter());
        let unheard = notices.map_or(0, |notices| notices.filter(is_end).count());
        let limits = self.limits_of(client);
        if made.count() + unheard >= limits.components as usize {
            return Err(ErrorKind::NoSlots);
        }
        let id = ComponentId::try_from(self.next()).map_err(|_| ErrorKind::NoSlots)?;
        let limits = if client == MAIN { self.limits } else { limits };
        self.components.insert(id, Client::new(name, client, limits, beginning));
        Ok(id)
    }

    /// One that begins at an entry which the client names, of the program that it executes itself:
    /// domains execute the composing one.
    pub(super) fn make_at(&mut self, client: ComponentId, name: Name, entry: u64) -> Result<Said> {
        if self.client(client)?.executes_its_own() {
            return Err(ErrorKind::Invalid);
        }
        let beginning = Beginning::Entry(EntryCode(entry));
        self.make_component(client, name, beginning).map(|id| Said::Number(id.into()))
    }

    pub(super) fn limit(&mut self, id: ComponentId, limits: Limits) -> Result<()> {
        let client = self.client(id)?;
        if client.stage != Stage::Made {
            return Err(ErrorKind::Invalid);
        }
        client.limits = limits;
        Ok(())
    }

    /// One of the components that this one made.
    fn child(&mut self, client: ComponentId, id: ComponentId) -> Result<&mut Client<K>> {
        let child = self.components.get_mut(&id).ok_or(ErrorKind::Stale)?;
        if child.creator == client && id != client { Ok(child) } else { Err(ErrorKind::Denied) }
    }

    pub(super) fn stop(&mut self, client: ComponentId, id: ComponentId) -> Result<Said> {
        match self.child(client, id)?.stage {
            // Who asks for that knows it.
            Stage::Made => self.end(id, Exit::Success),
            Stage::Starting | Stage::Running => {
                // Once is enough, however often it is said.
                if !self.child(client, id)?.notices.contains(&Notice::Stop()) {
                    self.notify(id, Notice::Stop());
                }
            }
            Stage::Ended => {}
        }
        Ok(Said::Done())
    }

    /// Tells all to end; the domains of those that run.
    fn stop_all(&mut self) -> Vec<Arc<K::Domain>> {
        self.stopping = true;
        let others = self.components.iter().filter(|(id, _)| **id != MAIN);
        let others: Vec<_> = others.map(|(id, it)| (*id, it.creator, it.stage)).collect();
        for (id, creator, stage) in others {
            match stage {
                Stage::Made => self.bury(id, Exit::Success),
                // It is there, and its creator asks.
                _ => _ = self.stop(creator, id),
            }
        }
        let running = self.components.values().filter_map(|it| it.runs.as_ref());
        running.map(|running| Arc::clone(&running.domain)).collect()
    }

    pub(super) fn abandon(&mut self, client: ComponentId, id: ComponentId) -> Result<Said> {
        if self.child(client, id)?.stage == Stage::Made {
            self.end(id, Exit::Success);
        }
        Ok(Said::Done())
    }

    /// It runs, in that domain, or could not be started and can be started again.
    fn has_started(&mut self, id: ComponentId, running: Option<&Running<K>>) {
        // It may have ended already.
        let Ok(child) = self.client(id) else { return };
        child.runs = running.cloned();
        child.stage = Stage::Running;
        if running.is_none() {
            // Whoever did not come so far may have written there.
            (child.stage, child.board) = (Stage::Made, None);
            if !child.notices.is_empty() {
                // Stopped meanwhile: it never ran, and never will.
                self.bury(id, Exit::Success);
            }
        }
    }

    /// From now on it is told on that board that there is something to say.
    fn has_board(&mut self, id: ComponentId, board: &Arc<K::Memory>) -> Result<()> {
        let client = self.client(id)?;
        client.board = Some(Arc::clone(board));
        if !client.notices.is_empty() {
            self.effects.push(Effect::Board(Arc::clone(board)));
        }
        Ok(())
    }

    pub(super) fn notify(&mut self, id: ComponentId, notice: Notice) {
        let Some(client) = self.components.get_mut(&id).filter(|it| !it.has_ended()) else {
            return;
        };
        if id == MAIN {
            self.effects.push(Effect::Main(notice));
            return;
        }
        client.notices.push(notice);
        // One that has no board is told when it has.
        self.effects.extend(client.board.clone().map(Effect::Board));
    }

    pub(super) fn notices(&mut self, client: ComponentId) -> Result<Said> {
        let notices = &mut self.client(client)?.notices;
        let some = notices.len().min(IN_ONE);
        Ok(Said::Notices(notices.drain(..some).collect()))
    }

    /// All that the component had leaves; who made it is told.
    pub(super) fn bury(&mut self, id: ComponentId, exit: Exit) {
        let creator = self.components.get(&id).filter(|it| !it.has_ended()).map(|it| it.creator);
        self.end(id, exit);
        if let Some(creator) = creator.filter(|_| id != MAIN) {
            self.notify(creator, Notice::Ended(id, exit));
        }
    }

    /// All that the component had leaves.
    fn end(&mut self, id: ComponentId, exit: Exit) {
        let Some(client) = self.components.get_mut(&id).filter(|it| !it.has_ended()) else {
            return;
        };
        let why = if exit == Exit::Died { Gone::PeerGone } else { Gone::Closed };
        client.stage = Stage::Ended;
        let objects = core::mem::take(&mut client.objects);
        let untaken = core::mem::take(&mut client.endowments);
        self.leave_queues(id, why);
        self.unpublish(id, why);
        for parcel in untaken.into_iter().filter_map(|(_, parcel)| parcel) {
            self.lose(parcel, why);
        }
        for object in objects {
            self.take_away(id, object, Some(why));
        }
        self.leave_arenas(id);
        self.abandon_children(id);
        if id != MAIN {
            self.components.remove(&id);
        }
    }

    /// Nobody will start what it made and did not start.
    fn abandon_children(&mut self, id: ComponentId) {
        let unstarted = |(child, it): (&ComponentId, &Client<K>)| {
            (it.creator == id && it.stage == Stage::Made).then_some(*child)
        };
        let children: Vec<_> = self.components.iter().filter_map(unstarted).collect();
        children.into_iter().for_each(|child| self.bury(child, Exit::Success));
    }
}

impl<K: Isolation> Manager<K> {
    /// Tells all components to end, and waits until they have. Those that live at the deadline are
    /// killed. None begins any more.
    pub(crate) fn stop_all(&self, deadline: Deadline) {
        let domains = self.within(State::stop_all);
        for domain in &domains {
            if !domain.ended(deadline) {
                domain.kill();
            }
        }
        for domain in domains {
            domain.ended(Deadline::NEVER);
        }
    }

    /// Whether all have been told to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.within(|state| state.stopping)
    }

    /// A component that executes a program, made by the composing one.
    pub(crate) fn make_of(&self, name: Name, program: K::Program) -> Result<ComponentId> {
        self.within(|state| state.make_component(MAIN, name, Beginning::Program(program)))
    }

    /// Lets a component begin, in a domain of its own.
    pub(super) fn start(
        self: &Arc<Self>,
        client: ComponentId,
        id: ComponentId,
    ) -> Result<Answer<K>> {
        let (beginning, hello) = self.within(|state| {
            let stopping = state.stopping;
            let child = state.child(client, id)?;
            if child.stage != Stage::Made {
                return Err(ErrorKind::Invalid);
            }
            if stopping {
                return Err(ErrorKind::Closed);
            }
            child.stage = Stage::Starting;
            let endowments = child.untaken().take(Hello::ENDOWMENTS).collect();
            let hello = Hello { protocol: PROTOCOL, id, name: child.name, endowments };
            Ok((child.beginning.clone(), hello))
        })?;
        let started = self.start_at(&beginning, &hello);
        let too_late = self.within(|state| {
            state.has_started(id, started.as_ref().ok());
            state.stopping
        });
        let running = started?;
        if too_late {
            // Whoever stops all has not seen it, and does not wait for it.
            running.domain.kill();
        }
        Ok(Said::Done().into())
    }

    /// A domain that is told what it is, and a thread that serves it. Without one it goes as if it
    /// had never been: it has nothing but its board before it is served.
    fn start_at(self: &Arc<Self>, beginning: &Beginning<K>, hello: &Hello) -> Result<Running<K>> {
        // Whoever has nothing may never hear anything.
        let has_nothing = hello.endowments.is_empty();
        let board = if has_nothing { None } else { Some(self.board_of(hello.id)?) };
        let begun = match beginning {
            Beginning::Entry(code) => self.kernel.domain_at(*code),
            Beginning::Program(program) => self.kernel.domain_of(program),
        };
        let (domain, socket) = begun.map_err(|error| error.kind)?;
        let board: Vec<_> = board.iter().map(|board| Passed::Memory(&**board)).collect();
        match socket.send(&hello.encoded(), &board).map_err(|error| error.kind) {
            // One that has died meanwhile is found dead by the next look.
            Ok(()) | Err(ErrorKind::PeerGone) => {}
            Err(kind) => return Err(kind),
        }
        let (domain, socket) = (Arc::new(domain), Arc::new(socket));
        let running = Running { domain: domain.clone(), socket: Arc::downgrade(&socket) };
        let service = Service { manager: Arc::clone(self), id: hello.id, socket, domain };
        self.servers.serve(service).map_err(|error| error.kind)?;
        Ok(running)
    }

    /// Where that component hears of what there is to say.
    fn board_of(&self, id: ComponentId) -> Result<Arc<K::Memory>> {
        let known = self.within(|state| state.client(id).map(|client| client.board.clone()))?;
        if let Some(board) = known {
            return Ok(board);
        }
        let board = Arc::new(self.kernel.memory(BOARD).map_err(|error| error.kind)?);
        self.within(|state| state.has_board(id, &board))?;
        Ok(board)
    }

    pub(super) fn make_board(&self, client: ComponentId) -> Result<Answer<K>> {
        self.within(|state| state.client(client).map(|client| client.requests += 1))?;
        let board = self.board_of(client)?;
        let items = Vec::from([Item::Memory(BOARD_ITSELF, board, Access::ReadWrite)]);
        Ok(Answer { said: Said::Number(BOARD_ITSELF), items })
    }
}
