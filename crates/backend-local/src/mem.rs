//! Memory: in one address space a mapping is a view of the same bytes, and rights are kept by the
//! types.

use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};

use res_api::{
    CastError, CastReason, Desc, ErrorKind, FromCap, IntoCap, MemoryModel, Rights, Role,
};
use res_kernel::Kernel;
use res_sync::model::Atomic;

use crate::cap::Cap;
use crate::error::LocalError;
use crate::system::{Ref, SystemRef};

const LINE: usize = 64;
const WORD: u64 = 8;

/// What handles and views of memory refer to.
pub(crate) struct MemObject<K: Kernel> {
    base: NonNull<u8>,
    layout: Layout,
    system: SystemRef<K>,
}

// SAFETY: the bytes are reached by atomics and copies, or by the one private handle.
unsafe impl<K: Kernel> Send for MemObject<K> {}
// SAFETY: as for `Send`.
unsafe impl<K: Kernel> Sync for MemObject<K> {}

impl<K: Kernel> Drop for MemObject<K> {
    fn drop(&mut self) {
        // SAFETY: it came from `alloc` with that layout, and the last reference is going.
        unsafe { self.system.free(self.base, self.layout) };
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
    pub(crate) fn new(system: &SystemRef<K>, bytes: u64) -> Result<Self, LocalError> {
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
        let object = MemObject { base, layout, system: system.clone() };
        Ok(Self(system.create(object)?))
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
        SharedMem { object: self.0, rights: Rights::all() }
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
        if self.rights == Rights::all() && self.object.is_unique() {
            Ok(Mem(self.object))
        } else {
            Err(self)
        }
    }

    fn map(&self, rights: Rights) -> Result<Map<K>, LocalError> {
        if !self.rights.contains(rights) {
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

    /// Calls `each` with every word that the range touches, and the part of it that is meant.
    fn for_words(
        &self,
        offset: u64,
        len: usize,
        mut each: impl FnMut(&Word<K>, core::ops::Range<usize>, core::ops::Range<usize>),
    ) -> Result<(), ErrorKind> {
        let end = offset.checked_add(len as u64).ok_or(ErrorKind::Invalid)?;
        if end > self.len_bytes() {
            return Err(ErrorKind::Invalid);
        }
        let mut at = offset;
        while at < end {
            let word = at / WORD * WORD;
            let stop = end.min(word + WORD);
            let of_word = (at - word) as usize..(stop - word) as usize;
            let of_bytes = (at - offset) as usize..(stop - offset) as usize;
            each(self.word_at(word), of_word, of_bytes);
            at = stop;
        }
        Ok(())
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
        self.for_words(offset, bytes.len(), |word, part, from| {
            if part == (0..WORD as usize) {
                let mut value = [0; WORD as usize];
                value.copy_from_slice(&bytes[from]);
                word.store(u64::from_ne_bytes(value), Relaxed);
                return;
            }
            // The other bytes of the word may be somebody else's: change only ours.
            let (mut mask, mut value) = ([0; WORD as usize], [0; WORD as usize]);
            mask[part.clone()].fill(0xff);
            value[part].copy_from_slice(&bytes[from]);
            replace(word, u64::from_ne_bytes(mask), u64::from_ne_bytes(value));
        })
    }

    fn copy_out(&self, offset: u64, bytes: &mut [u8]) -> Result<(), ErrorKind> {
        if !self.rights.contains(Rights::READ) {
            return Err(ErrorKind::Denied);
        }
        self.for_words(offset, bytes.len(), |word, part, to| {
            let value = word.load(Relaxed).to_ne_bytes();
            bytes[to].copy_from_slice(&value[part]);
        })
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
