//! The system call itself.

use core::ptr::addr_of;

use res_api::Fault;
use res_kernel::Composite;
use res_kernel::composite::syscall::{CapTable, Code, Notify, Stub, boot};

use crate::report::check;

unsafe extern "C" {
    /// The capability to invoke `sched_thd_block` by.
    static __cosrt_ucap_sched_thd_block: Stub;
}

/// The kernel takes twelve bytes at a time.
pub(super) fn prints(_: Composite) -> Result<(), Fault> {
    check!(boot::PRINT.print_some(b"") == 0);
    check!(boot::PRINT.print_some(b"# a text of more than twelve bytes\n") == 12);
    boot::PRINT.print(" of more than twelve bytes\n");
    Ok(())
}

/// What is not there looks like success; what is there, and cannot do it, does not. The printer
/// prints, whatever it is told to do.
pub(super) fn says_no(_: Composite) -> Result<(), Fault> {
    check!(CapTable::at(9_999).check(0).map(|answer| answer.result) == Ok(0));
    check!(Notify::at(9_999).send(false).is_ok());
    // Every component has it, and it is no table.
    let hardware = CapTable::at(boot::HARDWARE.slot()).introspect(0);
    check!(hardware.is_err_and(|error| error.code() == Some(Code::NoEnt)));
    let printer = CapTable::at(boot::PRINT.slot()).introspect(0);
    check!(printer.map(|answer| answer.result) == Ok(0));
    Ok(())
}

/// The scheduler refuses to block with a dependency; so nothing happens but the way there and back.
pub(super) fn invocation(_: Composite) -> Result<(), Fault> {
    // SAFETY: the composer's symbol.
    let stub = unsafe { Stub::read(addr_of!(__cosrt_ucap_sched_thd_block)) };
    let mut seen = [1.5_f64, -2.5, 3.25, 8.0];
    for round in 0..1_000 {
        // SAFETY: one word, not 0, which is refused.
        let answer = unsafe { stub.invocation().call([1, 0, 0, 0]) };
        check!(answer.result as i32 == -1);
        // Values that a compiler keeps in registers, SSE ones too, are what they were.
        seen = seen.map(|value| value + f64::from(round));
    }
    let sum = f64::from(999 * 1_000 / 2);
    check!(seen == [1.5 + sum, sum - 2.5, sum + 3.25, sum + 8.0]);
    Ok(())
}
