//! Landlock: no files, no network, nobody outside to signal or connect to.

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, RestrictionStatus,
    Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};

use crate::{Confinement, Restriction};

/// The newest that the library knows. What Linux lacks of it is left out.
const NEWEST: ABI = ABI::V10;

/// Denies the calling thread and whatever it forks all that Landlock can; what that is.
pub(super) fn apply() -> Confinement {
    let none = Confinement::NONE;
    let Ok(RestrictionStatus { ruleset, landlock, .. }) = deny_all() else { return none };
    let LandlockStatus::Available { effective_abi, .. } = landlock else { return none };
    if ruleset == RulesetStatus::NotEnforced {
        return none;
    }
    // Since when each is whole.
    [
        (ABI::V3, Restriction::Files),
        (ABI::V4, Restriction::Network),
        (ABI::V6, Restriction::Signals),
    ]
    .into_iter()
    .filter(|(since, _)| effective_abi >= *since)
    .fold(none, |confinement, (_, restriction)| confinement.with(restriction))
}

/// A set of rules which allow nothing.
fn deny_all() -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::net::TcpListener;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

    use rustix::process::{getppid, test_kill_process};

    use super::*;

    /// Landlock too is a matter of threads. No filter is in the way here.
    #[test]
    fn what_it_says_is_so() {
        let name = std::format!("res-kernel {}", std::process::id());
        let address = SocketAddr::from_abstract_name(name).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        let reaches = move || {
            let parent = getppid().unwrap();
            [
                (Restriction::Files, File::open("/dev/null").is_ok()),
                (Restriction::Network, TcpListener::bind("127.0.0.1:0").is_ok()),
                (Restriction::Signals, UnixStream::connect_addr(&address).is_ok()),
                (Restriction::Signals, test_kill_process(parent).is_ok()),
            ]
        };
        let (before, confinement, after) =
            std::thread::spawn(move || (reaches(), apply(), reaches())).join().unwrap();
        for ((restriction, before), (_, after)) in before.into_iter().zip(after) {
            assert!(before, "{restriction}: there is nothing to be kept from");
            assert_eq!(after, !confinement.has(restriction), "{restriction}: {confinement}");
        }
        assert!(File::open("/dev/null").is_ok(), "other threads go on");
    }
}
