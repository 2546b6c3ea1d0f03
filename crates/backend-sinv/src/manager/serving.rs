//! Threads that serve components: one each, until it is gone.

use core::mem::replace;
use core::time::Duration;
use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use res_api::{Barrier, Deadline, ErrorKind, Exit, Wake};
use res_kernel::{Access, Domain, Isolation, KernelError, KernelMemory, Passed, Socket};
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
    /// Serves it until it is gone. One that does not keep to the rules is ended.
    fn run(self) {
        let Self { manager, id, domain, .. } = &self;
        let said = self.answer_all();
        let leaves = said.is_some_and(|exit| exit != Exit::Died);
        // Proof: nothing of it runs behind this.
        if !(leaves && domain.ended(Deadline::at(manager.kernel.now() + PARTING))) {
            domain.kill();
            domain.ended(Deadline::NEVER);
        }
        manager.bury(*id, said.unwrap_or(Exit::Died));
    }

    /// Answers what it asks, until it says how it ends, which is the last that it says. `None`: it
    /// does not say that.
    fn answer_all(&self) -> Option<Exit> {
        let mut bytes = vec![0; K::Socket::MOST_BYTES];
        loop {
            let received = self.socket.recv(&mut bytes, &mut [], Deadline::NEVER).ok()?;
            let request = Request::decoded(&bytes[..received.bytes])?;
            if let Request::Ends(exit) = request {
                return Some(exit);
            }
            let is_answered = request.is_answered();
            let answer = self.manager.handle(self.id, request);
            if is_answered {
                say::<K>(&self.socket, answer).ok()?;
            }
        }
    }
}

/// Who serves. One thread rests while it is not needed, so that a start seldom has to wait for a new
/// one; there is none more than that, whatever has been.
pub(super) struct Servers<K: Isolation>(Arc<Rest<K>>);

/// Where it rests.
struct Rest<K: Isolation> {
    kernel: K,
    place: Mutex<K, Place<K>>,
    word: <K::Model as MemoryModel>::U64,
    point: K::Point,
}

enum Place<K: Isolation> {
    Free,
    Taken,
    /// Whoever rests there is to serve that.
    Called(Service<K>),
    /// Nobody rests any more.
    Closed,
}

impl<K: Isolation> Servers<K> {
    pub(super) fn new(kernel: &K) -> Result<Self, KernelError> {
        let (lock, point) = (kernel.point()?, kernel.point()?);
        let place = Mutex::new(kernel.clone(), lock, Barrier::Fence, Place::Free);
        let word = Atomic::new(kernel.first_word(&point));
        let rest = Arc::new(Rest { kernel: kernel.clone(), place, word, point });
        let first = Arc::clone(&rest);
        spawn(kernel, move || first.work(None))?;
        Ok(Self(rest))
    }

    /// Has it served.
    pub(super) fn serve(&self, service: Service<K>) -> Result<(), KernelError> {
        let Some(service) = self.0.call(service) else { return Ok(()) };
        let rest = Arc::clone(&self.0);
        spawn(&self.0.kernel, move || rest.work(Some(service)))
    }
}

impl<K: Isolation> Drop for Servers<K> {
    fn drop(&mut self) {
        *self.0.place.lock() = Place::Closed;
        self.0.event().trigger(Wake::All);
    }
}

impl<K: Isolation> Rest<K> {
    fn event(&self) -> Event<'_, K> {
        let Self { kernel, word, point, .. } = self;
        Event { park: kernel, point, word, barrier: Barrier::Fence }
    }

    /// Calls whoever rests; the service, if nobody does.
    fn call(&self, service: Service<K>) -> Option<Service<K>> {
        let mut place = self.place.lock();
        if !matches!(*place, Place::Taken) {
            return Some(service);
        }
        *place = Place::Called(service);
        drop(place);
        self.event().trigger(Wake::One);
        None
    }

    /// The life of a thread that serves.
    fn work(&self, first: Option<Service<K>>) {
        let mut next = first.or_else(|| self.rest());
        while let Some(service) = next {
            service.run();
            next = self.rest();
        }
    }

    /// Rests until it is called. `None`: somebody else rests, or nobody will be called.
    fn rest(&self) -> Option<Service<K>> {
        {
            let mut place = self.place.lock();
            match *place {
                Place::Free => *place = Place::Taken,
                _ => return None,
            }
        }
        let called = || {
            let mut place = self.place.lock();
            match replace(&mut *place, Place::Free) {
                Place::Called(service) => Some(Some(service)),
                Place::Closed => {
                    *place = Place::Closed;
                    Some(None)
                }
                other => {
                    *place = other;
                    None
                }
            }
        };
        self.event().sleep_until(Deadline::NEVER, called).ok().flatten()
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
