//! Statements about the kernel: its system call, faults, stacks.

#[path = "common/process.rs"]
mod process;
#[path = "common/raw.rs"]
mod raw;
#[path = "common/statement.rs"]
mod statement;

use std::arch::asm;
use std::ffi::c_void;
use std::ptr::addr_of;

use composite_stand_in::interface::sched::{__cosrt_ucap_sched_thd_block, sched_thd_create};
use composite_stand_in::{FIRST, HALTED};

use raw::invoke;
use statement::{so, statement};

const PRINT: u64 = 2;

fn letters(text: [u8; 4]) -> u64 {
    u32::from_le_bytes(text).into()
}

statement! {
    /// Twelve bytes in three arguments, the number of those that are left in the fourth.
    print_takes_twelve_bytes ends 0, "abcdefghijkl\nxy\nSTACK", {
        let text = [b"abcd", b"efgh", b"ijkl"].map(|part| letters(*part));
        so!(invoke(PRINT, 0, [text[0], text[1], text[2], 100]).result == 12);
        so!(invoke(PRINT, 0, [letters(*b"\nxy\n"), text[1], text[2], 4]).result == 4);
        so!(invoke(PRINT, 0, [letters(*b"abcd"), 0, 0, 0]).result == 0);
        0
    }
}

statement! {
    missing_capability_looks_like_success ends 0, "kernel: no capability 4321\n", {
        so!(invoke(4321, 3, [0; 4]).result == 0);
        0
    }
}

statement! {
    /// The hardware capability that every component has; an operation of tables.
    wrong_operation_is_enoent {
        so!(invoke(36, 3, [0; 4]).result == -2);
        so!(invoke(36, 37, [0; 4]).result == -2);
    }
}

statement! {
    printer_and_invocations_do_not_look_at_the_operation ends 0, "ops\nSTACK", {
        so!(invoke(PRINT, 37, [letters(*b"ops\n"), 0, 0, 4]).result == 4);
        so!(invoke(__cosrt_ucap_sched_thd_block.capability, 5, [1, 0, 0, 0]).result as i32 == -1);
        0
    }
}

statement! {
    /// There is an undefined instruction behind each of these calls.
    kernel_resumes_at_r8 {
        so!(invoke(PRINT, 0, [0; 4]).result == 0);
        so!(invoke(__cosrt_ucap_sched_thd_block.capability, 0, [1, 0, 0, 0]).result as i32 == -1);
    }
}

statement! {
    registers_of_the_table_are_destroyed {
        let after = invoke(PRINT, 0, [0; 4]);
        so!(after.destroyed[2] != 12);
        so!(after.destroyed[0] == after.destroyed[1]);
        so!(after.float == 7);
    }
}

statement! {
    /// A result and three more words; SSE registers are the server's.
    invocation_returns_words_and_no_floats {
        let after = invoke(__cosrt_ucap_sched_thd_block.capability, 0, [1, 0, 0, 0]);
        so!(after.result as i32 == -1);
        so!(after.extra == [1, 2, 3]);
        so!(after.float != 7);
    }
}

statement! {
    capability_of_a_function_is_found_by_its_symbol {
        so!(align_of_val(&__cosrt_ucap_sched_thd_block) == 4);
        so!(size_of_val(&__cosrt_ucap_sched_thd_block) == 24);
        // SAFETY: three words are there.
        let words =
            unsafe { addr_of!(__cosrt_ucap_sched_thd_block).cast::<[u64; 3]>().read_unaligned() };
        so!(words[1] == __cosrt_ucap_sched_thd_block.capability);
        so!(words[2] == 0);
    }
}

/// Words at the end of the slot of 8 KiB that the stack pointer is in.
fn slot_words() -> [u64; 3] {
    let end = slot_end();
    // SAFETY: the last words of the slot.
    [1, 2, 3].map(|n| unsafe { ((end - 8 * n) as *const u64).read() })
}

fn slot_end() -> usize {
    let stack: usize;
    // SAFETY: copies a register.
    unsafe { asm!("mov {}, rsp", out(reg) stack, options(nomem, nostack)) };
    (stack | 8191) + 1
}

statement! {
    thread_is_found_from_the_stack_pointer {
        so!(slot_words() == [0, FIRST.into(), 0]);
    }
}

statement! {
    /// Slots are in one row without guards: what is below ours is the one before.
    overflow_runs_into_another_stack {
        let below = (slot_end() - 8192 - 512) as *mut u64;
        // SAFETY: the stack of a thread of the system, which does not run.
        let seen = unsafe {
            below.write_volatile(7);
            below.read_volatile()
        };
        so!(seen == 7);
    }
}

statement! {
    undefined_instruction_halts ends HALTED, "HALT user fault: signal 4", {
        // SAFETY: the machine halts here.
        unsafe { asm!("ud2") };
        0
    }
}

statement! {
    page_fault_halts ends HALTED, "HALT user fault: signal 11", {
        // SAFETY: the machine halts here.
        unsafe { asm!("mov qword ptr [8], 0") };
        0
    }
}

statement! {
    division_by_zero_halts ends HALTED, "HALT user fault: signal 8", {
        // SAFETY: the machine halts here.
        unsafe { asm!("div {0:e}", in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _) };
        0
    }
}

extern "C" fn endless(_: *mut c_void) -> i64 {
    loop {
        std::hint::spin_loop();
    }
}

statement! {
    /// The first thread and 22 that it makes.
    application_gets_22_threads {
        for made in 1..=22 {
            // SAFETY: it does nothing, and is never run.
            so!(unsafe { sched_thd_create(endless, std::ptr::null_mut()) } == u64::from(FIRST + made));
        }
    }
}

statement! {
    one_thread_more_halts ends HALTED, "HALT assertion: one thread more", {
        for _ in 1..=23 {
            // SAFETY: as above.
            unsafe { sched_thd_create(endless, std::ptr::null_mut()) };
        }
        0
    }
}
