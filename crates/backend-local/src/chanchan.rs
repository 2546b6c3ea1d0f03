//! Channels of capabilities: a bounded queue under a lock (the control plane), with the same
//! blocking ends as every other channel.
//!
//! A capability in the queue belongs to nobody (its old holder cannot use it, stopping its old
//! holder does not touch it). When the receiver leaves, what is queued leaves with it, so an end
//! in transit that is never received closes its channel.

use core::alloc::Layout;
use core::ptr::NonNull;

use chan_impls::endpoint::{QueueRcv, QueueSnd};
use chan_impls::queue::{Fate, Half, Misbehaved, PopQueue, PushError, PushQueue};
use res_api::{
    AnyCap, Backend, CastError, CastReason, Desc, ErrorKind, FromCap, Gone, IntoCap, KindId,
    Rights, Role, Tag,
};
use res_kernel::Kernel;
use res_sync::Mutex;

use crate::blockpoint::Blockpoint;
use crate::cap::{Cap, EndObject};
use crate::error::LocalError;
use crate::local::Local;
use crate::policy::Policy;
use crate::system::{Ref, SystemRef};

/// A queue of capabilities, shared by its two ends.
pub(crate) struct CapQueue<K: Kernel>(Ref<Mutex<K, Queue<K>>, K>);

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
        cap.unlist();
        *self.slot(self.len) = Some(cap);
        self.len += 1;
        self.high_water = self.high_water.max(self.len);
        Ok(())
    }

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
        while self.pop().is_some() {}
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
        let lock = Mutex::new(system.kernel.clone(), point, system.barrier, queue);
        Ok(Self(system.create(lock)?))
    }

    /// An end of that role leaves.
    pub(crate) fn leave(&self, role: Role, why: Gone) {
        if role != Role::CapRcv {
            return;
        }
        self.0.lock().closed = true;
        // Not under the lock: they leave too, and tell others.
        while let Some(cap) = self.pop() {
            cap.leave_in_transit(why);
        }
    }

    fn pop(&self) -> Option<Cap<K>> {
        self.0.lock().pop()
    }

    fn is(&self, other: &Self) -> bool {
        self.0.same(&other.0)
    }
}

/// The pushing half.
pub struct CapPush<K: Kernel> {
    queue: CapQueue<K>,
    pushed: u64,
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
                self.queue.0.lock().capacity
            }
            fn len(&self) -> u32 {
                self.queue.0.lock().len
            }
            fn position(&self) -> u64 {
                self.$count
            }
            fn high_water(&self) -> u32 {
                self.queue.0.lock().high_water
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
        let queue = self.queue.0.lock();
        Ok(!queue.closed && queue.len < queue.capacity)
    }

    fn try_push(&mut self, cap: Cap<K>) -> Result<(), (Cap<K>, PushError)> {
        if !cap.rights().contains(Rights::TRANSFER) {
            return Err((cap, PushError::Refused(ErrorKind::Denied)));
        }
        // An end cannot travel over its own channel (H10): nobody could receive it.
        if cap.queue().is_some_and(|queue| queue.is(&self.queue)) {
            return Err((cap, PushError::Refused(ErrorKind::Invalid)));
        }
        let pushed = self.queue.0.lock().push(cap);
        match pushed {
            Ok(()) => {
                self.pushed += 1;
                Ok(())
            }
            Err(cap) => Err((cap, PushError::Full)),
        }
    }

    fn retract(&mut self, _: u32, _: Gone) -> Fate {
        // Either it was received, or it left with the receiver.
        Fate::TakenBack(0)
    }
}

impl<K: Kernel> PopQueue for CapPop<K> {
    type Item = Cap<K>;

    fn has_item(&mut self) -> Result<bool, Misbehaved> {
        Ok(self.queue.0.lock().len != 0)
    }

    fn try_pop(&mut self) -> Result<Option<Cap<K>>, Misbehaved> {
        let cap = self.queue.pop();
        if let Some(cap) = &cap {
            self.popped += 1;
            cap.list_beside(&self.end);
        }
        Ok(cap)
    }
}

/// The sending end of a channel of capabilities.
pub type CapSnd<P, K> = QueueSnd<Local<P, K>, CapPush<K>>;
/// The receiving end of a channel of capabilities.
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
                Ok(Self::new(CapPush { queue, pushed }, cap, data, room))
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
