//! Panics of simulated threads: caught like those of real ones, and told instead of printed.

use core::any::Any;
use std::io::Write;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::string::{String, ToString};
use std::sync::Once;

use super::machine::Machine;
use super::outcome::Failure;
use super::run;

/// From now on panics of simulated threads are told to their run; all others go where they went.
pub(super) fn listen() {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| {
        let before = take_hook();
        set_hook(std::boxed::Box::new(move |info| {
            if run::inside(|machine| note(machine, info)).is_none() {
                before(info);
            }
        }));
    });
}

/// A simulated thread panics. Formatting what it says may touch words: nobody else runs meanwhile,
/// who might panic too, which std would not forgive.
fn note(machine: &Machine, info: &PanicHookInfo<'_>) {
    let held = machine.held.replace(true);
    let text = std::format!("thread {}: {info}", machine.current.get());
    machine.held.set(held);
    if is_the_end(&text) {
        // Past the capture of the test runner, which will not live to report anything. A report
        // that cannot be written changes nothing.
        let _ = writeln!(std::io::stderr(), "simulation, seed {}: {text}", machine.seed);
    }
    // Borrowed where the simulator itself panics, in a scheduler perhaps.
    if let Ok(mut state) = machine.state.try_borrow_mut() {
        state.remember_panic(text);
        state.thread(machine.current.get()).set_unwinding(true);
    }
}

/// Whether std will end the process: a panic while a destructor runs for another one, or where
/// nothing may unwind. (std knows, but tells nobody.)
fn is_the_end(text: &str) -> bool {
    let never_unwinds = ["unsafe precondition", "cannot unwind", "destructor during cleanup"];
    never_unwinds.iter().any(|part| text.contains(part))
}

/// A panic that nothing caught ends the run.
pub(super) fn fatal(machine: &Machine, payload: &(dyn Any + Send)) {
    machine.caught();
    let (thread, message) = (machine.current.get(), message(payload));
    machine.state.borrow_mut().fail(Failure::Panicked { thread, message });
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}
