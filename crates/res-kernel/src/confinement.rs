//! What a domain is kept from, and what of that the machine that runs cannot do.

use core::fmt;

/// Something that a domain is kept from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Restriction {
    /// It can ask the machine for nothing but what its own threads and memory, and what it was
    /// sent, need. The first line: without it, all others can be got around.
    Calls,
    /// It starts no other domain, process or whatever has a life of its own. Part of the first line.
    Processes,
    /// It has no privileges, whoever started it.
    Privileges,
    /// It cannot use up all memory or all handles of the machine.
    Limits,
    /// The second line, should the first have a hole: it opens no file.
    Files,
    /// The second line: it reaches no network.
    Network,
    /// The second line: it signals and connects to nobody outside.
    Signals,
}

impl Restriction {
    /// All that there are.
    pub const ALL: [Self; 7] = [
        Self::Calls,
        Self::Processes,
        Self::Privileges,
        Self::Limits,
        Self::Files,
        Self::Network,
        Self::Signals,
    ];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Restriction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Calls => "calls of the machine",
            Self::Processes => "other processes",
            Self::Privileges => "privileges",
            Self::Limits => "limits",
            Self::Files => "files",
            Self::Network => "the network",
            Self::Signals => "signals",
        })
    }
}

/// The restrictions that are in force for the domains of a machine.
///
/// # Example
///
/// ```
/// use res_kernel::{Confinement, Restriction};
///
/// let all = Confinement::NONE.with(Restriction::Calls).with(Restriction::Processes);
/// assert!(all.isolates());
/// assert!(!Confinement::NONE.isolates());
/// assert_eq!(
///     Confinement::NONE.with(Restriction::Files).to_string(),
///     "not isolated: not kept from calls of the machine, other processes, privileges, limits, \
///      the network, signals",
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Confinement(u8);

impl Confinement {
    /// Nothing is in force.
    pub const NONE: Self = Self(0);

    /// With that one in force too.
    #[must_use]
    pub const fn with(self, restriction: Restriction) -> Self {
        Self(self.0 | restriction.bit())
    }

    /// Whether that one is in force.
    pub const fn has(self, restriction: Restriction) -> bool {
        self.0 & restriction.bit() != 0
    }

    /// For the way from one process to another.
    #[cfg(all(feature = "linux", not(miri)))]
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    #[cfg(all(feature = "linux", not(miri)))]
    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether domains are isolated from each other and from who started them: the first line is
    /// in force. Nobody should connect domains that do not trust each other where it is not.
    pub const fn isolates(self) -> bool {
        self.has(Restriction::Calls) && self.has(Restriction::Processes)
    }

    /// What is not in force.
    pub fn gaps(self) -> impl Iterator<Item = Restriction> {
        Restriction::ALL.into_iter().filter(move |restriction| !self.has(*restriction))
    }
}

/// For people: "isolated", or what domains are not kept from.
impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.isolates() { "isolated" } else { "not isolated" })?;
        for (place, gap) in self.gaps().enumerate() {
            write!(f, "{} {gap}", if place == 0 { ": not kept from" } else { "," })?;
        }
        Ok(())
    }
}
