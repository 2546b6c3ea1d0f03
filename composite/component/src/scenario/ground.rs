//! A count that one thread posts to and others wait for, and the answers.

use core::sync::atomic::AtomicU32;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::SeqCst;

use res_api::Fault;
use res_kernel::composite::CompositePoint;
use res_kernel::{Composite, Kernel};
use res_sync::{Barrier, Deadline, Event, Park, WaitError, Wake};

/// Two event counts, with what they are about.
pub(super) struct Ground {
    machine: Composite,
    posted: Count,
    answered: Count,
}

struct Count {
    point: CompositePoint,
    word: AtomicU64,
    count: AtomicU32,
}

impl Count {
    fn new(machine: Composite) -> Result<Self, Fault> {
        let point = machine.point()?;
        let word = AtomicU64::new(machine.first_word(&point));
        Ok(Self { point, word, count: AtomicU32::new(0) })
    }

    fn event<'a>(&'a self, machine: &'a Composite) -> Event<'a, Composite> {
        Event { park: machine, point: &self.point, word: &self.word, barrier: Barrier::Fence }
    }

    fn add(&self, machine: Composite, wake: Wake) {
        self.count.fetch_add(1, SeqCst);
        self.event(&machine).trigger(wake);
    }

    fn at_least(
        &self,
        machine: Composite,
        least: u32,
        deadline: Deadline,
    ) -> Result<(), WaitError> {
        let look = || (self.count.load(SeqCst) >= least).then_some(());
        self.event(&machine).wait_until(deadline, look)
    }
}

impl Ground {
    pub(super) fn new(machine: Composite) -> Result<Self, Fault> {
        Ok(Self { machine, posted: Count::new(machine)?, answered: Count::new(machine)? })
    }

    /// One more.
    pub(super) fn post(&self, wake: Wake) {
        self.posted.add(self.machine, wake);
    }

    /// Waits for so many.
    pub(super) fn await_at_least(&self, least: u32, deadline: Deadline) -> Result<(), WaitError> {
        self.posted.at_least(self.machine, least, deadline)
    }

    /// One more answer.
    pub(super) fn answer(&self) {
        self.answered.add(self.machine, Wake::All);
    }

    pub(super) fn answers(&self) -> u32 {
        self.answered.count.load(SeqCst)
    }

    /// Waits for so many; whether they came in time.
    pub(super) fn await_answers(&self, least: u32, deadline: Deadline) -> bool {
        self.answered.at_least(self.machine, least, deadline).is_ok()
    }
}
