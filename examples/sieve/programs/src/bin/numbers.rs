//! The component that says all numbers, as a program of its own.

#[path = "../../../components.rs"]
#[allow(dead_code)]
mod components;

use std::process::ExitCode;

use res::Sinv;

fn main() -> ExitCode {
    Sinv::main(components::numbers::<Sinv>)
}
