//! Threads of a system.

use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire};

use res_api::{
    Deadline, ErrorKind, Exit, Mem as _, Refused, Side, Source, SourceKind, ThreadId, ThreadParam,
    WaitError,
};
use res_kernel::{Kernel, KernelThread, ThreadEntry};
use res_sync::Mutex;
use res_sync::model::Atomic;

use crate::blockpoint::Blockpoint;
use crate::component::{ComponentObject, gone_by};
use crate::error::LocalError;
use crate::mem::Mem;
use crate::pool::Lease;
use crate::system::{Ref, U32};

const MADE: u32 = 0;
const STARTED: u32 = 1;
const ENDED: u32 = 2;

/// What a thread handle refers to.
pub(crate) struct ThreadObject<K: Kernel> {
    stage: U32<K>,
    state: Mutex<K, State<K>>,
    /// Told when the thread ends.
    end: Blockpoint<K>,
    component: Ref<ComponentObject<K>, K>,
}

struct State<K: Kernel> {
    body: Option<Body<K>>,
    supply: Supply<K>,
    exit: Exit,
}

/// Where the thread of the machine comes from.
enum Supply<K: Kernel> {
    None,
    Own(K::Thread),
    Leased(Lease<K>),
    /// Given back; the thread had that id.
    Returned(u32),
}

/// What a thread does.
enum Body<K: Kernel> {
    /// Is the component, whose end is that of this thread.
    Component,
    Closure(Closure<K>),
}

/// A closure in memory, and the two functions that know its type.
struct Closure<K: Kernel> {
    memory: Mem<K>,
    run: unsafe fn(NonNull<u8>),
    drop: unsafe fn(NonNull<u8>),
}

impl<K: Kernel> Closure<K> {
    /// Moves `body` into the memory.
    fn new<F: FnOnce() + Send + 'static>(mut memory: Mem<K>, body: F) -> Result<Self, (Mem<K>, F)> {
        let place = memory.bytes_mut();
        let start = NonNull::from(&mut *place).cast::<F>();
        if place.len() < size_of::<F>() || !start.is_aligned() {
            return Err((memory, body));
        }
        // SAFETY: large enough and aligned, and private.
        unsafe { start.write(body) };
        Ok(Self { memory, run: run::<F>, drop: drop_body::<F> })
    }

    fn start(&mut self) -> NonNull<u8> {
        NonNull::from(self.memory.bytes_mut()).cast()
    }

    /// Runs it, and forgets that it was there.
    fn run(mut self) {
        let (start, run) = (self.start(), self.run);
        self.drop = no_body;
        // SAFETY: `new` wrote a body of that type, which is moved out here, once.
        unsafe { run(start) };
    }
}

impl<K: Kernel> Drop for Closure<K> {
    fn drop(&mut self) {
        // SAFETY: the body is there, or the function does nothing (see `run`).
        unsafe { (self.drop)(self.start()) };
    }
}

unsafe fn run<F: FnOnce()>(body: NonNull<u8>) {
    // SAFETY: a body of that type is there, and is moved out.
    unsafe { body.cast::<F>().read()() };
}

unsafe fn drop_body<F>(body: NonNull<u8>) {
    // SAFETY: a body of that type is there, and nobody uses it any more.
    unsafe { body.cast::<F>().drop_in_place() };
}

unsafe fn no_body(_: NonNull<u8>) {}

impl<K: Kernel> ThreadObject<K> {
    fn new(component: &Ref<ComponentObject<K>, K>) -> Result<Self, LocalError> {
        let system = component.system();
        let state = State { body: None, supply: Supply::None, exit: Exit::Success };
        let point = system.kernel.point()?;
        Ok(Self {
            stage: Atomic::new(MADE),
            state: Mutex::new(system.kernel.clone(), point, system.barrier, state),
            end: Blockpoint::of_an_end(system)?,
            component: component.clone(),
        })
    }

    /// One with a thread of the machine, and nothing to do yet.
    fn create(component: &Ref<ComponentObject<K>, K>) -> Result<Ref<Self, K>, LocalError> {
        let thread = component.system().create(Self::new(component)?)?;
        Self::supply(&thread)?;
        Ok(thread)
    }

    /// Starts the thread that is the component.
    pub(crate) fn start_component(
        component: &Ref<ComponentObject<K>, K>,
    ) -> Result<(), LocalError> {
        let thread = Self::create(component)?;
        thread.state.lock().body = Some(Body::Component);
        Self::start(&thread)
    }

    /// Finds a thread of the machine.
    fn supply(this: &Ref<Self, K>) -> Result<(), LocalError> {
        let system = this.system();
        let supply = if system.pool.is_pooled() {
            Supply::Leased(system.pool.lease().ok_or(ErrorKind::NoSlots)?)
        } else {
            let entry = ThreadEntry { run: enter::<K>, data: this.as_raw() };
            // SAFETY: `start` counts a reference for the thread before it runs.
            Supply::Own(unsafe { system.kernel.thread(entry)? })
        };
        this.state.lock().supply = supply;
        Ok(())
    }

    /// Runs the body, in the thread that is for it.
    pub(crate) fn run(this: Ref<Self, K>) {
        let mut body = this.state.lock().body.take();
        let is_component = matches!(body, Some(Body::Component));
        let mut exit = Exit::Success;
        let panicked = this.system().kernel.guard(&mut || match body.take() {
            Some(Body::Component) => exit = ComponentObject::enter(&this.component),
            Some(Body::Closure(closure)) => closure.run(),
            None => {}
        });
        // What the body owned is gone by now. The worker goes back before anybody is told of the
        // end, who may need one then.
        this.give_back();
        if panicked.is_err() {
            exit = Exit::Died;
            this.component.die();
        } else if is_component {
            this.component.finish(exit);
        }
        this.state.lock().exit = exit;
        // AcqRel: who finds it ended sees what the body did.
        this.stage.swap(ENDED, AcqRel);
        this.end.0.tell(Side::Waiters, gone_by(exit));
    }

    /// Gives a leased thread back to the pool.
    fn give_back(&self) {
        let mut state = self.state.lock();
        if let Supply::Leased(lease) = &state.supply {
            let returned = Supply::Returned(lease.id());
            let leased = core::mem::replace(&mut state.supply, returned);
            drop(state);
            if let Supply::Leased(lease) = leased {
                lease.give_back(&self.component.system().pool);
            }
        }
    }

    fn start(this: &Ref<Self, K>) -> Result<(), LocalError> {
        // AcqRel: one of several that start it does it.
        if this.stage.compare_exchange(MADE, STARTED, AcqRel, Acquire).is_err() {
            return Err(ErrorKind::Invalid.into());
        }
        let state = this.state.lock();
        match &state.supply {
            Supply::Leased(lease) => {
                lease.run(this.clone());
                Ok(())
            }
            Supply::Own(thread) => {
                // For the thread, which takes it over.
                let raw = this.clone().into_raw();
                thread.start().map_err(|error| {
                    this.stage.swap(MADE, AcqRel);
                    // SAFETY: made above, and there is no thread that took it.
                    drop(unsafe { Ref::<Self, K>::from_raw(raw) });
                    error.into()
                })
            }
            Supply::None | Supply::Returned(_) => Err(ErrorKind::Invalid.into()),
        }
    }
}

impl<K: Kernel> Drop for ThreadObject<K> {
    fn drop(&mut self) {
        // If it was never started, the worker is free again.
        self.give_back();
    }
}

/// The thread of the machine that was made for one thread of ours.
///
/// # Safety
///
/// `data` is a counted reference to a thread that was started.
unsafe fn enter<K: Kernel>(data: *mut ()) {
    // SAFETY: `start` made it for us.
    ThreadObject::<K>::run(unsafe { Ref::from_raw(data) });
}

/// A thread of a local system.
///
/// ```
/// use backend_local::Local;
/// use res_api::{Backend, Deadline, Thread};
///
/// let system = Local::new()?;
/// let thread = system.thread(|| println!("hello"))?;
/// thread.start()?;
/// assert!(thread.join(Deadline::NEVER)?.is_success());
/// assert!(thread.start().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Thread<K: Kernel>(Ref<ThreadObject<K>, K>);

impl<K: Kernel> fmt::Debug for Thread<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thread({})", res_api::Thread::id(self).0)
    }
}

impl<K: Kernel> Thread<K> {
    pub(crate) fn new<F: FnOnce() + Send + 'static>(
        component: &Ref<ComponentObject<K>, K>,
        memory: Mem<K>,
        body: F,
    ) -> Result<Self, Refused<(Mem<K>, F), LocalError>> {
        let thread = match ThreadObject::create(component) {
            Ok(thread) => thread,
            Err(error) => return Err(Refused { value: (memory, body), error }),
        };
        match Closure::new(memory, body) {
            Ok(closure) => thread.state.lock().body = Some(Body::Closure(closure)),
            Err(back) => return Err(Refused::new(back, ErrorKind::NoMemory)),
        }
        Ok(Self(thread))
    }
}

impl<K: Kernel> res_api::Thread for Thread<K> {
    type Error = LocalError;

    fn id(&self) -> ThreadId {
        ThreadId(match &self.0.state.lock().supply {
            Supply::Own(thread) => thread.id(),
            Supply::Leased(lease) => lease.id(),
            Supply::Returned(id) => *id,
            Supply::None => 0,
        })
    }

    fn set(&self, param: ThreadParam) -> Result<(), LocalError> {
        match &self.0.state.lock().supply {
            Supply::Own(thread) => thread.set(param)?,
            Supply::Leased(lease) => lease.set(param)?,
            Supply::Returned(_) | Supply::None => return Err(ErrorKind::Stale.into()),
        }
        Ok(())
    }

    fn start(&self) -> Result<(), LocalError> {
        ThreadObject::start(&self.0)
    }

    fn join(&self, deadline: Deadline) -> Result<Exit, WaitError> {
        use res_api::Blockpoint as _;
        self.0.end.wait_until(deadline, || self.ready().then_some(()))?;
        Ok(self.0.state.lock().exit)
    }
}

impl<K: Kernel> Source<Blockpoint<K>> for Thread<K> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Thread
    }

    fn blockpoint(&self) -> &Blockpoint<K> {
        &self.0.end
    }

    fn ready(&self) -> bool {
        self.0.end.0.event().told(Side::Waiters).is_some()
    }
}
