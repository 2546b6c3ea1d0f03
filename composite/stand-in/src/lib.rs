//! A Linux process that behaves like a machine under Composite, as far as a component can tell.
//!
//! A component that was built for Composite is linked with it, unchanged. Its `syscall`
//! instructions are trapped (syscall user dispatch) and answered as the kernel would; the functions
//! of the system interfaces are here as C symbols. Threads are threads of Linux of which one at a
//! time has the baton, by fixed priorities, on stacks of 8 KiB; a signal takes the baton away from
//! it at each quantum.
//!
//! README.md lists which statements about Composite hold here, and what differs.
//!
//! # How a host call works
//!
//! A C symbol switches from the component's small stack to that of the Linux thread
//! (`switch`), and calls the function of the same name, which asks the scheduler
//! (`world`). System calls are allowed from addresses where shared libraries are, and trapped
//! elsewhere (`trap`): nothing of the host makes one by an instruction of its own.

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("the stand-in needs Linux on x86_64");

mod baton;
mod blockpoint;
mod buffer;
mod channel;
mod compose;
mod event;
mod halt;
mod host;
pub mod interface;
mod ipc;
mod kernel;
mod path;
mod preempt;
mod stack;
mod switch;
mod trap;
mod world;

pub use compose::{APPLICATION, ComponentId, Invocation, connect, stand_in_connect};
pub use halt::{DEADLOCKED, FAILED, HALTED};
pub use stack::{Served, stand_in_served};
pub use world::{FIRST, Function, MOST_THREADS, ThreadId};

use std::ffi::c_long;

/// Runs a component from its entry on: the machine, to its end.
///
/// The process exits: 0 where the entry returned 0, otherwise one of [`FAILED`], [`HALTED`],
/// [`DEADLOCKED`].
///
/// ```no_run
/// extern "C" fn nothing() -> std::ffi::c_long {
///     0
/// }
///
/// composite_stand_in::stand_in_run(nothing)
/// ```
#[unsafe(no_mangle)]
pub extern "C" fn stand_in_run(entry: extern "C" fn() -> c_long) -> ! {
    halt::with_the_parent();
    preempt::pin();
    trap::install();
    preempt::install();
    world::boot(entry);
    preempt::tick_for_ever()
}
