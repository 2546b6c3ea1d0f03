//! Capabilities taken apart, to travel to another component, and put together there.
//!
//! A capability that travels is a row of pieces: what it says of itself ([`Head`]), and behind that
//! what it is made of. An inner end is its own head, and behind that what it is made of. Where the
//! row is kept is the affair of whoever carries it ([`AnyParcel`]).

#[cfg(feature = "alloc")]
use alloc::boxed::Box;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;

use res_api::{AnyCap, Barrier, Desc, ErrorKind, Gone, Rights, Role, Side};
use res_kernel::Kernel;
#[cfg(feature = "alloc")]
use res_kernel::KernelFile;

use crate::blockpoint::Blockpoint;
use crate::cap::{Cap, Chain, LocalPart};
use crate::component::ComponentObject;
use crate::error::LocalError;
use crate::file::FileObject;
use crate::local::Local;
use crate::mem::{Mem, MemObject, SharedMem};
use crate::outside::{Outside, WordId};
use crate::policy::Policy;
use crate::system::{Ref, SystemRef};

/// What a capability, or an end within one, says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// What it is.
    pub desc: Desc,
    /// What it allows.
    pub rights: Rights,
    /// Its private state.
    pub state: u64,
    /// How many pieces it has; what is within an inner end is not counted.
    pub pieces: u32,
}

/// A piece of a capability, without what is mapped here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A memory object.
    Memory {
        /// Its number.
        object: u64,
        /// How much of it is meant.
        bytes: u64,
        /// What the handle allows.
        rights: Rights,
    },
    /// A word in a memory object.
    Word {
        /// Which.
        word: WordId,
        /// Which side of it the end is on.
        side: Option<Side>,
        /// What was agreed on for it.
        barrier: Barrier,
        /// There are other ends of the same side, which stay where they are.
        kept: bool,
        /// An end of the other side is where this one comes from.
        peer_here: bool,
    },
    /// An inner end, whose pieces follow.
    End(Head),
    /// A queue of capabilities.
    Queue(u64),
    /// An open file.
    File(u64),
}

impl Piece {
    /// The memory object that it is, or lies in.
    pub const fn object(&self) -> Option<u64> {
        match self {
            Self::Memory { object, .. } => Some(*object),
            Self::Word { word, .. } => Some(word.object),
            Self::End(_) | Self::Queue(_) | Self::File(_) => None,
        }
    }
}

/// A capability that was taken apart, wherever its pieces are kept.
pub trait AnyParcel {
    /// What it says of itself.
    fn head(&self) -> Head;

    /// What it is made of, in a row: what is within an inner end is behind that.
    fn pieces(&self) -> impl Iterator<Item = Piece>;

    /// Calls `each` with every piece that is not an inner end, and the description of the end, inner
    /// or not, that it is a piece of.
    fn each(&self, each: &mut dyn FnMut(&Desc, &Piece)) {
        each_within(&self.head(), &mut self.pieces(), each);
    }
}

fn each_within(
    head: &Head,
    pieces: &mut dyn Iterator<Item = Piece>,
    each: &mut dyn FnMut(&Desc, &Piece),
) {
    for _ in 0..head.pieces {
        match pieces.next() {
            Some(Piece::End(inner)) => each_within(&inner, pieces, each),
            Some(piece) => each(&head.desc, &piece),
            None => return,
        }
    }
}

/// How much of that memory object is meant; all of it where that is not said.
fn bytes_of(parcel: &impl AnyParcel, id: u64) -> u64 {
    let mut found = u64::MAX;
    parcel.each(&mut |_, piece| match piece {
        Piece::Memory { object, bytes, .. } if *object == id => found = *bytes,
        _ => {}
    });
    found
}

/// It has come, and nobody will have it: its ends leave.
fn lose<K: Kernel>(parcel: &impl AnyParcel, outside: &dyn Outside<K>) {
    parcel.each(&mut |desc, piece| match piece {
        Piece::Word { word, side: Some(side), .. } => outside.lost(*word, *side, Gone::Closed),
        Piece::Queue(queue) => outside.left_queue(*queue, desc.role, Gone::Closed),
        _ => {}
    });
}

/// A capability that was taken apart, in memory of the global allocator.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What it says of itself.
    pub head: Head,
    /// What it is made of, in a row.
    pub pieces: Vec<Piece>,
}

#[cfg(feature = "alloc")]
impl Parcel {
    /// Of that capability, which stays as it is: see [`sent`](Cap::sent).
    ///
    /// # Errors
    ///
    /// As [`Cap::pack`].
    pub fn of<K: Kernel>(cap: &Cap<K>) -> Result<Self, ErrorKind> {
        let (mut head, mut pieces) = (None, Vec::new());
        cap.pack(&mut |piece| {
            match (head, piece) {
                (None, Piece::End(first)) => head = Some(first),
                _ => pieces.push(piece),
            }
            Ok(())
        })?;
        Ok(Self { head: head.ok_or(ErrorKind::Invalid)?, pieces })
    }
}

#[cfg(feature = "alloc")]
impl AnyParcel for Parcel {
    fn head(&self) -> Head {
        self.head
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> {
        self.pieces.iter().copied()
    }
}

/// A memory object or a file that came with a parcel.
#[derive(Debug)]
pub enum Content<M> {
    /// A memory object of that number.
    Memory(u64, M),
    /// A file of that number.
    #[cfg(feature = "alloc")]
    File(u64, OpenFile),
    /// A memory object of that number, which is used here already.
    Known(u64),
    /// A memory object of that number, for which there was no memory here.
    Missing(u64),
}

impl<M> Content<M> {
    /// Its number.
    pub const fn number(&self) -> u64 {
        match self {
            Self::Memory(number, _) | Self::Known(number) | Self::Missing(number) => *number,
            #[cfg(feature = "alloc")]
            Self::File(number, _) => *number,
        }
    }
}

/// An open file of the machine below, whichever that is.
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub struct OpenFile(FileObject);

#[cfg(feature = "alloc")]
impl OpenFile {
    /// Of a file of the machine, which is known as `number` outside.
    pub fn new<F: KernelFile>(file: F, number: u64) -> Self {
        Self(FileObject::boxed(Box::new(file), number))
    }
}

impl<K: Kernel> Cap<K> {
    /// Takes it apart, for another component: calls `each` with it as an end, and then with what it
    /// is made of, in a row. It stays as it is: see [`sent`](Self::sent).
    ///
    /// # Errors
    ///
    /// Why it cannot travel: it has left, or is made of what cannot be known outside; what `each`
    /// says.
    pub fn pack(
        &self,
        each: &mut dyn FnMut(Piece) -> Result<(), ErrorKind>,
    ) -> Result<(), ErrorKind> {
        each(Piece::End(self.packed_head()?))?;
        if let Some(memory) = self.memory() {
            each(memory_piece(memory)?)?;
        } else if let Some(number) = self.file_number() {
            each(Piece::File(number.ok_or(ErrorKind::Invalid)?))?;
        } else if let Some(end) = self.end_object() {
            for part in end.parts() {
                part.pack(each)?;
            }
        }
        Ok(())
    }

    fn packed_head(&self) -> Result<Head, ErrorKind> {
        if let Some(gone) = self.gone() {
            return Err(gone.into());
        }
        let pieces = self.end_object().map_or(1, |end| end.parts().count() as u32);
        Ok(Head { desc: self.desc(), rights: self.rights(), state: self.state(), pieces })
    }

    /// Puts together what has come from another component; nobody holds it yet. What cannot be put
    /// together is lost, and its ends have left.
    pub(crate) fn unpack(
        system: &SystemRef<K>,
        parcel: &impl AnyParcel,
        contents: impl IntoIterator<Item = Content<K::Memory>>,
    ) -> Result<Self, LocalError> {
        let mut arrived = Arrived { memories: Chain::new(), file: None };
        arrived.unload(system, parcel, contents)?;
        let cap = arrived.cap(system, &parcel.head(), &mut parcel.pieces());
        if let (Err(_), Some(outside)) = (&cap, system.outside()) {
            lose(parcel, outside);
        }
        cap
    }

    /// It has gone to another component: nothing of it is here any more, and nobody is told.
    pub fn sent(self) {
        self.depart();
    }
}

fn memory_piece<K: Kernel>(memory: &SharedMem<K>) -> Result<Piece, ErrorKind> {
    use res_api::SharedMem as _;
    match memory.object().id() {
        0 => Err(ErrorKind::NoMemory),
        object => {
            memory.object().travels();
            Ok(Piece::Memory { object, bytes: memory.len(), rights: memory.rights() })
        }
    }
}

impl<K: Kernel> LocalPart<K> {
    fn pack(&self, each: &mut dyn FnMut(Piece) -> Result<(), ErrorKind>) -> Result<(), ErrorKind> {
        each(match self {
            Self::Mem(memory) => memory_piece(memory)?,
            Self::Own(cap) => return cap.pack(each),
            Self::Distant(queue) => Piece::Queue(*queue),
            Self::Point(point, side) => {
                let at = point.0.whereabouts(*side).ok_or(ErrorKind::Invalid)?;
                Piece::Word {
                    word: at.word,
                    side: *side,
                    barrier: at.barrier,
                    kept: at.kept,
                    peer_here: at.peer_here,
                }
            }
            Self::Queue(_) => return Err(ErrorKind::Invalid),
        })
    }
}

/// What has come with a parcel and is used here, until the parcel is put together.
struct Arrived<K: Kernel> {
    memories: Chain<K>,
    file: Option<Ref<FileObject, K>>,
}

impl<K: Kernel> Arrived<K> {
    /// Takes all of it; what is wrong with any of it. Then the parcel is lost.
    fn unload(
        &mut self,
        system: &SystemRef<K>,
        parcel: &impl AnyParcel,
        contents: impl IntoIterator<Item = Content<K::Memory>>,
    ) -> Result<(), LocalError> {
        let mut unloaded = Ok(());
        for content in contents {
            let number = content.number();
            if unloaded.is_ok() {
                unloaded = self.unload_one(system, parcel, content);
                match (&unloaded, system.outside()) {
                    (Err(_), Some(outside)) => lose(parcel, outside),
                    _ => continue,
                }
            }
            // Behind that: whoever has nothing of an object has no ends there either.
            system.forget_outside(number);
        }
        unloaded
    }

    fn unload_one(
        &mut self,
        system: &SystemRef<K>,
        parcel: &impl AnyParcel,
        content: Content<K::Memory>,
    ) -> Result<(), LocalError> {
        match content {
            Content::Memory(id, memory) => {
                self.keep(system, || system.object_or_new(id, memory, bytes_of(parcel, id)))?;
            }
            #[cfg(feature = "alloc")]
            Content::File(_, OpenFile(file)) => self.file = Some(system.create(file)?),
            Content::Known(id) => self.keep(system, || known(system, parcel, id))?,
            Content::Missing(_) => return Err(ErrorKind::NoMemory.into()),
        }
        Ok(())
    }

    /// Keeps an object until the parcel is put together. Where there is no memory for that, nobody has
    /// begun to use it.
    fn keep(
        &mut self,
        system: &SystemRef<K>,
        object: impl FnOnce() -> Result<Ref<MemObject<K>, K>, LocalError>,
    ) -> Result<(), LocalError> {
        let node = self.memories.vacant(system)?;
        let object = object()?;
        self.memories.fill(node, LocalPart::Mem(SharedMem::of(object, Rights::all())));
        Ok(())
    }

    fn memory(&self, id: u64) -> Result<&Ref<MemObject<K>, K>, LocalError> {
        let found = self.memories.parts().find_map(|part| match part {
            LocalPart::Mem(memory) if memory.object().id() == id => Some(memory.object()),
            _ => None,
        });
        Ok(found.ok_or(ErrorKind::Misbehaved)?)
    }

    fn cap(
        &self,
        system: &SystemRef<K>,
        head: &Head,
        pieces: &mut dyn Iterator<Item = Piece>,
    ) -> Result<Cap<K>, LocalError> {
        let Head { desc, rights, state, pieces: count } = head;
        match desc.role {
            Role::Mem => match pieces.next() {
                Some(Piece::Memory { object, rights: of_memory, .. }) => {
                    let memory = SharedMem::of(self.memory(object)?.clone(), of_memory);
                    Ok(Cap::of_memory(memory, *rights))
                }
                _ => Err(ErrorKind::Misbehaved.into()),
            },
            Role::File => match (pieces.next(), &self.file) {
                (Some(Piece::File(id)), Some(file)) if file.number() == Some(id) => {
                    Ok(Cap::of_file(file.clone()))
                }
                _ => Err(ErrorKind::Misbehaved.into()),
            },
            _ => {
                let parts = (0..*count).map(|_| self.part(system, pieces));
                let mut cap = Cap::bundle(system, *desc, None, parts)?;
                cap.set_state(*state);
                cap.narrow(*rights);
                Ok(cap)
            }
        }
    }

    fn part(
        &self,
        system: &SystemRef<K>,
        pieces: &mut dyn Iterator<Item = Piece>,
    ) -> Result<LocalPart<K>, LocalError> {
        Ok(match pieces.next().ok_or(ErrorKind::Misbehaved)? {
            Piece::Memory { object, rights, .. } => {
                LocalPart::Mem(SharedMem::of(self.memory(object)?.clone(), rights))
            }
            Piece::Word { word, side, barrier, kept, .. } => {
                let memory = self.memory(word.object)?;
                LocalPart::Point(Blockpoint::of_word(memory, word.offset, barrier, kept)?, side)
            }
            Piece::End(inner) => LocalPart::Own(self.cap(system, &inner, pieces)?),
            Piece::Queue(queue) => LocalPart::Distant(queue),
            Piece::File(_) => return Err(ErrorKind::Misbehaved.into()),
        })
    }
}

/// A memory object that did not come along: it is here already, or was until a moment ago.
fn known<K: Kernel>(
    system: &SystemRef<K>,
    parcel: &impl AnyParcel,
    id: u64,
) -> Result<Ref<MemObject<K>, K>, LocalError> {
    if let Some(object) = system.known_object(id).filter(|object| object.is_writable()) {
        // What is here has been counted before.
        system.forget_outside(id);
        return Ok(object);
    }
    let outside = system.outside().ok_or(ErrorKind::Misbehaved)?;
    system.object_or_new(id, outside.again(id)?, bytes_of(parcel, id))
}

/// Where what has come from another component is put together: see [`Outside::receive`].
///
/// [`Outside::receive`]: crate::outside::Outside::receive
pub struct Unpacker<'a, K: Kernel>(pub(crate) &'a SystemRef<K>);

impl<K: Kernel> fmt::Debug for Unpacker<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unpacker")
    }
}

impl<K: Kernel> Unpacker<'_, K> {
    /// Private memory for what has come, until it is put together.
    ///
    /// # Errors
    ///
    /// `NoMemory`, `NoSlots`.
    pub fn room(&self, bytes: u64) -> Result<Mem<K>, LocalError> {
        Mem::new(self.0, bytes, 0)
    }

    /// Puts it together. What cannot be put together is lost, and its ends have left.
    ///
    /// # Errors
    ///
    /// `Misbehaved` for a parcel without all of its contents, `NoMemory`, `NoSlots`.
    pub fn unpack(
        &self,
        parcel: &impl AnyParcel,
        contents: impl IntoIterator<Item = Content<K::Memory>>,
    ) -> Result<Cap<K>, LocalError> {
        Cap::unpack(self.0, parcel, contents)
    }
}

impl<P: Policy, K: Kernel> Local<P, K> {
    /// Puts together what has come from another component. This one holds it from now on.
    ///
    /// # Errors
    ///
    /// `Misbehaved` for a parcel without all of its contents, `NoMemory`.
    pub fn unpack(
        &self,
        parcel: &impl AnyParcel,
        contents: impl IntoIterator<Item = Content<K::Memory>>,
    ) -> Result<Cap<K>, LocalError> {
        let cap = Cap::unpack(self.system(), parcel, contents)?;
        self.hold(&cap);
        Ok(cap)
    }

    /// Where what has come can be put together.
    pub fn unpacker(&self) -> Unpacker<'_, K> {
        Unpacker(self.system())
    }

    /// A file that the machine below has opened.
    ///
    /// # Errors
    ///
    /// `NoMemory`.
    #[cfg(feature = "alloc")]
    pub fn adopt(&self, OpenFile(file): OpenFile) -> Result<crate::File<K>, LocalError> {
        Ok(crate::File::of(self.system().create(file)?))
    }

    /// Private memory for what is meant to go over a queue of capabilities: see
    /// [`Outside::memory`]. 0 stands for none.
    ///
    /// # Errors
    ///
    /// As [`mem`](res_api::Backend::mem).
    pub fn mem_over(&self, bytes: u64, queue: u64) -> Result<Mem<K>, LocalError> {
        self.admit()?;
        Mem::new(self.system(), bytes, queue)
    }

    /// The point of an end that comes once, which no component is told about when it is stopped.
    ///
    /// # Errors
    ///
    /// `NoMemory`.
    pub fn point_of_an_end(&self) -> Result<Blockpoint<K>, LocalError> {
        Blockpoint::of_an_end(self.system())
    }

    /// Whether this component may still make things.
    ///
    /// # Errors
    ///
    /// `Closed` once it was told to stop.
    pub fn admit(&self) -> Result<(), LocalError> {
        self.component().admit()
    }

    /// Tells this component to stop.
    pub fn stop(&self) {
        ComponentObject::stop_running(self.component());
    }

    /// Runs the entry of this component, in the calling thread, to its end.
    pub fn run(&self, entry: impl FnOnce(Self) -> res_api::Exit) -> res_api::Exit {
        let (mut entry, mut exit) = (Some(entry), res_api::Exit::Died);
        let component = self.component();
        let token = self.clone();
        let panicked = self.system().kernel.guard(&mut || {
            if let Some(entry) = entry.take() {
                exit = entry(token.clone());
            }
        });
        if panicked.is_err() {
            component.die();
            return res_api::Exit::Died;
        }
        component.stop_holdings();
        component.finish(exit);
        exit
    }
}
