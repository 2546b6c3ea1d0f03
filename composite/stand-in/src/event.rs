//! The event manager: groups, and the resources whose events they collect.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use crate::blockpoint;

/// Groups of the whole system.
const MOST_GROUPS: usize = 32;
/// Resources of the whole system, for ever.
const MOST_RESOURCES: usize = 8;

/// What an event says: the type and the data that its resource was added with.
pub(crate) type Says = [u64; 2];

/// A group, or the place of one.
#[derive(Default)]
struct Group {
    used: bool,
    /// Resources that were added less those that were removed.
    resources: i64,
    /// Ids of resources that have an event.
    events: VecDeque<u64>,
    blockpoint: u32,
    epoch: u64,
    /// Somebody may sleep with that epoch.
    awaited: bool,
}

struct Resource {
    /// The place of its group, whoever has that by now.
    group: usize,
    says: Says,
    has_event: bool,
}

struct Events {
    /// By their id less one.
    groups: Vec<Group>,
    /// By their id less one.
    resources: Vec<Resource>,
}

static EVENTS: Mutex<Events> = Mutex::new(Events { groups: Vec::new(), resources: Vec::new() });

fn events() -> MutexGuard<'static, Events> {
    EVENTS.lock().expect("nobody panics with it")
}

impl Events {
    fn group(&mut self, id: u64) -> Option<&mut Group> {
        self.groups.get_mut((id as u32 as usize).wrapping_sub(1)).filter(|group| group.used)
    }

    fn resource(&mut self, id: u64) -> Option<&mut Resource> {
        self.resources.get_mut((id as u32 as usize).wrapping_sub(1))
    }
}

/// The id of a new group: of the first place that is free.
pub(crate) fn alloc() -> Option<u64> {
    let mut events = events();
    let groups = &mut events.groups;
    let place = groups.iter().position(|group| !group.used).unwrap_or(groups.len());
    if place == MOST_GROUPS {
        return None;
    }
    if place == groups.len() {
        groups.push(Group::default());
    }
    groups[place] = Group { used: true, blockpoint: blockpoint::alloc(), ..Group::default() };
    Some(place as u64 + 1)
}

/// Frees a group that no resource is in.
pub(crate) fn free(id: u64) -> bool {
    let mut events = events();
    let empty = events.group(id).filter(|group| group.resources == 0);
    empty.map(|group| group.used = false).is_some()
}

/// The id of a new resource in the group.
pub(crate) fn add(id: u64, says: Says) -> Option<u64> {
    let mut events = events();
    events.group(id)?;
    if events.resources.len() == MOST_RESOURCES {
        return None;
    }
    events.group(id)?.resources += 1;
    events.resources.push(Resource { group: id as u32 as usize - 1, says, has_event: false });
    Some(events.resources.len() as u64)
}

/// Counts one resource less. Its id is not given back, and still works.
pub(crate) fn remove(id: u64, resource: u64) -> bool {
    let mut events = events();
    let place = (id as u32 as usize).wrapping_sub(1);
    let there = events.resource(resource).is_some_and(|resource| resource.group == place);
    let group = events.group(id).filter(|_| there);
    group.map(|group| group.resources -= 1).is_some()
}

/// An event of the resource, unless it has one that nobody has taken.
pub(crate) fn trigger(id: u64) -> bool {
    let mut events = events();
    let Some(resource) = events.resource(id) else { return false };
    if std::mem::replace(&mut resource.has_event, true) {
        return true;
    }
    let place = resource.group;
    let group = &mut events.groups[place];
    group.events.push_back(id as u32 as u64);
    if std::mem::take(&mut group.awaited) {
        group.epoch += 1;
        let (blockpoint, epoch) = (group.blockpoint, group.epoch);
        drop(events);
        blockpoint::trigger(blockpoint, epoch, false);
    }
    true
}

/// What comes of a look for an event.
pub(crate) enum Got {
    Event(Says),
    Nothing,
    NoGroup,
}

/// The next event of the group; waits for one if `waits`.
pub(crate) fn get(id: u64, waits: bool) -> Got {
    loop {
        let mut events = events();
        let Some(group) = events.group(id) else { return Got::NoGroup };
        if let Some(found) = group.events.pop_front() {
            let Some(resource) = events.resource(found) else { return Got::NoGroup };
            resource.has_event = false;
            return Got::Event(resource.says);
        }
        if !waits {
            return Got::Nothing;
        }
        group.awaited = true;
        let (blockpoint, epoch) = (group.blockpoint, group.epoch);
        drop(events);
        blockpoint::block(blockpoint, epoch);
    }
}
