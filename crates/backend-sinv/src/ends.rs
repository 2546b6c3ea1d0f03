//! Who is on which side of a word, and who has the ends of a queue: the rules by which a manager knows
//! who leaves last.

use backend_local::outside::HEADER;
use backend_local::parcel::{AnyParcel, Piece};
use res_api::{Role, Side};

/// A component of a system, as the manager knows it.
pub(crate) type ComponentId = u32;

/// Nobody: what it has is on its way.
pub(crate) const TRANSIT: ComponentId = ComponentId::MAX;

/// Components, each as often as it holds an end.
pub(crate) trait Holders {
    /// Whether that one holds any.
    fn has(&self, who: ComponentId) -> bool;

    /// How many ends are held.
    fn len(&self) -> usize;

    /// One end more.
    fn add(&mut self, who: ComponentId);

    /// One end less; false if it held none.
    fn remove(&mut self, who: ComponentId) -> bool;

    /// It holds none any more; false if it held none.
    fn remove_all(&mut self, who: ComponentId) -> bool;

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The ends of a word of which one has travelled.
#[derive(Default)]
pub(crate) struct Ends<H> {
    waiters: H,
    signallers: H,
}

/// What a component says of an end that it gives away.
#[derive(Clone, Copy)]
pub(crate) struct Parting {
    pub(crate) side: Side,
    /// It keeps others of that side.
    pub(crate) kept: bool,
    /// It has one of the other side.
    pub(crate) peer_here: bool,
}

impl<H: Holders> Ends<H> {
    pub(crate) fn side(&self, side: Side) -> &H {
        match side {
            Side::Waiters => &self.waiters,
            Side::Signallers => &self.signallers,
        }
    }

    fn side_mut(&mut self, side: Side) -> &mut H {
        match side {
            Side::Waiters => &mut self.waiters,
            Side::Signallers => &mut self.signallers,
        }
    }

    /// Takes `who` off a side, once; true if that leaves nobody there.
    pub(crate) fn take_off(&mut self, side: Side, who: ComponentId) -> bool {
        self.side_mut(side).remove(who) && self.side(side).is_empty()
    }

    pub(crate) fn put_on(&mut self, side: Side, who: ComponentId) {
        self.side_mut(side).add(who);
    }

    /// Both sides are where the word was made.
    pub(crate) fn begin(&mut self, maker: ComponentId) {
        self.put_on(Side::Waiters, maker);
        self.put_on(Side::Signallers, maker);
    }

    /// The first end of it goes on its way.
    pub(crate) fn depart_first(&mut self, giver: ComponentId, parting: Parting) {
        self.put_on(parting.side, giver);
        if parting.peer_here {
            self.put_on(parting.side.other(), giver);
        }
        self.set_out(giver, parting);
    }

    /// Another end goes on its way.
    pub(crate) fn depart(&mut self, giver: ComponentId, parting: Parting) {
        if !parting.peer_here {
            // The end of the other side left there, and has told this one by itself.
            self.side_mut(parting.side.other()).remove_all(giver);
        }
        self.set_out(giver, parting);
    }

    fn set_out(&mut self, giver: ComponentId, Parting { side, kept, .. }: Parting) {
        if !kept {
            self.take_off(side, giver);
        }
        self.put_on(side, TRANSIT);
    }

    /// An end that was `from`'s is `to`'s.
    pub(crate) fn change_hands(&mut self, side: Side, from: ComponentId, to: ComponentId) {
        self.take_off(side, from);
        self.put_on(side, to);
    }

    /// The last end of that side that it had has left. True where it was the last of all: the other
    /// side has to be told, or is told again, which changes nothing.
    pub(crate) fn leave(&mut self, side: Side, who: ComponentId) -> bool {
        self.side_mut(side).remove_all(who) && self.side(side).is_empty()
    }

    /// Whether there are others of a side besides one.
    pub(crate) fn is_shared(&self, side: Side) -> bool {
        self.side(side).len() > 1
    }
}

/// Whether a component that has the word's memory may give away an end of that side, or just look at
/// the word. Of a word of which no end has travelled, all ends are where the memory was made.
pub(crate) fn may_give<H: Holders>(
    ends: Option<&Ends<H>>,
    side: Option<Side>,
    who: ComponentId,
    is_maker: bool,
) -> bool {
    match (ends, side) {
        (_, None) => true,
        (Some(ends), Some(side)) => ends.side(side).has(who),
        (None, Some(_)) => is_maker,
    }
}

/// Whether a word may lie there: in the places at the beginning of every object.
pub(crate) const fn is_place(offset: u32) -> bool {
    offset.is_multiple_of(16) && (offset as usize) < HEADER
}

/// Calls `each` with every queue that the capability receives from.
pub(crate) fn each_receiving(parcel: &impl AnyParcel, each: &mut dyn FnMut(u64)) {
    parcel.each(&mut |desc, piece| match piece {
        Piece::Queue(queue) if desc.role == Role::CapRcv => each(*queue),
        _ => {}
    });
}

/// Whether the capability itself is an end of that queue.
pub(crate) fn is_end_of(parcel: &impl AnyParcel, queue: u64) -> bool {
    let is_end = matches!(parcel.head().desc.role, Role::CapSnd | Role::CapRcv);
    is_end && parcel.pieces().any(|piece| piece == Piece::Queue(queue))
}

/// Whether `queue` is `other`, or its receiving end is in the queue of that, and so on; `home` says in
/// which queue that of a queue is. Nobody could ever receive what is in a circle, so there is none (H10).
pub(crate) fn is_within<Q: Copy + PartialEq>(
    queue: Q,
    other: Q,
    home: impl Fn(Q) -> Option<Q>,
) -> bool {
    core::iter::successors(Some(queue), |at| home(*at)).any(|at| at == other)
}

/// The ends of a queue of capabilities; one that is on its way is [`TRANSIT`]'s.
#[derive(Default)]
pub(crate) struct QueueEnds<H> {
    pub(crate) senders: H,
    /// None: nobody will ever receive anything.
    pub(crate) receiver: Option<ComponentId>,
}

impl<H: Holders> QueueEnds<H> {
    pub(crate) fn has(&self, role: Role, holder: ComponentId) -> bool {
        match role {
            Role::CapSnd => self.senders.has(holder),
            Role::CapRcv => self.receiver == Some(holder),
            _ => false,
        }
    }

    /// An end leaves `holder`.
    pub(crate) fn take_off(&mut self, role: Role, holder: ComponentId) {
        match role {
            Role::CapSnd => {
                self.senders.remove(holder);
            }
            Role::CapRcv => self.receiver = self.receiver.filter(|receiver| *receiver != holder),
            _ => {}
        }
    }

    /// An end comes to `holder`.
    pub(crate) fn put_on(&mut self, role: Role, holder: ComponentId) {
        match role {
            Role::CapSnd => self.senders.add(holder),
            Role::CapRcv => self.receiver = Some(holder),
            _ => {}
        }
    }

    /// There are no ends any more.
    pub(crate) fn is_over(&self) -> bool {
        self.senders.is_empty() && self.receiver.is_none()
    }
}
