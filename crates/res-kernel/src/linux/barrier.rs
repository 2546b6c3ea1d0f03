//! The heavy half of the store-load barrier (H3).

use std::sync::OnceLock;

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

/// A full fence in every running thread of the process; the others passed one as they stopped.
/// Partner: the compiler fence in `Core::light_barrier(Asymmetric)`.
fn on_all_cores() {
    let done = strongest() == Barrier::Asymmetric
        && membarrier(MembarrierCommand::PrivateExpedited).is_ok();
    assert!(done, "a barrier was agreed on that this machine refuses");
}
