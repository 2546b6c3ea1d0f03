//! Builds the component, and links it with the stand-in.

use std::env::current_exe;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A file that tests of this package may write.
pub(crate) fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs a tool that has to succeed; what it printed.
pub(crate) fn tool(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The static library, built once.
pub(crate) fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../component");
        let target = scratch("component");
        let mut cargo = Command::new(env!("CARGO"));
        // Its own directory, for its own settings; none of those that this test is built with.
        cargo.current_dir(source).args(["build", "--release", "--target-dir"]).arg(&target);
        for setting in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(setting);
        }
        tool(&mut cargo);
        target.join("x86_64-unknown-linux-gnu/release/librust_component.a")
    })
}

/// The executable of component and stand-in, linked once.
pub(crate) fn machine() -> &'static PathBuf {
    static MACHINE: OnceLock<PathBuf> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let machine = scratch("machine");
        // The shared library is where cargo puts what tests are linked with.
        let libraries = current_exe().expect("the test has a file");
        let libraries = libraries.parent().expect("in a directory");
        let boot = Path::new(env!("CARGO_MANIFEST_DIR")).join("boot.s");
        let mut cc = Command::new("cc");
        cc.arg("-no-pie").arg("-o").args([&machine, &boot, library()]);
        cc.arg("-L").arg(libraries).arg("-lcomposite_stand_in");
        cc.arg(format!("-Wl,-rpath,{}", libraries.display()));
        tool(&mut cc);
        machine
    })
}
