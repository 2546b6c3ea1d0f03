//! How much a component may have, and which names it may look up.

use core::fmt;
use std::vec::Vec;

use res_api::Name;

/// What each component of a system may have at most. Beyond it, it is refused with `NoSlots` or
/// `NoMemory`. The composing program has no limits but its machine's.
///
/// Besides, a component has 64 sending ends at most that it looked up under names of one queue of
/// capabilities, wherever it has sent them. Each counts as a memory object that it made.
///
/// A component that needs more, or that makes do with less, declares it, as a constant beside its entry,
/// and whoever composes the system gives it that ([`Sinv::limit`](crate::Sinv::limit)). Components that
/// it makes have the same limits as itself. [`Sinv::inspect`](crate::Sinv::inspect) shows who has what.
///
/// By default it is nearly as many objects as a component on Linux can have descriptors for, and the
/// composing program needs one for each: a system of many components that nobody trusts gives each
/// less.
///
/// ```
/// use backend_sinv::Limits;
///
/// use backend_sinv::Lookups;
/// use res_api::Name;
///
/// const NEEDS: Limits = Limits {
///     components: 1000,
///     lookups: Lookups::Only(&[Name::new("store")]),
///     ..Limits::DEFAULT
/// };
/// assert!(NEEDS.objects > 1000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory objects and files that it has or has been given, and memory objects that it made and
    /// that are still there.
    pub objects: u32,
    /// Bytes of memory objects that it made and that are still there.
    pub bytes: u64,
    /// Components that it made and that have not ended.
    pub components: u32,
    /// Queues of capabilities that it made.
    pub queues: u32,
    /// Names that it has published.
    pub names: u32,
    /// Names that it may look up; all others are `Denied` to it.
    pub lookups: Lookups,
}

/// Names that a component may look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookups {
    /// All.
    All,
    /// These.
    Only(&'static [Name]),
}

impl Lookups {
    /// Whether that one is among them.
    pub fn allow(self, name: Name) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(&name),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Limits {
    /// What a component has where nobody says anything else.
    pub const DEFAULT: Self = Self {
        objects: 4000,
        bytes: 8 << 30,
        components: 256,
        queues: 4000,
        names: 4096,
        lookups: Lookups::All,
    };

    /// None.
    pub(crate) const NONE: Self = Self {
        objects: u32::MAX,
        bytes: u64::MAX,
        components: u32::MAX,
        queues: u32::MAX,
        names: u32::MAX,
        lookups: Lookups::All,
    };
}

/// For people.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { objects, bytes, components, queues, names, lookups } = self;
        write!(f, "{objects} objects, {bytes} bytes, {components} components, {queues} queues, ")?;
        write!(f, "{names} names; looks up {lookups}")
    }
}

/// For people.
impl fmt::Display for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Only([]) => f.write_str("none"),
            Self::Only(names) => {
                let names: Vec<_> = names.iter().map(Name::as_str).collect();
                f.write_str(&names.join(", "))
            }
        }
    }
}
