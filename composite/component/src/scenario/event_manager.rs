//! The event manager.

use res_api::Fault;
use res_kernel::composite::interface::evt::{
    __evt_add, __evt_alloc, __evt_free, __evt_get, __evt_rem, __evt_trigger, EventId, NON_BLOCKING,
};
use res_kernel::{Composite, Kernel};

use super::beside::started;
use crate::report::check;

/// The result, and what the event says.
fn get(group: EventId, flags: i32) -> (i32, u64, u64) {
    let (mut source, mut data) = (0, 0);
    // SAFETY: both places are ours.
    let result = unsafe { __evt_get(group, flags, &raw mut source, &raw mut data) };
    (result, source, data)
}

/// What was triggered comes once, with what it was added with. Another thread waits for it.
pub(super) fn events(machine: Composite) -> Result<(), Fault> {
    let group = __evt_alloc(2);
    let (one, two) = (__evt_add(group, 1, 10), __evt_add(group, 2, 20));
    check!(group != 0 && one != 0 && two != 0);
    check!(get(group, NON_BLOCKING).0 == 1);
    check!(__evt_trigger(two) == 0 && __evt_trigger(two) == 0);
    check!(get(group, NON_BLOCKING) == (0, 2, 20));
    check!(get(group, NON_BLOCKING).0 == 1);

    let mut seen = [(0, 0, 0); 3];
    let mut body = || seen.fill_with(|| get(group, 0));
    let other = started(machine, &mut body)?;
    for resource in [one, two, one] {
        check!(__evt_trigger(resource) == 0);
        // Whoever was woken takes it before there is another one.
        machine.yield_to(None);
    }
    drop(other);
    check!(seen == [(0, 1, 10), (0, 2, 20), (0, 1, 10)]);

    // SAFETY: each was added once, and is not used again; nor is the group.
    unsafe {
        check!(__evt_free(group) == -1);
        check!(__evt_rem(group, one) == 0 && __evt_rem(group, two) == 0);
        check!(__evt_free(group) == 0);
    }
    Ok(())
}
