//! Intrusive doubly linked lists, all under the system's lock.
//!
//! A component has a list of what it holds, so that stopping it can tell each of them. The links
//! are in the objects, so nothing is allocated.

use core::cell::Cell;
use core::ptr;

/// A link of `T`, inside a `T`. Touched under the system's lock only.
pub(crate) struct Link<T> {
    prev: Cell<*const T>,
    next: Cell<*const T>,
    list: Cell<*const List<T>>,
}

/// The head of a list. Touched under the system's lock only.
pub(crate) struct List<T> {
    first: Cell<*const T>,
    last: Cell<*const T>,
    len: Cell<u32>,
}

/// Has a link.
pub(crate) trait Linked: Sized {
    fn link(&self) -> &Link<Self>;
}

// SAFETY: addresses; the system's lock orders all use.
unsafe impl<T> Send for Link<T> {}
// SAFETY: as for `Send`.
unsafe impl<T> Sync for Link<T> {}
// SAFETY: as for `Link`.
unsafe impl<T> Send for List<T> {}
// SAFETY: as for `Link`.
unsafe impl<T> Sync for List<T> {}

impl<T> Link<T> {
    pub(crate) const fn new() -> Self {
        Self {
            prev: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            list: Cell::new(ptr::null()),
        }
    }
}

impl<T: Linked> List<T> {
    pub(crate) const fn new() -> Self {
        Self { first: Cell::new(ptr::null()), last: Cell::new(ptr::null()), len: Cell::new(0) }
    }

    pub(crate) fn len(&self) -> u32 {
        self.len.get()
    }

    /// Appends.
    ///
    /// # Safety
    ///
    /// The system's lock is held; `item` is in no list, and leaves this one before it, or the
    /// list, goes away or moves.
    pub(crate) unsafe fn push(&self, item: *const T) {
        // SAFETY: alive, says the caller; so are all items of the list.
        unsafe {
            let link = (*item).link();
            link.prev.set(self.last.get());
            link.next.set(ptr::null());
            link.list.set(self);
            match self.last.get() {
                last if last.is_null() => self.first.set(item),
                last => (*last).link().next.set(item),
            }
        }
        self.last.set(item);
        self.len.set(self.len.get() + 1);
    }

    /// The first item, if any.
    ///
    /// # Safety
    ///
    /// The system's lock is held as long as the result is used.
    pub(crate) unsafe fn first(&self) -> Option<*const T> {
        let first = self.first.get();
        (!first.is_null()).then_some(first)
    }

    /// Removes `item` from whatever list it is in.
    ///
    /// # Safety
    ///
    /// The system's lock is held.
    pub(crate) unsafe fn unlink(item: *const T) {
        // SAFETY: the item and its neighbours are alive, since items leave before they go away.
        unsafe {
            let link = (*item).link();
            let Some(list) = link.list.replace(ptr::null()).as_ref() else { return };
            let (prev, next) = (link.prev.get(), link.next.get());
            match prev.as_ref() {
                None => list.first.set(next),
                Some(prev) => prev.link().next.set(next),
            }
            match next.as_ref() {
                None => list.last.set(prev),
                Some(next) => next.link().prev.set(prev),
            }
            list.len.set(list.len.get() - 1);
        }
    }

    /// Puts `item` on the list that `other` is on, if any.
    ///
    /// # Safety
    ///
    /// The system's lock is held; `other` is alive; otherwise as [`push`](Self::push).
    pub(crate) unsafe fn push_beside(item: *const T, other: *const T) {
        // SAFETY: under the lock; a list that has items is alive.
        unsafe {
            Self::unlink(item);
            if let Some(list) = (*other).link().list.get().as_ref() {
                list.push(item);
            }
        }
    }

    /// Calls `each` once for every item that is in the list at the beginning and still alive,
    /// without the lock: `lock` takes it, and `upgrade` makes a reference under it.
    pub(crate) fn for_each<G, R>(
        &self,
        lock: impl Fn() -> G,
        upgrade: impl Fn(*const T) -> Option<R>,
        mut each: impl FnMut(R),
    ) {
        let count = {
            let _lists = lock();
            self.len()
        };
        for _ in 0..count {
            let item = {
                let _lists = lock();
                // SAFETY: under the lock; the item stays in the list, at the other end.
                unsafe {
                    let Some(item) = self.first() else { break };
                    Self::unlink(item);
                    self.push(item);
                    upgrade(item)
                }
            };
            if let Some(item) = item {
                each(item);
            }
        }
    }

    /// Empties the list.
    ///
    /// # Safety
    ///
    /// The system's lock is held.
    pub(crate) unsafe fn clear(&self) {
        // SAFETY: under the lock, says the caller.
        unsafe {
            while let Some(item) = self.first() {
                Self::unlink(item);
            }
        }
    }
}
