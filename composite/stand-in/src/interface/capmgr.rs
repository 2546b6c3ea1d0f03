//! What an application may ask of the capability manager.

use std::ffi::c_void;

use crate::buffer::{self, PAGE};
use crate::halt::halt;
use crate::host::inside;
use crate::switch::c_symbols;
use crate::world::{self, Function};

/// Slots of threads' capabilities: in the component's table they are behind its invocations.
const THREADS: u64 = 256;

c_symbols! {
    /// A thread that no scheduler knows.
    fn capmgr_thd_create(function: Function, data: *mut c_void, id: *mut u64) -> u64 = thd_create;
    /// Halts the machine: it is not done yet.
    fn capmgr_asnd_rcv_create(receive: u64) -> u64 = asnd_rcv_create;
    /// A page of the kernel, and where it is mapped.
    fn capmgr_shared_kernel_page_create(resource: *mut u64) -> u64 = shared_kernel_page_create;
}

unsafe extern "C" fn thd_create(function: Function, data: *mut c_void, id: *mut u64) -> u64 {
    inside(|| {
        let thread = world::world().create_unknown(function, data);
        // SAFETY: the component's promise.
        unsafe { id.write(thread.into()) };
        THREADS + 4 * u64::from(thread)
    })
}

extern "C" fn asnd_rcv_create(_: u64) -> u64 {
    inside(|| halt("assertion: the capability manager makes no send ends"))
}

unsafe extern "C" fn shared_kernel_page_create(resource: *mut u64) -> u64 {
    inside(|| {
        let at = buffer::pages(1, PAGE);
        // SAFETY: the component's promise. What the manager calls the page is its own affair.
        unsafe { resource.write(at) };
        at
    })
}
