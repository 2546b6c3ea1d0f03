//! What a domain may ask Linux for.

use std::collections::BTreeMap;
use std::vec::Vec;

use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{self, Eq, Ge, Le, MaskedEq, Ne};
use seccompiler::{SeccompCmpArgLen, SeccompCondition, SeccompRule};

/// What a domain does once that is to execute a program: by a descriptor, there are no paths for it.
pub(super) const EXECUTE: i64 = libc::SYS_execveat;

/// A call that is allowed where all conditions hold. A call may have several rules.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    call: i64,
    conditions: &'static [Condition],
}

/// Which argument, how much of it Linux looks at, and what it has to be.
type Condition = (u8, SeccompCmpArgLen, SeccompCmpOp, u64);

impl Rule {
    pub(super) const fn always(call: i64) -> Self {
        Self { call, conditions: &[] }
    }

    const fn when(call: i64, conditions: &'static [Condition]) -> Self {
        Self { call, conditions }
    }
}

/// For the library. `None` for a rule that makes no sense.
pub(super) fn rules(list: &[Rule]) -> Option<BTreeMap<i64, Vec<SeccompRule>>> {
    let mut rules = BTreeMap::<_, Vec<_>>::new();
    for Rule { call, conditions } in list {
        // No rule at all is a call that is always allowed.
        let of_call = rules.entry(*call).or_default();
        if !conditions.is_empty() {
            let conditions = conditions.iter().cloned();
            let conditions = conditions.map(|(argument, len, operator, value)| {
                SeccompCondition::new(argument, len, operator, value)
            });
            of_call.push(SeccompRule::new(conditions.collect::<Result<_, _>>().ok()?).ok()?);
        }
    }
    Some(rules)
}

/// Argument `n`, of 32 bits, is that.
const fn is(n: u8, value: i32) -> Condition {
    (n, Dword, Eq, value as u32 as u64)
}

/// Argument `n` has none of these bits.
const fn lacks(n: u8, bits: i32) -> Condition {
    (n, Dword, MaskedEq(bits as u32 as u64), 0)
}

/// Argument `n` has none but these bits.
const fn at_most(n: u8, bits: i32) -> Condition {
    lacks(n, !bits)
}

/// The first argument, a process or thread, is the caller. (A filter knows no numbers.)
const ITSELF: &[Condition] = &[is(0, 0)];

/// A thread as the C library makes it, which shares everything.
const THREAD: i32 = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM
    | libc::CLONE_SETTLS
    | libc::CLONE_PARENT_SETTID
    | libc::CLONE_CHILD_CLEARTID;

/// The futex operation is that, among the threads of one process or of several, by any clock.
/// Not allowed are those that move sleepers, which takes them away from others (H6), and those that
/// make somebody run faster.
const fn futex(operation: i32) -> Condition {
    let matters = !(libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME);
    (1, Dword, MaskedEq(matters as u32 as u64), operation as u64)
}

/// To name a piece of memory.
const PR_SET_VMA: i32 = 0x5356_4d41;
/// To read what Linux told the program at its start; libraries look there first, then in a file.
const PR_GET_AUXV: i32 = 0x4155_5856;

/// Says where a thread finds what is its own.
#[cfg(target_arch = "x86_64")]
const ARCH_SET_FS: i32 = 0x1002;

/// The list. It also has what the fork server needs and a domain can do no harm with: to learn of
/// its parent and wait for children that it does not have, to close and place descriptors of its
/// own, and to ask once more to be killed with the fork server.
pub(super) const ALLOWED: &[Rule] = &[
    // To wait and wake.
    Rule::when(libc::SYS_futex, &[futex(libc::FUTEX_WAIT)]),
    Rule::when(libc::SYS_futex, &[futex(libc::FUTEX_WAKE)]),
    Rule::when(libc::SYS_futex, &[futex(libc::FUTEX_WAIT_BITSET)]),
    Rule::always(libc::SYS_futex_waitv),
    Rule::always(libc::SYS_sched_yield),
    Rule::always(libc::SYS_nanosleep),
    Rule::always(libc::SYS_clock_nanosleep),
    Rule::always(libc::SYS_restart_syscall),
    Rule::always(libc::SYS_membarrier),
    #[cfg(target_arch = "x86_64")]
    Rule::always(libc::SYS_poll),
    Rule::always(libc::SYS_ppoll),
    // Time, chance, and where it is.
    Rule::always(libc::SYS_clock_gettime),
    Rule::always(libc::SYS_clock_getres),
    Rule::always(libc::SYS_gettimeofday),
    Rule::always(libc::SYS_getrandom),
    Rule::always(libc::SYS_getcpu),
    Rule::always(libc::SYS_uname),
    Rule::always(libc::SYS_sysinfo),
    Rule::always(libc::SYS_getpid),
    Rule::always(libc::SYS_getppid),
    Rule::always(libc::SYS_gettid),
    // Memory, of which nothing becomes instructions.
    Rule::when(libc::SYS_mmap, &[lacks(2, libc::PROT_EXEC)]),
    Rule::when(libc::SYS_mprotect, &[lacks(2, libc::PROT_EXEC)]),
    Rule::always(libc::SYS_munmap),
    Rule::always(libc::SYS_brk),
    // Not to an address of its choice, and not of a length that rounds to 0, which leaves the old
    // mapping where it is: then there are two.
    Rule::when(
        libc::SYS_mremap,
        &[(1, Qword, Ge, 1), (1, Qword, Le, i64::MAX as u64), at_most(3, libc::MREMAP_MAYMOVE)],
    ),
    // A hole is no page, in an object whose pages are all there.
    Rule::when(
        libc::SYS_madvise,
        &[
            (2, Dword, Ne, libc::MADV_REMOVE as u64),
            (2, Dword, Ne, libc::MADV_HWPOISON as u64),
            (2, Dword, Ne, libc::MADV_SOFT_OFFLINE as u64),
        ],
    ),
    // Threads.
    Rule::when(
        libc::SYS_clone,
        // An old flag without a meaning is set by one C library.
        &[(0, Dword, MaskedEq(!(libc::CLONE_DETACHED as u32) as u64), THREAD as u64)],
    ),
    // The first thread of a program too.
    Rule::always(libc::SYS_set_tid_address),
    #[cfg(target_arch = "x86_64")]
    Rule::when(libc::SYS_arch_prctl, &[is(0, ARCH_SET_FS)]),
    Rule::always(libc::SYS_set_robust_list),
    Rule::always(libc::SYS_rseq),
    Rule::when(libc::SYS_prctl, &[is(0, libc::PR_SET_NAME)]),
    Rule::when(libc::SYS_prctl, &[is(0, PR_SET_VMA)]),
    Rule::when(libc::SYS_prctl, &[is(0, PR_GET_AUXV)]),
    Rule::when(
        libc::SYS_prctl,
        &[is(0, libc::PR_SET_PDEATHSIG), (1, Qword, Eq, libc::SIGKILL as u64)],
    ),
    Rule::when(libc::SYS_sched_setaffinity, ITSELF),
    Rule::when(libc::SYS_sched_setscheduler, ITSELF),
    Rule::when(libc::SYS_sched_setattr, ITSELF),
    Rule::always(libc::SYS_sched_getaffinity),
    Rule::when(libc::SYS_sched_getscheduler, ITSELF),
    Rule::when(libc::SYS_sched_getparam, ITSELF),
    Rule::when(libc::SYS_sched_getattr, ITSELF),
    Rule::always(libc::SYS_sched_get_priority_min),
    Rule::always(libc::SYS_sched_get_priority_max),
    Rule::always(libc::SYS_exit),
    Rule::always(libc::SYS_exit_group),
    Rule::always(libc::SYS_waitid),
    // Signals that the processor raises in it.
    Rule::always(libc::SYS_rt_sigaction),
    Rule::always(libc::SYS_rt_sigprocmask),
    Rule::always(libc::SYS_rt_sigreturn),
    Rule::always(libc::SYS_sigaltstack),
    // Descriptors that it was given. None of these reaches who is not connected already, and none
    // changes what is common to all who have the descriptor (so not `F_SETFL`, `ioctl`).
    Rule::always(libc::SYS_close),
    Rule::when(libc::SYS_close_range, &[is(2, 0)]),
    Rule::always(libc::SYS_dup3),
    Rule::always(libc::SYS_read),
    Rule::always(libc::SYS_readv),
    Rule::always(libc::SYS_pread64),
    Rule::always(libc::SYS_write),
    Rule::always(libc::SYS_writev),
    Rule::always(libc::SYS_lseek),
    Rule::always(libc::SYS_fstat),
    Rule::when(libc::SYS_fcntl, &[is(1, libc::F_GETFD)]),
    Rule::when(libc::SYS_fcntl, &[is(1, libc::F_SETFD)]),
    Rule::when(libc::SYS_fcntl, &[is(1, libc::F_GETFL)]),
    Rule::when(libc::SYS_fcntl, &[is(1, libc::F_GET_SEALS)]),
    Rule::when(libc::SYS_fcntl, &[is(1, libc::F_DUPFD_CLOEXEC)]),
    Rule::always(libc::SYS_sendmsg),
    Rule::always(libc::SYS_recvmsg),
    Rule::when(libc::SYS_sendto, &[(4, Qword, Eq, 0)]),
    Rule::always(libc::SYS_recvfrom),
];
