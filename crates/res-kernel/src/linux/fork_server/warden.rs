//! The process that decides what the fork server may do that domains must not.
//!
//! The fork server and its domains run behind the same filter of system calls, which cannot tell
//! them apart. So before it confines itself, the process that was executed forks once: the child
//! becomes the fork server, and it stays back, outside of the filter. Linux asks it about each fork,
//! and says which process wants to: the one child may, all others may not. A domain that is to
//! execute a program may do so once, since the child says that it is one.

use core::ffi::c_void;
use core::mem::zeroed;
use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::exit;

use res_sync::Deadline;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, opcode};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};

use super::child::die_with;
use super::process::fork;
use crate::linux::socket::LinuxSocket;

/// Forks. This process becomes the warden, and ends with the child. The child gets what is for it
/// alone, and the connection over which it has to send the descriptor that Linux asks by.
pub(super) fn stay_back(inherited: LinuxSocket) -> (LinuxSocket, LinuxSocket) {
    let (here, there) = LinuxSocket::pair().expect("descriptors are free");
    let warden = getpid();
    match fork().expect("a process can be had") {
        None => {
            die_with(warden);
            (inherited, there)
        }
        Some(server) => {
            drop((inherited, there));
            let watched = watch(server, &here);
            exit(i32::from(watched.is_err()));
        }
    }
}

/// What the fork server says about a process: whether it may execute a program.
pub(super) fn word(process: Pid, may: bool) -> [u8; WORD] {
    let [a, b, c, d] = number(process).to_ne_bytes();
    [a, b, c, d, may.into()]
}

const WORD: usize = 5;

fn number(process: Pid) -> u32 {
    process.as_raw_nonzero().get().unsigned_abs()
}

/// Answers until the fork server has ended.
fn watch(server: Pid, socket: &LinuxSocket) -> io::Result<()> {
    let ended = pidfd_open(server, PidfdFlags::empty())?;
    let mut listener: Option<OwnedFd> = None;
    // It is sent nothing, and then left, where there is nothing to be asked.
    let _ = socket.recv_descriptors(&mut [], Deadline::NEVER, |received| listener = Some(received));
    if let Some(listener) = &listener {
        answer_on_one_core(listener.as_fd());
    }
    let mut warden = Warden { server: number(server), chosen: HashSet::new() };
    loop {
        let (asked, told) = match &listener {
            Some(listener) => (listener.as_fd(), socket.as_descriptor()),
            None => (ended.as_fd(), ended.as_fd()),
        };
        let mut wanted =
            [ended.as_fd(), told, asked].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        match poll(&mut wanted, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [over, tells, asks] = wanted.map(|wanted| wanted.revents());
        if !over.is_empty() {
            return Ok(());
        }
        let heard = tells.is_empty() || warden.hear(socket).is_some();
        if asks.contains(PollFlags::IN) {
            warden.decide(asked)?;
        } else if !asks.is_empty() || !heard {
            // Nobody is left to ask: the end is near.
            listener = None;
        }
    }
}

/// What Linux writes about a call, with room for what a newer one adds.
#[repr(C)]
struct Question {
    known: libc::seccomp_notif,
    more: [u64; 32],
}

struct Warden {
    server: u32,
    /// Those who may execute a program, once.
    chosen: HashSet<u32>,
}

impl Warden {
    /// Hears a word of the fork server. `None`: there will be no more.
    fn hear(&mut self, socket: &LinuxSocket) -> Option<()> {
        let mut bytes = [0; WORD];
        socket.recv_descriptors(&mut bytes, Deadline::PASSED, drop).ok()?;
        let [a, b, c, d, may] = bytes;
        let process = u32::from_ne_bytes([a, b, c, d]);
        if may == 1 {
            self.chosen.insert(process)
        } else {
            self.chosen.remove(&process)
        };
        Some(())
    }

    /// Whether that process may do that.
    fn allows(&mut self, process: u32, call: i64) -> bool {
        process == self.server || call == libc::SYS_execveat && self.chosen.remove(&process)
    }

    /// Answers one question.
    fn decide(&mut self, listener: BorrowedFd<'_>) -> io::Result<()> {
        const RECEIVE: Opcode = opcode::read_write::<libc::seccomp_notif>(b'!', 0);
        const SEND: Opcode = opcode::read_write::<libc::seccomp_notif_resp>(b'!', 1);
        // SAFETY: numbers, of which all can be 0; Linux asks for that.
        let mut question: Question = unsafe { zeroed() };
        // SAFETY: Linux writes one notification, for which there is room.
        if !unsafe { exchange(listener, RECEIVE, (&raw mut question).cast()) }? {
            return Ok(());
        }
        let asked = &question.known;
        let may = self.allows(asked.pid, asked.data.nr.into());
        let mut answer = libc::seccomp_notif_resp {
            id: asked.id,
            val: 0,
            error: if may { 0 } else { -libc::EPERM },
            // Linux goes on with what was in the caller's registers when it asked.
            flags: if may { libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 } else { 0 },
        };
        // SAFETY: Linux reads one answer.
        unsafe { exchange(listener, SEND, (&raw mut answer).cast()) }.map(drop)
    }
}

/// Who asks does nothing until it is answered: so Linux wakes the warden on that core, and the
/// other back on it, where it can (since 6.6).
fn answer_on_one_core(listener: BorrowedFd<'_>) {
    const SET_FLAGS: Opcode = opcode::write::<u64>(b'!', 4);
    const SYNC_WAKE_UP: libc::c_ulong = 1;
    // SAFETY: Linux takes the number itself.
    let _ = unsafe { libc::ioctl(listener.as_raw_fd(), SET_FLAGS as _, SYNC_WAKE_UP) };
}

/// Asks or tells Linux; whether the caller still waits, and was not killed meanwhile.
///
/// # Safety
///
/// `data` is what `operation` reads and writes.
unsafe fn exchange(
    listener: BorrowedFd<'_>,
    operation: Opcode,
    data: *mut c_void,
) -> io::Result<bool> {
    // SAFETY: the caller promises that the data fit.
    if unsafe { libc::ioctl(listener.as_raw_fd(), operation as _, data) } == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::EINTR) => Ok(false),
        _ => Err(error),
    }
}
