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
