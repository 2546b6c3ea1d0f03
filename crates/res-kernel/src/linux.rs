//! The Linux kernel, on std.
//!
//! | operation | on Linux |
//! |---|---|
//! | time | `CLOCK_MONOTONIC` |
//! | park, wake | a private futex on the low half of the word |
//! | heavy barrier | a fence, or `membarrier` with `PRIVATE_EXPEDITED` |
//! | thread | a thread of std, detached |
//! | priority | `SCHED_FIFO`; Linux too calls the greater number more urgent |
//! | period and budget | `SCHED_DEADLINE` |
//! | core n | the n-th core that the process may use |
//! | memory | a sealed memfd, mapped shared, populated, not inherited by a fork |
//! | domain | a process, forked by a second execution of this program that does nothing else |
//! | program | a sealed memfd, executed by such a process behind all that confines it |
//! | socket | `SOCK_SEQPACKET`; objects travel as descriptors |
//! | death notice | a pidfd; the fork server says how it ended |
//! | confinement | seccomp, Landlock, no capabilities, limits: in the fork server, before the first fork |
//!
//! It needs Linux 5.14, 64 bits and little-endian words, and of glibc 2.34.
//!
//! # What it does not do
//!
//! * The futex is private: two threads find each other by the *address* of the word, so a word
//!   that is mapped twice is two places to sleep at.
//! * A thread begins with the cores and the fixed priority of the thread that starts it, as Linux
//!   has it, where no parameter says otherwise. Period and budget are not passed on.
//! * Period and budget go with no core of one's own: Linux refuses to pin such a thread.
//! * Under Miri the machine is emulated as far as Miri goes: a lot of sleepers instead of the
//!   futex, fences only, memory from the heap; priorities and periods are denied.

#[cfg(not(all(target_os = "linux", target_endian = "little", target_pointer_width = "64")))]
compile_error!("the `linux` feature needs Linux on a little-endian machine of 64 bits");

mod barrier;
mod clock;
#[cfg(not(miri))]
mod confine;
mod cores;
#[cfg(not(miri))]
mod domain;
mod error;
mod file;
#[cfg(not(miri))]
mod fork_server;
#[cfg_attr(miri, path = "linux/miri/futex.rs")]
mod futex;
mod identity;
#[cfg(not(miri))]
mod interrupt;
mod memory;
#[cfg_attr(miri, path = "linux/miri/object.rs")]
mod object;
mod params;
mod park;
#[cfg(not(miri))]
mod program;
#[cfg(not(miri))]
mod socket;
mod spin;
mod thread;

use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};

use res_api::ErrorKind;
use res_sync::Barrier;

use crate::{Kernel, KernelError, Panicked, ThreadEntry};

#[cfg(not(miri))]
pub use domain::LinuxDomain;
pub use file::LinuxFile;
#[cfg(not(miri))]
pub use interrupt::Interrupt;
pub use memory::LinuxMemory;
pub use park::LinuxPoint;
#[cfg(not(miri))]
pub use program::LinuxProgram;
#[cfg(not(miri))]
pub use socket::LinuxSocket;
pub use thread::LinuxThread;

/// The machine that this process runs on.
///
/// A token of no size: all values are the same machine.
///
/// # Example
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use core::time::Duration;
/// use res_kernel::{Kernel, Linux};
/// use res_sync::{Deadline, Event, Park, WaitError};
///
/// let machine = Linux::new();
/// let (point, word) = (machine.point()?, AtomicU64::new(0));
/// let event = Event { park: &machine, point: &point, word: &word, barrier: machine.barrier() };
/// let soon = Deadline::at(machine.now() + Duration::from_millis(1));
/// assert_eq!(event.wait_until(soon, || None::<()>), Err(WaitError::TimedOut));
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Linux;

impl Linux {
    /// The machine. Costs nothing.
    ///
    /// ```
    /// const MACHINE: res_kernel::Linux = res_kernel::Linux::new();
    /// assert_eq!(size_of_val(&MACHINE), 0);
    /// ```
    pub const fn new() -> Self {
        Self
    }
}

impl Kernel for Linux {
    type Thread = LinuxThread;
    type Memory = LinuxMemory;

    /// The cores that the process's first thread may use, as of the first call.
    fn cores(&self) -> u32 {
        cores::count()
    }

    fn barrier(&self) -> Barrier {
        barrier::strongest()
    }

    fn point(&self) -> Result<LinuxPoint, KernelError> {
        Ok(LinuxPoint::default())
    }

    /// Lets any other thread run: Linux cannot be told which.
    fn yield_to(&self, _thread: Option<u32>) {
        rustix::thread::sched_yield();
    }

    unsafe fn thread(&self, entry: ThreadEntry) -> Result<Self::Thread, KernelError> {
        let id = identity::allocate()
            .ok_or(KernelError::new("name another thread", ErrorKind::NoSlots))?;
        // SAFETY: the caller promises what `LinuxThread::new` asks for; the words are the same.
        Ok(unsafe { LinuxThread::new(id, entry) })
    }

    fn memory(&self, bytes: u64) -> Result<Self::Memory, KernelError> {
        LinuxMemory::new(bytes)
    }

    fn guard(&self, body: &mut dyn FnMut()) -> Result<(), Panicked> {
        catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
            // What a panic carries may panic as it is dropped; what that one carries is leaked.
            if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                forget(another);
            }
            Panicked
        })
    }
}
