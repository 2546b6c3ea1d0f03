//! Proves with real threads that [`Mutex`] keeps others out, gives up at the deadline and says
//! who holds it, that it is poisoned by the death of its owner and by nothing else, and that in a
//! crowd that partly gives up nobody waits for ever.

#[path = "common/machine.rs"]
mod machine;

use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use machine::{Machine, ends, rounds};
use res_sync::mutex::LockError;
use res_sync::{Barrier, Deadline, Mutex, Park};

type Lock = Mutex<Machine, u32>;

fn lock_on(machine: &Machine) -> Arc<Lock> {
    Arc::new(Mutex::new(machine.clone(), (), Barrier::Fence, 0))
}

fn lock() -> Arc<Lock> {
    lock_on(&Machine::new())
}

/// A panic without a message.
fn die() -> ! {
    resume_unwind(Box::new("on purpose"))
}

/// Panics in a thread of its own, in the middle of a change to 7.
fn poison(lock: &Arc<Lock>) {
    let lock = lock.clone();
    let owner = thread::spawn(move || {
        let mut guard = lock.lock();
        *guard = 7;
        die();
    });
    assert!(owner.join().is_err());
}

/// A thread that takes the lock and dies without a panic, so that nothing is released. Its id.
fn vanish(lock: &Arc<Lock>, machine: &Machine) -> u32 {
    let (lock, machine) = (lock.clone(), machine.clone());
    let owner = thread::spawn(move || {
        forget(lock.lock());
        machine.current()
    });
    owner.join().expect("it does not panic")
}

// ---- Taking and giving back ----

#[test]
fn a_free_lock_asks_nothing_of_the_machine() {
    let machine = Machine::new();
    let lock = lock_on(&machine);
    *lock.lock() += 1;
    *lock.lock_until(Deadline::PASSED).expect("it is free") += 1;
    drop(lock.try_lock().expect("it is free").expect("it is not poisoned"));
    assert_eq!(machine.calls(), 0);
    assert_eq!(Arc::into_inner(lock).map(Mutex::into_inner), Some(2));
}

#[test]
fn the_owner_is_known_while_it_holds_the_lock() {
    let machine = Machine::new();
    let lock = lock_on(&machine);
    assert_eq!(lock.owner(), None);
    let guard = lock.lock();
    assert_eq!(lock.owner(), Some(machine.current()));
    drop(guard);
    assert_eq!(lock.owner(), None);
}

#[test]
fn a_held_lock_is_not_taken() {
    let lock = lock();
    let guard = lock.lock();
    assert!(lock.try_lock().is_none());
    thread::scope(|scope| {
        scope.spawn(|| assert!(lock.try_lock().is_none()));
    });
    drop(guard);
    assert!(lock.try_lock().is_some());
}

#[test]
fn a_release_wakes_one_that_sleeps() {
    ends(|| {
        let machine = Machine::new();
        let lock = lock_on(&machine);
        let guard = lock.lock();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| *lock.lock() += 1);
            }
            machine.until_asleep(2);
            drop(guard);
        });
        assert_eq!(*lock.lock(), 2);
    });
}

// ---- Deadlines ----

/// What a lock that is held says at that deadline.
fn timed_out(lock: &Lock, deadline: Deadline) -> u32 {
    match lock.lock_until(deadline) {
        Err(LockError::TimedOut(owner)) => owner,
        Err(LockError::Poisoned(_)) => panic!("nobody died"),
        Ok(_) => panic!("it is held"),
    }
}

#[test]
fn a_deadline_that_passes_names_the_owner() {
    let machine = Machine::new();
    let lock = lock_on(&machine);
    let (holds, held) = channel();
    let (release, released) = channel();
    thread::scope(|scope| {
        let (lock, machine) = (&lock, &machine);
        scope.spawn(move || hold(lock, machine, &holds, &released));
        let owner = held.recv().expect("the owner says so");
        assert_ne!(owner, machine.current());
        assert_eq!(timed_out(lock, Deadline::PASSED), owner);
        let deadline = machine.after(Duration::from_millis(5));
        assert_eq!(timed_out(lock, deadline), owner);
        assert!(deadline.passed(machine.now()), "it does not give up early");
        drop(release);
    });
    assert!(lock.try_lock().is_some());
}

/// Holds the lock, and says so, until the other end of `released` is dropped.
fn hold(lock: &Lock, machine: &Machine, holds: &Sender<u32>, released: &Receiver<()>) {
    let _guard = lock.lock();
    holds.send(machine.current()).expect("the test waits for this");
    released.recv().expect_err("nothing is ever sent");
}

#[test]
fn locking_twice_in_one_thread_waits_for_the_deadline() {
    let machine = Machine::new();
    let lock = lock_on(&machine);
    let _guard = lock.lock();
    let deadline = machine.after(Duration::from_millis(5));
    assert_eq!(timed_out(&lock, deadline), machine.current());
    assert!(deadline.passed(machine.now()));
}

// ---- Poison ----

#[test]
fn a_panic_of_the_owner_poisons() {
    let lock = lock();
    poison(&lock);
    assert!(lock.is_poisoned());
    assert_eq!(lock.owner(), None, "it is free, all the same");
    let Err(LockError::Poisoned(guard)) = lock.lock_until(Deadline::PASSED) else {
        panic!("its owner panicked");
    };
    assert_eq!(*guard, 7, "half changed, as it was left");
}

#[test]
fn a_panic_of_the_owner_wakes_one_that_sleeps() {
    ends(|| {
        let machine = Machine::new();
        let lock = lock_on(&machine);
        let guard = lock.lock();
        thread::scope(|scope| {
            let heir = scope.spawn(|| match lock.lock_until(Deadline::NEVER) {
                Err(LockError::Poisoned(guard)) => *guard,
                _ => panic!("the owner panics"),
            });
            machine.until_asleep(1);
            let panic = catch_unwind(AssertUnwindSafe(|| {
                let mut guard = guard;
                *guard = 7;
                die();
            }));
            assert!(panic.is_err());
            assert_eq!(heir.join().expect("it does not panic"), 7);
        });
    });
}

/// The poison stays, whoever takes the lock and gives it back, until somebody says that all is
/// well.
#[test]
fn poison_stays_until_it_is_cleared() {
    let lock = lock();
    poison(&lock);
    drop(lock.lock());
    assert!(matches!(lock.try_lock(), Some(Err(LockError::Poisoned(_)))));
    let mut guard = lock.lock();
    *guard = 8;
    Mutex::clear_poison(&mut guard);
    assert!(!lock.is_poisoned());
    assert!(lock.owner().is_some(), "it is held still");
    drop(guard);
    let guard = lock.lock_until(Deadline::PASSED).expect("the poison is cleared");
    assert_eq!(*guard, 8);
}

/// Runs `body` when it is dropped.
struct InDestructor<F: FnMut()>(F);

impl<F: FnMut()> Drop for InDestructor<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A destructor that runs in a panic, and locks for itself, is not the owner that dies.
#[test]
fn a_guard_taken_in_a_destructor_during_a_panic_does_not_poison() {
    let lock = lock();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _counts = InDestructor(|| {
            assert!(thread::panicking());
            *lock.lock() += 1;
        });
        die();
    }));
    assert!(panic.is_err());
    assert!(!lock.is_poisoned());
    let guard = lock.lock_until(Deadline::PASSED).expect("it is not poisoned");
    assert_eq!(*guard, 1, "the destructor ran");
}

/// Only what the panic itself drops is poisoned by it.
#[test]
fn a_panic_that_is_caught_while_the_lock_is_held_does_not_poison() {
    let lock = lock();
    let guard = lock.lock();
    assert!(catch_unwind(|| die()).is_err());
    drop(guard);
    assert!(!lock.is_poisoned());
}

// ---- Death ----

#[test]
fn the_death_of_another_does_not_break_the_lock() {
    let machine = Machine::new();
    let lock = lock_on(&machine);
    let dead = vanish(&lock, &machine);
    assert!(!lock.owner_died(0), "nobody is not dead");
    assert!(!lock.owner_died(dead + 1_000));
    assert!(!lock.owner_died(machine.current()));
    assert_eq!(timed_out(&lock, Deadline::PASSED), dead);
    assert!(!lock.is_poisoned());
}

#[test]
fn the_death_of_the_owner_breaks_the_lock_once() {
    let machine = Machine::new();
    let lock = lock_on(&machine);
    let dead = vanish(&lock, &machine);
    assert!(lock.owner_died(dead));
    assert!(lock.is_poisoned());
    assert_eq!(lock.owner(), None);
    assert!(!lock.owner_died(dead), "it holds nothing any more");
    assert!(!lock.owner_died(0), "a broken lock has no owner either");
    assert!(matches!(lock.try_lock(), Some(Err(LockError::Poisoned(_)))));
}

/// Also where the lock was poisoned before the owner that dies took it.
#[test]
fn the_death_of_an_heir_breaks_the_lock_again() {
    let machine = Machine::new();
    let lock = lock_on(&machine);
    poison(&lock);
    let dead = vanish(&lock, &machine);
    assert_eq!(lock.owner(), Some(dead));
    assert!(lock.owner_died(dead));
    assert_eq!(lock.owner(), None);
    assert!(lock.is_poisoned());
}

#[test]
fn the_death_of_the_owner_wakes_one_that_sleeps() {
    ends(|| {
        let machine = Machine::new();
        let lock = lock_on(&machine);
        let dead = vanish(&lock, &machine);
        thread::scope(|scope| {
            let heir = scope
                .spawn(|| matches!(lock.lock_until(Deadline::NEVER), Err(LockError::Poisoned(_))));
            machine.until_asleep(1);
            assert!(lock.owner_died(dead));
            assert!(heir.join().expect("it does not panic"), "the owner died");
        });
    });
}

// ---- What it looks like ----

#[test]
fn it_shows_its_value_or_its_owner() {
    let machine = Machine::new();
    let lock = lock_on(&machine);
    assert_eq!(format!("{lock:?}"), "Mutex { value: 0 }");
    let guard = lock.lock();
    let owner = machine.current();
    assert_eq!(format!("{guard:?}"), "0");
    assert_eq!(format!("{lock:?}"), format!("Mutex {{ owner: Some({owner}) }}"));
    let error = lock.lock_until(Deadline::PASSED).expect_err("it is held");
    assert_eq!(error.to_string(), format!("the lock is still held by thread {owner}"));
}

#[test]
fn a_poisoned_lock_says_that_its_owner_died() {
    let lock = lock();
    poison(&lock);
    let error = lock.lock_until(Deadline::PASSED).expect_err("its owner panicked");
    assert_eq!(error.to_string(), "an owner of the lock died holding it");
}

// ---- Crowds ----

/// Takes the lock and counts; with a deadline that passes soon, as often as that takes.
fn count(lock: &Lock, machine: &Machine, patient: bool) {
    let mut total = loop {
        let soon = machine.after(Duration::from_micros(30));
        match lock.lock_until(if patient { Deadline::NEVER } else { soon }) {
            Ok(guard) => break guard,
            Err(LockError::TimedOut(_)) => assert!(!patient, "its deadline never passes"),
            Err(LockError::Poisoned(_)) => panic!("nobody died"),
        }
    };
    if *total % 16 == 0 {
        // So that others come while it is held, on one core too.
        thread::yield_now();
    }
    *total += 1;
}

fn crowd(machine: &Machine) {
    let lock = lock_on(machine);
    let each = rounds(200_000);
    thread::scope(|scope| {
        for counter in 0..4 {
            let lock = &lock;
            scope.spawn(move || (0..each).for_each(|_| count(lock, machine, counter % 2 == 0)));
        }
    });
    assert_eq!(*lock.lock(), 4 * each);
    assert_eq!(machine.asleep(), 0);
}

#[test]
fn a_crowd_asleep_loses_no_count_and_no_wake_up() {
    ends(|| crowd(&Machine::new()));
}

#[test]
fn a_crowd_spinning_loses_no_count_and_no_wake_up() {
    ends(|| crowd(&Machine::spinning(50)));
}

/// Now and then an owner dies, with a panic or without: each time one of the others inherits.
#[test]
fn a_crowd_outlives_its_dead() {
    ends(|| {
        let machine = Machine::new();
        let lock = lock_on(&machine);
        let deaths = rounds(500);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..10 * deaths).for_each(|_| *lock.lock() += 1));
            }
            for death in 0..deaths {
                die_in_the_crowd(&lock, &machine, death % 2 == 0);
            }
        });
        assert!(lock.is_poisoned());
        assert_eq!(*lock.lock(), 21 * deaths);
    });
}

/// A thread that takes the lock, counts, and dies.
fn die_in_the_crowd(lock: &Lock, machine: &Machine, panics: bool) {
    let owner = thread::scope(|scope| {
        let owner = scope.spawn(|| {
            let mut guard = lock.lock();
            *guard += 1;
            if panics {
                die();
            }
            forget(guard);
            machine.current()
        });
        owner.join().ok()
    });
    assert_eq!(owner.is_none(), panics);
    if let Some(dead) = owner {
        assert!(lock.owner_died(dead));
    }
}
