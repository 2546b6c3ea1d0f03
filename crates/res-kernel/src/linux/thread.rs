//! Threads: made first, started later (R6).

use core::fmt;
use std::format;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle, current};

use res_api::{ErrorKind, ThreadParam};
use rustix::process::Pid;
use rustix::thread::gettid;

use super::error::refused;
use super::identity;
use super::params::Params;
use crate::{KernelError, KernelThread, ThreadEntry};

const START: &str = "start a thread";

/// A thread of Linux.
///
/// Its [`id`](KernelThread::id) is ours, not Linux's. [`start`](KernelThread::start) waits until
/// the new thread has set its own parameters, if it has any; where one of them is refused, the
/// thread has not been started, and can be, once the parameter is another.
///
/// # Example
///
/// ```
/// use res_api::{ErrorKind, ThreadParam};
/// use res_kernel::{Kernel, KernelThread, Linux, ThreadEntry};
///
/// unsafe fn nothing(_: *mut ()) {}
///
/// let entry = ThreadEntry { run: nothing, data: core::ptr::null_mut() };
/// // SAFETY: `nothing` touches nothing.
/// let thread = unsafe { Linux::new().thread(entry)? };
/// thread.set(ThreadParam::Core(0))?;
/// assert_eq!(thread.set(ThreadParam::Priority(32)).unwrap_err().kind, ErrorKind::Invalid);
/// thread.start()?;
/// assert_eq!(thread.start().unwrap_err().kind, ErrorKind::Invalid);
/// # Ok::<(), res_kernel::KernelError>(())
/// ```
#[derive(Debug)]
pub struct LinuxThread(Arc<Shared>);

/// What the handle and the thread itself share.
struct Shared {
    id: u32,
    entry: Entry,
    /// Linux's id. It stays the thread's own while the state is locked: the thread cannot end
    /// without locking it.
    tid: OnceLock<Pid>,
    state: Mutex<State>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    stage: Stage,
    params: Params,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Made,
    Running,
    Ended,
}

struct Entry(ThreadEntry);

// SAFETY: the maker of the thread promised that the entry may run in another thread; apart from
// that the two words are only copied.
unsafe impl Send for Entry {}
// SAFETY: as above; a shared `Entry` is read only.
unsafe impl Sync for Entry {}

impl LinuxThread {
    /// # Safety
    ///
    /// That of [`Kernel::thread`](crate::Kernel::thread).
    pub(super) unsafe fn new(id: u32, entry: ThreadEntry) -> Self {
        let state = State { stage: Stage::Made, params: Params::default() };
        Self(Arc::new(Shared {
            id,
            entry: Entry(entry),
            tid: OnceLock::new(),
            state: Mutex::new(state),
            handle: Mutex::new(None),
        }))
    }

    /// Starts the thread. Where it has parameters to set, waits for its report.
    fn launch(&self, params: Params) -> Result<(), KernelError> {
        let (report, reported) = params.any().then(|| sync_channel(1)).unzip();
        let shared = Arc::clone(&self.0);
        let handle = Builder::new()
            .name(format!("res-{}", shared.id))
            .spawn(move || live(&shared, params, report))
            .map_err(refused(START))?;
        if let Some(reported) = reported {
            // Without a report, the new thread has ended before it had one to make.
            let failed = KernelError::new(START, ErrorKind::Other);
            reported.recv().unwrap_or(Err(failed))?;
        }
        *self.0.handle() = Some(handle);
        Ok(())
    }
}

impl KernelThread for LinuxThread {
    fn id(&self) -> u32 {
        self.0.id
    }

    fn set(&self, param: ThreadParam) -> Result<(), KernelError> {
        let mut state = self.0.lock();
        if state.stage == Stage::Ended {
            let gone = KernelError::new("set a parameter of an ended thread", ErrorKind::Stale);
            return Err(gone);
        }
        let mut params = state.params;
        let change = params.change(param)?;
        if let (Stage::Running, Some(change)) = (state.stage, change) {
            change.apply(*self.0.tid.wait())?;
        }
        state.params = params;
        Ok(())
    }

    fn reset(&self) {
        let mut state = self.0.lock();
        state.params = Params::default();
        if state.stage == Stage::Running {
            Params::forget(*self.0.tid.wait());
        }
    }

    fn start(&self) -> Result<(), KernelError> {
        // Locked until it has started: another start, a setting, and the thread's own end come
        // after it.
        let mut state = self.0.lock();
        if state.stage != Stage::Made {
            let again = KernelError::new("start a thread again", ErrorKind::Invalid);
            return Err(again);
        }
        state.params.complete()?;
        self.launch(state.params)?;
        state.stage = Stage::Running;
        Ok(())
    }

    fn join(&self) {
        let handle = {
            let mut place = self.0.handle();
            place.take_if(|handle| handle.thread().id() != current().id())
        };
        if let Some(handle) = handle {
            // A panic in it concerns nobody here: entries do not unwind.
            drop(handle.join());
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// What parameters came to.
type Report = SyncSender<Result<(), KernelError>>;

/// The life of a thread, in that thread.
fn live(shared: &Shared, params: Params, report: Option<Report>) {
    let tid = gettid();
    if let Some(report) = report {
        let applied = params.apply(tid);
        let refused = applied.is_err();
        // The starter waits for it; it cannot be gone.
        let _ = report.send(applied);
        if refused {
            return;
        }
    }
    identity::adopt(shared.id);
    // Nobody else does: it is run once, and not again behind this.
    let _ = shared.tid.set(tid);
    let _end = End(shared);
    let ThreadEntry { run, data } = shared.entry.0;
    // SAFETY: the maker promised that this is sound in another thread, once. It is once: `start`
    // leaves `Stage::Made` for ever unless the thread returned above, and runs under a lock.
    unsafe { run(data) };
}

/// Marks the thread as ended when dropped, also by a panic.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.lock().stage = Stage::Ended;
    }
}
