//! The part of the seam that isolated components stand on: domains, and how they meet.
//!
//! A domain shares nothing with the one that started it but a socket. Over it travel bytes and
//! memory objects; who has mapped the same object can then use rings and event counts in it without
//! asking anybody. A simulated machine can stand below the same backend: nothing here is a process,
//! a descriptor or a path.

use res_sync::{Deadline, Park};

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
    /// Parks at words in memory that several domains have mapped.
    type Between: Park<Model = Self::Model>;
    /// What two domains talk through.
    type Socket: Socket<Memory = Self::Memory>;
    /// A handle to another domain.
    type Domain: Domain;

    /// The machine, as it is between domains.
    fn between(&self) -> Self::Between;

    /// Starts a domain: in it, and nowhere else, `entry` runs, with one end of a socket; the other
    /// is returned. Of what this domain has it sees nothing, and it can do no more than
    /// [`confinement`](Self::confinement) says: use what it is sent, and have threads. Memory
    /// objects of its own are among what is `Denied` to it.
    ///
    /// # Errors
    ///
    /// `Invalid` for an entry outside of the program, `NoMemory`, `NoSlots`; what the machine
    /// refuses.
    fn domain(&self, entry: DomainEntry<Self>)
    -> Result<(Self::Domain, Self::Socket), KernelError>;

    /// What domains that are started here are kept from: what is in force, not what was tried.
    ///
    /// # Errors
    ///
    /// Those of [`domain`](Self::domain), where none could be started at all.
    fn confinement(&self) -> Result<Confinement, KernelError>;
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
}

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
/// use res_kernel::{Isolation, Kernel, KernelMemory, Linux, Socket};
/// use res_sync::Deadline;
///
/// fn fill(_: Linux, socket: LinuxSocket) {
///     let mut page = [None];
///     socket.recv(&mut [], &mut page, Deadline::NEVER).expect("the other side lives");
///     let page = page[0].take().expect("it sent one");
///     // SAFETY: mapped for writing, and the other side waits.
///     unsafe { page.base().write(7) };
///     socket.send(&[], &[]).expect("the other side waits");
/// }
///
/// let machine = Linux::new();
/// let (page, (_domain, socket)) = (machine.memory(4096)?, machine.domain(fill)?);
/// socket.send(&[], &[&page])?;
/// socket.recv(&mut [], &mut [], Deadline::NEVER)?;
/// // SAFETY: mapped, and the other side is done with it.
/// assert_eq!(unsafe { page.base().read() }, 7);
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
pub trait Socket: Send {
    /// What travels besides bytes.
    type Memory: KernelMemory;

    /// Bytes of a message at most.
    const MOST_BYTES: usize;
    /// Objects of a message at most.
    const MOST_OBJECTS: usize;

    /// Sends a message; does not wait. Whoever gets an object can map it as it is mapped here: what
    /// was mapped for reading cannot be written to there (H7).
    ///
    /// # Errors
    ///
    /// `PeerGone`; `NoSlots` where the other side does not listen; `Invalid` for too much at once;
    /// `Denied` for an object to be read only that was sent for writing before.
    fn send(&self, bytes: &[u8], objects: &[&Self::Memory]) -> Result<(), KernelError>;

    /// Receives a message, waiting for one until the deadline.
    ///
    /// # Errors
    ///
    /// `PeerGone` when the other side is gone and all that it sent has been received; `TimedOut`;
    /// `Misbehaved` for a message that does not fit or an object that may not be trusted to stay as
    /// it is: it is dropped.
    fn recv(
        &self,
        bytes: &mut [u8],
        objects: &mut [Option<Self::Memory>],
        deadline: Deadline,
    ) -> Result<Received, KernelError>;
}
