//! The event manager: waiting for one of several resources, edge-triggered.

use core::ffi::{c_int, c_ulong};

use super::Word;

/// A group of resources to wait for.
pub type EventId = Word;
/// A resource in a group.
pub type ResourceId = Word;

/// For [`__evt_get`]: does not wait.
pub const NON_BLOCKING: c_int = 1;

unsafe extern "C" {
    /// A group for at most `most` resources; 0 if there is none.
    pub safe fn __evt_alloc(most: c_ulong) -> EventId;

    /// Gives it back; not 0 while resources are in it.
    ///
    /// # Safety
    ///
    /// Nobody uses the group any more.
    pub fn __evt_free(group: EventId) -> c_int;

    /// The next event: the type and the data that its resource was added with. 0 if there is one,
    /// greater if none is there and it does not wait, less on an error.
    ///
    /// # Safety
    ///
    /// Both addresses may be written to.
    pub fn __evt_get(group: EventId, flags: c_int, source: *mut Word, data: *mut Word) -> c_int;

    /// A new resource in the group, with what an event of it says; 0 on failure.
    ///
    /// # Safety
    ///
    /// The group is there.
    pub fn __evt_add(group: EventId, source: Word, data: Word) -> ResourceId;

    /// Takes it out of the group; 0 if it was there.
    ///
    /// # Safety
    ///
    /// The group is there, and the resource in it.
    pub fn __evt_rem(group: EventId, resource: ResourceId) -> c_int;

    /// An event of that resource; 0 if there is such a one.
    ///
    /// # Safety
    ///
    /// The resource is there.
    pub fn __evt_trigger(resource: ResourceId) -> c_int;
}
