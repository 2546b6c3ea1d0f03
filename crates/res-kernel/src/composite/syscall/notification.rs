//! Asynchronous activation: sending without waiting, and waiting for what was sent.

use super::call::invoke;
use super::code::Errno;
use super::slot::handle;

handle! {
    /// Sends notifications to one receive end.
    Notify
}

handle! {
    /// Receives notifications; of threads that it schedules, too.
    Receive
}

const SEND: u16 = 0;
const RECEIVE: u16 = 0;

/// How long a receive waits, and how much it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// Waits for one.
    Wait,
    /// Takes one if it is there.
    Try,
    /// Waits, and takes all.
    WaitAll,
    /// Takes all that are there.
    TryAll,
}

impl Pending {
    const fn flags(self) -> u64 {
        match self {
            Self::Wait => 0,
            Self::Try => 1,
            Self::WaitAll => 2,
            Self::TryAll => 3,
        }
    }

    const fn takes_all(self) -> bool {
        self.flags() & 2 != 0
    }
}

/// What a receive end was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How many notifications were taken.
    pub count: u64,
    /// Whether there are more.
    pub more: bool,
    /// The thread that it is about; 0 for none.
    pub thread: u64,
    /// Whether that thread has blocked.
    pub blocked: bool,
    /// How many cycles it has run.
    pub cycles: u64,
    /// Its timeout.
    pub timeout: u64,
}

const BLOCKED: u64 = 1 << 63;

impl Notify {
    /// Sends a notification. With `yields` the receiver may run at once.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn send(self, yields: bool) -> Result<(), Errno> {
        // SAFETY: a notification touches no memory of this component.
        unsafe { invoke(self.slot(), SEND, [0, 0, 0, yields.into()]) }.done()
    }
}

impl Receive {
    /// Receives, and waits for it where `pending` says so.
    ///
    /// # Errors
    ///
    /// `EAGAIN` where nothing is there and it does not wait; what else the kernel says.
    pub fn receive(self, pending: Pending, timeout: u64) -> Result<Received, Errno> {
        // SAFETY: receiving touches no memory of this component.
        let answer =
            unsafe { invoke(self.slot(), RECEIVE, [pending.flags(), timeout, 0, 0]) }.checked()?;
        Ok(Received::new(pending, answer.result as u64, answer.extra))
    }
}

impl Received {
    /// What the registers say.
    const fn new(pending: Pending, result: u64, extra: [u64; 3]) -> Self {
        let [who, cycles, timeout] = extra;
        let (count, more) =
            if pending.takes_all() { (result >> 1, result & 1 != 0) } else { (1, result != 0) };
        Self { count, more, thread: who & !BLOCKED, blocked: who & BLOCKED != 0, cycles, timeout }
    }
}

const _: () = {
    let all = Received::new(Pending::TryAll, 7, [BLOCKED | 12, 34, 56]);
    assert!(all.count == 3 && all.more && all.thread == 12 && all.blocked);
    assert!(all.cycles == 34 && all.timeout == 56);
    let one = Received::new(Pending::Wait, 0, [12, 34, 56]);
    assert!(one.count == 1 && !one.more && one.thread == 12 && !one.blocked);
};
