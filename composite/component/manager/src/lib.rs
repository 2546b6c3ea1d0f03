//! The Composite component that joins the others, by the interface `sinv`. It has no threads: all that
//! it does, it does on those of its clients.
#![no_std]

use core::fmt::Write;
use core::panic::PanicInfo;

use backend_sinv::composite::Manager;
use res_kernel::Composite;
use res_kernel::composite::syscall::{Answer, Client, Console};

res_kernel::composite_entries! {
    __cosrt_s_sinv_ask = ask;
}

static MANAGER: Manager = Manager::new();

fn ask(client: Client, words: [u64; 4]) -> Answer {
    MANAGER.ask(client, words)
}

#[panic_handler]
fn on_panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(Console, "FAIL the manager: {info}");
    Composite::abandon_thread()
}
