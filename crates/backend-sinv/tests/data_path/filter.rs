//! A thread that may not call the machine.

/// Calls by which a thread of std ends.
const ALLOWED: [i64; 6] = [
    libc::SYS_exit,
    libc::SYS_munmap,
    libc::SYS_madvise,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigprocmask,
    libc::SYS_mprotect,
];

/// Calls by which a thread sleeps, and wakes who sleeps.
pub(crate) const SLEEPING: &[i64] = &[libc::SYS_futex, libc::SYS_membarrier];

/// From now on a call of the machine by this thread is the end of the process, but for those, and those
/// by which a thread of std ends.
pub(crate) fn call_nobody(but: &[i64]) {
    let step =
        |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter { code: code as u16, jt, jf, k };
    let answer = |value| step(libc::BPF_RET | libc::BPF_K, value, 0, 0);
    // The number of the call is the first word.
    let mut filter = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for call in ALLOWED.iter().chain(but) {
        filter.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, *call as u32, 0, 1));
        filter.push(answer(libc::SECCOMP_RET_ALLOW));
    }
    filter.push(answer(libc::SECCOMP_RET_KILL_PROCESS));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program lives during the call, and is for this thread alone.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}
