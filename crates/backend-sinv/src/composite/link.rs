//! A component's connection to the manager: invocations, and a page.

use core::ptr::addr_of;

use backend_local::parcel::{Content, Unpacker};
use backend_local::{Blockpoint, Cap, LocalError, Mem};
use res_api::{Barrier, ErrorKind, Mem as _, Name};
use res_kernel::composite::interface::memmgr::BufferId;
use res_kernel::composite::syscall::{Invocation, Stub};
use res_kernel::composite::{CompositeMemory, Once};
use res_kernel::{Composite, Kernel, KernelError};
use res_sync::Mutex;

use super::ask::{Ask, answered};
use super::encoded::{Encoded, encode};
use super::page::{OBJECT, OBJECTS, PARCEL, Page, SOURCES};
use crate::wire::{Sink, Wire};

unsafe extern "C" {
    static __cosrt_ucap_sinv_ask: Stub;
}

/// The groups' sources that have their signallers elsewhere, by the bits of the page.
pub(super) type Sources = [Option<Blockpoint<Composite>>; SOURCES as usize];

/// The connection of this component.
pub(super) struct Link {
    pub(super) machine: Composite,
    manager: Invocation,
    pub(super) page: Page,
    /// Held by the one that uses the beginning of the page, or maps something.
    line: Mutex<Composite, ()>,
    pub(super) sources: Mutex<Composite, Sources>,
}

static LINK: Once<Link> = Once::new();

fn manager() -> Invocation {
    // SAFETY: it is the composer's symbol.
    unsafe { Stub::read(addr_of!(__cosrt_ucap_sinv_ask)) }.invocation()
}

fn ask(manager: Invocation, ask: Ask) -> Result<[u64; 3], ErrorKind> {
    // SAFETY: numbers, and no addresses; the manager invokes none of its clients, so no thread is in
    // it already. How deep a thread may be is its author's affair: see `Sinv::attach`.
    answered(unsafe { manager.call(ask.to_words()) })
}

impl Link {
    /// Makes this component one of the system, and connects it when that is done for the first time.
    pub(super) fn attach(machine: Composite) -> Result<&'static Self, LocalError> {
        let [buffer, ..] = ask(manager(), Ask::Attach)?;
        let link = LINK.get_or_make(|| Self::new(machine, buffer as BufferId));
        link.inspect_err(|_| {
            let _ = ask(manager(), Ask::End);
        })
    }

    fn new(machine: Composite, buffer: BufferId) -> Result<Self, LocalError> {
        let lock = || Ok::<_, KernelError>((machine.point()?, Barrier::Fence));
        let ((line, barrier), (sources, _)) = (lock()?, lock()?);
        // SAFETY: the manager, which is believed, said it to this component alone.
        let page = Page::of(&unsafe { machine.open(buffer)? });
        Ok(Self {
            machine,
            manager: manager(),
            page,
            line: Mutex::new(machine, line, barrier, ()),
            sources: Mutex::new(machine, sources, barrier, [const { None }; SOURCES as usize]),
        })
    }

    /// Asks for what fits into an invocation.
    pub(super) fn ask(&self, what: Ask) -> Result<[u64; 3], ErrorKind> {
        ask(self.manager, what)
    }

    /// Says something that has no answer: the manager refuses only what is not so.
    pub(super) fn say(&self, what: Ask) {
        let _ = self.ask(what);
    }

    /// The pages of a buffer that the manager gave.
    pub(super) fn open(&self, buffer: BufferId) -> Result<CompositeMemory, KernelError> {
        let _line = self.line.lock();
        // SAFETY: the manager, which is believed, said the number, and counts who has it; one thread
        // at a time is here.
        unsafe { self.machine.open(buffer) }
    }

    /// Puts a capability under a name. It stays as it is.
    pub(super) fn publish(&self, name: Name, cap: &Cap<Composite>) -> Result<(), ErrorKind> {
        let _line = self.line.lock();
        let mut room = self.page.room();
        name.put(&mut room);
        let bytes = encode(cap, &mut room)?;
        self.ask(Ask::Publish(bytes)).map(drop)
    }

    /// Puts a capability into a queue; false where there is no room. It stays as it is.
    pub(super) fn send(&self, queue: u64, cap: &Cap<Composite>) -> Result<bool, ErrorKind> {
        let _line = self.line.lock();
        let mut room = self.page.room();
        room.append(&[0; Name::SIZE]);
        let bytes = encode(cap, &mut room)?;
        Ok(self.ask(Ask::Send(queue, bytes))?[0] != 0)
    }

    /// What is next in a queue, and who sent it; none where there is nothing.
    #[inline(never)]
    pub(super) fn receive(&self, queue: u64, into: &mut Inbox) -> Result<Option<u32>, ErrorKind> {
        let _line = self.line.lock();
        let answered = self.ask(Ask::Receive(queue))?;
        if answered[2] == 0 {
            return Ok(None);
        }
        into.fill(self.page, answered)?;
        Ok(Some(answered[2] as u32))
    }

    /// What is under a name. (By itself, as `Inbox::of`: what they need of the stack is not needed while
    /// that is put together.)
    #[inline(never)]
    pub(super) fn lookup(&self, name: Name, into: &mut Inbox) -> Result<(), ErrorKind> {
        let _line = self.line.lock();
        name.put(&mut self.page.room());
        let answered = self.ask(Ask::Lookup)?;
        into.fill(self.page, answered)
    }
}

/// A capability that has come, and what is said of its objects.
pub(super) struct Inbox {
    bytes: Mem<Composite>,
    /// How many of the bytes say something of objects.
    objects: usize,
    /// And how many are the capability, behind those.
    parcel: usize,
}

impl Inbox {
    /// Nothing has come yet. Its bytes are private memory: there are too many for a stack.
    #[inline(never)]
    pub(super) fn of(unpacker: &Unpacker<'_, Composite>) -> Result<Self, LocalError> {
        let bytes = unpacker.room((OBJECTS * OBJECT + PARCEL) as u64)?;
        Ok(Self { bytes, objects: 0, parcel: 0 })
    }

    fn fill(&mut self, from: Page, [objects, parcel, _]: [u64; 3]) -> Result<(), ErrorKind> {
        let (objects, parcel) = ((objects as usize).saturating_mul(OBJECT), parcel as usize);
        let bytes = self.bytes.bytes_mut().get_mut(..objects.saturating_add(parcel));
        from.take(bytes.ok_or(ErrorKind::Misbehaved)?);
        (self.objects, self.parcel) = (objects, parcel);
        Ok(())
    }

    pub(super) fn parcel(&self) -> Option<Encoded<'_>> {
        Encoded::checked(&self.bytes.bytes()[self.objects..self.objects + self.parcel])
    }

    /// The memory objects, as each is mapped.
    pub(super) fn contents<'a>(
        &'a self,
        link: &'a Link,
    ) -> impl Iterator<Item = Content<CompositeMemory>> + 'a {
        let objects = self.bytes.bytes()[..self.objects].chunks_exact(OBJECT);
        objects.map(|object| {
            let [number, buffer] = [0, 8].map(|at| {
                let word = object[at..].first_chunk().copied();
                u64::from_le_bytes(word.unwrap_or_default())
            });
            let memory = link.open(buffer as BufferId);
            memory.map_or(Content::Missing(number), |memory| Content::Memory(number, memory))
        })
    }
}
