//! How much a component may have.

/// What each component of a system may have at most. Beyond it, it is refused with `NoSlots` or
/// `NoMemory`.
///
/// ```
/// use backend_sinv::Limits;
///
/// let few = Limits { components: 8, ..Limits::default() };
/// assert!(few.objects > 1000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory objects and files that it has, or has been given.
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
        Self { objects: 65_536, bytes: 8 << 30, components: 4096, queues: 65_536, names: 4096 }
    }
}
