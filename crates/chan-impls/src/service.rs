//! Services: servers that clients find by name.
//!
//! A server publishes the sending end of a channel of capabilities. A client looks it up, makes a
//! connection, out of its own memory, and sends the answering end over it. The server has a thread, a
//! *context*, for each client, from when it connects until it leaves; never more than so many, and of
//! one component half of them, so that none can take all from the others.

use core::fmt;
use core::marker::PhantomData;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

use res_api::{
    AnyCap, Backend, BackendError, Blockpoint, Deadline, ErrorKind, Gone, IntoCap, Map, Mem, Name,
    Receiver, RecvError, Rights, SendError, Sender, SharedMem, Thread, Wake,
};
use res_sync::model::Atomic;

use crate::call::{self, Callee, Caller, Interface};

/// Clients that have come and are not accepted yet, at most; more of them wait.
const COMING: u32 = 8;

/// Bytes of a word.
const WORD: u64 = 8;

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
    /// A service that clients find under a name, with so many contexts at most, and half of them for the
    /// clients of one component (see [`set_quota`](Self::set_quota)). The name, and the service, end with
    /// this component.
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

    /// A service whose clients come over a channel, with so many contexts at most, as for
    /// [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// `NoSlots`, `NoMemory`.
    pub fn over(b: &B, clients: B::CapRcv, contexts: u32) -> Result<Self, B::Error> {
        let contexts = Contexts::new(b, contexts)?;
        Ok(Self { b: b.clone(), clients, contexts, refused: 0, of: PhantomData })
    }

    /// From now on the clients of one component get so many contexts at most, and find their connections
    /// closed beyond that. Which component a client is in is what the system says
    /// ([`AnyCap::sent_by`]); where it says nothing, all contexts are for all. Half of them at first,
    /// rounded up.
    pub fn set_quota(&mut self, contexts: u32) {
        self.contexts.quota = contexts;
    }

    /// Runs `context` for each client, in a thread of its own, until no more clients will come (or
    /// this component is asked to stop) and none is left; says why. A client for whom there is no
    /// context finds its connection closed.
    pub fn serve<F>(&mut self, context: F) -> Gone
    where
        F: FnOnce(Callee<B, I>) + Clone + Send + 'static,
    {
        let gone = loop {
            match self.clients.recv_until(Deadline::NEVER) {
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

    fn begin(&mut self, client: B::Cap, context: impl FnOnce(Callee<B, I>) + Send + 'static) {
        let begun = self.contexts.begin(client.sent_by());
        let (Some(begun), Ok(client)) = (begun, client.cast()) else {
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

/// Whose the contexts are: a word for each in memory of this component, 0 where it is nobody's, else
/// one more than the number of the client's component.
struct Contexts<B: Backend> {
    map: B::Map,
    changed: B::Blockpoint,
    most: u32,
    /// As many a component has at most, where it is known which one it is.
    quota: u32,
}

impl<B: Backend> Contexts<B> {
    fn new(b: &B, most: u32) -> Result<Self, B::Error> {
        let bytes = u64::from(most.max(1)) * WORD;
        let map = b.mem(bytes)?.share().map(Rights::READ | Rights::WRITE)?;
        Ok(Self { map, changed: b.blockpoint()?, most, quota: most.div_ceil(2) })
    }

    /// What all of them are.
    fn all(&self) -> impl Iterator<Item = u64> {
        // Acquire: partners the Release of a context that ends.
        let word = |at: u32| self.map.word(u64::from(at) * WORD).map_or(0, |it| it.load(Acquire));
        (0..self.most).map(word)
    }

    fn running(&self) -> u32 {
        self.all().filter(|context| *context != 0).count() as u32
    }

    /// One more for that component, if there is room. Only one thread asks.
    fn begin(&self, sender: u32) -> Option<Begun<B>> {
        let (mut free, mut has) = (None, 0);
        for (at, context) in (0_u32..).zip(self.all()) {
            if context == 0 {
                free = free.or(Some(u64::from(at) * WORD));
            }
            has += u32::from(context == u64::from(sender) + 1);
        }
        if sender != 0 && has >= self.quota {
            return None;
        }
        let at = free?;
        // Relaxed: nobody but this thread reads it.
        self.map.word(at).ok()?.store(u64::from(sender) + 1, Relaxed);
        Some(Begun { map: self.map.clone(), changed: self.changed.clone(), at })
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
    at: u64,
}

impl<B: Backend> Drop for Begun<B> {
    fn drop(&mut self) {
        if let Ok(word) = self.map.word(self.at) {
            // Release: partners the Acquire of who counts them, behind which all that the context did
            // is done.
            word.store(0, Release);
        }
        let _ = self.changed.trigger(Wake::All);
    }
}

/// A connection to the service of that name; waits until the deadline for the service to be there,
/// and for room among the clients that it has not accepted yet. Make a typed client of it:
/// `StoreClient::from(connect(&*env, STORE, deadline)?)`.
///
/// Whether the service accepts is known by the first call: one of another interface, or that has no
/// context left (for this component), has closed the connection.
///
/// # Errors
///
/// `NotFound` if there is no such name until the deadline, `TypeMismatch` for something else than a
/// service under it, `Denied` for a name that this component may not look up, `TimedOut`; `NoSlots`,
/// `NoMemory`.
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
