//! How much a component may have.

/// What each component of a system may have at most. Beyond it, it is refused with `NoSlots` or
/// `NoMemory`. The composing program has no limits but its machine's.
///
/// Besides, a component has 64 sending ends at most that it looked up under names of one queue of
/// capabilities, wherever it has sent them. Each counts as a memory object that it made.
///
/// By default it is nearly as many objects as a component on Linux can have descriptors for, and the
/// composing program needs one for each: a system of many components that nobody trusts gives each
/// less.
///
/// ```
/// use backend_sinv::Limits;
///
/// let few = Limits { components: 8, ..Limits::default() };
/// assert!(few.objects > 1000);
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
}

impl Default for Limits {
    fn default() -> Self {
        Self { objects: 4000, bytes: 8 << 30, components: 256, queues: 4000, names: 4096 }
    }
}

impl Limits {
    /// None.
    pub(crate) const NONE: Self = Self {
        objects: u32::MAX,
        bytes: u64::MAX,
        components: u32::MAX,
        queues: u32::MAX,
        names: u32::MAX,
    };
}
