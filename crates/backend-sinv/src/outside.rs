//! What the library backend, which does the work within a component, asks of the others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::vec::Vec;

use backend_local::outside::{Outside, Received, WordId};
use backend_local::parcel::{AnyParcel as _, Content, Parcel, Piece, Unpacker};
use backend_local::{Blockpoint, Cap, Dynamic, Local, LocalError};
use res_api::{Desc, ErrorKind, Exit, Gone, Name, Role, Side, WaitError};
use res_kernel::{Access, Isolation, KernelError, KernelMemory};
use res_sync::{Deadline, Event, Mutex};

use crate::board::Board;
use crate::component::Child;
use crate::ears::Ears;
use crate::endowments::Endowments;
use crate::link::{Arrival, Link};
use crate::manager::{MAIN, Manager};
use crate::request::{ComponentId, Destination, Notice, Request, Said};
use crate::shelf::Shelf;
use crate::spawn::spawn;
use crate::wire::Wire as _;

/// What a component knows of the rest of its system.
pub(crate) struct World<K: Isolation> {
    pub(crate) link: Link<K>,
    pub(crate) ears: Ears<K>,
    shelf: Shelf<K>,
    /// Whether what the manager says by itself is heard.
    hears: Mutex<K, Hears<K>>,
    pub(crate) endowments: Endowments<K>,
    /// The components that it made and that have not ended.
    children: Mutex<K, BTreeMap<ComponentId, Arc<Child<K>>>>,
    /// This component, for who tells it to stop.
    own: Mutex<K, Option<Local<Dynamic, K>>>,
}

/// Whether what the manager says by itself is heard.
enum Hears<K: Isolation> {
    /// Not yet; and the board on which it does, if that has come.
    Not(Option<K::Memory>),
    Yes,
}

impl<K: Isolation> World<K> {
    pub(crate) fn new(
        link: Link<K>,
        endowments: Vec<(Name, Desc)>,
        board: Option<K::Memory>,
    ) -> Result<Arc<Self>, KernelError> {
        let kernel = link.kernel.clone();
        let (ears, shelf) = (Ears::new(&kernel)?, Shelf::new(&kernel)?);
        let children =
            Mutex::new(kernel.clone(), kernel.point()?, kernel.barrier(), BTreeMap::new());
        let own = Mutex::new(kernel.clone(), kernel.point()?, kernel.barrier(), None);
        let hears = if link.manager().is_some() { Hears::Yes } else { Hears::Not(board) };
        let hears = Mutex::new(kernel.clone(), kernel.point()?, kernel.barrier(), hears);
        let endowments = Endowments::new(&kernel, endowments)?;
        Ok(Arc::new(Self { link, ears, shelf, hears, endowments, children, own }))
    }

    /// Of the component that composes the system: the manager, which is here, tells it at once.
    pub(crate) fn here(kernel: &K, manager: &Arc<Manager<K>>) -> Result<Arc<Self>, KernelError> {
        let world = Self::new(Link::here(kernel, MAIN, Arc::clone(manager)), Vec::new(), None)?;
        let told = Arc::downgrade(&world);
        manager.tell_main(move |notice| {
            if let Some(world) = told.upgrade() {
                world.note(notice);
            }
        });
        Ok(world)
    }

    /// From now on this is the component that is told to stop.
    pub(crate) fn own(&self, local: &Local<Dynamic, K>) {
        *self.own.lock() = Some(local.clone());
    }

    pub(crate) fn adopt(&self, id: ComponentId, child: Arc<Child<K>>) {
        self.children.lock().insert(id, child);
    }

    pub(crate) fn disown(&self, id: ComponentId) {
        let child = self.children.lock().remove(&id);
        drop(child);
    }

    /// From now on what the manager says by itself is heard. Until this component has something that
    /// can be told, nothing that could be said concerns it, and it has no thread for that.
    ///
    /// # Errors
    ///
    /// `NoMemory`, `NoSlots`: there can be no thread, or no board; without a manager `PeerGone`.
    pub(crate) fn listen(self: &Arc<Self>) -> Result<(), LocalError> {
        let mut hears = self.hears.lock();
        let Hears::Not(board) = &mut *hears else { return Ok(()) };
        let memory = match board.take() {
            Some(memory) => memory,
            // Also after a failure: it is the same.
            None => self.link.memory(Request::Board())?.2,
        };
        self.link.expect(memory.alias(Access::ReadWrite)?);
        let board = Board::new(&self.link.kernel, memory)?;
        let world = Arc::clone(self);
        spawn(&self.link.kernel, move || world.hear(&board))?;
        *hears = Hears::Yes;
        Ok(())
    }

    /// Hears what the manager says by itself.
    fn hear(&self, board: &Board<K>) {
        let mut heard = 0;
        loop {
            heard = board.wait(heard);
            loop {
                match self.link.ask(Request::Notices()) {
                    Ok(Said::Notices(notices)) if notices.is_empty() => break,
                    Ok(Said::Notices(notices)) => {
                        notices.into_iter().for_each(|notice| self.note(notice));
                    }
                    // Without a manager there is no component for long.
                    _ => return,
                }
            }
        }
    }

    /// Takes a capability somewhere, and what is in the queues that it receives from.
    pub(crate) fn export(&self, to: Destination, parcel: Parcel) -> Result<Said, ErrorKind> {
        parcel.each(&mut |desc, piece| match piece {
            Piece::Queue(queue) if desc.role == Role::CapRcv => self.link.give_back(*queue),
            _ => {}
        });
        let said = self.link.ask(Request::Export(to, parcel.clone()))?;
        if said == Said::Done() {
            self.shelf.note_gone_otherwise(&parcel);
            parcel.each(&mut |desc, piece| {
                if let Piece::Queue(queue) = piece {
                    self.shelf.close(&self.link, *queue, desc.role);
                }
            });
        }
        Ok(said)
    }

    /// Asks for a capability; none if there is none now.
    pub(crate) fn import(&self, request: Request) -> Result<Option<Arrival<K>>, ErrorKind> {
        Ok(self.link.parcel(request)?.inspect(|arrival| self.has_come(arrival)))
    }

    /// What is next in a queue; none if there is nothing.
    fn receive(&self, queue: u64) -> Result<Option<Arrival<K>>, ErrorKind> {
        Ok(self.link.receive(queue)?.inspect(|arrival| self.has_come(arrival)))
    }

    /// What is kept here anyway is not counted once more by the manager.
    fn has_come(&self, arrival: &Arrival<K>) {
        let memories =
            arrival.contents.iter().filter(|content| !matches!(content, Content::File(..)));
        for object in memories.map(Content::number) {
            if self.shelf.note_come_otherwise(object) {
                self.link.say(Request::Forget(object));
            }
        }
    }

    fn note(&self, notice: Notice) {
        match notice {
            Notice::Stop() => {
                let own = self.own.lock().clone();
                if let Some(own) = own {
                    own.stop();
                }
            }
            Notice::Ended(id, exit) => {
                let child = self.children.lock().remove(&id);
                if let Some(child) = child {
                    child.has_ended(exit);
                }
            }
            Notice::ArenaGone(arena) => self.ears.forget(arena),
        }
    }
}

/// The rest of its system, as the library backend of a component has it. When that goes, so does the
/// component.
pub(crate) struct Beyond<K: Isolation>(pub(crate) Arc<World<K>>);

impl<K: Isolation> Drop for Beyond<K> {
    fn drop(&mut self) {
        // A component in a domain of its own keeps this to its end: it could not even begin.
        let composes = self.0.link.manager().is_some();
        let exit = if composes { Exit::Success } else { Exit::Died };
        self.0.link.say(Request::Ends(exit));
    }
}

impl<K: Isolation> Outside<K> for Beyond<K> {
    fn widen(&self, point: &K::Point, _: WordId) -> Result<(), LocalError> {
        self.0.link.kernel.between(point);
        Ok(())
    }

    fn memory(&self, bytes: u64, over: u64) -> Result<(u64, K::Memory), LocalError> {
        if over != 0
            && let Ok(lent) = self.0.shelf.lend(&self.0.link, over, bytes)
        {
            return Ok(lent);
        }
        let (_, object, memory) = self.0.link.memory(Request::Memory(bytes))?;
        Ok((object, memory))
    }

    fn forget(&self, object: u64) {
        self.0.ears.forget_words(object);
        if !self.0.shelf.let_go(&self.0.link, object) {
            self.0.link.say(Request::Forget(object));
        }
    }

    fn again(&self, object: u64) -> Result<K::Memory, ErrorKind> {
        match self.0.shelf.again(object) {
            Some(kept) => kept,
            None => self.0.link.memory_again(object),
        }
    }

    fn left(&self, word: WordId, side: Side, why: Gone) {
        // Who has what is made in memory that is lent, the manager does not know.
        if !self.0.shelf.has(word.object) {
            self.0.link.say(Request::Left(word, side, why));
        }
    }

    fn lost(&self, word: WordId, side: Side, why: Gone) {
        // What would be made there next would be told as well, if it came before the manager does it.
        self.0.shelf.spoil(word.object);
        self.0.link.say(Request::Left(word, side, why));
    }

    fn left_queue(&self, queue: u64, role: Role, why: Gone) {
        if role == Role::CapRcv {
            // What has come of it leaves with it.
            self.0.link.give_back(queue);
        }
        self.0.link.say(Request::LeftQueue(queue, role, why));
        self.0.shelf.close(&self.0.link, queue, role);
    }

    fn send(&self, queue: u64, cap: &Cap<K>) -> Result<bool, ErrorKind> {
        let parcel = Parcel::of(cap)?;
        Ok(self.0.export(Destination::Queue(queue), parcel)? == Said::Done())
    }

    fn send_directly(&self, queue: u64, cap: &Cap<K>, put: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let Ok(parcel) = Parcel::of(cap) else { return false };
        let objects = self.0.shelf.may_go(&self.0.link, queue, &parcel);
        let gone = objects.filter(|_| put(&parcel.encoded()));
        gone.inspect(|objects| self.0.shelf.note_gone(queue, objects)).is_some()
    }

    fn receive_directly(
        &self,
        queue: u64,
        bytes: &[u8],
        unpacker: &Unpacker<'_, K>,
    ) -> Result<Result<Cap<K>, LocalError>, ErrorKind> {
        let parcel = Parcel::decoded(bytes).ok_or(ErrorKind::Misbehaved)?;
        let objects = self.0.shelf.note_come(&self.0.link, queue, &parcel)?;
        Ok(unpacker.unpack(&parcel, objects.into_iter().map(Content::Known)))
    }

    fn receive(&self, queue: u64, unpacker: &Unpacker<'_, K>) -> Result<Received<K>, ErrorKind> {
        Ok(match self.0.receive(queue)? {
            Some(Arrival { parcel, contents, sender }) => {
                let mut cap = unpacker.unpack(&parcel, contents);
                // Whoever composes the system has no limits.
                let sender = if sender == MAIN { 0 } else { sender };
                if let Ok(cap) = &mut cap {
                    cap.set_sender(sender);
                }
                Received::One(cap)
            }
            None => Received::Nothing,
        })
    }

    fn watch(&self, word: WordId, point: &Blockpoint<K>) -> Result<u64, LocalError> {
        Ok(self.0.ears.watch(&self.0.link, word, point)?)
    }

    fn unwatch(&self, word: WordId) {
        self.0.ears.unwatch(&self.0.link, word);
    }

    fn ring(&self, word: WordId, bell: u64) {
        self.0.ears.ring(&self.0.link, word, bell);
    }

    fn wait(
        &self,
        event: Event<'_, K>,
        deadline: Deadline,
        look: &mut dyn FnMut() -> bool,
    ) -> Result<(), WaitError> {
        self.0.ears.wait(event, deadline, look)
    }

    fn ended(&self, exit: Exit) {
        self.0.link.say(Request::Ends(exit));
    }
}
