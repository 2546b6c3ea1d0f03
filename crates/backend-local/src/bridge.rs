//! A channel between two systems that share memory, two places to sleep at, and nothing else: no
//! manager, no names. Each makes its own end.

use core::fmt;

use chan_impls::queue::InMemory;
use chan_impls::{Spsc, SpscPop, SpscPush};
use res_api::{Barrier, ChanAttr, Desc, ErrorKind, FromCap, Kind, Message, Rights, Role, Side};
use res_kernel::{Access, Kernel, KernelMemory};
use res_sync::model::Atomic;

use crate::blockpoint::{Blockpoint, Point};
use crate::cap::{Cap, LocalPart};
use crate::error::LocalError;
use crate::local::Local;
use crate::mem::{HEADER, MemObject, PLACE, SharedMem};
use crate::policy::Policy;
use crate::system::{Ref, U64};

/// Where a channel between two systems lies, as one of them has it.
///
/// An end that is made of it is one like any other, in all but three respects: an event group cannot
/// watch it (`Invalid`), since the other system knows of no group here; nobody tells that the other
/// system has *died*; and it is not given to other systems.
///
/// # Example
///
/// ```
/// use backend_local::{Bridge, Local};
/// use res_api::{Receiver, Sender};
/// use res_kernel::{Access, Isolation, Kernel, KernelError, KernelMemory, Linux};
///
/// fn point(machine: &Linux) -> Result<<Linux as res_sync::Park>::Point, KernelError> {
///     let point = machine.point()?;
///     machine.between(&point);
///     Ok(point)
/// }
///
/// let (machine, capacity) = (Linux::new(), 4);
/// let bytes = Bridge::<Linux>::bytes::<u64>(capacity).unwrap();
/// let memory = machine.memory(bytes)?;
/// let there = memory.alias(Access::ReadWrite)?;
/// // SAFETY: nobody else knows the memory yet.
/// let here = unsafe { Bridge::new::<u64>(&machine, memory, [point(&machine)?, point(&machine)?]) };
/// let there = Bridge::found(there, [point(&machine)?, point(&machine)?]);
///
/// let (one, two) = (Local::new()?, Local::new()?);
/// let mut tx = one.snd_over::<u64>(here, capacity)?;
/// let mut rx = two.rcv_over::<u64>(there, capacity)?;
/// tx.send(42)?;
/// assert_eq!(rx.recv()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Bridge<K: Kernel> {
    memory: K::Memory,
    /// Where the receiver sleeps, and where the sender; for words that several systems have.
    points: [K::Point; 2],
}

impl<K: Kernel> fmt::Debug for Bridge<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bridge({} bytes)", self.memory.len())
    }
}

impl<K: Kernel> Bridge<K> {
    /// How much memory a channel of that capacity takes; none for one that there cannot be.
    pub fn bytes<T: Message>(capacity: u32) -> Option<u64> {
        SpscPush::<K::Model, T>::bytes(capacity)?.checked_add(HEADER as u64)
    }

    /// Prepares the memory. Where it is too small, an end will not be made of it. The points are
    /// where the receiver sleeps, and where the sender, in this system: places for words that
    /// several have mapped.
    ///
    /// # Safety
    ///
    /// Nobody else uses the memory yet.
    pub unsafe fn new<T: Message>(kernel: &K, memory: K::Memory, points: [K::Point; 2]) -> Self {
        if memory.len() >= Self::bytes::<T>(1).unwrap_or(u64::MAX) {
            for (place, point) in points.iter().enumerate() {
                let word = Atomic::new(kernel.first_word(point));
                // SAFETY: the beginning of a page, as long as was just looked, that is nobody
                // else's.
                unsafe { memory.base().add(place * PLACE).cast::<U64<K>>().write(word) };
            }
            // SAFETY: as above; what is written does not depend on the capacity.
            unsafe { SpscPush::<K::Model, T>::init(memory.base().add(HEADER), 1) };
        }
        Self { memory, points }
    }

    /// What the other system has prepared. It can have written anything there, and a channel over
    /// it bears that.
    pub const fn found(memory: K::Memory, points: [K::Point; 2]) -> Self {
        Self { memory, points }
    }
}

impl<P: Policy, K: Kernel> Local<P, K> {
    /// The sending end of a channel that lies there; the other system has the receiving one.
    ///
    /// # Errors
    ///
    /// `Invalid` for a capacity that the memory is too small for, memory that is for reading only,
    /// and a system that is one component of several; `NoMemory`; `Closed` in a component that was
    /// told to stop.
    pub fn snd_over<T: Message>(
        &self,
        bridge: Bridge<K>,
        capacity: u32,
    ) -> Result<<Spsc as Kind<Self>>::Snd<T>, LocalError> {
        let cap = self.end_over::<T, SpscPush<K::Model, T>>(bridge, capacity, Role::Snd)?;
        FromCap::attach(cap).map_err(|error| error.reason.kind().into())
    }

    /// The receiving end.
    ///
    /// # Errors
    ///
    /// As [`snd_over`](Self::snd_over).
    pub fn rcv_over<T: Message>(
        &self,
        bridge: Bridge<K>,
        capacity: u32,
    ) -> Result<<Spsc as Kind<Self>>::Rcv<T>, LocalError> {
        let cap = self.end_over::<T, SpscPop<K::Model, T>>(bridge, capacity, Role::Rcv)?;
        FromCap::attach(cap).map_err(|error| error.reason.kind().into())
    }

    fn end_over<T: Message, Q: InMemory>(
        &self,
        Bridge { memory, points: [data, room] }: Bridge<K>,
        capacity: u32,
        role: Role,
    ) -> Result<Cap<K>, LocalError> {
        let system = self.system();
        let bytes = Bridge::<K>::bytes::<T>(capacity).ok_or(ErrorKind::Invalid)?;
        let writable = memory.access() == Access::ReadWrite;
        if memory.len() < bytes || !writable || system.outside().is_some() {
            return Err(ErrorKind::Invalid.into());
        }
        let memory = system.create(MemObject::of_object(system, 0, memory, u64::MAX, false)?)?;
        let data = over(&memory, 0, data)?;
        let room = over(&memory, PLACE as u32, room)?;
        let (signal, wait) = if role == Role::Snd { (data, room) } else { (room, data) };
        let desc = Desc {
            kind: Q::KIND,
            msg: T::TAG,
            trust: Q::TRUST,
            notify: ChanAttr::default().notify,
            ..Desc::plain(role, capacity.into())
        };
        let parts = [
            LocalPart::Mem(SharedMem::of(memory, Rights::all())),
            LocalPart::Point(signal, Some(Side::Signallers)),
            LocalPart::Point(wait, Some(Side::Waiters)),
        ];
        self.end(desc, None, parts)
    }
}

/// The point of a word in memory that another system has, too. Who has not agreed on anything
/// fences (H3).
fn over<K: Kernel>(
    memory: &Ref<MemObject<K>, K>,
    offset: u32,
    place: K::Point,
) -> Result<Blockpoint<K>, LocalError> {
    let point = Point::at(memory.system(), Barrier::Fence, place)?;
    point.lie(memory, offset)?;
    Ok(Blockpoint(memory.system().create(point)?))
}
