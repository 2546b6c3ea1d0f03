//! What keeps domains from everything but what they were given (H8).
//!
//! All of it is in force in the fork server before it forks the first domain, and is inherited: a
//! start costs no more than the fork. The first line is the list of system calls ([`filter`]);
//! should it have a hole, there are Landlock, no capabilities, and limits behind it.
//!
//! Out of scope are the use of processor time, and what can be learned from timing. A domain can
//! fill the pid table of its user with threads, and write to the standard stream for errors.

mod filter;
mod limits;
mod privileges;
mod second_line;

pub(super) use filter::{Filter, Seal};

use crate::{Confinement, Restriction};

/// Confines this process, for good, with all that it will fork; what of it is in force, and what
/// the filter leaves to be done by others. It has to have one thread.
pub(super) fn confine() -> (Confinement, Filter) {
    // Looked up in a file, once, by some versions of Linux.
    let _ = rustix::param::page_size();
    // Without that, a process without privileges may install neither of the two lines.
    let _ = rustix::thread::set_no_new_privs(true);
    let mut confinement = second_line::apply();
    if limits::apply().is_ok() {
        confinement = confinement.with(Restriction::Limits);
    }
    if privileges::drop_all().is_ok() {
        confinement = confinement.with(Restriction::Privileges);
    }
    let filter = Filter::install();
    if !matches!(filter, Filter::Missing) {
        confinement = confinement.with(Restriction::Calls).with(Restriction::Processes);
    }
    (confinement, filter)
}
