//! The part of the seam that isolated components stand on: domains, and how they meet.
//!
//! A domain shares nothing with the one that started it but a socket. Over it travel bytes and
//! memory objects; who has mapped the same object can then use rings and event counts in it without
//! asking anybody. A simulated machine can stand below the same backend: nothing here is a process,
//! a descriptor or a path.

use res_api::ErrorKind;
use res_sync::Deadline;

use crate::{Confinement, Kernel, KernelError, KernelMemory};

/// A machine with domains.
///
/// # Example
///
/// ```
/// use res_kernel::linux::LinuxSocket;
/// use res_kernel::{Domain, DomainEnd, Isolation, Linux, Socket};
/// use res_sync::Deadline;
///
/// fn shout(_: Linux, socket: LinuxSocket) {
///     let mut word = [0; 5];
///     socket.recv(&mut word, &mut [], Deadline::NEVER).expect("the other side lives");
///     socket.send(&word.map(|letter| letter.to_ascii_uppercase()), &[]).expect("and listens");
/// }
///
/// let (domain, socket) = Linux::new().domain(shout)?;
/// socket.send(b"hello", &[])?;
/// let mut answer = [0; 5];
/// socket.recv(&mut answer, &mut [], Deadline::NEVER)?;
/// assert_eq!(&answer, b"HELLO");
/// assert_eq!(domain.wait(Deadline::NEVER), Some(DomainEnd::Returned));
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
pub trait Isolation: Kernel {
    /// An open file.
    type File: KernelFile;
    /// What two domains talk through.
    type Socket: Socket<Memory = Self::Memory, File = Self::File>;
    /// A handle to another domain.
    type Domain: Domain;
    /// A program that was built by itself, for a domain to execute.
    type Program: Clone + Send + Sync + 'static;

    /// From now on `point` is the place for a word that several domains have mapped. In each of
    /// them the word has such a place.
    fn between(&self, point: &Self::Point);

    /// The entry, as it is called in every domain of this program.
    ///
    /// # Errors
    ///
    /// `Invalid` for one outside of the program.
    fn code_of(&self, entry: DomainEntry<Self>) -> Result<EntryCode, KernelError>;

    /// Starts a domain: in it, and nowhere else, the entry runs, with one end of a socket; the
    /// other is returned. Of what this domain has it sees nothing, and it can do no more than
    /// [`confinement`](Self::confinement) says: use what it is sent, and have threads. Memory
    /// objects of its own are among what is `Denied` to it.
    ///
    /// A code that another domain said is safe to use: whatever it is, only the new domain suffers.
    ///
    /// # Errors
    ///
    /// `Invalid` for an entry outside of the program, `NoMemory`, `NoSlots`; what the machine
    /// refuses.
    fn domain_at(&self, entry: EntryCode) -> Result<(Self::Domain, Self::Socket), KernelError>;

    /// Starts a domain that executes another program. It is confined before the first instruction
    /// of that; what it has to do with the socket, which it inherits, is its own business.
    ///
    /// # Errors
    ///
    /// As [`domain_at`](Self::domain_at). A program that cannot be executed after all is a domain
    /// that ends at once.
    fn domain_of(
        &self,
        program: &Self::Program,
    ) -> Result<(Self::Domain, Self::Socket), KernelError>;

    /// The same as [`domain_at`](Self::domain_at), of a function of this domain.
    ///
    /// # Errors
    ///
    /// As [`domain_at`](Self::domain_at).
    fn domain(
        &self,
        entry: DomainEntry<Self>,
    ) -> Result<(Self::Domain, Self::Socket), KernelError> {
        self.domain_at(self.code_of(entry)?)
    }

    /// What domains that are started here are kept from: what is in force, not what was tried.
    ///
    /// # Errors
    ///
    /// Those of [`domain`](Self::domain), where none could be started at all.
    fn confinement(&self) -> Result<Confinement, KernelError>;
}

/// The entry of a domain as it travels: the same number in all domains of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryCode(pub u64);

/// An open file, to read.
///
/// # Example
///
/// ```
/// use res_kernel::KernelFile;
/// use res_kernel::linux::LinuxFile;
///
/// let file = LinuxFile::new(std::fs::File::open("Cargo.toml")?);
/// let mut start = [0; 9];
/// assert_eq!(file.read_at(0, &mut start)?, 9);
/// assert_eq!(&start, b"[package]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait KernelFile: Send + Sync + 'static {
    /// How long it is now, in bytes.
    fn len(&self) -> u64;

    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads at `offset`; how many bytes, 0 at the end.
    ///
    /// # Errors
    ///
    /// `Other` where the machine fails to read.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, ErrorKind>;
}

/// Where a domain begins. It ends when this returns.
pub type DomainEntry<K> = fn(K, <K as Isolation>::Socket);

/// How a domain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DomainEnd {
    /// Its entry returned.
    Returned,
    /// Its entry panicked.
    Panicked,
    /// It ended itself otherwise, with that code.
    Exited(i32),
    /// It was killed, by that signal of the machine.
    Killed(i32),
}

/// A handle to another domain. Dropping it kills the domain.
///
/// # Example
///
/// ```
/// use res_kernel::linux::LinuxSocket;
/// use res_kernel::{Domain, DomainEnd, Isolation, Linux};
/// use res_sync::Deadline;
///
/// fn for_ever(_: Linux, _socket: LinuxSocket) {
///     loop {
///         std::thread::park();
///     }
/// }
///
/// let (domain, _socket) = Linux::new().domain(for_ever)?;
/// assert_eq!(domain.wait(Deadline::PASSED), None);
/// domain.kill();
/// assert!(matches!(domain.wait(Deadline::NEVER), Some(DomainEnd::Killed(_))));
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
pub trait Domain: Send + Sync {
    /// The machine's number for it, for people who look.
    fn id(&self) -> u64;

    /// Ends it, between any two of its instructions; nothing of it runs any more. It may take a
    /// moment: [`wait`](Self::wait) is the proof.
    fn kill(&self);

    /// Waits until it has ended, and how; `None` if it lives at the deadline. Proof of death: once
    /// this has said so, nothing of the domain runs, or writes to memory that it had mapped (H14).
    fn wait(&self, deadline: Deadline) -> Option<DomainEnd>;

    /// Waits until it has ended; whether it has, with the same proof. How is often known a little
    /// later.
    fn ended(&self, deadline: Deadline) -> bool {
        self.wait(deadline).is_some()
    }
}

/// What travels over a [`Socket`] besides bytes.
#[derive(Clone, Copy, Debug)]
pub enum Passed<M, F> {
    /// A memory object.
    Memory(M),
    /// An open file.
    File(F),
}

impl<M, F> Passed<M, F> {
    /// The memory object, if it is one.
    pub fn into_memory(self) -> Option<M> {
        match self {
            Self::Memory(memory) => Some(memory),
            Self::File(_) => None,
        }
    }

    /// The file, if it is one.
    pub fn into_file(self) -> Option<F> {
        match self {
            Self::File(file) => Some(file),
            Self::Memory(_) => None,
        }
    }
}

/// What may come over a socket: a memory object or a file, and a place for it.
pub type Place<S> = Option<Passed<<S as Socket>::Memory, <S as Socket>::File>>;

/// What came over a [`Socket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many bytes.
    pub bytes: usize,
    /// How many memory objects.
    pub objects: usize,
}

/// One end of a connection between two domains: whole messages of bytes and memory objects, in
/// order. For the control plane; data goes through memory.
///
/// # Example
///
/// ```
/// use res_kernel::linux::LinuxSocket;
/// use res_kernel::{Isolation, Kernel, KernelMemory, Linux, Passed, Socket};
/// use res_sync::Deadline;
///
/// fn fill(_: Linux, socket: LinuxSocket) {
///     let mut page = [None];
///     socket.recv(&mut [], &mut page, Deadline::NEVER).expect("the other side lives");
///     let page = page[0].take().and_then(Passed::into_memory).expect("it sent one");
///     // SAFETY: mapped for writing, and the other side waits.
///     unsafe { page.base().write(7) };
///     socket.send(&[], &[]).expect("the other side waits");
/// }
///
/// let machine = Linux::new();
/// let (page, (_domain, socket)) = (machine.memory(4096)?, machine.domain(fill)?);
/// socket.send(&[], &[Passed::Memory(&page)])?;
/// socket.recv(&mut [], &mut [], Deadline::NEVER)?;
/// // SAFETY: mapped, and the other side is done with it.
/// assert_eq!(unsafe { page.base().read() }, 7);
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
pub trait Socket: Send + Sync {
    /// Memory objects that travel.
    type Memory: KernelMemory;
    /// Files that travel.
    type File: KernelFile;

    /// Bytes of a message at most.
    const MOST_BYTES: usize;
    /// Memory objects and files of a message at most.
    const MOST_OBJECTS: usize;

    /// Sends a message; does not wait. Whoever gets an object can map it as it is mapped here: what
    /// was mapped for reading cannot be written to there (H7).
    ///
    /// # Errors
    ///
    /// `PeerGone`; `NoSlots` where the other side does not listen; `Invalid` for too much at once;
    /// `Denied`, where domains are not kept from opening files, for an object that was sent to be
    /// read before and now is to be written, or the reverse.
    fn send(
        &self,
        bytes: &[u8],
        objects: &[Passed<&Self::Memory, &Self::File>],
    ) -> Result<(), KernelError>;

    /// Waits until there may be room for a message, or the other side is gone.
    ///
    /// # Errors
    ///
    /// `TimedOut`.
    fn room(&self, deadline: Deadline) -> Result<(), KernelError>;

    /// Receives a message, waiting for one until the deadline. A memory object that cannot be mapped
    /// for want of memory is counted, and its place left empty.
    ///
    /// # Errors
    ///
    /// `PeerGone` when the other side is gone and all that it sent has been received; `TimedOut`;
    /// `Misbehaved` for a message that does not fit or an object that may not be trusted to stay as
    /// it is: it is dropped.
    fn recv(
        &self,
        bytes: &mut [u8],
        objects: &mut [Place<Self>],
        deadline: Deadline,
    ) -> Result<Received, KernelError>
    where
        Self: Sized;
}
