//! The quantum: a signal every ten milliseconds takes the baton away from who has it.

use std::cell::Cell;
use std::mem::zeroed;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use crate::world::{self, ThreadId};
use crate::{host, trap};

/// The scheduler's quantum, unless [`SHORTER`] says otherwise.
const QUANTUM: Duration = Duration::from_millis(10);
/// An environment variable: a quantum in microseconds, so that threads lose the baton in more
/// places.
const SHORTER: &str = "STAND_IN_QUANTUM";

const SIGNAL: i32 = libc::SIGUSR1;

thread_local! {
    static CURRENT: Cell<ThreadId> = const { Cell::new(0) };
}

/// The thread that the calling Linux thread carries.
pub(crate) fn current() -> ThreadId {
    CURRENT.get()
}

/// The Linux thread that carries a thread.
pub(crate) struct Host(libc::pthread_t);

impl Host {
    pub(crate) fn interrupt(&self) {
        // SAFETY: the thread lives as long as the process.
        unsafe { libc::pthread_kill(self.0, SIGNAL) };
    }
}

/// From now on the calling Linux thread carries that thread.
pub(crate) fn adopt(id: ThreadId) -> Host {
    CURRENT.set(id);
    // SAFETY: asks who is calling.
    Host(unsafe { libc::pthread_self() })
}

/// Installs the handler of the signal, and measures the clock.
pub(crate) fn install() {
    frequency();
    trap::handle(SIGNAL, on_quantum);
}

extern "C" fn on_quantum(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // A signal that comes late finds a thread that has lost the baton already; in host code it may
    // be about to.
    if host::may_be_preempted() {
        world::quantum();
    }
}

/// Cycles per microsecond.
pub(crate) fn frequency() -> u64 {
    static FREQUENCY: OnceLock<u64> = OnceLock::new();
    *FREQUENCY.get_or_init(|| {
        let (start, cycles) = (Instant::now(), world::cycles());
        thread::sleep(Duration::from_millis(10));
        let passed = start.elapsed().as_nanos() as u64;
        ((world::cycles() - cycles) * 1000).div_ceil(passed).max(1)
    })
}

/// Ticks, in a thread that carries none.
pub(crate) fn tick_for_ever() -> ! {
    let quantum = std::env::var(SHORTER)
        .ok()
        .and_then(|micros| micros.parse().ok())
        .map_or(QUANTUM, Duration::from_micros);
    let start = Instant::now();
    for count in 1.. {
        let at = start + quantum * count;
        thread::sleep(at.saturating_duration_since(Instant::now()));
        world::tick();
    }
    unreachable!("the count is longer than the life of the machine")
}

/// All machines are on one core: the process is.
pub(crate) fn pin() {
    // SAFETY: a set of our own, all zeroes being the empty one.
    unsafe {
        let mut set: libc::cpu_set_t = zeroed();
        let core = libc::sched_getcpu();
        if let Ok(core) = usize::try_from(core) {
            libc::CPU_SET(core, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
        }
    }
}
