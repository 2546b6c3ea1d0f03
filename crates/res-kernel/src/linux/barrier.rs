//! The heavy half of the store-load barrier (H3).

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use res_sync::Barrier;
use res_sync::model::{Core, MemoryModel};
use rustix::thread::{MembarrierCommand, membarrier};

/// The best one that this process may use. The first call registers the process.
pub(super) fn strongest() -> Barrier {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    if *REGISTERED.get_or_init(register) { Barrier::Asymmetric } else { Barrier::Fence }
}

/// Registers, and tries it once. A fork inherits the registration together with this answer; an
/// exec loses both.
fn register() -> bool {
    !cfg!(miri)
        && membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
        && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
        // For the day when it has domains. A kernel that has the one has the other.
        && membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok()
}

/// Whether this process has others to agree with.
static BETWEEN: AtomicBool = AtomicBool::new(false);

/// From now on the barrier reaches all processes that have registered: those of this program that
/// do this or were forked by one that did.
#[cfg(not(miri))]
pub(super) fn reach_all() {
    strongest();
    // Relaxed: it only ever gets stronger, and those who need it begin to exist later.
    BETWEEN.store(true, Relaxed);
}

/// The sleeper's half.
///
/// # Panics
///
/// For [`Barrier::Asymmetric`] where [`strongest`] is not that: the other side does not fence, and
/// going on could lose a wake-up.
pub(super) fn heavy(barrier: Barrier) {
    match barrier {
        // Partner: the fence in `Core::light_barrier(Fence)`.
        Barrier::Fence => Core::fence(),
        Barrier::Asymmetric => on_all_cores(),
    }
}

/// A full fence in every running thread of the process, or of all registered ones; the others
/// passed one as they stopped. Partner: the compiler fence in `Core::light_barrier(Asymmetric)`.
fn on_all_cores() {
    let command = if BETWEEN.load(Relaxed) {
        MembarrierCommand::GlobalExpedited
    } else {
        MembarrierCommand::PrivateExpedited
    };
    let done = strongest() == Barrier::Asymmetric && membarrier(command).is_ok();
    assert!(done, "a barrier was agreed on that this machine refuses");
}
