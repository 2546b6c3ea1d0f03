//! What a domain executes in tests of programs that were built by themselves.
#![allow(dead_code, reason = "of the shared files this is one side")]

#[path = "../../confinement/attacker.rs"]
mod attacker;
#[path = "../../confinement/attacks.rs"]
mod attacks;
#[path = "../../confinement/needs.rs"]
mod needs;
#[path = "../../common/turns.rs"]
mod turns;

use res_kernel::linux::LinuxSocket;
use res_kernel::{Linux, Socket};
use res_sync::Deadline;

fn main() {
    let machine = Linux::new();
    let socket = machine.socket_of_program().expect("a domain executes this");
    assert!(machine.socket_of_program().is_none(), "there is one");
    let mut role = [0; 16];
    let said = socket.recv(&mut role, &mut [], Deadline::NEVER).expect("the other side speaks");
    match &role[..said.bytes] {
        b"attack" => attacker::attacks_all(machine, socket),
        b"need" => needs::needs(machine, socket),
        b"take turns" => turns::second(machine, socket),
        b"shout" => shouts(&socket),
        b"list" => lists(&socket),
        b"return" => {}
        b"panic" => panic!("on purpose"),
        b"exit" => std::process::exit(7),
        role => panic!("no role: {role:?}"),
    }
}

/// Says what it hears in capital letters, as long as there is something.
fn shouts(socket: &LinuxSocket) {
    let mut word = [0; 64];
    while let Ok(heard) = socket.recv(&mut word, &mut [], Deadline::NEVER) {
        word.make_ascii_uppercase();
        if socket.send(&word[..heard.bytes], &[]).is_err() {
            return;
        }
    }
}

/// Says what it was given besides the socket: arguments, environment.
fn lists(socket: &LinuxSocket) {
    let arguments = std::env::args().collect::<Vec<_>>().join(" ");
    let environment = std::env::vars().map(|(name, _)| name).collect::<Vec<_>>().join(" ");
    let given = format!("{arguments}; {environment}");
    socket.send(given.as_bytes(), &[]).expect("the other side listens");
    shouts(socket);
}
