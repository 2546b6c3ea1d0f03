//! Mutants: orderings that are too weak.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::sync::atomic::Ordering::{self, Acquire, Relaxed, Release};

use res_sync::Barrier;
use res_sync::model::{Atomic, Loom, LoomCell, MemoryModel};

/// loom's model, except that the Release stores or the Acquire loads of its 64-bit words are
/// Relaxed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weak<const STORES: bool, const LOADS: bool>;

#[derive(Debug)]
pub(crate) struct WeakU64<const STORES: bool, const LOADS: bool>(<Loom as MemoryModel>::U64);

impl<const STORES: bool, const LOADS: bool> MemoryModel for Weak<STORES, LOADS> {
    type U32 = <Loom as MemoryModel>::U32;
    type U64 = WeakU64<STORES, LOADS>;
    type Cell<T> = LoomCell<T>;

    fn fence() {
        Loom::fence();
    }
    fn light_barrier(barrier: Barrier) {
        Loom::light_barrier(barrier);
    }
    fn spin_hint() {
        Loom::spin_hint();
    }
}

impl<const STORES: bool, const LOADS: bool> Atomic<u64> for WeakU64<STORES, LOADS> {
    fn new(value: u64) -> Self {
        Self(Atomic::new(value))
    }
    fn load(&self, order: Ordering) -> u64 {
        self.0.load(if LOADS && order == Acquire { Relaxed } else { order })
    }
    fn store(&self, value: u64, order: Ordering) {
        self.0.store(value, if STORES && order == Release { Relaxed } else { order });
    }
    fn swap(&self, value: u64, order: Ordering) -> u64 {
        self.0.swap(value, order)
    }
    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.0.compare_exchange(current, new, success, failure)
    }
    fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.0.fetch_add(value, order)
    }
    fn fetch_or(&self, bits: u64, order: Ordering) -> u64 {
        self.0.fetch_or(bits, order)
    }
    fn fetch_and(&self, mask: u64, order: Ordering) -> u64 {
        self.0.fetch_and(mask, order)
    }
    fn as_ptr(&self) -> *const u64 {
        Atomic::as_ptr(&self.0)
    }
}
