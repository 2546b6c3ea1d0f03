//! Channels of capabilities: a bounded queue under a lock (the control plane), with the same
//! blocking ends as every other channel.
//!
//! A capability in the queue belongs to nobody (its old holder cannot use it, stopping its old
//! holder does not touch it). When the receiver leaves, what is queued leaves with it, so an end
//! in transit that is never received closes its channel.
//!
//! Receiving ends may be in the queues of one another, but not in a circle: nobody could ever
//! receive them, and they would keep each other alive. So each queue knows which one its receiving
//! end is in. That changes under the system's lock, which is taken before a queue's own.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::{self, NonNull};

use chan_impls::endpoint::{QueueRcv, QueueSnd};
use chan_impls::queue::{Fate, Half, Misbehaved, PopError, PopQueue, PushError, PushQueue};
use res_api::{
    AnyCap, Backend, CastError, CastReason, Desc, ErrorKind, FromCap, Gone, IntoCap, KindId,
    Rights, Role, Tag,
};
use res_kernel::Kernel;
use res_sync::{Mutex, MutexGuard};

use crate::blockpoint::Blockpoint;
use crate::cap::{Cap, EndObject};
use crate::error::LocalError;
use crate::local::Local;
use crate::policy::Policy;
use crate::system::{Ref, SystemRef};

/// A queue of capabilities, shared by its two ends.
pub(crate) struct CapQueue<K: Kernel>(Ref<QueueObject<K>, K>);

struct QueueObject<K: Kernel> {
    queue: Mutex<K, Queue<K>>,
    /// The queue that the receiving end is in. Touched under the system's lock only.
    home: Cell<*const Self>,
}

// SAFETY: the system's lock orders all use of the address; the rest is behind a lock of its own.
unsafe impl<K: Kernel> Send for QueueObject<K> {}
// SAFETY: as for `Send`.
unsafe impl<K: Kernel> Sync for QueueObject<K> {}

impl<K: Kernel> Clone for CapQueue<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Queue<K: Kernel> {
    slots: NonNull<Option<Cap<K>>>,
    capacity: u32,
    head: u32,
    len: u32,
    high_water: u32,
    /// The receiver has left: nothing goes in any more.
    closed: bool,
    system: SystemRef<K>,
}

// SAFETY: the slots are the queue's own memory; capabilities are `Send`.
unsafe impl<K: Kernel> Send for Queue<K> {}

impl<K: Kernel> Queue<K> {
    fn new(system: &SystemRef<K>, capacity: u32) -> Result<Self, LocalError> {
        let layout = layout::<K>(capacity).ok_or(ErrorKind::Invalid)?;
        let slots = system.alloc(layout).ok_or(ErrorKind::NoMemory)?.cast::<Option<Cap<K>>>();
        for index in 0..capacity as usize {
            // SAFETY: within the memory, which nobody else has.
            unsafe { slots.add(index).write(None) };
        }
        let system = system.clone();
        Ok(Self { slots, capacity, head: 0, len: 0, high_water: 0, closed: false, system })
    }

    fn slot(&mut self, offset: u32) -> &mut Option<Cap<K>> {
        let index = (u64::from(self.head) + u64::from(offset)) % u64::from(self.capacity);
        // SAFETY: below the capacity, and borrowed with the queue.
        unsafe { self.slots.add(index as usize).as_mut() }
    }

    fn push(&mut self, cap: Cap<K>) -> Result<(), Cap<K>> {
        if self.closed || self.len == self.capacity {
            return Err(cap);
        }
        *self.slot(self.len) = Some(cap);
        self.len += 1;
        self.high_water = self.high_water.max(self.len);
        Ok(())
    }

    /// Takes out what is next. The caller sees to it that it is not at home here any more.
    fn pop(&mut self) -> Option<Cap<K>> {
        if self.len == 0 {
            return None;
        }
        let cap = self.slot(0).take();
        self.head = if self.head + 1 == self.capacity { 0 } else { self.head + 1 };
        self.len -= 1;
        cap
    }
}

impl<K: Kernel> Drop for Queue<K> {
    fn drop(&mut self) {
        while let Some(cap) = self.pop() {
            let lists = self.system.lists();
            cap.each_receiving(&mut |inner| inner.0.home.set(ptr::null()));
            drop(lists);
        }
        if let Some(layout) = layout::<K>(self.capacity) {
            // SAFETY: it came from `alloc` with that layout; the slots are empty.
            unsafe { self.system.free(self.slots.cast(), layout) };
        }
    }
}

/// Memory for the slots; none for capacity 0 or one that overflows.
fn layout<K: Kernel>(capacity: u32) -> Option<Layout> {
    let layout = Layout::array::<Option<Cap<K>>>(capacity as usize).ok()?;
    (capacity != 0).then_some(layout)
}

impl<K: Kernel> CapQueue<K> {
    pub(crate) fn new(system: &SystemRef<K>, capacity: u32) -> Result<Self, LocalError> {
        let queue = Queue::new(system, capacity)?;
        let point = system.kernel.point()?;
        let queue = Mutex::new(system.kernel.clone(), point, system.barrier, queue);
        Ok(Self(system.create(QueueObject { queue, home: Cell::new(ptr::null()) })?))
    }

    fn lock(&self) -> MutexGuard<'_, K, Queue<K>> {
        self.0.queue.lock()
    }

    fn push(&self, cap: Cap<K>) -> Result<(), (Cap<K>, PushError)> {
        let lists = self.0.system().lists();
        let mut travels = true;
        cap.each_receiving(&mut |inner| travels &= !self.is_within(inner));
        if !travels {
            return Err((cap, PushError::Refused(ErrorKind::Invalid)));
        }
        let end = cap.end_object();
        let mut queue = self.lock();
        queue.push(cap).map_err(|cap| (cap, PushError::Full))?;
        if let Some(end) = end {
            end.unlist_under(&lists);
            end.each_receiving(&mut |inner| inner.0.home.set(self.0.as_ptr()));
        }
        Ok(())
    }

    /// Whether it is `other`, or its receiving end is in the queue of that, or in the queue of an
    /// end that is in the queue of that, and so on. Called under the system's lock.
    fn is_within(&self, other: &Self) -> bool {
        let mut at = self.0.as_ptr();
        while !at.is_null() {
            if at == other.0.as_ptr() {
                return true;
            }
            // SAFETY: under the lock; a queue lives as long as it is somebody's home.
            at = unsafe { (*at).home.get() };
        }
        false
    }

    fn pop(&self) -> Option<Cap<K>> {
        // Who polls does not disturb the whole system.
        if self.lock().len == 0 {
            return None;
        }
        let _lists = self.0.system().lists();
        let cap = self.lock().pop()?;
        cap.each_receiving(&mut |inner| inner.0.home.set(ptr::null()));
        Some(cap)
    }

    /// An end of that role leaves.
    pub(crate) fn leave(&self, role: Role, why: Gone) {
        if role != Role::CapRcv {
            return;
        }
        // What is queued leaves too, and what is queued there: first what is innermost, so that it
        // takes no stack however deep that goes.
        let mut at = self.clone();
        loop {
            at.lock().closed = true;
            if let Some(inner) = at.next_to_drain() {
                at = inner;
            } else if let Some(cap) = at.pop() {
                // Not under a lock: it tells others.
                cap.leave_in_transit(why);
            } else if at.is(self) {
                return;
            } else {
                at = at.home().unwrap_or_else(|| self.clone());
            }
        }
    }

    /// A queue that something is in, whose receiving end is what is next in this one.
    fn next_to_drain(&self) -> Option<Self> {
        let _lists = self.0.system().lists();
        let mut queue = self.lock();
        if queue.len == 0 {
            return None;
        }
        let mut found = None;
        queue.slot(0).as_ref()?.each_receiving(&mut |inner| {
            if found.is_none() && inner.lock().len != 0 {
                found = Some(inner.clone());
            }
        });
        found
    }

    /// The queue that the receiving end is in; none if somebody has received it meanwhile.
    fn home(&self) -> Option<Self> {
        let _lists = self.0.system().lists();
        let home = self.0.home.get();
        // SAFETY: under the lock; a queue lives as long as it is somebody's home.
        let home = (!home.is_null()).then(|| unsafe { Ref::upgrade(home) });
        home.flatten().map(Self)
    }

    fn is(&self, other: &Self) -> bool {
        self.0.same(&other.0)
    }
}

/// The pushing half.
pub struct CapPush<K: Kernel> {
    queue: CapQueue<K>,
    pushed: u64,
    /// It takes nothing any more: it was told that the receiver is gone.
    refused: bool,
}

/// The popping half.
pub struct CapPop<K: Kernel> {
    queue: CapQueue<K>,
    popped: u64,
    /// The receiving end: what is received is held by whoever holds it.
    end: Ref<EndObject<K>, K>,
}

macro_rules! half {
    ($half:ident, $count:ident) => {
        impl<K: Kernel> core::fmt::Debug for $half<K> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{}({} of {})", stringify!($half), self.len(), self.capacity())
            }
        }

        impl<K: Kernel> Half for $half<K> {
            fn capacity(&self) -> u32 {
                self.queue.lock().capacity
            }
            fn len(&self) -> u32 {
                self.queue.lock().len
            }
            fn position(&self) -> u64 {
                self.$count
            }
            fn high_water(&self) -> u32 {
                self.queue.lock().high_water
            }
        }
    };
}

half!(CapPush, pushed);
half!(CapPop, popped);

// SAFETY: nothing is ever retracted: what was pushed is received, or leaves with the receiver.
unsafe impl<K: Kernel> PushQueue for CapPush<K> {
    type Item = Cap<K>;

    fn has_room(&mut self) -> Result<bool, Misbehaved> {
        let queue = self.queue.lock();
        Ok(!self.refused && !queue.closed && queue.len < queue.capacity)
    }

    fn try_push(&mut self, cap: Cap<K>) -> Result<(), (Cap<K>, PushError)> {
        if !cap.rights().contains(Rights::TRANSFER) {
            return Err((cap, PushError::Refused(ErrorKind::Denied)));
        }
        // An end cannot travel over its own channel (H10): nobody could receive it. Nor into
        // another system.
        let own = cap.queue().is_some_and(|queue| queue.is(&self.queue));
        if own || !cap.is_of(self.queue.0.system()) {
            return Err((cap, PushError::Refused(ErrorKind::Invalid)));
        }
        if self.refused {
            return Err((cap, PushError::Full));
        }
        self.queue.push(cap)?;
        self.pushed += 1;
        Ok(())
    }

    fn retract(&mut self, _: u32, _: Gone) -> Fate {
        // Either it was received, or it left with the receiver, or it will be.
        self.refused = true;
        Fate::TakenBack(0)
    }
}

impl<K: Kernel> PopQueue for CapPop<K> {
    type Item = Cap<K>;

    fn has_item(&mut self) -> Result<bool, Misbehaved> {
        Ok(self.queue.lock().len != 0)
    }

    fn try_pop(&mut self) -> Result<Option<Cap<K>>, PopError> {
        let cap = self.queue.pop();
        if let Some(cap) = &cap {
            self.popped += 1;
            cap.list_beside(&self.end);
        }
        Ok(cap)
    }
}

/// The sending end of a channel of capabilities.
///
/// ```
/// use backend_local::Local;
/// use chan_impls::Spsc;
/// use res_api::{Backend, IntoCap, Receiver, Rx, Sender};
///
/// let system = Local::new()?;
/// let (mut over, mut other) = system.chanchan(4)?;
/// let (mut tx, rx) = system.chan::<Spsc, u64>(1)?;
/// over.send(rx.into_cap())?;
/// tx.send(42)?;
/// let mut rx = system.cast::<Rx<Spsc, u64>>(other.recv()?)?;
/// assert_eq!(rx.recv()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub type CapSnd<P, K> = QueueSnd<Local<P, K>, CapPush<K>>;
/// The receiving end of a channel of capabilities.
///
/// See [`CapSnd`] for an example.
pub type CapRcv<P, K> = QueueRcv<Local<P, K>, CapPop<K>>;

fn accepts(desc: &Desc, role: Role) -> Result<(), CastReason> {
    desc.expect(role, KindId::NONE, Tag::NONE)
}

/// Queue, what it signals, what it waits on.
type Parts<K> = (CapQueue<K>, Blockpoint<K>, Blockpoint<K>);

fn parts<K: Kernel>(cap: &Cap<K>, needs: Rights) -> Result<Parts<K>, CastReason> {
    if !cap.rights().contains(needs) {
        return Err(CastReason::Parts(ErrorKind::Denied));
    }
    let queue = cap.queue();
    match (queue, cap.blockpoint(0), cap.blockpoint(1)) {
        (Some(queue), Some(signal), Some(wait)) => Ok((queue, signal, wait)),
        _ => Err(CastReason::Parts(ErrorKind::Invalid)),
    }
}

impl<P: Policy, K: Kernel> IntoCap<Cap<K>> for CapSnd<P, K> {
    fn into_cap(self) -> Cap<K> {
        self.into_parts().1
    }
}

impl<P: Policy, K: Kernel> IntoCap<Cap<K>> for CapRcv<P, K> {
    fn into_cap(self) -> Cap<K> {
        self.into_parts().1
    }
}

impl<P: Policy, K: Kernel> FromCap<Cap<K>> for CapSnd<P, K>
where
    Local<P, K>: Backend<Cap = Cap<K>, Blockpoint = Blockpoint<K>>,
{
    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        accepts(desc, Role::CapSnd)
    }

    fn attach(cap: Cap<K>) -> Result<Self, CastError<Cap<K>>> {
        match parts(&cap, Rights::WRITE) {
            Ok((queue, data, room)) => {
                let pushed = cap.state();
                Ok(Self::new(CapPush { queue, pushed, refused: false }, cap, data, room))
            }
            Err(reason) => Err(CastError::new(cap, reason)),
        }
    }
}

impl<P: Policy, K: Kernel> FromCap<Cap<K>> for CapRcv<P, K>
where
    Local<P, K>: Backend<Cap = Cap<K>, Blockpoint = Blockpoint<K>>,
{
    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        accepts(desc, Role::CapRcv)
    }

    fn attach(cap: Cap<K>) -> Result<Self, CastError<Cap<K>>> {
        let end = cap.end_object();
        match (parts(&cap, Rights::READ), end) {
            (Ok((queue, room, data)), Some(end)) => {
                let popped = cap.state();
                Ok(Self::new(CapPop { queue, popped, end }, cap, data, room))
            }
            (Err(reason), _) => Err(CastError::new(cap, reason)),
            (Ok(_), None) => Err(CastError::new(cap, CastReason::Parts(ErrorKind::Invalid))),
        }
    }
}
