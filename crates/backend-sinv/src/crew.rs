//! Threads of the runtime that are used again: to wake one takes less than to start one.

use std::boxed::Box;
use std::collections::VecDeque;
use std::sync::Arc;

use res_api::{Barrier, Deadline, Wake};
use res_kernel::{Kernel, KernelError};
use res_sync::model::{Atomic, MemoryModel};
use res_sync::{Event, Mutex};

use crate::spawn::spawn;

type Job = Box<dyn FnOnce() + Send>;

/// How many threads wait for work at most; others end when they have done theirs.
const MOST_IDLE: usize = 4;

/// Those threads. When this goes, those that wait end, and the others when they are done.
pub(crate) struct Crew<K: Kernel>(Arc<Shared<K>>);

struct Shared<K: Kernel> {
    kernel: K,
    point: K::Point,
    word: <K::Model as MemoryModel>::U64,
    work: Mutex<K, Work>,
}

struct Work {
    /// For threads that wait: never more than those.
    jobs: VecDeque<Job>,
    idle: usize,
    over: bool,
}

impl<K: Kernel> Crew<K> {
    pub(crate) fn new(kernel: &K) -> Result<Self, KernelError> {
        let point = kernel.point()?;
        let word = Atomic::new(kernel.first_word(&point));
        let work = Work { jobs: VecDeque::new(), idle: 0, over: false };
        let work = Mutex::new(kernel.clone(), kernel.point()?, kernel.barrier(), work);
        Ok(Self(Arc::new(Shared { kernel: kernel.clone(), point, word, work })))
    }

    /// Does that in one of the threads, at once. A panic in it ends that thread alone.
    ///
    /// # Errors
    ///
    /// `NoSlots`, `NoMemory`: there is no thread to spare, and there can be no more.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), KernelError> {
        let Some(job) = self.0.offer(Box::new(job)) else { return Ok(()) };
        let shared = Arc::clone(&self.0);
        spawn(&self.0.kernel, move || {
            job();
            while let Some(job) = shared.next() {
                job();
            }
        })
    }
}

impl<K: Kernel> Drop for Crew<K> {
    fn drop(&mut self) {
        self.0.work.lock().over = true;
        let _ = self.0.event().trigger(Wake::All);
    }
}

impl<K: Kernel> Shared<K> {
    fn event(&self) -> Event<'_, K> {
        let (park, point, word) = (&self.kernel, &self.point, &self.word);
        Event { park, point, word, barrier: Barrier::Fence }
    }

    /// Leaves it to a thread that waits; it comes back if there is none.
    fn offer(&self, job: Job) -> Option<Job> {
        let mut work = self.work.lock();
        if work.idle <= work.jobs.len() {
            return Some(job);
        }
        work.jobs.push_back(job);
        drop(work);
        let _ = self.event().trigger(Wake::One);
        None
    }

    /// Waits for something to do; none when the calling thread is not needed any more.
    fn next(&self) -> Option<Job> {
        {
            let mut work = self.work.lock();
            if work.over || work.idle >= MOST_IDLE {
                return None;
            }
            work.idle += 1;
        }
        let look = || {
            let mut work = self.work.lock();
            let job = work.jobs.pop_front();
            let found = job.is_some() || work.over;
            work.idle -= usize::from(found);
            found.then_some(job)
        };
        // Asleep at once: nobody hurries.
        self.event().sleep_until(Deadline::NEVER, look).ok().flatten()
    }
}
