//! Threads that are made together with the system, for policies that may not make any later.

use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;

use res_api::{Barrier, Deadline, ErrorKind, ThreadParam};
use res_kernel::{Kernel, KernelError, KernelThread, ThreadEntry};
use res_sync::model::Atomic;
use res_sync::{Event, Mutex, Wake};

use crate::error::LocalError;
use crate::system::{Ref, SystemRef, U64};
use crate::thread::ThreadObject;

/// The workers of a system. `None` where threads are made on demand.
pub(crate) struct Pool<K: Kernel> {
    state: Mutex<K, State<K>>,
}

struct State<K: Kernel> {
    /// All workers, whether they are idle or not.
    all: Option<NonNull<Worker<K>>>,
    idle: Option<NonNull<Worker<K>>>,
    pooled: bool,
}

// SAFETY: workers are reached under the lock, or by their own thread.
unsafe impl<K: Kernel> Send for State<K> {}

/// A thread that waits for something to run.
pub(crate) struct Worker<K: Kernel> {
    thread: K::Thread,
    kernel: K,
    barrier: Barrier,
    place: K::Point,
    word: U64<K>,
    task: Mutex<K, Task<K>>,
    /// Used under the pool's lock.
    next_of_all: Cell<Option<NonNull<Worker<K>>>>,
    /// Used under the pool's lock.
    next_idle: Cell<Option<NonNull<Worker<K>>>>,
}

enum Task<K: Kernel> {
    None,
    Run(Ref<ThreadObject<K>, K>),
    End,
}

/// A worker that was taken from the pool. Gives itself back.
pub(crate) struct Lease<K: Kernel>(NonNull<Worker<K>>);

// SAFETY: a worker's thread handle and task are shared by design.
unsafe impl<K: Kernel> Send for Lease<K> {}
// SAFETY: as for `Send`.
unsafe impl<K: Kernel> Sync for Lease<K> {}

impl<K: Kernel> Pool<K> {
    pub(crate) fn new(kernel: &K, barrier: Barrier) -> Result<Self, LocalError> {
        let state = State { all: None, idle: None, pooled: false };
        let state = Mutex::new(kernel.clone(), kernel.point()?, barrier, state);
        Ok(Self { state })
    }

    /// Makes `count` workers; from now on threads come from here alone.
    pub(crate) fn fill(&self, system: &SystemRef<K>, count: u32) -> Result<(), LocalError> {
        self.state.lock().pooled = true;
        for _ in 0..count {
            let worker = Worker::create(system)?;
            let mut state = self.state.lock();
            // SAFETY: just made, and freed by `shut_down` alone.
            let links = unsafe { worker.as_ref() };
            links.next_of_all.set(state.all.replace(worker));
            links.next_idle.set(state.idle.replace(worker));
        }
        Ok(())
    }

    /// Whether threads come from here.
    pub(crate) fn is_pooled(&self) -> bool {
        self.state.lock().pooled
    }

    /// An idle worker.
    pub(crate) fn lease(&self) -> Option<Lease<K>> {
        let mut state = self.state.lock();
        let worker = state.idle?;
        // SAFETY: an idle worker lives; the link is used under the lock.
        state.idle = unsafe { worker.as_ref() }.next_idle.take();
        Some(Lease(worker))
    }

    fn give_back(&self, worker: NonNull<Worker<K>>) {
        let mut state = self.state.lock();
        // SAFETY: a worker of this pool, which nobody else has leased.
        unsafe { worker.as_ref() }.next_idle.set(state.idle.replace(worker));
    }

    /// Ends all workers, and waits for them. Called when nobody can lease one any more.
    pub(crate) fn shut_down(&self, system: &SystemRef<K>) {
        let mut next = self.state.lock().all.take();
        while let Some(worker) = next {
            // SAFETY: its memory is freed here and nowhere else; its thread ends first, or is this
            // one, which touches nothing of it after this.
            unsafe {
                next = worker.as_ref().next_of_all.take();
                worker.as_ref().end();
                worker.drop_in_place();
                system.free(worker.cast(), Layout::new::<Worker<K>>());
            }
        }
    }
}

impl<K: Kernel> Worker<K> {
    fn create(system: &SystemRef<K>) -> Result<NonNull<Self>, LocalError> {
        let memory = system.alloc(Layout::new::<Self>()).ok_or(ErrorKind::NoMemory)?;
        let worker = memory.cast::<Self>();
        let started = Self::new(system, worker).and_then(|value| {
            // SAFETY: memory of that layout, which nobody else has: the thread does not run yet.
            let written = unsafe {
                worker.write(value);
                worker.as_ref()
            };
            let started = written.thread.start();
            if started.is_ok() {
                // A thread allocates as it begins, where it is one of std; nothing of it is to come
                // later. This waits for one that has begun.
                written.thread.reset();
            } else {
                // SAFETY: written above; there is no thread that uses it.
                unsafe { worker.drop_in_place() };
            }
            Ok(started?)
        });
        if let Err(error) = started {
            // SAFETY: it came from `alloc` with that layout; what was in it is dropped.
            unsafe { system.free(memory, Layout::new::<Self>()) };
            return Err(error);
        }
        Ok(worker)
    }

    /// What will be at `place`.
    fn new(system: &SystemRef<K>, place: NonNull<Self>) -> Result<Self, LocalError> {
        let (kernel, barrier) = (system.kernel.clone(), system.barrier);
        let entry = ThreadEntry { run: work::<K>, data: place.as_ptr().cast() };
        // SAFETY: `work` uses the worker, which is written before the start and lives until its
        // thread has ended.
        let thread = unsafe { kernel.thread(entry)? };
        let point = kernel.point()?;
        Ok(Self {
            thread,
            barrier,
            word: Atomic::new(kernel.first_word(&point)),
            place: point,
            task: Mutex::new(kernel.clone(), kernel.point()?, barrier, Task::None),
            next_of_all: Cell::new(None),
            next_idle: Cell::new(None),
            kernel,
        })
    }

    fn event(&self) -> Event<'_, K> {
        Event { park: &self.kernel, point: &self.place, word: &self.word, barrier: self.barrier }
    }

    fn assign(&self, task: Task<K>) {
        *self.task.lock() = task;
        self.event().trigger(Wake::All);
    }

    fn next_task(&self) -> Task<K> {
        let look = || match core::mem::replace(&mut *self.task.lock(), Task::None) {
            Task::None => None,
            task => Some(task),
        };
        self.event().wait_until(Deadline::NEVER, look).unwrap_or(Task::None)
    }

    /// Ends its thread, unless that is the calling one.
    fn end(&self) {
        if self.thread.id() != self.kernel.current() {
            self.assign(Task::End);
            self.thread.join();
        }
    }
}

/// The thread of a worker.
///
/// # Safety
///
/// `data` is a worker, which lives until this returns or the system ends in this thread.
unsafe fn work<K: Kernel>(data: *mut ()) {
    let worker = data.cast::<Worker<K>>();
    loop {
        // SAFETY: alive: the system waits for this thread before it goes (see `shut_down`).
        match unsafe { (*worker).next_task() } {
            Task::None => {}
            Task::End => return,
            Task::Run(thread) => {
                // Outlives everything that the thread held, so that the system ends here, if it
                // ends in this thread at all.
                let system = thread.system().clone();
                ThreadObject::run(thread);
                if system.release() {
                    return;
                }
            }
        }
    }
}

impl<K: Kernel> Lease<K> {
    fn worker(&self) -> &Worker<K> {
        // SAFETY: a leased worker lives as long as the system, which the lease's owner keeps.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn id(&self) -> u32 {
        self.worker().thread.id()
    }

    pub(crate) fn set(&self, param: ThreadParam) -> Result<(), KernelError> {
        self.worker().thread.set(param)
    }

    pub(crate) fn run(&self, thread: Ref<ThreadObject<K>, K>) {
        self.worker().assign(Task::Run(thread));
    }

    pub(crate) fn give_back(self, pool: &Pool<K>) {
        self.worker().thread.reset();
        pool.give_back(self.0);
    }
}
