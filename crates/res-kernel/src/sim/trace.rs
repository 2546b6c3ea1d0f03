//! What happened, as a number: two runs are the same if and only if they did the same.

/// The kinds of steps. The numbers are part of the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Op {
    Load = 1,
    Store,
    ReadModifyWrite,
    Fence,
    Barrier,
    Clock,
    Park,
    Wake,
    Yield,
    Spin,
    Start,
    End,
    Join,
    Flush,
    Time,
}

/// A hash over threads, kinds of steps and counts; never over addresses, which differ from run to
/// run.
#[derive(Debug)]
pub(super) struct Trace(u64);

impl Trace {
    pub(super) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(super) fn note(&mut self, thread: u32, op: Op, number: u64) {
        for part in [u64::from(thread) << 8 | op as u64, number] {
            self.0 = (self.0 ^ part).wrapping_mul(0x9fb2_1c65_1e98_df25).rotate_left(29);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.0
    }
}
