//! A component from the inside.

use core::fmt;
use core::ops::Deref;

use crate::{
    Backend, CastError, CastReason, Desc, Endowment, ErrorKind, Name, Slot, TakeError, kind_of,
};

/// What a component gets when it begins: its authority (it derefs to the backend) and what it was
/// endowed with.
///
/// # Example
///
/// ```
/// use res_api::{Backend, Env, Fault, Slot, Value};
///
/// const ROUNDS: Slot<Value<u32>> = Slot::new("rounds");
///
/// fn run<B: Backend>(env: Env<B>) -> Result<(), Fault> {
///     for _ in 0..env.take(ROUNDS)? {
///         env.yield_now();
///     }
///     Ok(())
/// }
/// # use res_api::{Deadline, Name};
/// # let system = backend_local::Local::new()?;
/// # let component = system.component(const { Name::new("rounds") }, run)?;
/// # component.endow(ROUNDS, 3)?;
/// # component.start()?;
/// # component.wait(Deadline::NEVER)?.ok()?;
/// # Ok::<(), Fault>(())
/// ```
#[derive(Clone)]
pub struct Env<B: Backend>(B);

impl<B: Backend> Env<B> {
    /// For backends and wrappers: what the entry of a component is given.
    ///
    /// ```
    /// use res_api::{Backend, Env};
    ///
    /// let env = Env::new(backend_local::Local::new()?);
    /// let point = env.blockpoint()?; // a backend by itself
    /// # Ok::<(), res_api::Fault>(())
    /// ```
    pub fn new(backend: B) -> Self {
        Self(backend)
    }

    /// Takes what was endowed under that name. It can be taken once.
    ///
    /// # Errors
    ///
    /// If nothing of that name was endowed, if it was taken already, if it is of another type
    /// (then it stays), if there is no memory or slot for it (then it is lost, and its ends leave).
    pub fn take<D: Endowment<B>>(&self, slot: Slot<D>) -> Result<D::Handle, TakeError> {
        let name = slot.name();
        let desc = self.endowment(name).ok_or(TakeError::new(name, CastReason::NotThere))?;
        D::accepts(&desc).map_err(|reason| TakeError::new(name, reason))?;
        let cap = self.take_endowment(name).map_err(|error| {
            let reason = match kind_of(&error) {
                // Another thread was faster.
                ErrorKind::NotFound => CastReason::NotThere,
                kind => CastReason::Parts(kind),
            };
            TakeError::new(name, reason)
        })?;
        D::from_cap(cap).map_err(|CastError { reason, .. }| TakeError::new(name, reason))
    }

    /// Whether something of that name is there and not yet taken.
    pub fn has<D>(&self, slot: Slot<D>) -> bool {
        self.endowment(slot.name()).is_some()
    }

    /// What lies under that name.
    fn endowment(&self, name: Name) -> Option<Desc> {
        let mut found = None;
        self.0.endowments(&mut |at, desc| {
            if at == name {
                found = Some(desc);
            }
        });
        found
    }
}

impl<B: Backend> Deref for Env<B> {
    type Target = B;

    fn deref(&self) -> &B {
        &self.0
    }
}

impl<B: Backend> fmt::Debug for Env<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env")
    }
}
