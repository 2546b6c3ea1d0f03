//! A hostile component that was built by itself: it says what it likes to the manager, in the words of
//! those who keep to the rules.
#![allow(dead_code, unused_imports, reason = "of the shared files this is one side")]

#[path = "../../../src/hostile/attacker.rs"]
mod attacker;
#[path = "../../../src/bell.rs"]
mod bell;
#[path = "../../../src/ends.rs"]
mod ends;
#[path = "../../../src/request.rs"]
mod request;
#[path = "../../../src/wire.rs"]
mod wire;

use res_kernel::Linux;

fn main() {
    let machine = Linux::new();
    let socket = machine.socket_of_program().expect("a domain executes this");
    attacker::attacks(machine, socket);
}
