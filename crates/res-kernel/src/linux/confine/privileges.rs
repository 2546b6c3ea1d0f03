//! No capabilities, also for the superuser.

use rustix::io;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, no_new_privs, remove_capability_from_bounding_set,
    set_capabilities,
};

const NONE: CapabilitySets = CapabilitySets {
    effective: CapabilitySet::empty(),
    permitted: CapabilitySet::empty(),
    inheritable: CapabilitySet::empty(),
};

/// Drops them all, for the calling thread and whatever it forks.
pub(super) fn drop_all() -> io::Result<()> {
    // Those above the last one that Linux knows are not in the set: that is an error, and the end.
    let all = (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number));
    for one in all.take_while(|one| capability_is_in_bounding_set(*one).is_ok()) {
        // Only the privileged may; for all others, that there are no new privileges has to do.
        let _ = remove_capability_from_bounding_set(one);
    }
    clear_ambient_capability_set()?;
    set_capabilities(None, NONE)?;
    if capabilities(None)? == NONE && no_new_privs()? { Ok(()) } else { Err(io::Errno::PERM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Capabilities belong to threads.
    #[test]
    fn none_are_left() {
        let left = std::thread::spawn(|| {
            assert_eq!(drop_all().is_ok(), no_new_privs().unwrap(), "they could come back");
            rustix::thread::set_no_new_privs(true).unwrap();
            drop_all().unwrap();
            capabilities(None).unwrap()
        });
        assert_eq!(left.join().unwrap(), NONE);
    }
}
