//! The memory objects that a component knows, by their numbers: chains through the objects.

use core::alloc::Layout;
use core::ptr::{self, NonNull};

use res_kernel::Kernel;

use crate::mem::MemObject;
use crate::policy::Policy;

/// How many chains there are; numbers are given out one after the other.
const CHAINS: usize = 256;

/// The first of each chain.
type Chains<K> = [*const MemObject<K>; CHAINS];

/// Chains in memory of the policy, which [`free`](Self::free) gives back. Used under a lock. An object
/// takes itself out, under that lock, before its memory goes.
pub(crate) struct Objects<K: Kernel>(NonNull<Chains<K>>);

// SAFETY: memory of its own, with addresses of objects that any thread may have.
unsafe impl<K: Kernel> Send for Objects<K> {}

impl<K: Kernel> Objects<K> {
    /// None are known; none where there is no memory.
    pub(crate) fn new(policy: &mut impl Policy) -> Option<Self> {
        let chains = policy.alloc(Layout::new::<Chains<K>>())?.cast::<Chains<K>>();
        // SAFETY: memory of that layout, which nobody else has.
        unsafe { chains.write([ptr::null(); CHAINS]) };
        Some(Self(chains))
    }

    /// Gives the memory back.
    ///
    /// # Safety
    ///
    /// It came from that policy.
    pub(crate) unsafe fn free(self, policy: &mut impl Policy) {
        // SAFETY: from `new`, says the caller, and with this nobody uses it any more.
        unsafe { policy.free(self.0.cast(), Layout::new::<Chains<K>>()) };
    }

    fn chain(&mut self, id: u64) -> &mut *const MemObject<K> {
        // SAFETY: written by `new`, and borrowed with this.
        let chains = unsafe { self.0.as_mut() };
        &mut chains[id as usize % CHAINS]
    }

    /// The object of that number, which may be on its way out.
    pub(crate) fn find(&mut self, id: u64) -> Option<*const MemObject<K>> {
        let mut at = *self.chain(id);
        // SAFETY: what is in a chain is there, see above.
        while let Some(object) = unsafe { at.as_ref() } {
            if object.id() == id {
                return Some(at);
            }
            at = object.next_known()?.get();
        }
        None
    }

    /// From now on it is known; before one of the same number that is on its way out.
    pub(crate) fn put(&mut self, object: &MemObject<K>) {
        if let Some(next) = object.next_known() {
            let first = self.chain(object.id());
            next.set(*first);
            *first = object;
        }
    }

    /// It is not known any more, if it was.
    pub(crate) fn remove(&mut self, object: &MemObject<K>) {
        let Some(behind) = object.next_known().map(|next| next.get()) else { return };
        let first = self.chain(object.id());
        if ptr::eq(*first, object) {
            *first = behind;
            return;
        }
        let mut at = *first;
        // SAFETY: what is in a chain is there, see above.
        while let Some(next) = unsafe { at.as_ref() }.and_then(MemObject::next_known) {
            if ptr::eq(next.get(), object) {
                next.set(behind);
                return;
            }
            at = next.get();
        }
    }
}
