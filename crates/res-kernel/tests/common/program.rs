//! The program in `tests/program`, built and executed.

#[path = "built.rs"]
mod built;

use std::fs::File;
use std::sync::OnceLock;

use res_kernel::linux::{LinuxDomain, LinuxProgram, LinuxSocket};
use res_kernel::{Isolation, Linux, Socket};

use built::built;

/// Read once.
pub(crate) fn program() -> &'static LinuxProgram {
    static PROGRAM: OnceLock<LinuxProgram> = OnceLock::new();
    PROGRAM.get_or_init(|| LinuxProgram::new(&file()).expect("it is linked statically"))
}

/// The file that it is in, built if need be.
pub(crate) fn file() -> File {
    let directory = built(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/program"));
    File::open(directory.join("res-kernel-program")).expect("it has been built")
}

/// A domain that executes it, in that role.
pub(crate) fn domain(role: &str) -> (LinuxDomain, LinuxSocket) {
    let (domain, socket) = Linux::new().domain_of(program()).expect("a domain");
    socket.send(role.as_bytes(), &[]).expect("it will listen");
    (domain, socket)
}
