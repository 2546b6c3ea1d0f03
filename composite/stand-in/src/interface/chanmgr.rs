//! The channel manager's functions.

use std::ffi::{c_int, c_void};

use crate::buffer::{self, PAGE};
use crate::channel;
use crate::host::inside;
use crate::switch::c_symbols;

const NO_MEMORY: c_int = -12;

c_symbols! {
    /// A new channel; 0 where there are 32.
    fn chanmgr_create(item_size: u32, slots: u32, flags: u32) -> u64 = create;
    /// Its blockpoints.
    fn chanmgr_sync_resources(channel: u64, full: *mut u32, empty: *mut u32) -> c_int =
        sync_resources;
    /// Its buffer, mapped once more.
    fn chanmgr_mem_resources(channel: u64, buffer: *mut u32, memory: *mut *mut c_void) -> c_int =
        mem_resources;
    /// -1.
    fn chanmgr_delete(channel: u64) -> c_int = delete;
    /// Sets the event resource; -1 in the other direction.
    fn chanmgr_evt_set(channel: u64, resource: u64, sender_to_receiver: c_int) -> c_int = evt_set;
    /// The event resource; -1 in the other direction.
    fn chanmgr_evt_get(channel: u64, sender_to_receiver: c_int) -> u64 = evt_get;
}

extern "C" fn create(item_size: u32, slots: u32, _flags: u32) -> u64 {
    inside(|| channel::create(item_size, slots).unwrap_or(0))
}

unsafe extern "C" fn sync_resources(id: u64, full: *mut u32, empty: *mut u32) -> c_int {
    inside(|| {
        let found = channel::with(id, |channel| (channel.full, channel.empty));
        let (full_point, empty_point) = found.unwrap_or_default();
        // SAFETY: the component's promise.
        unsafe {
            full.write(full_point);
            empty.write(empty_point);
        }
        if found.is_some() { 0 } else { -1 }
    })
}

unsafe extern "C" fn mem_resources(id: u64, buffer: *mut u32, memory: *mut *mut c_void) -> c_int {
    inside(|| {
        let found = channel::with(id, |channel| channel.buffer);
        // SAFETY: the component's promise.
        unsafe { buffer.write(found.unwrap_or(0)) };
        let Some(found) = found else { return -1 };
        let Some((_, address)) = buffer::map_again(found, PAGE) else { return NO_MEMORY };
        // SAFETY: the component's promise.
        unsafe { memory.write(address as *mut c_void) };
        0
    })
}

extern "C" fn delete(_: u64) -> c_int {
    -1
}

extern "C" fn evt_set(id: u64, resource: u64, sender_to_receiver: c_int) -> c_int {
    inside(|| {
        let set = |channel: &mut channel::Channel| {
            let free = channel.resource == 0 || resource == 0;
            if free {
                channel.resource = resource;
            }
            free
        };
        let done = sender_to_receiver != 0 && channel::with(id, set) == Some(true);
        if done { 0 } else { -1 }
    })
}

extern "C" fn evt_get(id: u64, sender_to_receiver: c_int) -> u64 {
    const NONE: u64 = -1_i64 as u64;
    inside(|| match sender_to_receiver {
        0 => NONE,
        _ => channel::with(id, |channel| channel.resource).unwrap_or(NONE),
    })
}
