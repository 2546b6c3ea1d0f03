//! Components, from the inside (their entry) and from the outside (a handle).

use core::fmt;

use crate::{
    Backend, BackendError, Deadline, Endowment, Env, ErrorKind, Exit, Name, Refused, Slot, Source,
    SourceKind, WaitError,
};

/// Where a component begins: a plain function `fn(Env<B>) -> Result<(), Fault>` (or `-> ()`).
///
/// It is the function's type that counts, not a pointer: it has no size, so that a backend that
/// wraps another can wrap the entry too, and another process of the same program can find it.
/// A closure will do if it captures nothing; what a component needs comes as endowments.
///
/// # Example
///
/// ```
/// use res_api::{Backend, Env, Fault, Name};
///
/// fn worker<B: Backend>(env: Env<B>) -> Result<(), Fault> {
///     let _ = env.now();
///     Ok(())
/// }
///
/// fn compose<B: Backend>(b: &B) -> Result<(), Fault> {
///     b.component(const { Name::new("worker") }, worker)?.start()?;
///     Ok(())
/// }
/// # compose(&backend_local::Local::new()?)?;
/// # Ok::<(), Fault>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the entry of a component on `{B}`",
    label = "not an entry",
    note = "an entry is a function `fn name<B: Backend>(env: Env<B>) -> Result<(), Fault>` that captures nothing; give it what it needs as endowments"
)]
pub trait Entry<B: Backend>: Copy + Send + 'static {
    /// Runs the component to its end.
    fn run(self, backend: B) -> Exit;
}

impl<B, F, R> Entry<B> for F
where
    B: Backend,
    F: Fn(Env<B>) -> R + Copy + Send + 'static,
    R: Into<Exit>,
{
    fn run(self, backend: B) -> Exit {
        const {
            assert!(
                size_of::<F>() == 0,
                "the entry of a component captures variables: give it what it needs as endowments"
            );
        }
        self(Env::new(backend)).into()
    }
}

/// A component as its creator sees it, over capabilities `C`. Backends implement this; users hold
/// a [`Comp`].
///
/// # Example
///
/// ```
/// use res_api::{AnyCap, Component};
///
/// fn name<C: AnyCap>(component: &impl Component<C>) -> String {
///     component.name().to_string()
/// }
/// # use res_api::{Backend, Env, Name};
/// # fn idle(_: Env<backend_local::Local>) {}
/// # let system = backend_local::Local::new()?;
/// # let component = system.component(const { Name::new("idle") }, idle)?;
/// # assert_eq!(name(component.as_inner()), "idle");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Component<C> {
    /// The backend's error.
    type Error: BackendError;

    /// Its name.
    fn name(&self) -> Name;

    /// Gives it a capability under a name; only before it is started.
    ///
    /// # Errors
    ///
    /// `Exists` if the name is taken, `Invalid` after the start, `Denied` if the capability may
    /// not be handed on. The capability comes back.
    fn endow(&self, name: Name, cap: C) -> Result<(), Refused<C, Self::Error>>;

    /// Lets it run.
    ///
    /// # Errors
    ///
    /// `Invalid` if it was started before; `NoSlots`, `NoMemory`.
    fn start(&self) -> Result<(), Self::Error>;

    /// Asks it to end: whatever it waits on answers [`Gone::Closed`](crate::Gone::Closed), now and
    /// later. Does not wait.
    fn stop(&self);

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`].
    fn wait(&self, deadline: Deadline) -> Result<Exit, WaitError>;
}

/// A component that was made: endow it, start it, wait for it.
///
/// Dropped before the start, it never runs, and what it was endowed with closes. Dropped later, it
/// runs on by itself. As a source in a group it reports its end.
///
/// # Example
///
/// ```
/// use res_api::{Backend, Deadline, Env, Fault, Kind, Name, Receiver, Rx, Sender, Slot};
///
/// const LINES: Name = Name::new("lines");
///
/// fn counter<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
///     let mut lines = env.take(Slot::<Rx<K, u64>>::named(LINES))?;
///     while lines.recv().is_ok() {}
///     Ok(())
/// }
///
/// fn compose<B: Backend, K: Kind<B>>(b: &B) -> Result<(), Fault> {
///     let (mut tx, rx) = b.chan::<K, u64>(8)?;
///     let counter = b.component(const { Name::new("counter") }, counter::<B, K>)?;
///     counter.endow(Slot::<Rx<K, u64>>::named(LINES), rx)?;
///     counter.start()?;
///     tx.send(1)?;
///     drop(tx);
///     counter.wait(Deadline::NEVER)?.ok()
/// }
/// # compose::<_, chan_impls::Spsc>(&backend_local::Local::new()?)?;
/// # Ok::<(), Fault>(())
/// ```
pub struct Comp<B: Backend> {
    backend: B,
    component: B::Component,
}

impl<B: Backend> fmt::Debug for Comp<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Comp").field(&self.name()).finish()
    }
}

impl<B: Backend> Comp<B> {
    /// For backends and wrappers; users call [`Backend::component`].
    pub fn new(backend: B, component: B::Component) -> Self {
        Self { backend, component }
    }

    /// The backend's own handle.
    pub fn as_inner(&self) -> &B::Component {
        &self.component
    }

    /// Its name.
    pub fn name(&self) -> Name {
        self.component.name()
    }

    /// Gives it something under a typed name. The wrong end does not compile.
    ///
    /// # Errors
    ///
    /// `Exists` if the name is taken, `Invalid` after the start, `Denied` if it may not be handed
    /// on. What was given comes back as a capability.
    #[track_caller]
    pub fn endow<D: Endowment<B>>(
        &self,
        slot: Slot<D>,
        given: D::Handle,
    ) -> Result<(), EndowError<B>> {
        let cap = D::into_cap(&self.backend, given).map_err(|error| EndowError {
            name: slot.name(),
            cap: None,
            error,
        })?;
        self.component.endow(slot.name(), cap).map_err(|refused| EndowError {
            name: slot.name(),
            cap: Some(refused.value),
            error: refused.error,
        })
    }

    /// Lets it run.
    ///
    /// # Errors
    ///
    /// `Invalid` if it was started before; `NoSlots`, `NoMemory`.
    pub fn start(&self) -> Result<(), B::Error> {
        self.component.start()
    }

    /// Asks it to end: whatever it waits on answers [`Gone::Closed`](crate::Gone::Closed). Does
    /// not wait.
    pub fn stop(&self) {
        self.component.stop();
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// [`WaitError::TimedOut`].
    pub fn wait(&self, deadline: Deadline) -> Result<Exit, WaitError> {
        self.component.wait(deadline)
    }
}

impl<B: Backend> Source<B::Blockpoint> for Comp<B> {
    fn source_kind(&self) -> SourceKind {
        self.component.source_kind()
    }

    fn blockpoint(&self) -> &B::Blockpoint {
        self.component.blockpoint()
    }

    fn ready(&self) -> bool {
        self.component.ready()
    }
}

/// An endowment that was not given.
pub struct EndowError<B: Backend> {
    /// Under which name.
    pub name: Name,
    /// What was to be given, where it had become a capability.
    pub cap: Option<B::Cap>,
    /// Why not.
    pub error: B::Error,
}

impl<B: Backend> fmt::Debug for EndowError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EndowError({}, {:?})", self.name, self.error)
    }
}

impl<B: Backend> fmt::Display for EndowError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "endowment \"{}\": {}", self.name, self.error)
    }
}

impl<B: Backend> core::error::Error for EndowError<B> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl<B: Backend> From<EndowError<B>> for ErrorKind {
    fn from(error: EndowError<B>) -> Self {
        error.error.kind()
    }
}
