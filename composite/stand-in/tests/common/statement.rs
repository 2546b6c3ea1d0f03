//! A statement about Composite, shown on a machine of its own: the test runs itself again in
//! another process, and there becomes the machine.

use std::env;
use std::ffi::c_long;
use std::process::Command;
use std::time::Duration;

use composite_stand_in::stand_in_run;

use crate::process;

const WHICH: &str = "COMPOSITE_STATEMENT";

/// What the first thread of a machine runs: 0 where all was as stated, else the line that was not.
pub(crate) type Body = extern "C" fn() -> c_long;

/// Runs `body` as a component, in the test of that name; the process's exit code, and what it
/// printed.
pub(crate) fn run(test: &str, body: Body) -> (Option<i32>, String) {
    if env::var(WHICH).as_deref() == Ok(test) {
        stand_in_run(body);
    }
    let mut machine = Command::new(env::current_exe().expect("the test has a file"));
    machine.args(["--exact", "--nocapture", test]).env(WHICH, test);
    let (code, output) = process::run(&mut machine, Duration::from_secs(20));
    println!("{output}");
    (code, output)
}

/// Leaves a body with the number of the line, if something is not so.
macro_rules! so {
    ($condition:expr) => {
        if !$condition {
            return line!().into();
        }
    };
}
pub(crate) use so;

/// A test of the name of the statement, with the exit code of its machine, a line that is printed,
/// and the body.
macro_rules! statement {
    ($(#[$doc:meta])* $name:ident ends $code:expr, $says:expr, $body:block) => {
        $(#[$doc])*
        #[test]
        fn $name() {
            extern "C" fn body() -> std::ffi::c_long {
                $body
            }
            let (code, output) = $crate::statement::run(stringify!($name), body);
            assert_eq!(code, Some($code));
            assert!(output.contains($says), "it says {:?}", $says);
        }
    };
    ($(#[$doc:meta])* $name:ident $body:block) => {
        $crate::statement::statement! {
            $(#[$doc])* $name ends 0, "END 0", {
                $body
                0
            }
        }
    };
}
pub(crate) use statement;
