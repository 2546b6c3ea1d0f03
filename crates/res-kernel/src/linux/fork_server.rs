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
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::collections::{HashMap, HashSet};
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
    /// From which number on domains are its own, and not of one before it.
    first: u64,
    /// A domain that has yet to be told where to begin: made before anybody wants it, since to fork
    /// takes longer than to say so.
    spare: Option<Ordered>,
    /// What became of orders that nobody has asked for yet.
    answers: HashMap<u64, Result<Forked, KernelError>>,
    /// How domains ended that nobody has asked for yet.
    ends: HashMap<u64, DomainEnd>,
    /// Domains that have ended, nobody cares how.
    forgotten: HashSet<u64>,
}

/// A domain that was asked for.
struct Ordered {
    number: u64,
    socket: LinuxSocket,
}

/// A domain that was started.
pub(super) struct Forked {
    pub(super) number: u64,
    pub(super) process: u64,
    pub(super) pidfd: OwnedFd,
}

/// A number that no domain has had.
fn next() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    // Relaxed: a number, and nothing with it.
    LAST.fetch_add(1, Relaxed) + 1
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

/// Starts a domain; our end of its socket.
pub(super) fn start(start: Start<'_>) -> Result<(Forked, LinuxSocket), KernelError> {
    let mut server = server();
    let running = running(&mut server)?;
    let started = match start {
        Start::Entry(entry) => running.begin(entry),
        Start::Program(program) => {
            running.order(Some(program)).and_then(|ordered| running.forked(ordered))
        }
    };
    if started.as_ref().is_err_and(|error| error.kind == ErrorKind::PeerGone) {
        // Somebody killed it. The next domain gets a new one.
        *server = None;
    }
    started
}

/// How a domain ended whose pidfd says that it did.
pub(super) fn end_of(number: u64) -> DomainEnd {
    // Where the fork server was killed, it took its domains with it.
    let with_it = DomainEnd::Killed(libc::SIGKILL);
    server().as_mut().map_or(with_it, |server| server.end_of(number).unwrap_or(with_it))
}

/// Nobody will ask how a domain ended whose pidfd says that it did.
pub(super) fn forget(number: u64) {
    if let Some(server) = server().as_mut() {
        server.forget(number);
    }
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
        // First, since it is what domains are refused, also to ask for limits.
        let (socket, theirs) = LinuxSocket::pair()?;
        raise_descriptor_limit();
        let process = Command::new("/proc/self/exe")
            .arg0("res fork server")
            .env(OsStr::from_bytes(MARK.to_bytes()), "1")
            // What is looked up now, no domain looks up again.
            .env("LD_BIND_NOW", "1")
            .stdin(theirs.into_descriptor())
            .stdout(Stdio::null())
            // What the terminal sends to us is not for it.
            .process_group(0)
            .spawn()
            .map_err(refused(START))?;
        let confinement = server_says(&socket)?;
        if confinement.has(Restriction::Calls) || confinement.has(Restriction::Files) {
            object::receivers_open_nothing();
        }
        let mut server = Self {
            process,
            socket,
            confinement,
            first: next(),
            spare: None,
            answers: HashMap::new(),
            ends: HashMap::new(),
            forgotten: HashSet::new(),
        };
        server.order_spare();
        server.settle()?;
        Ok(server)
    }

    /// A domain that begins there.
    fn begin(&mut self, entry: EntryCode) -> Result<(Forked, LinuxSocket), KernelError> {
        if process::entry(entry.0).is_none() {
            return Err(KernelError::new(FORK, ErrorKind::Invalid));
        }
        let spare = self.spare.take();
        let begun = spare.and_then(|spare| self.tell(spare, entry).ok());
        let begun = match begun {
            Some(begun) => Ok(begun),
            // There was none, or somebody killed it.
            None => self.order(None).and_then(|ordered| self.tell(ordered, entry)),
        };
        self.order_spare();
        begun
    }

    /// Where there can be none, the next start takes longer, or says why.
    fn order_spare(&mut self) {
        self.spare = self.order(None).ok();
    }

    /// Asks for a domain, and does not wait for it.
    fn order(&mut self, program: Option<&LinuxProgram>) -> Result<Ordered, KernelError> {
        let (socket, theirs) = LinuxSocket::pair()?;
        let number = next();
        let descriptors = [Some(theirs.as_descriptor()), program.map(LinuxProgram::as_descriptor)];
        let descriptors: Vec<_> = descriptors.into_iter().flatten().collect();
        let request = Request { number }.bytes();
        self.socket.send_descriptors(request.as_flattened(), &descriptors)?;
        Ok(Ordered { number, socket })
    }

    /// Waits for it.
    fn forked(&mut self, ordered: Ordered) -> Result<(Forked, LinuxSocket), KernelError> {
        let Ordered { number, socket } = ordered;
        loop {
            match self.answers.remove(&number) {
                Some(forked) => return Ok((forked?, socket)),
                None => self.hear()?,
            }
        }
    }

    /// Tells it where to begin.
    fn tell(
        &mut self,
        ordered: Ordered,
        entry: EntryCode,
    ) -> Result<(Forked, LinuxSocket), KernelError> {
        let (forked, socket) = self.forked(ordered)?;
        match socket.send_descriptors(Begin(entry.0).bytes().as_flattened(), &[]) {
            Ok(()) => Ok((forked, socket)),
            Err(error) => {
                // Nobody else asks how it ended.
                let _ = self.end_of(forked.number);
                Err(error)
            }
        }
    }

    fn end_of(&mut self, number: u64) -> Result<DomainEnd, KernelError> {
        if number < self.first {
            return Err(KernelError::new(FORK, ErrorKind::PeerGone));
        }
        loop {
            if let Some(end) = self.ends.remove(&number) {
                let _ = self.settle();
                return Ok(end);
            }
            self.hear()?;
        }
    }

    /// Does not wait for what it says of the end: it may be in the middle of something else. But takes
    /// what it has said, or it would wait for that some day.
    fn forget(&mut self, number: u64) {
        if number >= self.first && self.ends.remove(&number).is_none() {
            self.forgotten.insert(number);
        }
        while self.hear_until(Deadline::PASSED).is_ok() {}
        let _ = self.settle();
    }

    /// Waits until the spare one is there: what this process holds when all domains have ended does
    /// not depend on who was faster.
    fn settle(&mut self) -> Result<(), KernelError> {
        while let Some(spare) = &self.spare
            && !self.answers.contains_key(&spare.number)
        {
            self.hear()?;
        }
        Ok(())
    }

    /// Hears the next thing that it says.
    fn hear(&mut self) -> Result<(), KernelError> {
        self.hear_until(Deadline::NEVER)
    }

    fn hear_until(&mut self, deadline: Deadline) -> Result<(), KernelError> {
        match heard(&self.socket, deadline)? {
            (Notice::Forked { number, process }, Some(pidfd)) => {
                self.answers.insert(number, Ok(Forked { number, process, pidfd }));
            }
            (Notice::Refused { number, error }, _) => {
                let error = std::io::Error::from_raw_os_error(error as i32);
                self.answers.insert(number, Err(refused(FORK)(error)));
            }
            (Notice::Exited { number, code }, _) => self.ended(number, end_with(code as i32)),
            (Notice::Killed { number, signal }, _) => {
                self.ended(number, DomainEnd::Killed(signal as i32));
            }
            (Notice::Confined { .. } | Notice::Forked { .. }, _) => {
                return Err(KernelError::new(FORK, ErrorKind::Misbehaved));
            }
        }
        Ok(())
    }

    fn ended(&mut self, number: u64, end: DomainEnd) {
        if !self.forgotten.remove(&number) {
            self.ends.insert(number, end);
        }
    }
}

/// How a domain ended that exited with that code.
fn end_with(code: i32) -> DomainEnd {
    match code {
        0 => DomainEnd::Returned,
        PANICKED => DomainEnd::Panicked,
        code => DomainEnd::Exited(code),
    }
}

/// What the fork server says of itself, before all else.
fn server_says(socket: &LinuxSocket) -> Result<Confinement, KernelError> {
    match heard(socket, Deadline::NEVER)? {
        (Notice::Confined { confinement }, _) => Ok(confinement),
        _ => Err(KernelError::new(START, ErrorKind::Misbehaved)),
    }
}

/// The next thing that is said there, and the descriptor that goes with it.
fn heard(
    socket: &LinuxSocket,
    deadline: Deadline,
) -> Result<(Notice, Option<OwnedFd>), KernelError> {
    let (mut bytes, mut descriptor) = ([0; Notice::BYTES], None);
    let received = socket.recv_descriptors(&mut bytes, deadline, |received| {
        descriptor = Some(received);
    })?;
    let notice = Notice::of(&bytes[..received]);
    Ok((notice.ok_or(KernelError::new(FORK, ErrorKind::Misbehaved))?, descriptor))
}

impl Drop for ForkServer {
    fn drop(&mut self) {
        // It may live, where it misbehaved.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
