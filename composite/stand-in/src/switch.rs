//! Between the component's stack and that of the Linux thread that carries it.
//!
//! The host's stack is found by the thread's id, which is the second word from the end of each
//! stack of a component, also of one that was invoked.

use std::arch::naked_asm;
use std::ffi::c_void;
use std::sync::atomic::AtomicU64;

use crate::world::MOST_THREADS;

/// Stack pointers of the host, by thread.
static STACKS: [AtomicU64; MOST_THREADS as usize + 1] =
    [const { AtomicU64::new(0) }; MOST_THREADS as usize + 1];

/// Calls `function(data)` on the slot that ends at `end`; returns what it returns.
///
/// # Safety
///
/// The slot is prepared and nobody else runs on it; the call is sound there.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn enter(
    function: unsafe extern "C" fn(*mut c_void) -> i64,
    data: *mut c_void,
    end: usize,
) -> i64 {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov r11, [rdx - 16]",
        "lea r10, [rip + {stacks}]",
        "mov [r10 + 8 * r11], rsp",
        "lea rsp, [rdx - 64]",
        "mov rax, rdi",
        "mov rdi, rsi",
        "call rax",
        "mov r11, rsp",
        "or r11, 8191",
        "mov r11, [r11 - 15]",
        "lea r10, [rip + {stacks}]",
        "mov rsp, [r10 + 8 * r11]",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        stacks = sym STACKS,
    )
}

/// Where the C symbols go: calls the function in rax, with the arguments of the caller, on the
/// host's stack.
///
/// # Safety
///
/// Jumped to by an interface function, on a component's slot.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn to_host() {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "mov r11, rsp",
        "or r11, 8191",
        "mov r11, [r11 - 15]",
        "lea r10, [rip + {stacks}]",
        "mov rsp, [r10 + 8 * r11]",
        "call rax",
        "mov rsp, rbp",
        "pop rbp",
        "ret",
        stacks = sym STACKS,
    )
}

/// Makes C symbols of functions of the host.
macro_rules! c_symbols {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)? = $host:path;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Safety
            ///
            /// Called by a component, with what the interface asks for.
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: $type),*) $(-> $result)? {
                std::arch::naked_asm!(
                    "lea rax, [rip + {host}]",
                    "jmp {to_host}",
                    host = sym $host,
                    to_host = sym $crate::switch::to_host,
                )
            }
        )*
    };
}
pub(crate) use c_symbols;
