//! A component's connection to the manager.

use std::sync::Arc;
use std::vec::Vec;

use backend_local::parcel::{Content, OpenFile, Parcel};
use res_api::{ErrorKind, Gone, Role};
use res_kernel::{Isolation, KernelError, KernelFile, KernelMemory};
use res_sync::Mutex;

use crate::line::{Ahead, Line};
use crate::manager::Manager;
use crate::request::{Answer, ComponentId, Item, Request, Said};

/// What came.
pub(crate) struct Arrival<K: Isolation> {
    pub(crate) parcel: Parcel,
    pub(crate) contents: Vec<Content<K::Memory>>,
    /// Who sent it; 0 where nobody did.
    pub(crate) sender: ComponentId,
}

/// How requests reach the manager.
pub(crate) struct Link<K: Isolation> {
    pub(crate) kernel: K,
    pub(crate) id: ComponentId,
    way: Way<K>,
}

enum Way<K: Isolation> {
    /// It is in this address space.
    Here(Arc<Manager<K>>),
    There(Mutex<K, Line<K>>),
}

/// A file that several have.
#[derive(Debug)]
struct Shared<F>(Arc<F>);

impl<F: KernelFile> KernelFile for Shared<F> {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        self.0.read_at(offset, bytes)
    }
}

/// A file as the backend keeps it.
pub(crate) fn open_file<F: KernelFile>(file: Arc<F>, number: u64) -> OpenFile {
    OpenFile::new(Shared(file), number)
}

impl<K: Isolation> Link<K> {
    /// Of the component that composes the system.
    pub(crate) fn here(kernel: &K, id: ComponentId, manager: Arc<Manager<K>>) -> Self {
        Self { kernel: kernel.clone(), id, way: Way::Here(manager) }
    }

    /// Of a component in a domain of its own.
    pub(crate) fn there(kernel: &K, id: ComponentId, line: Line<K>) -> Result<Self, KernelError> {
        let line = Mutex::new(kernel.clone(), kernel.point()?, kernel.barrier(), line);
        Ok(Self { kernel: kernel.clone(), id, way: Way::There(line) })
    }

    /// From now on something may come ahead of being asked for: how much of it has been taken is to
    /// be said on that board.
    pub(crate) fn expect(&self, board: K::Memory) {
        if let Way::There(line) = &self.way {
            line.lock().expect(board);
        }
    }

    /// The manager, where it is here.
    pub(crate) fn manager(&self) -> Option<&Arc<Manager<K>>> {
        match &self.way {
            Way::Here(manager) => Some(manager),
            Way::There(_) => None,
        }
    }

    /// Asks, and waits for the answer.
    pub(crate) fn call(&self, request: Request) -> Result<Answer<K>, ErrorKind> {
        let answer = match &self.way {
            Way::Here(manager) => manager.handle(self.id, request),
            Way::There(line) => {
                let mut line = line.lock();
                line.send(&request)?;
                line.answer()?
            }
        };
        match answer.said {
            Said::Refused(kind) => Err(kind),
            _ => Ok(answer),
        }
    }

    /// Asks for something that only has to be done.
    pub(crate) fn ask(&self, request: Request) -> Result<Said, ErrorKind> {
        self.call(request).map(|answer| answer.said)
    }

    /// Asks for a number.
    pub(crate) fn number(&self, request: Request) -> Result<u64, ErrorKind> {
        match self.ask(request)? {
            Said::Number(number) => Ok(number),
            _ => Err(ErrorKind::Misbehaved),
        }
    }

    /// Asks for a memory object; a number that goes with it, and its own.
    pub(crate) fn memory(&self, request: Request) -> Result<(u64, u64, K::Memory), ErrorKind> {
        let is_queue = matches!(request, Request::Queue(_));
        let Answer { said, items } = self.call(request)?;
        let (Said::Number(number), Some(item)) = (said, items.into_iter().next()) else {
            return Err(ErrorKind::Misbehaved);
        };
        match content(item) {
            Content::Memory(object, memory) => Ok((number, object, memory)),
            Content::Missing(object) => {
                if is_queue {
                    self.abandon_queue(number);
                }
                self.say(Request::Forget(object));
                Err(ErrorKind::NoMemory)
            }
            Content::Known(_) | Content::File(..) => Err(ErrorKind::Misbehaved),
        }
    }

    /// The object, which did not come along with something that it is a part of.
    pub(crate) fn memory_again(&self, object: u64) -> Result<K::Memory, ErrorKind> {
        let answer = self.call(Request::Again(object))?;
        match answer.items.into_iter().next().map(content) {
            Some(Content::Memory(_, memory)) => Ok(memory),
            Some(Content::Missing(_)) => Err(ErrorKind::NoMemory),
            _ => Err(ErrorKind::Misbehaved),
        }
    }

    /// Nobody here has an end of that queue, which was made here.
    pub(crate) fn abandon_queue(&self, queue: u64) {
        for role in [Role::CapSnd, Role::CapRcv] {
            self.say(Request::LeftQueue(queue, role, Gone::Closed));
        }
    }

    /// Asks for a capability; none if there is none now.
    pub(crate) fn parcel(&self, request: Request) -> Result<Option<Arrival<K>>, ErrorKind> {
        let Answer { said, items } = self.call(request)?;
        match said {
            Said::NotNow() => Ok(None),
            Said::Parcel(parcel, sender) => Ok(Some(Arrival::new(parcel, items, sender))),
            _ => Err(ErrorKind::Misbehaved),
        }
    }

    /// What is next in a queue; none if there is nothing.
    pub(crate) fn receive(&self, queue: u64) -> Result<Option<Arrival<K>>, ErrorKind> {
        if let Some(come) = self.come(queue)? {
            return Ok(Some(come));
        }
        match self.parcel(Request::Receive(queue))? {
            // It may have come while the answer was awaited.
            None => self.come(queue),
            some => Ok(some),
        }
    }

    /// What is next of a queue, as far as that has come ahead of being asked for.
    fn come(&self, queue: u64) -> Result<Option<Arrival<K>>, ErrorKind> {
        let Way::There(line) = &self.way else { return Ok(None) };
        let next = line.lock().next_of(queue)?;
        Ok(next.map(|Ahead { parcel, items, sender, .. }| Arrival::new(parcel, items, sender)))
    }

    /// Gives back what has come of a queue and was not received.
    pub(crate) fn give_back(&self, queue: u64) {
        let Way::There(line) = &self.way else { return };
        // Behind the answer nothing comes any more, and what came before it has been seen.
        if self.ask(Request::Recall(queue)).is_err() {
            return;
        }
        loop {
            let Some(Ahead { parcel, items, .. }) = line.lock().last_of(queue) else { return };
            let numbers: Vec<_> = items.iter().map(Item::number).collect();
            self.say(Request::Return(queue, parcel));
            drop(items);
            numbers.into_iter().for_each(|object| self.say(Request::Forget(object)));
        }
    }

    /// Says something that needs no answer.
    pub(crate) fn say(&self, request: Request) {
        match &self.way {
            Way::Here(manager) => drop(manager.handle(self.id, request)),
            // If the manager is gone, this component soon is, too.
            Way::There(line) => drop(line.lock().send(&request)),
        }
    }
}

impl<K: Isolation> Arrival<K> {
    /// A parcel that came, and its items, as the backend takes them.
    fn new(parcel: Parcel, items: Vec<Item<K>>, sender: ComponentId) -> Self {
        Self { parcel, contents: items.into_iter().map(content).collect(), sender }
    }
}

/// What came, as the backend takes it.
fn content<K: Isolation>(item: Item<K>) -> Content<K::Memory> {
    match item {
        Item::File(number, file) => Content::File(number, open_file(file, number)),
        Item::Memory(number, memory, access) => {
            // The manager, where it is here, has it mapped as well.
            let memory = Arc::try_unwrap(memory).or_else(|memory| memory.alias(access));
            memory.map_or(Content::Missing(number), |memory| Content::Memory(number, memory))
        }
        Item::Known(number) => Content::Known(number),
        Item::Missing(number) => Content::Missing(number),
    }
}
