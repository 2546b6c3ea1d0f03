//! The component that keeps back the multiples of a prime, as a program of its own.

#[path = "../../../components.rs"]
#[allow(dead_code)]
mod components;

use std::process::ExitCode;

use res::Sinv;

fn main() -> ExitCode {
    Sinv::main(components::sieve::<Sinv>)
}
