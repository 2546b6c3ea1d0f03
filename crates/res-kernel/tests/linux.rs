//! What the Linux kernel does, seen from outside.

#[path = "common/body.rs"]
mod body;

mod linux {
    mod barrier;
    mod guard;
    mod memory;
    mod params;
    mod park;
    mod thread;
}
