//! The scheduler: threads, blocking, blockpoints. Fixed priorities, 1 to 31, a *lower* number being
//! more urgent.

use core::ffi::{c_int, c_ulong, c_void};

use super::{Cycles, ThreadId, Word};

/// The id of a blockpoint; 0 is none.
pub type BlockpointId = u32;

/// What the value of a thread's parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum ParamType {
    /// Nothing.
    Noop = 0,
    /// Its priority.
    Priority = 1,
    /// Its priority relative to the caller's.
    RelativePriority = 2,
    /// A lower priority relative to the caller's.
    RelativeLowerPriority = 3,
    /// Its deadline.
    Deadline = 4,
    /// Its budget.
    Budget = 5,
    /// Its period.
    Window = 6,
    /// Its part of the processor.
    Proportion = 7,
    /// Its weight.
    Weight = 8,
    /// It runs when nobody else does.
    Idle = 9,
    /// It initialises, by a protocol.
    InitProtocol = 10,
    /// It initialises a component.
    Init = 11,
    /// It handles interrupts between cores.
    IpiHandler = 12,
    /// It handles the timer.
    Timer = 13,
    /// Its core.
    Core = 14,
    /// Its execution time.
    Execution = 15,
}

const TYPE_BITS: u32 = 6;

/// A parameter as [`sched_thd_param_set`] takes it.
pub const fn param(of: ParamType, value: u32) -> u32 {
    of as u32 | value << TYPE_BITS
}

const _: () = assert!(param(ParamType::Priority, 5) == 1 | 5 << 6);

unsafe extern "C" {
    /// A thread that will call `function` with `data`; 0 if there is none. It is in no run queue
    /// until its priority is set.
    ///
    /// # Safety
    ///
    /// `function(data)` is sound in another thread; it ends in [`sched_thd_exit`] and does not
    /// return. There are threads left: one too many halts the machine.
    pub fn sched_thd_create(function: extern "C" fn(*mut c_void), data: *mut c_void) -> ThreadId;

    /// Sets a parameter, made by [`param`]; -1 for one that this scheduler does not know. A
    /// priority puts the thread at the end of that priority's run queue.
    ///
    /// # Safety
    ///
    /// The thread exists and is not blocked, or a blocked thread would be run; a priority is from
    /// 1 to 31. All of this halts the machine otherwise.
    pub fn sched_thd_param_set(thread: ThreadId, param: u32) -> c_int;

    /// Lets another thread of the same priority run.
    pub safe fn sched_thd_yield() -> c_int;

    /// The same, with a hint which.
    ///
    /// # Safety
    ///
    /// The thread exists; otherwise the machine halts.
    pub fn sched_thd_yield_to(thread: ThreadId) -> c_int;

    /// Wakes a thread that is blocked by [`sched_thd_block`]; one that is not will not block the
    /// next time.
    ///
    /// # Safety
    ///
    /// The thread exists, and no wake-up of it is outstanding; otherwise the machine halts. Nor may
    /// its next block be one at a blockpoint, whose list would keep an address of its stack.
    pub fn sched_thd_wakeup(thread: ThreadId) -> c_int;

    /// Blocks until [`sched_thd_wakeup`]; -1 for a dependency other than 0.
    pub safe fn sched_thd_block(dependency: ThreadId) -> c_int;

    /// Blocks until a point on the cycle counter, or rather the first quantum (10 ms) after it,
    /// and says when that was; 0 for a dependency other than 0. A wake-up does not end it earlier.
    pub safe fn sched_thd_block_timeout(dependency: ThreadId, until: Cycles) -> Cycles;

    /// Does nothing yet.
    ///
    /// # Safety
    ///
    /// Nobody uses the thread any more.
    pub fn sched_thd_delete(thread: ThreadId) -> c_int;

    /// Ends the calling thread. Its id and stack are not used again.
    pub safe fn sched_thd_exit() -> c_int;

    /// Cycles per microsecond.
    pub safe fn sched_get_cpu_freq() -> c_ulong;

    /// A new blockpoint, with epoch 0; 0 if there is none.
    pub safe fn sched_blkpt_alloc() -> BlockpointId;

    /// Does nothing yet: id and epoch stay.
    ///
    /// # Safety
    ///
    /// The blockpoint is the caller's.
    pub fn sched_blkpt_free(blockpoint: BlockpointId) -> c_int;

    /// Unless `epoch` is less than the recorded one: records it, wakes all that are blocked there
    /// (or the first, with `single`), and lets the most urgent thread run.
    ///
    /// # Safety
    ///
    /// The id came from [`sched_blkpt_alloc`].
    pub fn sched_blkpt_trigger(blockpoint: BlockpointId, epoch: Word, single: c_int) -> c_int;

    /// Blocks unless the recorded epoch is greater than `epoch`. The dependency is not looked at.
    ///
    /// # Safety
    ///
    /// The id came from [`sched_blkpt_alloc`]; no wake-up by [`sched_thd_wakeup`] is outstanding.
    pub fn sched_blkpt_block(blockpoint: BlockpointId, epoch: Word, dependency: ThreadId) -> c_int;
}
