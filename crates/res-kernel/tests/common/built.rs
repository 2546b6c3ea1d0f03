//! Programs that are built by themselves, linked statically, for tests.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::string::String;

/// Builds what is in that directory, if need be; where its programs are.
pub(crate) fn built(directory: impl AsRef<Path>) -> PathBuf {
    let machine = std::format!("{}-unknown-linux-gnu", env::consts::ARCH);
    // Cargo's own, in which this test is in `debug/deps` or the like.
    let this = env::current_exe().expect("this program");
    let target = this.ancestors().nth(3).expect("cargo's directory").join("tmp/programs");
    let mut cargo = Command::new(env!("CARGO"));
    // Its own directory, for its own settings; none of those that this test is built with.
    cargo.current_dir(directory);
    cargo.args(["build", "--target", &machine, "--target-dir"]).arg(&target);
    for setting in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(setting);
    }
    let output = cargo.output().expect("there is cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target.join(machine).join("debug")
}
