//! The program in `tests/program`, built and executed.

use std::env;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use res_kernel::linux::{LinuxDomain, LinuxProgram, LinuxSocket};
use res_kernel::{Isolation, Linux, Socket};

/// Read once.
pub(crate) fn program() -> &'static LinuxProgram {
    static PROGRAM: OnceLock<LinuxProgram> = OnceLock::new();
    PROGRAM.get_or_init(|| LinuxProgram::new(&file()).expect("it is linked statically"))
}

/// The file that it is in, built if need be.
pub(crate) fn file() -> File {
    let machine = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    let mut cargo = Command::new(env!("CARGO"));
    // Its own directory, for its own settings; none of those that this test is built with.
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/program"));
    cargo.args(["build", "--target", &machine, "--target-dir"]).arg(&target);
    for setting in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(setting);
    }
    let output = cargo.output().expect("there is cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let path = target.join(machine).join("debug/res-kernel-program");
    File::open(path).expect("it has been built")
}

/// A domain that executes it, in that role.
pub(crate) fn domain(role: &str) -> (LinuxDomain, LinuxSocket) {
    let (domain, socket) = Linux::new().domain_of(program()).expect("a domain");
    socket.send(role.as_bytes(), &[]).expect("it will listen");
    (domain, socket)
}
