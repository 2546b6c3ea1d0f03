//! What starting a process takes, by those whom a component's start is compared with.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use res_benches::{Candidate, time};

use super::pause::rested;
use super::peers::{Other, connected, stdin};

pub(crate) fn starting(count: u64) -> Vec<Candidate<'static>> {
    let spawn = Candidate::peer("posix_spawn of a program that does nothing", move || {
        time(count, || {
            for _ in 0..count {
                let status = Command::new("/bin/true").status().expect("it is there");
                assert!(status.success());
            }
        })
    });
    let fork = Candidate::floor("fork of this process, exit", move || forks(count));
    let mut small = None;
    let small = Candidate::floor("fork of a process that has nothing else, exit", move || {
        let (stream, _) = small.get_or_insert_with(|| connected("forks", "", libc::SOCK_STREAM));
        stream.write_all(&count.to_ne_bytes()).expect("it lives");
        let mut took = [0; size_of::<f64>()];
        stream.read_exact(&mut took).expect("it says so");
        f64::from_ne_bytes(took)
    });
    vec![spawn, fork, small]
}

/// As often as it is asked to; how long one took.
pub(crate) fn fork_on_demand() {
    let (mut stream, mut count) = (stdin(), [0; size_of::<u64>()]);
    while stream.read_exact(&mut count).is_ok() {
        let took = forks(u64::from_ne_bytes(count));
        if stream.write_all(&took.to_ne_bytes()).is_err() {
            return;
        }
    }
}

/// How long a process takes that is forked and does nothing but end.
fn forks(count: u64) -> f64 {
    time(count, || {
        for _ in 0..count {
            // SAFETY: the child does nothing but end.
            unsafe {
                match libc::fork() {
                    0 => libc::_exit(0),
                    child => libc::waitpid(child, std::ptr::null_mut(), 0),
                };
            }
        }
    })
}

/// Whoever was started has said something.
pub(crate) fn starting_to_speak() -> Vec<Candidate<'static>> {
    let spawn = Candidate::peer("posix_spawn of echo, and a pipe", || {
        rested(|| {
            let mut echo = Command::new("/bin/echo");
            let mut child = echo.arg("1").stdout(Stdio::piped()).spawn().expect("it is there");
            let said = child.stdout.as_mut().expect("a pipe").read_exact(&mut [0]);
            said.expect("it speaks");
            Other::of(child)
        })
    });
    let fork = Candidate::floor("fork of this process, and a pipe", || {
        rested(|| {
            let (mut ours, mut theirs) = std::io::pipe().expect("a pipe");
            // SAFETY: the child does nothing but write, and end.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let _ = theirs.write_all(&[1]);
                // SAFETY: it ends.
                unsafe { libc::_exit(0) }
            }
            ours.read_exact(&mut [0]).expect("it speaks");
            Forked(child)
        })
    });
    vec![spawn, fork]
}

/// A process that ends by itself.
struct Forked(libc::pid_t);

impl Drop for Forked {
    fn drop(&mut self) {
        // SAFETY: a child of this process, which nobody else waits for.
        unsafe { libc::waitpid(self.0, std::ptr::null_mut(), 0) };
    }
}
