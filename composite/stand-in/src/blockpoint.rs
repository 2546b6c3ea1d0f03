//! Blockpoints: an epoch that is kept for ever, and who sleeps there.

use crate::halt::halt;
use crate::world::{self, State, ThreadId, me};

/// A blockpoint of the scheduler.
pub(crate) struct Blockpoint {
    epoch: u64,
    /// The last one that came is woken first.
    sleepers: Vec<ThreadId>,
}

/// A new one; its id.
pub(crate) fn alloc() -> u32 {
    let blockpoints = &mut world::world().blockpoints;
    blockpoints.push(Blockpoint { epoch: 0, sleepers: Vec::new() });
    blockpoints.len() as u32
}

/// Blocks, unless the recorded epoch is greater than the one given.
pub(crate) fn block(id: u32, epoch: u64) -> i32 {
    let mut world = world::world();
    if world.state(me()) == State::Woken {
        halt("the list of a blockpoint keeps an address of a stack: a wake-up was outstanding");
    }
    let Some(blockpoint) = get(&mut world.blockpoints, id) else { return -1 };
    if blockpoint.epoch > epoch {
        return 0;
    }
    blockpoint.sleepers.push(me());
    world.block(me());
    world::reschedule(world);
    0
}

/// Records the epoch unless a greater one is recorded, wakes, and lets the most urgent run.
pub(crate) fn trigger(id: u32, epoch: u64, single: bool) -> i32 {
    let mut world = world::world();
    let Some(blockpoint) = get(&mut world.blockpoints, id) else { return -1 };
    if epoch < blockpoint.epoch {
        return 0;
    }
    blockpoint.epoch = epoch;
    let stay = if single { blockpoint.sleepers.len().saturating_sub(1) } else { 0 };
    let woken = blockpoint.sleepers.split_off(stay);
    woken.into_iter().rev().for_each(|id| world.wake(id));
    world::reschedule(world);
    0
}

fn get(blockpoints: &mut [Blockpoint], id: u32) -> Option<&mut Blockpoint> {
    blockpoints.get_mut(id.checked_sub(1)? as usize)
}
