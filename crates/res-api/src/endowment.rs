//! Typed names of what a component is given (R3).

use core::fmt;
use core::marker::PhantomData;

use thiserror::Error;

use crate::{
    AnyCap, Backend, CastError, CastReason, Desc, ErrorKind, Files, FromCap, IntoCap, Kind, Map,
    Mem, Message, Name, Part, Rights, Role, SharedMem,
};

/// A name together with what lies under it. Declare it once, as a constant; composer and component
/// use the same.
///
/// ```
/// use res_api::{Slot, Value};
///
/// const LIMIT: Slot<Value<u64>> = Slot::new("limit");
/// assert_eq!(LIMIT.name().as_str(), "limit");
/// ```
pub struct Slot<D> {
    name: Name,
    what: PhantomData<fn() -> D>,
}

impl<D> Slot<D> {
    /// A slot of that name.
    ///
    /// # Panics
    ///
    /// As [`Name::new`]: in a `const`, an error of the compiler.
    #[track_caller]
    pub const fn new(name: &str) -> Self {
        Self::named(Name::new(name))
    }

    /// A slot of a name that is known at run time, such as one of several workers'.
    pub const fn named(name: Name) -> Self {
        Self { name, what: PhantomData }
    }

    /// The name.
    pub const fn name(&self) -> Name {
        self.name
    }
}

impl<D> Clone for Slot<D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for Slot<D> {}

impl<D> fmt::Debug for Slot<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(&self.name).finish()
    }
}

/// An endowment that could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("endowment \"{name}\": {reason}")]
pub struct TakeError {
    /// Which one.
    pub name: Name,
    /// Why not. In the case of a wrong type it is still there.
    pub reason: CastReason,
    #[source]
    kind: ErrorKind,
}

impl TakeError {
    /// `name` cannot be taken because of `reason`.
    pub fn new(name: Name, reason: CastReason) -> Self {
        Self { name, reason, kind: reason.kind() }
    }
}

/// What a slot can hold on the backend `B`: [`Tx`], [`Rx`], [`CapTx`], [`CapRx`], [`Memory`],
/// [`Value`], [`InFile`].
///
/// # Example
///
/// ```
/// use res_api::{Backend, Endowment, Env, Fault, Slot, Value};
///
/// const LIMIT: Slot<Value<u64>> = Slot::new("limit");
///
/// fn limit<B: Backend>(env: &Env<B>) -> Result<u64, Fault> {
///     Ok(env.take(LIMIT)?)
/// }
/// # use res_api::{Deadline, Name};
/// # fn entry(env: Env<backend_local::Local>) -> Result<(), Fault> {
/// #     assert_eq!(limit(&env)?, 7);
/// #     Ok(())
/// # }
/// # let system = backend_local::Local::new()?;
/// # let component = system.component(const { Name::new("limited") }, entry)?;
/// # component.endow(LIMIT, 7)?;
/// # component.start()?;
/// # component.wait(Deadline::NEVER)?.ok()?;
/// # Ok::<(), Fault>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not something that a slot can hold on `{B}`",
    label = "not an endowment",
    note = "a slot holds `Tx<Kind, Message>`, `Rx<Kind, Message>`, `CapTx`, `CapRx`, `Memory`, `Value<Message>` or `InFile`"
)]
pub trait Endowment<B: Backend> {
    /// What the component gets.
    type Handle;

    /// Whether something that says this of itself is such a thing.
    ///
    /// # Errors
    ///
    /// The first difference.
    fn accepts(desc: &Desc) -> Result<(), CastReason>;

    /// What the component gets of the capability.
    ///
    /// # Errors
    ///
    /// The capability itself, with the reason.
    fn from_cap(cap: B::Cap) -> Result<Self::Handle, CastError<B::Cap>>;

    /// The capability of what the composer gives.
    ///
    /// # Errors
    ///
    /// What the backend says; only a [`Value`] needs something of it.
    fn into_cap(b: &B, given: Self::Handle) -> Result<B::Cap, B::Error>;
}

/// The sending end of a channel of kind `K`, carrying `T`.
#[derive(Debug)]
pub struct Tx<K, T>(PhantomData<fn() -> (K, T)>);

/// The receiving end of a channel of kind `K`, carrying `T`.
#[derive(Debug)]
pub struct Rx<K, T>(PhantomData<fn() -> (K, T)>);

/// The sending end of a channel of capabilities.
#[derive(Debug)]
pub struct CapTx(());

/// The receiving end of a channel of capabilities.
#[derive(Debug)]
pub struct CapRx(());

/// Shared memory.
#[derive(Debug)]
pub struct Memory(());

/// A value of the message type `T`: an argument.
#[derive(Debug)]
pub struct Value<T>(PhantomData<fn() -> T>);

/// A file that the composer has opened; on backends that have [`Files`].
#[derive(Debug)]
pub struct InFile(());

macro_rules! handle_endowment {
    ($([$($generic:tt)*] $what:ty, $backend:ident, $handle:ty;)*) => { $(
        impl<B: $backend, $($generic)*> Endowment<B> for $what {
            type Handle = $handle;

            fn accepts(desc: &Desc) -> Result<(), CastReason> {
                <$handle as FromCap<B::Cap>>::accepts(desc)
            }

            fn from_cap(cap: B::Cap) -> Result<Self::Handle, CastError<B::Cap>> {
                cap.cast()
            }

            fn into_cap(_: &B, given: Self::Handle) -> Result<B::Cap, B::Error> {
                Ok(given.into_cap())
            }
        }
    )* };
}

handle_endowment! {
    [K: Kind<B>, T: Message] Tx<K, T>, Backend, K::Snd<T>;
    [K: Kind<B>, T: Message] Rx<K, T>, Backend, K::Rcv<T>;
    [] CapTx, Backend, B::CapSnd;
    [] CapRx, Backend, B::CapRcv;
    [] Memory, Backend, B::SharedMem;
    [] InFile, Files, B::File;
}

impl<B: Backend, T: Message> Endowment<B> for Value<T> {
    type Handle = T;

    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        desc.expect(Role::Value, crate::KindId::NONE, T::TAG)
    }

    fn from_cap(cap: B::Cap) -> Result<T, CastError<B::Cap>> {
        match read_value::<B, T>(&cap) {
            Ok(value) => Ok(value),
            Err(kind) => Err(CastError::new(cap, CastReason::Parts(kind))),
        }
    }

    fn into_cap(b: &B, given: T) -> Result<B::Cap, B::Error> {
        let mut memory = b.mem((size_of::<T>() as u64).max(1))?;
        memory.bytes_mut()[..size_of::<T>()].copy_from_slice(given.as_bytes());
        let desc = Desc { msg: T::TAG, ..Desc::plain(Role::Value, size_of::<T>() as u64) };
        b.bundle(desc, None, [Part::Mem(memory.share())])
    }
}

fn read_value<B: Backend, T: Message>(cap: &B::Cap) -> Result<T, ErrorKind> {
    // SAFETY: `accepts` saw that it is a value, which `into_cap` above bundled.
    let memory = unsafe { cap.mem(0) }.ok_or(ErrorKind::Invalid)?;
    let map = memory.map(Rights::READ).map_err(|error| crate::BackendError::kind(&error))?;
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: `T: IntoBytes` has no padding; the bytes are zeroed first, so the slice is
    // initialised, of the size of `T`, and nobody else knows it.
    let bytes = unsafe {
        value.as_mut_ptr().write_bytes(0, 1);
        core::slice::from_raw_parts_mut(value.as_mut_ptr().cast::<u8>(), size_of::<T>())
    };
    map.copy_out(0, bytes)?;
    T::try_read_from_bytes(bytes).map_err(|_| ErrorKind::Misbehaved)
}
