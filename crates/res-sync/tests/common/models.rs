//! How the loom models are run: how far they look, and the proof that a mutant is found.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Once};

/// How often the threads of a model may be preempted in one run. `None`: as often as they like,
/// so that the model sees everything.
#[derive(Clone, Copy)]
pub(crate) struct Preemptions {
    /// In every test run.
    pub(crate) daily: Option<usize>,
    /// With `RES_LONG=1` in the environment.
    pub(crate) long: Option<usize>,
}

impl Preemptions {
    /// So many in every test run, and so many in a long one.
    pub(crate) const fn up_to(daily: usize, long: usize) -> Self {
        Self { daily: Some(daily), long: Some(long) }
    }

    fn bound(self) -> Option<usize> {
        if std::env::var_os("RES_LONG").is_some_and(|value| value == "1") {
            self.long
        } else {
            self.daily
        }
    }
}

/// Runs the model in every interleaving; panics in the first one that goes wrong.
///
/// In a model with a single interleaving nothing races, so it proves nothing and fails too.
pub(crate) fn check(preemptions: Preemptions, model: impl Fn() + Send + Sync + 'static) {
    let runs = Arc::new(AtomicU64::new(0));
    let counter = runs.clone();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions.bound();
    builder.check(move || {
        counter.fetch_add(1, Relaxed);
        model();
    });
    let runs = runs.load(Relaxed);
    println!("{runs} interleavings");
    assert!(runs > 1, "nothing raced");
}

/// What loom says when everybody waits for ever: a lost wake-up.
pub(crate) const DEADLOCK: &str = "deadlock";
/// What loom says when two threads are in one cell without an order between them.
pub(crate) const RACE: &str = "Causality violation";

/// Asserts that the model, run on a mutant, fails, and in the way it has to. Passing is the
/// failure: then the model could not have failed on the real thing either.
pub(crate) fn assert_found(symptom: &str, model: impl FnOnce()) {
    match quietly(|| catch_unwind(AssertUnwindSafe(model))) {
        Ok(()) => panic!("the mutant passed"),
        Err(payload) => {
            let said = message(&*payload);
            assert!(said.contains(symptom), "wanted {symptom:?}, the mutant died of {said:?}");
        }
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("something else")
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body` without the panic messages of this thread, on which all of a loom model runs. The
/// tests in the other threads stay as loud as they were.
fn quietly<R>(body: impl FnOnce() -> R) -> R {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let result = body();
    QUIET.set(false);
    result
}
