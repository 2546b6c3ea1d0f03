//! Components, as their creator sees them.

use core::fmt;
use std::sync::Arc;

use backend_local::parcel::Parcel;
use backend_local::{Blockpoint, Cap, LocalError};
use res_api::{
    AnyCap, Deadline, ErrorKind, Exit, Gone, Name, Refused, Rights, Source, SourceKind, WaitError,
};
use res_kernel::{EntryCode, Isolation, KernelError};
use res_sync::Mutex;

use crate::limits::Limits;
use crate::link::Link;
use crate::outside::World;
use crate::request::{ComponentId, Destination, Request};

/// What is known here of a component that was made here.
pub(crate) struct Child<K: Isolation> {
    end: Blockpoint<K>,
    exit: Mutex<K, Option<Exit>>,
    stage: Mutex<K, Stage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Made,
    Started,
    Stopped,
}

impl<K: Isolation> Child<K> {
    pub(crate) fn new(kernel: &K, end: Blockpoint<K>) -> Result<Self, KernelError> {
        let barrier = kernel.barrier();
        Ok(Self {
            end,
            exit: Mutex::new(kernel.clone(), kernel.point()?, barrier, None),
            stage: Mutex::new(kernel.clone(), kernel.point()?, barrier, Stage::Made),
        })
    }

    /// The first exit counts.
    pub(crate) fn has_ended(&self, exit: Exit) {
        self.exit.lock().get_or_insert(exit);
        self.end.conclude(if exit == Exit::Died { Gone::PeerGone } else { Gone::Closed });
    }
}

/// A component of a system of isolated ones.
///
/// ```
/// use backend_sinv::Sinv;
/// use res_api::{Backend, Component, Deadline, Env, Exit, Name};
///
/// fn idle(_: Env<Sinv>) {}
///
/// let system = Sinv::new()?;
/// let component = system.new_component(const { Name::new("idle") }, idle)?;
/// component.start()?;
/// assert_eq!(component.wait(Deadline::NEVER)?, Exit::Success);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SinvComponent<K: Isolation> {
    id: ComponentId,
    name: Name,
    child: Arc<Child<K>>,
    world: Arc<World<K>>,
}

impl<K: Isolation> fmt::Debug for SinvComponent<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Component({} {})", self.id, self.name)
    }
}

impl<K: Isolation> SinvComponent<K> {
    /// One that begins at that entry.
    pub(crate) fn at(
        world: &Arc<World<K>>,
        name: Name,
        end: Blockpoint<K>,
        entry: EntryCode,
    ) -> Result<Self, LocalError> {
        Self::new(world, name, end, |link| {
            let id = link.number(Request::Component(name, entry.0))?;
            ComponentId::try_from(id).map_err(|_| ErrorKind::Misbehaved)
        })
    }

    /// One that `make` makes at the manager.
    pub(crate) fn new(
        world: &Arc<World<K>>,
        name: Name,
        end: Blockpoint<K>,
        make: impl FnOnce(&Link<K>) -> Result<ComponentId, ErrorKind>,
    ) -> Result<Self, LocalError> {
        let child = Arc::new(Child::new(&world.link.kernel, end)?);
        let id = make(&world.link)?;
        world.adopt(id, Arc::clone(&child));
        Ok(Self { id, name, child, world: Arc::clone(world) })
    }
}

impl<K: Isolation> SinvComponent<K> {
    /// As [`Sinv::limit`](crate::Sinv::limit).
    pub(crate) fn limit(&self, limits: Limits) -> Result<(), LocalError> {
        let manager = self.world.link.manager().ok_or(ErrorKind::Denied)?;
        Ok(manager.limit(self.id, limits)?)
    }
}

impl<K: Isolation> Drop for SinvComponent<K> {
    fn drop(&mut self) {
        if *self.child.stage.lock() == Stage::Made {
            self.world.disown(self.id);
            self.world.link.say(Request::Abandon(self.id));
        }
    }
}

impl<K: Isolation> res_api::Component<Cap<K>> for SinvComponent<K> {
    type Error = LocalError;

    fn name(&self) -> Name {
        self.name
    }

    fn endow(&self, name: Name, cap: Cap<K>) -> Result<(), Refused<Cap<K>, LocalError>> {
        if *self.child.stage.lock() != Stage::Made {
            return Err(Refused::new(cap, ErrorKind::Invalid));
        }
        export(&self.world, Destination::Endowment(self.id, name), cap)
    }

    fn start(&self) -> Result<(), LocalError> {
        let mut stage = self.child.stage.lock();
        if *stage != Stage::Made {
            return Err(ErrorKind::Invalid.into());
        }
        self.world.link.ask(Request::Start(self.id))?;
        *stage = Stage::Started;
        Ok(())
    }

    fn stop(&self) {
        let mut stage = self.child.stage.lock();
        let was = core::mem::replace(&mut *stage, Stage::Stopped);
        self.world.link.say(Request::Stop(self.id));
        drop(stage);
        if was == Stage::Made {
            // It never runs; it is over now, and nobody says so.
            self.world.disown(self.id);
            self.child.has_ended(Exit::Success);
        }
    }

    fn wait(&self, deadline: Deadline) -> Result<Exit, WaitError> {
        use res_api::Blockpoint as _;
        let exit = || *self.child.exit.lock();
        self.child.end.wait_until(deadline, exit)
    }
}

impl<K: Isolation> Source<Blockpoint<K>> for SinvComponent<K> {
    fn source_kind(&self) -> SourceKind {
        SourceKind::Component
    }

    fn blockpoint(&self) -> &Blockpoint<K> {
        &self.child.end
    }

    fn ready(&self) -> bool {
        self.child.exit.lock().is_some()
    }
}

/// Gives a capability away; it comes back if it may not go there.
pub(crate) fn export<K: Isolation>(
    world: &World<K>,
    to: Destination,
    cap: Cap<K>,
) -> Result<(), Refused<Cap<K>, LocalError>> {
    if !cap.rights().contains(Rights::TRANSFER) {
        return Err(Refused::new(cap, ErrorKind::Denied));
    }
    let asked = Parcel::of(&cap).and_then(|parcel| world.export(to, parcel));
    match asked {
        Ok(_) => {
            cap.sent();
            Ok(())
        }
        Err(kind) => Err(Refused::new(cap, kind)),
    }
}
