//! The channel manager: a number for two blockpoints and a buffer.

use std::sync::{Mutex, MutexGuard};

use crate::blockpoint;
use crate::buffer::{self, PAGE};

/// Channels of the whole system.
const MOST: usize = 32;
/// Those that the manager begins with, as items of so many bytes: they have the first numbers.
const INITIAL: [(u32, u32); 4] = [(8, 128), (8, 128), (4, 2), (4, 2)];
/// Bytes in front of the items.
const HEADER: u32 = 48;

#[derive(Clone, Copy)]
pub(crate) struct Channel {
    pub(crate) full: u32,
    pub(crate) empty: u32,
    pub(crate) buffer: u32,
    /// 0 for none.
    pub(crate) resource: u64,
}

/// By their number less one.
static CHANNELS: Mutex<Vec<Channel>> = Mutex::new(Vec::new());

fn channels() -> MutexGuard<'static, Vec<Channel>> {
    let mut channels = CHANNELS.lock().expect("nobody panics with it");
    if channels.is_empty() {
        channels.extend(INITIAL.map(|(item, slots)| new(item, slots)));
    }
    channels
}

fn new(item: u32, slots: u32) -> Channel {
    // In 32 bits, as there: of a channel that is too large it makes a small one.
    let bytes = item.wrapping_mul(slots).wrapping_add(HEADER);
    let (empty, full) = (blockpoint::alloc(), blockpoint::alloc());
    let buffer = buffer::alloc(u64::from(bytes).div_ceil(PAGE), PAGE);
    Channel { full, empty, buffer: buffer.map_or(0, |(id, _)| id), resource: 0 }
}

/// The number of a new channel.
pub(crate) fn create(item: u32, slots: u32) -> Option<u64> {
    let mut channels = channels();
    if channels.len() == MOST {
        return None;
    }
    channels.push(new(item, slots));
    Some(channels.len() as u64)
}

/// What `use_it` makes of a channel.
pub(crate) fn with<R>(id: u64, use_it: impl FnOnce(&mut Channel) -> R) -> Option<R> {
    // The manager looks at 32 bits of a number.
    let index = (id as u32 as usize).wrapping_sub(1);
    channels().get_mut(index).map(use_it)
}
