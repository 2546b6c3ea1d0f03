//! Traps the component's system calls and faults.

use std::mem::zeroed;
use std::ptr::null_mut;

use crate::halt::halt;
use crate::kernel::{self, Registers};

/// Where shared libraries are, and so all of the host's system calls: they are let through.
const LIBRARIES: u64 = 0x7000_0000_0000;
const LENGTH: u64 = 0x0fff_ffff_f000;

const PR_SET_SYSCALL_USER_DISPATCH: i32 = 59;
const PR_SYS_DISPATCH_ON: u64 = 1;

/// Bytes of a stack for signal handlers, in which a thread may wait for the baton.
const HANDLER_STACK: usize = 256 * 1024;

type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

/// Installs `handler`, on a stack of its own, uninterrupted by the others.
pub(crate) fn handle(signal: i32, handler: Handler) {
    // SAFETY: all zeroes is an action; the handler is a function of that kind.
    let result = unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        libc::sigfillset(&raw mut action.sa_mask);
        libc::sigaction(signal, &raw const action, null_mut())
    };
    assert_eq!(result, 0, "a handler for signal {signal}");
}

/// Installs the handlers.
pub(crate) fn install() {
    handle(libc::SIGSYS, on_system_call);
    for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
        handle(fault, on_fault);
    }
}

/// Traps the system calls of the calling thread.
pub(crate) fn enable() {
    let stack = libc::stack_t {
        ss_sp: Box::leak(vec![0_u8; HANDLER_STACK].into_boxed_slice()).as_mut_ptr().cast(),
        ss_flags: 0,
        ss_size: HANDLER_STACK,
    };
    // SAFETY: memory that lives for ever, for this thread's handlers alone.
    let result = unsafe { libc::sigaltstack(&raw const stack, null_mut()) };
    assert_eq!(result, 0, "a stack for handlers");
    // SAFETY: without a selector it touches no memory. The C library, which all system calls of the
    // host go through, is where they are let through.
    let result = unsafe {
        libc::prctl(
            PR_SET_SYSCALL_USER_DISPATCH,
            PR_SYS_DISPATCH_ON,
            LIBRARIES,
            LENGTH,
            null_mut::<u8>(),
        )
    };
    assert_eq!(result, 0, "this Linux can trap system calls (5.11)");
    let library = libc::getpid as *const () as u64;
    assert!((LIBRARIES..LIBRARIES + LENGTH).contains(&library), "the C library is shared");
}

extern "C" fn on_system_call(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: Linux passes the registers of the interrupted thread, which are ours to change until
    // the handler returns.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    kernel::call(&mut Registers(context));
}

extern "C" fn on_fault(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: as above.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    let at = context.uc_mcontext.gregs[libc::REG_RIP as usize];
    halt(&format!("user fault: signal {signal} at {at:#x}"));
}
