//! Statements about the channel manager.

#[path = "common/process.rs"]
mod process;
#[path = "common/statement.rs"]
mod statement;

use std::ffi::c_void;
use std::ptr::null_mut;

use composite_stand_in::HALTED;
use composite_stand_in::interface::chanmgr::{
    chanmgr_create, chanmgr_delete, chanmgr_evt_get, chanmgr_evt_set, chanmgr_mem_resources,
    chanmgr_sync_resources,
};
use composite_stand_in::interface::memmgr::memmgr_shared_page_map;
use composite_stand_in::interface::sched::{sched_blkpt_block, sched_blkpt_trigger};

use statement::{so, statement};

// What follows calls the interface as a component does; addresses are of places of these tests.

fn create(item_size: u32, slots: u32) -> u64 {
    // SAFETY: see above.
    unsafe { chanmgr_create(item_size, slots, 0) }
}

/// The result, where senders wait, and where receivers wait.
fn points(channel: u64) -> (i32, u32, u32) {
    let (mut full, mut empty) = (99, 99);
    // SAFETY: see above.
    let result = unsafe { chanmgr_sync_resources(channel, &raw mut full, &raw mut empty) };
    (result, full, empty)
}

/// The result, the buffer, and where it was mapped.
fn memory(channel: u64) -> (i32, u32, *mut u8) {
    let (mut buffer, mut memory) = (99, null_mut::<c_void>());
    // SAFETY: see above.
    let result = unsafe { chanmgr_mem_resources(channel, &raw mut buffer, &raw mut memory) };
    (result, buffer, memory.cast())
}

fn set(channel: u64, resource: u64, sender_to_receiver: i32) -> i32 {
    // SAFETY: see above.
    unsafe { chanmgr_evt_set(channel, resource, sender_to_receiver) }
}

fn get(channel: u64, sender_to_receiver: i32) -> u64 {
    // SAFETY: see above.
    unsafe { chanmgr_evt_get(channel, sender_to_receiver) }
}

statement! {
    /// Four are there from the beginning.
    system_has_32_channels {
        for channel in 5..=32 {
            so!(create(8, 4) == channel);
        }
        so!(create(8, 4) == 0);
    }
}

statement! {
    channel_has_two_blockpoints {
        let (result, full, empty) = points(create(8, 4));
        so!(result == 0 && full != 0 && empty != 0 && full != empty);
        // SAFETY: it does not block.
        unsafe {
            so!(sched_blkpt_trigger(full, 1, 0) == 0);
            so!(sched_blkpt_block(full, 0, 0) == 0);
        }
    }
}

statement! {
    /// Nobody asks who it is that asks.
    any_number_may_be_used {
        let first = points(1);
        so!(first.0 == 0 && first.1 != 0);
        let channel = create(8, 4);
        so!(points(channel) == points(channel));
        so!(memory(channel).1 == memory(channel).1);
    }
}

statement! {
    number_of_no_channel_is_refused {
        for number in [0, 5, 33] {
            so!(points(number) == (-1, 0, 0));
            so!(memory(number) == (-1, 0, null_mut()));
            so!(set(number, 1, 1) == -1);
            so!(get(number, 1) == u64::MAX);
        }
    }
}

statement! {
    memory_is_mapped_anew_each_time {
        let channel = create(8, 4);
        let (one, two) = (memory(channel), memory(channel));
        so!(one.0 == 0 && two.0 == 0 && one.2 != two.2);
        // SAFETY: both are mapped.
        unsafe {
            one.2.add(4095).write(7);
            so!(two.2.add(4095).read() == 7);
        }
    }
}

statement! {
    /// One of five mappings is the manager's own.
    memory_mapped_a_fifth_time_halts ends HALTED, "HALT assertion: one mapping more", {
        let channel = create(8, 4);
        for _ in 0..4 {
            so!(memory(channel).0 == 0);
        }
        memory(channel);
        0
    }
}

statement! {
    size_is_computed_in_32_bits {
        let mut at = 0;
        for (item_size, slots, pages) in [(8, 4, 1), (8, 506, 1), (8, 507, 2), (1 << 31, 2, 1)] {
            let (_, buffer, _) = memory(create(item_size, slots));
            // SAFETY: the buffer is there, and `at` is ours.
            so!(unsafe { memmgr_shared_page_map(buffer, &raw mut at) } == pages);
        }
    }
}

statement! {
    delete_does_nothing {
        let channel = create(8, 4);
        // SAFETY: nobody uses it.
        so!(unsafe { chanmgr_delete(channel) } == -1);
        so!(points(channel).0 == 0);
        so!(create(8, 4) == channel + 1);
    }
}

statement! {
    /// And only until it is taken back: a second one is refused.
    event_resource_is_for_receivers {
        let channel = create(8, 4);
        so!(get(channel, 1) == 0);
        so!(set(channel, 7, 0) == -1 && get(channel, 0) == u64::MAX);
        so!(set(channel, 7, 1) == 0 && get(channel, 1) == 7);
        so!(set(channel, 8, 1) == -1 && get(channel, 1) == 7);
        so!(set(channel, 0, 1) == 0 && get(channel, 1) == 0);
        so!(set(channel, 8, 1) == 0 && get(channel, 1) == 8);
    }
}
