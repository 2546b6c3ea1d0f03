//! Services: servers that clients find by name.
//!
//! A server publishes the sending end of a channel of capabilities. A client looks it up, makes a
//! connection, out of its own memory, and sends the answering end over it. The server has a thread, a
//! *context*, for each client, from when it connects until it leaves; never more than so many.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::Ordering::{AcqRel, Acquire};
use core::time::Duration;

use res_api::{
    AnyCap, Backend, BackendError, Blockpoint, Deadline, ErrorKind, Gone, IntoCap, Map, Mem, Name,
    Receiver, RecvError, Rights, SendError, Sender, SharedMem, Thread, Wake,
};
use res_sync::model::Atomic;

use crate::call::{self, Callee, Caller, Interface};

/// Clients that have come and are not accepted yet, at most; more of them wait.
const COMING: u32 = 8;

/// How long a client waits before it looks again for a service that is not there yet, and a service
/// that has no memory for a client.
const NAP: Duration = Duration::from_millis(1);

/// A server of the interface `I`, as its component has it.
///
/// # Example
///
/// ```
/// use chan_impls::service::{Service, connect};
/// use chan_impls::interface;
/// use res_api::{Backend, Deadline, Env, Fault, Name};
///
/// const GREETER: Name = Name::new("greeter");
///
/// #[interface("greeter", version = 1)]
/// trait Greeter {
///     fn greet(&mut self, number: u64) -> [u8; 5];
/// }
///
/// struct Polite;
///
/// impl Greeter for Polite {
///     fn greet(&mut self, _: u64) -> [u8; 5] {
///         *b"hello"
///     }
/// }
///
/// fn server<B: Backend>(env: Env<B>) -> Result<(), Fault> {
///     let mut service = Service::<B, dyn Greeter>::publish(&env, GREETER, 4)?;
///     service.serve(|mut client| _ = client.serve_with(&mut Polite));
///     Ok(())
/// }
///
/// fn client<B: Backend>(env: Env<B>) -> Result<(), Fault> {
///     let mut greeter = GreeterClient::from(connect(&*env, GREETER, Deadline::NEVER)?);
///     assert_eq!(&greeter.greet(1)?, b"hello");
///     Ok(())
/// }
///
/// fn compose<B: Backend>(b: &B) -> Result<(), Fault> {
///     let server = b.component(const { Name::new("server") }, server::<B>)?;
///     let client = b.component(const { Name::new("client") }, client::<B>)?;
///     server.start()?;
///     client.start()?;
///     client.wait(Deadline::NEVER)?.ok()?;
///     server.stop();
///     server.wait(Deadline::NEVER)?.ok()
/// }
/// # compose(&backend_local::Local::new()?)?;
/// # Ok::<(), Fault>(())
/// ```
pub struct Service<B: Backend, I: ?Sized> {
    b: B,
    clients: B::CapRcv,
    contexts: Contexts<B>,
    refused: u64,
    of: PhantomData<fn(&I)>,
}

impl<B: Backend, I: ?Sized> fmt::Debug for Service<B, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({} of {} contexts)", self.contexts.running(), self.contexts.most)
    }
}

impl<B: Backend, I: Interface + ?Sized> Service<B, I> {
    /// A service that clients find under a name, with so many contexts at most. The name, and the
    /// service, end with this component.
    ///
    /// # Errors
    ///
    /// `Exists` if the name is taken; `NoSlots`, `NoMemory`.
    pub fn publish(b: &B, name: Name, contexts: u32) -> Result<Self, B::Error> {
        let (over, clients) = b.chanchan(COMING)?;
        let service = Self::over(b, clients, contexts)?;
        b.publish(name, over.into_cap()).map_err(|refused| refused.error)?;
        Ok(service)
    }

    /// A service whose clients come over a channel, with so many contexts at most.
    ///
    /// # Errors
    ///
    /// `NoSlots`, `NoMemory`.
    pub fn over(b: &B, clients: B::CapRcv, contexts: u32) -> Result<Self, B::Error> {
        let contexts = Contexts::new(b, contexts)?;
        Ok(Self { b: b.clone(), clients, contexts, refused: 0, of: PhantomData })
    }

    /// Runs `context` for each client, in a thread of its own, until no more clients will come (or
    /// this component is asked to stop) and none is left; says why. A client for whom there is no
    /// context finds its connection closed.
    pub fn serve<F>(&mut self, context: F) -> Gone
    where
        F: FnOnce(Callee<B, I>) + Clone + Send + 'static,
    {
        let gone = loop {
            match self.accept(Deadline::NEVER) {
                Ok(client) => self.begin(client, context.clone()),
                Err(RecvError::Gone(gone)) => break gone,
                // Who comes may still be there when there is memory, or a place, again.
                Err(RecvError::NoMemory | RecvError::NoSlots) => self.b.sleep(self.b.after(NAP)),
                Err(RecvError::TimedOut) => {}
            }
        };
        self.contexts.wait();
        gone
    }

    /// The next client. What comes over the channel and is not the answering end of a connection for
    /// this interface is dropped.
    ///
    /// # Errors
    ///
    /// [`RecvError`].
    pub fn accept(&mut self, deadline: Deadline) -> Result<Callee<B, I>, RecvError> {
        loop {
            match self.clients.recv_until(deadline)?.cast() {
                Ok(client) => return Ok(client),
                Err(_) => self.refused += 1,
            }
        }
    }

    fn begin(&mut self, client: Callee<B, I>, context: impl FnOnce(Callee<B, I>) + Send + 'static) {
        let Some(begun) = self.contexts.begin() else {
            self.refused += 1;
            return;
        };
        let thread = self.b.thread(move || {
            context(client);
            drop(begun);
        });
        // Without a thread the client has been dropped, with the body.
        if thread.and_then(|thread| thread.start()).is_err() {
            self.refused += 1;
        }
    }

    /// How many contexts there are now.
    pub fn contexts(&self) -> u32 {
        self.contexts.running()
    }

    /// How many clients were turned away: of another interface, or one too many.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

/// How many contexts there are: a word in memory of this component.
struct Contexts<B: Backend> {
    map: B::Map,
    changed: B::Blockpoint,
    most: u32,
}

impl<B: Backend> Contexts<B> {
    fn new(b: &B, most: u32) -> Result<Self, B::Error> {
        let map = b.mem(8)?.share().map(Rights::READ | Rights::WRITE)?;
        Ok(Self { map, changed: b.blockpoint()?, most })
    }

    fn running(&self) -> u32 {
        self.map.word(0).map_or(0, |word| word.load(Acquire) as u32)
    }

    /// One more, if there is room. Only one thread asks.
    fn begin(&self) -> Option<Begun<B>> {
        if self.running() >= self.most {
            return None;
        }
        self.map.word(0).ok()?.fetch_add(1, AcqRel);
        Some(Begun { map: self.map.clone(), changed: self.changed.clone() })
    }

    /// Until all have ended, or this component is asked to stop.
    fn wait(&self) {
        let none = || (self.running() == 0).then_some(());
        let _ = self.changed.wait_until(Deadline::NEVER, none);
    }
}

/// A context that has begun; dropped when it ends.
struct Begun<B: Backend> {
    map: B::Map,
    changed: B::Blockpoint,
}

impl<B: Backend> Drop for Begun<B> {
    fn drop(&mut self) {
        if let Ok(word) = self.map.word(0) {
            word.fetch_add(u64::MAX, AcqRel);
        }
        let _ = self.changed.trigger(Wake::All);
    }
}

/// A connection to the service of that name; waits until the deadline for the service to be there,
/// and for room among the clients that it has not accepted yet. Make a typed client of it:
/// `StoreClient::from(connect(&*env, STORE, deadline)?)`.
///
/// Whether the service accepts is known by the first call: one of another interface, or that has no
/// context left, has closed the connection.
///
/// # Errors
///
/// `NotFound` if there is no such name until the deadline, `TypeMismatch` for something else than a
/// service under it, `TimedOut`; `NoSlots`, `NoMemory`.
pub fn connect<B: Backend, I: Interface + ?Sized>(
    b: &B,
    name: Name,
    deadline: Deadline,
) -> Result<Caller<B, I>, B::Error> {
    let cap = loop {
        match b.lookup(name) {
            Err(error) if error.kind() == ErrorKind::NotFound && !deadline.passed(b.now()) => {
                b.sleep(b.after(NAP));
            }
            found => break found?,
        }
    };
    let mut over = cap.cast::<B::CapSnd>().map_err(|error| error.reason.kind())?;
    let (caller, callee) = call::pair::<B, I>(b)?;
    over.send_until(callee.into_cap(), deadline).map_err(|error| match error {
        SendError::TimedOut(_) => ErrorKind::TimedOut,
        SendError::Gone(_, gone) => gone.into(),
        SendError::Refused(_, kind) => kind,
    })?;
    Ok(caller)
}
