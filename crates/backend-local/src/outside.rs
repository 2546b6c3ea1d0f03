//! What a system that is one component of several asks of the others.
//!
//! A backend whose components are isolated from each other stands on this one: within a component
//! everything is as in a system of its own, and what crosses goes through [`Outside`]. A memory
//! object begins with places for words, so a channel and the words of its ends lie in one object,
//! which is mapped by the two that use it (H6). Ends that travel are [taken
//! apart](crate::parcel) and put together again.

use res_api::{ErrorKind, Exit, Gone, Role, Side, WaitError};
use res_kernel::Kernel;
use res_sync::{Deadline, Event};

use crate::blockpoint::Blockpoint;
use crate::cap::Cap;
use crate::error::LocalError;
use crate::parcel::Unpacker;

/// Bytes at the beginning of every memory object, for words.
pub const HEADER: usize = crate::mem::HEADER;

/// How far such places are apart.
pub const PLACE: usize = crate::mem::PLACE;

/// A word in a memory object: which, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WordId {
    /// The number of the object.
    pub object: u64,
    /// Bytes from its beginning.
    pub offset: u32,
}

/// What came out of a queue of capabilities.
#[derive(Debug)]
pub enum Received<K: Kernel> {
    /// Nothing: it is empty.
    Nothing,
    /// A capability; or why it could not be put together here, and is lost.
    One(Result<Cap<K>, LocalError>),
}

/// What there is besides this component. Nothing here is called on the path of data.
pub trait Outside<K: Kernel>: Send + Sync {
    /// From now on `point`, at which nobody sleeps, is for that word, which other components know.
    ///
    /// # Errors
    ///
    /// `NoSlots`; what the machine refuses.
    fn widen(&self, point: &K::Point, word: WordId) -> Result<(), LocalError>;

    /// A memory object, mapped for writing, and its number. What is made in it is meant to go over
    /// the queue of capabilities `over`, if that is not 0: then it may be one that whoever receives
    /// there has mapped already, and that has been used before.
    ///
    /// # Errors
    ///
    /// `NoMemory`, `NoSlots`.
    fn memory(&self, bytes: u64, over: u64) -> Result<(u64, K::Memory), LocalError>;

    /// The object, which was made or has come once, is not used here any more. Each time that it is
    /// a part of what has come counts, whether or not the object itself came along.
    fn forget(&self, object: u64);

    /// The object once more: it was thought to be here still, and did not come along.
    ///
    /// # Errors
    ///
    /// `NoMemory`; `Denied` for one that was not a part of what has come.
    fn again(&self, object: u64) -> Result<K::Memory, ErrorKind> {
        let _ = object;
        Err(ErrorKind::Denied)
    }

    /// The last end of that side of the word that was here has left. If others were known to be
    /// elsewhere, those who are on the other side have not been told.
    fn left(&self, word: WordId, side: Side, why: Gone);

    /// As [`left`](Self::left), where those who are on the other side have not been told by this
    /// component.
    fn lost(&self, word: WordId, side: Side, why: Gone) {
        self.left(word, side, why);
    }

    /// An end of that queue of capabilities has left.
    fn left_queue(&self, queue: u64, role: Role, why: Gone);

    /// Puts a capability into a queue of capabilities; false if there is no room. It stays as it is.
    ///
    /// # Errors
    ///
    /// Why it may not go there; `Closed` where nobody will receive it. Then the word that the sender
    /// waits on says why, or will.
    fn send(&self, queue: u64, cap: &Cap<K>) -> Result<bool, ErrorKind>;

    /// Whether the capability can go over that queue without whoever has the queue: then it has been
    /// given to `put`, as bytes, which has taken them. It stays as it is.
    fn send_directly(&self, queue: u64, cap: &Cap<K>, put: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let _ = (queue, cap, put);
        false
    }

    /// What has come like that, as bytes that anybody may have made up, put together.
    ///
    /// # Errors
    ///
    /// `NoMemory`, `NoSlots`: then it is still there. `Misbehaved`.
    fn receive_directly(
        &self,
        queue: u64,
        bytes: &[u8],
        unpacker: &Unpacker<'_, K>,
    ) -> Result<Result<Cap<K>, LocalError>, ErrorKind> {
        let _ = (queue, bytes, unpacker);
        Err(ErrorKind::Misbehaved)
    }

    /// What is next in a queue of capabilities, put together by the unpacker.
    ///
    /// # Errors
    ///
    /// `NoMemory`, `NoSlots`, `Denied`. Then it is still there.
    fn receive(&self, queue: u64, unpacker: &Unpacker<'_, K>) -> Result<Received<K>, ErrorKind>;

    /// Which bell others have to ring when they trigger the word, because a group here watches. Who
    /// hears it marks the point as pending.
    ///
    /// # Errors
    ///
    /// `NoSlots`, `Exists`.
    fn watch(&self, word: WordId, point: &Blockpoint<K>) -> Result<u64, LocalError>;

    /// No group here watches the word any more.
    fn unwatch(&self, word: WordId);

    /// Rings the bell for the word. A peer may have made up its number.
    fn ring(&self, word: WordId, bell: u64);

    /// As [`Event::wait_until`], and looks also when a bell of this component has been rung.
    ///
    /// # Errors
    ///
    /// As [`Event::wait_until`].
    fn wait(
        &self,
        event: Event<'_, K>,
        deadline: Deadline,
        look: &mut dyn FnMut() -> bool,
    ) -> Result<(), WaitError>;

    /// This component has ended.
    fn ended(&self, exit: Exit);
}
