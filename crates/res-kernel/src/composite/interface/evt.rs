//! The event manager: waiting for one of several resources, edge-triggered.
//!
//! A resource that has an event gets no second one until somebody has taken the first; nothing says
//! whether what it is about is still so.
//!
//! # What the manager does not do
//!
//! * It has eight resources for the whole system, for ever: one that was removed is not given back,
//!   and can still be triggered. Its events go to whoever has the group's number by then.
//! * It has 32 groups.
//! * It asks nobody who he is: any component may use any number.

use core::ffi::{c_int, c_ulong};

use super::Word;

/// A group of resources to wait for; 0 is none.
pub type EventId = Word;
/// A resource in a group; 0 is none.
pub type ResourceId = Word;

/// For [`__evt_get`]: does not wait.
pub const NON_BLOCKING: c_int = 1;

unsafe extern "C" {
    /// A group; 0 if there is none left. How many resources it is to have is not looked at.
    pub safe fn __evt_alloc(most: c_ulong) -> EventId;

    /// Gives it back; -1 if there is no such group, or resources are in it.
    ///
    /// # Safety
    ///
    /// Nobody uses the group any more, nor resources that were in it.
    pub fn __evt_free(group: EventId) -> c_int;

    /// The next event, in the order in which they came: what its resource was added with. 0 if
    /// there is one, 1 if none is there and it does not wait, -1 if there is no such group. Both
    /// addresses are written to in any case, with nonsense where there is no event.
    ///
    /// Who waits sleeps in the manager, without a deadline.
    ///
    /// # Safety
    ///
    /// Both addresses may be written to.
    pub fn __evt_get(group: EventId, flags: c_int, source: *mut Word, data: *mut Word) -> c_int;

    /// A new resource in the group, with what an event of it says; 0 if there is no such group, or
    /// no resource left.
    pub safe fn __evt_add(group: EventId, source: Word, data: Word) -> ResourceId;

    /// Takes it out of the group, so that the group can be freed; -1 if it is not there.
    ///
    /// # Safety
    ///
    /// The resource was not removed before: the manager would count another one out.
    pub fn __evt_rem(group: EventId, resource: ResourceId) -> c_int;

    /// An event of that resource; -1 if there is no such one. Whoever waits in the group is woken.
    pub safe fn __evt_trigger(resource: ResourceId) -> c_int;
}
