//! What goes through a channel between two processes asks nobody: not the manager, and, as long as
//! nobody sleeps, not the machine.

use std::time::Duration;

use backend_sinv::Sinv;
use chan_impls::Spsc;
use res_api::{
    Backend, Component, Env, Exit, Fault, Name, Receiver, Rx, Sender, Slot, TryRecvError, Tx,
};

const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");
const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");
const PARTNER: Name = Name::new("partner");

const TRIPS: u64 = 20_000;

/// Answers, and never sleeps.
fn polls(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(FROM)?, env.take(TO)?);
    loop {
        match from.try_recv() {
            Ok(n) => to.send(n)?,
            Err(TryRecvError::Empty) => std::hint::spin_loop(),
            Err(_) => return Ok(()),
        }
    }
}

/// From now on a call of the machine by this thread is the end of the process, but for those by which
/// a thread of std ends.
fn call_nobody() {
    const ALLOWED: [i64; 6] = [
        libc::SYS_exit,
        libc::SYS_munmap,
        libc::SYS_madvise,
        libc::SYS_sigaltstack,
        libc::SYS_rt_sigprocmask,
        libc::SYS_mprotect,
    ];
    let step =
        |code: u32, k: u32, jt: u8, jf: u8| libc::sock_filter { code: code as u16, jt, jf, k };
    let answer = |value| step(libc::BPF_RET | libc::BPF_K, value, 0, 0);
    // The number of the call is the first word.
    let mut filter = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0)];
    for call in ALLOWED {
        filter.push(step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call as u32, 0, 1));
        filter.push(answer(libc::SECCOMP_RET_ALLOW));
    }
    filter.push(answer(libc::SECCOMP_RET_KILL_PROCESS));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program lives during the call, and is for this thread alone.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn data_asks_nobody() {
    let system = Sinv::new().expect("a system");
    let (mut tx, from) = system.chan::<Spsc, u64>(8).expect("a channel");
    let (to, mut rx) = system.chan::<Spsc, u64>(8).expect("a channel");
    let component = system.component(PARTNER, polls).expect("a component");
    component.endow(FROM, from).expect("endowed");
    component.endow(TO, to).expect("endowed");
    component.start().expect("started");
    tx.send(7).expect("it listens");
    assert_eq!(rx.recv(), Ok(7), "it has begun");

    let requests = || {
        let seen = system.inspect().expect("the manager is here");
        seen.components.iter().map(|member| member.requests).collect::<Vec<_>>()
    };
    let before = requests();
    let trips = std::thread::spawn(move || {
        call_nobody();
        for n in 0..TRIPS {
            if tx.try_send(n).is_err() {
                return (tx, rx, n);
            }
            let answer = loop {
                match rx.try_recv() {
                    Err(TryRecvError::Empty) => std::hint::spin_loop(),
                    result => break result,
                }
            };
            if answer != Ok(n) {
                return (tx, rx, n);
            }
        }
        (tx, rx, TRIPS)
    });
    let (tx, _rx, done) = trips.join().expect("it ends well");
    assert_eq!(done, TRIPS);
    assert_eq!(requests(), before, "asked of the manager");
    drop(tx);
    let late = system.within(Duration::from_secs(20));
    assert_eq!(component.as_inner().wait(late), Ok(Exit::Success));
}
