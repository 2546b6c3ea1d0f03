//! The system call, register by register.

use std::arch::naked_asm;

/// rax, rsi, rdi, rbx, rcx, r11, r12 and the first SSE register, as a call leaves them.
#[derive(Default)]
#[repr(C)]
pub(crate) struct After {
    pub(crate) result: i64,
    pub(crate) extra: [u64; 3],
    pub(crate) destroyed: [u64; 3],
    pub(crate) float: u64,
}

/// By the table of registers alone; an undefined instruction is behind the call, which goes on
/// elsewhere.
#[unsafe(naked)]
unsafe extern "C" fn call(selector: u64, arguments: *const [u64; 4], after: *mut After) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push rdx",
        "mov rax, rdi",
        "mov r9, rsi",
        "mov rbx, [r9]",
        "mov rsi, [r9 + 8]",
        "mov rdi, [r9 + 16]",
        "mov rdx, [r9 + 24]",
        "mov r12, 12",
        "mov r10, 7",
        "movq xmm0, r10",
        "push rsp",
        "push rbp",
        "mov rbp, rsp",
        "lea r8, [rip + 2f]",
        "syscall",
        "ud2",
        "2:",
        "pop rbp",
        "pop rsp",
        "pop r9",
        "mov [r9], rax",
        "mov [r9 + 8], rsi",
        "mov [r9 + 16], rdi",
        "mov [r9 + 24], rbx",
        "mov [r9 + 32], rcx",
        "mov [r9 + 40], r11",
        "mov [r9 + 48], r12",
        "movq [r9 + 56], xmm0",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Does an operation with a capability.
pub(crate) fn invoke(capability: u64, operation: u64, arguments: [u64; 4]) -> After {
    let mut after = After::default();
    // SAFETY: the callers' operations touch no memory.
    unsafe { call(((capability + 1) << 16) + operation, &raw const arguments, &raw mut after) };
    after
}
