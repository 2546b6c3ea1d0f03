//! The bare interface.

use core::ptr::addr_of;

use res_api::{ErrorKind, Fault};
use res_kernel::composite::interface::sched::{
    BlockpointId, sched_blkpt_alloc, sched_blkpt_block, sched_blkpt_trigger, sched_thd_block,
    sched_thd_yield,
};
use res_kernel::composite::syscall::Stub;
use res_kernel::{Composite, KernelThread};

use super::measure::{all_rounds, cost};
use crate::scenario::beside::started;

unsafe extern "C" {
    /// The capability to invoke `sched_thd_block` by.
    static __cosrt_ucap_sched_thd_block: Stub;
}

/// There and back: the scheduler refuses a dependency.
pub(super) fn invocation() {
    // SAFETY: the composer's symbol.
    let stub = unsafe { Stub::read(addr_of!(__cosrt_ucap_sched_thd_block)) };
    cost("invocation", 1_000, || {
        // SAFETY: one word, not 0, which is refused.
        unsafe { stub.invocation().call([1, 0, 0, 0]) };
    });
    cost("invocation by the stub", 1_000, || {
        sched_thd_block(1);
    });
}

/// A blockpoint that lives as long as the system.
fn blockpoint() -> Result<BlockpointId, Fault> {
    match sched_blkpt_alloc() {
        0 => Err(Fault::new(ErrorKind::NoSlots, "a blockpoint")),
        id => Ok(id),
    }
}

/// Two threads take turns, by two blockpoints.
pub(super) fn round_trip(machine: Composite) -> Result<(), Fault> {
    const ROUNDS: u32 = 1_000;
    let (there, back) = (blockpoint()?, blockpoint()?);
    // The first trigger is the first epoch.
    let wait = |id, round: u64| {
        // SAFETY: ids of the scheduler; nobody calls `sched_thd_wakeup`.
        unsafe { sched_blkpt_block(id, round - 1, 0) }
    };
    // SAFETY: ids of the scheduler.
    let wake = |id, round| unsafe { sched_blkpt_trigger(id, round, 0) };
    let mut body = || {
        for round in 1..=all_rounds(ROUNDS).into() {
            wait(there, round);
            wake(back, round);
        }
    };
    let other = started(machine, &mut body)?;
    let mut round = 0;
    cost("bare round trip", ROUNDS, || {
        round += 1;
        wake(there, round);
        wait(back, round);
    });
    other.thread.join();
    Ok(())
}

/// Two threads of the same priority take turns: two switches.
pub(super) fn yields(machine: Composite) -> Result<(), Fault> {
    const ROUNDS: u32 = 1_000;
    let mut body = || {
        for _ in 0..all_rounds(ROUNDS) {
            sched_thd_yield();
        }
    };
    let _other = started(machine, &mut body)?;
    cost("bare yield there and back", ROUNDS, || {
        sched_thd_yield();
    });
    Ok(())
}
