//! Points in time saturate, and deadlines are ordered.

use std::time::Duration;

use res_api::{Deadline, Instant};

const FIRST: Instant = Instant::from_nanos(0);
const LAST: Instant = Instant::from_nanos(u64::MAX);

#[test]
fn time_ends_and_does_not_wrap() {
    let nano = Duration::from_nanos(1);
    assert_eq!(Instant::from_nanos(u64::MAX - 1) + nano, LAST);
    assert_eq!(LAST + nano, LAST);
    assert_eq!(FIRST + Duration::MAX, LAST);
    assert_eq!(LAST + Duration::MAX, LAST);
    // A little more than 64 bits of nanoseconds.
    assert_eq!(FIRST + (Duration::from_nanos(u64::MAX) + nano), LAST);
    assert_eq!(FIRST + Duration::from_nanos(u64::MAX), LAST);
}

#[test]
fn a_span_is_never_negative() {
    let (earlier, later) = (Instant::from_nanos(5), Instant::from_nanos(12));
    assert_eq!(later - earlier, Duration::from_nanos(7));
    assert_eq!(earlier - later, Duration::ZERO);
    assert_eq!(later - later, Duration::ZERO);
    assert_eq!(LAST - FIRST, Duration::from_nanos(u64::MAX));
    assert_eq!(FIRST - LAST, Duration::ZERO);
}

#[test]
fn sums_and_spans_agree() {
    for nanos in [0, 1, 999_999_999, 1_000_000_000, u64::MAX / 2] {
        let (start, span) = (Instant::from_nanos(nanos), Duration::new(3, 141_592_653));
        assert_eq!((start + span) - start, span);
        assert_eq!((start + span).as_nanos(), nanos + 3_141_592_653);
    }
}

#[test]
fn a_deadline_passes_at_its_instant() {
    let deadline = Deadline::at(Instant::from_nanos(10));
    assert_eq!(Deadline::from(Instant::from_nanos(10)), deadline);
    assert_eq!(deadline.instant(), Some(Instant::from_nanos(10)));
    for (now, passed) in [(0, false), (9, false), (10, true), (11, true), (u64::MAX, true)] {
        assert_eq!(deadline.passed(Instant::from_nanos(now)), passed, "{now}");
    }
}

#[test]
fn never_does_not_pass_and_passed_has() {
    for now in [FIRST, Instant::from_nanos(1), LAST] {
        assert!(!Deadline::NEVER.passed(now));
        assert!(Deadline::PASSED.passed(now));
    }
    assert_eq!(Deadline::NEVER.instant(), None);
    // Too late to be told from never.
    assert_eq!(Deadline::at(FIRST + Duration::MAX), Deadline::NEVER);
}

#[test]
fn the_earlier_deadline_is_the_smaller() {
    let deadlines = [Deadline::PASSED, Deadline::at(Instant::from_nanos(1)), Deadline::NEVER];
    assert!(deadlines.is_sorted_by(|earlier, later| earlier < later));
    for deadline in deadlines {
        assert_eq!(deadline.min(Deadline::NEVER), deadline);
        assert_eq!(deadline.min(Deadline::PASSED), Deadline::PASSED);
    }
}
