//! Statements about synchronous ipc.

#[path = "common/process.rs"]
mod process;
#[path = "common/statement.rs"]
mod statement;
#[path = "common/threads.rs"]
mod threads;

use std::arch::x86_64::_rdtsc;
use std::ffi::c_void;

use composite_stand_in::HALTED;
use composite_stand_in::interface::sched::{sched_get_cpu_freq, sched_thd_block, sched_thd_wakeup};
use composite_stand_in::interface::syncipc::{syncipc_call, syncipc_reply_wait};

use statement::{so, statement};
use threads::{ME, create, done, exit, go, note, priority, rest, set};

// What follows calls the interface as a component does; addresses are of places of these tests.

/// The result and the answer.
fn call(end_point: i32, one: u64, two: u64) -> (i32, u64, u64) {
    let (mut first, mut second) = (0, 0);
    // SAFETY: see above.
    let result = unsafe { syncipc_call(end_point, one, two, &raw mut first, &raw mut second) };
    (result, first, second)
}

/// The result and the question.
fn reply_wait(one: u64, two: u64) -> (i32, u64, u64) {
    let (mut first, mut second) = (0, 0);
    // SAFETY: see above.
    let result = unsafe { syncipc_reply_wait(0, one, two, &raw mut first, &raw mut second) };
    (result, first, second)
}

/// Two quanta and a half.
fn spin() {
    // SAFETY: every processor of this architecture has the instruction; asks only.
    let end = unsafe { _rdtsc() + 25_000 * sched_get_cpu_freq() };
    // SAFETY: as above.
    while unsafe { _rdtsc() } < end {}
}

/// Answers with the sum and the first; sleeps over a 13, takes long over a 14, ends at a 15.
unsafe extern "C" fn serves(_: *mut c_void) -> i64 {
    let mut answer = (0, 0);
    loop {
        let (result, one, two) = reply_wait(answer.0, answer.1);
        if result != 0 || two == 15 {
            return exit();
        }
        match two {
            // SAFETY: it is woken, or not.
            13 => _ = unsafe { sched_thd_block(0) },
            14 => spin(),
            _ => {}
        }
        answer = (one + two, one);
    }
}

/// A server that waits; the caller has that priority then.
fn server(mine: u32) -> u64 {
    priority(ME, 20);
    let server = go(serves, 0, 10);
    rest();
    priority(ME, mine);
    server
}

statement! {
    call_before_there_is_a_server_fails {
        so!(call(0, 1, 2) == (-11, 0, 0));
    }
}

statement! {
    server_gets_two_words_and_answers_two {
        server(20);
        for one in 0..100 {
            so!(call(0, one, 5) == (0, one + 5, one));
        }
    }
}

statement! {
    there_is_one_end_point {
        server(20);
        for number in [0, 1, -1, 77] {
            so!(call(number, 1, 2) == (0, 3, 1));
        }
    }
}

statement! {
    /// For ever, also where it has ended.
    end_point_is_its_first_servers {
        server(20);
        so!(reply_wait(0, 0).0 == -1);
        so!(call(0, 1, 15).0 == 1);
        so!(reply_wait(0, 0).0 == -1);
    }
}

/// Calls with its word, and notes whether the answer is its own.
unsafe extern "C" fn calls(word: *mut c_void) -> i64 {
    let one = word as u64;
    note(if call(0, one, 14) == (0, one + 14, one) { one } else { 9 });
    exit()
}

statement! {
    /// It is served before a thread that is more urgent than the server and less than itself.
    caller_lends_its_turn {
        server(5);
        unsafe extern "C" fn notes(_: *mut c_void) -> i64 {
            note(7);
            exit()
        }
        go(notes, 0, 8);
        so!(call(0, 1, 14) == (0, 15, 1));
        so!(done() == 0);
    }
}

statement! {
    /// It does not sleep, but spins behind all others.
    waiting_server_is_the_least_urgent {
        server(30);
        unsafe extern "C" fn notes(digit: *mut c_void) -> i64 {
            note(digit as u64);
            exit()
        }
        go(notes, 1, 30);
        rest();
        so!(done() == 1);
        // Nobody else wants to run: the server does.
        let other = create(notes, 2);
        so!(set(other, 1, 31) == 0);
        spin();
        so!(done() == 1);
        priority(ME, 31);
        rest();
        spin();
        so!(done() == 12);
    }
}

statement! {
    each_caller_gets_its_own_answer {
        server(20);
        for word in 1..=3 {
            go(calls, word, 10);
        }
        rest();
        for _ in 0..20 {
            if done() > 99 {
                break;
            }
            spin();
        }
        let mut digits = [done() / 100, done() / 10 % 10, done() % 10];
        digits.sort_unstable();
        so!(digits == [1, 2, 3]);
    }
}

statement! {
    call_fails_where_the_server_sleeps {
        server(20);
        so!(call(0, 1, 13) == (1, 0, 0));
        so!(call(0, 1, 2).0 == 1);
    }
}

statement! {
    /// The real one does not halt: it writes to a stack.
    answer_to_a_call_that_failed_is_ruin ends HALTED, "HALT an answer is written to a stack", {
        let server = server(20);
        so!(call(0, 1, 13).0 == 1);
        // SAFETY: it sleeps.
        unsafe { sched_thd_wakeup(server) };
        priority(ME, 31);
        rest();
        0
    }
}
