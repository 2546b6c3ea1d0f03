//! Threads that serve components: one each, until it is gone.

use core::mem::replace;
use core::time::Duration;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use res_api::{Barrier, Deadline, ErrorKind, Exit, Wake};
use res_kernel::{
    Access, Domain, Isolation, KernelError, KernelMemory, KernelThread, Passed, Socket,
};
use res_sync::model::Atomic;
use res_sync::{Event, MemoryModel, Mutex};

use super::Manager;
use crate::request::{Answer, ComponentId, Item, Request, Told};
use crate::spawn::spawn;
use crate::wire::Wire;

/// How long a component has, behind the last that it says, until it is ended.
const PARTING: Duration = Duration::from_millis(100);

/// A component that is to be served.
pub(super) struct Service<K: Isolation> {
    pub(super) manager: Arc<Manager<K>>,
    pub(super) id: ComponentId,
    pub(super) socket: Arc<K::Socket>,
    pub(super) domain: Arc<K::Domain>,
}

impl<K: Isolation> Service<K> {
    /// Serves it until it is gone; its end, which has yet to be told. One that does not keep to the
    /// rules is ended.
    fn run(self) -> End<K> {
        let Self { manager, id, socket, domain } = self;
        // Whatever happens here, it does not outlive this.
        let mut end = End { manager, id, domain, said: None, awaited: false };
        end.said = answer_all(&end.manager, id, &socket);
        // Nobody listens any more. What lies there is given back.
        drop(socket);
        end.wait();
        end
    }
}

/// Answers what a component asks, until it says how it ends, which is the last that it says. `None`: it
/// does not say that.
fn answer_all<K: Isolation>(
    manager: &Arc<Manager<K>>,
    id: ComponentId,
    socket: &K::Socket,
) -> Option<Exit> {
    let mut bytes = vec![0; K::Socket::MOST_BYTES];
    loop {
        let received = socket.recv(&mut bytes, &mut [], Deadline::NEVER).ok()?;
        let request = Request::decoded(&bytes[..received.bytes])?;
        if let Request::Ends(exit) = request {
            return Some(exit);
        }
        let is_answered = request.is_answered();
        let answer = manager.handle(id, request);
        if is_answered {
            say::<K>(socket, answer).ok()?;
        }
    }
}

/// The end of a component that was served, told when this is dropped.
struct End<K: Isolation> {
    manager: Arc<Manager<K>>,
    id: ComponentId,
    domain: Arc<K::Domain>,
    said: Option<Exit>,
    awaited: bool,
}

impl<K: Isolation> End<K> {
    /// Nothing of it runs behind this.
    fn wait(&mut self) {
        let Self { manager, domain, said, awaited, .. } = self;
        if replace(awaited, true) {
            return;
        }
        let leaves = said.is_some_and(|exit| exit != Exit::Died);
        if !(leaves && domain.ended(Deadline::at(manager.kernel.now() + PARTING))) {
            domain.kill();
            domain.ended(Deadline::NEVER);
        }
    }
}

impl<K: Isolation> Drop for End<K> {
    fn drop(&mut self) {
        // Where serving it was cut short.
        self.wait();
        self.manager.bury(self.id, self.said.unwrap_or(Exit::Died));
    }
}

/// Threads that serve. One rests while it is not needed, so that a start seldom has to wait for a new
/// one; there is none more than that, whatever has been.
pub(super) struct Servers<K: Isolation>(Arc<Bed<K>>);

/// Where one rests.
struct Bed<K: Isolation> {
    kernel: K,
    state: Mutex<K, Rest<K>>,
    word: <K::Model as MemoryModel>::U64,
    point: K::Point,
}

enum Rest<K: Isolation> {
    Nobody,
    /// Or is about to, behind what is still to be told.
    Somebody,
    /// Whoever rests there is to serve that.
    Called(Service<K>),
    /// Nobody rests any more.
    Over,
}

impl<K: Isolation> Servers<K> {
    pub(super) fn new(kernel: &K) -> Result<Self, KernelError> {
        let (lock, point) = (kernel.point()?, kernel.point()?);
        let state = Mutex::new(kernel.clone(), lock, Barrier::Fence, Rest::Nobody);
        let word = Atomic::new(kernel.first_word(&point));
        let servers = Self(Arc::new(Bed { kernel: kernel.clone(), state, word, point }));
        servers.add(None)?;
        Ok(servers)
    }

    /// Has it served.
    pub(super) fn serve(&self, service: Service<K>) -> Result<(), KernelError> {
        self.0.call(service).map_or(Ok(()), |service| self.add(Some(service)))
    }

    /// One thread more.
    fn add(&self, first: Option<Service<K>>) -> Result<(), KernelError> {
        let bed = Arc::clone(&self.0);
        let thread = spawn(&self.0.kernel, move || bed.work(first))?;
        // It is for any component, and not scheduled as whoever needed it first.
        thread.reset();
        Ok(())
    }
}

impl<K: Isolation> Drop for Servers<K> {
    fn drop(&mut self) {
        *self.0.state.lock() = Rest::Over;
        self.0.event().trigger(Wake::All);
    }
}

impl<K: Isolation> Bed<K> {
    fn event(&self) -> Event<'_, K> {
        let Self { kernel, word, point, .. } = self;
        Event { park: kernel, point, word, barrier: Barrier::Fence }
    }

    /// Calls whoever rests; the service, if nobody does.
    fn call(&self, service: Service<K>) -> Option<Service<K>> {
        let mut state = self.state.lock();
        if !matches!(*state, Rest::Somebody) {
            return Some(service);
        }
        *state = Rest::Called(service);
        drop(state);
        self.event().trigger(Wake::One);
        None
    }

    /// The life of a thread that serves.
    fn work(&self, first: Option<Service<K>>) {
        let mut next = match first {
            None if self.lie_down() => self.rest(),
            first => first,
        };
        while let Some(service) = next {
            let end = service.run();
            // Whoever is told may start another one at once.
            let rests = self.lie_down();
            drop(end);
            next = if rests { self.rest() } else { None };
        }
    }

    /// From now on it is called, unless somebody else rests, or nobody will be called.
    fn lie_down(&self) -> bool {
        let mut state = self.state.lock();
        let free = matches!(*state, Rest::Nobody);
        if free {
            *state = Rest::Somebody;
        }
        free
    }

    /// Rests until it is called. `None`: nobody will be.
    fn rest(&self) -> Option<Service<K>> {
        let woken = || {
            let mut state = self.state.lock();
            if matches!(*state, Rest::Somebody) {
                return None;
            }
            match replace(&mut *state, Rest::Nobody) {
                Rest::Called(service) => Some(Some(service)),
                over => {
                    *state = over;
                    Some(None)
                }
            }
        };
        self.event().sleep_until(Deadline::NEVER, woken).ok().flatten()
    }
}

/// Sends an answer, and what goes with it. What cannot go, for want of memory, is named behind the
/// rest: whoever gets it sees that it is missing.
pub(super) fn say<K: Isolation>(
    socket: &K::Socket,
    answer: Answer<K>,
) -> core::result::Result<(), KernelError> {
    let Answer { said, items } = answer;
    let (mut sent, mut known, mut missing, mut lent) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for item in &items {
        match Carried::of(item) {
            Ok(Some(one)) => {
                lent.push(one);
                sent.push(item.number());
            }
            Ok(None) => known.push(item.number()),
            Err(_) => missing.push(item.number()),
        }
    }
    sent.extend(missing);
    let passed: Vec<_> = lent.iter().map(Carried::as_passed).collect();
    socket.send(&Told { said, sent, known }.encoded(), &passed)
}

/// What goes with an answer, mapped as it may be mapped there.
enum Carried<'a, K: Isolation> {
    Whole(&'a K::Memory),
    Less(K::Memory),
    File(&'a K::File),
}

impl<'a, K: Isolation> Carried<'a, K> {
    /// None for what is known.
    fn of(item: &'a Item<K>) -> core::result::Result<Option<Self>, KernelError> {
        Ok(Some(match item {
            Item::File(_, file) => Self::File(file),
            Item::Memory(_, memory, Access::ReadWrite) => Self::Whole(memory),
            Item::Memory(_, memory, Access::Read) => Self::Less(memory.alias(Access::Read)?),
            Item::Known(_) => return Ok(None),
            Item::Missing(_) => {
                return Err(KernelError::new("lend what is not there", ErrorKind::Invalid));
            }
        }))
    }

    fn as_passed(&self) -> Passed<&K::Memory, &K::File> {
        match self {
            Self::Whole(memory) => Passed::Memory(memory),
            Self::Less(memory) => Passed::Memory(memory),
            Self::File(file) => Passed::File(file),
        }
    }
}
