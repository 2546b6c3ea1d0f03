//! What a hostile domain tries, each by the bare system call.

use std::io::Error;
use std::ptr::null_mut;

/// What there is to attack.
#[derive(Clone, Copy)]
pub(crate) struct Scene {
    /// Another process.
    pub(crate) victim: i32,
    /// Where in it there is a word that it can write.
    pub(crate) address: u64,
    /// A shared object that is for reading, as it is mapped.
    pub(crate) object: *mut u8,
    /// Its descriptor.
    pub(crate) descriptor: i32,
}

/// Whether the attack succeeds, or fails otherwise, where a domain is not confined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Control {
    /// Everywhere.
    Differs,
    /// Where processes of one user may trace each other.
    Traces,
    /// With privileges, or on some machines.
    Unknown,
    /// It does harm to whoever tries, or is not undone: not to be tried there.
    Harms,
}

use Control::{Differs, Harms, Traces, Unknown};

pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Scene) -> i64,
    /// The error that it has to get.
    pub(crate) error: i32,
    pub(crate) control: Control,
}

/// 0, or the error.
pub(crate) fn outcome(attack: &Attack, scene: &Scene) -> i32 {
    let result = (attack.run)(scene);
    if result < 0 { Error::last_os_error().raw_os_error().expect("it has a number") } else { 0 }
}

/// A system call, with what it is given.
macro_rules! call {
    ($number:expr $(, $argument:expr)* $(,)?) => {{
        let number: libc::c_long = $number;
        // SAFETY: it is refused, as it has to be, or the test has failed and the process ends.
        unsafe { libc::syscall(number $(, $argument)*) }
    }};
}

/// Makes a process, which ends at once, by a call that returns twice.
macro_rules! process {
    ($($argument:expr),*) => {{
        let made = call!($($argument),*);
        if made == 0 {
            call!(libc::SYS_exit_group, 0);
        }
        made
    }};
}

macro_rules! attacks {
    ($($name:literal, $error:ident, $control:ident, |$scene:pat_param| $run:expr;)*) => {
        /// All of them.
        pub(crate) const ATTACKS: &[Attack] = &[$(Attack {
            name: $name,
            run: |$scene| $run,
            error: libc::$error,
            control: $control,
        },)*];
    };
}

const THREAD: libc::c_int = libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD;
const WRITE: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;
const EXECUTE: libc::c_int = libc::PROT_READ | libc::PROT_EXEC;
const FUTEX_REQUEUE2: libc::c_long = 456;
const FUTEX_WAKE2: libc::c_long = 454;

static mut WORD: [u32; 2] = [0; 2];

fn futex(operation: libc::c_int) -> i64 {
    let word = (&raw mut WORD).cast::<u32>();
    call!(libc::SYS_futex, word, operation, 0, 0_usize, word.wrapping_add(1), 0)
}

fn limit(process: i32, resource: u32, limit: u64) -> i64 {
    let limit = [limit; 2];
    call!(libc::SYS_prlimit64, process, resource, &raw const limit, null_mut::<u8>())
}

fn copy(number: libc::c_long, scene: &Scene) -> i64 {
    let mut word = 0_u64;
    let here = libc::iovec { iov_base: (&raw mut word).cast(), iov_len: 8 };
    let there = libc::iovec { iov_base: scene.address as *mut _, iov_len: 8 };
    call!(number, scene.victim, &raw const here, 1_usize, &raw const there, 1_usize, 0_usize)
}

fn own_descriptor(scene: &Scene) -> std::ffi::CString {
    std::ffi::CString::new(format!("/proc/self/fd/{}", scene.descriptor)).expect("no zero in it")
}

/// A `siginfo_t`, whose third word says that a process made it up.
static SIGNAL: [i32; 32] = {
    let mut words = [0; 32];
    words[2] = -1;
    words
};
static PRIORITY: i32 = 0;

fn affinity(process: i32) -> i64 {
    let cores = [u64::MAX; 16];
    call!(libc::SYS_sched_setaffinity, process, size_of_val(&cores), &raw const cores)
}

fn open_at(path: &std::ffi::CStr, flags: libc::c_int) -> i64 {
    call!(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0)
}

fn map(protection: libc::c_int, flags: libc::c_int, descriptor: i32) -> i64 {
    call!(libc::SYS_mmap, 0_usize, 4096_usize, protection, flags, descriptor, 0_usize)
}

const PRIVATE: libc::c_int = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

/// A fresh page to do things to.
fn page() -> i64 {
    map(WRITE, PRIVATE, -1)
}

attacks! {
    // Other processes.
    "process_vm_writev", EPERM, Traces, |scene| copy(libc::SYS_process_vm_writev, scene);
    "process_vm_readv", EPERM, Traces, |scene| copy(libc::SYS_process_vm_readv, scene);
    "ptrace seize", EPERM, Traces, |scene| call!(libc::SYS_ptrace, 0x4206, scene.victim, 0, 0);
    "ptrace attach", EPERM, Unknown, |scene| call!(libc::SYS_ptrace, 16, scene.victim, 0, 0);
    "kill", EPERM, Differs, |scene| call!(libc::SYS_kill, scene.victim, 0);
    "kill all", EPERM, Unknown, |_| call!(libc::SYS_kill, -1, 0);
    "tkill", EPERM, Differs, |scene| call!(libc::SYS_tkill, scene.victim, 0);
    "tgkill", EPERM, Differs, |scene| call!(libc::SYS_tgkill, scene.victim, scene.victim, 0);
    "rt_sigqueueinfo", EPERM, Differs, |scene| {
        call!(libc::SYS_rt_sigqueueinfo, scene.victim, 0, &raw const SIGNAL)
    };
    "rt_tgsigqueueinfo", EPERM, Differs, |scene| {
        call!(libc::SYS_rt_tgsigqueueinfo, scene.victim, scene.victim, 0, &raw const SIGNAL)
    };
    "pidfd_open", EPERM, Differs, |scene| call!(libc::SYS_pidfd_open, scene.victim, 0);
    // A number that is no descriptor: elsewhere that is what they complain about.
    "pidfd_getfd", EPERM, Differs, |_| call!(libc::SYS_pidfd_getfd, 999, 0, 0);
    "pidfd_send_signal", EPERM, Differs, |_| call!(libc::SYS_pidfd_send_signal, 999, 0, 0_usize, 0);
    "process_madvise", EPERM, Differs, |_| call!(libc::SYS_process_madvise, 999, 0_usize, 0, 0, 0);
    "prlimit of another", EPERM, Differs, |scene| limit(scene.victim, libc::RLIMIT_CORE, 0);
    "sched_setaffinity of another", EPERM, Differs, |scene| affinity(scene.victim);
    "sched_setscheduler of another", EPERM, Differs, |scene| {
        call!(libc::SYS_sched_setscheduler, scene.victim, 0, &raw const PRIORITY)
    };
    "setpriority of another", EPERM, Differs, |scene| {
        call!(libc::SYS_setpriority, libc::PRIO_PROCESS, scene.victim, 19)
    };
    "get_robust_list of another", EPERM, Traces, |scene| {
        let mut list = 0_usize;
        call!(libc::SYS_get_robust_list, scene.victim, &raw mut list, &raw mut list)
    };
    "kcmp", EPERM, Unknown, |scene| call!(libc::SYS_kcmp, scene.victim, scene.victim, 0, 0, 0);
    "setpgid", EPERM, Differs, |_| call!(libc::SYS_setpgid, 0, 0);
    // Files.
    "openat", EPERM, Differs, |_| open_at(c"/dev/null", libc::O_RDONLY);
    "openat of own memory", EPERM, Differs, |_| open_at(c"/proc/self/mem", libc::O_RDWR);
    "openat of own descriptor", EPERM, Differs, |scene| {
        open_at(&own_descriptor(scene), libc::O_RDWR)
    };
    "openat2", EPERM, Differs, |_| {
        let how = [0_u64; 3];
        call!(libc::SYS_openat2, libc::AT_FDCWD, c"/dev/null".as_ptr(), &raw const how, 24_usize)
    };
    "open_by_handle_at", EPERM, Unknown, |_| call!(libc::SYS_open_by_handle_at, -1, 0_usize, 0);
    "statx", EPERM, Differs, |_| call!(libc::SYS_statx, -1, 0_usize, 0, 0, 0_usize);
    "readlinkat", EPERM, Differs, |_| {
        let mut path = [0_u8; 64];
        let link = c"/proc/self/exe".as_ptr();
        call!(libc::SYS_readlinkat, libc::AT_FDCWD, link, &raw mut path, 64_usize)
    };
    "chdir", EPERM, Differs, |_| call!(libc::SYS_chdir, c"/".as_ptr());
    "unlinkat", EPERM, Differs, |_| call!(libc::SYS_unlinkat, -1, c"none".as_ptr(), 0);
    "mkdirat", EPERM, Differs, |_| call!(libc::SYS_mkdirat, -1, c"none".as_ptr(), 0);
    "ioctl", EPERM, Differs, |_| call!(libc::SYS_ioctl, 2, libc::TIOCSTI, 0_usize);
    "fcntl F_SETFL", EPERM, Differs, |_| call!(libc::SYS_fcntl, 2, libc::F_SETFL, libc::O_NONBLOCK);
    "fcntl F_SETOWN", EPERM, Differs, |_| call!(libc::SYS_fcntl, 3, libc::F_SETOWN, 0);
    // Objects.
    "write to what is for reading", EACCES, Unknown, |scene| {
        call!(libc::SYS_mprotect, scene.object, 4096_usize, WRITE)
    };
    "map what is for reading", EACCES, Unknown, |scene| {
        map(WRITE, libc::MAP_SHARED, scene.descriptor)
    };
    "write by descriptor", EBADF, Unknown, |scene| {
        call!(libc::SYS_write, scene.descriptor, c"x".as_ptr(), 1_usize)
    };
    "pwrite by descriptor", EPERM, Unknown, |scene| {
        call!(libc::SYS_pwrite64, scene.descriptor, c"x".as_ptr(), 1_usize, 0)
    };
    "ftruncate", EPERM, Unknown, |scene| call!(libc::SYS_ftruncate, scene.descriptor, 0);
    "ftruncate of nothing", EPERM, Differs, |_| call!(libc::SYS_ftruncate, 999, 0);
    "fallocate of nothing", EPERM, Differs, |_| call!(libc::SYS_fallocate, 999, 0, 0, 4096);
    "punch a hole", EPERM, Differs, |_| {
        call!(libc::SYS_madvise, 0_usize, 4096_usize, libc::MADV_REMOVE)
    };
    "map twice by mremap", EPERM, Differs, |scene| {
        call!(libc::SYS_mremap, scene.object, 0_usize, 4096_usize, libc::MREMAP_MAYMOVE)
    };
    "map twice by mremap that rounds to 0", EPERM, Differs, |scene| {
        call!(libc::SYS_mremap, scene.object, usize::MAX, 4096_usize, libc::MREMAP_MAYMOVE)
    };
    "mremap to a place", EPERM, Differs, |_| {
        let (from, to) = (page(), page());
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        call!(libc::SYS_mremap, from, 4096_usize, 4096_usize, flags, to)
    };
    "add a seal", EPERM, Differs, |_| call!(libc::SYS_fcntl, 999, libc::F_ADD_SEALS, 0);
    "memfd_create", EPERM, Differs, |_| call!(libc::SYS_memfd_create, c"x".as_ptr(), 0);
    "memfd_secret", EPERM, Unknown, |_| call!(libc::SYS_memfd_secret, 0);
    // Sleepers.
    "FUTEX_REQUEUE", EPERM, Differs, |_| futex(libc::FUTEX_REQUEUE);
    "FUTEX_REQUEUE, private", EPERM, Differs, |_| {
        futex(libc::FUTEX_REQUEUE | libc::FUTEX_PRIVATE_FLAG)
    };
    "FUTEX_CMP_REQUEUE", EPERM, Differs, |_| futex(libc::FUTEX_CMP_REQUEUE);
    "FUTEX_WAKE_OP", EPERM, Differs, |_| futex(libc::FUTEX_WAKE_OP);
    "FUTEX_TRYLOCK_PI", EPERM, Differs, |_| futex(libc::FUTEX_TRYLOCK_PI);
    "FUTEX_UNLOCK_PI", EPERM, Unknown, |_| futex(libc::FUTEX_UNLOCK_PI);
    "FUTEX_LOCK_PI", EPERM, Unknown, |_| futex(libc::FUTEX_LOCK_PI);
    "FUTEX_LOCK_PI2", EPERM, Unknown, |_| futex(libc::FUTEX_LOCK_PI2);
    "FUTEX_WAIT_REQUEUE_PI", EPERM, Unknown, |_| futex(libc::FUTEX_WAIT_REQUEUE_PI);
    "FUTEX_CMP_REQUEUE_PI", EPERM, Unknown, |_| futex(libc::FUTEX_CMP_REQUEUE_PI);
    "futex_requeue", EPERM, Differs, |_| call!(FUTEX_REQUEUE2, 0_usize, 0, 0, 0);
    "futex_wake", EPERM, Differs, |_| call!(FUTEX_WAKE2, 0_usize, 0, 0, 0);
    // New processes and programs.
    "clone", EPERM, Differs, |_| process!(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
    "clone with all memory", EPERM, Harms, |_| {
        process!(libc::SYS_clone, libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD, 0, 0, 0, 0)
    };
    "clone of a sibling", EPERM, Differs, |_| {
        process!(libc::SYS_clone, libc::CLONE_PARENT | libc::SIGCHLD, 0, 0, 0, 0)
    };
    "clone of a thread with descriptors of its own", EPERM, Harms, |_| {
        call!(libc::SYS_clone, THREAD, 0, 0, 0, 0)
    };
    "clone of a thread elsewhere", EPERM, Differs, |_| {
        call!(libc::SYS_clone, THREAD | libc::CLONE_NEWNS | libc::CLONE_FS, 0, 0, 0, 0)
    };
    "clone of a thread without memory", EPERM, Differs, |_| {
        call!(libc::SYS_clone, libc::CLONE_THREAD, 0, 0, 0, 0)
    };
    "clone3", ENOSYS, Differs, |_| call!(libc::SYS_clone3, 0_usize, 0);
    "execve", EPERM, Differs, |_| call!(libc::SYS_execve, c"/none".as_ptr(), 0_usize, 0_usize);
    "execveat of what it has", EPERM, Differs, |scene| {
        let (none, own) = (c"".as_ptr(), scene.descriptor);
        call!(libc::SYS_execveat, own, none, 0_usize, 0_usize, libc::AT_EMPTY_PATH)
    };
    "execveat", EPERM, Differs, |_| {
        call!(libc::SYS_execveat, -1, c"none".as_ptr(), 0_usize, 0_usize, 0)
    };
    "unshare", EPERM, Differs, |_| call!(libc::SYS_unshare, 0);
    "setns", EPERM, Differs, |_| call!(libc::SYS_setns, 999, 0);
    "outlive the fork server", EPERM, Unknown, |_| {
        call!(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, 0, 0, 0, 0)
    };
    // New instructions.
    "mmap of instructions", EPERM, Differs, |_| map(EXECUTE, PRIVATE, -1);
    "mprotect of instructions", EPERM, Differs, |_| {
        call!(libc::SYS_mprotect, page(), 4096_usize, EXECUTE)
    };
    "pkey_mprotect of instructions", EPERM, Differs, |_| {
        call!(libc::SYS_pkey_mprotect, page(), 4096_usize, EXECUTE, -1)
    };
    "personality", EPERM, Differs, |_| call!(libc::SYS_personality, 0x0040_0000);
    // Other ways in.
    "socket", EPERM, Differs, |_| call!(libc::SYS_socket, libc::AF_UNIX, libc::SOCK_STREAM, 0);
    "socket to the network", EPERM, Differs, |_| {
        call!(libc::SYS_socket, libc::AF_INET, libc::SOCK_DGRAM, 0)
    };
    "socketpair", EPERM, Differs, |_| {
        let mut pair = [0_i32; 2];
        call!(libc::SYS_socketpair, libc::AF_UNIX, libc::SOCK_STREAM, 0, &raw mut pair)
    };
    "bind", EPERM, Differs, |_| call!(libc::SYS_bind, 999, 0_usize, 0);
    "connect", EPERM, Differs, |_| call!(libc::SYS_connect, 999, 0_usize, 0);
    "sendto an address", EPERM, Differs, |_| {
        let address = [libc::AF_UNIX as u16, 0];
        call!(libc::SYS_sendto, 999, c"x".as_ptr(), 1_usize, 0, &raw const address, 4)
    };
    "io_uring_setup", EPERM, Unknown, |_| call!(libc::SYS_io_uring_setup, 1, 0_usize);
    "userfaultfd", EPERM, Unknown, |_| call!(libc::SYS_userfaultfd, 1);
    "bpf", EPERM, Unknown, |_| call!(libc::SYS_bpf, 0, 0_usize, 0);
    "perf_event_open", EPERM, Unknown, |_| call!(libc::SYS_perf_event_open, 0_usize, 0, -1, -1, 0);
    "keyctl", EPERM, Unknown, |_| call!(libc::SYS_keyctl, 0, -3, 0);
    "shmget", EPERM, Unknown, |_| call!(libc::SYS_shmget, 0, 4096_usize, 0o600);
    "msgget", EPERM, Differs, |_| call!(libc::SYS_msgget, 0x7e57, 0);
    "inotify_init1", EPERM, Unknown, |_| call!(libc::SYS_inotify_init1, 0);
    "mount", EPERM, Unknown, |_| call!(libc::SYS_mount, 0_usize, 0_usize, 0_usize, 0, 0_usize);
    "umount2", EPERM, Unknown, |_| call!(libc::SYS_umount2, c"/none".as_ptr(), 0);
    "chroot", EPERM, Unknown, |_| call!(libc::SYS_chroot, c"/".as_ptr());
    "pivot_root", EPERM, Unknown, |_| call!(libc::SYS_pivot_root, 0_usize, 0_usize);
    "mlock", EPERM, Unknown, |_| call!(libc::SYS_mlock, page(), 4096_usize);
    "timer_create", EPERM, Differs, |_| call!(libc::SYS_timer_create, 99, 0_usize, 0_usize);
    // Out of the confinement.
    "raise a limit", EPERM, Unknown, |_| limit(0, libc::RLIMIT_NOFILE, 1 << 19);
    "capset", EPERM, Unknown, |_| call!(libc::SYS_capset, 0_usize, 0_usize);
    "setuid", EPERM, Unknown, |_| call!(libc::SYS_setuid, 0);
    "seccomp", EPERM, Unknown, |_| call!(libc::SYS_seccomp, 1, 0, 0_usize);
    "prctl PR_SET_DUMPABLE", EPERM, Differs, |_| {
        call!(libc::SYS_prctl, libc::PR_SET_DUMPABLE, 1, 0, 0, 0)
    };
    "prctl PR_SET_PTRACER", EPERM, Differs, |_| {
        call!(libc::SYS_prctl, libc::PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    };
    "a call that there is not", EPERM, Differs, |_| call!(0xffff);
    "kill with effect", EPERM, Harms, |scene| call!(libc::SYS_kill, scene.victim, libc::SIGKILL);
}

/// Calls under other numbers, or of one kind of processor alone.
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86 {
    use super::*;

    attacks! {
        "open", EPERM, Differs, |_| call!(libc::SYS_open, c"/dev/null".as_ptr(), 0);
        "creat", EPERM, Differs, |_| call!(libc::SYS_creat, c"/dev/null".as_ptr(), 0);
        "stat", EPERM, Differs, |_| call!(libc::SYS_stat, 0_usize, 0_usize);
        "fork", EPERM, Differs, |_| process!(libc::SYS_fork);
        "vfork", EPERM, Harms, |_| process!(libc::SYS_vfork);
        "setrlimit", EPERM, Unknown, |_| {
            let more = [1_u64 << 19; 2];
            call!(libc::SYS_setrlimit, libc::RLIMIT_NOFILE, &raw const more)
        };
        "inotify_init", EPERM, Unknown, |_| call!(libc::SYS_inotify_init);
        "arch_prctl", EPERM, Differs, |_| call!(libc::SYS_arch_prctl, 0, 0_usize);
        "getpid by another number", EPERM, Unknown, |_| call!(0x4000_0000 | libc::SYS_getpid);
    }
}
