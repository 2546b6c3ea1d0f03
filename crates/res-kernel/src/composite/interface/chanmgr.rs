//! The channel manager: the blockpoints and the memory of channels, by number. What goes through
//! them, and how, is the components' own affair.
//!
//! # What the manager does not do
//!
//! * It has 32 channels for the whole system, of which four are there from the beginning (1 and 2
//!   for 128 items of 8 bytes, 3 and 4 for 2 of 4), and takes none back.
//! * It asks nobody who he is: any component may use any number, and map its memory for writing.
//! * It cannot be told who the peer is, nor that one has left.

use core::ffi::{c_int, c_void};

use super::Word;
use super::memmgr::BufferId;
use super::sched::BlockpointId;

/// The number of a channel; 0 is none.
pub type ChannelId = Word;

/// For [`chanmgr_evt_get`]: there is no such channel, or not in that direction.
pub const NO_RESOURCE: Word = Word::MAX;

unsafe extern "C" {
    /// A channel for `slots` items of `item_size` bytes, and 48 bytes in front of them; 0 if there
    /// is none left. The flags are not looked at.
    ///
    /// The size is computed in 32 bits: of one that is greater, the channel has the low bits.
    pub safe fn chanmgr_create(item_size: u32, slots: u32, flags: u32) -> ChannelId;

    /// Where senders wait, and where receivers wait: blockpoints of the scheduler, with epoch 0.
    /// 0 if there is such a channel, otherwise -1 and no blockpoints.
    ///
    /// # Safety
    ///
    /// Both addresses may be written to.
    pub fn chanmgr_sync_resources(
        channel: ChannelId,
        full: *mut BlockpointId,
        empty: *mut BlockpointId,
    ) -> c_int;

    /// Maps the channel's memory, once more with each call, at another address. 0 if there is such
    /// a channel; otherwise -1, no buffer, and the second address is left as it is.
    ///
    /// # Safety
    ///
    /// Both addresses may be written to. All components together have called it for this channel
    /// at most three times: the fifth mapping of the system halts the machine, and the manager has
    /// one.
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

    /// Which event resource is to be triggered by what goes to the receiver; 0 takes it back. The
    /// manager only keeps it: who sends has to ask, and to trigger.
    ///
    /// -1 where there is no such channel, where it has another resource, and for the other
    /// direction: it has none.
    pub safe fn chanmgr_evt_set(
        channel: ChannelId,
        resource: Word,
        sender_to_receiver: c_int,
    ) -> c_int;

    /// The event resource that was set for that direction; 0 for none, [`NO_RESOURCE`] where there
    /// can be none.
    pub safe fn chanmgr_evt_get(channel: ChannelId, sender_to_receiver: c_int) -> Word;
}
