//! Several cores, each with threads of its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use res_api::ThreadParam;
use res_kernel::sim::{Move, Scheduler, Simulation, Strict, Turn};
use res_kernel::{KernelThread, Sim};
use res_sync::model::Atomic;

use crate::common::{Word, shared, thread};

/// A choice that was made: the core, and how urgent the thread is that goes on there, among all that
/// could.
#[derive(Debug)]
struct Chosen {
    core: u32,
    thread: u32,
    priority: u32,
    most: u32,
}

/// What `Strict` chooses, written down.
#[derive(Debug)]
struct Watched {
    strict: Strict,
    chosen: Rc<RefCell<Vec<Chosen>>>,
}

impl Scheduler for Watched {
    fn choose(&mut self, turn: &Turn<'_>) -> Move {
        let choice = self.strict.choose(turn);
        if let Move::Run(thread) = choice {
            let next = turn.runnable.iter().find(|one| one.thread == thread).expect("it can run");
            let there = turn.runnable.iter().filter(|one| one.core == next.core);
            let most = there.map(|one| one.priority).max().expect("one is there");
            let (core, priority) = (next.core, next.priority);
            let mut chosen = self.chosen.borrow_mut();
            chosen.push(Chosen { core, thread, priority, most });
        }
        choice
    }

    fn pick(&mut self, options: usize) -> usize {
        self.strict.pick(options)
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.strict.chance(one_in)
    }
}

/// Two threads on each of two cores, one of each more urgent than the other.
fn four_threads(sim: Sim) {
    let word: Rc<Word> = shared(Atomic::new(0));
    let places = [(0, 10), (0, 20), (1, 5), (1, 6)];
    let threads = places.map(|(core, priority)| {
        let word = Rc::clone(&word);
        let thread = thread(sim, move || {
            for _ in 0..20 {
                word.fetch_add(1, Relaxed);
            }
        });
        thread.set(ThreadParam::Core(core)).expect("a core");
        thread.set(ThreadParam::Priority(priority)).expect("a priority");
        thread
    });
    threads.iter().for_each(|thread| thread.start().expect("a start"));
    threads.iter().for_each(KernelThread::join);
    assert_eq!(word.load(Relaxed), 80);
}

/// On each core the most urgent goes on, and the cores beside each other.
#[test]
fn each_core_runs_the_most_urgent_of_its_threads() {
    let mut interleaved = 0;
    for seed in 0..40 {
        let chosen = Rc::new(RefCell::new(Vec::new()));
        let watched = Watched { strict: Strict::new(seed), chosen: Rc::clone(&chosen) };
        let outcome = Simulation::new(seed).cores(2).scheduler(watched).run(four_threads);
        assert_eq!(outcome.failure, None);
        let chosen = chosen.borrow();
        for one in chosen.iter() {
            assert_eq!(one.priority, one.most, "seed {seed}: {one:?}");
        }
        // Thread 1 has made the others and is more urgent than one of its core.
        let others: Vec<_> = chosen.iter().filter(|one| one.thread != 1).collect();
        interleaved += others.windows(2).filter(|two| two[0].core != two[1].core).count();
    }
    assert!(interleaved > 40, "the cores run one after the other: {interleaved}");
}
