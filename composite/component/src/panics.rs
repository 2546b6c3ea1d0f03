//! A panic is the end of its thread.

use core::fmt::Write;
use core::panic::PanicInfo;

use res_kernel::Composite;
use res_kernel::composite::syscall::Console;

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Console, "FAIL {info}");
    Composite::abandon_thread()
}
