//! The channel manager: the blockpoints and the memory of channels, by number. Any component may
//! use any number.

use core::ffi::{c_int, c_void};

use super::Word;
use super::memmgr::BufferId;
use super::sched::BlockpointId;

/// The number of a channel; 0 is none.
pub type ChannelId = Word;

unsafe extern "C" {
    /// A channel for `slots` items of `item_size` bytes; 0 on failure.
    pub safe fn chanmgr_create(item_size: u32, slots: u32, flags: u32) -> ChannelId;

    /// Where senders wait, and where receivers wait. 0 if there is such a channel.
    ///
    /// # Safety
    ///
    /// Both addresses may be written to.
    pub fn chanmgr_sync_resources(
        channel: ChannelId,
        full: *mut BlockpointId,
        empty: *mut BlockpointId,
    ) -> c_int;

    /// Maps the channel's memory. 0 if there is such a channel.
    ///
    /// # Safety
    ///
    /// Both addresses may be written to.
    pub fn chanmgr_mem_resources(
        channel: ChannelId,
        buffer: *mut BufferId,
        memory: *mut *mut c_void,
    ) -> c_int;

    /// -1: it does nothing yet.
    ///
    /// # Safety
    ///
    /// Nobody uses the channel any more.
    pub fn chanmgr_delete(channel: ChannelId) -> c_int;

    /// Which event resource is to be triggered by what goes in that direction.
    ///
    /// # Safety
    ///
    /// The channel and the resource are there.
    pub fn chanmgr_evt_set(channel: ChannelId, resource: Word, sender_to_receiver: c_int) -> c_int;

    /// The event resource that was set for that direction.
    ///
    /// # Safety
    ///
    /// The channel is there.
    pub fn chanmgr_evt_get(channel: ChannelId, sender_to_receiver: c_int) -> Word;
}
