//! Calls: one client thread asks, one context of a server answers.
//!
//! A connection is a frame in memory that both ends have mapped, and two blockpoints. A request has
//! an entry number, the caller's deadline and four words, an answer has three; a payload of whole
//! pages, of a size that is fixed when the connection is made, goes both ways. Neither end needs to
//! trust the other.
//!
//! A server has a context for each connection, so a handler may block, and may call others. With
//! [`#[interface]`](macro@crate::interface) on a trait, client and server are written for you;
//! [`service`](crate::service) connects them by name.

mod arguments;
mod callee;
mod caller;
mod end;
mod error;
pub mod frame;
mod stub;

use core::fmt;
use core::marker::PhantomData;

use res_api::{
    AnyCap, Backend, CastError, CastReason, Desc, Endowment, ErrorKind, FromCap, IntoCap, KindId,
    Refused, Tag,
};

pub use arguments::Arguments;
pub use callee::{Callee, Request};
pub use caller::Caller;
pub use error::CallError;
pub use stub::Stub;

const ID: KindId = KindId::new(*b"call", 1);

/// What is spoken over a connection: a name for it, of which both ends are made. Written by
/// [`#[interface]`](macro@crate::interface), as `dyn Trait`, or by hand.
///
/// ```
/// use chan_impls::call::Interface;
/// use res_api::{Name, Tag};
///
/// struct Pages;
///
/// impl Interface for Pages {
///     const TAG: Tag = Tag::of::<()>(Name::new("pages"), 1, 0);
///     const PAYLOAD: u64 = 4 * 4096;
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an interface",
    label = "not an interface",
    note = "put `#[interface(\"name\", version = 1)]` on a trait, and name it `dyn Trait`"
)]
pub trait Interface: 'static {
    /// Its identity. Ends are cast to the interface that they were made for, and to no other.
    const TAG: Tag;
    /// Bytes of payload that it needs.
    const PAYLOAD: u64 = 0;
}

/// An interface whose servers are values: written by [`#[interface]`](macro@crate::interface).
///
/// ```
/// use chan_impls::call::{Callee, Dispatch};
/// use res_api::{Backend, Deadline, Fault};
///
/// /// Lets the server answer one request.
/// fn one<B: Backend, I: Dispatch + ?Sized>(
///     callee: &mut Callee<B, I>,
///     server: &mut I,
/// ) -> Result<(), Fault> {
///     let request = callee.next(Deadline::NEVER)?;
///     Ok(server.dispatch(request))
/// }
/// ```
pub trait Dispatch: Interface {
    /// Answers a request.
    fn dispatch<B: Backend>(&mut self, request: Request<'_, B, Self>);
}

/// Both ends of a call.
pub type Pair<B, I> = (Caller<B, I>, Callee<B, I>);

/// Makes a connection, with as much payload as the interface needs.
///
/// # Errors
///
/// `NoSlots`, `NoMemory`.
pub fn pair<B: Backend, I: Interface + ?Sized>(b: &B) -> Result<Pair<B, I>, B::Error> {
    let memory = b.mem(bytes::<I>(0).ok_or(ErrorKind::Invalid)?)?;
    pair_in(b, memory, 0).map_err(|refused| refused.error)
}

/// Bytes of memory that a connection needs, with so many bytes of payload at least; `None` where
/// that overflows.
pub fn bytes<I: Interface + ?Sized>(payload: u64) -> Option<u64> {
    end::bytes(payload.max(I::PAYLOAD))
}

/// Makes a connection in memory that the caller brings, with so many bytes of payload at least.
///
/// ```
/// # use chan_impls::call::Interface;
/// # struct Pages;
/// # impl Interface for Pages {
/// #     const TAG: res_api::Tag = res_api::Tag::of::<()>(res_api::Name::new("pages"), 1, 0);
/// # }
/// use chan_impls::call;
/// use res_api::Backend;
///
/// let system = backend_local::Local::new()?;
/// let memory = system.mem(call::bytes::<Pages>(10_000).unwrap())?;
/// let (caller, _callee) = call::pair_in::<_, Pages>(&system, memory, 10_000)?;
/// assert_eq!(caller.payload(), 3 * 4096);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// `NoMemory` where it is too small; `NoSlots`. The memory comes back, unless somebody else knows it
/// already.
pub fn pair_in<B: Backend, I: Interface + ?Sized>(
    b: &B,
    memory: B::Mem,
    payload: u64,
) -> Result<Pair<B, I>, Refused<Option<B::Mem>, B::Error>> {
    let (caller, callee) = end::bundle_in::<B, I>(b, memory, payload)?;
    let failed = |error: CastError<B::Cap>| Refused::new(None, error.reason.kind());
    Ok((Caller::attach(caller).map_err(failed)?, Callee::attach(callee).map_err(failed)?))
}

/// What a slot holds: the calling end of a connection for the interface `I`.
///
/// ```
/// use chan_impls::{Answers, Calls};
/// use res_api::Slot;
/// # struct Clock;
///
/// const CLOCK: Slot<Calls<Clock>> = Slot::new("clock");
/// const CLIENT: Slot<Answers<Clock>> = Slot::new("client");
/// ```
pub struct Calls<I: ?Sized>(PhantomData<fn(&I)>);

/// What a slot holds: the answering end of a connection for the interface `I`.
pub struct Answers<I: ?Sized>(PhantomData<fn(&I)>);

macro_rules! call_endowment {
    ($what:ident, $end:ident) => {
        impl<I: ?Sized> fmt::Debug for $what<I> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($what))
            }
        }

        impl<B: Backend, I: Interface + ?Sized> Endowment<B> for $what<I> {
            type Handle = $end<B, I>;

            fn accepts(desc: &Desc) -> Result<(), CastReason> {
                <$end<B, I> as FromCap<B::Cap>>::accepts(desc)
            }

            fn from_cap(cap: B::Cap) -> Result<Self::Handle, CastError<B::Cap>> {
                cap.cast()
            }

            fn into_cap(_: &B, given: Self::Handle) -> Result<B::Cap, B::Error> {
                Ok(given.into_cap())
            }
        }
    };
}

call_endowment!(Calls, Caller);
call_endowment!(Answers, Callee);

/// What [`#[interface]`](macro@crate::interface) writes with.
#[doc(hidden)]
pub mod generated {
    pub use super::arguments::{NO_METHODS, method, payload};
    pub use super::{Arguments, CallError, Caller, Dispatch, Interface, Request, Stub};
    pub use res_api::{Backend, Message, Name, Tag};
}
