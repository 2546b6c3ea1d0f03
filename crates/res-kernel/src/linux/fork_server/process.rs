//! The process that forks domains, from within.

use core::mem::transmute;
use core::time::Duration;
use std::collections::{HashSet, VecDeque};
use std::fs::{File, read_dir};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::catch_unwind;
use std::process::exit;
use std::sync::OnceLock;
use std::vec::Vec;

use res_api::ErrorKind;
use res_sync::Deadline;
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, getpid, waitid};

use super::child::{Child, SOCKET};
use super::message::{Notice, Request};
use super::warm_up::WarmUp;
use super::{MARK, warden};
use crate::linux::confine::{Filter, Seal, confine};
use crate::linux::socket::LinuxSocket;
use crate::linux::{barrier, clock, spin};
use crate::{DomainEntry, Linux};

unsafe extern "C" {
    /// The first byte of the program, from the linker.
    static __executable_start: u8;
    /// Behind the last instruction of the program, from the linker.
    static etext: u8;
}

/// Where the program lies: where it begins, and how long it is.
fn program() -> (usize, usize) {
    let (start, end) = ((&raw const __executable_start).addr(), (&raw const etext).addr());
    (start, end - start)
}

/// The same address in another execution of this program; `None` for one outside of it.
pub(super) fn offset(address: usize) -> Option<u64> {
    let (start, len) = program();
    let offset = address.checked_sub(start).filter(|offset| *offset < len)?;
    Some(offset as u64)
}

/// The entry at that offset.
pub(super) fn entry(offset: u64) -> Option<DomainEntry<Linux>> {
    let (start, len) = program();
    let offset = usize::try_from(offset).ok().filter(|offset| *offset < len)?;
    // SAFETY: only the process that executed this one can send an offset: it executes the same
    // program, and took it from a function of that type (`Linux::code_of`), or handed on what one
    // of its domains says it took there. One that lies makes a domain begin somewhere else in the
    // program, which is no more than that domain, confined and with what it is given, could do by
    // itself.
    Some(unsafe { transmute::<usize, DomainEntry<Linux>>(start + offset) })
}

/// Before `main`, and before any thread: an execution that was made to be a fork server becomes
/// one. All others lose the time of one look at the environment.
#[used]
#[unsafe(link_section = ".init_array")]
static TAKE_OVER: extern "C" fn() = take_over;

extern "C" fn take_over() {
    // SAFETY: one thread, so nobody changes the environment; the name ends with a zero byte.
    let marked = unsafe { !libc::getenv(MARK.as_ptr()).is_null() };
    if marked {
        let served = catch_unwind(serve);
        exit(i32::from(served.is_err()));
    }
}

/// Forks whatever is asked for, until nobody is left to ask.
fn serve() {
    let socket = take_streams();
    look_after_children();
    forget_environment();
    run_a_thread();
    // Its domains inherit both.
    barrier::reach_all();
    spin::limit();
    let (socket, warden) = warden::stay_back(socket);
    let (this, warm_up) = (getpid(), WarmUp::plan());
    let Some(filter) = confine_all(&socket, &warden) else { return };
    let (warden, seal) = match filter {
        Filter::Asks(_) => (Some(warden), None),
        Filter::Allows(seal) => (None, Some(seal)),
        Filter::Missing => (None, None),
    };
    let (programs, later, rested) = (HashSet::new(), VecDeque::new(), Deadline::PASSED);
    let mut server = Server { this, socket, warden, seal, warm_up, programs, later, rested };
    while server.turn().is_some() {}
}

/// The socket, which is where the standard input was. Nothing stays open of the standard streams
/// but the one for errors.
fn take_streams() -> LinuxSocket {
    let nothing = File::options().read(true).write(true).open("/dev/null");
    let nothing = nothing.expect("a system has /dev/null");
    // Not where a domain has its own: what comes for the next one is then in that place already.
    let socket = fcntl_dupfd_cloexec(std::io::stdin(), SOCKET + 1).expect("a descriptor is free");
    rustix::stdio::dup2_stdin(&nothing).expect("it is open");
    rustix::stdio::dup2_stdout(&nothing).expect("it is open");
    LinuxSocket::of(socket)
}

/// Whatever a program has said about signals: a child that has ended is there until it is reaped.
fn look_after_children() {
    // SAFETY: it installs no handler, and there is one thread, which relies on no other.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// What a program was told by its environment is not for its components, except how a panic looks.
fn forget_environment() {
    let kept = ["RUST_BACKTRACE", "RUST_LIB_BACKTRACE"];
    let forgotten: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    for name in forgotten.iter().filter(|name| kept.iter().all(|kept| *name != *kept)) {
        // SAFETY: there is one thread.
        unsafe { std::env::remove_var(name) };
    }
}

/// What the first thread of a process needs (a stack, an arena, what std looks up) is kept for the
/// next ones: domains find it.
fn run_a_thread() {
    let _ = std::thread::Builder::new().spawn(|| ()).map(std::thread::JoinHandle::join);
}

/// Confines this process with all that it will fork, and says so; how. `None`: nobody listens.
fn confine_all(socket: &LinuxSocket, warden: &LinuxSocket) -> Option<Filter> {
    let (confinement, filter) = confine();
    if let Filter::Asks(listener) = &filter {
        warden.send_waiting(&[], &[listener.as_fd()]).ok()?;
    }
    say(socket, &Notice::Confined { confinement })?;
    Some(filter)
}

/// What it works with.
struct Server {
    /// The parent that each domain has to have.
    this: Pid,
    socket: LinuxSocket,
    /// Who decides about what it asks for, if anybody does.
    warden: Option<LinuxSocket>,
    /// What each domain has yet to do.
    seal: Option<Seal>,
    warm_up: WarmUp,
    /// Domains that may execute a program, as the warden was told.
    programs: HashSet<Pid>,
    /// Orders that nobody waits for yet.
    later: VecDeque<Order>,
    /// When whoever gave the last order has had some rest.
    rested: Deadline,
}

/// A domain that is to be forked.
struct Order {
    number: u64,
    socket: OwnedFd,
    program: Option<OwnedFd>,
}

/// For how long there is no fork that nobody waits for. It is ordered when another domain begins,
/// which has the cores to itself meanwhile. Where one domain after the other begins, it is forked
/// at once. A domain that is not wanted for so long warms up.
const REST: Duration = Duration::from_millis(1);

impl Server {
    /// Does the next thing that is asked for. `None`: nobody is left to ask.
    fn turn(&mut self) -> Option<()> {
        let rested = if self.later.is_empty() { Deadline::NEVER } else { self.rested };
        let (mut bytes, mut came) = ([0; Request::BYTES], [None, None]);
        let each = |descriptor| {
            if let Some(place) = came.iter_mut().find(|place| place.is_none()) {
                *place = Some(descriptor);
            }
        };
        let len = match self.socket.recv_descriptors(&mut bytes, rested, each) {
            Ok(len) => len,
            Err(error) if error.kind == ErrorKind::TimedOut => {
                return self.fork_next(Deadline::PASSED);
            }
            Err(_) => return None,
        };
        match (Request::of(&bytes[..len])?, came) {
            (Request::Fork { number, awaited }, [Some(socket), program]) => {
                self.take(Order { number, socket, program }, awaited)
            }
            (Request::Fork { .. }, _) => None,
            (Request::Hurry { number }, _) => match self.later.front() {
                Some(order) if order.number == number => self.fork_next(Deadline::NEVER),
                _ => Some(()),
            },
            (Request::Reap { process, told }, _) => self.reap(process, told),
        }
    }

    /// Forks what is ordered, now or later.
    fn take(&mut self, order: Order, awaited: bool) -> Option<()> {
        let now = clock::now();
        let rested = Deadline::at(now + REST);
        let before = core::mem::replace(&mut self.rested, rested);
        if awaited {
            return self.fork(order, rested);
        }
        self.later.push_back(order);
        while !before.passed(now) && !self.later.is_empty() {
            self.fork_next(rested)?;
        }
        Some(())
    }

    /// Forks the next that was ordered, if any was.
    fn fork_next(&mut self, rested: Deadline) -> Option<()> {
        self.later.pop_front().map_or(Some(()), |order| self.fork(order, rested))
    }

    /// Forks a domain, which warms up if it is not wanted until then.
    fn fork(&mut self, order: Order, rested: Deadline) -> Option<()> {
        let number = order.number;
        match self.start(order, rested) {
            Ok(process) => {
                let process = process.as_raw_nonzero().get().unsigned_abs().into();
                say(&self.socket, &Notice::Forked { number, process })
            }
            Err(error) => {
                let error = error.raw_os_error().unsigned_abs().into();
                say(&self.socket, &Notice::Refused { number, error })
            }
        }
    }

    /// The process of a new domain.
    fn start(&mut self, order: Order, rested: Deadline) -> Result<Pid, Errno> {
        let Order { socket, program, .. } = order;
        let (seal, warm_up) = (self.seal.as_ref(), &self.warm_up);
        let child = Child { server: self.this, socket, seal, warm_up, rested };
        let Some(program) = program else {
            return Ok(fork()?.unwrap_or_else(|| child.run()));
        };
        let process = fork()?.unwrap_or_else(|| child.execute(&program));
        self.programs.insert(process);
        self.tell_warden(process, true);
        Ok(process)
    }

    /// Whether that process may execute a program, once.
    fn tell_warden(&self, process: Pid, may: bool) {
        if let Some(warden) = &self.warden {
            // One that is gone is asked nothing, either.
            let _ = warden.send_waiting(&warden::word(process, may), &[]);
        }
    }

    /// Lets go of a child that has ended, whose number can then be another's.
    fn reap(&mut self, process: u64, told: bool) -> Option<()> {
        let pid = i32::try_from(process).ok().and_then(Pid::from_raw)?;
        if self.programs.remove(&pid) {
            // It may not have come so far.
            self.tell_warden(pid, false);
        }
        let ended = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED).ok().flatten();
        if told { say(&self.socket, &end(process, ended)) } else { Some(()) }
    }
}

/// How a child ended; one that there is not went with its fork server.
fn end(process: u64, status: Option<WaitIdStatus>) -> Notice {
    let killed = || status.and_then(|status| status.terminating_signal()).unwrap_or(libc::SIGKILL);
    match status.and_then(|status| status.exit_status()) {
        Some(code) => Notice::Exited { process, code: code.unsigned_abs().into() },
        None => Notice::Killed { process, signal: killed().unsigned_abs().into() },
    }
}

fn say(socket: &LinuxSocket, notice: &Notice) -> Option<()> {
    socket.send_waiting(notice.bytes().as_flattened(), &[]).ok()
}

unsafe extern "C" {
    /// `fork` without what it does for programs of several threads: it neither takes the locks of
    /// the library nor calls what was registered for that, and so copies none of their pages
    /// (POSIX.1-2024; glibc 2.34).
    fn _Fork() -> libc::pid_t;
}

/// Whether this process has one thread, as it should: what is loaded with the program may have
/// started others before it.
fn is_alone() -> bool {
    static ALONE: OnceLock<bool> = OnceLock::new();
    // The first fork comes before this process is confined.
    *ALONE.get_or_init(|| read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1))
}

/// The new process, or in it `None`.
pub(super) fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: where there is one thread, it is here: so nothing is locked or half done that would be
    // left so in the child. Where there are others, `fork` sees to the locks of the library.
    match unsafe { if is_alone() { _Fork() } else { libc::fork() } } {
        -1 => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::AGAIN)),
        child => Ok(Pid::from_raw(child)),
    }
}
