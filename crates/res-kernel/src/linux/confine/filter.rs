//! The filter of system calls, and who decides what it cannot.
//!
//! What is not on the list (`list`) is refused with `EPERM`. A filter is inherited, cannot be
//! loosened, and sees no process ids; so what the fork server does and domains must not (fork,
//! execute a program) is neither allowed nor refused by it: Linux stops the caller and asks the
//! warden (`fork_server/warden.rs`), which is told who asks. The warden decides by that alone, and
//! looks at nothing that the caller could change meanwhile.
//!
//! There can be one such warden for a process. Where there is one already (in a container, say) the
//! filter allows these calls, and each domain begins by adding a [`Seal`] that refuses them, which
//! makes its start longer by a fifth or more. A domain that is to execute a program has to be able to
//! behind its seal; there, such a program can do it again, with what it has: it stays confined.

mod list;

use core::ptr;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::vec::Vec;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, sock_filter};

const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
/// What the library falls back from to `clone`, of which a filter sees the flags.
const UNKNOWN: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// How the filter that was installed treats what only the fork server may do.
#[derive(Debug)]
pub(in crate::linux) enum Filter {
    /// It asks whoever has this descriptor.
    Asks(OwnedFd),
    /// It allows it: each domain has to seal itself.
    Allows(Seal),
    /// There is no filter.
    Missing,
}

/// A second filter, small, which refuses what only the fork server may do.
#[derive(Debug)]
pub(in crate::linux) struct Seal {
    /// For a domain.
    whole: BpfProgram,
    /// For one that has yet to execute a program.
    executes: BpfProgram,
}

impl Filter {
    /// Installs it in the calling thread, which must have given up new privileges.
    pub(super) fn install() -> Self {
        Self::asking().or_else(Self::allowing).unwrap_or(Self::Missing)
    }

    fn asking() -> Option<Self> {
        let program = program(libc::SECCOMP_RET_USER_NOTIF, list::ALLOWED)?;
        let listener = install(&program, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER).ok()?;
        // SAFETY: with that flag the call makes a descriptor, which is nobody else's.
        Some(Self::Asks(unsafe { OwnedFd::from_raw_fd(listener) }))
    }

    fn allowing() -> Option<Self> {
        // Whoever is to seal himself has to be able to.
        let allowed = [list::ALLOWED, &[list::Rule::always(libc::SYS_seccomp)]].concat();
        install(&program(libc::SECCOMP_RET_ALLOW, &allowed)?, 0).ok()?;
        Some(Self::Allows(Seal::new()))
    }
}

impl Seal {
    fn new() -> Self {
        let whole = Self::refusing(&[list::EXECUTE, libc::SYS_seccomp]);
        Self { whole, executes: Self::refusing(&[libc::SYS_seccomp]) }
    }

    fn refusing(calls: &[i64]) -> BpfProgram {
        let mut program = of_the_server(calls, REFUSE);
        program.push(answer(libc::SECCOMP_RET_ALLOW));
        program
    }

    /// Seals the calling thread, which may execute a program behind it or not.
    pub(in crate::linux) fn apply(&self, executes: bool) -> io::Result<()> {
        install(if executes { &self.executes } else { &self.whole }, 0).map(drop)
    }
}

/// The whole filter. `None` for a processor that the library does not know.
fn program(asked: u32, allowed: &[list::Rule]) -> Option<BpfProgram> {
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let processor = std::env::consts::ARCH.try_into().ok()?;
    let rules = list::rules(allowed)?;
    let rest = SeccompFilter::new(rules, refuse, SeccompAction::Allow, processor).ok()?;
    let rest: BpfProgram = rest.try_into().ok()?;
    Some([of_the_server(&[list::EXECUTE], asked), rest].concat())
}

/// The part that comes first, by hand, since the library knows two answers only: for `calls`, and
/// for a `clone` that makes no thread, the answer is `action`; what is none of these goes on behind
/// it. (Numbers of another processor's calls are treated alike; what comes behind kills for them,
/// and a warden lets no domain do anything.)
fn of_the_server(calls: &[i64], action: u32) -> BpfProgram {
    let mut program = Vec::from([load(NUMBER), unless(libc::SYS_clone3), answer(UNKNOWN)]);
    for call in calls {
        program.extend([unless(*call), answer(action)]);
    }
    let thread = libc::CLONE_THREAD as u32;
    let makes_thread = step(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 1, 0, thread);
    let is_clone = step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, libc::SYS_clone as u32);
    program.extend([is_clone, load(FLAGS), makes_thread, answer(action)]);
    program
}

/// Where in `seccomp_data` the number of the call lies.
const NUMBER: u32 = 0;
/// Where the low half of its first argument lies: the flags of `clone`.
const FLAGS: u32 = 16;

const fn step(code: u32, yes: u8, no: u8, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: yes, jf: no, k }
}

const fn load(offset: u32) -> sock_filter {
    step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

/// The next step, for that call; for others, the one behind it.
const fn unless(call: i64) -> sock_filter {
    step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, call as u32)
}

const fn answer(action: u32) -> sock_filter {
    step(libc::BPF_RET | libc::BPF_K, 0, 0, action)
}

/// Installs a program in the calling thread; what the call says.
fn install(program: &[sock_filter], flags: libc::c_ulong) -> io::Result<RawFd> {
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // The two structures are those of Linux, in different libraries.
    let filter = ptr::from_ref(program).cast::<libc::sock_filter>().cast_mut();
    let program = libc::sock_fprog { len, filter };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: the program is as long as it says, and Linux only reads it, before it returns.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as RawFd) }
}
