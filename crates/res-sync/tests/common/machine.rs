//! A machine of the standard library's parts: a futex of one mutex and one condition variable,
//! which knows who sleeps and counts how often it is asked for anything.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use res_sync::model::Core;
use res_sync::{Barrier, Deadline, Instant, Park, Parked, Wake};

/// The machine. Its clones are the same machine.
#[derive(Clone)]
pub(crate) struct Machine {
    shared: Arc<Shared>,
    spins: u32,
}

struct Shared {
    start: std::time::Instant,
    sleepers: Mutex<Vec<Sleeper>>,
    left: Condvar,
    calls: AtomicU32,
    tickets: AtomicU64,
}

/// Who sleeps: where, and a number of its own. Whoever wakes it takes it off the list.
struct Sleeper {
    address: usize,
    ticket: u64,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self::spinning(0)
    }

    /// A machine whose waiters look again so many times before they sleep.
    pub(crate) fn spinning(spins: u32) -> Self {
        let shared = Shared {
            start: std::time::Instant::now(),
            sleepers: Mutex::new(Vec::new()),
            left: Condvar::new(),
            calls: AtomicU32::new(0),
            tickets: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared), spins }
    }

    /// That far from now.
    pub(crate) fn after(&self, span: Duration) -> Deadline {
        Deadline::at(self.now() + span)
    }

    /// How many sleep.
    pub(crate) fn asleep(&self) -> usize {
        self.sleepers().len()
    }

    /// Returns when so many sleep.
    pub(crate) fn until_asleep(&self, count: usize) {
        while self.asleep() != count {
            std::thread::yield_now();
        }
    }

    /// How often the slow path was taken: sleeping, waking, barriers.
    pub(crate) fn calls(&self) -> u32 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    fn called(&self) {
        self.shared.calls.fetch_add(1, Ordering::Relaxed);
    }

    fn sleepers(&self) -> MutexGuard<'_, Vec<Sleeper>> {
        self.shared.sleepers.lock().expect("no thread panics in here")
    }

    /// Waits for a change of the list, or the deadline. False where the deadline has passed.
    fn doze<'a>(
        &'a self,
        sleepers: MutexGuard<'a, Vec<Sleeper>>,
        deadline: Deadline,
    ) -> (MutexGuard<'a, Vec<Sleeper>>, bool) {
        let left = &self.shared.left;
        let Some(at) = deadline.instant() else {
            return (left.wait(sleepers).expect("no thread panics in here"), true);
        };
        let rest = at - self.now();
        if rest.is_zero() {
            return (sleepers, false);
        }
        (left.wait_timeout(sleepers, rest).expect("no thread panics in here").0, true)
    }
}

impl Park for Machine {
    type Model = Core;
    type Point = ();

    fn now(&self) -> Instant {
        Instant::from_nanos(0) + self.shared.start.elapsed()
    }

    fn spin_limit(&self) -> u32 {
        self.spins
    }

    fn current(&self) -> u32 {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        thread_local! {
            static CURRENT: u32 = NEXT.fetch_add(1, Ordering::Relaxed);
        }
        CURRENT.with(|current| *current)
    }

    fn unwinding(&self) -> bool {
        std::thread::panicking()
    }

    fn park(&self, _: &(), word: &AtomicU64, seen: u64, deadline: Deadline) -> Parked {
        self.called();
        let mut sleepers = self.sleepers();
        if word.load(Ordering::SeqCst) != seen {
            return Parked::Awake;
        }
        let ticket = self.shared.tickets.fetch_add(1, Ordering::Relaxed);
        sleepers.push(Sleeper { address: word.as_ptr() as usize, ticket });
        let mut in_time = true;
        while sleepers.iter().any(|sleeper| sleeper.ticket == ticket) {
            if !in_time {
                sleepers.retain(|sleeper| sleeper.ticket != ticket);
                return Parked::TimedOut;
            }
            (sleepers, in_time) = self.doze(sleepers, deadline);
        }
        Parked::Awake
    }

    fn unpark(&self, _: &(), word: &AtomicU64, _: u64, wake: Wake) -> Option<u32> {
        self.called();
        let address = word.as_ptr() as usize;
        let mut left = if wake == Wake::All { u32::MAX } else { 1 };
        let before = left;
        self.sleepers().retain(|sleeper| {
            let stays = left == 0 || sleeper.address != address;
            left -= u32::from(!stays);
            stays
        });
        self.shared.left.notify_all();
        Some(before - left)
    }

    fn heavy_barrier(&self, barrier: Barrier) {
        self.called();
        assert_eq!(barrier, Barrier::Fence, "this machine has no barrier that reaches others");
        fence(Ordering::SeqCst);
    }
}

/// How many rounds of stress: so many, with `RES_LONG=1` in the environment twenty times as many;
/// under Miri a few.
pub(crate) fn rounds(usual: u32) -> u32 {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    match (cfg!(miri), long) {
        (true, _) => (usual / 2000).max(5),
        (false, true) => 20 * usual,
        (false, false) => usual,
    }
}

/// Runs `body`; where it hangs, the test fails instead of hanging with it.
pub(crate) fn ends(body: impl FnOnce() + Send + 'static) {
    let (done, ended) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        done.send(()).expect("the test waits for this");
    });
    match ended.recv_timeout(Duration::from_secs(600)) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("a thread waits for ever"),
        Ok(()) | Err(_) => thread.join().unwrap_or_else(|why| std::panic::resume_unwind(why)),
    }
}
