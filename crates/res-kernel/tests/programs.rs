//! Domains that execute a program of their own.
#![cfg(not(miri))]

#[path = "common/program.rs"]
mod program;
#[allow(dead_code, reason = "the other side is in the program")]
#[path = "common/turns.rs"]
mod turns;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::time::Duration;

use res_api::ErrorKind;
use res_kernel::linux::{LinuxProgram, LinuxSocket};
use res_kernel::{Domain, DomainEnd, Isolation, Kernel, Linux, Socket};
use res_sync::{Deadline, Park};

const MACHINE: Linux = Linux::new();

fn late() -> Deadline {
    Deadline::at(MACHINE.now() + Duration::from_secs(60))
}

fn heard(socket: &LinuxSocket) -> String {
    let mut bytes = [0; 1024];
    let heard = socket.recv(&mut bytes, &mut [], late()).expect("the other side speaks");
    String::from_utf8_lossy(&bytes[..heard.bytes]).into_owned()
}

#[test]
fn they_talk_to_who_started_them() {
    let (domain, socket) = program::domain("shout");
    for _ in 0..3 {
        socket.send(b"hello", &[]).expect("it listens");
        assert_eq!(heard(&socket), "HELLO");
    }
    drop(socket);
    assert_eq!(domain.wait(late()), Some(DomainEnd::Returned));
}

#[test]
fn they_end_in_several_ways() {
    let ends = [
        ("return", DomainEnd::Returned),
        ("panic", DomainEnd::Panicked),
        ("exit", DomainEnd::Exited(7)),
    ];
    for (role, end) in ends {
        let (domain, socket) = program::domain(role);
        assert_eq!(domain.wait(late()), Some(end));
        let gone = socket.recv(&mut [], &mut [], late()).expect_err("nobody is there");
        assert_eq!(gone.kind, ErrorKind::PeerGone);
    }
    let (domain, _socket) = program::domain("shout");
    domain.kill();
    assert_eq!(domain.wait(late()), Some(DomainEnd::Killed(libc::SIGKILL)));
}

/// Registered for the barrier anew, behind the execution (H3).
#[test]
fn no_wake_up_is_lost_between_programs() {
    let (domain, socket) = program::domain("take turns");
    turns::first(&socket);
    assert_eq!(domain.wait(late()), Some(DomainEnd::Returned));
}

#[test]
fn they_have_their_socket_and_nothing_else() {
    let (domain, socket) = program::domain("list");
    let given = heard(&socket);
    let (arguments, environment) = given.split_once("; ").expect("two lists");
    assert_eq!(arguments, "res component");
    let known = ["RES_DOMAIN", "RUST_BACKTRACE", "RUST_LIB_BACKTRACE"];
    assert!(environment.split(' ').all(|name| known.contains(&name)), "{environment}");
    let descriptors = fs::read_dir(format!("/proc/{}/fd", domain.id())).expect("it lives");
    let descriptors: BTreeSet<_> =
        descriptors.map(|it| it.expect("an entry").file_name()).collect();
    assert_eq!(descriptors, ["0", "1", "2", "3"].map(Into::into).into());
}

/// Each has yet to be allowed to execute its program while others are.
#[test]
fn many_at_once_from_many_threads() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let domains: Vec<_> = (0..8).map(|_| program::domain("shout")).collect();
                for (domain, socket) in domains {
                    socket.send(b"a", &[]).expect("it listens");
                    assert_eq!(heard(&socket), "A");
                    drop(socket);
                    assert_eq!(domain.wait(late()), Some(DomainEnd::Returned));
                }
            });
        }
    });
}

/// Who was not started for it executes nothing, also while others may.
#[test]
fn no_other_domain_executes_anything_meanwhile() {
    fn tries(machine: Linux, socket: LinuxSocket) {
        let mut tried = 0_u64;
        let heard = || socket.recv(&mut [], &mut [], Deadline::PASSED);
        while heard().is_err_and(|error| error.kind == ErrorKind::TimedOut) {
            assert_eq!(executes_its_socket(), libc::EPERM, "try {tried}");
            tried += 1;
            machine.yield_to(None);
        }
        assert!(tried > 0);
    }
    let (domain, socket) = MACHINE.domain(tries).expect("a domain");
    for _ in 0..30 {
        let (program, _socket) = program::domain("return");
        assert_eq!(program.wait(late()), Some(DomainEnd::Returned));
    }
    drop(socket);
    assert_eq!(domain.wait(late()), Some(DomainEnd::Returned));
}

/// Why that does not work: another error where it is not refused.
fn executes_its_socket() -> i32 {
    let none = std::ptr::null::<*const libc::c_char>();
    // SAFETY: a socket is no program, so nothing happens.
    unsafe { libc::syscall(libc::SYS_execveat, 3, c"".as_ptr(), none, none, libc::AT_EMPTY_PATH) };
    std::io::Error::last_os_error().raw_os_error().expect("it has a number")
}

/// One that is killed as it begins, at whatever moment, leaves nothing to the next.
#[test]
fn those_that_are_killed_early_harm_nobody() {
    for _ in 0..20 {
        let (domain, _) = program::domain("shout");
        domain.kill();
        assert_eq!(domain.wait(late()), Some(DomainEnd::Killed(libc::SIGKILL)));
        let (domain, socket) = program::domain("return");
        assert_eq!(domain.wait(late()), Some(DomainEnd::Returned));
        drop(socket);
    }
}

#[test]
fn a_file_that_was_read_is_a_program_all_the_same() {
    let file = program::file();
    for _ in 0..2 {
        LinuxProgram::new(&file).expect("a program");
    }
}

#[test]
fn what_is_no_program_is_refused() {
    let refused = |path: &str| {
        let file = File::open(path).expect("a file");
        LinuxProgram::new(&file).expect_err("it is none").kind
    };
    // A text; nothing; one that asks for libraries, as this one does.
    for path in ["Cargo.toml", "/dev/null", "/proc/self/exe"] {
        assert_eq!(refused(path), ErrorKind::Invalid, "{path}");
    }
}
