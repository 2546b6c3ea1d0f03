//! A Composite component that shows that the `composite` kernel, and the library backend on it, do
//! what they say.
//!
//! A C `main` calls [`rust_main`]. It prints a line `PASS name` or `FAIL name` for each scenario and each
//! case of the conformance suite (`SKIPPED name` for those that this machine is not for), a line
//! `COST name cycles` for each measured loop, and a line of counts at the end.
#![no_std]

mod cost;
mod panics;
mod peer;
mod report;
mod scenario;
mod tally;

use core::ffi::c_long;

use res_kernel::Composite;

use report::Report;

/// Threads of the pool. With the one for deadlines, they are all that an application gets; the other
/// components have none.
const THREADS: u32 = 21;

/// Middling.
const PRIORITY: u32 = 16;

/// The entry of the component; 0 if all went well.
#[unsafe(no_mangle)]
pub extern "C" fn rust_main() -> c_long {
    let mut report = Report::new();
    match Composite::boot(THREADS, PRIORITY) {
        Ok(machine) => {
            scenario::all(machine, &mut report);
            scenario::conformance::all(machine, &mut report);
        }
        Err(error) => report.result("boot", Err(error.into())),
    }
    report.end()
}
