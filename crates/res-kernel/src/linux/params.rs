//! How a thread is scheduled, and how Linux is told.

use core::time::Duration;
use std::io;

use res_api::{ErrorKind, ThreadParam};
use rustix::process::Pid;
use rustix::thread::{CpuSet, gettid, sched_setaffinity};

use super::cores;
use super::error::refused;
use crate::KernelError;

const SET_CORE: &str = "set a thread's core";
const SET_PRIORITY: &str = "set a thread's priority";
const SET_PERIOD: &str = "set a thread's period and budget";

/// All that was set. A priority takes the place of period and budget, and they that of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Params {
    core: Option<Change>,
    policy: Option<Change>,
    period: Option<u64>,
    budget: Option<u64>,
}

/// Something to tell Linux.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// Run on that core, by Linux's number.
    Core(usize),
    /// `SCHED_FIFO` with that priority.
    Fifo(u32),
    /// `SCHED_DEADLINE`, in nanoseconds.
    Deadline { period: u64, budget: u64 },
}

impl Params {
    /// Remembers `param`; what that changes, if anything yet.
    ///
    /// # Errors
    ///
    /// `Invalid`; then some of it may be remembered: change a copy.
    pub(super) fn change(&mut self, param: ThreadParam) -> Result<Option<Change>, KernelError> {
        match param {
            ThreadParam::Core(core) => {
                self.core = Some(core_change(core)?);
                Ok(self.core)
            }
            ThreadParam::Priority(priority) => {
                self.policy = Some(priority_change(priority)?);
                (self.period, self.budget) = (None, None);
                Ok(self.policy)
            }
            ThreadParam::Period(period) => {
                self.period = Some(nanos(period)?);
                self.share()
            }
            ThreadParam::Budget(budget) => {
                self.budget = Some(nanos(budget)?);
                self.share()
            }
            _ => Err(invalid("set a parameter it does not know")),
        }
    }

    /// Takes period and budget into effect, when both are there.
    fn share(&mut self) -> Result<Option<Change>, KernelError> {
        let (Some(period), Some(budget)) = (self.period, self.budget) else {
            return Ok(None);
        };
        if budget > period {
            return Err(invalid(SET_PERIOD));
        }
        self.policy = Some(Change::Deadline { period, budget });
        Ok(self.policy)
    }

    /// Whether there is something to tell Linux.
    pub(super) fn any(&self) -> bool {
        self.core.is_some() || self.policy.is_some()
    }

    /// Tells Linux all of it, for the thread `tid`.
    ///
    /// # Errors
    ///
    /// `Denied` or `Invalid`, of the first that Linux refuses.
    pub(super) fn apply(&self, tid: Pid) -> Result<(), KernelError> {
        let mut all = [self.core, self.policy].into_iter().flatten();
        all.try_for_each(|change| change.apply(tid))
    }

    /// Makes the thread `tid` an ordinary one on any core. What Linux refuses of it stays.
    pub(super) fn forget(tid: Pid) {
        let _ = set_attributes(tid, ORDINARY);
        let mut all = CpuSet::new();
        (0..cores::count()).filter_map(cores::number).for_each(|number| all.set(number));
        let _ = sched_setaffinity(unless_it_calls(tid), &all);
    }

    /// Whether a thread can start with them.
    ///
    /// # Errors
    ///
    /// `Invalid` for a period without a budget, or a budget without a period.
    pub(super) fn complete(&self) -> Result<(), KernelError> {
        if self.period.is_some() == self.budget.is_some() {
            Ok(())
        } else {
            Err(invalid(SET_PERIOD))
        }
    }
}

impl Change {
    /// Tells Linux, for the thread `tid`, which must not have ended.
    pub(super) fn apply(self, tid: Pid) -> Result<(), KernelError> {
        match self {
            Self::Core(number) => {
                let mut only = CpuSet::new();
                only.set(number);
                sched_setaffinity(unless_it_calls(tid), &only).map_err(refused(SET_CORE))
            }
            Self::Fifo(priority) => {
                set_attributes(tid, fifo(priority)).map_err(refused(SET_PRIORITY))
            }
            Self::Deadline { period, budget } => {
                set_attributes(tid, deadline(period, budget)).map_err(refused(SET_PERIOD))
            }
        }
    }
}

fn core_change(core: u32) -> Result<Change, KernelError> {
    cores::number(core).map(Change::Core).ok_or(invalid(SET_CORE))
}

fn priority_change(priority: u32) -> Result<Change, KernelError> {
    if (1..=31).contains(&priority) {
        Ok(Change::Fifo(priority))
    } else {
        Err(invalid(SET_PRIORITY))
    }
}

/// A period or budget; none is 0.
fn nanos(span: Duration) -> Result<u64, KernelError> {
    u64::try_from(span.as_nanos()).ok().filter(|nanos| *nanos > 0).ok_or(invalid(SET_PERIOD))
}

const fn invalid(operation: &'static str) -> KernelError {
    KernelError::new(operation, ErrorKind::Invalid)
}

const fn fifo(priority: u32) -> libc::sched_attr {
    libc::sched_attr { sched_policy: libc::SCHED_FIFO as u32, sched_priority: priority, ..ORDINARY }
}

/// Linux lets such a thread start others only if they do not inherit from it.
const fn deadline(period: u64, budget: u64) -> libc::sched_attr {
    libc::sched_attr {
        sched_policy: libc::SCHED_DEADLINE as u32,
        sched_flags: libc::SCHED_FLAG_RESET_ON_FORK as u64,
        sched_runtime: budget,
        sched_deadline: period,
        sched_period: period,
        ..ORDINARY
    }
}

const ORDINARY: libc::sched_attr = libc::sched_attr {
    size: size_of::<libc::sched_attr>() as u32,
    sched_policy: libc::SCHED_OTHER as u32,
    sched_flags: 0,
    sched_nice: 0,
    sched_priority: 0,
    sched_runtime: 0,
    sched_deadline: 0,
    sched_period: 0,
};

/// The thread, or `None` for the calling one, which a domain is allowed to name only so.
fn unless_it_calls(tid: Pid) -> Option<Pid> {
    (tid != gettid()).then_some(tid)
}

fn set_attributes(tid: Pid, mut attributes: libc::sched_attr) -> io::Result<()> {
    if cfg!(miri) {
        return Err(io::Error::from_raw_os_error(libc::EPERM));
    }
    let (tid, no_flags) = (Pid::as_raw(unless_it_calls(tid)), 0_u32);
    // SAFETY: the pointer is to a structure of our own, as long as its `size` says: the kernel
    // reads it, and may correct `size`. How a thread is scheduled touches no memory.
    let result =
        unsafe { libc::syscall(libc::SYS_sched_setattr, tid, &raw mut attributes, no_flags) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
