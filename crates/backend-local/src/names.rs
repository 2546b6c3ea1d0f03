//! Tables of capabilities by name: what a component is endowed with, and what is published.

use core::cell::Cell;

use res_api::{AnyCap, Desc, ErrorKind, Name, Refused};
use res_kernel::Kernel;

use crate::cap::{Cap, Shared};
use crate::error::LocalError;
use crate::system::{Ref, SystemRef};

/// Capabilities by name, a chain in memory of the system. Kept under a lock; what is taken out is
/// dropped outside it, because a capability that leaves tells others.
pub(crate) struct Names<K: Kernel> {
    first: Option<Ref<Node<K>, K>>,
}

pub(crate) struct Node<K: Kernel> {
    name: Name,
    /// The component whose end is the name's end.
    owner: u32,
    cap: Cell<Option<Cap<K>>>,
    next: Cell<Option<Ref<Node<K>, K>>>,
}

// SAFETY: the cells are used under the lock of the table.
unsafe impl<K: Kernel> Sync for Node<K> {}

impl<K: Kernel> Node<K> {
    /// Made before the lock is taken.
    pub(crate) fn create(
        system: &SystemRef<K>,
        name: Name,
        owner: u32,
    ) -> Result<Ref<Self, K>, LocalError> {
        system.create(Self { name, owner, cap: Cell::new(None), next: Cell::new(None) })
    }

    /// The next node, which stays in its place.
    fn next(&self) -> Option<Ref<Self, K>> {
        let next = self.next.take();
        self.next.set(next.clone());
        next
    }
}

impl<K: Kernel> Names<K> {
    pub(crate) const fn new() -> Self {
        Self { first: None }
    }

    fn nodes(&self) -> impl Iterator<Item = Ref<Node<K>, K>> {
        let mut next = self.first.clone();
        core::iter::from_fn(move || {
            let node = next.take()?;
            next = node.next();
            Some(node)
        })
    }

    fn find(&self, name: Name) -> Option<Ref<Node<K>, K>> {
        self.nodes().find(|node| node.name == name)
    }

    /// Puts `cap` under the name of `node`.
    pub(crate) fn insert(
        &mut self,
        node: Ref<Node<K>, K>,
        cap: Cap<K>,
    ) -> Result<(), Refused<Cap<K>, LocalError>> {
        if self.find(node.name).is_some() {
            return Err(Refused::new(cap, ErrorKind::Exists));
        }
        node.cap.set(Some(cap));
        node.next.set(self.first.take());
        self.first = Some(node);
        Ok(())
    }

    /// Takes what is under a name. The name stays taken.
    pub(crate) fn take(&self, name: Name) -> Option<Cap<K>> {
        self.find(name)?.cap.take()
    }

    /// What is under a name: a second one where several may have it, else the thing itself.
    pub(crate) fn share(&self, name: Name) -> Option<Shared<K>> {
        let node = self.find(name)?;
        let cap = node.cap.take()?;
        match cap.try_share() {
            Some(second) => {
                node.cap.set(Some(cap));
                Some(second)
            }
            None => Some(Shared::Cap(cap)),
        }
    }

    /// Takes everything out that `owner` put in, or all for `None`. To be dropped outside the lock.
    pub(crate) fn remove(&mut self, owner: Option<u32>) -> Removed<K> {
        let mut removed = Removed(None);
        let mut kept: Option<Ref<Node<K>, K>> = None;
        let mut next = self.first.take();
        while let Some(node) = next {
            next = node.next.take();
            let chain = match owner {
                Some(owner) if owner != node.owner => &mut kept,
                _ => &mut removed.0,
            };
            node.next.set(chain.take());
            *chain = Some(node);
        }
        self.first = kept;
        removed
    }
}

impl<K: Kernel> Names<K> {
    /// Calls `each` with everything that is there.
    pub(crate) fn each(&self, each: &mut dyn FnMut(Name, Desc)) {
        for node in self.nodes() {
            if let Some(cap) = node.cap.take() {
                each(node.name, cap.desc());
                node.cap.set(Some(cap));
            }
        }
    }
}

/// Nodes on their way out.
pub(crate) struct Removed<K: Kernel>(Option<Ref<Node<K>, K>>);

impl<K: Kernel> Drop for Removed<K> {
    fn drop(&mut self) {
        // One by one, however long the chain is.
        let mut next = self.0.take();
        while let Some(node) = next {
            next = node.next.take();
        }
    }
}

impl<K: Kernel> Drop for Names<K> {
    fn drop(&mut self) {
        drop(self.remove(None));
    }
}
