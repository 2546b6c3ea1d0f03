//! The simulator: that it finds what it has to find, and that a run is a function of its seed.

#[path = "sim/chrome.rs"]
mod chrome;
#[path = "sim/common.rs"]
mod common;
#[path = "sim/cores.rs"]
mod cores;
#[path = "sim/deadlock.rs"]
mod deadlock;
#[path = "sim/domains.rs"]
mod domains;
#[path = "sim/event.rs"]
mod event;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/litmus.rs"]
mod litmus;
#[path = "sim/panics.rs"]
mod panics;
#[path = "sim/planted.rs"]
mod planted;
#[path = "sim/replay.rs"]
mod replay;
#[path = "sim/time.rs"]
mod time;
