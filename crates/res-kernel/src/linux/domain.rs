//! Domains: processes that were forked for it.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use res_sync::Deadline;
use rustix::process::{Signal, pidfd_send_signal};

use super::fork_server::{self, Forked, Start};
use super::socket::{LinuxSocket, await_input};
use super::{Linux, LinuxFile, LinuxPoint, LinuxProgram, barrier};
use crate::{Confinement, Domain, DomainEnd, DomainEntry, EntryCode, Isolation, KernelError};

/// A process of this program that began at an entry, or that executes another one.
///
/// It has the standard stream for errors, its socket, and no other descriptor; it dies with the
/// process that started it. It can use what it has and is sent, and have threads, and that is all:
/// no files, no processes of its own, no signals, no memory objects that were not sent to it, no
/// new instructions (H8). What is asked for beyond is refused (`EPERM`), and nobody is killed for
/// it. An `abort` ends it by another signal than usual: it may not send one to itself either. A
/// thread of it sets its own parameters only.
///
/// [`Isolation::confinement`] says what of that is in force on the machine that runs. Processor
/// time and what can be learned from timing are not shared out.
///
/// ```
/// use res_kernel::linux::LinuxSocket;
/// use res_kernel::{Domain, DomainEnd, Isolation, Linux};
/// use res_sync::Deadline;
///
/// fn at_once(_: Linux, _: LinuxSocket) {}
///
/// let (domain, _socket) = Linux::new().domain(at_once)?;
/// assert_eq!(domain.wait(Deadline::NEVER), Some(DomainEnd::Returned));
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
pub struct LinuxDomain {
    forked: Forked,
    end: OnceLock<DomainEnd>,
}

impl fmt::Debug for LinuxDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinuxDomain(process {}, {:?})", self.forked.process, self.end.get())
    }
}

impl Isolation for Linux {
    type File = LinuxFile;
    type Socket = LinuxSocket;
    type Domain = LinuxDomain;
    type Program = LinuxProgram;

    fn between(&self, point: &LinuxPoint) {
        point.widen();
    }

    fn code_of(&self, entry: DomainEntry<Self>) -> Result<EntryCode, KernelError> {
        fork_server::code_of(entry as usize)
    }

    fn domain_at(&self, entry: EntryCode) -> Result<(LinuxDomain, LinuxSocket), KernelError> {
        start(Start::Entry(entry))
    }

    fn domain_of(&self, program: &LinuxProgram) -> Result<(LinuxDomain, LinuxSocket), KernelError> {
        start(Start::Program(program))
    }

    fn confinement(&self) -> Result<Confinement, KernelError> {
        fork_server::confinement()
    }
}

fn start(start: Start<'_>) -> Result<(LinuxDomain, LinuxSocket), KernelError> {
    barrier::reach_all();
    let (forked, socket) = fork_server::start(start)?;
    Ok((LinuxDomain { forked, end: OnceLock::new() }, socket))
}

impl Linux {
    /// The socket of this domain, in a program that [`Isolation::domain_of`] started. `None` in one
    /// that was started otherwise, and behind the first call.
    ///
    /// Of all that a program does at its beginning, this has to come first: from now on its
    /// barriers reach the others (H3).
    ///
    /// ```
    /// assert!(res_kernel::Linux::new().socket_of_program().is_none());
    /// ```
    pub fn socket_of_program(&self) -> Option<LinuxSocket> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        // Relaxed: one of all callers gets it; nothing comes with it.
        if TAKEN.swap(true, Relaxed) {
            return None;
        }
        let socket = fork_server::inherited_socket()?;
        barrier::reach_all();
        Some(socket)
    }
}

impl Domain for LinuxDomain {
    fn id(&self) -> u64 {
        self.forked.process
    }

    fn kill(&self) {
        // One that has ended needs no killing.
        let _ = pidfd_send_signal(&self.forked.pidfd, Signal::KILL);
    }

    fn wait(&self, deadline: Deadline) -> Option<DomainEnd> {
        let ended = self.ended(deadline);
        ended.then(|| *self.end.get_or_init(|| fork_server::end_of(&self.forked)))
    }

    fn ended(&self, deadline: Deadline) -> bool {
        self.end.get().is_some() || await_input(self.forked.pidfd.as_fd(), deadline).is_ok()
    }
}

impl Drop for LinuxDomain {
    fn drop(&mut self) {
        if self.end.get().is_none() {
            if !self.ended(Deadline::PASSED) {
                self.kill();
                self.ended(Deadline::NEVER);
            }
            fork_server::forget(&self.forked);
        }
    }
}
