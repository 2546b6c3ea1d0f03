//! How a component begins and ends.

use core::ffi::c_int;

unsafe extern "C" {
    /// On how many cores this component runs.
    pub safe fn init_parallelism() -> c_int;

    /// This component is done. What depends on it is done already.
    pub safe fn init_exit(result: c_int) -> !;
}
