//! What is printed.

use core::ffi::c_long;
use core::fmt::Write;

use res_api::Fault;
use res_kernel::composite::syscall::Console;

/// Counts what passed and what did not.
pub(crate) struct Report {
    passed: u32,
    skipped: u32,
    failed: u32,
}

impl Report {
    pub(crate) const fn new() -> Self {
        Self { passed: 0, skipped: 0, failed: 0 }
    }

    /// Prints a scenario's line.
    pub(crate) fn result(&mut self, name: &str, result: Result<(), Fault>) {
        // The console takes everything.
        let _ = match result {
            Ok(()) => {
                self.passed += 1;
                writeln!(Console, "PASS {name}")
            }
            Err(fault) => {
                self.failed += 1;
                writeln!(Console, "FAIL {name}: {fault}")
            }
        };
    }

    /// Prints the line of a case that is not run.
    pub(crate) fn skipped(&mut self, name: &str) {
        self.skipped += 1;
        let _ = writeln!(Console, "SKIPPED {name}");
    }

    /// Prints the counts; 0 if nothing failed.
    pub(crate) fn end(self) -> c_long {
        let Self { passed, skipped, failed } = self;
        let _ = writeln!(Console, "COUNTS passed {passed} failed {failed} skipped {skipped}");
        self.failed.into()
    }
}

/// Ends a scenario that finds something else than what it says.
macro_rules! check {
    ($condition:expr) => {
        if !$condition {
            return Err(res_api::Fault::new(res_api::ErrorKind::Other, stringify!($condition)));
        }
    };
}
pub(crate) use check;
