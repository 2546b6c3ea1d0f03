//! The lock.

use core::hint::black_box;

use res_api::{Barrier, Fault};
use res_kernel::{Composite, Kernel};
use res_sync::Mutex;

use super::measure::{all_rounds, cost};
use crate::scenario::beside::started;

/// Nobody else wants it.
pub(super) fn alone(machine: Composite) -> Result<(), Fault> {
    let lock = Mutex::new(machine, machine.point()?, Barrier::Fence, 0_u32);
    cost("lock and unlock", 10_000, || *black_box(&lock).lock() += 1);
    Ok(())
}

/// It is held by another thread each time; and that one's yield and wake are in it.
pub(super) fn contended(machine: Composite) -> Result<(), Fault> {
    const ROUNDS: u32 = 1_000;
    let lock = Mutex::new(machine, machine.point()?, Barrier::Fence, ());
    let mut body = || {
        for _ in 0..all_rounds(ROUNDS) {
            let held = lock.lock();
            machine.yield_to(None);
            drop(held);
        }
    };
    let _other = started(machine, &mut body)?;
    cost("lock and unlock, contended", ROUNDS, || {
        let held = lock.lock();
        machine.yield_to(None);
        drop(held);
    });
    Ok(())
}
