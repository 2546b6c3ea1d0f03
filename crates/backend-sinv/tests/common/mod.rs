//! What the tests of calls share.
#![allow(dead_code, unused_macros, unused_imports, reason = "each test takes what it needs")]

use std::time::Duration;

use backend_local::Local;
use backend_sinv::Sinv;
use res_api::{Backend, Deadline, Fault, Thread};

/// A backend that a test can make.
pub(crate) trait Fresh: Backend {
    fn fresh() -> Self;
}

impl Fresh for Local {
    fn fresh() -> Self {
        Self::new().expect("a system")
    }
}

impl Fresh for Sinv {
    fn fresh() -> Self {
        Self::new().expect("a system")
    }
}

/// The same tests on both backends.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod on_local {
            $(#[test] fn $test() { super::$test::<backend_local::Local>() })*
        }
        mod on_sinv {
            $(#[test] fn $test() { super::$test::<backend_sinv::Sinv>() })*
        }
    };
}

pub(crate) use on_both;

pub(crate) fn late<B: Backend>(b: &B) -> Deadline {
    b.within(Duration::from_secs(20))
}

/// A thread that runs already.
pub(crate) fn aside<B: Backend>(b: &B, body: impl FnOnce() + Send + 'static) -> B::Thread {
    let thread = b.thread(body).expect("a thread");
    thread.start().map_err(|_| ()).expect("started");
    thread
}

pub(crate) fn nap<B: Backend>(b: &B, millis: u64) {
    b.sleep(b.after(Duration::from_millis(millis)));
}

pub(crate) type Outcome = Result<(), Fault>;
