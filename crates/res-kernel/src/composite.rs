//! Composite on x86_64: no std, no allocator, nothing that is ever given back.
//!
//! | operation | on Composite |
//! |---|---|
//! | time | the cycle counter, by what the scheduler says of its frequency |
//! | place to sleep at | a blockpoint of the scheduler, from a pool |
//! | park, wake | `sched_blkpt_block`, `sched_blkpt_trigger`, with the epoch of the word |
//! | deadline | the clock thread triggers at the first quantum behind it |
//! | heavy barrier | a fence |
//! | thread | from a pool made by [`Composite::boot`]; its priority puts it in a run queue |
//! | memory | pages of the memory manager, from pools |
//! | the calling thread | a word at the end of its stack |
//!
//! Below that are [`syscall`], the kernel's one system call with a handle for each kind of
//! capability, and [`interface`], the functions of the managers.
//!
//! # The budget
//!
//! 22 threads besides the first one, of which one is the clock thread; stacks of 8 KiB; 4,096 places
//! to sleep at; 256 runs of pages. What is dropped goes back to a pool of this component, and a pool
//! that is empty is `NoSlots`. Threads are the whole system's: each component that boots takes one
//! for its clock.
//!
//! # Between components
//!
//! Others enter through [entries](crate::composite_entries). [`Composite::share`] makes memory that
//! other components may [open](Composite::open), and [`CompositePoint::share_as`] makes a place to
//! sleep at one that others have, too; both are for ever. Who joins components by that is
//! `backend-sinv`.
//!
//! # What it does not do
//!
//! * Wake one of several: a trigger wakes all, and nobody knows how many.
//! * End a wait at its deadline: it ends at the next quantum, at most 10 ms late.
//! * Change the priority of a thread while it sleeps: it does so itself when it wakes.
//! * Periods, budgets, a core of one's own (but core 0), mappings that are for reading only: they
//!   are refused as `Invalid`.
//! * Unwind: a panic handler prints, and calls [`Composite::abandon_thread`].
//! * Tell a stack overflow: stacks have 8 KiB, and no guard.

#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64")))]
compile_error!("the `composite` feature needs x86_64");

mod bell;
mod clock;
mod free_list;
mod identity;
pub mod interface;
mod memory;
mod once;
mod park;
mod point;
mod pool;
mod priority;
mod shared;
mod slot;
pub mod syscall;
mod thread;
mod timeout;

use core::sync::atomic::Ordering::AcqRel;

use res_api::ErrorKind;
use res_sync::Barrier;
use res_sync::model::{Core, MemoryModel};

use crate::{Kernel, KernelError, Panicked, ThreadEntry};

pub use memory::CompositeMemory;
pub use once::Once;
pub use point::CompositePoint;
pub use pool::MOST_THREADS;
pub use thread::CompositeThread;

/// A 32-bit word that threads share.
type U32 = <Core as MemoryModel>::U32;
/// A 64-bit word that threads share.
type U64 = <Core as MemoryModel>::U64;

/// The machine that this component runs on.
///
/// A token of no size: all values are the same machine. There is one only after
/// [`boot`](Self::boot).
///
/// # Example
///
/// ```no_run
/// use res_kernel::composite::Composite;
/// use res_kernel::{Kernel, KernelMemory};
///
/// // Four threads, of middling priority.
/// let machine = Composite::boot(4, 16)?;
/// assert_eq!(machine.memory(1)?.len(), 4096);
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Composite(());

impl Composite {
    /// Prepares the machine, once in the life of a component: makes `threads` threads for the pool
    /// and one for deadlines, and gives them, as well as the caller, the priority `priority` (1 to
    /// 31, a greater number being more urgent) until another is set.
    ///
    /// The system has 32 threads for a core, which nobody gives back, and halts at the 33rd: the
    /// author of the whole system distributes them. Here there are at most [`MOST_THREADS`].
    ///
    /// # Errors
    ///
    /// `Exists` the second time; `Invalid` for a priority out of range; `NoSlots` for too many
    /// threads.
    pub fn boot(threads: u32, priority: u32) -> Result<Self, KernelError> {
        let priority = priority::Priority::new(priority)?;
        if threads >= MOST_THREADS {
            return Err(KernelError::new("make so many threads", ErrorKind::NoSlots));
        }
        Self::claim()?;
        clock::measure();
        let machine = Self(());
        timeout::start()?;
        pool::fill(threads, priority)?;
        priority.give_to_caller()?;
        // The clock thread gets to where it sleeps.
        interface::sched::sched_thd_yield();
        Ok(machine)
    }

    /// Prepares the machine for a component that is only invoked: it has no threads, not even one
    /// for deadlines, so whoever waits here with a deadline does not sleep, but yields until it has
    /// passed.
    ///
    /// # Errors
    ///
    /// `Exists` if it was prepared before, by this or by [`boot`](Self::boot).
    pub fn boot_to_serve() -> Result<Self, KernelError> {
        Self::claim()?;
        clock::measure();
        Ok(Self(()))
    }

    /// One of several callers goes on, once.
    fn claim() -> Result<(), KernelError> {
        static BOOTED: U32 = U32::new(0);

        // AcqRel: one of several callers goes on.
        if BOOTED.swap(1, AcqRel) != 0 {
            return Err(KernelError::new("boot twice", ErrorKind::Exists));
        }
        Ok(())
    }

    /// For a panic handler, which has printed what it has to say: whoever joins the calling thread
    /// is told that it has ended, and it never runs again. Its place in the pool is lost.
    pub fn abandon_thread() -> ! {
        pool::abandon();
        interface::sched::sched_thd_exit();
        loop {
            interface::sched::sched_thd_block(0);
        }
    }
}

impl Kernel for Composite {
    type Thread = CompositeThread;
    type Memory = CompositeMemory;

    /// One: threads run on the core that they were made on.
    fn cores(&self) -> u32 {
        1
    }

    fn barrier(&self) -> Barrier {
        Barrier::Fence
    }

    fn point(&self) -> Result<CompositePoint, KernelError> {
        CompositePoint::take()
    }

    /// Lets another thread of the same priority run. The scheduler takes the thread of the pool
    /// with that id as a hint.
    fn yield_to(&self, thread: Option<u32>) {
        pool::yield_to(thread);
    }

    unsafe fn thread(&self, entry: ThreadEntry) -> Result<CompositeThread, KernelError> {
        // SAFETY: the caller promises what `take` asks for; the words are the same.
        unsafe { CompositeThread::take(entry) }
    }

    fn memory(&self, bytes: u64) -> Result<CompositeMemory, KernelError> {
        CompositeMemory::take(bytes)
    }

    /// Runs it: a panic does not come back here.
    fn guard(&self, body: &mut dyn FnMut()) -> Result<(), Panicked> {
        body();
        Ok(())
    }
}
