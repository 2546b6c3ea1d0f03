//! A component's connection to the manager.

use core::iter::repeat_with;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use backend_local::parcel::{Content, OpenFile, Parcel};
use res_api::{Deadline, ErrorKind, Gone, Role};
use res_kernel::{Isolation, KernelError, KernelFile, KernelMemory, Passed, Place, Socket};
use res_sync::Mutex;

use crate::manager::Manager;
use crate::request::{Answer, ComponentId, Item, Request, Said};
use crate::wire::Wire;

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

/// A socket, and room for an answer.
struct Line<K: Isolation> {
    socket: K::Socket,
    bytes: Vec<u8>,
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
    pub(crate) fn there(
        kernel: &K,
        id: ComponentId,
        socket: K::Socket,
    ) -> Result<Self, KernelError> {
        let wire = Line { socket, bytes: vec![0; K::Socket::MOST_BYTES] };
        let wire = Mutex::new(kernel.clone(), kernel.point()?, kernel.barrier(), wire);
        Ok(Self { kernel: kernel.clone(), id, way: Way::There(wire) })
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
            Way::There(wire) => {
                let mut wire = wire.lock();
                wire.send(&self.kernel, &request)?;
                wire.receive()?
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
            Content::File(..) => Err(ErrorKind::Misbehaved),
        }
    }

    /// Nobody here has an end of that queue, which was made here.
    pub(crate) fn abandon_queue(&self, queue: u64) {
        for role in [Role::CapSnd, Role::CapRcv] {
            self.say(Request::LeftQueue(queue, role, Gone::Closed));
        }
    }

    /// Asks for a capability; none if there is none now.
    pub(crate) fn parcel(
        &self,
        request: Request,
    ) -> Result<Option<(Parcel, Vec<Content<K::Memory>>)>, ErrorKind> {
        let Answer { said, items } = self.call(request)?;
        match said {
            Said::NotNow() => Ok(None),
            Said::Parcel(parcel) => Ok(Some((parcel, items.into_iter().map(content).collect()))),
            _ => Err(ErrorKind::Misbehaved),
        }
    }

    /// Says something that needs no answer.
    pub(crate) fn say(&self, request: Request) {
        match &self.way {
            Way::Here(manager) => drop(manager.handle(self.id, request)),
            // If the manager is gone, this component soon is, too.
            Way::There(wire) => drop(wire.lock().send(&self.kernel, &request)),
        }
    }
}

impl<K: Isolation> Line<K> {
    fn send(&self, kernel: &K, request: &Request) -> Result<(), ErrorKind> {
        let bytes = request.encoded();
        loop {
            match self.socket.send(&bytes, &[]) {
                Ok(()) => return Ok(()),
                // The manager takes them one after the other.
                Err(error) if error.kind == ErrorKind::NoSlots => kernel.yield_to(None),
                Err(error) => return Err(error.kind),
            }
        }
    }

    fn receive(&mut self) -> Result<Answer<K>, ErrorKind> {
        let mut places: Vec<Place<K::Socket>> =
            (0..K::Socket::MOST_OBJECTS).map(|_| None).collect();
        let received = self.socket.recv(&mut self.bytes, &mut places, Deadline::NEVER);
        let received = received.map_err(|error| error.kind)?;
        let message = <(Said, Vec<u64>)>::decoded(&self.bytes[..received.bytes]);
        let (said, numbers) = message.ok_or(ErrorKind::Misbehaved)?;
        // Those that could not be sent are named behind the others.
        let objects = places.into_iter().take(received.objects).chain(repeat_with(|| None));
        let items = numbers.into_iter().zip(objects);
        let items = items.map(|(number, object)| match object {
            Some(Passed::Memory(memory)) => {
                let access = memory.access();
                Item::Memory(number, Arc::new(memory), access)
            }
            Some(Passed::File(file)) => Item::File(number, Arc::new(file)),
            None => Item::Missing(number),
        });
        Ok(Answer { said, items: items.collect() })
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
        Item::Missing(number) => Content::Missing(number),
    }
}
