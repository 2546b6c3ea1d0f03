//! The instruction, and what it destroys.

use core::arch::asm;

/// What comes back of a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The result; for all but a synchronous invocation, a negative one is an error.
    pub result: i64,
    /// The extra results.
    pub extra: [u64; 3],
}

impl Answer {
    /// A result, and nothing more.
    pub const fn of(result: i64) -> Self {
        Self { result, extra: [0; 3] }
    }
}

/// What rax says: which capability, and what to do with it.
pub(super) const fn selector(capability: u32, operation: u16) -> u64 {
    ((capability as u64 + 1) << 16) + operation as u64
}

const _: () = assert!(selector(0, 1) == 0x1_0001 && selector(u32::MAX, 0) == 1 << 48);

/// Does `operation` with the capability in slot `capability`.
///
/// # Safety
///
/// Whatever the operation does to this component's memory, threads and table is what the caller
/// wants and is sound: the kernel maps, unmaps and switches as it is told.
pub unsafe fn invoke(capability: u32, operation: u16, arguments: [u64; 4]) -> Answer {
    let [one, two, three, four] = arguments;
    let (result, first, second, third);
    // SAFETY: the stack is as it was when the block ends: the kernel resumes at `2:` with the stack
    // pointer that rbp says, where the two words for rbp and rsp are, which are popped; the word
    // left there is rbx. (`push rsp` stores what rsp was before it.) All other registers count as
    // destroyed: those of the C convention by `clobber_abi`, which has the SSE ones too, and r12 to
    // r15 by name, since a server leaves in them what it likes. What happens besides is the
    // caller's promise.
    unsafe {
        asm!(
            "push rbx",
            "push rsp",
            "push rbp",
            "mov rbx, r9",
            "mov rbp, rsp",
            "mov rcx, rsp",
            "lea r8, [rip + 2f]",
            "syscall",
            "2:",
            "pop rbp",
            "pop rsp",
            "mov r9, rbx",
            "pop rbx",
            inout("rax") selector(capability, operation) => result,
            inout("r9") one => third,
            inout("rsi") two => first,
            inout("rdi") three => second,
            inout("rdx") four => _,
            out("r12") _,
            out("r13") _,
            out("r14") _,
            out("r15") _,
            clobber_abi("sysv64"),
        );
    }
    Answer { result, extra: [first, second, third] }
}
