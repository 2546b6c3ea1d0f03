//! A third party's backend, which wraps another, written against the facade, and the suite on it;
//! also on itself.

#[path = "stranger_backend/tracing.rs"]
mod tracing;

use std::cell::RefCell;

use res::{Backend, Deadline, Env, Fault, Local, Name, Receiver, Sender, Spsc};
use res_conformance::{Budget, Harness, conformance};
use tracing::{Trace, Tracing};

thread_local! {
    static CALLS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what was asked for in the calling thread.
#[derive(Clone, Copy, Debug)]
struct PerThread;

impl Trace for PerThread {
    fn called(what: &'static str) {
        CALLS.with_borrow_mut(|calls| calls.push(what));
    }
}

/// A wrapped wrapper.
type Twice = Tracing<Tracing<Local, PerThread>, PerThread>;

#[derive(Default)]
struct OnTracing;

impl Harness for OnTracing {
    type Backend = Twice;
    type Kind = Spsc;
    const NAME: &'static str = "Tracing<Tracing<Local>>";

    fn budget() -> Budget {
        Budget::UNLIMITED
    }

    fn fresh(&self) -> Twice {
        Tracing::new(Tracing::new(Local::new().expect("a system")))
    }
}

fn nothing<B: Backend>(_: Env<B>) -> Result<(), Fault> {
    Ok(())
}

#[test]
fn it_says_what_is_asked_of_it() -> Result<(), Fault> {
    let system = Tracing::<_, PerThread>::new(Local::new()?);
    let (mut tx, mut rx) = system.chan::<Spsc, u64>(1)?;
    tx.send(1)?;
    rx.recv()?;
    let component = system.component(const { Name::new("quiet") }, nothing)?;
    component.start()?;
    component.wait(Deadline::NEVER)?.ok()?;
    // Data asks nobody.
    let calls = CALLS.with_borrow(Vec::clone);
    assert_eq!(calls, ["mem", "blockpoint", "blockpoint", "bundle", "bundle", "component"]);
    Ok(())
}

conformance!(tracing_twice, OnTracing);
