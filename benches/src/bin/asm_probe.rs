//! What the operations of the data path come to: each probe is one operation in a function of its
//! own, whose instructions `check-asm.sh` looks at.

use chan_impls::standalone::{Consumer, Producer};
use res_sync::model::Core;
use res_sync::{Barrier, Deadline, Event, Instant, Park, Parked, Triggered, Wake};

/// A machine on which nobody sleeps.
#[derive(Clone, Copy)]
struct Nobody;

impl Park for Nobody {
    type Model = Core;
    type Point = ();

    fn now(&self) -> Instant {
        Instant::from_nanos(0)
    }
    fn spin_limit(&self) -> u32 {
        0
    }
    fn current(&self) -> u32 {
        1
    }
    fn unwinding(&self) -> bool {
        false
    }
    fn park(
        &self,
        (): &(),
        _: &<Core as res_sync::MemoryModel>::U64,
        _: u64,
        _: Deadline,
    ) -> Parked {
        Parked::Awake
    }
    fn unpark(
        &self,
        (): &(),
        _: &<Core as res_sync::MemoryModel>::U64,
        _: u64,
        _: Wake,
    ) -> Option<u32> {
        None
    }
    fn heavy_barrier(&self, _: Barrier) {}
}

type Word = <Core as res_sync::MemoryModel>::U64;

fn trigger(word: &Word, barrier: Barrier) -> bool {
    let event = Event { park: &Nobody, point: &(), word, barrier };
    let Triggered { gone, watched } = event.trigger(Wake::All);
    gone.is_some() || watched
}

/// A trigger whose fence the sleeper pays for: a load and a test.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_trigger_asymmetric(word: &Word) -> bool {
    trigger(word, Barrier::Asymmetric)
}

/// The same with a fence: the check has to find it.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_trigger_fence(word: &Word) -> bool {
    trigger(word, Barrier::Fence)
}

/// A push.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_push(tx: &mut Producer<'static, u64>, item: u64) -> bool {
    tx.push(item).is_ok()
}

/// A pop.
#[inline(never)]
#[unsafe(no_mangle)]
fn probe_pop(rx: &mut Consumer<'static, u64>) -> Option<u64> {
    rx.pop()
}

fn main() {
    let word = <Word as res_sync::model::Atomic<u64>>::new(0);
    let (mut tx, mut rx) = chan_impls::standalone::ring(1).expect("a capacity that exists");
    assert!(!probe_trigger_asymmetric(&word) && !probe_trigger_fence(&word));
    assert!(probe_push(&mut tx, 7) && probe_pop(&mut rx) == Some(7));
}
