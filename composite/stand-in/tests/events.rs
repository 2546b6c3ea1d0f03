//! Statements about the event manager.

#[path = "common/process.rs"]
mod process;
#[path = "common/statement.rs"]
mod statement;
#[path = "common/threads.rs"]
mod threads;

use std::ffi::c_void;

use composite_stand_in::DEADLOCKED;
use composite_stand_in::interface::evt::{
    __evt_add, __evt_alloc, __evt_free, __evt_get, __evt_rem, __evt_trigger,
};

use statement::{so, statement};
use threads::{ME, create, done, exit, go, note, priority, rest, set};

// What follows calls the interface as a component does; addresses are of places of these tests.

fn alloc() -> u64 {
    // SAFETY: see above.
    unsafe { __evt_alloc(1) }
}

fn free(group: u64) -> i32 {
    // SAFETY: see above.
    unsafe { __evt_free(group) }
}

fn add(group: u64, source: u64, data: u64) -> u64 {
    // SAFETY: see above.
    unsafe { __evt_add(group, source, data) }
}

fn remove(group: u64, resource: u64) -> i32 {
    // SAFETY: see above.
    unsafe { __evt_rem(group, resource) }
}

fn trigger(resource: u64) -> i32 {
    // SAFETY: see above.
    unsafe { __evt_trigger(resource) }
}

/// The result, and what the event says.
fn get(group: u64, flags: i32) -> (i32, u64, u64) {
    let (mut source, mut data) = (0, 0);
    // SAFETY: see above.
    let result = unsafe { __evt_get(group, flags, &raw mut source, &raw mut data) };
    (result, source, data)
}

const NOW: i32 = 1;

/// Gets an event of the group that is the word's tens, and notes its data.
unsafe extern "C" fn waits(group: *mut c_void) -> i64 {
    note(get(group as u64, 0).2);
    exit()
}

statement! {
    events_say_what_was_added {
        let group = alloc();
        let (one, two) = (add(group, 10, 11), add(group, 20, 21));
        so!(one != 0 && two != 0 && one != two);
        so!(trigger(two) == 0 && trigger(one) == 0);
        so!(get(group, NOW) == (0, 20, 21));
        so!(get(group, 0) == (0, 10, 11));
        so!(get(group, NOW).0 == 1);
    }
}

statement! {
    /// Nothing says that it is there still.
    events_come_once_until_they_are_taken {
        let group = alloc();
        let resource = add(group, 1, 2);
        for _ in 0..3 {
            so!(trigger(resource) == 0 && trigger(resource) == 0);
            so!(get(group, NOW).0 == 0);
            so!(get(group, NOW).0 == 1);
        }
    }
}

statement! {
    group_is_waited_for {
        priority(ME, 20);
        let group = alloc();
        let (one, two) = (add(group, 1, 3), add(group, 1, 4));
        go(waits, group, 10);
        go(waits, group, 11);
        rest();
        so!(done() == 0);
        trigger(one);
        so!(done() == 3);
        trigger(two);
        so!(done() == 34);
        // Nobody waits any more.
        so!(trigger(one) == 0 && get(group, NOW).0 == 0);
    }
}

statement! {
    group_without_events_is_waited_for_ever ends DEADLOCKED, "DEADLOCK", {
        get(alloc(), 0);
        0
    }
}

statement! {
    what_is_not_there_is_refused {
        let (group, other) = (alloc(), alloc());
        let resource = add(group, 1, 2);
        so!(get(99, 0).0 == -1 && free(99) == -1 && add(99, 1, 2) == 0);
        so!(trigger(99) == -1 && trigger(0) == -1);
        so!(remove(other, resource) == -1 && remove(group, 99) == -1);
    }
}

statement! {
    group_is_not_freed_while_resources_are_in_it {
        let group = alloc();
        let resource = add(group, 1, 2);
        so!(free(group) == -1);
        so!(remove(group, resource) == 0);
        so!(free(group) == 0 && free(group) == -1);
        so!(get(group, NOW).0 == -1);
    }
}

statement! {
    system_has_32_groups {
        for group in 1..=32 {
            so!(alloc() == group);
        }
        so!(alloc() == 0);
        so!(free(7) == 0);
        so!(alloc() == 7);
    }
}

statement! {
    /// A resource that was removed is not given back.
    system_has_eight_resources_for_ever {
        let group = alloc();
        for resource in 1..=8 {
            so!(add(group, 1, 2) == resource);
            so!(remove(group, resource) == 0);
        }
        so!(add(group, 1, 2) == 0);
    }
}

statement! {
    /// Where its group is gone, it speaks to whoever has that place.
    resource_that_was_removed_still_works {
        let group = alloc();
        let resource = add(group, 1, 2);
        so!(remove(group, resource) == 0);
        so!(trigger(resource) == 0 && get(group, NOW) == (0, 1, 2));
        so!(free(group) == 0 && alloc() == group);
        so!(trigger(resource) == 0 && get(group, NOW) == (0, 1, 2));
    }
}

statement! {
    /// As it is edge-triggered, nobody takes the event that it thinks is on its way.
    resource_whose_event_went_with_its_group_is_silent {
        let group = alloc();
        let resource = add(group, 1, 2);
        so!(trigger(resource) == 0);
        so!(remove(group, resource) == 0 && free(group) == 0 && alloc() == group);
        so!(trigger(resource) == 0 && get(group, NOW).0 == 1);
    }
}

statement! {
    /// A thread that comes later finds nothing.
    event_goes_to_whoever_looks_first {
        let group = alloc();
        let resource = add(group, 1, 3);
        priority(ME, 5);
        let late = create(waits, group);
        so!(set(late, 1, 20) == 0);
        trigger(resource);
        so!(get(group, NOW) == (0, 1, 3));
        priority(ME, 31);
        rest();
        so!(done() == 0);
    }
}
