//! How the arguments and results of an interface travel: in order, side by side, in the words of the
//! frame where they fit, and else in the payload. Both ends work that out from the types.

use core::mem::MaybeUninit;

use res_api::{LAYOUT_SEED, Message, Tag, layout_hash};

use super::frame::{WORDS_IN, WORDS_OUT};

/// Bytes that fit into the words of a request.
pub(super) const BYTES_IN: usize = 8 * WORDS_IN;
/// Bytes that fit into the words of an answer.
pub(super) const BYTES_OUT: usize = 8 * WORDS_OUT;

/// What a method of an interface takes, or what it returns: up to eight messages.
///
/// ```
/// use chan_impls::call::Arguments;
///
/// assert_eq!(<(u64, [u8; 3]) as Arguments>::BYTES, 11);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what a method of an interface takes",
    note = "it takes up to eight messages"
)]
pub trait Arguments: Sized {
    /// How many bytes they are.
    const BYTES: usize;

    /// Hands out the bytes of each, with their place.
    ///
    /// # Errors
    ///
    /// The first of `put`.
    fn put<E>(&self, put: impl FnMut(usize, &[u8]) -> Result<(), E>) -> Result<(), E>;

    /// Made of bytes, which `get` copies from a place; `None` where one of them is no value of its
    /// type.
    fn get(get: impl FnMut(usize, &mut [u8])) -> Option<Self>;
}

macro_rules! tuples {
    ($(($($name:ident)*))*) => { $(
        #[allow(non_snake_case, unused, reason = "the types name the values; of none there are none")]
        impl<$($name: Message),*> Arguments for ($($name,)*) {
            const BYTES: usize = 0 $(+ size_of::<$name>())*;

            fn put<Er>(
                &self,
                mut put: impl FnMut(usize, &[u8]) -> Result<(), Er>,
            ) -> Result<(), Er> {
                let ($($name,)*) = self;
                let mut places = Places(0);
                $(put(places.next::<$name>(), $name.as_bytes())?;)*
                Ok(())
            }

            fn get(mut get: impl FnMut(usize, &mut [u8])) -> Option<Self> {
                let mut places = Places(0);
                $(let $name = message(|bytes| get(places.next::<$name>(), bytes))?;)*
                Some(($($name,)*))
            }
        }
    )* };
}

tuples! {
    ()
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E F)
    (A B C D E F G)
    (A B C D E F G H)
}

/// Where the next message is.
struct Places(usize);

impl Places {
    fn next<T>(&mut self) -> usize {
        let place = self.0;
        self.0 += size_of::<T>();
        place
    }
}

/// A message made of bytes; `None` where they are none.
fn message<T: Message>(fill: impl FnOnce(&mut [u8])) -> Option<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: all bytes of the local are 0, so initialised, and it is borrowed.
    let bytes =
        unsafe { core::slice::from_raw_parts_mut(value.as_mut_ptr().cast::<u8>(), size_of::<T>()) };
    fill(bytes);
    T::try_read_from_bytes(bytes).ok()
}

/// Bytes of payload that a method needs.
pub const fn payload(arguments: usize, result: usize) -> u64 {
    let arguments = if arguments > BYTES_IN { arguments } else { 0 };
    let result = if result > BYTES_OUT { result } else { 0 };
    if arguments > result { arguments as u64 } else { result as u64 }
}

/// The start of the hash that tells interfaces apart.
pub const NO_METHODS: u64 = LAYOUT_SEED;

/// That hash with one more method.
pub const fn method(hash: u64, name: &str, arguments: &[Tag], result: Tag) -> u64 {
    let mut hash = layout_hash(hash, name.as_bytes());
    hash = layout_hash(hash, &(arguments.len() as u64).to_le_bytes());
    let mut at = 0;
    while at < arguments.len() {
        hash = tag(hash, &arguments[at]);
        at += 1;
    }
    tag(hash, &result)
}

const fn tag(hash: u64, tag: &Tag) -> u64 {
    let mut hash = layout_hash(hash, &tag.name.to_bytes());
    hash = layout_hash(hash, &tag.version.to_le_bytes());
    hash = layout_hash(hash, &tag.size.to_le_bytes());
    hash = layout_hash(hash, &tag.align.to_le_bytes());
    layout_hash(hash, &tag.layout.to_le_bytes())
}

/// Words as bytes, and back.
pub(super) fn to_bytes<const WORDS: usize, const BYTES: usize>(words: [u64; WORDS]) -> [u8; BYTES] {
    const { assert!(BYTES == 8 * WORDS) };
    let mut bytes = [0; BYTES];
    for (bytes, word) in bytes.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}

pub(super) fn to_words<const WORDS: usize, const BYTES: usize>(bytes: [u8; BYTES]) -> [u64; WORDS] {
    const { assert!(BYTES == 8 * WORDS) };
    let (words, _) = bytes.as_chunks::<8>();
    core::array::from_fn(|at| u64::from_ne_bytes(words[at]))
}
