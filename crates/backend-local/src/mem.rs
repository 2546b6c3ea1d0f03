//! Memory: in one address space a mapping is a view of the same bytes, and rights are kept by the
//! types.

use core::alloc::Layout;
use core::cell::Cell;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use res_api::{
    CastError, CastReason, Desc, ErrorKind, FromCap, IntoCap, MemoryModel, Rights, Role,
};
use res_kernel::{Access, Kernel, KernelMemory};
use res_sync::Mutex;
use res_sync::model::{Atomic, bytes};

use crate::blockpoint::Point;
use crate::cap::Cap;
use crate::error::LocalError;
use crate::outside::{Outside, WordId};
use crate::system::{Ref, SystemRef, U32, U64};

const LINE: usize = 64;
const WORD: u64 = 8;

/// What handles and views of memory refer to.
pub(crate) struct MemObject<K: Kernel> {
    base: NonNull<u8>,
    layout: Layout,
    /// What it is outside of this component, if it is known there.
    object: Option<Object<K>>,
    /// The queue of capabilities over which it is meant to go; 0 for none.
    over: u64,
    system: SystemRef<K>,
}

/// A memory object of the machine, which several components may have mapped. It begins with places
/// for words.
struct Object<K: Kernel> {
    id: u64,
    memory: K::Memory,
    /// How many words are in use; all of them where it was made elsewhere.
    words: U32<K>,
    /// It has been given away, or has come from elsewhere.
    travelled: U32<K>,
    points: Mutex<K, [*const Point<K>; WORDS]>,
    /// The next one among those that are known; under their lock.
    next: Cell<*const MemObject<K>>,
}

/// Words at the beginning of an object; each with a second one, which says what bell to ring.
const WORDS: usize = 16;
pub(crate) const PLACE: usize = 16;
/// What of an object is not for its users.
pub(crate) const HEADER: usize = WORDS * PLACE;

// SAFETY: the bytes are reached by atomics and copies, or by the one private handle.
unsafe impl<K: Kernel> Send for MemObject<K> {}
// SAFETY: as for `Send`.
unsafe impl<K: Kernel> Sync for MemObject<K> {}

impl<K: Kernel> Drop for MemObject<K> {
    fn drop(&mut self) {
        match &self.object {
            None => {
                // SAFETY: it came from `alloc` with that layout, and the last reference is going.
                unsafe { self.system.free(self.base, self.layout) };
            }
            Some(object) => {
                self.system.forget_object(self);
                if let Some(outside) = self.system.outside() {
                    outside.forget(object.id);
                }
            }
        }
    }
}

impl<K: Kernel> MemObject<K> {
    /// What stands for a memory object of the machine, and for `bytes` of it at most.
    pub(crate) fn of_object(
        system: &SystemRef<K>,
        id: u64,
        memory: K::Memory,
        bytes: u64,
        made_here: bool,
    ) -> Result<Self, LocalError> {
        let len = memory.len().saturating_sub(HEADER as u64).min(bytes);
        let layout = usize::try_from(len)
            .ok()
            .filter(|len| *len > 0)
            .and_then(|len| Layout::from_size_align(len, LINE).ok())
            .ok_or(ErrorKind::Misbehaved)?;
        // SAFETY: longer than the header.
        let base = unsafe { memory.base().add(HEADER) };
        let kernel = &system.kernel;
        let points =
            Mutex::new(kernel.clone(), kernel.point()?, system.barrier, [core::ptr::null(); WORDS]);
        let object = Object {
            id,
            memory,
            words: Atomic::new(if made_here { 0 } else { WORDS as u32 }),
            travelled: Atomic::new(u32::from(!made_here)),
            points,
            next: Cell::new(core::ptr::null()),
        };
        Ok(Self { base, layout, object: Some(object), over: 0, system: system.clone() })
    }

    /// Its number outside; 0 where it has none.
    pub(crate) fn id(&self) -> u64 {
        self.object.as_ref().map_or(0, |object| object.id)
    }

    /// Whether it is mapped for writing. One that has come for reading only stays so.
    pub(crate) fn is_writable(&self) -> bool {
        let access = self.object.as_ref().map(|object| object.memory.access());
        access.is_none_or(|access| access == Access::ReadWrite)
    }

    /// The next one among those that are known; none where it has no number.
    pub(crate) fn next_known(&self) -> Option<&Cell<*const Self>> {
        self.object.as_ref().map(|object| &object.next)
    }

    /// It is given away.
    pub(crate) fn travels(&self) {
        if let Some(object) = &self.object {
            object.travelled.store(1, Relaxed);
        }
    }

    fn has_travelled(&self) -> bool {
        self.object.as_ref().is_some_and(|object| object.travelled.load(Relaxed) != 0)
    }

    /// The first word of a place.
    pub(crate) fn word_place(&self, offset: u32) -> Option<NonNull<U64<K>>> {
        let object = self.object.as_ref()?;
        let offset = offset as usize;
        if !offset.is_multiple_of(PLACE) || offset >= HEADER {
            return None;
        }
        // SAFETY: within the header, which is there.
        Some(unsafe { object.memory.base().add(offset).cast() })
    }

    /// A place that nobody has used yet.
    pub(crate) fn next_word(&self) -> Option<(WordId, NonNull<U64<K>>)> {
        let object = self.object.as_ref()?;
        let mut used = object.words.load(Relaxed);
        loop {
            if used as usize >= WORDS {
                return None;
            }
            match object.words.compare_exchange(used, used + 1, AcqRel, Relaxed) {
                Err(now) => used = now,
                Ok(_) => break,
            }
        }
        let offset = used * PLACE as u32;
        let place = self.word_place(offset)?;
        Some((WordId { object: object.id, offset }, place))
    }

    /// The word beside that of the place.
    fn bell_word(&self, offset: u32) -> Option<&U64<K>> {
        let place = self.word_place(offset)?;
        // SAFETY: the second half of the place; everybody uses it by atomics.
        Some(unsafe { place.add(1).as_ref() })
    }

    /// Which bell is to be rung for the word at that place. Whoever has the memory can say so.
    pub(crate) fn bell(&self, offset: u32) -> u64 {
        // Acquire: partners the Release of `set_bell`.
        self.bell_word(offset).map_or(0, |word| word.load(Acquire))
    }

    pub(crate) fn set_bell(&self, offset: u32, bell: u64) {
        if let Some(word) = self.bell_word(offset) {
            word.store(bell, Release);
        }
    }

    /// From now on that is the point of the place.
    pub(crate) fn set_point(&self, offset: u32, point: *const Point<K>) {
        if let Some(object) = &self.object {
            object.points.lock()[offset as usize / PLACE] = point;
        }
    }

    /// The point of a place, or a new one.
    pub(crate) fn point_or(
        &self,
        offset: u32,
        make: impl FnOnce() -> Result<Ref<Point<K>, K>, LocalError>,
    ) -> Result<Ref<Point<K>, K>, LocalError> {
        let object = self.object.as_ref().ok_or(ErrorKind::Invalid)?;
        let mut points = object.points.lock();
        let place = points.get_mut(offset as usize / PLACE).ok_or(ErrorKind::Invalid)?;
        if !place.is_null() {
            // SAFETY: a point takes itself out, under this lock, before its memory goes.
            if let Some(point) = unsafe { Ref::upgrade(*place) } {
                return Ok(point);
            }
        }
        let point = make()?;
        *place = point.as_ptr();
        Ok(point)
    }

    /// That point is on its way out.
    pub(crate) fn forget_point(&self, offset: u32, point: *const Point<K>) {
        if let Some(object) = &self.object {
            let place = &mut object.points.lock()[offset as usize / PLACE];
            if core::ptr::eq(*place, point) {
                *place = core::ptr::null();
            }
        }
    }
}

/// Private memory of a local system.
///
/// ```
/// use backend_local::Local;
/// use res_api::{Backend, Mem};
///
/// let mut memory = Local::new()?.mem(100)?;
/// memory.bytes_mut()[99] = 1;
/// assert!(memory.len() >= 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Mem<K: Kernel>(Ref<MemObject<K>, K>);

impl<K: Kernel> Mem<K> {
    /// `over`: the queue of capabilities over which it is meant to go, by its number; 0 for none.
    pub(crate) fn new(system: &SystemRef<K>, bytes: u64, over: u64) -> Result<Self, LocalError> {
        if bytes == 0 {
            return Err(ErrorKind::Invalid.into());
        }
        let layout = usize::try_from(bytes)
            .ok()
            .and_then(|bytes| bytes.checked_next_multiple_of(LINE))
            .and_then(|bytes| Layout::from_size_align(bytes, LINE).ok())
            .ok_or(ErrorKind::NoMemory)?;
        let base = system.alloc(layout).ok_or(ErrorKind::NoMemory)?;
        // SAFETY: memory of that layout, which nobody else has.
        unsafe { base.write_bytes(0, layout.size()) };
        let object = MemObject { base, layout, object: None, over, system: system.clone() };
        Ok(Self(system.create(object)?))
    }

    /// The same bytes in a memory object that can be known outside of this component.
    fn published(&self, outside: &dyn Outside<K>) -> Result<Ref<MemObject<K>, K>, LocalError> {
        let system = self.0.system();
        let layout = self.0.layout;
        let (id, memory) = outside.memory((layout.size() + HEADER) as u64, self.0.over)?;
        let object = MemObject::of_object(system, id, memory, layout.size() as u64, true);
        let object = object.inspect_err(|_| outside.forget(id))?;
        if self.0.over != 0 {
            // Somebody else may have it mapped.
            object.travels();
        }
        // SAFETY: both have so many bytes, whole words, and nobody else knows those here.
        unsafe { bytes::put::<K::Model>(object.base, self.0.base.as_ptr(), layout.size()) };
        let object = system.create(object)?;
        system.note_object(&object);
        Ok(object)
    }
}

impl<K: Kernel> fmt::Debug for Mem<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mem({} bytes)", self.0.layout.size())
    }
}

impl<K: Kernel> res_api::Mem for Mem<K> {
    type Shared = SharedMem<K>;

    fn bytes(&self) -> &[u8] {
        // SAFETY: initialised by `new`; private, and borrowed with the handle.
        unsafe { core::slice::from_raw_parts(self.0.base.as_ptr(), self.0.layout.size()) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and borrowed mutably.
        unsafe { core::slice::from_raw_parts_mut(self.0.base.as_ptr(), self.0.layout.size()) }
    }

    fn share(self) -> SharedMem<K> {
        let object = match self.0.system().outside() {
            // What cannot be known outside stays here: whoever maps it, or gives it away, is told.
            Some(outside) if self.0.object.is_none() => self.published(outside).unwrap_or(self.0),
            _ => self.0,
        };
        SharedMem { object, rights: Rights::all() }
    }
}

/// Shared memory of a local system.
///
/// ```
/// use backend_local::Local;
/// use res_api::{Backend, Map, Mem, Rights, SharedMem};
///
/// let memory = Local::new()?.mem(64)?.share();
/// let view = memory.map(Rights::READ | Rights::WRITE)?;
/// view.copy_in(0, b"hi")?;
/// assert!(memory.alias(Rights::READ)?.map(Rights::WRITE).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SharedMem<K: Kernel> {
    object: Ref<MemObject<K>, K>,
    rights: Rights,
}

impl<K: Kernel> SharedMem<K> {
    pub(crate) fn of(object: Ref<MemObject<K>, K>, rights: Rights) -> Self {
        Self { object, rights }
    }

    pub(crate) fn object(&self) -> &Ref<MemObject<K>, K> {
        &self.object
    }

    pub(crate) fn with_rights(mut self, rights: Rights) -> Self {
        self.rights &= rights;
        self
    }

    pub(crate) fn duplicate(&self) -> Self {
        Self { object: self.object.clone(), rights: self.rights }
    }

    pub(crate) fn desc(&self) -> Desc {
        Desc::plain(Role::Mem, self.object.layout.size() as u64)
    }
}

impl<K: Kernel> fmt::Debug for SharedMem<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedMem({} bytes, {:?})", self.object.layout.size(), self.rights)
    }
}

impl<K: Kernel> res_api::SharedMem for SharedMem<K> {
    type Error = LocalError;
    type Private = Mem<K>;
    type Map = Map<K>;

    fn len(&self) -> u64 {
        self.object.layout.size() as u64
    }

    fn rights(&self) -> Rights {
        self.rights
    }

    fn alias(&self, rights: Rights) -> Result<Self, LocalError> {
        if !self.rights.contains(rights) {
            return Err(ErrorKind::Denied.into());
        }
        Ok(Self { object: self.object.clone(), rights })
    }

    fn unshare(self) -> Result<Mem<K>, Self> {
        let alone = self.object.is_unique() && !self.object.has_travelled();
        if self.rights == Rights::all() && alone { Ok(Mem(self.object)) } else { Err(self) }
    }

    fn map(&self, rights: Rights) -> Result<Map<K>, LocalError> {
        if !self.rights.contains(rights) {
            return Err(ErrorKind::Denied.into());
        }
        if self.object.system().outside().is_some() && self.object.object.is_none() {
            return Err(ErrorKind::NoMemory.into());
        }
        if rights.contains(Rights::WRITE) && !self.object.is_writable() {
            return Err(ErrorKind::Denied.into());
        }
        Ok(Map { object: self.object.clone(), rights })
    }
}

impl<K: Kernel> IntoCap<Cap<K>> for SharedMem<K> {
    fn into_cap(self) -> Cap<K> {
        let rights = self.rights;
        Cap::of_memory(self, rights)
    }
}

impl<K: Kernel> FromCap<Cap<K>> for SharedMem<K> {
    fn accepts(desc: &Desc) -> Result<(), CastReason> {
        desc.expect(Role::Mem, res_api::KindId::NONE, res_api::Tag::NONE)
    }

    fn attach(cap: Cap<K>) -> Result<Self, CastError<Cap<K>>> {
        cap.into_memory().map_err(|cap| {
            let reason = CastReason::Parts(ErrorKind::Invalid);
            CastError::new(cap, reason)
        })
    }
}

/// A view of shared memory of a local system.
///
/// ```
/// use core::sync::atomic::Ordering::Relaxed;
///
/// use backend_local::Local;
/// use res_api::{Backend, Map, Mem, Rights, SharedMem};
///
/// let view = Local::new()?.mem(64)?.share().map(Rights::READ | Rights::WRITE)?;
/// view.word(8)?.store(7, Relaxed);
/// assert_eq!(view.load(8)?, 7);
/// assert!(view.load(64).is_err(), "behind the end");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Map<K: Kernel> {
    object: Ref<MemObject<K>, K>,
    rights: Rights,
}

impl<K: Kernel> Clone for Map<K> {
    fn clone(&self) -> Self {
        Self { object: self.object.clone(), rights: self.rights }
    }
}

impl<K: Kernel> fmt::Debug for Map<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map({} bytes, {:?})", self.object.layout.size(), self.rights)
    }
}

/// A word of the machine.
type Word<K> = <<K as res_sync::Park>::Model as MemoryModel>::U64;

impl<K: Kernel> Map<K> {
    fn len_bytes(&self) -> u64 {
        self.object.layout.size() as u64
    }

    /// The word that begins at `offset`, wherever that is within the memory.
    fn word_at(&self, offset: u64) -> &Word<K> {
        debug_assert!(offset.is_multiple_of(WORD) && offset + WORD <= self.len_bytes());
        // SAFETY: within the memory, aligned, initialised; the model's words are plain memory
        // (`Mapped`), and everybody uses them by atomics.
        unsafe { self.object.base.add(offset as usize).cast::<Word<K>>().as_ref() }
    }

    /// How many bytes of a range are in front of its whole words, and how many are in these.
    fn around_words(&self, offset: u64, len: usize) -> Result<(usize, usize), ErrorKind> {
        let end = offset.checked_add(len as u64).ok_or(ErrorKind::Invalid)?;
        if end > self.len_bytes() {
            return Err(ErrorKind::Invalid);
        }
        let head = ((offset.next_multiple_of(WORD) - offset) as usize).min(len);
        Ok((head, (len - head) / WORD as usize * WORD as usize))
    }

    /// Changes a part of a word, and nothing else: the other bytes may be somebody else's.
    fn put_part(&self, offset: u64, bytes: &[u8]) {
        let Some((word, part)) = self.part(offset, bytes.len()) else { return };
        let (mut mask, mut value) = ([0; WORD as usize], [0; WORD as usize]);
        mask[part.clone()].fill(0xff);
        value[part].copy_from_slice(bytes);
        replace(word, u64::from_ne_bytes(mask), u64::from_ne_bytes(value));
    }

    fn take_part(&self, offset: u64, bytes: &mut [u8]) {
        let Some((word, part)) = self.part(offset, bytes.len()) else { return };
        bytes.copy_from_slice(&word.load(Relaxed).to_ne_bytes()[part]);
    }

    /// The word that these bytes are in, and where in it; none for no bytes.
    fn part(&self, offset: u64, len: usize) -> Option<(&Word<K>, core::ops::Range<usize>)> {
        let start = (offset % WORD) as usize;
        (len != 0).then(|| (self.word_at(offset / WORD * WORD), start..start + len))
    }
}

impl<K: Kernel> res_api::Map for Map<K> {
    type Model = K::Model;

    fn base(&self) -> NonNull<u8> {
        self.object.base
    }

    fn len(&self) -> u64 {
        self.len_bytes()
    }

    fn rights(&self) -> Rights {
        self.rights
    }

    fn copy_in(&self, offset: u64, bytes: &[u8]) -> Result<(), ErrorKind> {
        if !self.rights.contains(Rights::WRITE) {
            return Err(ErrorKind::Denied);
        }
        let (head, whole) = self.around_words(offset, bytes.len())?;
        let ((head, rest), behind) = (bytes.split_at(head), offset + head as u64);
        let (words, tail) = rest.split_at(whole);
        self.put_part(offset, head);
        // SAFETY: whole words within the memory, which everybody uses by atomics or assembly; or none
        // at all, and then nothing is touched.
        unsafe {
            let at = self.object.base.add(behind as usize);
            bytes::put::<K::Model>(at, words.as_ptr(), words.len());
        }
        self.put_part(behind + whole as u64, tail);
        Ok(())
    }

    fn copy_out(&self, offset: u64, bytes: &mut [u8]) -> Result<(), ErrorKind> {
        if !self.rights.contains(Rights::READ) {
            return Err(ErrorKind::Denied);
        }
        let (head, whole) = self.around_words(offset, bytes.len())?;
        let ((head, rest), behind) = (bytes.split_at_mut(head), offset + head as u64);
        let (words, tail) = rest.split_at_mut(whole);
        self.take_part(offset, head);
        // SAFETY: whole words within the memory, which everybody uses by atomics or assembly; or none
        // at all, and then nothing is touched.
        unsafe {
            let at = self.object.base.add(behind as usize);
            bytes::take::<K::Model>(at, words.as_mut_ptr(), words.len());
        }
        self.take_part(behind + whole as u64, tail);
        Ok(())
    }

    fn word(&self, offset: u64) -> Result<&Word<K>, ErrorKind> {
        if !self.rights.contains(Rights::WRITE) {
            return Err(ErrorKind::Denied);
        }
        self.checked_word(offset)
    }

    fn load(&self, offset: u64) -> Result<u64, ErrorKind> {
        if !self.rights.contains(Rights::READ) {
            return Err(ErrorKind::Denied);
        }
        Ok(self.checked_word(offset)?.load(Acquire))
    }
}

impl<K: Kernel> Map<K> {
    fn checked_word(&self, offset: u64) -> Result<&Word<K>, ErrorKind> {
        let end = offset.checked_add(WORD).ok_or(ErrorKind::Invalid)?;
        if !offset.is_multiple_of(WORD) || end > self.len_bytes() {
            return Err(ErrorKind::Invalid);
        }
        Ok(self.word_at(offset))
    }
}

/// Changes the bytes of a word that are in `mask`, and no others.
fn replace(word: &impl Atomic<u64>, mask: u64, value: u64) {
    let mut seen = word.load(Relaxed);
    while let Err(found) = word.compare_exchange(seen, seen & !mask | value, AcqRel, Relaxed) {
        seen = found;
    }
}
