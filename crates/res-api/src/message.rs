//! What may travel through a channel between components.

use core::fmt;

use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

use crate::Name;

/// The identity of a message type: declared, never guessed from the name of a Rust type.
///
/// Two types are the same message if all fields agree. A cast that fails reports both tags.
///
/// ```
/// use res_api::{Message, Tag};
///
/// assert_eq!(u64::TAG.size, 8);
/// assert_ne!(<[u8; 8]>::TAG, u64::TAG);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag {
    /// The declared name.
    pub name: Name,
    /// The declared version.
    pub version: u32,
    /// Bytes of one message.
    pub size: u32,
    /// Its alignment in bytes.
    pub align: u32,
    /// A hash of the names, types and offsets of the fields.
    pub layout: u64,
}

impl Tag {
    /// The tag of `T` under a declared name. What the attribute [`message`](macro@crate::message)
    /// writes.
    ///
    /// # Panics
    ///
    /// At compile time, if `T` does not fit 32 bits of size.
    pub const fn of<T>(name: Name, version: u32, layout: u64) -> Self {
        assert!(size_of::<T>() <= u32::MAX as usize, "a message of more than 4 GiB");
        Self { name, version, size: size_of::<T>() as u32, align: align_of::<T>() as u32, layout }
    }

    /// What carries no message: channels of capabilities, memory, components.
    pub const NONE: Self = Self { name: Name::new("-"), version: 0, size: 0, align: 1, layout: 0 };
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, size, align, layout } = self;
        write!(f, "{name} v{version} ({size} bytes, aligned to {align}, layout {layout:016x})")
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// FNV-1a over `text`, continued from `hash`; for [`Tag::layout`].
pub const fn layout_hash(mut hash: u64, text: &[u8]) -> u64 {
    let mut at = 0;
    while at < text.len() {
        hash = (hash ^ text[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

/// The start of a [`layout_hash`].
pub const LAYOUT_SEED: u64 = 0xcbf2_9ce4_8422_2325;

/// A value that may travel between components: plain data without padding and pointers, with a
/// declared identity. Write it with the attribute [`message`](macro@crate::message).
///
/// What a peer wrote is copied out and validated before it becomes a value (free where every bit
/// pattern is valid); an invalid one is [`Gone::Misbehaved`](crate::Gone::Misbehaved).
///
/// ```
/// use res_api::{Message, message};
///
/// #[message("count", version = 1)]
/// pub struct Count {
///     pub lines: u64,
///     pub bytes: u64,
/// }
/// assert_eq!(Count::TAG.size, 16);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel between components: it is not a `Message`",
    label = "not a message",
    note = "a message is plain data of fixed size: put `#[message(\"name\", version = 1)]` on a struct of integers, arrays and other messages",
    note = "text travels as bytes: `[u8; N]` with a length; what stays in one address space can go through a standalone ring, which takes any `T: Send`"
)]
pub trait Message:
    TryFromBytes + IntoBytes + KnownLayout + Immutable + Send + Sized + 'static
{
    /// Its identity.
    const TAG: Tag;
}

macro_rules! integer_messages {
    ($($int:ident)*) => { $(
        impl Message for $int {
            const TAG: Tag = Tag::of::<Self>(
                Name::new(stringify!($int)),
                1,
                layout_hash(LAYOUT_SEED, stringify!($int).as_bytes()),
            );
        }
    )* };
}

integer_messages! { u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 bool }

/// A token: a message of no bytes. A channel of tokens counts them.
impl Message for () {
    const TAG: Tag = Tag::of::<Self>(Name::new("token"), 1, LAYOUT_SEED);
}

impl<T: Message, const N: usize> Message for [T; N] {
    const TAG: Tag = Tag::of::<Self>(
        T::TAG.name,
        T::TAG.version,
        layout_hash(T::TAG.layout, &(N as u64).to_le_bytes()),
    );
}
