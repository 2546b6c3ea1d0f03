//! The traits of the seam.

use core::ptr::NonNull;

use res_api::{ErrorKind, ThreadParam};
use res_sync::model::Mapped;
use res_sync::{Barrier, Park};
use thiserror::Error;

/// What the machine refused, and with which of its own error numbers (0 where it has none).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the machine refused to {operation}: {kind} (error {code})")]
pub struct KernelError {
    /// What was asked for, as a verb: "create a thread".
    pub operation: &'static str,
    /// The class of the failure.
    #[source]
    pub kind: ErrorKind,
    /// The machine's error number.
    pub code: i32,
}

impl KernelError {
    /// `operation` failed with that kind, for a reason without a number.
    pub const fn new(operation: &'static str, kind: ErrorKind) -> Self {
        Self { operation, kind, code: 0 }
    }
}

/// A body panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panicked;

/// Where a kernel thread begins: a function and the word it is called with.
#[derive(Clone, Copy, Debug)]
pub struct ThreadEntry {
    /// The function. It returns when the thread ends, and does not unwind.
    pub run: unsafe fn(*mut ()),
    /// What it is called with.
    pub data: *mut (),
}

/// What a mapping allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Loads only; a store faults.
    Read,
    /// Loads and stores.
    ReadWrite,
}

/// A machine: parking and time ([`Park`]), and what else a backend asks of what is below it.
///
/// # Example
///
/// ```
/// use res_kernel::{Kernel, KernelMemory, Linux};
///
/// let machine = Linux::new();
/// let page = machine.memory(4096)?;
/// assert_eq!(page.len(), 4096);
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
pub trait Kernel: Park<Model: Mapped> {
    /// A thread of the machine.
    type Thread: KernelThread;
    /// A memory object.
    type Memory: KernelMemory;

    /// How many cores run threads of this machine.
    fn cores(&self) -> u32;

    /// The strongest barrier that all threads of one address space agree on (H3).
    fn barrier(&self) -> Barrier;

    /// A place to sleep at.
    ///
    /// # Errors
    ///
    /// `NoSlots` where places come from a pool.
    fn point(&self) -> Result<Self::Point, KernelError>;

    /// Lets another thread run; the one with that id, where the machine can.
    fn yield_to(&self, thread: Option<u32>);

    /// Makes a thread that does not run yet (R6).
    ///
    /// # Safety
    ///
    /// `entry.run(entry.data)` is sound in another thread, at any time until it has run or the
    /// thread was dropped without a start.
    ///
    /// # Errors
    ///
    /// `NoSlots`, `NoMemory`.
    unsafe fn thread(&self, entry: ThreadEntry) -> Result<Self::Thread, KernelError>;

    /// A memory object of at least that many bytes, all 0, mapped for reading and writing.
    ///
    /// # Errors
    ///
    /// `Invalid` for 0 bytes, `NoMemory`, `NoSlots`; `Denied` in a domain: whoever started it
    /// makes the objects, and sends them.
    fn memory(&self, bytes: u64) -> Result<Self::Memory, KernelError>;

    /// Runs `body` and reports a panic in it, on machines where panics unwind.
    ///
    /// # Errors
    ///
    /// [`Panicked`].
    fn guard(&self, body: &mut dyn FnMut()) -> Result<(), Panicked>;
}

/// A thread of a machine. Dropped before the start, it never runs; later, it runs on by itself.
///
/// # Example
///
/// ```
/// use res_kernel::{Kernel, KernelThread, Linux, ThreadEntry};
///
/// unsafe fn nothing(_: *mut ()) {}
///
/// let entry = ThreadEntry { run: nothing, data: core::ptr::null_mut() };
/// // SAFETY: `nothing` touches nothing.
/// let thread = unsafe { Linux::new().thread(entry)? };
/// thread.start()?;
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
pub trait KernelThread: Send + Sync {
    /// What [`Park::current`] says inside it.
    fn id(&self) -> u32;

    /// Sets a parameter, before or after the start. Period and budget take effect together.
    ///
    /// # Errors
    ///
    /// `Denied`, `Invalid`: what the machine refuses is never ignored.
    fn set(&self, param: ThreadParam) -> Result<(), KernelError>;

    /// Forgets all parameters: a running thread is scheduled as any other again, as far as the
    /// machine can. For pools, which use a thread anew.
    fn reset(&self);

    /// Lets it run.
    ///
    /// # Errors
    ///
    /// `Invalid` if it was started before; `NoSlots`, `NoMemory`; what the machine refused of the
    /// parameters that were set before.
    fn start(&self) -> Result<(), KernelError>;

    /// Waits until it has ended, and touches nothing of what it was made with any more. Returns at
    /// once where it was never started, was joined before, or is the calling thread.
    fn join(&self);
}

/// A memory object, mapped. Dropping it unmaps; the object lives as long as one mapping does.
///
/// # Example
///
/// ```
/// use res_kernel::{Access, Kernel, KernelMemory, Linux};
///
/// let memory = Linux::new().memory(4096)?;
/// let reader = memory.alias(Access::Read)?;
/// // SAFETY: both are mapped, and nobody else writes.
/// let seen = unsafe {
///     memory.base().write(7);
///     reader.base().read()
/// };
/// assert_eq!(seen, 7);
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
pub trait KernelMemory: Send + Sync + Sized {
    /// Where it is mapped: at the beginning of a page.
    fn base(&self) -> NonNull<u8>;

    /// How many bytes are mapped: whole pages.
    fn len(&self) -> u64;

    /// Whether there are none; never so.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What this mapping allows.
    fn access(&self) -> Access;

    /// Another handle to the same object. It may be at the same place, where it allows the same.
    ///
    /// # Errors
    ///
    /// `Denied` where more is asked for than this mapping allows; `NoMemory`, `NoSlots`.
    fn alias(&self, access: Access) -> Result<Self, KernelError>;
}
