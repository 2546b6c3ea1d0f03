//! Queues of capabilities that lie outside of this component, with whoever joins the components.
//!
//! What is in such a queue belongs to nobody. How many were pushed is written, by whoever has the
//! queue, into memory that both ends have mapped, and how many were popped by the receiver; an end
//! that is told there what turns out not to be so has a peer that misbehaves.
//!
//! Where whoever has the queue says that it may, a sender gives what it sends to the receiver
//! [directly](crate::direct). It does so only when all that went the other way has been received, so
//! what lies there is what is next: the order stays.

use core::fmt;
use core::sync::atomic::Ordering::Release;

use chan_impls::endpoint::{QueueRcv, QueueSnd};
use chan_impls::queue::{Fate, Half, Misbehaved, PopError, PopQueue, PushError, PushQueue};
use res_api::{
    AnyCap, Backend, BackendError as _, Barrier, CastError, CastReason, Desc, ErrorKind, FromCap,
    Gone, IntoCap, KindId, Map as _, Rights, Role, Side, Tag,
};
use res_kernel::Kernel;
use res_sync::model::Atomic as _;

use crate::blockpoint::Blockpoint;
use crate::cap::{Cap, EndObject, LocalPart};
use crate::direct::{self, Direct};
use crate::error::LocalError;
use crate::local::Local;
use crate::mem::{Map, PLACE, SharedMem};
use crate::outside::{Outside, Received};
use crate::parcel::Unpacker;
use crate::policy::Policy;
use crate::system::{Ref, SystemRef};

/// Where the number of capabilities that were pushed is, in the memory of a queue.
const PUSHED: u64 = 0;
/// Where the number of those that were popped is.
const POPPED: u64 = 64;
/// Where what goes directly lies.
const DIRECT: u64 = 128;

/// Bytes of memory for the words and the numbers of a queue, and for what goes directly.
pub const QUEUE_BYTES: u64 = QUEUE_DIRECT + direct::BYTES;

/// Where what goes directly lies, counted from the beginning of the object.
pub const QUEUE_DIRECT: u64 = crate::mem::HEADER as u64 + DIRECT;

/// The numbers, where they are counted from the beginning of the object.
pub const QUEUE_NUMBERS: [u64; 2] =
    [crate::mem::HEADER as u64 + PUSHED, crate::mem::HEADER as u64 + POPPED];

/// The words that are triggered when something was pushed, and when something was popped, counted
/// from the beginning of the object.
pub const QUEUE_WORDS: [u32; 2] = [0, PLACE as u32];

/// What its words agree on. There is a wake-up for nearly each capability, and the other barrier costs
/// who goes to sleep as much as that (H3).
pub const QUEUE_BARRIER: Barrier = Barrier::Fence;

/// What both ends have.
struct Distant<K: Kernel> {
    queue: u64,
    capacity: u32,
    /// It lies in what the numbers are a view of.
    direct: Direct<K::Model>,
    numbers: Map<K>,
    system: SystemRef<K>,
}

impl<K: Kernel> Distant<K> {
    fn number(&self, at: u64) -> u64 {
        // The map is longer than that, or it would not have been attached.
        self.numbers.load(at).unwrap_or(0)
    }

    fn len(&self) -> u32 {
        let queued = self.number(PUSHED).wrapping_sub(self.number(POPPED));
        queued.saturating_add(self.direct.len()).min(self.capacity.into()) as u32
    }
}

/// The pushing half.
pub struct DistantPush<K: Kernel> {
    to: Distant<K>,
    pushed: u64,
    /// How many went directly, with those of whoever had this end before.
    directly: u64,
    /// The last of them, which is not here any more: should nobody receive it, its other side is told.
    last: Option<Ref<EndObject<K>, K>>,
    /// It takes nothing any more: the receiver is gone.
    refused: bool,
    /// How often there was no room, one after the other, although the numbers said so.
    doubts: u32,
}

/// How often, one after the other, another sender may have been faster.
const DOUBTS: u32 = 1000;

/// The popping half.
pub struct DistantPop<K: Kernel> {
    from: Distant<K>,
    /// How many were popped, and how many of these came directly; with those of whoever had this end
    /// before.
    popped: u64,
    directly: u64,
    /// The receiving end: what is received is held by whoever holds it.
    end: Ref<EndObject<K>, K>,
}

macro_rules! half {
    ($half:ident, $distant:ident, $count:ident, $sole:expr) => {
        impl<K: Kernel> fmt::Debug for $half<K> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} of {})", stringify!($half), self.len(), self.capacity())
            }
        }

        impl<K: Kernel> Half for $half<K> {
            const SOLE: bool = $sole;

            fn capacity(&self) -> u32 {
                self.$distant.capacity
            }
            fn len(&self) -> u32 {
                self.$distant.len()
            }
            fn position(&self) -> u64 {
                self.$count
            }
            fn high_water(&self) -> u32 {
                0
            }
        }
    };
}

half!(DistantPush, to, pushed, false);
half!(DistantPop, from, popped, true);

impl<K: Kernel> DistantPush<K> {
    /// The number of the queue.
    pub fn queue(&self) -> u64 {
        self.to.queue
    }

    /// Writes it where the receiver finds it without whoever has the queue, if that can be.
    fn write_directly(&self, outside: &dyn Outside<K>, cap: &Cap<K>) -> bool {
        // All that went the other way has been received, and there is a place.
        let is_next = self.to.number(PUSHED) == self.to.number(POPPED);
        let direct = &self.to.direct;
        let popped = direct.popped();
        let has_place = self.directly.wrapping_sub(popped) < direct::PLACES;
        is_next
            && has_place
            && outside
                .send_directly(self.to.queue, cap, &mut |bytes| direct.write(self.directly, bytes))
    }

    /// The receiver is gone. What was pushed last may have come behind the look of whoever has the
    /// queue at what it had left.
    #[cold]
    #[inline(never)]
    fn lose_last(&self, gone: Gone) {
        if let (Some(last), Some(outside)) = (&self.last, self.to.system.outside()) {
            last.lose(outside, gone);
        }
    }
}

impl<K: Kernel> DistantPop<K> {
    /// Whether something has come without whoever has the queue.
    fn comes_directly(&self) -> bool {
        self.from.direct.pushed() != self.directly
    }

    /// What has come like that. (By itself: the bytes are on no stack where nothing comes.)
    #[inline(never)]
    fn pop_directly(&mut self, outside: &dyn Outside<K>) -> Result<Cap<K>, PopError> {
        let (bytes, unpacker) = (&mut [0; direct::MOST], Unpacker(&self.from.system));
        let bytes = self.from.direct.peek(self.directly, bytes);
        let received = outside.receive_directly(self.from.queue, bytes, &unpacker);
        let cap = received.map_err(not_received)?;
        self.from.direct.pop(self.directly);
        self.directly = self.directly.wrapping_add(1);
        self.popped += 1;
        cap.map_err(|error| not_received(error.kind()))
    }

    /// How many went by way of whoever has the queue.
    fn indirectly(&self) -> u64 {
        self.popped.wrapping_sub(self.directly)
    }

    /// What whoever has the queue has for this end.
    fn pop_indirectly(&mut self, outside: &dyn Outside<K>) -> Result<Cap<K>, PopError> {
        let unpacker = Unpacker(&self.from.system);
        let received = outside.receive(self.from.queue, &unpacker).map_err(not_received)?;
        // There is something, said the numbers, and only this end takes it out.
        let Received::One(cap) = received else { return Err(PopError::Misbehaved) };
        self.popped += 1;
        // The map is longer than that, and for writing, or it would not have been attached.
        if let Ok(popped) = self.from.numbers.word(POPPED) {
            // Release: partners the Acquire of a sender, and of whoever has the queue.
            popped.store(self.indirectly(), Release);
        }
        cap.map_err(|error| not_received(error.kind()))
    }
}

// SAFETY: nothing is ever retracted: what was pushed is received, or leaves with the receiver.
unsafe impl<K: Kernel> PushQueue for DistantPush<K> {
    type Item = Cap<K>;

    fn has_room(&mut self) -> Result<bool, Misbehaved> {
        Ok(!self.refused && self.to.len() < self.to.capacity)
    }

    fn try_push(&mut self, cap: Cap<K>) -> Result<(), (Cap<K>, PushError)> {
        if !cap.rights().contains(Rights::TRANSFER) {
            return Err((cap, PushError::Refused(ErrorKind::Denied)));
        }
        if !cap.is_of(&self.to.system) {
            return Err((cap, PushError::Refused(ErrorKind::Invalid)));
        }
        if self.has_room() != Ok(true) {
            return Err((cap, PushError::Full));
        }
        let Some(outside) = self.to.system.outside() else {
            return Err((cap, PushError::Refused(ErrorKind::Invalid)));
        };
        if self.write_directly(outside, &cap) {
            // Before anybody can have it, who may be here, too.
            cap.depart();
            self.to.direct.push(self.directly);
            self.last = cap.end_object();
            self.pushed += 1;
            self.directly = self.directly.wrapping_add(1);
            return Ok(());
        }
        match outside.send(self.to.queue, &cap) {
            Ok(true) => {
                cap.sent();
                self.pushed += 1;
                self.doubts = 0;
                Ok(())
            }
            // There was room, said the numbers; another sender may have taken it meanwhile. Then they
            // say so by now.
            Ok(false) if self.to.len() >= self.to.capacity => {
                self.doubts = 0;
                Err((cap, PushError::Full))
            }
            Ok(false) if self.doubts == DOUBTS => Err((cap, PushError::Misbehaved)),
            Ok(false) => {
                self.doubts += 1;
                Err((cap, PushError::Full))
            }
            // There is no receiver. The word says why, or will: that is waited for.
            Err(ErrorKind::Closed) => {
                self.refused = true;
                Err((cap, PushError::Full))
            }
            Err(kind) => Err((cap, PushError::Refused(kind))),
        }
    }

    fn retract(&mut self, _: u32, gone: Gone) -> Fate {
        // Either it was received, or it left with the receiver, or it will be.
        self.refused = true;
        let left = self.directly.wrapping_sub(self.to.direct.popped());
        if matches!(gone, Gone::Closed | Gone::PeerGone) && (1..=direct::PLACES).contains(&left) {
            self.lose_last(gone);
        }
        Fate::TakenBack(0)
    }
}

/// Whether that is for want of something here, or of what nobody should have sent.
const fn not_received(kind: ErrorKind) -> PopError {
    match kind {
        ErrorKind::NoMemory => PopError::NoMemory,
        ErrorKind::NoSlots => PopError::NoSlots,
        _ => PopError::Misbehaved,
    }
}

impl<K: Kernel> PopQueue for DistantPop<K> {
    type Item = Cap<K>;

    fn has_item(&mut self) -> Result<bool, Misbehaved> {
        Ok(self.comes_directly() || self.from.number(PUSHED) != self.indirectly())
    }

    fn try_pop(&mut self) -> Result<Option<Cap<K>>, PopError> {
        if !self.has_item()? {
            return Ok(None);
        }
        // The numbers were read behind a look at what comes directly, which was before them if it was
        // there: so it is looked at once more.
        let system = self.from.system.clone();
        let outside = system.outside().ok_or(Misbehaved)?;
        let cap = match self.comes_directly() {
            true => self.pop_directly(outside)?,
            false => self.pop_indirectly(outside)?,
        };
        cap.list_beside(&self.end);
        Ok(Some(cap))
    }
}

/// The sending end of a queue that lies outside.
pub type DistantSnd<B, K> = QueueSnd<B, DistantPush<K>>;
/// The receiving end of a queue that lies outside.
pub type DistantRcv<B, K> = QueueRcv<B, DistantPop<K>>;

fn accepts(desc: &Desc, role: Role) -> Result<(), CastReason> {
    desc.expect(role, KindId::NONE, Tag::NONE)
}

/// What both ends have, what the end signals, what it waits on.
type Parts<K> = (Distant<K>, Blockpoint<K>, Blockpoint<K>);

/// `needs` is what the end has to allow.
fn parts<K: Kernel>(cap: &Cap<K>, needs: Rights) -> Result<Parts<K>, CastReason> {
    use res_api::SharedMem as _;
    if !cap.rights().contains(needs) {
        return Err(CastReason::Parts(ErrorKind::Denied));
    }
    let invalid = CastReason::Parts(ErrorKind::Invalid);
    let end = cap.end_object().ok_or(invalid)?;
    let queue = end.parts().find_map(|part| match part {
        LocalPart::Distant(queue) => Some(*queue),
        _ => None,
    });
    let numbers = end.parts().find_map(|part| match part {
        LocalPart::Mem(memory) => memory.map(Rights::READ | Rights::WRITE).ok(),
        _ => None,
    });
    let (queue, numbers) = (queue.ok_or(invalid)?, numbers.ok_or(invalid)?);
    let capacity = u32::try_from(cap.desc().capacity).map_err(|_| invalid)?;
    if numbers.len() < DIRECT + direct::BYTES {
        return Err(invalid);
    }
    // SAFETY: the map, which the end keeps, begins at a line and is that long.
    let direct = unsafe { Direct::new(numbers.base().add(DIRECT as usize)) };
    let points = (cap.blockpoint(0).ok_or(invalid)?, cap.blockpoint(1).ok_or(invalid)?);
    let system = end.system().clone();
    Ok((Distant { queue, capacity, direct, numbers, system }, points.0, points.1))
}

impl<B: Backend<Cap = Cap<K>>, K: Kernel> IntoCap<Cap<K>> for DistantSnd<B, K> {
    fn into_cap(self) -> Cap<K> {
        self.into_parts().1
    }
}

impl<B: Backend<Cap = Cap<K>>, K: Kernel> IntoCap<Cap<K>> for DistantRcv<B, K> {
    fn into_cap(self) -> Cap<K> {
        self.into_parts().1
    }
}

impl<B, K: Kernel> FromCap<Cap<K>> for DistantSnd<B, K>
where
    B: Backend<Cap = Cap<K>, Blockpoint = Blockpoint<K>>,
{
    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        accepts(desc, Role::CapSnd)
    }

    fn attach(cap: Cap<K>) -> Result<Self, CastError<Cap<K>>> {
        match parts(&cap, Rights::WRITE) {
            Ok((to, data, room)) => {
                let (pushed, directly) = (cap.state(), to.direct.pushed());
                let push =
                    DistantPush { to, pushed, directly, last: None, refused: false, doubts: 0 };
                Ok(Self::new(push, cap, data, room))
            }
            Err(reason) => Err(CastError::new(cap, reason)),
        }
    }
}

impl<B, K: Kernel> FromCap<Cap<K>> for DistantRcv<B, K>
where
    B: Backend<Cap = Cap<K>, Blockpoint = Blockpoint<K>>,
{
    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        accepts(desc, Role::CapRcv)
    }

    fn attach(cap: Cap<K>) -> Result<Self, CastError<Cap<K>>> {
        let end = cap.end_object();
        match (parts(&cap, Rights::READ), end) {
            (Ok((from, room, data)), Some(end)) => {
                let (popped, directly) = (cap.state(), from.direct.popped());
                Ok(Self::new(DistantPop { from, popped, directly, end }, cap, data, room))
            }
            (Err(reason), _) => Err(CastError::new(cap, reason)),
            (Ok(_), None) => Err(CastError::new(cap, CastReason::Parts(ErrorKind::Invalid))),
        }
    }
}

impl<P: Policy, K: Kernel> Local<P, K> {
    /// The two ends of a queue of capabilities that lies outside; `memory`, the object of that
    /// number, has come for its words and numbers.
    ///
    /// # Errors
    ///
    /// `NoMemory`.
    pub fn distant_pair<B>(
        &self,
        queue: u64,
        capacity: u32,
        object: u64,
        memory: K::Memory,
    ) -> Result<(DistantSnd<B, K>, DistantRcv<B, K>), LocalError>
    where
        B: Backend<Cap = Cap<K>, Blockpoint = Blockpoint<K>>,
    {
        let memory = self.system().object_or_new(object, memory, u64::MAX);
        let memory = memory.inspect_err(|_| self.system().forget_outside(object))?;
        let [data, room] =
            QUEUE_WORDS.map(|at| Blockpoint::of_word(&memory, at, QUEUE_BARRIER, false));
        let (data, room) = (data?, room?);
        let end = |role, signal: &Blockpoint<K>, wait: &Blockpoint<K>| {
            let memory = SharedMem::of(memory.clone(), Rights::READ | Rights::WRITE);
            let parts = [
                LocalPart::Distant(queue),
                LocalPart::Mem(memory),
                LocalPart::Point(signal.clone(), Some(Side::Signallers)),
                LocalPart::Point(wait.clone(), Some(Side::Waiters)),
            ];
            self.end(Desc::plain(role, capacity.into()), None, parts)
        };
        let (snd, rcv) = (end(Role::CapSnd, &data, &room)?, end(Role::CapRcv, &room, &data)?);
        let tx = DistantSnd::attach(snd).map_err(|error| error.reason.kind())?;
        let rx = DistantRcv::attach(rcv).map_err(|error| error.reason.kind())?;
        Ok((tx, rx))
    }
}
