//! The server's side of synchronous invocation: where threads of clients enter, and return.
//!
//! | register | at the entry | for the return |
//! |---|---|---|
//! | rax | core << 16 + thread id | 1 << 16, the way back |
//! | rbp, rsp | the client's component id; there is no stack | |
//! | rbx, rsi, rdi, r12 | arguments 1 to 4 | third, first and second extra result; - |
//! | r8 | | the result |

use super::Answer;

/// Who invokes: the id of its component, which the composer has put into its capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Client(u64);

impl Client {
    /// The id of the component.
    pub const fn id(self) -> u64 {
        self.0
    }
}

/// What a server does when it is invoked: with four words of the client, which may be anything.
///
/// It runs on the client's thread, with a stack of 8 KiB that this thread has in the server. It may
/// sleep there, and be invoked by other threads meanwhile.
pub type Handler = fn(Client, [u64; 4]) -> Answer;

/// What an entry calls: the words are the arguments, and then the results.
#[doc(hidden)]
#[inline]
pub fn serve(words: &mut [u64; 4], client: u64, handler: Handler) {
    let Answer { result, extra: [first, second, third] } = handler(Client(client), *words);
    *words = [result as u64, first, second, third];
}

/// Makes entries for invocations: `symbol = handler;`, a [`Handler`] for each.
///
/// The composer looks for `__cosrt_s_f` in the component that exports the interface function `f`.
/// (Its own stubs have such an entry, too, which calls a C function `f`: one of the two is to be
/// linked.) Stacks are slots of 8 KiB by thread id in `cos_static_stack`, which every component's C
/// part has; core, thread and client are at the end of a slot, where everybody looks for them.
///
/// # What an entry does not do
///
/// * Check who invokes: each handler is told, and decides.
/// * Notice that a thread is in this component already. The composer arranges that invocations
///   never come back.
/// * Clear registers: a client can see what a handler has left in those that have no result.
///
/// A panic in a handler ends the client's thread, see
/// [`abandon_thread`](crate::composite::Composite::abandon_thread).
///
/// # Example
///
/// ```no_run
/// use res_kernel::composite::syscall::{Answer, Client};
///
/// fn sum(_: Client, [one, two, _, _]: [u64; 4]) -> Answer {
///     Answer::of(one.wrapping_add(two) as i64)
/// }
///
/// fn who(client: Client, _: [u64; 4]) -> Answer {
///     Answer { result: 0, extra: [client.id(), 0, 0] }
/// }
///
/// res_kernel::composite_entries! {
///     __cosrt_s_tally_sum = sum;
///     __cosrt_s_tally_who = who;
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! composite_entries {
    ($($symbol:ident = $handler:path;)*) => {$(
        const _: () = {
            unsafe extern "C" {
                static cos_static_stack: u8;
            }

            extern "sysv64" fn serve(words: &mut [u64; 4], client: u64) {
                $crate::composite::syscall::serve(words, client, $handler);
            }

            // SAFETY: a name that no other entry has. The kernel enters here by an invocation; the
            // stack is that of the thread, which is not in this component otherwise; the words are
            // on it, and are what `serve` borrows, aligned as calls need it.
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $symbol() {
                ::core::arch::naked_asm!(
                    "cld",
                    "movzx ecx, ax",
                    "shl ecx, 13",
                    "lea rsp, [rip + {stacks}]",
                    "add rsp, rcx",
                    "mov ecx, eax",
                    "shr ecx, 16",
                    "push rcx",
                    "movzx eax, ax",
                    "push rax",
                    "push rbp",
                    "sub rsp, 8",
                    "push r12",
                    "push rdi",
                    "push rsi",
                    "push rbx",
                    "mov rdi, rsp",
                    "mov rsi, rbp",
                    "xor ebp, ebp",
                    "call {serve}",
                    "pop r8",
                    "pop rsi",
                    "pop rdi",
                    "pop rbx",
                    "mov eax, 0x10000",
                    "syscall",
                    "ud2",
                    stacks = sym cos_static_stack,
                    serve = sym serve,
                )
            }
        };
    )*};
}
