//! A global allocator that counts: allocations of each thread, and bytes that are live in all.
#![allow(dead_code, reason = "each test uses its part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::panic::resume_unwind;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

const MOST_THREADS: usize = 4096;
/// Allocations of each thread, in the order of their first calls.
static ALLOCATIONS: [AtomicU64; MOST_THREADS] = [const { AtomicU64::new(0) }; MOST_THREADS];
static THREADS: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);

const NONE: usize = usize::MAX;
/// The process's first thread, which runs the tests in others: what it allocates, at any time, says
/// nothing about them.
const RUNNER: usize = 0;
/// Not under Miri, where whoever has a block may not look behind it.
const MARKED: bool = !cfg!(miri);

thread_local! {
    /// Where this thread counts.
    static MINE: Cell<usize> = const { Cell::new(NONE) };
    /// How many more allocations of whole cache lines succeed.
    static LINES_LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Where the calling thread counts. All beyond the most share a place.
fn mine() -> usize {
    if MINE.get() == NONE {
        MINE.set(THREADS.fetch_add(1, Relaxed).min(MOST_THREADS - 1));
    }
    MINE.get()
}

// SAFETY: the system's allocator, which counting does not disturb: it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refused(layout) {
            return null_mut();
        }
        ALLOCATIONS[mine()].fetch_add(1, Relaxed);
        // SAFETY: larger than what the caller asks for, and as well aligned.
        let memory = unsafe { System.alloc(with_mark(layout)) };
        if !memory.is_null() {
            let counts = !MARKED || mine() != RUNNER;
            LIVE.fetch_add(usize::from(counts) * layout.size(), Relaxed);
            if MARKED {
                // SAFETY: behind what the caller gets, and within what was allocated.
                unsafe { memory.add(layout.size()).write(counts.into()) };
            }
        }
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: `alloc` wrote it there.
        let counts = !MARKED || unsafe { memory.add(layout.size()).read() } != 0;
        LIVE.fetch_sub(usize::from(counts) * layout.size(), Relaxed);
        // SAFETY: it came from `alloc`, which asked for that.
        unsafe { System.dealloc(memory, with_mark(layout)) }
    }
}

/// With a byte behind it that says whether the block counts as live.
fn with_mark(layout: Layout) -> Layout {
    let size = layout.size() + usize::from(MARKED);
    Layout::from_size_align(size, layout.align()).expect("less than the address space")
}

/// Whether it is a block of a system with the policy `Dynamic`, whose blocks begin a line, and
/// there are to be no more of them.
fn refused(layout: Layout) -> bool {
    layout.align() >= 64
        && LINES_LEFT.get() != u64::MAX
        && LINES_LEFT.replace(LINES_LEFT.get().saturating_sub(1)) == 0
}

/// How often the calling thread has allocated. (Who happens to hold something last frees it, so
/// what is freed in a thread says little about it.)
pub(crate) fn allocations() -> u64 {
    ALLOCATIONS[mine()].load(Relaxed)
}

/// How many threads have allocated.
pub(crate) fn threads() -> usize {
    THREADS.load(Relaxed)
}

/// How often those threads allocated that were the first to do so after `threads` had.
pub(crate) fn allocations_of_threads_after(threads: usize) -> u64 {
    let later = &ALLOCATIONS[threads.min(MOST_THREADS)..];
    later.iter().map(|allocations| allocations.load(Relaxed)).sum()
}

/// Bytes that are allocated now, except by the runner of the tests.
pub(crate) fn live() -> usize {
    LIVE.load(Relaxed)
}

/// From the `count`-th block on, a system gets none in this thread; `None`: no end to them.
pub(crate) fn refuse_after(count: Option<u64>) {
    LINES_LEFT.set(count.unwrap_or(u64::MAX));
}

/// Does it with as many blocks as it needs. For what takes lines from std too, which gives up
/// where it gets none.
pub(crate) fn unrefused<R>(body: impl FnOnce() -> R) -> R {
    let left = LINES_LEFT.replace(u64::MAX);
    let result = body();
    LINES_LEFT.set(left);
    result
}

/// Waits until it holds; panics where it does not come to that.
#[track_caller]
pub(crate) fn eventually(what: impl Fn() -> String, holds: impl FnMut() -> bool) {
    assert!(within(200_000, holds), "it does not come to this: {}", what());
}

/// Waits until it holds. Gives up after a number of turns, not at a time, so that a machine which
/// stops for a while does no harm.
pub(crate) fn within(turns: u32, mut holds: impl FnMut() -> bool) -> bool {
    (0..turns).any(|turn| {
        if turn < 1000 {
            thread::yield_now();
        } else {
            thread::sleep(Duration::from_micros(100));
        }
        holds()
    })
}

/// Runs `body` in a thread of its own. Where it hangs, the test fails instead of hanging with it:
/// a thread that panics may leave another one waiting for it, and that is waited for.
pub(crate) fn ends<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let thread = thread::spawn(body);
    // Miri finds a deadlock by itself, and has a time of its own.
    let turns = if cfg!(miri) { 0 } else { 60_000 };
    let ended = (0..turns).any(|_| {
        thread::sleep(Duration::from_millis(10));
        thread.is_finished()
    });
    assert!(ended || cfg!(miri), "a thread waits for ever");
    thread.join().unwrap_or_else(|why| resume_unwind(why))
}
