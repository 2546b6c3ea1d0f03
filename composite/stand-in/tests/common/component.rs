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

/// Where the static libraries are, built once.
fn built() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../component");
        let target = scratch("component");
        let mut cargo = Command::new(env!("CARGO"));
        // Its own directory, for its own settings; none of those that this test is built with.
        cargo.current_dir(source).args(["build", "--release", "--target-dir"]).arg(&target);
        for setting in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(setting);
        }
        tool(&mut cargo);
        target.join("x86_64-unknown-linux-gnu/release")
    })
}

/// A component as one object: what its entries need of its static library.
fn linked(name: &str, entries: &[&str]) -> PathBuf {
    let (object, library) = (scratch(&format!("{name}.o")), built().join(format!("lib{name}.a")));
    let entries = entries.iter().map(|entry| format!("-Wl,-u,{entry}"));
    tool(
        Command::new("cc").args(["-nostdlib", "-r", "-o"]).arg(&object).args(entries).arg(library),
    );
    object
}

/// The component, linked once.
pub(crate) fn application() -> &'static PathBuf {
    static APPLICATION: OnceLock<PathBuf> = OnceLock::new();
    APPLICATION.get_or_init(|| linked("rust_component", &["rust_main"]))
}

/// What the server exports.
const ENTRIES: [&str; 6] = [
    "__cosrt_s_tally_sum",
    "__cosrt_s_tally_who",
    "__cosrt_s_tally_more",
    "__cosrt_s_tally_wait",
    "__cosrt_s_echo_open",
    "__cosrt_s_echo_serve",
];

/// The server, linked once.
pub(crate) fn server() -> &'static PathBuf {
    static SERVER: OnceLock<PathBuf> = OnceLock::new();
    SERVER.get_or_init(|| linked("rust_server", &ENTRIES))
}

fn assembly(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The server with its stacks; nothing but its entries is to be seen from outside, since other
/// components have symbols of the same names.
fn server_with_stacks() -> PathBuf {
    let (whole, server) = (scratch("server_and_stacks.o"), scratch("server.o"));
    let mut cc = Command::new("cc");
    cc.args(["-nostdlib", "-r", "-o"]).args([&whole, &assembly("server.s"), self::server()]);
    tool(&mut cc);
    let mut objcopy = Command::new("objcopy");
    objcopy.args(ENTRIES.map(|entry| format!("--keep-global-symbol={entry}")));
    tool(objcopy.args([&whole, &server]));
    server
}

/// The executable of components and stand-in, linked once.
pub(crate) fn machine() -> &'static PathBuf {
    static MACHINE: OnceLock<PathBuf> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let machine = scratch("machine");
        // The shared library is where cargo puts what tests are linked with.
        let libraries = current_exe().expect("the test has a file");
        let libraries = libraries.parent().expect("in a directory");
        let mut cc = Command::new("cc");
        cc.arg("-no-pie").arg("-o").args([&machine, &assembly("boot.s"), &assembly("system.s")]);
        cc.arg(application()).arg(server_with_stacks());
        cc.arg("-L").arg(libraries).arg("-lcomposite_stand_in");
        cc.arg(format!("-Wl,-rpath,{}", libraries.display()));
        tool(&mut cc);
        machine
    })
}
