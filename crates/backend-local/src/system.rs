//! A system: the machine, the memory policy, and what all of its components share.
//!
//! Everything that is made in a system is an [`Object`] of it: counted, in memory of the policy,
//! and keeping the system alive.

use core::alloc::Layout;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Relaxed};

use res_api::{Barrier, ErrorKind, Exit};
use res_kernel::Kernel;
use res_sync::model::{Atomic, MemoryModel};
use res_sync::{Mutex, MutexGuard};

use crate::error::LocalError;
use crate::mem::MemObject;
use crate::names::Names;
use crate::objects::Objects;
use crate::outside::Outside;
use crate::policy::Policy;
use crate::pool::Pool;

/// A 32-bit atomic of the machine.
pub(crate) type U32<K> = <<K as res_sync::Park>::Model as MemoryModel>::U32;
/// A 64-bit atomic of the machine.
pub(crate) type U64<K> = <<K as res_sync::Park>::Model as MemoryModel>::U64;

/// More references than there can be handles in memory.
const MAX_COUNT: u32 = u32::MAX / 2;

pub(crate) struct System<K: Kernel, P: ?Sized = dyn Policy> {
    count: U32<K>,
    pub(crate) kernel: K,
    pub(crate) barrier: Barrier,
    next_id: U32<K>,
    /// Guards the lists that link objects with components and names.
    pub(crate) names: Mutex<K, Names<K>>,
    pub(crate) pool: Pool<K>,
    /// Where this is one component of several, what there is besides it.
    beyond: Option<Beyond<K>>,
    /// Moves the policy out and frees the memory of the system itself.
    dismantle: unsafe fn(NonNull<System<K>>),
    /// Last, so that the type can be erased.
    policy: Mutex<K, P>,
}

/// How a system that is one component of several reaches the others.
pub(crate) enum Reach<K: Kernel> {
    /// By what is there for ever. It is told when the system has ended.
    Static(&'static dyn Outside<K>),
    /// By what goes with the system.
    #[cfg(feature = "alloc")]
    Counted(alloc::sync::Arc<dyn Outside<K>>),
}

impl<K: Kernel> Deref for Reach<K> {
    type Target = dyn Outside<K>;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Static(outside) => *outside,
            #[cfg(feature = "alloc")]
            Self::Counted(outside) => &**outside,
        }
    }
}

impl<K: Kernel> Drop for Reach<K> {
    fn drop(&mut self) {
        match self {
            Self::Static(outside) => outside.ended(Exit::Success),
            #[cfg(feature = "alloc")]
            Self::Counted(_) => {}
        }
    }
}

/// What a system that is one component of several knows of the others.
struct Beyond<K: Kernel> {
    reach: Reach<K>,
    /// The memory objects that are here.
    objects: Mutex<K, Objects<K>>,
}

/// The object of that number, if it is not on its way out.
fn find<K: Kernel>(objects: &mut Objects<K>, id: u64) -> Option<Ref<MemObject<K>, K>> {
    // SAFETY: an object takes itself out, under the lock of the list, before its memory goes.
    objects.find(id).and_then(|known| unsafe { Ref::upgrade(known) })
}

impl<K: Kernel> Beyond<K> {
    fn new(kernel: &K, reach: Reach<K>, policy: &mut impl Policy) -> Result<Self, LocalError> {
        let point = kernel.point()?;
        let objects = Objects::new(policy).ok_or(ErrorKind::NoMemory)?;
        let objects = Mutex::new(kernel.clone(), point, kernel.barrier(), objects);
        Ok(Self { reach, objects })
    }

    /// The system has ended, and all that was made in it is gone.
    ///
    /// # Safety
    ///
    /// It was made with that policy.
    unsafe fn end(self, policy: &mut impl Policy) {
        // SAFETY: the caller's promise.
        unsafe { self.objects.into_inner().free(policy) };
    }
}

/// Keeps a system alive.
pub(crate) struct SystemRef<K: Kernel>(NonNull<System<K>>);

// SAFETY: a system is shared by threads: counts are atomic, the rest is behind locks or constant.
unsafe impl<K: Kernel> Send for SystemRef<K> {}
// SAFETY: as for `Send`.
unsafe impl<K: Kernel> Sync for SystemRef<K> {}

impl<K: Kernel> SystemRef<K> {
    pub(crate) fn new<P: Policy>(
        kernel: K,
        mut policy: P,
        reach: Option<Reach<K>>,
    ) -> Result<Self, LocalError> {
        let barrier = kernel.barrier();
        // A machine may count its cores once. It does so now: a first thread that has pinned itself
        // by the first wait would make it look like one core, and then nobody spins.
        kernel.cores();
        let (names_point, policy_point) = (kernel.point()?, kernel.point()?);
        let pool = Pool::new(&kernel, barrier)?;
        let beyond = reach.map(|reach| Beyond::new(&kernel, reach, &mut policy)).transpose()?;
        let memory = policy
            .alloc(Layout::new::<System<K, P>>())
            .ok_or(ErrorKind::NoMemory)?
            .cast::<System<K, P>>();
        let system = System {
            count: Atomic::new(1),
            barrier,
            next_id: Atomic::new(1),
            names: Mutex::new(kernel.clone(), names_point, barrier, Names::new()),
            pool,
            beyond,
            dismantle: dismantle::<K, P>,
            policy: Mutex::new(kernel.clone(), policy_point, barrier, policy),
            kernel,
        };
        // SAFETY: memory of that layout, which nobody else has.
        unsafe { memory.write(system) };
        let erased: *mut System<K> = memory.as_ptr();
        NonNull::new(erased).map(Self).ok_or(ErrorKind::NoMemory.into())
    }

    /// What there is besides this component, where it is one of several.
    pub(crate) fn outside(&self) -> Option<&dyn Outside<K>> {
        self.beyond.as_ref().map(|beyond| &*beyond.reach)
    }

    /// The memory object of that number is of no use here.
    pub(crate) fn forget_outside(&self, id: u64) {
        if let Some(outside) = self.outside() {
            outside.forget(id);
        }
    }

    /// From now on the memory object is known here by its number.
    pub(crate) fn note_object(&self, object: &MemObject<K>) {
        if let Some(beyond) = &self.beyond {
            beyond.objects.lock().put(object);
        }
    }

    /// It is on its way out.
    pub(crate) fn forget_object(&self, object: &MemObject<K>) {
        if let Some(beyond) = &self.beyond {
            beyond.objects.lock().remove(object);
        }
    }

    /// What stands here for that memory object, which has come: what stood for it before, or
    /// something new. After an error nothing has stood for it.
    pub(crate) fn object_or_new(
        &self,
        id: u64,
        memory: K::Memory,
        bytes: u64,
    ) -> Result<Ref<MemObject<K>, K>, LocalError> {
        let beyond = self.beyond.as_ref().ok_or(ErrorKind::Invalid)?;
        // Before the lock, which it takes as it goes, where it is not needed.
        let place = self.vacant()?;
        let object = place.fill(MemObject::of_object(self, id, memory, bytes, false)?);
        let mut objects = beyond.objects.lock();
        let known = find(&mut objects, id);
        // One that was for reading only is of no use for more.
        let enough = known.as_ref().is_some_and(|it| it.is_writable() || !object.is_writable());
        if !enough {
            objects.put(&object);
        }
        drop(objects);
        Ok(known.filter(|_| enough).unwrap_or(object))
    }

    /// What stands here for that memory object, if anything does.
    pub(crate) fn known_object(&self, id: u64) -> Option<Ref<MemObject<K>, K>> {
        find(&mut self.beyond.as_ref()?.objects.lock(), id)
    }

    /// The same system.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.0.addr() == other.0.addr()
    }

    /// An object of this system.
    pub(crate) fn create<T>(&self, value: T) -> Result<Ref<T, K>, LocalError> {
        Ok(self.vacant()?.fill(value))
    }

    /// Memory for an object of this system that is still to be made.
    pub(crate) fn vacant<T>(&self) -> Result<Vacant<T, K>, LocalError> {
        let layout = Layout::new::<Object<T, K>>();
        let memory = self.alloc(layout).ok_or(ErrorKind::NoSlots)?.cast();
        Ok(Vacant { memory, system: self.clone() })
    }

    /// Memory of the policy.
    pub(crate) fn alloc(&self, layout: Layout) -> Option<NonNull<u8>> {
        self.policy.lock().alloc(layout)
    }

    /// Gives memory back to the policy.
    ///
    /// # Safety
    ///
    /// It came from [`alloc`](Self::alloc) with that layout, and nobody uses it any more.
    pub(crate) unsafe fn free(&self, memory: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.policy.lock().free(memory, layout) };
    }

    /// A number that no other object of this system has had (until it wraps).
    pub(crate) fn next_id(&self) -> u32 {
        self.next_id.fetch_add(1, Relaxed)
    }

    /// The lock over all lists.
    pub(crate) fn lists(&self) -> MutexGuard<'_, K, Names<K>> {
        self.names.lock()
    }
}

impl<K: Kernel> Deref for SystemRef<K> {
    type Target = System<K>;

    fn deref(&self) -> &System<K> {
        // SAFETY: alive as long as it is counted.
        unsafe { self.0.as_ref() }
    }
}

impl<K: Kernel> Clone for SystemRef<K> {
    fn clone(&self) -> Self {
        // Relaxed: whoever clones has one, so it cannot go away meanwhile.
        assert!(self.count.fetch_add(1, Relaxed) < MAX_COUNT, "more references than memory");
        Self(self.0)
    }
}

impl<K: Kernel> SystemRef<K> {
    /// Lets go; true if it was the last one, and the system has ended.
    pub(crate) fn release(self) -> bool {
        core::mem::ManuallyDrop::new(self).let_go()
    }

    fn let_go(&mut self) -> bool {
        // AcqRel: the last one sees what all others did before they let go.
        let last = self.count.fetch_add(u32::MAX, AcqRel) == 1;
        if last {
            self.pool.shut_down(self);
            // SAFETY: the last reference, made by `new` with this function for its policy.
            unsafe { (self.dismantle)(self.0) };
        }
        last
    }
}

impl<K: Kernel> Drop for SystemRef<K> {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Ends a system.
///
/// # Safety
///
/// `system` was made with the policy `P`, and nobody uses it any more.
unsafe fn dismantle<K: Kernel, P: Policy>(system: NonNull<System<K>>) {
    let system = system.cast::<System<K, P>>();
    // SAFETY: the last to know it; what is moved out is not used in place again.
    let System { policy, names, pool, beyond, kernel, .. } = unsafe { system.read() };
    let mut policy = policy.into_inner();
    drop((names, pool, kernel));
    if let Some(beyond) = beyond {
        // SAFETY: `new` made it with this policy. Whoever wants the memory of a region waits until
        // the policy goes, which is behind this.
        unsafe { beyond.end(&mut policy) };
    }
    // SAFETY: it came from this policy with that layout.
    unsafe { policy.free(system.cast(), Layout::new::<System<K, P>>()) };
}

/// Something made in a system.
struct Object<T, K: Kernel> {
    count: U32<K>,
    system: SystemRef<K>,
    value: T,
}

/// Memory for something that is still to be made in a system. Dropped, it goes back.
pub(crate) struct Vacant<T, K: Kernel> {
    memory: NonNull<Object<T, K>>,
    system: SystemRef<K>,
}

impl<T, K: Kernel> Vacant<T, K> {
    pub(crate) fn fill(self, value: T) -> Ref<T, K> {
        let this = core::mem::ManuallyDrop::new(self);
        // SAFETY: moved out, and not dropped.
        let system = unsafe { core::ptr::read(&raw const this.system) };
        // SAFETY: memory of that layout, which nobody else has.
        unsafe { this.memory.write(Object { count: Atomic::new(1), system, value }) };
        Ref(this.memory)
    }
}

impl<T, K: Kernel> Drop for Vacant<T, K> {
    fn drop(&mut self) {
        // SAFETY: it came from there with that layout, and was not filled.
        unsafe { self.system.free(self.memory.cast(), Layout::new::<Object<T, K>>()) };
    }
}

/// A counted reference to something made in a system.
pub(crate) struct Ref<T, K: Kernel>(NonNull<Object<T, K>>);

// SAFETY: like `Arc`: shared and dropped by any thread that has one.
unsafe impl<T: Send + Sync, K: Kernel> Send for Ref<T, K> {}
// SAFETY: like `Arc`.
unsafe impl<T: Send + Sync, K: Kernel> Sync for Ref<T, K> {}

impl<T, K: Kernel> Ref<T, K> {
    fn object(&self) -> &Object<T, K> {
        // SAFETY: alive as long as it is counted.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn system(&self) -> &SystemRef<K> {
        &self.object().system
    }

    /// The same object.
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// The address of the value, which names the object as long as it lives.
    pub(crate) fn as_ptr(&self) -> *const T {
        &raw const self.object().value
    }

    /// What [`into_raw`](Self::into_raw) would return, without giving the reference up.
    pub(crate) fn as_raw(&self) -> *mut () {
        self.0.as_ptr().cast()
    }

    /// To give to somebody who will make a reference of it again by [`from_raw`](Self::from_raw).
    pub(crate) fn into_raw(self) -> *mut () {
        let raw = self.0.as_ptr().cast();
        core::mem::forget(self);
        raw
    }

    /// # Safety
    ///
    /// `raw` came from [`into_raw`](Self::into_raw) of the same type, once.
    pub(crate) unsafe fn from_raw(raw: *mut ()) -> Self {
        // SAFETY: not null, since it came from a reference.
        Self(unsafe { NonNull::new_unchecked(raw.cast()) })
    }

    /// A reference to an object that may be on its way out; none if it is.
    ///
    /// # Safety
    ///
    /// `value` came from [`as_ptr`](Self::as_ptr), and the object's memory is not freed meanwhile.
    pub(crate) unsafe fn upgrade(value: *const T) -> Option<Self> {
        let offset = core::mem::offset_of!(Object<T, K>, value);
        // SAFETY: `value` lies within an object, says the caller.
        let object = unsafe { value.byte_sub(offset).cast::<Object<T, K>>().cast_mut() };
        // SAFETY: its memory is there, and the count is an atomic.
        let count = unsafe { &(*object).count };
        let mut seen = count.load(Relaxed);
        while seen != 0 {
            // AcqRel: as if the reference had been cloned from one that still lives.
            match count.compare_exchange(seen, seen + 1, AcqRel, Relaxed) {
                Ok(_) => return NonNull::new(object).map(Self),
                Err(now) => seen = now,
            }
        }
        None
    }

    /// The value, if this is the only reference.
    pub(crate) fn is_unique(&self) -> bool {
        // AcqRel by a read-modify-write that changes nothing: sees what those who let go did.
        self.object().count.fetch_add(0, AcqRel) == 1
    }
}

impl<T, K: Kernel> Deref for Ref<T, K> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: alive as long as it is counted.
        unsafe { &(*self.0.as_ptr()).value }
    }
}

impl<T, K: Kernel> Clone for Ref<T, K> {
    fn clone(&self) -> Self {
        // Relaxed: whoever clones has one, so it cannot go away meanwhile.
        let count = self.object().count.fetch_add(1, Relaxed);
        assert!(count < MAX_COUNT, "more references than memory");
        Self(self.0)
    }
}

impl<T, K: Kernel> Drop for Ref<T, K> {
    fn drop(&mut self) {
        // AcqRel: the last one sees what all others did before they let go.
        if self.object().count.fetch_add(u32::MAX, AcqRel) != 1 {
            return;
        }
        // SAFETY: the last reference; value and system are moved out before the memory goes.
        unsafe {
            let system = core::ptr::read(&raw const (*self.0.as_ptr()).system);
            core::ptr::drop_in_place(&raw mut (*self.0.as_ptr()).value);
            system.free(self.0.cast(), Layout::new::<Object<T, K>>());
        }
    }
}

impl<T, K: Kernel> core::fmt::Debug for Ref<T, K> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(core::any::type_name::<T>().rsplit("::").next().unwrap_or_default())
    }
}
