//! The scheduler: fixed priorities on one core, as Composite's is.
//!
//! Whoever has the baton runs. It is handed over under the lock, by whoever had it; a machine on
//! which nobody can run has none, and the tick gives it to the next one.

use std::collections::VecDeque;
use std::ffi::{c_long, c_void};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::baton::Baton;
use crate::blockpoint::Blockpoint;
use crate::compose::ComponentId;
use crate::halt::{DEADLOCKED, FAILED, end, halt};
use crate::stack::{Slot, used_where_invoked};
use crate::{host, path, preempt, switch, trap};

/// Names a thread: from 1 on, never used again.
pub type ThreadId = u32;

/// Threads of the whole system.
pub const MOST_THREADS: ThreadId = 32;
/// The component's first thread; those before it are the system's. It leaves 22 to be made.
pub const FIRST: ThreadId = 10;

pub(crate) const LEAST_URGENT: u32 = 31;

/// Who has the baton; 0 for nobody.
static RUNNING: AtomicU32 = AtomicU32::new(0);
/// Where threads wait for it, by id.
static BATONS: [Baton; MOST_THREADS as usize + 1] =
    [const { Baton::new() }; MOST_THREADS as usize + 1];
static WORLD: Mutex<World> = Mutex::new(World::new());

/// What a thread does, as the scheduler sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Runs, or could.
    Runnable,
    /// Sleeps.
    Blocked,
    /// Was woken before it slept: its next sleep ends at once.
    Woken,
    /// Is no more.
    Ended,
}

pub(crate) struct Thread {
    id: ThreadId,
    /// Whether the scheduler has it; otherwise it is the capability manager's alone.
    known: bool,
    state: State,
    priority: u32,
    until: Option<u64>,
    host: Option<preempt::Host>,
}

pub(crate) struct World {
    /// By id, from [`FIRST`] on.
    threads: Vec<Thread>,
    /// By priority, of threads that can run; who runs is among them.
    queues: [VecDeque<ThreadId>; LEAST_URGENT as usize + 1],
    pub(crate) blockpoints: Vec<Blockpoint>,
}

/// The lock on it all.
pub(crate) fn world() -> MutexGuard<'static, World> {
    WORLD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread of this component that the calling Linux thread carries.
pub(crate) fn me() -> ThreadId {
    preempt::current()
}

impl World {
    const fn new() -> Self {
        Self {
            threads: Vec::new(),
            queues: [const { VecDeque::new() }; LEAST_URGENT as usize + 1],
            blockpoints: Vec::new(),
        }
    }

    /// A thread that the scheduler knows.
    pub(crate) fn thread(&mut self, id: ThreadId) -> Option<&mut Thread> {
        self.threads.get_mut(id.checked_sub(FIRST)? as usize).filter(|thread| thread.known)
    }

    fn existing(&mut self, id: ThreadId) -> &mut Thread {
        match self.thread(id) {
            Some(thread) => thread,
            None => halt("assertion: no such thread"),
        }
    }

    /// Makes a thread that is in no run queue; its Linux thread waits for the baton.
    pub(crate) fn create(&mut self, function: Function, data: *mut c_void) -> ThreadId {
        let id = self.create_unknown(function, data);
        self.threads[(id - FIRST) as usize].known = true;
        id
    }

    /// The same, but the scheduler does not know of it.
    pub(crate) fn create_unknown(&mut self, function: Function, data: *mut c_void) -> ThreadId {
        let id = FIRST + self.threads.len() as ThreadId;
        if id > MOST_THREADS {
            halt("assertion: one thread more than the system has");
        }
        Slot::of(id).prepare(id);
        self.threads.push(Thread {
            id,
            known: false,
            state: State::Runnable,
            priority: LEAST_URGENT,
            until: None,
            host: None,
        });
        let start = Start { function, data, component: path::component() };
        thread::spawn(move || carry(id, start));
        id
    }

    fn dequeue(&mut self, id: ThreadId) {
        self.queues.iter_mut().for_each(|queue| queue.retain(|other| *other != id));
    }

    fn enqueue(&mut self, id: ThreadId, queue: u32) {
        self.dequeue(id);
        self.queues[queue as usize].push_back(id);
    }

    /// Sets a priority: the thread is at the end of that queue, whether or not it sleeps.
    pub(crate) fn set_priority(&mut self, id: ThreadId, priority: u32) {
        if !(1..=LEAST_URGENT).contains(&priority) {
            halt("assertion: a priority out of range");
        }
        self.existing(id).priority = priority;
        self.enqueue(id, priority);
    }

    /// To the end of its own queue.
    pub(crate) fn requeue(&mut self, id: ThreadId) {
        let priority = self.existing(id).priority;
        self.enqueue(id, priority);
    }

    /// Puts the calling thread to sleep; false where it was woken before.
    pub(crate) fn block(&mut self, id: ThreadId) -> bool {
        let thread = self.existing(id);
        match thread.state {
            State::Woken => {
                thread.state = State::Runnable;
                false
            }
            _ => {
                thread.state = State::Blocked;
                self.dequeue(id);
                true
            }
        }
    }

    pub(crate) fn state(&mut self, id: ThreadId) -> State {
        self.existing(id).state
    }

    /// Wakes a thread: it is queued as if it were one priority more urgent.
    pub(crate) fn wake(&mut self, id: ThreadId) {
        let thread = self.existing(id);
        thread.until = None;
        match thread.state {
            State::Runnable => thread.state = State::Woken,
            State::Blocked => {
                thread.state = State::Runnable;
                let queue = thread.priority - 1;
                self.enqueue(id, queue);
            }
            State::Woken | State::Ended => halt("assertion: the thread is not blocked"),
        }
    }

    /// The calling thread sleeps at most so long.
    pub(crate) fn wake_at(&mut self, id: ThreadId, until: Option<u64>) {
        self.existing(id).until = until;
    }

    fn wake_late_ones(&mut self, now: u64) {
        let late = |thread: &Thread| thread.until.is_some_and(|until| until <= now);
        let ids: Vec<_> = self.threads.iter().filter(|thread| late(thread)).map(|t| t.id).collect();
        ids.into_iter().for_each(|id| self.wake(id));
    }

    /// Who runs next: the first of the most urgent, who then goes to the end.
    fn next(&mut self) -> Option<ThreadId> {
        let queue = self.queues.iter_mut().find(|queue| !queue.is_empty())?;
        queue.rotate_left(1);
        let id = *queue.back()?;
        if matches!(self.state(id), State::Blocked | State::Ended) {
            halt("assertion: the thread to run is blocked");
        }
        Some(id)
    }
}

/// Lets the most urgent thread run; returns when the caller has the baton again.
pub(crate) fn reschedule(mut world: MutexGuard<'_, World>) {
    let next = world.next();
    if next == Some(me()) {
        return;
    }
    hand_over(next);
    drop(world);
    wait_for_baton();
}

/// Lets that thread run, whoever is more urgent, until the next who asks for a decision; false
/// where it sleeps.
pub(crate) fn switch_to(id: ThreadId) -> bool {
    let mut world = world();
    if matches!(world.state(id), State::Blocked | State::Ended) {
        return false;
    }
    if id != me() {
        hand_over(Some(id));
        drop(world);
        wait_for_baton();
    }
    true
}

fn hand_over(next: Option<ThreadId>) {
    RUNNING.store(next.unwrap_or(0), SeqCst);
    if let Some(id) = next {
        BATONS[id as usize].wake();
    }
}

fn wait_for_baton() {
    loop {
        let seen = BATONS[me() as usize].seen();
        if RUNNING.load(SeqCst) == me() {
            return;
        }
        BATONS[me() as usize].wait(seen);
    }
}

/// The calling thread ends.
pub(crate) fn exit() -> ! {
    let mut world = world();
    world.existing(me()).state = State::Ended;
    world.dequeue(me());
    let next = world.next();
    hand_over(next);
    drop(world);
    loop {
        // Its id and its stack stay what they are.
        thread::park();
    }
}

/// A quantum has ended, in the thread that has the baton.
pub(crate) fn quantum() {
    let mut world = world();
    if RUNNING.load(SeqCst) != me() {
        // It was another's quantum.
        return;
    }
    world.wake_late_ones(cycles());
    reschedule(world);
}

/// What the tick does where it is: tells whom to interrupt, or lets the machine go on.
pub(crate) fn tick() {
    let mut world = world();
    match RUNNING.load(SeqCst) {
        0 => {
            if world.threads.iter().all(|thread| thread.until.is_none()) {
                end(DEADLOCKED, "DEADLOCK all threads sleep");
            }
            world.wake_late_ones(cycles());
            let next = world.next();
            hand_over(next);
        }
        running => {
            if let Some(host) = &world.existing(running).host {
                host.interrupt();
            }
        }
    }
}

/// The cycle counter.
pub(crate) fn cycles() -> u64 {
    // SAFETY: every processor of this architecture has the instruction.
    unsafe { std::arch::x86_64::_rdtsc() }
}

/// What a thread begins with.
pub type Function = unsafe extern "C" fn(*mut c_void) -> i64;

struct Start {
    function: Function,
    data: *mut c_void,
    component: ComponentId,
}

// SAFETY: the component says that its function may run in another thread.
unsafe impl Send for Start {}

/// The life of a Linux thread that carries a thread of the component.
fn carry(id: ThreadId, start: Start) {
    let host = preempt::adopt(id);
    path::begin(start.component);
    trap::enable();
    host::inside(|| {
        world().threads[(id - FIRST) as usize].host = Some(host);
        wait_for_baton();
    });
    // SAFETY: the slot was prepared for this thread alone; the component promised the rest.
    let result = unsafe { switch::enter(start.function, start.data, Slot::of(id).end()) };
    host::inside(|| match id {
        FIRST => finish(result),
        _ => halt("a thread function returned"),
    });
}

/// The component's first thread has nothing more to do: the end of the machine.
pub(crate) fn finish(result: c_long) -> ! {
    let mut world = world();
    for thread in &mut world.threads {
        println!("STACK thread {} used {} of 8192", thread.id, Slot::of(thread.id).used());
    }
    for (component, used) in used_where_invoked() {
        println!("SERVED component {component} used {used} of 8192");
    }
    let code = if result == 0 { 0 } else { FAILED };
    end(code, &format!("END {result}"))
}

/// Makes the first thread, which runs `entry`, and gives it the baton.
pub(crate) fn boot(entry: extern "C" fn() -> c_long) {
    unsafe extern "C" fn first(entry: *mut c_void) -> i64 {
        // SAFETY: what `boot` passes.
        let entry: extern "C" fn() -> c_long = unsafe { std::mem::transmute(entry) };
        entry()
    }

    let mut world = world();
    let id = world.create(first, entry as *mut c_void);
    world.set_priority(id, LEAST_URGENT);
    hand_over(Some(id));
}
