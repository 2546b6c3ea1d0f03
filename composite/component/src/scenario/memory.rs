//! Memory objects.

use res_api::{ErrorKind, Fault};
use res_kernel::composite::interface::memmgr::{
    PAGE, memmgr_shared_page_allocn, memmgr_shared_page_map,
};
use res_kernel::{Access, Composite, Kernel, KernelMemory};

use crate::report::check;

/// Writes all bytes of an object.
fn fill(memory: &impl KernelMemory, byte: u8) {
    // SAFETY: so many bytes are mapped for writing.
    unsafe { memory.base().write_bytes(byte, memory.len() as usize) };
}

/// Whether all bytes of an object are that.
fn is_all(memory: &impl KernelMemory, byte: u8) -> bool {
    // SAFETY: so many bytes are mapped; nobody writes them meanwhile.
    let bytes =
        unsafe { core::slice::from_raw_parts(memory.base().as_ptr(), memory.len() as usize) };
    bytes.iter().all(|found| *found == byte)
}

pub(super) fn objects(machine: Composite) -> Result<(), Fault> {
    check!(machine.memory(0).is_err_and(|error| error.kind == ErrorKind::Invalid));
    check!(machine.memory(u64::MAX).is_err_and(|error| error.kind == ErrorKind::NoMemory));
    let memory = machine.memory(5_000)?;
    check!(memory.len() == 8_192);
    check!(memory.base().addr().get().is_multiple_of(4_096));
    check!(memory.access() == Access::ReadWrite);
    fill(&memory, 7);
    let alias = memory.alias(Access::ReadWrite)?;
    drop(memory);
    let another = machine.memory(5_000)?;
    check!(another.base() != alias.base());
    check!(is_all(&alias, 7));
    check!(alias.alias(Access::Read).is_err_and(|error| error.kind == ErrorKind::Invalid));
    Ok(())
}

/// Pages are used again, and are all 0 again; not while somebody has them.
pub(super) fn pool(machine: Composite) -> Result<(), Fault> {
    let kept = machine.memory(4_096)?;
    fill(&kept, 1);
    for _ in 0..1_000 {
        let memory = machine.memory(4_096)?;
        check!(memory.base() != kept.base());
        check!(is_all(&memory, 0));
        fill(&memory, 2);
    }
    check!(is_all(&kept, 1));
    Ok(())
}

/// Pages with a name are found by it, and are mapped once more.
pub(super) fn shared(_: Composite) -> Result<(), Fault> {
    let (mut here, mut there) = (0, 0);
    // SAFETY: both places are ours.
    let buffer = unsafe { memmgr_shared_page_allocn(2, &raw mut here) };
    check!(buffer != 0);
    // SAFETY: the buffer is there, and is mapped a second time.
    check!(unsafe { memmgr_shared_page_map(buffer, &raw mut there) } == 2);
    check!(here != there);
    // SAFETY: two pages are mapped at both addresses, and nobody else has them.
    unsafe {
        (here as *mut u8).write_bytes(7, 2 * PAGE);
        check!((there as *const u8).add(2 * PAGE - 1).read() == 7);
    }
    Ok(())
}
