//! [`Linux`], of which a domain ends itself before its n-th step: an access to a word, or what it asks
//! of the machine that others can notice.

use std::mem::transmute;

use res_kernel::linux::{
    LinuxDomain, LinuxFile, LinuxMemory, LinuxPoint, LinuxProgram, LinuxSocket, LinuxThread,
};
use res_kernel::{
    Confinement, DomainEntry, EntryCode, Isolation, Kernel, KernelError, Linux, Panicked, Passed,
    Place, Received, Socket, ThreadEntry,
};
use res_sync::{Barrier, Deadline, Instant, Park, Parked, Waiting, Wake};

use crate::counted::{Counted, CountedU64, step};

/// The machine.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Mortal(pub(crate) Linux);

/// What its domains talk through.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct MortalSocket(LinuxSocket);

impl Park for Mortal {
    type Model = Counted;
    type Point = LinuxPoint;

    fn now(&self) -> Instant {
        self.0.now()
    }

    /// Nobody spins: the number of steps would be another one each time.
    fn spin_limit(&self) -> u32 {
        0
    }

    fn current(&self) -> u32 {
        self.0.current()
    }

    fn unwinding(&self) -> bool {
        self.0.unwinding()
    }

    fn park(&self, point: &LinuxPoint, word: &CountedU64, seen: u64, deadline: Deadline) -> Parked {
        step();
        self.0.park(point, &word.0, seen, deadline)
    }

    fn unpark(&self, point: &LinuxPoint, word: &CountedU64, moved: u64, wake: Wake) -> Option<u32> {
        step();
        self.0.unpark(point, &word.0, moved, wake)
    }

    fn park_any(&self, waits: &[Waiting<'_, Self>], deadline: Deadline) -> Option<usize> {
        step();
        let of_linux = waits.iter().map(|wait| Waiting::<Linux> {
            point: wait.point,
            word: &wait.word.0,
            seen: wait.seen,
        });
        self.0.park_any(&of_linux.collect::<Vec<_>>(), deadline)
    }

    fn heavy_barrier(&self, barrier: Barrier) {
        self.0.heavy_barrier(barrier);
    }
}

impl Kernel for Mortal {
    type Thread = LinuxThread;
    type Memory = LinuxMemory;

    fn cores(&self) -> u32 {
        self.0.cores()
    }

    fn barrier(&self) -> Barrier {
        self.0.barrier()
    }

    fn point(&self) -> Result<LinuxPoint, KernelError> {
        self.0.point()
    }

    fn yield_to(&self, thread: Option<u32>) {
        self.0.yield_to(thread);
    }

    unsafe fn thread(&self, entry: ThreadEntry) -> Result<LinuxThread, KernelError> {
        step();
        // SAFETY: the caller's promise.
        unsafe { self.0.thread(entry) }
    }

    fn memory(&self, bytes: u64) -> Result<LinuxMemory, KernelError> {
        self.0.memory(bytes)
    }

    fn guard(&self, body: &mut dyn FnMut()) -> Result<(), Panicked> {
        self.0.guard(body)
    }
}

impl Isolation for Mortal {
    type File = LinuxFile;
    type Socket = MortalSocket;
    type Domain = LinuxDomain;
    type Program = LinuxProgram;

    fn between(&self, point: &LinuxPoint) {
        self.0.between(point);
    }

    fn code_of(&self, entry: DomainEntry<Self>) -> Result<EntryCode, KernelError> {
        // SAFETY: both take what is called alike: `Mortal` and `MortalSocket` are transparent
        // wrappers of `Linux` and `LinuxSocket`.
        let entry = unsafe { transmute::<DomainEntry<Self>, DomainEntry<Linux>>(entry) };
        self.0.code_of(entry)
    }

    fn domain_at(&self, entry: EntryCode) -> Result<(LinuxDomain, MortalSocket), KernelError> {
        let (domain, socket) = self.0.domain_at(entry)?;
        Ok((domain, MortalSocket(socket)))
    }

    fn domain_of(
        &self,
        program: &LinuxProgram,
    ) -> Result<(LinuxDomain, MortalSocket), KernelError> {
        let (domain, socket) = self.0.domain_of(program)?;
        Ok((domain, MortalSocket(socket)))
    }

    fn confinement(&self) -> Result<Confinement, KernelError> {
        self.0.confinement()
    }
}

impl Socket for MortalSocket {
    type Memory = LinuxMemory;
    type File = LinuxFile;

    const MOST_BYTES: usize = LinuxSocket::MOST_BYTES;
    const MOST_OBJECTS: usize = LinuxSocket::MOST_OBJECTS;

    fn send(
        &self,
        bytes: &[u8],
        objects: &[Passed<&LinuxMemory, &LinuxFile>],
    ) -> Result<(), KernelError> {
        step();
        self.0.send(bytes, objects)
    }

    fn room(&self, deadline: Deadline) -> Result<(), KernelError> {
        step();
        self.0.room(deadline)
    }

    fn recv(
        &self,
        bytes: &mut [u8],
        objects: &mut [Place<Self>],
        deadline: Deadline,
    ) -> Result<Received, KernelError> {
        step();
        self.0.recv(bytes, objects, deadline)
    }
}
