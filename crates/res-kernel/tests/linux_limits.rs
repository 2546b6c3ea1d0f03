//! What is left behind, and what happens at the limits of the process. One test, in a process of
//! its own: others would be counted, or hit, too.

#[path = "common/body.rs"]
mod body;

use std::fs::{read_dir, read_to_string};
use std::sync::mpsc::channel;

use res_api::ErrorKind;
use res_kernel::{Access, Kernel, KernelMemory, KernelThread, Linux};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const MACHINE: Linux = Linux::new();
const MIB: u64 = 1 << 20;

/// Runs `body` with a lower limit, and sets it back.
fn limited(resource: Resource, limit: u64, body: impl FnOnce()) {
    let before = getrlimit(resource);
    let lower = Rlimit { current: Some(limit), ..before };
    setrlimit(resource, lower).expect("anybody may lower a limit");
    body();
    setrlimit(resource, before).expect("and raise it again");
}

fn descriptors() -> usize {
    read_dir("/proc/self/fd").expect("one's own").count()
}

fn mappings() -> usize {
    let maps = read_to_string("/proc/self/maps").expect("one's own maps");
    maps.lines().filter(|line| line.contains("memfd:")).count()
}

/// Bytes of address space in use.
fn address_space() -> u64 {
    let pages = read_to_string("/proc/self/statm").expect("one's own");
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64
}

#[test]
#[cfg_attr(miri, ignore = "no limits there")]
fn nothing_is_left_behind_and_limits_are_reported() {
    nothing_is_left_behind();
    too_many_descriptors();
    too_little_address_space();
    #[cfg(not(miri))]
    no_room_for_what_arrives::here();
    #[cfg(not(miri))]
    nobody_to_look_after_it::here();
}

fn nothing_is_left_behind() {
    let before = (descriptors(), mappings());
    for _ in 0..100 {
        let memory = MACHINE.memory(MIB / 16).expect("memory");
        let reader = memory.alias(Access::Read).expect("a mapping");
        drop(memory);
        drop(reader);
    }
    assert_eq!((descriptors(), mappings()), before);
}

fn too_many_descriptors() {
    let memory = MACHINE.memory(1).expect("memory");
    limited(Resource::Nofile, 0, || {
        let refused = MACHINE.memory(1).expect_err("no descriptor is left");
        assert_eq!((refused.kind, refused.code), (ErrorKind::NoSlots, libc::EMFILE));
        memory.alias(Access::Read).expect("it takes no descriptor");
    });
}

fn too_little_address_space() {
    let (told, heard) = channel();
    let thread = body::thread(move || told.send(()).expect("the test listens"));
    let memory = MACHINE.memory(MIB).expect("memory");
    limited(Resource::As, address_space() + MIB / 2, || {
        let refused = MACHINE.memory(MIB).expect_err("no room is left");
        assert_eq!((refused.kind, refused.code), (ErrorKind::NoMemory, libc::ENOMEM));
        let refused = memory.alias(Access::Read).expect_err("no room is left");
        assert_eq!(refused.kind, ErrorKind::NoMemory);
        let refused = thread.start().expect_err("no room for a stack");
        assert_eq!((refused.kind, refused.code), (ErrorKind::NoSlots, libc::EAGAIN));
    });
    thread.start().expect("it was not started, and can be now");
    assert_eq!(heard.recv(), Ok(()));
}

/// A message whose object cannot be mapped comes all the same, with an empty place for it.
#[cfg(not(miri))]
mod no_room_for_what_arrives {
    use super::*;

    use res_kernel::linux::LinuxSocket;
    use res_kernel::{Domain, Isolation, Passed, Socket};
    use res_sync::Deadline;

    /// Sends back what comes, twice.
    fn echoes(_: Linux, socket: LinuxSocket) {
        let mut place = [None];
        socket.recv(&mut [], &mut place, Deadline::NEVER).expect("the other side sends");
        let memory = place[0].take().and_then(Passed::into_memory).expect("an object came");
        for _ in 0..2 {
            socket.send(b"back", &[Passed::Memory(&memory)]).expect("the other side waits");
        }
    }

    /// What is received: the text, the number of objects, and whether there is one.
    fn received(socket: &LinuxSocket) -> ([u8; 4], usize, bool) {
        let (mut text, mut place) = ([0; 4], [None]);
        let received = socket.recv(&mut text, &mut place, Deadline::NEVER);
        (text, received.expect("the other side sends").objects, place[0].is_some())
    }

    pub(crate) fn here() {
        let (domain, socket) = MACHINE.domain(echoes).expect("a domain");
        let memory = MACHINE.memory(MIB).expect("memory");
        socket.send(&[], &[Passed::Memory(&memory)]).expect("it listens");
        domain.wait(Deadline::NEVER);
        limited(Resource::As, address_space() + MIB / 2, || {
            assert_eq!(received(&socket), (*b"back", 1, false));
        });
        assert_eq!(received(&socket), (*b"back", 1, true));
    }
}

/// A domain is there already, and there is no descriptor for who looks after it: it goes.
#[cfg(not(miri))]
mod nobody_to_look_after_it {
    use std::time::{Duration, Instant};

    use super::*;

    use res_kernel::linux::LinuxSocket;
    use res_kernel::{Domain, DomainEnd, Isolation};
    use res_sync::Deadline;

    fn returns(_: Linux, _: LinuxSocket) {}

    /// The domains that its fork server has.
    fn siblings(domain: u64) -> Vec<u64> {
        let status = read_to_string(format!("/proc/{domain}/status")).expect("it lives");
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).expect("it says");
        let parent = parent.trim();
        let all = read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        let all = all.expect("it lives");
        all.split_whitespace().map(|child| child.parse().expect("a number")).collect()
    }

    fn until(what: impl Fn() -> bool) {
        let late = Instant::now() + Duration::from_secs(60);
        while !what() {
            assert!(Instant::now() < late, "for ever");
            std::thread::yield_now();
        }
    }

    fn waits(_: Linux, socket: LinuxSocket) {
        use res_kernel::Socket;
        let _ = socket.recv(&mut [], &mut [], Deadline::NEVER);
    }

    pub(crate) fn here() {
        let (domain, socket) = MACHINE.domain(waits).expect("a domain");
        // It, and those that were forked ahead.
        until(|| siblings(domain.id()).len() == 3);
        limited(Resource::Nofile, 3, || {
            let refused = MACHINE.domain(returns).map(drop).expect_err("no descriptor is left");
            assert_eq!((refused.kind, refused.code), (ErrorKind::NoSlots, libc::EMFILE));
        });
        until(|| siblings(domain.id()) == [domain.id()]);
        let (again, _socket) = MACHINE.domain(returns).expect("a domain");
        assert_eq!(again.wait(Deadline::NEVER), Some(DomainEnd::Returned));
        drop(socket);
        assert_eq!(domain.wait(Deadline::NEVER), Some(DomainEnd::Returned));
    }
}
