//! The one system call of the kernel: invoking a capability.
//!
//! | register | in | out |
//! |---|---|---|
//! | rax | ((capability + 1) << 16) + operation | the result, negative where it failed |
//! | rbx, rsi, rdi, rdx | arguments 1 to 4 | third, first and second extra result; unchanged |
//! | rbp, r8 | stack pointer and address to resume with | |
//! | rcx, r11 | | destroyed |
//!
//! The kernel resumes at r8, not behind the instruction. What a synchronous invocation leaves in
//! the other registers is the server's.
//!
//! There is a file for each kind of capability, with a handle that is the number of a slot in this
//! component's own capability table. An ordinary component has capabilities to invoke others by,
//! and to print; the rest is for schedulers, capability managers and the booter.
//!
//! # What the kernel does not do
//!
//! * It says 0, success, of a capability that does *not exist*, and prints a line about it. Only a
//!   capability that is there, without that operation, is `ENOENT`; and the printer and invocations
//!   do what they do whatever the operation is.
//! * It keeps no SSE register across a synchronous invocation.
//! * It has room for 15 invocations of a thread one within the other, and does not look: the next
//!   one overwrites memory of the kernel.

mod call;
mod code;
mod entry;
mod hardware;
mod invocation;
mod notification;
mod page_table;
mod print;
mod slot;
mod table;
mod thread;
mod time;

pub use call::{Answer, invoke};
pub use code::{Code, Errno};
#[doc(hidden)]
pub use entry::serve;
pub use entry::{Client, Handler};
pub use hardware::{Hardware, HardwareOperation};
pub use invocation::{Invocation, Stub};
pub use notification::{Notify, Pending, Receive, Received};
pub use page_table::PageTable;
pub use print::{Console, Printer};
pub use slot::{Kind, boot};
pub use table::{Arcv, CapTable, Comp, Sinv, Thd};
pub use thread::{Dispatch, ThreadCap};
pub use time::TimeCap;
