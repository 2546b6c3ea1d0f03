//! Capabilities: a description, rights, and the parts of an end.

use core::cell::Cell;
use core::fmt;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};

use res_api::{AnyCap, Desc, ErrorKind, Gone, Part, Rights, Role, Side};
use res_kernel::Kernel;
use res_sync::MutexGuard;
use res_sync::model::Atomic;

use crate::blockpoint::Blockpoint;
use crate::chanchan::CapQueue;
use crate::error::LocalError;
use crate::file::FileObject;
use crate::list::{Link, Linked, List};
use crate::mem::{Mem, SharedMem};
use crate::names::Names;
use crate::outside::Outside;
use crate::system::{Ref, SystemRef, U32, U64, Vacant};

/// An end of a channel, or whatever else is bundled from parts.
pub(crate) struct EndObject<K: Kernel> {
    desc: Desc,
    /// Private state of the end, which travels with it.
    state: U64<K>,
    /// Whether it has left; an end leaves once.
    left: U32<K>,
    /// Whether its holder was told to stop: what it receives is told so, too.
    stopped: U32<K>,
    parts: Option<Ref<PartNode<K>, K>>,
    link: Link<Self>,
    system: SystemRef<K>,
}

impl<K: Kernel> Linked for EndObject<K> {
    fn link(&self) -> &Link<Self> {
        &self.link
    }
}

/// A part, and the rest of them.
pub(crate) struct PartNode<K: Kernel> {
    part: LocalPart<K>,
    next: Cell<Option<Ref<PartNode<K>, K>>>,
}

// SAFETY: the chain is complete before the end that owns it is shared, and constant then.
unsafe impl<K: Kernel> Sync for PartNode<K> {}

/// A part as it is kept here.
pub(crate) enum LocalPart<K: Kernel> {
    Mem(SharedMem<K>),
    Point(Blockpoint<K>, Option<Side>),
    Own(Cap<K>),
    Queue(CapQueue<K>),
    /// A queue of capabilities that lies outside of this component.
    Distant(u64),
}

/// The parts of a chain that begins there.
///
/// # Safety
///
/// The chain is constant as long as it is borrowed.
unsafe fn parts_from<K: Kernel>(
    mut next: Option<&Ref<PartNode<K>, K>>,
) -> impl Iterator<Item = &LocalPart<K>> {
    core::iter::from_fn(move || {
        let node = next?;
        // SAFETY: constant, says the caller, and borrowed with the node.
        next = unsafe { (*node.next.as_ptr()).as_ref() };
        Some(&node.part)
    })
}

impl<K: Kernel> EndObject<K> {
    pub(crate) fn parts(&self) -> impl Iterator<Item = &LocalPart<K>> {
        // SAFETY: the chain is constant since the end was made.
        unsafe { parts_from(self.parts.as_ref()) }
    }

    /// Leaves, once: whoever is the last on its side of a word tells the other side why.
    pub(crate) fn leave(&self, why: Gone) {
        // AcqRel: one of several that want it to leave does it.
        if self.left.swap(why.code(), AcqRel) != 0 {
            return;
        }
        for part in self.parts() {
            match part {
                LocalPart::Point(point, Some(side)) => point.0.leave(*side, why),
                LocalPart::Own(inner) => inner.leave(why),
                LocalPart::Queue(queue) => queue.leave(self.desc.role, why),
                LocalPart::Distant(queue) => {
                    if let Some(outside) = self.system.outside() {
                        outside.left_queue(*queue, self.desc.role, why);
                    }
                }
                LocalPart::Mem(_) | LocalPart::Point(_, None) => {}
            }
        }
    }

    /// Sees to it that all words lie in memory that can be given away: that of the end, as a rule.
    fn settle(&self) -> Result<(), LocalError> {
        for part in self.parts() {
            let LocalPart::Point(point, _) = part else { continue };
            let mut beside = false;
            for part in self.parts() {
                if let LocalPart::Mem(memory) = part
                    && !beside
                {
                    beside = point.0.settle(memory.object())?;
                }
            }
            if !beside {
                let memory = res_api::Mem::share(Mem::new(&self.system, 1, 0)?);
                if !point.0.settle(memory.object())? {
                    return Err(ErrorKind::NoMemory.into());
                }
            }
        }
        Ok(())
    }

    /// Goes to another component, without a word here.
    fn depart(&self) {
        if self.left.swap(Gone::Closed.code(), AcqRel) != 0 {
            return;
        }
        for part in self.parts() {
            match part {
                LocalPart::Point(point, Some(side)) => point.0.depart(*side),
                LocalPart::Own(Cap { what: What::End(inner), .. }) => inner.depart(),
                _ => {}
            }
        }
    }

    /// It has gone to another component, and nobody there has received it.
    pub(crate) fn lose(&self, outside: &dyn Outside<K>, why: Gone) {
        for part in self.parts() {
            match part {
                LocalPart::Point(point, Some(side)) => {
                    if let Some(at) = point.0.whereabouts(None) {
                        outside.lost(at.word, *side, why);
                    }
                }
                LocalPart::Own(Cap { what: What::End(inner), .. }) => inner.lose(outside, why),
                _ => {}
            }
        }
    }

    /// Tells the holder that it is to stop: what it waits on is closed, and a sender is refused.
    pub(crate) fn stop(&self) {
        // Release: partners the Acquire of `list_beside`.
        self.stopped.store(1, Release);
        let sends = matches!(self.desc.role, Role::Snd | Role::CapSnd);
        for part in self.parts() {
            match part {
                LocalPart::Point(point, Some(Side::Waiters)) => {
                    point.0.tell(Side::Waiters, Gone::Closed);
                }
                // Not Closed: the receiver lives, and may be reading what was pushed last (H22).
                LocalPart::Point(point, Some(Side::Signallers)) if sends => {
                    point.0.tell(Side::Signallers, Gone::Revoked);
                }
                LocalPart::Own(inner) => inner.stop(),
                _ => {}
            }
        }
    }

    /// Takes it off the list of who holds it.
    pub(crate) fn unlist(&self) {
        self.unlist_under(&self.system.lists());
    }

    /// The same where the caller has taken the lock of its system.
    pub(crate) fn unlist_under(&self, _: &MutexGuard<'_, K, Names<K>>) {
        // SAFETY: under the lock.
        unsafe { List::unlink(self) };
    }

    /// Whether it is of that system, and so are the inner ends.
    fn is_of(&self, system: &SystemRef<K>) -> bool {
        self.system.same(system)
            && self.parts().all(|part| match part {
                LocalPart::Own(inner) => inner.is_of(system),
                _ => true,
            })
    }

    /// Calls `each` with every queue that is received from by this end, or by an inner one.
    pub(crate) fn each_receiving(&self, each: &mut dyn FnMut(&CapQueue<K>)) {
        for part in self.parts() {
            match part {
                LocalPart::Queue(queue) if self.desc.role == Role::CapRcv => each(queue),
                LocalPart::Own(inner) => inner.each_receiving(each),
                _ => {}
            }
        }
    }

    fn gone(&self) -> Option<Gone> {
        Gone::from_code(self.left.load(Acquire))
    }
}

impl<K: Kernel> Drop for EndObject<K> {
    fn drop(&mut self) {
        self.unlist();
        unchain(self.parts.take());
    }
}

/// Lets go of a chain of any length, without recursion.
fn unchain<K: Kernel>(mut next: Option<Ref<PartNode<K>, K>>) {
    while let Some(node) = next {
        next = node.next.take();
    }
}

/// A capability of a local system.
///
/// ```
/// use backend_local::Local;
/// use chan_impls::Spsc;
/// use res_api::{AnyCap, Backend, IntoCap, Kind, Role};
///
/// let system = Local::new()?;
/// let (tx, _rx) = system.chan::<Spsc, u64>(1)?;
/// let cap = tx.into_cap();
/// assert_eq!(cap.desc().role, Role::Snd);
/// let wrong = cap.cast::<<Spsc as Kind<Local>>::Rcv<u64>>().unwrap_err();
/// assert!(wrong.cap.cast::<<Spsc as Kind<Local>>::Snd<u64>>().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Cap<K: Kernel> {
    what: What<K>,
    rights: Rights,
    /// The component that sent it, 0 where nobody says; or [`SHADOW`]. One word, as capabilities are
    /// moved about a lot, on small stacks.
    sender: u32,
}

/// Who has it owns nothing: it does not leave when it is dropped. No component has that number.
const SHADOW: u32 = u32::MAX;

/// A capability that several may have, or what another one is made of outside the lock.
pub(crate) enum Shared<K: Kernel> {
    Cap(Cap<K>),
    /// A sending end of a queue of capabilities: what it signals, and what it waits on.
    Sender {
        desc: Desc,
        rights: Rights,
        queue: CapQueue<K>,
        points: [Blockpoint<K>; 2],
    },
}

enum What<K: Kernel> {
    End(Ref<EndObject<K>, K>),
    Memory(SharedMem<K>),
    File(Ref<FileObject, K>),
    /// Moved out; only inside functions that take the capability apart.
    Nothing,
}

impl<K: Kernel> fmt::Debug for Cap<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.what {
            What::End(end) => end.desc.role,
            What::Memory(_) => Role::Mem,
            What::File(_) => Role::File,
            What::Nothing => return f.write_str("Cap(nothing)"),
        };
        write!(f, "Cap({what:?}, {:?})", self.rights)
    }
}

/// What the holder of such a thing may do with it.
fn rights_of(desc: &Desc) -> Rights {
    let may_travel = if desc.local { Rights::empty() } else { Rights::TRANSFER };
    match desc.role {
        Role::Snd | Role::CapSnd => Rights::WRITE | may_travel,
        Role::Rcv | Role::CapRcv | Role::Value | Role::File => Rights::READ | may_travel,
        Role::Caller | Role::Callee => Rights::READ | Rights::WRITE | may_travel,
        _ => Rights::all(),
    }
}

impl<K: Kernel> Cap<K> {
    /// Bundles parts into an end.
    pub(crate) fn bundle(
        system: &SystemRef<K>,
        desc: Desc,
        from: Option<&Self>,
        parts: impl IntoIterator<Item = Result<LocalPart<K>, LocalError>>,
    ) -> Result<Self, LocalError> {
        let mut chain = Chain::new();
        for part in parts {
            let node = chain.vacant(system)?;
            chain.fill(node, part?);
        }
        Self::of_parts(system, desc, from.map_or(Rights::all(), |from| from.rights), chain)
    }

    /// An end of such parts. (By itself: what it needs of the stack is not needed while parts, which
    /// may be ends of their own, are made.)
    #[inline(never)]
    fn of_parts(
        system: &SystemRef<K>,
        desc: Desc,
        rights: Rights,
        mut chain: Chain<K>,
    ) -> Result<Self, LocalError> {
        let end = system.create(EndObject {
            desc,
            state: Atomic::new(0),
            left: Atomic::new(0),
            stopped: Atomic::new(0),
            parts: chain.first.take(),
            link: Link::new(),
            system: system.clone(),
        })?;
        if system.outside().is_some() {
            end.settle()?;
        }
        // Only now, when nothing can fail any more.
        for part in end.parts() {
            match part {
                LocalPart::Point(point, side) => {
                    if let Some(side) = side {
                        point.0.join(*side);
                    }
                    // Its ends tell it from now on, wherever they travel; the component that made
                    // it may end before.
                    point.unlist();
                }
                // It leaves with its owner, not with the component.
                LocalPart::Own(inner) => inner.unlist(),
                _ => {}
            }
        }
        Ok(Self { what: What::End(end), rights: rights & rights_of(&desc), sender: 0 })
    }

    /// A part as a kind gives it.
    pub(crate) fn part(part: Part<Self>) -> LocalPart<K> {
        match part {
            Part::Mem(memory) => LocalPart::Mem(memory),
            Part::Signal(point) => LocalPart::Point(point, Some(Side::Signallers)),
            Part::Wait(point) => LocalPart::Point(point, Some(Side::Waiters)),
            Part::Look(point) => LocalPart::Point(point, None),
            Part::Own(cap) => LocalPart::Own(cap),
        }
    }

    /// That component sent it. For backends that stand on this one.
    pub fn set_sender(&mut self, sender: u32) {
        if self.sender != SHADOW && sender != SHADOW {
            self.sender = sender;
        }
    }

    pub(crate) fn of_memory(memory: SharedMem<K>, rights: Rights) -> Self {
        Self { what: What::Memory(memory), rights, sender: 0 }
    }

    pub(crate) fn into_memory(mut self) -> Result<SharedMem<K>, Self> {
        match core::mem::replace(&mut self.what, What::Nothing) {
            What::Memory(memory) => Ok(memory.with_rights(self.rights)),
            what => {
                self.what = what;
                Err(self)
            }
        }
    }

    /// The memory, if it is some.
    pub(crate) fn memory(&self) -> Option<&SharedMem<K>> {
        match &self.what {
            What::Memory(memory) => Some(memory),
            _ => None,
        }
    }

    /// The number of the file outside, if it is one, and has one.
    pub(crate) fn file_number(&self) -> Option<Option<u64>> {
        match &self.what {
            What::File(file) => Some(file.number()),
            _ => None,
        }
    }

    /// Goes to another component: nothing of it is here any more when it is dropped.
    pub(crate) fn depart(&self) {
        if let What::End(end) = &self.what {
            end.unlist();
            end.depart();
        }
    }

    pub(crate) fn of_file(file: Ref<FileObject, K>) -> Self {
        Self { what: What::File(file), rights: Rights::READ | Rights::TRANSFER, sender: 0 }
    }

    pub(crate) fn into_file(mut self) -> Result<Ref<FileObject, K>, Self> {
        match core::mem::replace(&mut self.what, What::Nothing) {
            What::File(file) => Ok(file),
            what => {
                self.what = what;
                Err(self)
            }
        }
    }

    /// A second one, of what several may have.
    pub(crate) fn try_share(&self) -> Option<Shared<K>> {
        Some(match &self.what {
            What::Memory(memory) => Shared::Cap(Self::of_memory(memory.duplicate(), self.rights)),
            What::File(file) => Shared::Cap(Self::of_file(file.clone())),
            What::End(end) if end.desc.role == Role::CapSnd => Shared::Sender {
                desc: end.desc,
                rights: self.rights,
                queue: self.queue()?,
                points: [self.blockpoint(0)?, self.blockpoint(1)?],
            },
            What::End(_) | What::Nothing => return None,
        })
    }

    /// The queue of capabilities that it is an end of.
    pub(crate) fn queue(&self) -> Option<CapQueue<K>> {
        let What::End(end) = &self.what else { return None };
        end.parts().find_map(|part| match part {
            LocalPart::Queue(queue) => Some(queue.clone()),
            _ => None,
        })
    }

    /// Whether that system's lists can hold it. Memory and files are on no list.
    pub(crate) fn is_of(&self, system: &SystemRef<K>) -> bool {
        match &self.what {
            What::End(end) => end.is_of(system),
            _ => true,
        }
    }

    /// Calls `each` with every queue that it receives from.
    pub(crate) fn each_receiving(&self, each: &mut dyn FnMut(&CapQueue<K>)) {
        if let What::End(end) = &self.what {
            end.each_receiving(each);
        }
    }

    /// Puts it on the list of what a component holds.
    pub(crate) fn list(&self, of: &List<EndObject<K>>) {
        if let What::End(end) = &self.what {
            let _lists = end.system.lists();
            // SAFETY: under the lock; the end takes itself off before it goes away.
            unsafe {
                List::unlink(end.as_ptr());
                of.push(end.as_ptr());
            }
        }
    }

    /// Takes it off the list of whoever held it: it is in transit.
    pub(crate) fn unlist(&self) {
        if let What::End(end) = &self.what {
            end.unlist();
        }
    }

    /// Puts it on the list that `other` is on: the same component holds both.
    pub(crate) fn list_beside(&self, other: &Ref<EndObject<K>, K>) {
        if let What::End(end) = &self.what {
            let _lists = end.system.lists();
            // SAFETY: under the lock; the end takes itself off before it goes away.
            unsafe { List::push_beside(end.as_ptr(), other.as_ptr()) };
        }
        if other.stopped.load(Acquire) != 0 {
            self.stop();
        }
    }

    /// The end, if it is one.
    pub(crate) fn end_object(&self) -> Option<Ref<EndObject<K>, K>> {
        match &self.what {
            What::End(end) => Some(end.clone()),
            _ => None,
        }
    }

    /// It is lost on its way.
    pub(crate) fn leave_in_transit(self, why: Gone) {
        self.leave(why);
    }

    fn leave(&self, why: Gone) {
        if let What::End(end) = &self.what {
            end.leave(why);
        }
    }

    /// Tells whoever holds it that it is to stop.
    pub(crate) fn stop(&self) {
        if let What::End(end) = &self.what {
            end.stop();
        }
    }
}

/// Parts on their way into an end.
pub(crate) struct Chain<K: Kernel> {
    first: Option<Ref<PartNode<K>, K>>,
    last: Option<Ref<PartNode<K>, K>>,
}

impl<K: Kernel> Chain<K> {
    pub(crate) const fn new() -> Self {
        Self { first: None, last: None }
    }

    /// Memory for one more.
    pub(crate) fn vacant(
        &self,
        system: &SystemRef<K>,
    ) -> Result<Vacant<PartNode<K>, K>, LocalError> {
        system.vacant()
    }

    /// Appends a part.
    pub(crate) fn fill(&mut self, node: Vacant<PartNode<K>, K>, part: LocalPart<K>) {
        let node = node.fill(PartNode { part, next: Cell::new(None) });
        match self.last.replace(node.clone()) {
            None => self.first = Some(node),
            Some(last) => last.next.set(Some(node)),
        }
    }

    pub(crate) fn parts(&self) -> impl Iterator<Item = &LocalPart<K>> {
        // SAFETY: only `fill` changes the chain, which borrows it mutably.
        unsafe { parts_from(self.first.as_ref()) }
    }
}

impl<K: Kernel> Drop for Chain<K> {
    fn drop(&mut self) {
        unchain(self.first.take());
    }
}

impl<K: Kernel> Drop for Cap<K> {
    fn drop(&mut self) {
        if self.sender != SHADOW
            && let What::End(end) = &self.what
        {
            let died = end.system.kernel.unwinding();
            end.leave(if died { Gone::PeerGone } else { Gone::Closed });
        }
    }
}

impl<K: Kernel> AnyCap for Cap<K> {
    type Mem = SharedMem<K>;
    type Blockpoint = Blockpoint<K>;

    fn desc(&self) -> Desc {
        match &self.what {
            What::End(end) => end.desc,
            What::Memory(memory) => memory.desc(),
            What::File(file) => Desc::plain(Role::File, file.len()),
            What::Nothing => Desc::plain(Role::Value, 0),
        }
    }

    fn rights(&self) -> Rights {
        self.rights
    }

    fn narrow(&mut self, rights: Rights) {
        self.rights &= rights;
    }

    fn gone(&self) -> Option<Gone> {
        match &self.what {
            What::End(end) => end.gone(),
            _ => None,
        }
    }

    unsafe fn mem(&self, index: u32) -> Option<SharedMem<K>> {
        let What::End(end) = &self.what else { return None };
        let mut memories = end.parts().filter_map(|part| match part {
            LocalPart::Mem(memory) => Some(memory.duplicate()),
            _ => None,
        });
        memories.nth(index as usize)
    }

    fn blockpoint(&self, index: u32) -> Option<Blockpoint<K>> {
        let What::End(end) = &self.what else { return None };
        let mut points = end.parts().filter_map(|part| match part {
            LocalPart::Point(point, _) => Some(point.clone()),
            _ => None,
        });
        points.nth(index as usize)
    }

    fn end(&self, index: u32) -> Option<Self> {
        let What::End(end) = &self.what else { return None };
        let mut ends = end.parts().filter_map(|part| match part {
            LocalPart::Own(Cap { what: What::End(inner), rights, .. }) => {
                Some(Self { what: What::End(inner.clone()), rights: *rights, sender: SHADOW })
            }
            _ => None,
        });
        ends.nth(index as usize)
    }

    fn sent_by(&self) -> u32 {
        if self.sender == SHADOW { 0 } else { self.sender }
    }

    fn state(&self) -> u64 {
        match &self.what {
            // Acquire: partners the Release of `set_state`, in whatever thread that was.
            What::End(end) => end.state.load(Acquire),
            _ => 0,
        }
    }

    fn set_state(&mut self, state: u64) {
        if let What::End(end) = &self.what {
            end.state.store(state, Release);
        }
    }
}

/// What a component does to everything that it holds.
pub(crate) fn for_each_end<K: Kernel>(
    system: &SystemRef<K>,
    ends: &List<EndObject<K>>,
    each: impl FnMut(Ref<EndObject<K>, K>),
) {
    // SAFETY: called under the lock, for an item of the list, whose memory is there until the item
    // has left the list, which takes the lock.
    let upgrade = |end| unsafe { Ref::upgrade(end) };
    ends.for_each(|| system.lists(), upgrade, each);
}
