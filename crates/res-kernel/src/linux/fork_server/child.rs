//! The first moments of a domain.

use core::ffi::CStr;
use core::time::Duration;
use std::io::Error;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::panic::catch_unwind;

use res_api::ErrorKind;
use res_sync::Deadline;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use rustix::thread::sched_yield;

use super::PANICKED;
use super::message::Begin;
use super::process::entry;
use super::warm_up::WarmUp;
use crate::linux::clock;
use crate::linux::confine::Seal;
use crate::linux::socket::LinuxSocket;
use crate::{DomainEntry, KernelError, Linux};

/// In the environment of a program that a domain executes.
const MARK: &str = "RES_DOMAIN";
/// Where a domain has its socket.
pub(super) const SOCKET: RawFd = 3;
/// Where it has the program that it is about to execute.
const PROGRAM: RawFd = 4;
/// What a domain exits with whose program cannot be executed, as shells do.
const NOT_EXECUTED: i32 = 126;

/// How long the warden may take to hear that it may execute its program. Behind that it is Linux
/// that does not allow it.
const UNTIL_ALLOWED: Duration = Duration::from_secs(30);

/// What a domain has at its beginning.
pub(super) struct Child<'a> {
    pub(super) server: Pid,
    pub(super) socket: OwnedFd,
    pub(super) seal: Option<&'a Seal>,
    pub(super) warm_up: &'a WarmUp,
    /// If it is not wanted until then, it warms up.
    pub(super) rested: Deadline,
}

impl Child<'_> {
    /// Runs an entry of this program, until its end: the one that its composer says, when it does.
    pub(super) fn run(self) -> ! {
        die_with(self.server);
        place(&self.socket, SOCKET, libc::O_CLOEXEC);
        close_from(SOCKET + 1);
        self.settle(false);
        // SAFETY: placed there, and nobody else's: all others' variables are never dropped, since
        // this does not return to them.
        let socket = LinuxSocket::of(unsafe { OwnedFd::from_raw_fd(SOCKET) });
        core::mem::forget(self.socket);
        let told = told(&socket, self.rested).or_else(|error| match error.kind {
            ErrorKind::TimedOut => {
                self.warm_up.apply();
                told(&socket, Deadline::NEVER)
            }
            _ => Err(error),
        });
        let entry = told.ok().flatten().unwrap_or_else(|| leave(NOT_EXECUTED));
        let ended = catch_unwind(move || entry(Linux::new(), socket));
        leave(if ended.is_ok() { 0 } else { PANICKED })
    }

    /// Executes another program.
    pub(super) fn execute(self, program: &OwnedFd) -> ! {
        die_with(self.server);
        // Both out of the way first: each may be where the other is to be.
        let [socket, program] = [self.socket.as_fd(), program.as_fd()].map(|descriptor| {
            fcntl_dupfd_cloexec(descriptor, PROGRAM + 1).unwrap_or_else(|_| leave(NOT_EXECUTED))
        });
        place(&socket, SOCKET, 0);
        place(&program, PROGRAM, libc::O_CLOEXEC);
        close_from(PROGRAM + 1);
        // SAFETY: there is one thread.
        unsafe { std::env::set_var(MARK, "1") };
        self.settle(true);
        let late = clock::now() + UNTIL_ALLOWED;
        while execute() == Errno::PERM && clock::now() < late {
            // The warden has yet to hear that this process may.
            sched_yield();
        }
        leave(NOT_EXECUTED)
    }

    fn settle(&self, executes: bool) {
        if self.seal.is_some_and(|seal| seal.apply(executes).is_err()) {
            leave(1);
        }
    }
}

/// Ends this process. What would have to be done at the end of a program (destructors of libraries,
/// output that was kept back) there is none of: it was forked in the middle of one.
fn leave(code: i32) -> ! {
    // SAFETY: ends the process, with all that is in it.
    unsafe { libc::_exit(code) }
}

/// Where to begin; `None` for what is nowhere.
fn told(
    socket: &LinuxSocket,
    deadline: Deadline,
) -> Result<Option<DomainEntry<Linux>>, KernelError> {
    let mut bytes = [0; Begin::BYTES];
    let received = socket.recv_descriptors(&mut bytes, deadline, drop)?;
    Ok(Begin::of(&bytes[..received]).and_then(|Begin(offset)| entry(offset)))
}

/// Executes what is in [`PROGRAM`]; why not, if it returns.
fn execute() -> Errno {
    unsafe extern "C" {
        static environ: *const *const libc::c_char;
    }
    const NAME: &CStr = c"res component";
    let arguments = [NAME.as_ptr(), core::ptr::null()];
    // SAFETY: two lists of strings which end as they have to; there is one thread, so nobody
    // changes the environment.
    unsafe {
        let (none, by_descriptor) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
        let call = libc::SYS_execveat;
        libc::syscall(call, PROGRAM, none, arguments.as_ptr(), environ, by_descriptor);
    }
    Errno::from_io_error(&Error::last_os_error()).unwrap_or(Errno::NOEXEC)
}

/// Sees to it that this process ends with that parent.
pub(super) fn die_with(parent: Pid) {
    let bound = set_parent_process_death_signal(Some(Signal::KILL));
    // It may have died before that: then this process has another parent by now.
    if bound.is_err() || getppid() != Some(parent) {
        leave(1);
    }
}

/// Puts a copy of a descriptor in a place of the table, whatever was there.
fn place(descriptor: &OwnedFd, at: RawFd, flags: libc::c_int) {
    let raw = descriptor.as_raw_fd();
    if raw != at {
        // SAFETY: whatever was open there belongs to the fork server, whose variables this process
        // never drops: it does not return to them.
        unsafe { libc::dup3(raw, at, flags) };
    }
}

/// Closes all descriptors from that one on.
fn close_from(first: RawFd) {
    // SAFETY: as in `place`.
    unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
}

/// The socket of a domain that executes this program; what is in its place otherwise is nobody's.
/// To be called once.
pub(in crate::linux) fn inherited_socket() -> Option<LinuxSocket> {
    std::env::var_os(MARK)?;
    // SAFETY: asks about whatever is there.
    let open = unsafe { libc::fcntl(SOCKET, libc::F_SETFD, libc::FD_CLOEXEC) } == 0;
    // SAFETY: who executed this program has put it there for it, and says so by the mark; it is
    // open, and taken once.
    open.then(|| LinuxSocket::of(unsafe { OwnedFd::from_raw_fd(SOCKET) }))
}
