//! Threads of the kernel's pool.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::SeqCst;
use core::time::Duration;

use res_api::{ErrorKind, Fault, ThreadParam};
use res_kernel::{Composite, Kernel, KernelError, KernelThread, ThreadEntry};
use res_sync::{Deadline, Park, Wake};

use super::beside::{beside, started};
use super::ground::Ground;
use super::{LONG, within};
use crate::THREADS;
use crate::panics::EXPECTED;
use crate::report::check;

fn is<T>(result: Result<T, KernelError>, kind: ErrorKind) -> bool {
    result.is_err_and(|error| error.kind == kind)
}

pub(super) fn boot_once(_: Composite) -> Result<(), Fault> {
    check!(is(Composite::boot(1, 16), ErrorKind::Exists));
    check!(is(Composite::boot(1, 32), ErrorKind::Invalid));
    check!(is(Composite::boot(22, 16), ErrorKind::NoSlots));
    Ok(())
}

/// The same threads, many times over.
pub(super) fn start_and_join(machine: Composite) -> Result<(), Fault> {
    let count = AtomicU32::new(0);
    for round in 0..100 {
        let mut body = || {
            count.fetch_add(1, SeqCst);
        };
        let one = beside(machine, &mut body)?;
        one.thread.join();
        check!(count.load(SeqCst) == round);
        one.thread.start()?;
        check!(is(one.thread.start(), ErrorKind::Invalid));
        one.thread.join();
        one.thread.join();
        check!(count.load(SeqCst) == round + 1);
        check!(is(one.thread.set(ThreadParam::Core(0)), ErrorKind::Stale));
    }
    Ok(())
}

pub(super) fn ids(machine: Composite) -> Result<(), Fault> {
    let seen = AtomicU32::new(0);
    check!(machine.current() != 0);
    let mut body = || seen.store(machine.current(), SeqCst);
    let one = started(machine, &mut body)?;
    one.thread.join();
    check!(one.thread.id() != machine.current());
    check!(seen.load(SeqCst) == one.thread.id());
    Ok(())
}

/// All of them at a time, and not one more; then again.
pub(super) fn pool_runs_out(machine: Composite) -> Result<(), Fault> {
    unsafe fn nothing(_: *mut ()) {}
    let entry = ThreadEntry { run: nothing, data: core::ptr::null_mut() };
    for _ in 0..2 {
        let mut all = [const { None }; THREADS as usize];
        for place in &mut all {
            // SAFETY: it touches nothing.
            *place = Some(unsafe { machine.thread(entry)? });
        }
        // SAFETY: as above.
        check!(is(unsafe { machine.thread(entry) }, ErrorKind::NoSlots));
        for thread in all.iter().flatten() {
            thread.start()?;
        }
        all.iter().flatten().for_each(KernelThread::join);
    }
    Ok(())
}

/// It never runs, and its place is used again.
pub(super) fn dropped(machine: Composite) -> Result<(), Fault> {
    let count = AtomicU32::new(0);
    let mut body = || {
        count.fetch_add(1, SeqCst);
    };
    for _ in 0..2 * THREADS {
        drop(beside(machine, &mut body)?);
    }
    drop(started(machine, &mut body)?);
    check!(count.load(SeqCst) == 1);
    Ok(())
}

/// Appends a digit.
fn note(order: &AtomicU32, digit: u32) {
    order.store(10 * order.load(SeqCst) + digit, SeqCst);
}

/// The more urgent one runs first, whatever the order of the starts.
pub(super) fn priority(machine: Composite) -> Result<(), Fault> {
    let order = AtomicU32::new(0);
    let mut low = || note(&order, 1);
    let mut high = || note(&order, 2);
    let low = beside(machine, &mut low)?;
    let high = beside(machine, &mut high)?;
    low.thread.set(ThreadParam::Priority(3))?;
    high.thread.set(ThreadParam::Priority(30))?;
    low.thread.start()?;
    check!(order.load(SeqCst) == 0);
    high.thread.start()?;
    high.thread.join();
    check!(order.load(SeqCst) == 2);
    low.thread.join();
    check!(order.load(SeqCst) == 21);
    Ok(())
}

/// It takes the new one when it wakes: from then on it does not run before the caller sleeps.
pub(super) fn priority_while_it_sleeps(machine: Composite) -> Result<(), Fault> {
    let ground = Ground::new(machine)?;
    let mut body = || {
        for round in 1..=2 {
            ground.await_at_least(round, Deadline::NEVER).ok();
            ground.answer();
        }
    };
    let one = beside(machine, &mut body)?;
    one.thread.set(ThreadParam::Priority(30))?;
    one.thread.start()?;
    ground.post(Wake::All);
    // The caller runs again when the other, which is more urgent, sleeps.
    check!(ground.await_answers(1, within(machine, LONG)));
    one.thread.set(ThreadParam::Priority(3))?;
    ground.post(Wake::All);
    check!(ground.answers() == 1);
    check!(ground.await_answers(2, within(machine, LONG)));
    Ok(())
}

/// A thread that was the least urgent is not so in its next life: it runs while the caller only
/// yields.
pub(super) fn priority_of_the_next_life(machine: Composite) -> Result<(), Fault> {
    let count = AtomicU32::new(0);
    let mut body = || {
        count.fetch_add(1, SeqCst);
    };
    let id = {
        let one = beside(machine, &mut body)?;
        one.thread.set(ThreadParam::Priority(1))?;
        one.thread.start()?;
        one.thread.join();
        one.thread.id()
    };
    let again = beside(machine, &mut body)?;
    check!(again.thread.id() == id);
    again.thread.set(ThreadParam::Priority(30))?;
    again.thread.start()?;
    for _ in 0..1_000 {
        machine.yield_to(Some(id));
    }
    check!(count.load(SeqCst) == 2);
    Ok(())
}

pub(super) fn refused(machine: Composite) -> Result<(), Fault> {
    let mut body = || {};
    let one = beside(machine, &mut body)?;
    for invalid in [
        ThreadParam::Priority(0),
        ThreadParam::Priority(32),
        ThreadParam::Core(1),
        ThreadParam::Period(Duration::from_millis(10)),
        ThreadParam::Budget(Duration::from_millis(1)),
    ] {
        check!(is(one.thread.set(invalid), ErrorKind::Invalid));
    }
    one.thread.set(ThreadParam::Core(0))?;
    Ok(())
}

/// Who joins it goes on. It takes a thread away for good, so it comes last.
pub(super) fn panics(machine: Composite) -> Result<(), Fault> {
    EXPECTED.store(1, SeqCst);
    let seen = AtomicU32::new(0);
    let mut body = || {
        seen.store(1, SeqCst);
        assert_eq!(seen.load(SeqCst), 2, "as it has to");
        seen.store(3, SeqCst);
    };
    let one = started(machine, &mut body)?;
    one.thread.join();
    check!(seen.load(SeqCst) == 1);
    check!(EXPECTED.load(SeqCst) == 0);
    check!(is(one.thread.set(ThreadParam::Core(0)), ErrorKind::Stale));
    drop(one);
    // The others are there.
    start_and_join(machine)
}
