//! Capabilities taken apart, to travel to another component, and put together there.

use alloc::boxed::Box;
use alloc::vec::Vec;

use res_api::{AnyCap, Barrier, Desc, ErrorKind, Gone, Rights, Role, Side};
use res_kernel::{Kernel, KernelFile};

use crate::blockpoint::Blockpoint;
use crate::cap::{Cap, LocalPart};
use crate::component::ComponentObject;
use crate::error::LocalError;
use crate::file::FileObject;
use crate::local::Local;
use crate::mem::{MemObject, SharedMem};
use crate::outside::{Outside, WordId};
use crate::policy::{Dynamic, Policy};
use crate::system::{Ref, SystemRef};

/// What a capability is, without what is mapped here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// What it says of itself.
    pub desc: Desc,
    /// What it allows.
    pub rights: Rights,
    /// Its private state.
    pub state: u64,
    /// What it is made of.
    pub pieces: Vec<Piece>,
}

/// A part of a [`Parcel`].
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// An inner end.
    End(Parcel),
    /// A queue of capabilities.
    Queue(u64),
    /// An open file.
    File(u64),
}

impl Parcel {
    /// How much of that memory object is meant; all of it where that is not said.
    fn bytes_of(&self, id: u64) -> u64 {
        let mut found = u64::MAX;
        self.each(&mut |_, piece| match piece {
            Piece::Memory { object, bytes, .. } if *object == id => found = *bytes,
            _ => {}
        });
        found
    }

    /// Calls `each` with every piece that is not an inner end, and the description of the end, inner
    /// or not, that it is a piece of.
    pub fn each<'a>(&'a self, each: &mut dyn FnMut(&'a Desc, &'a Piece)) {
        for piece in &self.pieces {
            match piece {
                Piece::End(inner) => inner.each(each),
                piece => each(&self.desc, piece),
            }
        }
    }
}

impl Parcel {
    /// It has come, and nobody will have it: its ends leave.
    fn lose<K: Kernel>(&self, outside: &dyn Outside<K>) {
        self.each(&mut |desc, piece| match piece {
            Piece::Word { word, side: Some(side), .. } => outside.left(*word, *side, Gone::Closed),
            Piece::Queue(queue) => outside.left_queue(*queue, desc.role, Gone::Closed),
            _ => {}
        });
    }
}

/// A memory object or a file that came with a parcel.
#[derive(Debug)]
pub enum Content<M> {
    /// A memory object of that number.
    Memory(u64, M),
    /// A file of that number.
    File(u64, OpenFile),
    /// A memory object of that number, for which there was no memory here.
    Missing(u64),
}

/// An open file of the machine below, whichever that is.
#[derive(Debug)]
pub struct OpenFile(FileObject);

/// A parcel, and what came with it.
pub type Arrival<K> = (Parcel, Vec<Content<<K as Kernel>::Memory>>);

impl OpenFile {
    /// Of a file of the machine, which is known as `number` outside.
    pub fn new<F: KernelFile>(file: F, number: u64) -> Self {
        Self(FileObject::boxed(Box::new(file), number))
    }
}

impl<K: Kernel> Cap<K> {
    /// What it is, for another component. It stays as it is: see [`sent`](Self::sent).
    ///
    /// # Errors
    ///
    /// Why it cannot travel: it has left, or is made of what cannot be known outside.
    pub fn pack(&self) -> Result<Parcel, ErrorKind> {
        if let Some(gone) = self.gone() {
            return Err(gone.into());
        }
        let mut pieces = Vec::new();
        if let Some(memory) = self.memory() {
            pieces.push(memory_piece(memory)?);
        } else if let Some(number) = self.file_number() {
            pieces.push(Piece::File(number.ok_or(ErrorKind::Invalid)?));
        }
        if let Some(end) = self.end_object() {
            for part in end.parts() {
                pieces.push(part.pack()?);
            }
        }
        Ok(Parcel { desc: self.desc(), rights: self.rights(), state: self.state(), pieces })
    }

    /// Puts together what has come from another component; nobody holds it yet. What cannot be put
    /// together is lost, and its ends have left.
    pub(crate) fn unpack(
        system: &SystemRef<K>,
        parcel: Parcel,
        contents: impl IntoIterator<Item = Content<K::Memory>>,
    ) -> Result<Self, LocalError> {
        let mut arrived = Arrived::default();
        let unloaded = arrived.unload(system, &parcel, contents);
        let cap = unloaded.and_then(|()| arrived.cap(system, &parcel));
        if let (Err(_), Some(outside)) = (&cap, system.outside()) {
            parcel.lose(outside);
            // Behind that: whoever has nothing of an object has no ends there either.
            arrived.missing.iter().for_each(|object| outside.forget(*object));
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
    fn pack(&self) -> Result<Piece, ErrorKind> {
        match self {
            Self::Mem(memory) => memory_piece(memory),
            Self::Own(cap) => cap.pack().map(Piece::End),
            Self::Distant(queue) => Ok(Piece::Queue(*queue)),
            Self::Point(point, side) => {
                let at = point.0.whereabouts(*side).ok_or(ErrorKind::Invalid)?;
                Ok(Piece::Word {
                    word: at.word,
                    side: *side,
                    barrier: at.barrier,
                    kept: at.kept,
                    peer_here: at.peer_here,
                })
            }
            Self::Queue(_) => Err(ErrorKind::Invalid),
        }
    }
}

/// What has come with a parcel and is used here, until the parcel is put together.
struct Arrived<K: Kernel> {
    memories: Vec<(u64, Ref<MemObject<K>, K>)>,
    files: Vec<(u64, Ref<FileObject, K>)>,
    /// Memory objects that came and cannot be used here.
    missing: Vec<u64>,
}

impl<K: Kernel> Default for Arrived<K> {
    fn default() -> Self {
        Self { memories: Vec::new(), files: Vec::new(), missing: Vec::new() }
    }
}

impl<K: Kernel> Arrived<K> {
    /// Takes all of it, and what is here already; what is wrong with any of it.
    fn unload(
        &mut self,
        system: &SystemRef<K>,
        parcel: &Parcel,
        contents: impl IntoIterator<Item = Content<K::Memory>>,
    ) -> Result<(), LocalError> {
        let mut unloaded = Ok(());
        for content in contents {
            unloaded = unloaded.and(self.unload_one(system, parcel, content));
        }
        parcel.each(&mut |_, piece| {
            if let Piece::Memory { object, .. } | Piece::Word { word: WordId { object, .. }, .. } =
                piece
                && !self.has_come(*object)
            {
                unloaded = unloaded.and(self.find(system, parcel, *object));
            }
        });
        unloaded
    }

    fn has_come(&self, id: u64) -> bool {
        self.memories.iter().any(|(known, _)| *known == id) || self.missing.contains(&id)
    }

    /// An object that is here already, or was until a moment ago.
    fn find(&mut self, system: &SystemRef<K>, parcel: &Parcel, id: u64) -> Result<(), LocalError> {
        let outside = system.outside().ok_or(ErrorKind::Misbehaved)?;
        if let Some(object) = system.known_object(id) {
            self.memories.push((id, object));
            // What is here has been counted before.
            outside.forget(id);
            return Ok(());
        }
        match outside.again(id) {
            Ok(memory) => self.unload_one(system, parcel, Content::Memory(id, memory)),
            Err(ErrorKind::NoMemory) => self.unload_one(system, parcel, Content::Missing(id)),
            Err(_) => Err(ErrorKind::Misbehaved.into()),
        }
    }

    fn unload_one(
        &mut self,
        system: &SystemRef<K>,
        parcel: &Parcel,
        content: Content<K::Memory>,
    ) -> Result<(), LocalError> {
        match content {
            Content::Memory(id, memory) => {
                let object = system.object_or_new(id, memory, parcel.bytes_of(id));
                let object = object.inspect_err(|_| self.missing.push(id))?;
                self.memories.push((id, object));
            }
            Content::File(id, OpenFile(file)) => self.files.push((id, system.create(file)?)),
            Content::Missing(id) => {
                self.missing.push(id);
                return Err(ErrorKind::NoMemory.into());
            }
        }
        Ok(())
    }

    fn memory(&self, id: u64) -> Result<&Ref<MemObject<K>, K>, LocalError> {
        let found = self.memories.iter().find(|(known, _)| *known == id);
        Ok(found.map(|(_, memory)| memory).ok_or(ErrorKind::Misbehaved)?)
    }

    fn cap(&self, system: &SystemRef<K>, parcel: &Parcel) -> Result<Cap<K>, LocalError> {
        let Parcel { desc, rights, state, pieces } = parcel;
        match (desc.role, pieces.first()) {
            (Role::Mem, Some(Piece::Memory { object, rights: of_memory, .. })) => {
                let memory = SharedMem::of(self.memory(*object)?.clone(), *of_memory);
                Ok(Cap::of_memory(memory, *rights))
            }
            (Role::File, Some(Piece::File(id))) => {
                let found = self.files.iter().find(|(known, _)| known == id);
                Ok(Cap::of_file(found.ok_or(ErrorKind::Misbehaved)?.1.clone()))
            }
            _ => {
                let parts = pieces.iter().map(|piece| self.part(system, piece));
                let parts: Vec<_> = parts.collect::<Result<_, LocalError>>()?;
                let mut cap = Cap::bundle(system, *desc, None, parts)?;
                cap.set_state(*state);
                cap.narrow(*rights);
                Ok(cap)
            }
        }
    }

    fn part(&self, system: &SystemRef<K>, piece: &Piece) -> Result<LocalPart<K>, LocalError> {
        Ok(match piece {
            Piece::Memory { object, rights, .. } => {
                LocalPart::Mem(SharedMem::of(self.memory(*object)?.clone(), *rights))
            }
            Piece::Word { word, side, barrier, kept, .. } => {
                let memory = self.memory(word.object)?;
                LocalPart::Point(Blockpoint::of_word(memory, word.offset, *barrier, *kept)?, *side)
            }
            Piece::End(inner) => LocalPart::Own(self.cap(system, inner)?),
            Piece::Queue(queue) => LocalPart::Distant(*queue),
            Piece::File(_) => return Err(ErrorKind::Misbehaved.into()),
        })
    }
}

impl<K: Kernel> Local<Dynamic, K> {
    /// A system that is one component of several.
    ///
    /// # Errors
    ///
    /// `NoMemory`; what the machine refuses.
    pub fn within(
        kernel: K,
        outside: alloc::sync::Arc<dyn Outside<K>>,
    ) -> Result<Self, LocalError> {
        Self::make_within(kernel, Dynamic::new(), outside)
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
        parcel: Parcel,
        contents: impl IntoIterator<Item = Content<K::Memory>>,
    ) -> Result<Cap<K>, LocalError> {
        let cap = Cap::unpack(self.system(), parcel, contents)?;
        self.hold(&cap);
        Ok(cap)
    }

    /// A file that the machine below has opened.
    ///
    /// # Errors
    ///
    /// `NoMemory`.
    pub fn adopt(&self, OpenFile(file): OpenFile) -> Result<crate::File<K>, LocalError> {
        Ok(crate::File::of(self.system().create(file)?))
    }

    /// A point that no component is told about when it is stopped.
    ///
    /// # Errors
    ///
    /// `NoMemory`.
    pub fn lone_point(&self) -> Result<Blockpoint<K>, LocalError> {
        Blockpoint::unowned(self.system(), None)
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
