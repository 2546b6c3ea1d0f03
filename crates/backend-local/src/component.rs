//! Components in one address space: an entry, a name space, and what they hold.

use core::fmt;
use core::sync::atomic::Ordering::{AcqRel, Acquire};

use res_api::{
    AnyCap, Deadline, ErrorKind, Exit, Gone, Name, Refused, Rights, Side, Source, SourceKind,
    WaitError,
};
use res_kernel::Kernel;
use res_sync::Mutex;
use res_sync::model::Atomic;

use crate::blockpoint::{Blockpoint, Point};
use crate::cap::{Cap, EndObject, for_each_end};
use crate::error::LocalError;
use crate::list::List;
use crate::names::{Names, Node};
use crate::system::{Ref, SystemRef, U32};
use crate::thread::ThreadObject;

const MADE: u32 = 0;
const STARTED: u32 = 1;
const STOPPING: u32 = 2;
const ENDED: u32 = 3;

/// A component, alive or not.
pub(crate) struct ComponentObject<K: Kernel> {
    id: u32,
    name: Name,
    /// Runs the entry with the authority of this component.
    enter: fn(Ref<Self, K>) -> Exit,
    stage: U32<K>,
    pub(crate) endowments: Mutex<K, Names<K>>,
    /// The ends that it holds.
    pub(crate) ends: List<EndObject<K>>,
    /// The blockpoints that it made: those of its groups and timers too.
    pub(crate) points: List<Point<K>>,
    exit: Mutex<K, Exit>,
    /// Told when it ends.
    end: Blockpoint<K>,
}

impl<K: Kernel> ComponentObject<K> {
    pub(crate) fn create(
        system: &SystemRef<K>,
        name: Name,
        enter: fn(Ref<Self, K>) -> Exit,
    ) -> Result<Ref<Self, K>, LocalError> {
        let kernel = &system.kernel;
        let barrier = system.barrier;
        system.create(Self {
            id: system.next_id(),
            name,
            enter,
            stage: Atomic::new(MADE),
            endowments: Mutex::new(kernel.clone(), kernel.point()?, barrier, Names::new()),
            ends: List::new(),
            points: List::new(),
            exit: Mutex::new(kernel.clone(), kernel.point()?, barrier, Exit::Success),
            end: Blockpoint::of_an_end(system)?,
        })
    }

    /// Whether it may still make things: not once it was told to stop.
    pub(crate) fn admit(&self) -> Result<(), LocalError> {
        if self.stage.load(Acquire) < STOPPING { Ok(()) } else { Err(ErrorKind::Closed.into()) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Tells all that it waits on, and all that it sends to, that it is to end. One that was never
    /// started has ended with that.
    fn stop(this: &Ref<Self, K>) {
        let mut from = this.stage.load(Acquire);
        while from < STOPPING {
            // AcqRel: it makes nothing any more once this is seen.
            match this.stage.compare_exchange(from, STOPPING, AcqRel, Acquire) {
                Ok(MADE) => return this.finish(Exit::Success),
                Ok(_) => break,
                Err(found) => from = found,
            }
        }
        this.stop_holdings();
    }

    /// The same for one that runs without having been started here.
    pub(crate) fn stop_running(this: &Ref<Self, K>) {
        // A failure: it was told before, or has ended.
        let _ = this.stage.compare_exchange(MADE, STARTED, AcqRel, Acquire);
        Self::stop(this);
    }

    /// Tells whatever it holds that it is to end.
    pub(crate) fn stop_holdings(&self) {
        // Twice: a capability that was received meanwhile, over an end that had not been told yet,
        // is on the list by the second time.
        for _ in 0..2 {
            self.close_holdings(EndObject::stop);
        }
    }

    /// A panic in one of its threads is its death: all its ends leave at once.
    pub(crate) fn die(&self) {
        self.close_holdings(|end| {
            end.leave(Gone::PeerGone);
            end.stop();
        });
        self.finish(Exit::Died);
    }

    fn close_holdings(&self, each: impl Fn(&EndObject<K>)) {
        let system = self.end.0.system();
        for_each_end(system, &self.ends, |end| each(&end));
        // SAFETY: as in `for_each_end`: a point leaves the list before its memory goes.
        let upgrade = |point| unsafe { Ref::<Point<K>, K>::upgrade(point) };
        self.points.for_each(
            || system.lists(),
            upgrade,
            |point| point.tell(Side::Waiters, Gone::Closed),
        );
    }

    /// It has ended. The first exit counts.
    pub(crate) fn finish(&self, exit: Exit) {
        // AcqRel: whoever finds it ended sees what it did.
        if self.stage.swap(ENDED, AcqRel) == ENDED {
            return;
        }
        *self.exit.lock() = exit;
        self.forget();
        self.end.0.tell(Side::Waiters, gone_by(exit));
        if let Some(outside) = self.end.0.system().outside() {
            outside.ended(exit);
        }
    }

    /// Its names and what it was endowed with and did not take go with it.
    fn forget(&self) {
        let published = self.end.0.system().lists().remove(Some(self.id));
        drop(published);
        let untaken = self.endowments.lock().remove(None);
        drop(untaken);
    }

    /// Runs the entry, in the thread that is for it.
    pub(crate) fn enter(this: &Ref<Self, K>) -> Exit {
        let exit = (this.enter)(this.clone());
        // What is left, held by its other threads or leaked, is asked to end.
        this.stop_holdings();
        exit
    }

    fn start(this: &Ref<Self, K>) -> Result<(), LocalError> {
        // AcqRel: one of several that start it does it.
        if this.stage.compare_exchange(MADE, STARTED, AcqRel, Acquire).is_err() {
            return Err(ErrorKind::Invalid.into());
        }
        let started = ThreadObject::start_component(this);
        if started.is_err() && this.stage.compare_exchange(STARTED, MADE, AcqRel, Acquire).is_err()
        {
            // Stopped meanwhile: it never ran, and never will.
            this.finish(Exit::Success);
        }
        started
    }
}

/// What is told of an end.
pub(crate) fn gone_by(exit: Exit) -> Gone {
    if exit == Exit::Died { Gone::PeerGone } else { Gone::Closed }
}

impl<K: Kernel> Drop for ComponentObject<K> {
    fn drop(&mut self) {
        self.forget();
        let _lists = self.end.0.system().lists();
        // SAFETY: under the lock.
        unsafe {
            self.ends.clear();
            self.points.clear();
        }
    }
}

/// A component of a local system.
///
/// ```
/// use backend_local::Local;
/// use res_api::{Backend, Component, Deadline, Env, Exit, Name};
///
/// fn idle(_: Env<Local>) {}
///
/// let system = Local::new()?;
/// let component = system.new_component(const { Name::new("idle") }, idle)?;
/// component.start()?;
/// assert_eq!(component.wait(Deadline::NEVER)?, Exit::Success);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Component<K: Kernel>(pub(crate) Ref<ComponentObject<K>, K>);

impl<K: Kernel> fmt::Debug for Component<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({})", self.0.name)
    }
}

impl<K: Kernel> res_api::Component<Cap<K>> for Component<K> {
    type Error = LocalError;

    fn name(&self) -> Name {
        self.0.name
    }

    fn endow(&self, name: Name, cap: Cap<K>) -> Result<(), Refused<Cap<K>, LocalError>> {
        if self.0.stage.load(Acquire) != MADE {
            return Err(Refused::new(cap, ErrorKind::Invalid));
        }
        if !cap.rights().contains(Rights::TRANSFER) {
            return Err(Refused::new(cap, ErrorKind::Denied));
        }
        if !cap.is_of(self.0.system()) {
            return Err(Refused::new(cap, ErrorKind::Invalid));
        }
        let node = match Node::create(self.0.system(), name, self.0.id) {
            Ok(node) => node,
            Err(error) => return Err(Refused { value: cap, error }),
        };
        let end = cap.end_object();
        self.0.endowments.lock().insert(node, cap)?;
        // Until it is taken, and nobody takes it before the start, it is held by nobody.
        if let Some(end) = end {
            end.unlist();
        }
        Ok(())
    }

    fn start(&self) -> Result<(), LocalError> {
        ComponentObject::start(&self.0)
    }

    fn stop(&self) {
        ComponentObject::stop(&self.0);
    }

    fn wait(&self, deadline: Deadline) -> Result<Exit, WaitError> {
        use res_api::Blockpoint as _;
        self.0.end.wait_until(deadline, || self.ready().then_some(()))?;
        Ok(*self.0.exit.lock())
    }
}

impl<K: Kernel> Source<Blockpoint<K>> for Component<K> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Component
    }

    fn blockpoint(&self) -> &Blockpoint<K> {
        &self.0.end
    }

    fn ready(&self) -> bool {
        self.0.end.0.event().told(Side::Waiters).is_some()
    }
}
