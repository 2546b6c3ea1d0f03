//! Memory objects and their mappings.

use std::fs::read_to_string;

use res_api::ErrorKind;
use res_kernel::linux::LinuxMemory;
use res_kernel::{Access, Kernel, KernelMemory, Linux};

fn page() -> usize {
    rustix::param::page_size()
}

fn memory(bytes: u64) -> LinuxMemory {
    Linux::new().memory(bytes).expect("a little memory")
}

fn refusal(bytes: u64) -> ErrorKind {
    Linux::new().memory(bytes).expect_err("refused").kind
}

fn write(memory: &LinuxMemory, at: usize, value: u8) {
    assert!((at as u64) < memory.len() && memory.access() == Access::ReadWrite);
    // SAFETY: it is mapped for writing, `at` lies in it, and each test has its own.
    unsafe { memory.base().add(at).write_volatile(value) }
}

fn read(memory: &LinuxMemory, at: usize) -> u8 {
    assert!((at as u64) < memory.len());
    // SAFETY: it is mapped, `at` lies in it, and each test has its own.
    unsafe { memory.base().add(at).read_volatile() }
}

#[test]
fn memory_is_whole_pages_of_zeroes() {
    for bytes in [1, 4095, 4096, 4097, 100_000] {
        let memory = memory(bytes);
        let len = memory.len();
        assert!(len >= bytes && len.is_multiple_of(page() as u64) && !memory.is_empty());
        assert_eq!(memory.base().addr().get() % page(), 0);
        let step = if cfg!(miri) { 509 } else { 1 };
        assert!((0..len as usize).step_by(step).all(|at| read(&memory, at) == 0));
    }
}

#[test]
fn none_at_all_makes_no_sense() {
    assert_eq!(refusal(0), ErrorKind::Invalid);
}

#[test]
fn more_than_there_can_be_is_refused() {
    let sizes = [u64::MAX, u64::MAX - 4095, i64::MAX as u64, 1 << 62, 1 << 45];
    for bytes in sizes {
        assert_eq!(refusal(bytes), ErrorKind::NoMemory, "{bytes} bytes");
    }
}

#[test]
fn an_alias_shows_what_is_written() {
    let first = memory(2 * page() as u64);
    let second = first.alias(Access::ReadWrite).expect("a mapping");
    let reader = second.alias(Access::Read).expect("a mapping");
    write(&first, 1, 11);
    write(&second, page(), 22);
    for all in [&first, &second, &reader] {
        assert_eq!((read(all, 1), read(all, page())), (11, 22));
        assert_eq!(all.len(), first.len());
    }
}

#[test]
fn the_object_lives_as_long_as_one_mapping() {
    let first = memory(1);
    let second = first.alias(Access::ReadWrite).expect("a mapping");
    write(&first, 0, 7);
    drop(first);
    assert_eq!(read(&second, 0), 7);
    let third = second.alias(Access::Read).expect("a mapping");
    drop(second);
    assert_eq!(read(&third, 0), 7);
}

#[test]
fn reading_gives_no_right_to_write() {
    let reader = memory(1).alias(Access::Read).expect("a mapping");
    assert_eq!(reader.access(), Access::Read);
    let refused = reader.alias(Access::ReadWrite).expect_err("refused");
    assert_eq!(refused.kind, ErrorKind::Denied);
    reader.alias(Access::Read).expect("that it gives");
}

/// The protection that Linux reports for a mapping, as `rw-s`.
fn protection(memory: &LinuxMemory) -> String {
    let start = format!("{:x}-", memory.base().addr());
    let maps = read_to_string("/proc/self/maps").expect("one's own maps");
    let line = maps.lines().find(|line| line.starts_with(&start));
    let line = line.expect("it is mapped");
    line.split(' ').nth(1).expect("a second column").to_owned()
}

#[test]
#[cfg_attr(miri, ignore = "no maps there")]
fn a_mapping_for_reading_cannot_be_written() {
    let writer = memory(1);
    let reader = writer.alias(Access::Read).expect("a mapping");
    assert_eq!(protection(&writer), "rw-s");
    assert_eq!(protection(&reader), "r--s");
}

/// How many pages of the range are there; `None` where some of it is not mapped.
fn resident(memory: &LinuxMemory) -> Option<usize> {
    let mut pages = [0_u8; 64];
    assert!(memory.len() as usize <= pages.len() * page());
    let base = memory.base().as_ptr().cast();
    // SAFETY: the kernel writes one byte for each page of the range, as many as there are here; of
    // the range itself it looks at no byte.
    let result = unsafe { libc::mincore(base, memory.len() as usize, pages.as_mut_ptr()) };
    (result == 0).then(|| pages.iter().filter(|page| **page & 1 == 1).count())
}

#[test]
#[cfg_attr(miri, ignore = "no pages there")]
fn its_pages_are_there_from_the_beginning() {
    let memory = memory(16 * page() as u64);
    assert_eq!(resident(&memory), Some(memory.len() as usize / page()));
}

#[test]
#[cfg_attr(miri, ignore = "no fork there")]
fn a_fork_does_not_inherit_it() {
    let writer = memory(1);
    let reader = writer.alias(Access::Read).expect("a mapping");
    // SAFETY: the child makes two system calls on its own stack and exits; it takes no lock,
    // allocates nothing and runs no destructor.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let inherited = resident(&writer).is_some() || resident(&reader).is_some();
        // SAFETY: it ends the child at once.
        unsafe { libc::_exit(i32::from(inherited)) }
    }
    let mut status = -1;
    // SAFETY: the child is ours, and nobody else waits for it.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status));
    assert_eq!(libc::WEXITSTATUS(status), 0, "the child has it too");
    assert!(resident(&writer).is_some() && resident(&reader).is_some());
}
