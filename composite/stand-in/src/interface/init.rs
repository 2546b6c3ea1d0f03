//! How a component begins and ends.

use std::ffi::c_int;

use crate::host::inside;
use crate::switch::c_symbols;
use crate::world;

c_symbols! {
    /// One core.
    fn init_parallelism() -> c_int = parallelism;
    /// The component is done: so is the machine.
    fn init_exit(result: c_int) -> c_int = exit;
}

extern "C" fn parallelism() -> c_int {
    1
}

extern "C" fn exit(result: c_int) -> c_int {
    inside(|| world::finish(result.into()))
}
