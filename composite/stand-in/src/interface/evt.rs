//! The event manager's functions.

use std::ffi::{c_int, c_ulong};

use crate::event::{self, Got};
use crate::host::inside;
use crate::switch::c_symbols;

const NON_BLOCKING: c_int = 1;
/// What is in the registers of a server that has nothing to say.
const NONSENSE: u64 = 0x0bad_0bad_0bad_0bad;

c_symbols! {
    /// A group; 0 where there are 32. The number is not looked at.
    fn __evt_alloc(most: c_ulong) -> u64 = alloc;
    /// Frees it; -1 while resources are in it.
    fn __evt_free(group: u64) -> c_int = free;
    /// The next event; 1 where there is none and it does not wait.
    fn __evt_get(group: u64, flags: c_int, source: *mut u64, data: *mut u64) -> c_int = get;
    /// A resource; 0 after eight.
    fn __evt_add(group: u64, source: u64, data: u64) -> u64 = add;
    /// Removes it; its id stays in use.
    fn __evt_rem(group: u64, resource: u64) -> c_int = rem;
    /// An event.
    fn __evt_trigger(resource: u64) -> c_int = trigger;
}

fn code(done: bool) -> c_int {
    if done { 0 } else { -1 }
}

extern "C" fn alloc(_: c_ulong) -> u64 {
    inside(|| event::alloc().unwrap_or(0))
}

extern "C" fn free(group: u64) -> c_int {
    inside(|| code(event::free(group)))
}

unsafe extern "C" fn get(group: u64, flags: c_int, source: *mut u64, data: *mut u64) -> c_int {
    inside(|| {
        let (code, says) = match event::get(group, flags & NON_BLOCKING == 0) {
            Got::Event(says) => (0, says),
            Got::Nothing => (1, [NONSENSE; 2]),
            Got::NoGroup => (-1, [NONSENSE; 2]),
        };
        // SAFETY: the component's promise.
        unsafe {
            source.write(says[0]);
            data.write(says[1]);
        }
        code
    })
}

extern "C" fn add(group: u64, source: u64, data: u64) -> u64 {
    inside(|| event::add(group, [source, data]).unwrap_or(0))
}

extern "C" fn rem(group: u64, resource: u64) -> c_int {
    inside(|| code(event::remove(group, resource)))
}

extern "C" fn trigger(resource: u64) -> c_int {
    inside(|| code(event::trigger(resource)))
}
