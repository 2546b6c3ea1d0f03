//! Priorities: here a greater number is more urgent, there a lower one.

use core::ffi::c_int;

use res_api::ErrorKind;

use super::identity;
use super::interface::sched::{ParamType, param, sched_thd_param_set};
use crate::KernelError;

const SET: &str = "set a thread's priority";

/// The greatest number that Composite has; it is the least urgent.
const LEAST_URGENT: u32 = 31;

/// A priority as Composite counts: 1 to 31, a lower number being more urgent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Priority(u32);

impl Priority {
    /// The most urgent one.
    pub(super) const MOST_URGENT: Self = Self(1);

    /// Of a number of ours.
    ///
    /// # Errors
    ///
    /// `Invalid` where it is not from 1 to 31: the scheduler would halt the machine.
    pub(super) fn new(ours: u32) -> Result<Self, KernelError> {
        if (1..=LEAST_URGENT).contains(&ours) {
            Ok(Self(LEAST_URGENT + 1 - ours))
        } else {
            Err(KernelError::new(SET, ErrorKind::Invalid))
        }
    }

    /// As a word; never 0.
    pub(super) const fn code(self) -> u32 {
        self.0
    }

    /// From such a word, which came from [`code`](Self::code).
    pub(super) const fn from_code(code: u32) -> Self {
        Self(code)
    }

    /// Gives it to a thread, which may run from then on.
    ///
    /// # Safety
    ///
    /// The thread exists and is not blocked.
    pub(super) unsafe fn give_to(self, thread: u32) -> Result<(), KernelError> {
        // SAFETY: the number is in range, the rest is the caller's promise.
        let result =
            unsafe { sched_thd_param_set(thread.into(), param(ParamType::Priority, self.0)) };
        refused(result)
    }

    /// Gives it to the calling thread.
    pub(super) fn give_to_caller(self) -> Result<(), KernelError> {
        // SAFETY: it runs.
        unsafe { self.give_to(identity::current()) }
    }
}

fn refused(result: c_int) -> Result<(), KernelError> {
    match result {
        0 => Ok(()),
        code => Err(KernelError { operation: SET, kind: ErrorKind::Other, code }),
    }
}
