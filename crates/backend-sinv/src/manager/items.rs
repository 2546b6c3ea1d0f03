//! What is in a queue of capabilities, and whose it was.

use std::collections::{BTreeMap, VecDeque};

use backend_local::parcel::Parcel;

use crate::ends::ComponentId;

#[derive(Default)]
pub(super) struct Items {
    items: VecDeque<(ComponentId, Parcel)>,
    /// How many of them are whose.
    of: BTreeMap<ComponentId, usize>,
}

impl Items {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether some of it is that one's.
    pub(super) fn has_some_of(&self, sender: ComponentId) -> bool {
        self.of.contains_key(&sender)
    }

    pub(super) fn push_back(&mut self, sender: ComponentId, parcel: Parcel) {
        *self.of.entry(sender).or_default() += 1;
        self.items.push_back((sender, parcel));
    }

    pub(super) fn push_front(&mut self, sender: ComponentId, parcel: Parcel) {
        *self.of.entry(sender).or_default() += 1;
        self.items.push_front((sender, parcel));
    }

    pub(super) fn pop_front(&mut self) -> Option<(ComponentId, Parcel)> {
        let item = self.items.pop_front()?;
        if let Some(count) = self.of.get_mut(&item.0) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&item.0);
            }
        }
        Some(item)
    }
}
