//! The process that forks domains (H15, H16), as the process that composes the system sees it.
//!
//! It is this program, executed once more: it maps nothing, has one thread, and does nothing but
//! fork. So starting a domain costs the same however much its composer has mapped and however many
//! threads it has. It is started with the first domain, and ends with its composer: it watches its
//! socket, and its children die with it. All that keeps domains apart is in force in it before the
//! first one is forked.

mod child;
mod message;
mod process;
mod warden;

use core::ffi::CStr;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use res_api::ErrorKind;
use res_sync::Deadline;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::refused;
use super::{LinuxProgram, LinuxSocket, object};
use crate::{Confinement, DomainEnd, EntryCode, KernelError, Restriction};
use message::{Begin, Notice, Request};

pub(super) use child::inherited_socket;

const START: &str = "start the fork server";
const FORK: &str = "start a domain";

/// In the environment of the fork server, and of nobody else.
const MARK: &CStr = c"RES_FORK_SERVER";

/// What the fork server exits with for a domain whose entry panicked, as std does.
const PANICKED: i32 = 101;

/// A fork server that runs.
struct ForkServer {
    process: Child,
    socket: LinuxSocket,
    confinement: Confinement,
    /// Which number the last domain got.
    last: u64,
    /// How domains ended that nobody has asked for yet.
    ends: HashMap<u64, DomainEnd>,
}

/// A domain that was started.
pub(super) struct Forked {
    pub(super) number: u64,
    pub(super) process: u64,
    pub(super) pidfd: OwnedFd,
}

/// The one of this process, if it has one.
fn server() -> MutexGuard<'static, Option<ForkServer>> {
    static SERVER: Mutex<Option<ForkServer>> = Mutex::new(None);
    SERVER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The one that runs, or a new one.
fn running(server: &mut Option<ForkServer>) -> Result<&mut ForkServer, KernelError> {
    match server {
        Some(running) => Ok(running),
        None => Ok(server.insert(ForkServer::start()?)),
    }
}

/// What domains are kept from.
pub(super) fn confinement() -> Result<Confinement, KernelError> {
    Ok(running(&mut server())?.confinement)
}

/// Of an address of this program.
pub(super) fn code_of(entry: usize) -> Result<EntryCode, KernelError> {
    let offset = process::offset(entry).ok_or(KernelError::new(FORK, ErrorKind::Invalid))?;
    Ok(EntryCode(offset))
}

/// What a domain is to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start<'a> {
    Entry(EntryCode),
    Program(&'a LinuxProgram),
}

/// Starts a domain, with `socket`.
pub(super) fn fork(start: Start<'_>, socket: LinuxSocket) -> Result<Forked, KernelError> {
    let mut server = server();
    let forked = running(&mut server)?.fork(start, &socket);
    if forked.as_ref().is_err_and(|error| error.kind == ErrorKind::PeerGone) {
        // Somebody killed it. The next domain gets a new one.
        *server = None;
    }
    forked
}

/// How a domain ended whose pidfd says that it did.
pub(super) fn end_of(number: u64) -> DomainEnd {
    // Where the fork server was killed, it took its domains with it.
    let with_it = DomainEnd::Killed(libc::SIGKILL);
    server().as_mut().map_or(with_it, |server| server.end_of(number).unwrap_or(with_it))
}

/// As many descriptors as this process may have at all (H15): each memory object is one, and so is
/// each end of a socket. Behind that, `NoSlots`.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, there are as many as before.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

impl ForkServer {
    fn start() -> Result<Self, KernelError> {
        raise_descriptor_limit();
        let (socket, theirs) = LinuxSocket::pair()?;
        let process = Command::new("/proc/self/exe")
            .arg0("res fork server")
            .env(OsStr::from_bytes(MARK.to_bytes()), "1")
            .stdin(theirs.into_descriptor())
            .stdout(Stdio::null())
            // What the terminal sends to us is not for it.
            .process_group(0)
            .spawn()
            .map_err(refused(START))?;
        let confinement = Confinement::NONE;
        let mut server = Self { process, socket, confinement, last: 0, ends: HashMap::new() };
        match server.hear()? {
            (Notice::Confined { confinement }, _) => server.confinement = confinement,
            _ => return Err(KernelError::new(START, ErrorKind::Misbehaved)),
        }
        if server.confinement.has(Restriction::Calls) || server.confinement.has(Restriction::Files)
        {
            object::receivers_open_nothing();
        }
        Ok(server)
    }

    fn fork(&mut self, start: Start<'_>, socket: &LinuxSocket) -> Result<Forked, KernelError> {
        self.last += 1;
        let number = self.last;
        let (begin, program) = match start {
            Start::Entry(entry) => (Begin::Entry(entry.0), None),
            Start::Program(program) => (Begin::Program, Some(program.as_descriptor())),
        };
        let descriptors = [Some(socket.as_descriptor()), program];
        let descriptors: Vec<_> = descriptors.into_iter().flatten().collect();
        let request = Request { number, begin }.bytes();
        self.socket.send_descriptors(request.as_flattened(), &descriptors)?;
        loop {
            match self.hear()? {
                (Notice::Forked { number: of, process }, Some(pidfd)) if of == number => {
                    return Ok(Forked { number, process, pidfd });
                }
                (Notice::Refused { number: of, error }, _) if of == number => {
                    let error = std::io::Error::from_raw_os_error(error as i32);
                    return Err(refused(FORK)(error));
                }
                (notice, _) => self.note(notice),
            }
        }
    }

    fn end_of(&mut self, number: u64) -> Result<DomainEnd, KernelError> {
        loop {
            if let Some(end) = self.ends.remove(&number) {
                return Ok(end);
            }
            let (notice, _) = self.hear()?;
            self.note(notice);
        }
    }

    fn note(&mut self, notice: Notice) {
        let (number, end) = match notice {
            Notice::Exited { number, code: 0 } => (number, DomainEnd::Returned),
            Notice::Exited { number, code } if code == PANICKED as u64 => {
                (number, DomainEnd::Panicked)
            }
            Notice::Exited { number, code } => (number, DomainEnd::Exited(code as i32)),
            Notice::Killed { number, signal } => (number, DomainEnd::Killed(signal as i32)),
            // Answers to nobody.
            Notice::Confined { .. } | Notice::Forked { .. } | Notice::Refused { .. } => return,
        };
        self.ends.insert(number, end);
    }

    /// The next thing that it says.
    fn hear(&self) -> Result<(Notice, Option<OwnedFd>), KernelError> {
        let (mut bytes, mut descriptor) = ([0; Notice::BYTES], None);
        let received = self.socket.recv_descriptors(&mut bytes, Deadline::NEVER, |received| {
            descriptor = Some(received);
        })?;
        let notice = Notice::of(&bytes[..received]);
        let notice = notice.ok_or(KernelError::new(FORK, ErrorKind::Misbehaved))?;
        Ok((notice, descriptor))
    }
}

impl Drop for ForkServer {
    fn drop(&mut self) {
        // It may live, where it misbehaved.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
