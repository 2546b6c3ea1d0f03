//! Sleeping and waking. Nothing here measures how long something takes.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use res_kernel::linux::LinuxPoint;
use res_kernel::{Kernel, Linux};
use res_sync::{Deadline, Park, Parked, Waiting, Wake};

const MACHINE: Linux = Linux::new();

#[test]
fn a_word_that_has_moved_does_not_let_anybody_sleep() {
    let word = AtomicU64::new(7);
    assert_eq!(MACHINE.park(&LinuxPoint::default(), &word, 8, Deadline::NEVER), Parked::Awake);
}

#[test]
fn the_low_half_of_the_word_decides() {
    let word = AtomicU64::new(1 << 32 | 5);
    assert_eq!(MACHINE.park(&LinuxPoint::default(), &word, 5, Deadline::PASSED), Parked::TimedOut);
    let other = 1 << 32 | 6;
    assert_eq!(MACHINE.park(&LinuxPoint::default(), &word, other, Deadline::NEVER), Parked::Awake);
}

#[test]
fn a_deadline_ends_the_sleep_and_not_too_early() {
    let word = AtomicU64::new(0);
    let until = MACHINE.now() + Duration::from_millis(3);
    while MACHINE.park(&LinuxPoint::default(), &word, 0, Deadline::at(until)) == Parked::Awake {}
    assert!(MACHINE.now() >= until);
}

#[test]
fn a_deadline_far_away_is_not_taken_for_one_that_has_passed() {
    let word = AtomicU64::new(0);
    let ages = Deadline::at(res_sync::Instant::from_nanos(u64::MAX - 1));
    thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            while word.load(SeqCst) == 0 {
                assert_eq!(MACHINE.park(&LinuxPoint::default(), &word, 0, ages), Parked::Awake);
            }
        });
        word.store(1, SeqCst);
        wake_until_finished(&word, &sleeper);
    });
}

/// Who looked before the store sleeps at most until one of these.
fn wake_until_finished<T>(word: &AtomicU64, sleeper: &thread::ScopedJoinHandle<'_, T>) {
    while !sleeper.is_finished() {
        MACHINE.unpark(&LinuxPoint::default(), word, 0, Wake::All);
        thread::yield_now();
    }
}

#[test]
fn nobody_asleep_is_nobody_woken() {
    let word = AtomicU64::new(0);
    assert_eq!(MACHINE.unpark(&LinuxPoint::default(), &word, 0, Wake::One), Some(0));
    assert_eq!(MACHINE.unpark(&LinuxPoint::default(), &word, 0, Wake::All), Some(0));
}

/// When a test has failed.
fn late() -> Deadline {
    Deadline::at(MACHINE.now() + Duration::from_secs(20))
}

/// Parks `sleepers` threads until the word moves, and runs `wake` meanwhile.
fn with_sleepers(sleepers: usize, wake: impl FnOnce(&AtomicU64)) {
    let (word, late) = (AtomicU64::new(0), late());
    thread::scope(|scope| {
        for _ in 0..sleepers {
            scope.spawn(|| {
                while word.load(SeqCst) == 0 && !late.passed(MACHINE.now()) {
                    MACHINE.park(&LinuxPoint::default(), &word, 0, late);
                }
            });
        }
        wake(&word);
        word.store(1, SeqCst);
        MACHINE.unpark(&LinuxPoint::default(), &word, 1, Wake::All);
    });
}

/// Wakes until one call has woken that many: each sleeper goes back to sleep.
fn wake_until(word: &AtomicU64, wake: Wake, woken: u32) {
    let late = late();
    loop {
        let now = MACHINE.unpark(&LinuxPoint::default(), word, 0, wake);
        if now == Some(woken) {
            break;
        }
        assert!(now < Some(woken), "{now:?} woken, no more than {woken} could be");
        assert!(!late.passed(MACHINE.now()), "never {woken} woken at once");
        thread::yield_now();
    }
}

#[test]
fn a_sleeper_is_woken_and_counted() {
    with_sleepers(1, |word| wake_until(word, Wake::One, 1));
}

#[test]
fn one_wakes_no_more_than_one() {
    with_sleepers(3, |word| (0..20).for_each(|_| wake_until(word, Wake::One, 1)));
}

#[test]
fn all_wakes_all() {
    with_sleepers(3, |word| wake_until(word, Wake::All, 3));
}

#[test]
fn another_word_wakes_nobody() {
    let other = AtomicU64::new(0);
    with_sleepers(1, |word| {
        wake_until(word, Wake::One, 1);
        assert_eq!(MACHINE.unpark(&LinuxPoint::default(), &other, 0, Wake::All), Some(0));
    });
}

#[test]
fn time_does_not_go_back() {
    let mut last = MACHINE.now();
    for _ in 0..1000 {
        let now = MACHINE.now();
        assert!(now >= last);
        last = now;
    }
}

#[test]
fn one_core_does_not_spin() {
    assert!(MACHINE.cores() >= 1);
    assert_eq!(MACHINE.spin_limit() == 0, MACHINE.cores() == 1);
}

/// What sleeping on all of these words needs.
fn waits<'a>(
    points: &'a [LinuxPoint],
    words: &'a [AtomicU64],
    seen: u64,
) -> Vec<Waiting<'a, Linux>> {
    points.iter().zip(words).map(|(point, word)| Waiting { point, word, seen }).collect()
}

#[test]
fn one_of_many_words_wakes() {
    let until = || Deadline::at(MACHINE.now() + Duration::from_secs(60));
    // As many as Linux takes, and more.
    for count in [1, 2, 128, 200] {
        let points: Vec<_> = (0..count).map(|_| LinuxPoint::default()).collect();
        let words: Vec<_> = (0..count).map(|_| AtomicU64::new(0)).collect();
        for which in [0, count / 2, count - 1] {
            thread::scope(|scope| {
                scope.spawn(|| {
                    while words[which].load(SeqCst) == 0 {
                        let woken = MACHINE.park_any(&waits(&points, &words, 0), until());
                        assert!(woken.is_none_or(|woken| woken == which), "{woken:?}");
                    }
                });
                thread::sleep(Duration::from_millis(2));
                words[which].store(1, SeqCst);
                MACHINE.unpark(&points[which], &words[which], 1, Wake::All);
            });
            words[which].store(0, SeqCst);
        }
        let moved = waits(&points, &words, 7);
        assert_eq!(MACHINE.park_any(&moved, Deadline::NEVER), None);
        let soon = Deadline::at(MACHINE.now() + Duration::from_millis(5));
        while !soon.passed(MACHINE.now()) {
            assert_eq!(MACHINE.park_any(&waits(&points, &words, 0), soon), None);
        }
    }
}
