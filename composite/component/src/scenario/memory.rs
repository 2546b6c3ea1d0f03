//! Memory objects.

use res_api::{ErrorKind, Fault};
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
