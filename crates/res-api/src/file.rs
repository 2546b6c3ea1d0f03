//! Files, on machines that have them: an extension.

use crate::{Backend, ErrorKind, FromCap};

/// A read-only source of bytes that the composing program has opened. A component reads it, and
/// can open nothing.
///
/// # Example
///
/// ```
/// use res_api::{ErrorKind, File};
///
/// fn first_byte(file: &impl File) -> Result<Option<u8>, ErrorKind> {
///     let mut byte = [0];
///     Ok((file.read_at(0, &mut byte)? == 1).then_some(byte[0]))
/// }
/// # let file = backend_local::Local::new()?.file(std::fs::File::open("Cargo.toml")?)?;
/// # assert_eq!(first_byte(&file)?, Some(b'['));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait File: Send {
    /// How many bytes it has now.
    fn len(&self) -> u64;

    /// Whether it has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads at `offset`; returns how many bytes, 0 at the end.
    ///
    /// # Errors
    ///
    /// `Other` where the machine fails to read.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize, ErrorKind>;
}

/// A backend on a machine with files.
///
/// # Example
///
/// ```
/// use res_api::{Env, Fault, File, Files, InFile, Slot};
///
/// const INPUT: Slot<InFile> = Slot::new("input");
///
/// fn size<B: Files>(env: Env<B>) -> Result<u64, Fault> {
///     Ok(env.take(INPUT)?.len())
/// }
/// # use res_api::{Backend, Deadline, Name};
/// # fn entry(env: Env<backend_local::Local>) -> Result<(), Fault> {
/// #     assert!(size(env)? > 0);
/// #     Ok(())
/// # }
/// # let system = backend_local::Local::new()?;
/// # let component = system.component(const { Name::new("size") }, entry)?;
/// # component.endow(INPUT, system.file(std::fs::File::open("Cargo.toml")?)?)?;
/// # component.start()?;
/// # component.wait(Deadline::NEVER)?.ok()?;
/// # Ok::<(), Fault>(())
/// ```
pub trait Files: Backend {
    /// An open file.
    type File: File + FromCap<Self::Cap>;
}
