//! A machine of one core that runs one thread: all that a [`Kernel`] has to be.

use core::arch::x86_64::_rdtsc;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::Acquire;

use res_api::{ErrorKind, ThreadParam};
use res_kernel::{Access, Kernel, KernelError, KernelMemory, KernelThread, Panicked, ThreadEntry};
use res_sync::model::Core;
use res_sync::{Barrier, Deadline, Instant, MemoryModel, Park, Parked, Wake};

type Word = <Core as MemoryModel>::U64;

/// The machine itself.
#[derive(Clone, Copy, Debug)]
pub struct Bare;

impl Park for Bare {
    type Model = Core;
    type Point = ();

    /// The cycle counter; a cycle counts as a nanosecond.
    fn now(&self) -> Instant {
        // SAFETY: every processor of this target has the instruction.
        Instant::from_nanos(unsafe { _rdtsc() })
    }

    fn spin_limit(&self) -> u32 {
        0
    }

    fn current(&self) -> u32 {
        1
    }

    fn unwinding(&self) -> bool {
        false
    }

    /// There is no other thread to run: who waits for anything but a deadline waits for ever.
    fn park(&self, (): &(), word: &Word, seen: u64, deadline: Deadline) -> Parked {
        if word.load(Acquire) == seen && deadline.passed(self.now()) {
            Parked::TimedOut
        } else {
            Parked::Awake
        }
    }

    fn unpark(&self, (): &(), _: &Word, _: u64, _: Wake) -> Option<u32> {
        Some(0)
    }

    fn heavy_barrier(&self, _: Barrier) {
        Core::fence();
    }
}

impl Kernel for Bare {
    type Thread = Nothing;
    type Memory = Nothing;

    fn cores(&self) -> u32 {
        1
    }

    fn barrier(&self) -> Barrier {
        Barrier::Fence
    }

    fn point(&self) -> Result<(), KernelError> {
        Ok(())
    }

    fn yield_to(&self, _: Option<u32>) {}

    unsafe fn thread(&self, _: ThreadEntry) -> Result<Nothing, KernelError> {
        Err(KernelError::new("make another thread", ErrorKind::NoSlots))
    }

    fn memory(&self, _: u64) -> Result<Nothing, KernelError> {
        Err(KernelError::new("make a memory object", ErrorKind::NoMemory))
    }

    fn guard(&self, body: &mut dyn FnMut()) -> Result<(), Panicked> {
        body();
        Ok(())
    }
}

/// Threads and memory objects: there are none.
#[derive(Debug)]
pub enum Nothing {}

impl KernelThread for Nothing {
    fn id(&self) -> u32 {
        match *self {}
    }

    fn set(&self, _: ThreadParam) -> Result<(), KernelError> {
        match *self {}
    }

    fn reset(&self) {
        match *self {}
    }

    fn start(&self) -> Result<(), KernelError> {
        match *self {}
    }

    fn join(&self) {
        match *self {}
    }
}

impl KernelMemory for Nothing {
    fn base(&self) -> NonNull<u8> {
        match *self {}
    }

    fn len(&self) -> u64 {
        match *self {}
    }

    fn access(&self) -> Access {
        match *self {}
    }

    fn alias(&self, _: Access) -> Result<Self, KernelError> {
        match *self {}
    }
}
