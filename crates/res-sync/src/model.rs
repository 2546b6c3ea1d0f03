//! Memory models: atomics, cells and barriers as a type parameter.
//!
//! Algorithms are written once over `M: MemoryModel`; the kernel brings the model, so users never
//! see it. One build holds all of them, no feature or cfg decides which is meant:
//!
//! | model | where | what it does |
//! |---|---|---|
//! | [`Core`] | the real thing | `core::sync::atomic`; inlines to nothing |
//! | `Loom` | tests (feature `test-models`) | loom's tracked atomics and cells: every interleaving |
//! | `Hostile` | tests (feature `test-models`) | words lie: a load may return anything |

pub mod bytes;
mod core_model;
#[cfg(feature = "test-models")]
mod hostile;
#[cfg(feature = "test-models")]
mod loom_model;

use core::sync::atomic::Ordering;

pub use core_model::{Core, CoreCell};
#[cfg(feature = "test-models")]
pub use hostile::{Hostile, HostileU32, HostileU64, set_adversary};
#[cfg(feature = "test-models")]
pub use loom_model::{Loom, LoomCell, LoomPark, LoomPoint, LoomU32, LoomU64};

/// How the store-load order between a trigger and a sleeper is paid for (H3). Agreed when a
/// connection is made, by both sides, and kept outside shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Barrier {
    /// Both sides fence: a few nanoseconds in each operation, cheap to park.
    #[default]
    Fence,
    /// Only the side about to sleep pays, by a barrier that reaches all other cores; the other
    /// side has a compiler fence. Both sides must be known to be registered with the machine.
    Asymmetric,
}

/// A family of atomics and cells, with the barriers that go with them.
///
/// # Example
///
/// ```
/// use core::sync::atomic::Ordering::Relaxed;
/// use res_sync::model::{Atomic, Core, MemoryModel};
///
/// fn bump<M: MemoryModel>(counter: &M::U32) -> u32 {
///     counter.fetch_add(1, Relaxed)
/// }
/// let counter = <Core as MemoryModel>::U32::new(7);
/// assert_eq!(bump::<Core>(&counter), 7);
/// ```
pub trait MemoryModel: Copy + core::fmt::Debug + Send + Sync + 'static {
    /// A 32-bit atomic.
    type U32: Atomic<u32>;
    /// A 64-bit atomic.
    type U64: Atomic<u64>;
    /// A slot that one thread at a time may use.
    type Cell<T>: Cell<T>;

    /// Full fence.
    fn fence();

    /// The trigger's half of the store-load barrier. With [`Barrier::Asymmetric`] it is a
    /// compiler fence at most; its partner is [`Park::heavy_barrier`](crate::Park::heavy_barrier).
    fn light_barrier(barrier: Barrier);

    /// Tells the processor that this is a spin loop, and takes a moment: some 20 ns.
    fn spin_hint();
}

/// A model whose words may lie in mapped memory that nobody constructed: what the bytes are is
/// what the words are.
///
/// # Safety
///
/// `U32` and `U64` have the size, alignment and bit validity of the plain integers, and have no
/// state elsewhere that construction would have to set up or dropping to tear down.
///
/// # Example
///
/// ```
/// fn assert_mapped<M: res_sync::model::Mapped>() {}
/// assert_mapped::<res_sync::model::Core>();
/// ```
pub unsafe trait Mapped: MemoryModel {
    /// Whether each access has to be one of the model's words, because somebody watches them; then
    /// nothing is copied behind its back.
    const WATCHED: bool = false;
}

/// An atomic integer of type `V`.
///
/// # Example
///
/// ```
/// use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
/// use res_sync::model::Atomic;
///
/// let word = <AtomicU64 as Atomic<u64>>::new(1);
/// assert_eq!(Atomic::swap(&word, 2, SeqCst), 1);
/// ```
pub trait Atomic<V: Copy>: Send + Sync + core::fmt::Debug {
    /// A new one with that value.
    fn new(value: V) -> Self;
    /// Reads it.
    fn load(&self, order: Ordering) -> V;
    /// Writes it.
    fn store(&self, value: V, order: Ordering);
    /// Writes it and returns what it was.
    fn swap(&self, value: V, order: Ordering) -> V;
    /// Writes `new` if it is `current`; otherwise returns what it is.
    ///
    /// # Errors
    ///
    /// The value found, where it is not `current`.
    fn compare_exchange(
        &self,
        current: V,
        new: V,
        success: Ordering,
        failure: Ordering,
    ) -> Result<V, V>;
    /// Adds, wrapping, and returns what it was.
    fn fetch_add(&self, value: V, order: Ordering) -> V;
    /// Sets bits and returns what it was.
    fn fetch_or(&self, bits: V, order: Ordering) -> V;
    /// Clears the bits that are not in `mask` and returns what it was.
    fn fetch_and(&self, mask: V, order: Ordering) -> V;
    /// Its address, for a machine that parks by address.
    fn as_ptr(&self) -> *const V;
}

/// A place for a value that two threads take turns at; who may touch it is decided elsewhere.
///
/// # Example
///
/// ```
/// use res_sync::model::{Cell, CoreCell};
///
/// let slot = CoreCell::<u8>::empty();
/// // SAFETY: no other thread knows the slot; it is written before it is read.
/// let value = unsafe {
///     slot.write(3);
///     slot.read()
/// };
/// assert_eq!(value, 3);
/// ```
pub trait Cell<T> {
    /// A slot without a value.
    fn empty() -> Self;

    /// Puts a value in, without looking at what was there.
    ///
    /// # Safety
    ///
    /// No other thread reads or writes the slot at the same time.
    unsafe fn write(&self, value: T);

    /// Moves the value out.
    ///
    /// # Safety
    ///
    /// No other thread writes the slot at the same time; it was [written](Self::write) before
    /// and not read since (unless `T` is plain data).
    unsafe fn read(&self) -> T;

    /// Looks at the value where it is.
    ///
    /// # Safety
    ///
    /// No other thread writes the slot as long as the reference lives; it was
    /// [written](Self::write) before and not read since.
    unsafe fn peek(&self) -> &T;
}
