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
mod warm_up;

use core::ffi::CStr;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::collections::{HashMap, VecDeque};
use std::ffi::OsStr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

use res_api::ErrorKind;
use res_sync::Deadline;
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getrlimit, kill_process, pidfd_open,
    pidfd_send_signal, setrlimit,
};

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

/// So many domains are forked ahead. Where one begins after the other, the fork of the next may have
/// to wait for a core until this one has ended; with two, nobody waits for that.
const SPARES: usize = 2;

/// A fork server that runs.
struct ForkServer {
    process: Child,
    socket: LinuxSocket,
    confinement: Confinement,
    /// From which number on domains are its own, and not of one before it.
    first: u64,
    /// Domains that have yet to be told where to begin: made before anybody wants them, since to fork
    /// takes longer than to say so. In the order in which they are made.
    spares: VecDeque<Ordered>,
    /// What became of orders that nobody has asked for yet: which process each domain is.
    answers: HashMap<u64, Result<u64, KernelError>>,
}

/// A domain that was asked for.
struct Ordered {
    number: u64,
    socket: LinuxSocket,
}

/// A domain that was started. The number of its process is its own until it is reaped.
#[derive(Debug)]
pub(super) struct Forked {
    number: u64,
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
            running.order(Some(program), true).and_then(|ordered| running.forked(ordered))
        }
    };
    if started.as_ref().is_err_and(|error| error.kind == ErrorKind::PeerGone) {
        // Somebody killed it. The next domain gets a new one.
        *server = None;
    }
    started
}

/// How a domain ended whose pidfd says that it did. To be asked once, and not to be forgotten behind
/// that.
pub(super) fn end_of(domain: &Forked) -> DomainEnd {
    // Where the fork server was killed, it took its domains with it, and what it knew of them.
    let with_it = DomainEnd::Killed(libc::SIGKILL);
    server().as_mut().map_or(with_it, |server| server.end_of(domain).unwrap_or(with_it))
}

/// Nobody will ask how a domain ended whose pidfd says that it did.
pub(super) fn forget(domain: &Forked) {
    if let Some(server) = server().as_mut() {
        // If it is gone, who starts the next domain sees that.
        let _ = server.reap(domain, false);
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
            spares: VecDeque::new(),
            answers: HashMap::new(),
        };
        server.order_spares();
        Ok(server)
    }

    /// A domain that begins there.
    fn begin(&mut self, entry: EntryCode) -> Result<(Forked, LinuxSocket), KernelError> {
        if process::entry(entry.0).is_none() {
            return Err(KernelError::new(FORK, ErrorKind::Invalid));
        }
        let begun = match self.begin_spare(entry) {
            Some(begun) => Ok(begun),
            None => self.order(None, true).and_then(|ordered| self.tell(ordered, entry)),
        };
        self.order_spares();
        begun
    }

    /// One that was forked ahead and lives: somebody may have killed them.
    fn begin_spare(&mut self, entry: EntryCode) -> Option<(Forked, LinuxSocket)> {
        while let Some(spare) = self.spares.pop_front() {
            let begun = self.hurry(&spare).and_then(|()| self.tell(spare, entry));
            if begun.is_ok() {
                return begun.ok();
            }
        }
        None
    }

    /// Where there can be none, the next start takes longer, or says why.
    fn order_spares(&mut self) {
        while self.spares.len() < SPARES {
            match self.order(None, false) {
                Ok(spare) => self.spares.push_back(spare),
                Err(_) => return,
            }
        }
    }

    /// Asks for a domain, and does not wait for it.
    fn order(
        &mut self,
        program: Option<&LinuxProgram>,
        awaited: bool,
    ) -> Result<Ordered, KernelError> {
        let (socket, theirs) = LinuxSocket::pair()?;
        let number = next();
        let descriptors = [Some(theirs.as_descriptor()), program.map(LinuxProgram::as_descriptor)];
        let descriptors: Vec<_> = descriptors.into_iter().flatten().collect();
        self.ask(Request::Fork { number, awaited }, &descriptors)?;
        Ok(Ordered { number, socket })
    }

    fn ask(&self, request: Request, descriptors: &[BorrowedFd<'_>]) -> Result<(), KernelError> {
        // It says little that nobody waits for, so it never waits for us meanwhile.
        self.socket.send_waiting(request.bytes().as_flattened(), descriptors)
    }

    /// Says that somebody waits for it now, unless it is there.
    fn hurry(&mut self, spare: &Ordered) -> Result<(), KernelError> {
        self.hear_all()?;
        match self.answers.contains_key(&spare.number) {
            true => Ok(()),
            false => self.ask(Request::Hurry { number: spare.number }, &[]),
        }
    }

    /// Waits for it.
    fn forked(&mut self, ordered: Ordered) -> Result<(Forked, LinuxSocket), KernelError> {
        let Ordered { number, socket } = ordered;
        let process = loop {
            match self.answers.remove(&number) {
                Some(process) => break process?,
                None => drop(self.hear()?),
            }
        };
        let pidfd = self.pidfd_of(process)?;
        Ok((Forked { number, process, pidfd }, socket))
    }

    /// The pidfd of a domain, which is that process until it is reaped. Not the fork server's to
    /// make: it would have to ask the warden.
    fn pidfd_of(&mut self, process: u64) -> Result<OwnedFd, KernelError> {
        let misbehaved = KernelError::new(FORK, ErrorKind::Misbehaved);
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw).ok_or(misbehaved)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).map_err(refused(FORK));
        // If it is gone, that process may have been another one.
        self.hear_all()?;
        pidfd.inspect_err(|_| {
            // It could not be looked after.
            let _ = kill_process(pid, Signal::KILL);
            let _ = self.ask(Request::Reap { process, told: false }, &[]);
        })
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
                let _ = pidfd_send_signal(&forked.pidfd, Signal::KILL);
                let _ = self.reap(&forked, false);
                Err(error)
            }
        }
    }

    fn end_of(&mut self, domain: &Forked) -> Result<DomainEnd, KernelError> {
        self.reap(domain, true)?;
        loop {
            match self.hear()? {
                Some((process, end)) if process == domain.process => return Ok(end),
                _ => {}
            }
        }
    }

    /// Has a domain reaped that is about to end, if it was not another fork server's.
    fn reap(&mut self, domain: &Forked, told: bool) -> Result<(), KernelError> {
        if domain.number < self.first {
            return Err(KernelError::new(FORK, ErrorKind::PeerGone));
        }
        self.ask(Request::Reap { process: domain.process, told }, &[])
    }

    /// Hears what it has said by now.
    fn hear_all(&mut self) -> Result<(), KernelError> {
        loop {
            match self.hear_until(Deadline::PASSED) {
                Ok(_) => {}
                Err(error) if error.kind == ErrorKind::TimedOut => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Hears the next thing that it says. Where that is how a domain ended: which process, and how.
    fn hear(&mut self) -> Result<Option<(u64, DomainEnd)>, KernelError> {
        self.hear_until(Deadline::NEVER)
    }

    fn hear_until(&mut self, deadline: Deadline) -> Result<Option<(u64, DomainEnd)>, KernelError> {
        let (number, answer) = match heard(&self.socket, deadline)? {
            Notice::Forked { number, process } => (number, Ok(process)),
            Notice::Refused { number, error } => {
                let error = std::io::Error::from_raw_os_error(error as i32);
                (number, Err(refused(FORK)(error)))
            }
            Notice::Exited { process, code } => {
                return Ok(Some((process, end_with(code as i32))));
            }
            Notice::Killed { process, signal } => {
                return Ok(Some((process, DomainEnd::Killed(signal as i32))));
            }
            Notice::Confined { .. } => {
                return Err(KernelError::new(FORK, ErrorKind::Misbehaved));
            }
        };
        self.answers.insert(number, answer);
        Ok(None)
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
        Notice::Confined { confinement } => Ok(confinement),
        _ => Err(KernelError::new(START, ErrorKind::Misbehaved)),
    }
}

/// The next thing that is said there.
fn heard(socket: &LinuxSocket, deadline: Deadline) -> Result<Notice, KernelError> {
    let mut bytes = [0; Notice::BYTES];
    let received = socket.recv_descriptors(&mut bytes, deadline, drop)?;
    Notice::of(&bytes[..received]).ok_or(KernelError::new(FORK, ErrorKind::Misbehaved))
}

impl Drop for ForkServer {
    fn drop(&mut self) {
        // It may live, where it misbehaved.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::linux::socket::await_input;

    /// In the environment of a process for a fork server, which changes what else is so in it.
    const APART: &str = "RES_TEST_FORK_SERVER";

    /// Also where the composer wants to hear nothing of its own children, which programs inherit.
    #[test]
    fn a_domain_has_its_number_until_it_is_reaped() {
        if std::env::var_os(APART).is_none() {
            let this = "linux::fork_server::tests::a_domain_has_its_number_until_it_is_reaped";
            let program = std::env::current_exe().expect("this program");
            let apart = Command::new(program).args(["--exact", this]).env(APART, "1").output();
            let said = apart.expect("it runs").stdout;
            let said = std::string::String::from_utf8_lossy(&said);
            assert!(said.contains("1 passed"), "{said}");
            return;
        }
        // SAFETY: it installs no handler; in this process, which is for this test, nobody relies on another.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        let mut server = ForkServer::start().expect("a fork server");
        for _ in 0..100 {
            let ordered = server.order(None, true).expect("it is asked");
            let (domain, _socket) = server.forked(ordered).expect("it is forked");
            pidfd_send_signal(&domain.pidfd, Signal::KILL).expect("it lives");
            await_input(domain.pidfd.as_fd(), Deadline::NEVER).expect("it ends");
            let there = std::format!("/proc/{}", domain.process);
            let there = || std::fs::exists(&there).expect("there is /proc");
            // What came behind it has come.
            let ordered = server.order(None, true).expect("it is asked");
            let (other, _socket) = server.forked(ordered).expect("it is forked");
            assert!(there());
            assert_eq!(server.end_of(&domain), Ok(DomainEnd::Killed(libc::SIGKILL)));
            assert!(!there());
            pidfd_send_signal(&other.pidfd, Signal::KILL).expect("it lives");
            server.reap(&other, false).expect("it is asked");
        }
    }

    #[test]
    fn an_older_fork_servers_domains_are_killed() {
        let domain = Forked {
            number: 0,
            process: 1,
            pidfd: OwnedFd::from(std::io::pipe().expect("a pipe").0),
        };
        assert_eq!(end_of(&domain), DomainEnd::Killed(libc::SIGKILL));
    }
}
