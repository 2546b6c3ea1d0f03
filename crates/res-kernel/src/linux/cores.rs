//! Which cores this process may use.

use std::sync::OnceLock;
use std::thread::available_parallelism;

use rustix::process::getpid;
use rustix::thread::{CpuSet, sched_getaffinity};

/// How many there are, at least 1.
pub(super) fn count() -> u32 {
    usable().count()
}

/// Linux's number of our core `core`, if there is such a core.
pub(super) fn number(core: u32) -> Option<usize> {
    let nth = usize::try_from(core).ok()?;
    (0..CpuSet::MAX_CPU).filter(|number| usable().is_set(*number)).nth(nth)
}

/// The cores of the process's first thread, looked up once. (Those of the calling thread would
/// not do: it may have been pinned.)
fn usable() -> &'static CpuSet {
    static USABLE: OnceLock<CpuSet> = OnceLock::new();
    USABLE.get_or_init(|| sched_getaffinity(Some(getpid())).unwrap_or_else(|_| assumed()))
}

/// What to take where the question is refused, as by a machine with more cores than fit a set.
fn assumed() -> CpuSet {
    let count = available_parallelism().map_or(1, usize::from);
    let mut cores = CpuSet::new();
    (0..count.min(CpuSet::MAX_CPU)).for_each(|number| cores.set(number));
    cores
}
