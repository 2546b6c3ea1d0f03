//! Channels of the library backend.

use core::hint::black_box;

use chan_impls::Spsc;
use res_api::{Backend, Deadline, Fault, Receiver, Sender, Thread};
use res_kernel::Composite;

use super::measure::{all_rounds, cost};
use crate::scenario::system;

/// In one thread: nobody sleeps.
pub(super) fn alone(machine: Composite) -> Result<(), Fault> {
    let system = system(machine, 0)?;
    let (mut tx, mut rx) = system.chan::<Spsc, u64>(4)?;
    let mut sum = 0;
    cost("send and receive", 10_000, || {
        let sent = tx.send(black_box(1)).is_ok();
        sum += rx.recv().unwrap_or(0) * u64::from(sent);
    });
    if sum != all_rounds(10_000).into() {
        return Err(Fault::new(res_api::ErrorKind::Other, "not all came"));
    }
    Ok(())
}

/// To another thread and back: both sleep each time.
pub(super) fn round_trip(machine: Composite) -> Result<(), Fault> {
    const ROUNDS: u32 = 1_000;
    let system = system(machine, 1)?;
    let (mut there, mut at_there) = system.chan::<Spsc, u64>(4)?;
    let (mut back, mut at_home) = system.chan::<Spsc, u64>(4)?;
    let echo = system.thread(move || {
        while let Ok(number) = at_there.recv() {
            if back.send(number).is_err() {
                return;
            }
        }
    })?;
    echo.start()?;
    let mut sum = 0;
    cost("channel round trip", ROUNDS, || {
        let sent = there.send(black_box(1)).is_ok();
        sum += at_home.recv().unwrap_or(0) * u64::from(sent);
    });
    drop(there);
    echo.join(Deadline::NEVER)?.ok()?;
    if sum != all_rounds(ROUNDS).into() {
        return Err(Fault::new(res_api::ErrorKind::Other, "not all came back"));
    }
    Ok(())
}
