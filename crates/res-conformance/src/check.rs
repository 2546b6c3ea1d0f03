//! Checks that end a case with a failure that says what was expected.

/// Ends the case unless the condition holds.
macro_rules! check {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(res_api::ErrorKind::Other, format_args!($($text)+)));
        }
    };
}

/// Ends the case unless both are equal.
macro_rules! check_eq {
    ($found:expr, $expected:expr, $($text:tt)+) => {
        match (&$found, &$expected) {
            (found, expected) => check!(
                *found == *expected,
                "{}: found {found:?}, expected {expected:?}",
                format_args!($($text)+)
            ),
        }
    };
}

/// Ends the case unless the value matches the pattern.
macro_rules! check_matches {
    ($found:expr, $pattern:pat $(if $guard:expr)?, $($text:tt)+) => {
        match &$found {
            $pattern $(if $guard)? => {}
            other => check!(
                false,
                "{}: found {other:?}, expected {}",
                format_args!($($text)+),
                stringify!($pattern $(if $guard)?)
            ),
        }
    };
}
