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
