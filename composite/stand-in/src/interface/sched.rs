//! The scheduler's functions.

use std::ffi::{c_int, c_ulong, c_void};

use crate::blockpoint;
use crate::halt::halt;
use crate::host::inside;
use crate::kernel::SCHED_THD_BLOCK;
use crate::preempt::frequency;
use crate::switch::c_symbols;
use crate::world::{self, Function, ThreadId, cycles, me, reschedule};

const PRIORITY: u32 = 1;

c_symbols! {
    /// Makes a thread; more than the system has halt it.
    fn sched_thd_create(function: Function, data: *mut c_void) -> u64 = thd_create;
    /// Sets a priority; -1 for other parameters.
    fn sched_thd_param_set(thread: u64, param: u32) -> c_int = thd_param_set;
    /// To the end of its priority's queue.
    fn sched_thd_yield() -> c_int = thd_yield;
    /// The same; the thread has to exist.
    fn sched_thd_yield_to(thread: u64) -> c_int = thd_yield_to;
    /// Wakes a thread, or makes its next sleep end at once.
    fn sched_thd_wakeup(thread: u64) -> c_int = thd_wakeup;
    /// Sleeps; -1 for a dependency.
    fn sched_thd_block(dependency: u64) -> c_int = thd_block;
    /// Sleeps until the first quantum behind that point; 0 for a dependency.
    fn sched_thd_block_timeout(dependency: u64, until: u64) -> u64 = thd_block_timeout;
    /// Does nothing.
    fn sched_thd_delete(thread: u64) -> c_int = thd_delete;
    /// Ends the calling thread.
    fn sched_thd_exit() -> c_int = thd_exit;
    /// Cycles per microsecond.
    fn sched_get_cpu_freq() -> c_ulong = get_cpu_freq;
    /// A new blockpoint.
    fn sched_blkpt_alloc() -> u32 = blkpt_alloc;
    /// Does nothing.
    fn sched_blkpt_free(id: u32) -> c_int = blkpt_free;
    /// Records the epoch and wakes.
    fn sched_blkpt_trigger(id: u32, epoch: u64, single: c_int) -> c_int = blkpt_trigger;
    /// Sleeps, unless a greater epoch is recorded.
    fn sched_blkpt_block(id: u32, epoch: u64, dependency: u64) -> c_int = blkpt_block;
}

/// What the composer emits for an imported function.
#[repr(C, packed(4))]
#[derive(Debug)]
pub struct Stub {
    /// The stub's code; the stand-in has none.
    pub stub: u64,
    /// The slot of the capability.
    pub capability: u64,
    /// Another function.
    pub alternative: u64,
}

/// How a component finds the capability of `sched_thd_block`.
#[unsafe(no_mangle)]
pub static __cosrt_ucap_sched_thd_block: Stub =
    Stub { stub: 0, capability: SCHED_THD_BLOCK, alternative: 0 };

extern "C" fn thd_create(function: Function, data: *mut c_void) -> u64 {
    inside(|| world::world().create(function, data).into())
}

extern "C" fn thd_param_set(thread: u64, param: u32) -> c_int {
    inside(|| {
        let mut world = world::world();
        let id = thread as ThreadId;
        if world.thread(id).is_none() || param & 0x3f != PRIORITY {
            return -1;
        }
        world.set_priority(id, param >> 6);
        0
    })
}

extern "C" fn thd_yield() -> c_int {
    inside(|| {
        let mut world = world::world();
        world.requeue(me());
        reschedule(world);
        0
    })
}

extern "C" fn thd_yield_to(thread: u64) -> c_int {
    inside(|| {
        let mut world = world::world();
        if world.thread(thread as ThreadId).is_none() {
            halt("assertion: a yield to no thread");
        }
        world.requeue(me());
        reschedule(world);
        0
    })
}

extern "C" fn thd_wakeup(thread: u64) -> c_int {
    inside(|| {
        let mut world = world::world();
        if world.thread(thread as ThreadId).is_none() {
            return -1;
        }
        world.wake(thread as ThreadId);
        reschedule(world);
        0
    })
}

pub(crate) extern "C" fn thd_block(dependency: u64) -> c_int {
    inside(|| {
        if dependency != 0 {
            return -1;
        }
        let mut world = world::world();
        if world.block(me()) {
            reschedule(world);
        }
        0
    })
}

extern "C" fn thd_block_timeout(dependency: u64, until: u64) -> u64 {
    inside(|| {
        if dependency != 0 {
            return 0;
        }
        while cycles() < until {
            let mut world = world::world();
            world.wake_at(me(), Some(until));
            if world.block(me()) {
                reschedule(world);
            } else {
                world.wake_at(me(), None);
            }
        }
        cycles()
    })
}

extern "C" fn thd_delete(_: u64) -> c_int {
    0
}

extern "C" fn thd_exit() -> c_int {
    inside(|| world::exit())
}

extern "C" fn get_cpu_freq() -> c_ulong {
    frequency()
}

extern "C" fn blkpt_alloc() -> u32 {
    inside(blockpoint::alloc)
}

extern "C" fn blkpt_free(_: u32) -> c_int {
    0
}

extern "C" fn blkpt_trigger(id: u32, epoch: u64, single: c_int) -> c_int {
    inside(|| blockpoint::trigger(id, epoch, single != 0))
}

extern "C" fn blkpt_block(id: u32, epoch: u64, _dependency: u64) -> c_int {
    inside(|| blockpoint::block(id, epoch))
}
