//! The process that forks domains, from within.

use core::mem::{MaybeUninit, transmute, zeroed};
use core::ptr;
use core::time::Duration;
use std::collections::HashMap;
use std::fs::{File, read_dir};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::panic::catch_unwind;
use std::process::exit;
use std::sync::OnceLock;
use std::vec::Vec;

use res_sync::Deadline;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Pid, WaitId, WaitIdOptions, getpid, waitid};

use super::child::Child;
use super::message::{Notice, Request};
use super::warm_up::WarmUp;
use super::{MARK, warden};
use crate::linux::confine::{Filter, Seal, confine};
use crate::linux::socket::{LinuxSocket, until};
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
    forget_environment();
    run_a_thread();
    // Its domains inherit both.
    barrier::reach_all();
    spin::limit();
    let (socket, warden) = warden::stay_back(socket);
    let (children, warm_up) = (Children::new(), WarmUp::plan());
    let Some(filter) = confine_all(&socket, &warden) else { return };
    let (warden, seal) = match filter {
        Filter::Asks(_) => (Some(warden), None),
        Filter::Allows(seal) => (None, Some(seal)),
        Filter::Missing => (None, None),
    };
    let rested = Deadline::PASSED;
    let mut server = Server { socket, warden, seal, warm_up, children, later: None, rested };
    while server.turn().is_some() {}
}

/// The socket, which is where the standard input was. Nothing stays open of the standard streams
/// but the one for errors.
fn take_streams() -> LinuxSocket {
    let nothing = File::options().read(true).write(true).open("/dev/null");
    let nothing = nothing.expect("a system has /dev/null");
    let socket = fcntl_dupfd_cloexec(std::io::stdin(), 3).expect("a descriptor is free");
    rustix::stdio::dup2_stdin(&nothing).expect("it is open");
    rustix::stdio::dup2_stdout(&nothing).expect("it is open");
    LinuxSocket::of(socket)
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
    socket: LinuxSocket,
    /// Who decides about what it asks for, if anybody does.
    warden: Option<LinuxSocket>,
    /// What each domain has yet to do.
    seal: Option<Seal>,
    warm_up: WarmUp,
    children: Children,
    /// An order that nobody waits for yet.
    later: Option<Order>,
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
    /// Waits for something to do, and does it. `None`: nobody is left to ask.
    fn turn(&mut self) -> Option<()> {
        let rested = if self.later.is_some() { self.rested } else { Deadline::NEVER };
        let mut wanted = [
            PollFd::from_borrowed_fd(self.socket.as_descriptor(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.children.signals.as_fd(), PollFlags::IN),
        ];
        match poll(&mut wanted, until(rested).as_ref()) {
            Ok(0) => return self.fork_later(Deadline::PASSED),
            Ok(_) => {}
            Err(Errno::INTR) => return Some(()),
            Err(_) => return None,
        }
        let [asked, ended] = wanted.map(|wanted| !wanted.revents().is_empty());
        if ended {
            self.report()?;
        }
        if asked { self.answer() } else { Some(()) }
    }

    /// Does what is asked for.
    fn answer(&mut self) -> Option<()> {
        let (mut bytes, mut came) = ([0; Request::BYTES], Vec::new());
        let each = |descriptor| came.push(descriptor);
        let len = self.socket.recv_descriptors(&mut bytes, Deadline::NEVER, each).ok()?;
        let Request { number, awaited } = Request::of(&bytes[..len])?;
        let mut came = came.into_iter();
        let Some(socket) = came.next() else {
            // That one, unless it has been forked meanwhile.
            return self.fork_later(Deadline::NEVER);
        };
        let order = Order { number, socket, program: came.next() };
        let now = clock::now();
        let rested = Deadline::at(now + REST);
        let before = core::mem::replace(&mut self.rested, rested);
        if awaited || !before.passed(now) {
            return self.fork(order, rested);
        }
        self.fork_later(rested)?;
        self.later = Some(order);
        Some(())
    }

    /// Forks what was ordered for later, if anything was.
    fn fork_later(&mut self, rested: Deadline) -> Option<()> {
        self.later.take().map_or(Some(()), |order| self.fork(order, rested))
    }

    /// Forks a domain, which warms up if it is not wanted until then.
    fn fork(&mut self, order: Order, rested: Deadline) -> Option<()> {
        let (number, executes) = (order.number, order.program.is_some());
        match self.start(order, rested) {
            Ok(process) => {
                self.children.domains.insert(process, Domain { number, executes });
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
    fn start(&self, order: Order, rested: Deadline) -> Result<Pid, Errno> {
        let Order { socket, program, .. } = order;
        let (seal, warm_up) = (self.seal.as_ref(), &self.warm_up);
        let child = Child { server: getpid(), socket, seal, warm_up, rested };
        let Some(program) = program else {
            return Ok(fork()?.unwrap_or_else(|| child.run()));
        };
        let process = fork()?.unwrap_or_else(|| child.execute(&program));
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

    /// Says how all children ended that have, each before its process's number can be another one's.
    fn report(&mut self) -> Option<()> {
        self.children.heed_signals();
        while let Some(ended) = Ended::next() {
            let process = ended.process;
            if let Some(Domain { number, executes }) = self.children.domains.remove(&process) {
                if executes {
                    // It may not have come so far.
                    self.tell_warden(process, false);
                }
                say(&self.socket, &ended.notice(number))?;
            }
            let _ = waitid(WaitId::Pid(process), WaitIdOptions::EXITED);
        }
        Some(())
    }
}

fn say(socket: &LinuxSocket, notice: &Notice) -> Option<()> {
    socket.send_waiting(notice.bytes().as_flattened(), &[]).ok()
}

/// How a child ended that has; the number of its process stays its own.
struct Ended {
    process: Pid,
    /// Whether by itself, with a code; or else by a signal.
    exited: bool,
    status: u64,
}

impl Ended {
    /// One of them.
    fn next() -> Option<Self> {
        // SAFETY: numbers, of which all can be 0; and then it names no child.
        let mut info: libc::siginfo_t = unsafe { zeroed() };
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: Linux writes what it has to say there, for which there is room.
        let known = unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) } == 0;
        // SAFETY: that call writes both, or nothing.
        let (process, status) = unsafe { (info.si_pid(), info.si_status()) };
        let process = Pid::from_raw(process).filter(|_| known)?;
        let exited = info.si_code == libc::CLD_EXITED;
        Some(Self { process, exited, status: status.unsigned_abs().into() })
    }

    /// For the domain of that number.
    fn notice(&self, number: u64) -> Notice {
        match *self {
            Self { exited: true, status: code, .. } => Notice::Exited { number, code },
            Self { exited: false, status: signal, .. } => Notice::Killed { number, signal },
        }
    }
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

/// Children, and who learns of their ends.
struct Children {
    signals: OwnedFd,
    /// Which domain is which process.
    domains: HashMap<Pid, Domain>,
}

/// A domain that was forked.
struct Domain {
    number: u64,
    /// Whether it executes another program, as the warden was told.
    executes: bool,
}

impl Children {
    fn new() -> Self {
        let set = set_children_signal(libc::SIG_BLOCK);
        // SAFETY: a set that lives; the call makes a descriptor.
        let signals =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        assert!(signals >= 0, "a descriptor is free");
        // SAFETY: just made, and nobody else's.
        Self { signals: unsafe { OwnedFd::from_raw_fd(signals) }, domains: HashMap::new() }
    }

    /// Takes the signals: what they say, `waitid` says too.
    fn heed_signals(&self) {
        // There is one at most: this kind does not queue.
        let mut signal = [0; size_of::<libc::signalfd_siginfo>()];
        let _ = rustix::io::read(&self.signals, &mut signal);
    }
}

/// Blocks or unblocks the signal that says that a child has ended; the set with it alone.
pub(super) fn set_children_signal(how: libc::c_int) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the first call makes the set; then it is one.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        libc::sigprocmask(how, set.as_ptr(), ptr::null_mut());
        set.assume_init()
    }
}
