//! Statements about synchronous invocation: how a thread gets into another component, and back.

#[path = "common/process.rs"]
mod process;
#[path = "common/raw.rs"]
mod raw;
#[path = "common/statement.rs"]
mod statement;
#[path = "common/threads.rs"]
mod threads;

use std::arch::naked_asm;
use std::ffi::c_void;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use composite_stand_in::interface::sched::{
    sched_thd_block, sched_thd_create, sched_thd_param_set, sched_thd_wakeup,
};
use composite_stand_in::{APPLICATION, FIRST, HALTED, Invocation, connect};

use raw::invoke;
use statement::{so, statement};
use threads::{ME, create, done, exit, go, note, priority, rest, set};

const SERVER: u64 = 2;
const SLOT: u64 = 100;

/// Makes a capability of the application to enter component 2.
fn serve(slot: u64, entry: unsafe extern "C" fn()) {
    connect(&[Invocation {
        client: APPLICATION,
        slot,
        server: SERVER,
        entry: entry as usize as u64,
    }]);
}

/// rax, rcx, rsp, rbp, rbx, rsi, rdi, r12 and rdx, as the server finds them.
static FOUND: [AtomicU64; 9] = [const { AtomicU64::new(0) }; 9];

/// A server that needs no stack: it notes what it finds, and returns with the numbers 1 to 4, and
/// others where nobody looks.
#[unsafe(naked)]
unsafe extern "C" fn notes_registers() {
    naked_asm!(
        "lea r9, [rip + {found}]",
        "mov [r9], rax",
        "mov [r9 + 8], rcx",
        "mov [r9 + 16], rsp",
        "mov [r9 + 24], rbp",
        "mov [r9 + 32], rbx",
        "mov [r9 + 40], rsi",
        "mov [r9 + 48], rdi",
        "mov [r9 + 56], r12",
        "mov [r9 + 64], rdx",
        "mov eax, 5",
        "movq xmm0, rax",
        "mov r12d, 6",
        "mov r8d, 1",
        "mov esi, 2",
        "mov edi, 3",
        "mov ebx, 4",
        "mov eax, 0x10000",
        "syscall",
        "ud2",
        found = sym FOUND,
    )
}

statement! {
    server_is_told_thread_client_and_words {
        serve(SLOT, notes_registers);
        invoke(SLOT, 0, [21, 22, 23, 24]);
        let found: Vec<_> = FOUND.iter().map(|word| word.load(SeqCst)).collect();
        // The core, 0, is above the thread's id.
        so!(found[0] == ME);
        so!(found[1] == notes_registers as *const () as u64);
        // In place of a stack there is the token.
        so!(found[2..4] == [APPLICATION; 2]);
        so!(found[4..] == [21, 22, 23, 24, 24]);
    }
}

statement! {
    /// And whatever else the server had in its registers.
    client_gets_a_result_and_three_words {
        serve(SLOT, notes_registers);
        let after = invoke(SLOT, 0, [0; 4]);
        so!((after.result, after.extra) == (1, [2, 3, 4]));
        so!(after.float == 5);
        so!(after.destroyed[2] == 6);
    }
}

statement! {
    invocation_does_not_look_at_the_operation {
        serve(SLOT, notes_registers);
        so!(invoke(SLOT, 17, [0; 4]).result == 1);
    }
}

statement! {
    return_from_nowhere_faults ends HALTED, "HALT user fault: signal 11 at 0x0\n", {
        invoke(0, 0, [0; 4]);
        0
    }
}

/// Stacks of the servers, by how many invocations the thread is in.
#[repr(align(8192))]
struct Stacks(#[expect(dead_code, reason = "it is used by its address")] [u8; 17 * 8192]);
static mut STACKS: Stacks = Stacks([0; 17 * 8192]);
static DEPTH: AtomicU64 = AtomicU64::new(0);

/// A server with a stack, on which there are core, thread and token, as everybody expects. Its
/// function gets the four words, and the result is the first of them.
macro_rules! server {
    ($name:ident, $function:path) => {
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            naked_asm!(
                "mov ecx, 1",
                "lea rsp, [rip + {depth}]",
                "xadd [rsp], rcx",
                "inc rcx",
                "shl rcx, 13",
                "lea rsp, [rip + {stacks}]",
                "add rsp, rcx",
                "push 0",
                "push rax",
                "push rbp",
                "sub rsp, 8",
                "mov rcx, r12",
                "mov rdx, rdi",
                "mov rdi, rbx",
                "call {function}",
                "lea rcx, [rip + {depth}]",
                "dec qword ptr [rcx]",
                "mov r8, rax",
                "mov eax, 0x10000",
                "syscall",
                "ud2",
                depth = sym DEPTH,
                stacks = sym STACKS,
                function = sym $function,
            )
        }
    };
}

extern "C" fn sleep(digit: u64) -> u64 {
    note(digit);
    // SAFETY: somebody wakes it.
    unsafe { sched_thd_block(0) };
    note(digit + 1);
    digit
}
server!(sleeps, sleep);

unsafe extern "C" fn client(digit: *mut c_void) -> i64 {
    note(invoke(SLOT, 0, [digit as u64, 0, 0, 0]).result as u64);
    exit()
}

statement! {
    /// It sleeps in the server, and is woken there.
    server_runs_on_the_clients_thread {
        serve(SLOT, sleeps);
        priority(ME, 20);
        let thread = go(client, 1, 10);
        rest();
        so!(done() == 1);
        // SAFETY: the thread sleeps.
        unsafe { sched_thd_wakeup(thread) };
        so!(done() == 121);
    }
}

/// Until somebody has noted something; not for ever.
extern "C" fn spin(_: u64) -> u64 {
    let end = Instant::now() + Duration::from_secs(10);
    while done() == 0 && Instant::now() < end {}
    1
}
server!(spins, spin);

unsafe extern "C" fn notes_seven(_: *mut c_void) -> i64 {
    note(7);
    exit()
}

statement! {
    quantum_ends_in_the_server {
        serve(SLOT, spins);
        priority(ME, 20);
        let other = create(notes_seven, 0);
        so!(set(other, 1, 20) == 0);
        so!(invoke(SLOT, 0, [0; 4]).result == 1);
        so!(done() == 7);
    }
}

extern "C" fn token(_: u64) -> u64 {
    let stack = 0_u64;
    let end = (&raw const stack as usize | 8191) + 1;
    // SAFETY: the third word from the end of a stack.
    unsafe { ((end - 24) as *const u64).read() }
}
server!(says_the_token, token);

extern "C" fn pass_on(words: u64) -> u64 {
    words * 100 + 10 * token(0) + invoke(SLOT, 0, [0; 4]).result as u64
}
server!(passes_on, pass_on);

statement! {
    /// Each is told of the one before it, and its own table is the one that counts.
    invocations_nest {
        serve(SLOT, passes_on);
        let entry = says_the_token as *const () as u64;
        connect(&[Invocation { client: SERVER, slot: SLOT, server: 3, entry }]);
        so!(invoke(SLOT, 0, [5, 0, 0, 0]).result == 512);
        so!(invoke(SLOT, 0, [6, 0, 0, 0]).result == 612);
    }
}

statement! {
    capability_is_in_the_clients_table_only ends 0, "kernel: no capability 101\nSTACK", {
        serve(SLOT, notes_registers);
        connect(&[Invocation { client: SERVER, slot: 101, server: 3, entry: 0 }]);
        so!(invoke(101, 0, [0; 4]).result == 0);
        0
    }
}

extern "C" fn go_on(left: u64) -> u64 {
    match left {
        0 => 1,
        _ => 1 + invoke(SLOT, 0, [left - 1, 0, 0, 0]).result as u64,
    }
}
server!(goes_on, go_on);

/// How many invocations there are, from component to component.
fn chain(count: u64) -> i64 {
    for client in 1..=count {
        let entry = goes_on as *const () as u64;
        connect(&[Invocation { client, slot: SLOT, server: client + 1, entry }]);
    }
    invoke(SLOT, 0, [count - 1, 0, 0, 0]).result
}

statement! {
    fifteen_invocations_nest {
        so!(chain(15) == 15);
    }
}

statement! {
    /// The real kernel does not halt: it has no room, and does not look.
    sixteen_are_ruin ends HALTED, "HALT the kernel's stack of invocations", {
        chain(16);
        0
    }
}

statement! {
    /// A stack is found by the thread's id alone.
    invocation_that_comes_back_is_ruin ends HALTED, "HALT an invocation comes back", {
        serve(SLOT, goes_on);
        let entry = goes_on as *const () as u64;
        connect(&[Invocation { client: SERVER, slot: SLOT, server: APPLICATION, entry }]);
        invoke(SLOT, 0, [1, 0, 0, 0]);
        0
    }
}

extern "C" fn make(_: u64) -> u64 {
    // SAFETY: the function ends by itself.
    unsafe {
        let thread = sched_thd_create(calls_on, std::ptr::null_mut());
        sched_thd_param_set(thread, 1 | 10 << 6);
    }
    1
}
server!(makes_a_thread, make);

unsafe extern "C" fn calls_on(_: *mut c_void) -> i64 {
    note(invoke(SLOT, 0, [0; 4]).result as u64);
    exit()
}

statement! {
    /// It has the server's capabilities.
    thread_that_a_server_makes_is_the_servers {
        serve(SLOT, makes_a_thread);
        let entry = says_the_token as *const () as u64;
        connect(&[Invocation { client: SERVER, slot: SLOT, server: 3, entry }]);
        priority(ME, 20);
        so!(invoke(SLOT, 0, [0; 4]).result == 1);
        rest();
        so!(done() == SERVER);
    }
}

statement! {
    /// Its client never goes on.
    thread_may_end_in_the_server {
        extern "C" fn end(_: u64) -> u64 {
            note(1);
            exit() as u64
        }
        server!(ends, end);
        serve(SLOT, ends);
        priority(ME, 20);
        so!(go(client, 1, 10) == u64::from(FIRST) + 1);
        rest();
        so!(done() == 1);
    }
}
