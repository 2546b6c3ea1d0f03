//! The store buffers: what total store order allows is seen, what it forbids is not.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};

use res_kernel::sim::{Seeds, SimModel, Simulation};
use res_kernel::{KernelThread, Sim};
use res_sync::model::{Atomic, MemoryModel};
use res_sync::{Barrier, Park};

use crate::common::{Word, shared, spawn};

type Two = [Word; 2];
type Program = fn(Sim, &Two) -> u64;

/// All pairs of results that two programs over two words come to, by exploring their orders.
fn results(left: Program, right: Program) -> BTreeSet<(u64, u64)> {
    let seen = shared(Cell::new(BTreeSet::new()));
    let all = Rc::clone(&seen);
    let explored =
        Simulation::new(0).barrier(Barrier::Asymmetric).explore(4, 200_000, move |sim| {
            let words = shared([Atomic::new(0), Atomic::new(0)]);
            let found = shared([Cell::new(0), Cell::new(0)]);
            let start = |program: Program, index: usize| {
                let (words, found) = (Rc::clone(&words), Rc::clone(&found));
                spawn(sim, move || found[index].set(program(sim, &words)))
            };
            let threads = [start(left, 0), start(right, 1)];
            threads.iter().for_each(KernelThread::join);
            let mut set = all.take();
            set.insert((found[0].get(), found[1].get()));
            all.set(set);
        });
    assert!(explored.complete && explored.failed.is_none(), "{explored:?}");
    seen.take()
}

fn store_then_look(words: &Two, mine: usize, between: impl FnOnce()) -> u64 {
    words[mine].store(1, Release);
    between();
    words[1 - mine].load(Acquire)
}

#[test]
fn both_sides_may_miss_each_other() {
    let program: [Program; 2] =
        [|_, words| store_then_look(words, 0, || ()), |_, words| store_then_look(words, 1, || ())];
    let seen = results(program[0], program[1]);
    assert_eq!(seen, BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]));
}

#[test]
fn with_fences_they_do_not() {
    let pairs: [[Program; 2]; 3] = [
        [
            |_, words| store_then_look(words, 0, SimModel::fence),
            |_, words| store_then_look(words, 1, SimModel::fence),
        ],
        [
            |_, words| store_then_look(words, 0, || SimModel::light_barrier(Barrier::Fence)),
            |_, words| store_then_look(words, 1, || SimModel::light_barrier(Barrier::Fence)),
        ],
        [
            |_, words| {
                words[0].swap(1, AcqRel);
                words[1].load(Acquire)
            },
            |_, words| {
                words[1].store(1, SeqCst);
                words[0].load(SeqCst)
            },
        ],
    ];
    for [left, right] in pairs {
        let seen = results(left, right);
        assert_eq!(seen, BTreeSet::from([(0, 1), (1, 0), (1, 1)]));
    }
}

#[test]
fn the_heavy_barrier_pays_for_both() {
    let seen = results(
        |_, words| store_then_look(words, 0, || SimModel::light_barrier(Barrier::Asymmetric)),
        |sim, words| store_then_look(words, 1, || sim.heavy_barrier(Barrier::Asymmetric)),
    );
    assert_eq!(seen, BTreeSet::from([(0, 1), (1, 0), (1, 1)]));
}

#[test]
fn a_fence_on_one_side_is_not_enough() {
    let seen = results(
        |_, words| store_then_look(words, 0, || SimModel::light_barrier(Barrier::Asymmetric)),
        |sim, words| store_then_look(words, 1, || sim.heavy_barrier(Barrier::Fence)),
    );
    assert!(seen.contains(&(0, 0)));
}

#[test]
fn stores_become_visible_in_order() {
    let seen = results(
        |_, words| {
            words[0].store(1, Relaxed);
            words[1].store(1, Relaxed);
            0
        },
        |_, words| words[1].load(Relaxed) << 1 | words[0].load(Relaxed),
    );
    assert_eq!(seen, BTreeSet::from([(0, 0b00), (0, 0b01), (0, 0b11)]));
}

#[test]
fn a_thread_sees_its_own_stores() {
    let seen = results(
        |_, words| {
            words[0].store(1, Relaxed);
            words[0].store(2, Relaxed);
            words[0].load(Relaxed)
        },
        |_, words| words[0].load(Relaxed),
    );
    assert_eq!(seen, BTreeSet::from([(2, 0), (2, 1), (2, 2)]));
}

/// Two stores to one word, of which one is late: it may come last, though its thread has looked
/// elsewhere before the other one began ("R").
#[test]
fn a_late_store_may_come_last() {
    let seen = shared(Cell::new(BTreeSet::new()));
    let all = Rc::clone(&seen);
    let explored = Simulation::new(0).explore(4, 200_000, move |sim| {
        let words: Rc<Two> = shared([Atomic::new(0), Atomic::new(0)]);
        let found = shared(Cell::new(0));
        let left = Rc::clone(&words);
        let first = spawn(sim, move || {
            left[0].store(1, Relaxed);
            left[1].store(1, Relaxed);
        });
        let (right, out) = (Rc::clone(&words), Rc::clone(&found));
        let second = spawn(sim, move || {
            right[1].store(2, Relaxed);
            out.set(right[0].load(Relaxed));
        });
        first.join();
        second.join();
        let mut set = all.take();
        set.insert((words[1].load(Relaxed), found.get()));
        all.set(set);
    });
    assert!(explored.complete, "{explored:?}");
    assert_eq!(seen.take(), BTreeSet::from([(1, 0), (1, 1), (2, 0), (2, 1)]));
}

/// No update is lost, whatever is buffered.
#[test]
fn read_modify_writes_are_whole() {
    Seeds::from_env(300).check("read_modify_writes_are_whole", |sim| {
        let words: Rc<Two> = shared([Atomic::new(0), Atomic::new(0)]);
        let adder = || {
            let words = Rc::clone(&words);
            spawn(sim, move || {
                for _ in 0..10 {
                    words[1].store(1, Release);
                    words[0].fetch_add(1, AcqRel);
                }
            })
        };
        let threads = [adder(), adder(), adder()];
        threads.iter().for_each(KernelThread::join);
        assert_eq!(words[0].load(Acquire), 30);
    });
}

/// Loads and stores where a read-modify-write is needed lose updates, and that is found.
#[test]
fn a_lost_update_is_found() {
    let found = Seeds::first(1_000).find(|sim| {
        let word: Rc<Word> = shared(Atomic::new(0));
        let adder = || {
            let word = Rc::clone(&word);
            spawn(sim, move || word.store(word.load(Acquire) + 1, Release))
        };
        let threads = [adder(), adder()];
        threads.iter().for_each(KernelThread::join);
        assert_eq!(word.load(Acquire), 2);
    });
    assert!(found.is_err());
}
