//! A panic is the end of its thread.

use core::fmt::Write;
use core::panic::PanicInfo;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::SeqCst;

use res_kernel::Composite;
use res_kernel::composite::syscall::Console;

/// Panics that a scenario wants to see.
pub(crate) static EXPECTED: AtomicU32 = AtomicU32::new(0);

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    let expected = EXPECTED.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
    let word = if expected { "PANIC" } else { "FAIL" };
    let _ = writeln!(Console, "{word} {info}");
    Composite::abandon_thread()
}
