//! Statements about the scheduler.

#[path = "common/process.rs"]
mod process;
#[path = "common/statement.rs"]
mod statement;
#[path = "common/threads.rs"]
mod threads;

use std::arch::x86_64::_rdtsc;
use std::ffi::c_void;
use std::ptr::null_mut;

use composite_stand_in::interface::sched::{
    sched_blkpt_alloc, sched_blkpt_block, sched_blkpt_free, sched_blkpt_trigger,
    sched_get_cpu_freq, sched_thd_block, sched_thd_block_timeout, sched_thd_create,
    sched_thd_delete, sched_thd_exit, sched_thd_wakeup, sched_thd_yield_to,
};
use composite_stand_in::{DEADLOCKED, HALTED};

use statement::{so, statement};
use threads::{ME, create, done, exit, go, note, priority, rest, set};

// What follows calls the interface as a component does; all of it is sound for the threads and
// blockpoints of these tests, or halts the machine, which is then the point.

fn blockpoint() -> u32 {
    // SAFETY: see above.
    unsafe { sched_blkpt_alloc() }
}

fn block(id: u32, epoch: u64) -> i32 {
    // SAFETY: see above.
    unsafe { sched_blkpt_block(id, epoch, 0) }
}

fn trigger(id: u32, epoch: u64, single: bool) -> i32 {
    // SAFETY: see above.
    unsafe { sched_blkpt_trigger(id, epoch, single.into()) }
}

fn sleep_until(at: u64) -> u64 {
    // SAFETY: see above.
    unsafe { sched_thd_block_timeout(0, at) }
}

fn wakeup(thread: u64) -> i32 {
    // SAFETY: see above.
    unsafe { sched_thd_wakeup(thread) }
}

fn sleep() -> i32 {
    // SAFETY: see above.
    unsafe { sched_thd_block(0) }
}

fn cycles() -> u64 {
    // SAFETY: every processor of this architecture has the instruction.
    unsafe { _rdtsc() }
}

fn micros(count: u64) -> u64 {
    // SAFETY: see above.
    count * unsafe { sched_get_cpu_freq() }
}

unsafe extern "C" fn notes(digit: *mut c_void) -> i64 {
    note(digit as u64);
    exit()
}

/// Blocks at the blockpoint that is ten times the word's tens, with epoch 0, and notes its ones.
unsafe extern "C" fn blocks(word: *mut c_void) -> i64 {
    block(word as u32 / 10, 0);
    note(word as u64 % 10);
    exit()
}

unsafe extern "C" fn sleeps(digit: *mut c_void) -> i64 {
    sleep();
    note(digit as u64);
    exit()
}

statement! {
    new_thread_is_in_no_run_queue {
        priority(ME, 20);
        let thread = create(notes, 1);
        rest();
        sleep_until(cycles() + micros(20_000));
        so!(done() == 0);
        priority(thread, 20);
        so!(done() == 0);
        rest();
        so!(done() == 1);
    }
}

statement! {
    lower_number_is_more_urgent {
        priority(ME, 5);
        go(notes, 1, 12);
        go(notes, 2, 10);
        go(notes, 3, 11);
        rest();
        so!(done() == 0);
        priority(ME, 31);
        rest();
        so!(done() == 231);
    }
}

statement! {
    priority_0_halts ends HALTED, "HALT assertion: a priority out of range", {
        set(ME, 1, 0);
        0
    }
}

statement! {
    priority_32_halts ends HALTED, "HALT assertion: a priority out of range", {
        set(ME, 1, 32);
        0
    }
}

statement! {
    other_parameters_are_refused {
        for kind in [4, 5, 6, 14] {
            so!(set(ME, kind, 1) == -1);
        }
        so!(set(99, 1, 1) == -1);
    }
}

statement! {
    /// Setting it puts a thread in a run queue, also one that is blocked.
    priority_of_a_blocked_thread_halts ends HALTED, "HALT assertion: the thread to run is blocked", {
        priority(ME, 20);
        let thread = go(sleeps, 1, 10);
        rest();
        set(thread, 1, 9);
        rest();
        0
    }
}

statement! {
    yield_to_nobody_halts ends HALTED, "HALT assertion: a yield to no thread", {
        // SAFETY: the machine halts here.
        unsafe { sched_thd_yield_to(99) };
        0
    }
}

statement! {
    yield_to_is_a_yield {
        priority(ME, 20);
        go(notes, 1, 20);
        let other = go(notes, 2, 20);
        // SAFETY: the thread exists.
        so!(unsafe { sched_thd_yield_to(other) } == 0);
        so!(done() == 12);
    }
}

statement! {
    nothing_is_given_back {
        priority(ME, 20);
        let first = go(notes, 1, 10);
        rest();
        // SAFETY: nobody uses the thread, nor the blockpoint, as far as they can be told.
        unsafe {
            so!(sched_thd_delete(first) == 0);
            so!(create(notes, 2) == first + 1);
            let id = blockpoint();
            so!(trigger(id, 5, false) == 0);
            so!(sched_blkpt_free(id) == 0);
            so!(blockpoint() == id + 1);
            // It still has epoch 5, so this does not block.
            so!(block(id, 4) == 0);
        }
    }
}

statement! {
    function_that_returns_halts ends HALTED, "HALT a thread function returned", {
        unsafe extern "C" fn returns(_: *mut c_void) -> i64 {
            0
        }
        go(returns, 0, 1);
        rest();
        0
    }
}

statement! {
    dependencies_are_refused {
        // SAFETY: they are refused.
        unsafe {
            so!(sched_thd_block(ME) == -1);
            so!(sched_thd_block_timeout(ME, u64::MAX) == 0);
        }
    }
}

statement! {
    blockpoint_does_not_look_at_the_dependency {
        let id = blockpoint();
        so!(trigger(id, 1, false) == 0);
        // SAFETY: it does not block.
        so!(unsafe { sched_blkpt_block(id, 0, 12_345) } == 0);
    }
}

statement! {
    wakeup_wakes {
        priority(ME, 20);
        let thread = go(sleeps, 1, 10);
        rest();
        so!(done() == 0);
        so!(wakeup(thread) == 0);
        so!(done() == 1);
        so!(wakeup(99) == -1);
    }
}

statement! {
    wakeup_before_the_sleep_ends_it {
        priority(ME, 10);
        let thread = go(sleeps, 1, 20);
        so!(wakeup(thread) == 0);
        priority(ME, 30);
        rest();
        so!(done() == 1);
    }
}

statement! {
    second_wakeup_halts ends HALTED, "HALT assertion: the thread is not blocked", {
        priority(ME, 10);
        let thread = go(sleeps, 1, 20);
        wakeup(thread);
        wakeup(thread);
        0
    }
}

statement! {
    /// The real one does not halt at once: its list keeps an address of a stack.
    wakeup_before_a_blockpoint_is_ruin ends HALTED, "HALT the list of a blockpoint", {
        priority(ME, 10);
        let thread = go(blocks, u64::from(blockpoint()) * 10, 20);
        wakeup(thread);
        priority(ME, 30);
        rest();
        0
    }
}

statement! {
    block_returns_where_the_recorded_epoch_is_greater {
        let id = blockpoint();
        so!(id > 0);
        so!(trigger(id, 7, false) == 0);
        so!(block(id, 6) == 0);
        so!(trigger(id, 1 << 40, false) == 0);
        so!(block(id, (1 << 40) - 1) == 0);
    }
}

statement! {
    block_blocks_where_the_epochs_are_equal ends DEADLOCKED, "DEADLOCK", {
        let id = blockpoint();
        trigger(id, 7, false);
        block(id, 7);
        0
    }
}

statement! {
    no_such_blockpoint {
        so!(trigger(99, 1, false) == -1);
        so!(block(99, 0) == -1);
    }
}

statement! {
    /// With an epoch that is equal to the recorded one, too: and then the next to come blocks.
    trigger_wakes_unless_its_epoch_is_behind ends DEADLOCKED, "DEADLOCK", {
        unsafe extern "C" fn twice(id: *mut c_void) -> i64 {
            block(id as u32, 7);
            note(1);
            block(id as u32, 7);
            note(2);
            exit()
        }
        priority(ME, 20);
        let id = blockpoint();
        so!(trigger(id, 7, false) == 0);
        go(twice, id.into(), 10);
        rest();
        so!(trigger(id, 6, false) == 0);
        so!(done() == 0);
        so!(trigger(id, 7, false) == 0);
        so!(done() == 1);
        so!(trigger(id, 6, false) == 0);
        so!(done() == 1);
        sleep();
        0
    }
}

statement! {
    single_wakes_one {
        priority(ME, 20);
        let id = blockpoint();
        for digit in 1..=3 {
            go(blocks, u64::from(id) * 10 + digit, 10);
        }
        rest();
        so!(trigger(id, 1, true) == 0);
        so!((1..=3).contains(&done()));
        so!(trigger(id, 2, false) == 0);
        so!(done() > 100);
    }
}

statement! {
    trigger_lets_the_more_urgent_run {
        priority(ME, 20);
        let id = blockpoint();
        go(blocks, u64::from(id) * 10 + 1, 10);
        rest();
        trigger(id, 1, false);
        so!(done() == 1);
    }
}

statement! {
    less_urgent_ones_wait {
        priority(ME, 20);
        let id = blockpoint();
        go(blocks, u64::from(id) * 10 + 1, 22);
        priority(ME, 25);
        rest();
        priority(ME, 20);
        trigger(id, 1, false);
        so!(done() == 0);
    }
}

statement! {
    /// So it runs before those of its priority that were in the queue.
    woken_thread_is_one_priority_more_urgent {
        priority(ME, 20);
        let id = blockpoint();
        go(blocks, u64::from(id) * 10 + 1, 20);
        rest();
        go(notes, 2, 20);
        trigger(id, 1, false);
        so!(done() == 1);
        rest();
        so!(done() == 12);
    }
}

statement! {
    timeout_ends_at_a_quantum {
        let start = cycles();
        for _ in 0..5 {
            let until = cycles() + micros(100);
            let woken = sleep_until(until);
            so!(woken >= until);
        }
        // Each but the first began right behind a quantum.
        so!(cycles() - start >= micros(4 * 9_000));
    }
}

statement! {
    timeout_that_has_passed_does_not_sleep {
        let start = cycles();
        so!(sleep_until(start) >= start);
    }
}

statement! {
    wakeup_does_not_end_a_timeout {
        unsafe extern "C" fn dozes(_: *mut c_void) -> i64 {
            sleep_until(cycles() + micros(30_000));
            note(1);
            exit()
        }
        priority(ME, 20);
        let start = cycles();
        let thread = go(dozes, 0, 10);
        rest();
        so!(wakeup(thread) == 0);
        so!(done() == 0);
        while done() == 0 {
            rest();
        }
        so!(cycles() - start >= micros(30_000));
    }
}

statement! {
    quantum_shares_among_equals {
        priority(ME, 20);
        go(notes, 1, 20);
        // It does not yield.
        while done() == 0 {}
    }
}

statement! {
    nobody_less_urgent_runs_beside_a_spinner {
        priority(ME, 20);
        go(notes, 1, 21);
        let end = cycles() + micros(35_000);
        while cycles() < end {}
        so!(done() == 0);
    }
}

statement! {
    /// Across switches by the quantum and by blocking.
    floats_are_each_threads_own {
        unsafe extern "C" fn adds(word: *mut c_void) -> i64 {
            let mut sum = 0.0_f64;
            for n in 0..200_000 {
                sum += f64::from(n) * 0.5;
                if n % 50_000 == 0 {
                    rest();
                }
            }
            note(if sum == 199_999.0 * 200_000.0 * 0.25 { word as u64 } else { 9 });
            exit()
        }
        priority(ME, 20);
        go(adds, 1, 20);
        go(adds, 1, 20);
        while done() < 10 {
            rest();
        }
        so!(done() == 11);
    }
}

statement! {
    frequency_is_cycles_per_microsecond {
        let (start, clock) = (cycles(), std::time::Instant::now());
        sleep_until(start + micros(50_000));
        let passed = clock.elapsed().as_micros() as u64;
        let counted = (cycles() - start) / micros(1);
        so!(counted.abs_diff(passed) < passed / 20);
    }
}

statement! {
    exit_ends_a_thread_for_good ends DEADLOCKED, "DEADLOCK", {
        // SAFETY: it ends the first thread, and so all of this machine.
        unsafe { sched_thd_exit() };
        0
    }
}

statement! {
    data_comes_with_the_thread {
        unsafe extern "C" fn is_null(data: *mut c_void) -> i64 {
            note(if data.is_null() { 1 } else { 2 });
            exit()
        }
        priority(ME, 20);
        // SAFETY: as everywhere here.
        let thread = unsafe { sched_thd_create(is_null, null_mut()) };
        priority(thread, 10);
        rest();
        so!(done() == 1);
    }
}
