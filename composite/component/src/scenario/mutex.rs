//! The lock.

use core::time::Duration;

use res_api::{Barrier, Fault};
use res_kernel::{Composite, Kernel};
use res_sync::mutex::LockError;
use res_sync::{Mutex, Park};

use super::beside::started;
use super::within;
use crate::report::check;

/// Each holds it over a change of threads.
pub(super) fn excludes(machine: Composite) -> Result<(), Fault> {
    let total = Mutex::new(machine, machine.point()?, Barrier::Fence, 0_u32);
    let body = || {
        for _ in 0..100 {
            let mut total = total.lock();
            let seen = *total;
            machine.yield_to(None);
            *total = seen + 1;
        }
    };
    let [mut one, mut two, mut three] = [body; 3];
    drop([started(machine, &mut one)?, started(machine, &mut two)?, started(machine, &mut three)?]);
    check!(*total.lock() == 300);
    Ok(())
}

pub(super) fn deadline(machine: Composite) -> Result<(), Fault> {
    let lock = Mutex::new(machine, machine.point()?, Barrier::Fence, ());
    let held = lock.lock();
    let start = machine.now();
    let soon = within(machine, Duration::from_millis(1));
    let by = match lock.lock_until(soon) {
        Err(LockError::TimedOut(by)) => by,
        _ => 0,
    };
    check!(by == machine.current());
    check!(machine.now() - start >= Duration::from_millis(1));
    drop(held);
    check!(lock.lock_until(within(machine, Duration::ZERO)).is_ok());
    Ok(())
}
