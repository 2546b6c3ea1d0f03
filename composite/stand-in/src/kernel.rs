//! The kernel's system call: what is in the component's capability table, and what it does.

use std::io::Write;

use crate::compose::{self, Invocation};
use crate::interface::sched;
use crate::world::me;
use crate::{host, path};

const ENOENT: i64 = 2;

/// The way back from an invocation.
const RETURN: u64 = 0;
const PRINT: u64 = 2;
const HARDWARE: u64 = 36;
/// The invocation of `sched_thd_block`.
pub(crate) const SCHED_THD_BLOCK: u64 = 64;

/// What registers that the kernel does not keep are left with.
const GARBAGE: i64 = 0x0bad_0bad_0bad_0bad;

/// The registers of the thread that makes the call.
pub(crate) struct Registers<'a>(pub(crate) &'a mut libc::ucontext_t);

impl Registers<'_> {
    fn get(&self, register: i32) -> u64 {
        self.0.uc_mcontext.gregs[register as usize] as u64
    }

    fn set(&mut self, register: i32, value: i64) {
        self.0.uc_mcontext.gregs[register as usize] = value;
    }

    fn arguments(&self) -> [u64; 4] {
        [libc::REG_RBX, libc::REG_RSI, libc::REG_RDI, libc::REG_RDX].map(|r| self.get(r))
    }

    /// Resumes the caller with that result: where r8 says, with the stack that rbp says.
    fn resume(&mut self, result: i64) {
        let (at, stack) = (self.get(libc::REG_R8), self.get(libc::REG_RBP));
        self.set(libc::REG_RIP, at as i64);
        self.set(libc::REG_RSP, stack as i64);
        self.set(libc::REG_RAX, result);
        for destroyed in [libc::REG_RCX, libc::REG_R8, libc::REG_R9, libc::REG_R10] {
            self.set(destroyed, GARBAGE);
        }
        self.set(libc::REG_R11, GARBAGE);
        self.set(libc::REG_R12, GARBAGE);
    }

    /// Goes on somewhere else, with another stack: these are in two registers each.
    fn go(&mut self, at: u64, stack: u64) {
        self.set(libc::REG_RIP, at as i64);
        self.set(libc::REG_RCX, at as i64);
        self.set(libc::REG_RSP, stack as i64);
        self.set(libc::REG_RBP, stack as i64);
    }

    /// Enters the server: it finds the thread's id in rax, the client's in place of a stack, and
    /// the fourth argument in r12.
    fn enter(&mut self, invocation: Invocation) {
        path::enter(invocation, self.get(libc::REG_R8), self.get(libc::REG_RBP));
        self.set(libc::REG_RAX, me().into());
        self.set(libc::REG_R12, self.get(libc::REG_RDX) as i64);
        self.go(invocation.entry, invocation.client);
    }

    /// Returns to the client, with the result in r8; what else is in registers is the server's.
    fn leave(&mut self) {
        match path::leave() {
            Some(client) => {
                self.set(libc::REG_RAX, self.get(libc::REG_R8) as i64);
                self.go(client.at, client.stack);
            }
            None => {
                self.set(libc::REG_RAX, 0xdead_dead);
                self.go(0, 0);
            }
        }
    }

    /// Resumes the client of a manager's function: what else is in its registers is the server's.
    fn resume_client(&mut self, result: i64, extra: [i64; 3]) {
        self.resume(result);
        let places = [libc::REG_RSI, libc::REG_RDI, libc::REG_RBX];
        places.into_iter().zip(extra).for_each(|(register, value)| self.set(register, value));
        for left in [libc::REG_R13, libc::REG_R14, libc::REG_R15] {
            self.set(left, GARBAGE);
        }
        // SAFETY: Linux put the floating-point registers there, in the frame of this signal.
        if let Some(floating) = unsafe { self.0.uc_mcontext.fpregs.as_mut() } {
            for register in &mut floating._xmm {
                register.element = [GARBAGE as u32; 4];
            }
        }
    }
}

/// Does one system call.
pub(crate) fn call(registers: &mut Registers<'_>) {
    // Nothing here has more than one operation, and most do not look at which it is.
    let capability = (registers.get(libc::REG_RAX) >> 16).wrapping_sub(1);
    let arguments = registers.arguments();
    match capability {
        RETURN => registers.leave(),
        PRINT => registers.resume(print(arguments)),
        HARDWARE => registers.resume(-ENOENT),
        SCHED_THD_BLOCK => {
            let result = host::inside(|| sched::thd_block(arguments[0]));
            registers.resume_client(result.into(), [1, 2, 3]);
        }
        _ => match compose::find(path::component(), capability) {
            Some(invocation) => registers.enter(invocation),
            None => {
                say(format!("kernel: no capability {capability}\n").as_bytes());
                registers.resume(0);
            }
        },
    }
}

/// At most twelve bytes, four in each argument.
fn print([one, two, three, left]: [u64; 4]) -> i64 {
    let text: Vec<u8> =
        [one, two, three].iter().flat_map(|word| (*word as u32).to_le_bytes()).collect();
    let length = left.min(12) as usize;
    say(&text[..length]);
    length as i64
}

/// On the machine's console.
pub(crate) fn say(text: &[u8]) {
    let mut out = std::io::stdout().lock();
    // The console of a machine that nobody listens to.
    let _ = out.write_all(text).and_then(|()| out.flush());
}
