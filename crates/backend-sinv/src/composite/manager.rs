//! The manager: knows who holds what, makes what has to be made, and sees to it that what is gone is
//! told.
//!
//! It runs on its clients' threads, of which several can be in it at a time. What it knows is in tables
//! behind one lock, under which nobody is invoked or woken: what it needs of other managers it asks for
//! in front of that, and what is to be told is noted there and told behind it.
//!
//! Who asks is known from the invocation, never from what it says.

mod clients;
mod effects;
mod names;
mod objects;
mod parcels;
mod queues;

use core::cell::UnsafeCell;
use core::fmt;

use res_api::{Barrier, ErrorKind};
use res_kernel::composite::Once;
use res_kernel::composite::syscall::{Answer, Client};
use res_kernel::{Composite, Kernel, KernelError};
use res_sync::Mutex;

use super::ask::{Ask, answer};
use super::page::Page;
use crate::ends::{ComponentId, Holders, TRANSIT};

use clients::Clients;
use names::Names;
use objects::Objects;
use parcels::Parcels;
use queues::Queues;

type Result<T> = core::result::Result<T, ErrorKind>;

/// Components of a system.
const CLIENTS: usize = 8;

/// What the component of the manager is made of.
///
/// Its component has no threads, and does nothing but what its clients ask for. It exports one
/// function:
///
/// ```no_run
/// use backend_sinv::composite::Manager;
/// use res_kernel::composite::syscall::{Answer, Client};
///
/// static MANAGER: Manager = Manager::new();
///
/// fn ask(client: Client, words: [u64; 4]) -> Answer {
///     MANAGER.ask(client, words)
/// }
///
/// res_kernel::composite_entries! {
///     __cosrt_s_sinv_ask = ask;
/// }
/// # fn main() {}
/// ```
pub struct Manager {
    open: Once<Open>,
    /// Behind the lock that is made when the first client comes.
    state: UnsafeCell<State>,
}

// SAFETY: the state is used by the one lock that is made for it, see `open`.
unsafe impl Sync for Manager {}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Manager")
    }
}

impl Default for Manager {
    fn default() -> Self {
        Self::new()
    }
}

/// A manager at work.
struct Open {
    machine: Composite,
    state: Mutex<Composite, &'static mut State>,
}

/// What it knows.
struct State {
    clients: Clients,
    objects: Objects,
    parcels: Parcels,
    queues: Queues,
    names: Names,
}

/// How many ends each component holds; the last count is of those on their way.
#[derive(Default)]
struct Counts([u16; CLIENTS + 1]);

impl Counts {
    const NONE: Self = Self([0; CLIENTS + 1]);

    const fn place(who: ComponentId) -> usize {
        if who == TRANSIT || who as usize > CLIENTS { CLIENTS } else { who as usize }
    }
}

impl Holders for Counts {
    fn has(&self, who: ComponentId) -> bool {
        self.0[Self::place(who)] != 0
    }

    fn len(&self) -> usize {
        self.0.iter().map(|count| usize::from(*count)).sum()
    }

    fn add(&mut self, who: ComponentId) {
        let count = &mut self.0[Self::place(who)];
        *count = count.saturating_add(1);
    }

    fn remove(&mut self, who: ComponentId) -> bool {
        let count = &mut self.0[Self::place(who)];
        let had = *count != 0;
        *count = count.saturating_sub(1);
        had
    }

    fn remove_all(&mut self, who: ComponentId) -> bool {
        core::mem::take(&mut self.0[Self::place(who)]) != 0
    }
}

impl Manager {
    /// One that knows of no component yet.
    pub const fn new() -> Self {
        let state = State {
            clients: Clients::new(),
            objects: Objects::new(),
            parcels: Parcels::new(),
            queues: Queues::new(),
            names: Names::new(),
        };
        Self { open: Once::new(), state: UnsafeCell::new(state) }
    }

    /// What `sinv_ask` does: words of the client, which may be anything.
    pub fn ask(&'static self, client: Client, words: [u64; 4]) -> Answer {
        answer(self.asked(client, words))
    }

    fn asked(&'static self, client: Client, words: [u64; 4]) -> Result<[u64; 3]> {
        let ask = Ask::from_words(words).ok_or(ErrorKind::Invalid)?;
        self.open().map_err(|error| error.kind)?.answer(client, ask)
    }

    fn open(&'static self) -> core::result::Result<&'static Open, KernelError> {
        self.open.get_or_make(|| {
            let machine = Composite::boot_to_serve()?;
            let point = machine.point()?;
            // SAFETY: booting succeeds once, so this is the only reference ever made.
            let state = unsafe { &mut *self.state.get() };
            Ok(Open { machine, state: Mutex::new(machine, point, Barrier::Fence, state) })
        })
    }
}

impl Open {
    /// Changes what is known, then tells whoever has to be told.
    fn within<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let (changed, has_news) = {
            let mut state = self.state.lock();
            (change(&mut state), state.objects.has_news())
        };
        if has_news {
            self.tell_all();
        }
        changed
    }

    fn answer(&self, client: Client, ask: Ask) -> Result<[u64; 3]> {
        let token = client.id();
        match ask {
            Ask::Attach => self.attach(token),
            Ask::Memory(bytes) => self.make_memory(token, bytes),
            Ask::Place(word) => self.place(token, word),
            Ask::Queue(capacity) => self.make_queue(token, capacity),
            ask => self.within(|state| {
                let (who, page) = state.clients.attached(token)?;
                state.answer(who, page, ask)
            }),
        }
    }
}

impl State {
    fn answer(&mut self, who: ComponentId, page: Page, ask: Ask) -> Result<[u64; 3]> {
        match ask {
            Ask::Forget(object) => self.objects.forget(who, object)?,
            Ask::Left(word, side, why) => self.objects.left(who, word, side, why)?,
            Ask::Publish(bytes) => self.publish(who, page, bytes as usize)?,
            Ask::Lookup => return self.lookup(who, page),
            Ask::Send(queue, bytes) => return self.send(who, page, (queue, bytes as usize)),
            Ask::Receive(queue) => return self.receive(who, page, queue),
            Ask::LeftQueue(queue, role, why) => self.left_queue(who, (queue, role), why)?,
            Ask::Watch(word, bit) => self.objects.watch(who, word, bit)?,
            Ask::Unwatch(word) => return Ok([self.objects.unwatch(who, word)?.into(), 0, 0]),
            Ask::Ring(word) => self.objects.ring(who, word)?,
            Ask::End => self.end(who),
            // Not under the lock.
            Ask::Attach | Ask::Memory(_) | Ask::Place(_) | Ask::Queue(_) => {
                return Err(ErrorKind::Invalid);
            }
        }
        Ok([0; 3])
    }
}
