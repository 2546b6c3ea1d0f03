//! Programs that were built by themselves, for domains to execute.

use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::vec;

use res_api::ErrorKind;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

use super::error::refused;
use crate::KernelError;

const READ: &str = "read a program";

/// A program that a domain can execute instead of an entry of this one: a copy, which nobody
/// changes any more, whatever becomes of the file.
///
/// It has to be linked statically: whatever loads libraries would have to open them, and a domain is
/// confined before its first instruction (H8). With cargo that is
/// `RUSTFLAGS="-C target-feature=+crt-static"` and an explicit `--target`.
///
/// ```
/// use res_api::ErrorKind;
/// use res_kernel::linux::LinuxProgram;
///
/// let no_program = std::fs::File::open("Cargo.toml")?;
/// assert_eq!(LinuxProgram::new(&no_program).unwrap_err().kind, ErrorKind::Invalid);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct LinuxProgram(Arc<OwnedFd>);

impl LinuxProgram {
    /// The program in that file.
    ///
    /// # Errors
    ///
    /// `Invalid` for what is no program for this machine, or is not linked statically; `NoMemory`;
    /// what the machine refuses.
    pub fn new(mut file: &File) -> Result<Self, KernelError> {
        let mut copy = File::from(executable_object().map_err(refused(READ))?);
        // Somebody may have read from it.
        file.rewind().map_err(refused(READ))?;
        io::copy(&mut file, &mut copy).map_err(refused(READ))?;
        match Header::of(&copy).and_then(|header| header.is_static(&copy)) {
            Some(true) => {}
            _ => return Err(KernelError::new(READ, ErrorKind::Invalid)),
        }
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&copy, seals).map_err(refused(READ))?;
        Ok(Self(Arc::new(copy.into())))
    }

    pub(super) fn as_descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// An object that can be executed. In no file system: the second line has nothing to say to it.
fn executable_object() -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(c"res program", flags | MemfdFlags::EXEC) {
        // Before Linux 6.3 all can, and the flag is unknown.
        Err(Errno::INVAL) => memfd_create(c"res program", flags),
        made => made,
    }
}

/// What the beginning of an ELF file says of its segments.
struct Header {
    table: u64,
    entry_len: usize,
    entries: usize,
}

impl Header {
    const LEN: usize = 64;
    /// Of the names of what loads a program and its libraries.
    const INTERPRETER: u32 = 3;
    #[cfg(target_arch = "x86_64")]
    const MACHINE: u16 = 62;
    #[cfg(target_arch = "aarch64")]
    const MACHINE: u16 = 183;
    #[cfg(target_arch = "riscv64")]
    const MACHINE: u16 = 243;
    /// None: programs for others are not known.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
    const MACHINE: u16 = 0;

    /// `None` for what is not a program of 64 bits for this machine.
    fn of(file: &File) -> Option<Self> {
        let mut bytes = [0; Self::LEN];
        file.read_exact_at(&mut bytes, 0).ok()?;
        let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let (kind, machine) = (short(16), short(18));
        let executes = bytes.starts_with(b"\x7fELF\x02\x01") && matches!(kind, 2 | 3);
        let (start, _) = bytes[32..].split_first_chunk()?;
        let table = u64::from_le_bytes(*start);
        let (entry_len, entries) = (short(54).into(), short(56).into());
        (executes && machine == Self::MACHINE).then_some(Self { table, entry_len, entries })
    }

    /// Whether it asks for nobody to load anything. `None` for a table that is not there.
    fn is_static(&self, file: &File) -> Option<bool> {
        let mut table = vec![0; self.entry_len * self.entries];
        file.read_exact_at(&mut table, self.table).ok()?;
        let interpreter = Self::INTERPRETER.to_le_bytes();
        Some(table.chunks(self.entry_len.max(1)).all(|entry| !entry.starts_with(&interpreter)))
    }
}
