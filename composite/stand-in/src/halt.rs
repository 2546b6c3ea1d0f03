//! How the machine ends.

use std::io::Write;

/// Exit code: the component's entry returned something other than 0.
pub const FAILED: i32 = 65;
/// Exit code: the machine halted.
pub const HALTED: i32 = 66;
/// Exit code: all threads sleep, and none until a point in time.
pub const DEADLOCKED: i32 = 67;

/// The machine halts, as on a failed assertion of a manager, or a fault.
pub(crate) fn halt(why: &str) -> ! {
    end(HALTED, &format!("HALT {why}"))
}

/// The machine does not outlive whoever started it.
pub(crate) fn with_the_parent() {
    // SAFETY: touches no memory. Where it is refused, the machine may be left over, and that is all.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Ends the process with a last line.
pub(crate) fn end(code: i32, line: &str) -> ! {
    let mut out = std::io::stdout().lock();
    // Nobody is left to tell of a failure.
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
    // SAFETY: ends the process at once, whatever other threads are doing.
    unsafe { libc::_exit(code) }
}
