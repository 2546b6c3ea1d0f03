//! Whether a thread is in host code, where it must not lose the baton by a signal.

use std::cell::Cell;

use crate::world;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// A quantum ended meanwhile.
    static LATE: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body` as host code; a quantum that ends meanwhile takes effect behind it.
pub(crate) fn inside<R>(body: impl FnOnce() -> R) -> R {
    INSIDE.set(true);
    let result = body();
    loop {
        // Host code as well: it takes the lock.
        while LATE.replace(false) {
            world::quantum();
        }
        INSIDE.set(false);
        if !LATE.get() {
            return result;
        }
        INSIDE.set(true);
    }
}

/// In the handler of the quantum's signal: whether the thread may lose the baton now. Otherwise it
/// does later.
pub(crate) fn may_be_preempted() -> bool {
    let inside = INSIDE.get();
    if inside {
        LATE.set(true);
    }
    !inside
}
