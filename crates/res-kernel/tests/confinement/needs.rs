//! What a domain needs: threads and all that std does for them, time, chance, memory.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Barrier, Condvar, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use res_api::{ErrorKind, ThreadParam};
use res_kernel::linux::{LinuxDomain, LinuxSocket};
use res_kernel::{
    Access, Domain, DomainEnd, Isolation, Kernel, KernelMemory, KernelThread, Linux, Passed,
    Socket, ThreadEntry,
};
use res_sync::{Deadline, Event, Park, WaitError};

const MACHINE: Linux = Linux::new();

fn late() -> Deadline {
    Deadline::at(MACHINE.now() + Duration::from_secs(60))
}

/// A domain that [needs] all of it gets it.
pub(crate) fn assert_met((domain, socket): (LinuxDomain, LinuxSocket)) {
    let page = MACHINE.memory(4096).expect("memory");
    socket.send(&[], &[Passed::Memory(&page)]).expect("it listens");
    assert_eq!(domain.wait(late()), Some(DomainEnd::Returned));
    // SAFETY: mapped, and the domain has ended.
    assert_eq!(unsafe { page.base().read() }, 9);
}

pub(crate) fn needs(machine: Linux, socket: LinuxSocket) {
    let mut place = [None];
    socket.recv(&mut [], &mut place, late()).expect("the other side sends");
    memory(machine, &place[0].take().and_then(Passed::into_memory).expect("an object came"));
    threads_of_std();
    threads_of_the_seam(machine);
    times(machine);
    let chance = HashMap::from([(black_box(1), 2)]);
    assert_eq!(chance[&1], 2);
    let panic = std::panic::catch_unwind(|| std::panic::resume_unwind(Box::new(7)));
    assert_eq!(panic.expect_err("it panics").downcast_ref(), Some(&7));
    // What it does not get is an error like any other.
    assert_eq!(machine.memory(1).expect_err("an object of its own").kind, ErrorKind::Denied);
    let domain = machine.domain(|_, _| {}).map(|_| ());
    assert_eq!(domain.expect_err("a domain of its own").kind, ErrorKind::Denied);
    assert!(std::fs::File::open("/dev/null").is_err());
    assert!(std::process::Command::new("/bin/true").status().is_err());
    assert!(std::net::UdpSocket::bind("127.0.0.1:0").is_err());
}

fn memory(machine: Linux, page: &impl KernelMemory) {
    let mut bytes = Vec::new();
    // From small to large: moved, mapped, and mapped anew.
    for size in 0..25 {
        bytes.resize(1 << size, 1_u8);
    }
    assert_eq!(bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>(), 1 << 24);
    let reader = page.alias(Access::Read).expect("another mapping");
    // SAFETY: both are mapped; the other side does not look before this one has ended.
    let seen = unsafe {
        page.base().write(9);
        reader.base().read()
    };
    assert_eq!(seen, 9);
    assert!(machine.cores() >= 1);
}

fn threads_of_std() {
    assert!(thread::available_parallelism().is_ok_and(|cores| cores.get() >= 1));
    let (all, count) = (Arc::new(Barrier::new(8)), Arc::new((Mutex::new(0), Condvar::new())));
    let (send, received) = mpsc::channel();
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (all, count, send) = (Arc::clone(&all), Arc::clone(&count), send.clone());
            let named = thread::Builder::new().name("needs".into());
            let body = move || {
                all.wait();
                *count.0.lock().expect("nobody panics") += 1;
                count.1.notify_all();
                send.send(vec![0_u8; 1 << 20].len()).expect("somebody receives");
            };
            named.spawn(body).expect("a thread")
        })
        .collect();
    let counted = count.1.wait_while(count.0.lock().expect("nobody panics"), |count| *count < 8);
    assert_eq!(*counted.expect("nobody panics"), 8);
    assert_eq!(received.iter().take(8).sum::<usize>(), 8 << 20);
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    let patient = Mutex::new(());
    let guard = patient.lock().expect("nobody panics");
    let waited = Condvar::new().wait_timeout(guard, Duration::from_millis(1));
    assert!(waited.expect("nobody panics").1.timed_out());
}

fn threads_of_the_seam(machine: Linux) {
    unsafe fn nothing(_: *mut ()) {}
    let entry = ThreadEntry { run: nothing, data: core::ptr::null_mut() };
    // SAFETY: it touches nothing.
    let (pinned, urgent) =
        unsafe { (machine.thread(entry).expect("one"), machine.thread(entry).expect("two")) };
    pinned.set(ThreadParam::Core(0)).expect("there is one");
    pinned.start().expect("a thread");
    pinned.join();
    // Nobody has the privilege.
    urgent.set(ThreadParam::Priority(3)).expect("remembered");
    match urgent.start() {
        Ok(()) => urgent.join(),
        Err(error) => assert_eq!(error.kind, ErrorKind::Denied),
    }
}

fn times(machine: Linux) {
    let start = Instant::now();
    thread::sleep(Duration::from_millis(2));
    assert!(start.elapsed() >= Duration::from_millis(2));
    assert!(SystemTime::UNIX_EPOCH.elapsed().is_ok());
    let word = std::sync::atomic::AtomicU64::new(0);
    let event = Event {
        park: &machine,
        point: &machine.point().expect("a place"),
        word: &word,
        barrier: machine.barrier(),
    };
    let soon = Deadline::at(machine.now() + Duration::from_millis(2));
    assert_eq!(event.wait_until(soon, || None::<()>), Err(WaitError::TimedOut));
}
