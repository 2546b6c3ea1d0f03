//! Composers on machines that lack something: this program once more, behind a filter of its own.

use std::fs;
use std::io::Error;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::Command;
use std::time::{Duration, Instant};

/// Says to this program, executed once more, that it is to be one.
const COMPOSER: &str = "RES_TEST_COMPOSER";

pub(crate) fn is_one() -> bool {
    std::env::var_os(COMPOSER).is_some()
}

/// Runs one of them, which has to succeed.
pub(crate) fn run(test: &str) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", test, "--nocapture"]).env(COMPOSER, "1");
    let output = command.output().expect("this program again");
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    println!("{said}{failed}");
    assert!(output.status.success() && said.contains("1 passed"), "{test} failed");
}

/// From now on, Linux knows none of these calls, as far as this thread and its children can tell.
pub(crate) fn without(calls: &[i64]) {
    let mut filter = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for call in calls {
        let code = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        filter.push(libc::sock_filter { code: code as u16, jt: 0, jf: 1, k: *call as u32 });
        let unknown = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
        filter.push(statement(libc::BPF_RET | libc::BPF_K, unknown));
    }
    filter.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    install(&mut filter, 0);
}

/// From now on somebody else decides for this thread and its children; so far, not to be asked.
pub(crate) fn with_warden() -> OwnedFd {
    let mut filter = vec![statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW)];
    let listener = install(&mut filter, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
    // SAFETY: just made, and nobody else's.
    unsafe { OwnedFd::from_raw_fd(listener) }
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn install(filter: &mut [libc::sock_filter], flags: libc::c_ulong) -> i32 {
    rustix::thread::set_no_new_privs(true).expect("it can be given up");
    let (len, filter) = (filter.len() as u16, filter.as_mut_ptr());
    let program = libc::sock_fprog { len, filter };
    let mode = libc::SECCOMP_SET_MODE_FILTER;
    // SAFETY: a program that is as long as it says.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program) };
    assert!(result >= 0, "{}", Error::last_os_error());
    result as i32
}

/// Whether Linux has filters.
pub(crate) fn has_filters() -> bool {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail");
    actions.is_ok_and(|actions| actions.contains("errno"))
}

/// Which version of Landlock Linux has; 0 for none.
pub(crate) fn landlock() -> i64 {
    // SAFETY: without rules it only says the version.
    unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0_usize, 0_usize, 1_u32) }.max(0)
}

/// Whether this process may give up privileges for its children's programs.
pub(crate) fn drops_bounds() -> bool {
    let sets = rustix::thread::capabilities(None).expect("they can be read");
    sets.effective.contains(rustix::thread::CapabilitySet::SETPCAP)
}

pub(crate) fn processes_may_trace_each_other() -> bool {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    scope.is_ok_and(|scope| scope.trim() == "0")
        || !fs::exists("/proc/sys/kernel/yama").unwrap_or(false)
}

pub(crate) fn eventually(condition: impl Fn() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < give_up, "never");
        std::thread::yield_now();
    }
}
