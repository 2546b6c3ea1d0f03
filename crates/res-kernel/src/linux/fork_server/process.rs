//! The process that forks domains, from within, and the first moments of a domain.

use core::mem::{MaybeUninit, transmute};
use core::ptr;
use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::panic::catch_unwind;
use std::process::exit;
use std::vec::Vec;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, getppid, pidfd_open,
    set_parent_process_death_signal, wait,
};

use super::{MARK, Notice, PANICKED, Request, warden};
use crate::linux::barrier;
use crate::linux::confine::{Filter, Seal, confine};
use crate::linux::socket::LinuxSocket;
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
fn entry(offset: u64) -> Option<DomainEntry<Linux>> {
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
    // Its domains inherit it.
    barrier::reach_all();
    let (socket, warden) = warden::stay_back(socket);
    let children = Children::new();
    let Some(seal) = confine_all(&socket, warden) else { return };
    let mut numbers = HashMap::new();
    loop {
        let mut wanted = [
            PollFd::from_borrowed_fd(socket.as_descriptor(), PollFlags::IN),
            PollFd::from_borrowed_fd(children.signals.as_fd(), PollFlags::IN),
        ];
        match poll(&mut wanted, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => return,
        }
        let [asked, ended] = wanted.map(|wanted| !wanted.revents().is_empty());
        if ended && children.report(&socket, &mut numbers).is_none() {
            return;
        }
        if asked && answer(&socket, &mut numbers, seal.as_ref()).is_none() {
            return;
        }
    }
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

/// Confines this process with all that it will fork, and says so; what each domain has yet to do.
/// `None`: nobody listens.
fn confine_all(socket: &LinuxSocket, warden: LinuxSocket) -> Option<Option<Seal>> {
    let (confinement, filter) = confine();
    let seal = match filter {
        Filter::Asks(listener) => {
            warden.send_waiting(&[], &[listener.as_fd()]).ok()?;
            None
        }
        Filter::Allows(seal) => Some(seal),
        Filter::Missing => None,
    };
    say(socket, &Notice::Confined { confinement }, &[])?;
    Some(seal)
}

/// Which domain is which process.
type Numbers = HashMap<Pid, u64>;

/// Forks one domain. `None`: nobody is left to ask.
fn answer(socket: &LinuxSocket, numbers: &mut Numbers, seal: Option<&Seal>) -> Option<()> {
    let (mut bytes, mut theirs) = ([0; Request::BYTES], None);
    let len = socket
        .recv_descriptors(&mut bytes, res_sync::Deadline::NEVER, |descriptor| {
            theirs = Some(descriptor);
        })
        .ok()?;
    let request = Request::of(&bytes[..len])?;
    let (number, theirs) = (request.number, theirs?);
    let refused = |error: Errno| {
        let error = error.raw_os_error().unsigned_abs().into();
        say(socket, &Notice::Refused { number, error }, &[])
    };
    let Some(entry) = entry(request.entry) else { return refused(Errno::INVAL) };
    let server = getpid();
    let process = match fork() {
        Err(error) => return refused(error),
        Ok(None) => become_domain(entry, theirs, server, seal),
        Ok(Some(process)) => process,
    };
    numbers.insert(process, number);
    match pidfd_open(process, PidfdFlags::empty()) {
        Ok(pidfd) => {
            let process = process.as_raw_nonzero().get().unsigned_abs().into();
            say(socket, &Notice::Forked { number, process }, &[pidfd.as_fd()])
        }
        Err(error) => {
            let _ = rustix::process::kill_process(process, Signal::KILL);
            refused(error)
        }
    }
}

fn say(socket: &LinuxSocket, notice: &Notice, descriptors: &[BorrowedFd<'_>]) -> Option<()> {
    socket.send_waiting(notice.bytes().as_flattened(), descriptors).ok()
}

/// The new process, or in it `None`.
pub(super) fn fork() -> Result<Option<Pid>, Errno> {
    // SAFETY: this process has one thread, so nothing is left locked or half done in the child.
    match unsafe { libc::fork() } {
        -1 => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::AGAIN)),
        child => Ok(Pid::from_raw(child)),
    }
}

/// The child, until its end.
fn become_domain(
    entry: DomainEntry<Linux>,
    socket: OwnedFd,
    server: Pid,
    seal: Option<&Seal>,
) -> ! {
    die_with(server);
    let socket = alone_with(socket);
    set_children_signal(libc::SIG_UNBLOCK);
    if seal.is_some_and(|seal| seal.apply().is_err()) {
        exit(1);
    }
    let ended = catch_unwind(move || entry(Linux::new(), LinuxSocket::of(socket)));
    exit(if ended.is_ok() { 0 } else { PANICKED })
}

/// Sees to it that this process ends with that parent.
pub(super) fn die_with(parent: Pid) {
    let bound = set_parent_process_death_signal(Some(Signal::KILL));
    // It may have died before that: then this process has another parent by now.
    if bound.is_err() || getppid() != Some(parent) {
        exit(1);
    }
}

/// Closes all descriptors but the standard streams and this one.
fn alone_with(socket: OwnedFd) -> OwnedFd {
    const FIRST: RawFd = 3;
    let raw = socket.as_raw_fd();
    // SAFETY: whatever was open there belongs to the fork server, whose variables this process
    // never drops: it does not return to them.
    unsafe {
        if raw != FIRST {
            libc::dup3(raw, FIRST, libc::O_CLOEXEC);
        }
        libc::syscall(libc::SYS_close_range, FIRST + 1, libc::c_uint::MAX, 0);
    }
    core::mem::forget(socket);
    // SAFETY: open, and nobody else's.
    unsafe { OwnedFd::from_raw_fd(FIRST) }
}

/// Learns of the ends of children.
struct Children {
    signals: OwnedFd,
}

impl Children {
    fn new() -> Self {
        let set = set_children_signal(libc::SIG_BLOCK);
        // SAFETY: a set that lives; the call makes a descriptor.
        let signals =
            unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        assert!(signals >= 0, "a descriptor is free");
        // SAFETY: just made, and nobody else's.
        Self { signals: unsafe { OwnedFd::from_raw_fd(signals) } }
    }

    /// Says how all children ended that have. `None`: nobody listens.
    fn report(&self, socket: &LinuxSocket, numbers: &mut Numbers) -> Option<()> {
        let mut signals = [0; 1024];
        while rustix::io::read(&self.signals, &mut signals).is_ok_and(|bytes| bytes > 0) {}
        while let Ok(Some((process, status))) = wait(WaitOptions::NOHANG) {
            let Some(number) = numbers.remove(&process) else { continue };
            let notice = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Notice::Exited { number, code: code.unsigned_abs().into() },
                (_, signal) => {
                    Notice::Killed { number, signal: signal.unwrap_or(0).unsigned_abs().into() }
                }
            };
            say(socket, &notice, &[])?;
        }
        Some(())
    }
}

/// Blocks or unblocks the signal that says that a child has ended; the set with it alone.
fn set_children_signal(how: libc::c_int) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the first call makes the set; then it is one.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGCHLD);
        libc::sigprocmask(how, set.as_ptr(), ptr::null_mut());
        set.assume_init()
    }
}
