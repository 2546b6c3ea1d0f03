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
const SERVER: [&str; 16] = [
    "__cosrt_s_tally_sum",
    "__cosrt_s_tally_who",
    "__cosrt_s_tally_more",
    "__cosrt_s_tally_wait",
    "__cosrt_s_peer_echo",
    "__cosrt_s_peer_offer",
    "__cosrt_s_peer_lend",
    "__cosrt_s_peer_serve",
    "__cosrt_s_peer_host",
    "__cosrt_s_peer_collect",
    "__cosrt_s_peer_supply",
    "__cosrt_s_peer_pass",
    "__cosrt_s_peer_hold",
    "__cosrt_s_peer_write",
    "__cosrt_s_peer_ask",
    "__cosrt_s_peer_forge",
];

/// What is used of the same program as a third component, under names of its own.
const THIRD: [[&str; 2]; 3] = [
    ["__cosrt_s_peer_echo", "__cosrt_s_third_echo"],
    ["__cosrt_s_peer_forge", "__cosrt_s_third_forge"],
    ["__cosrt_s_peer_ask", "__cosrt_s_third_ask"],
];

/// What the manager exports.
const MANAGER: [&str; 1] = ["__cosrt_s_sinv_ask"];

/// The server, linked once.
pub(crate) fn server() -> &'static PathBuf {
    static LINKED: OnceLock<PathBuf> = OnceLock::new();
    LINKED.get_or_init(|| linked("rust_server", &SERVER))
}

/// The manager, linked once.
pub(crate) fn manager() -> &'static PathBuf {
    static LINKED: OnceLock<PathBuf> = OnceLock::new();
    LINKED.get_or_init(|| linked("rust_manager", &MANAGER))
}

fn assembly(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A component of those objects, with its stacks; nothing but these and its entries is to be seen from
/// outside, since other components have symbols of the same names.
fn isolated<'a>(
    name: &str,
    objects: &[&Path],
    entries: impl Iterator<Item = [&'a str; 2]> + Clone,
) -> PathBuf {
    let [whole, renamed, component] =
        ["whole", "renamed", "component"].map(|stage| scratch(&format!("{name}_{stage}.o")));
    let mut cc = Command::new("cc");
    tool(cc.args(["-nostdlib", "-r", "-o"]).arg(&whole).arg(assembly("stacks.s")).args(objects));
    let mut rename = Command::new("objcopy");
    let names = entries.clone().filter(|[name, now]| name != now);
    rename.args(names.map(|[name, now]| format!("--redefine-sym={name}={now}")));
    let stacks = format!("{name}_stacks");
    rename.arg(format!("--redefine-sym=cos_static_stack={stacks}"));
    tool(rename.args([&whole, &renamed]));
    let mut hide = Command::new("objcopy");
    let seen = entries.map(|[_, now]| now).chain([&*stacks]);
    hide.args(seen.map(|symbol| format!("--keep-global-symbol={symbol}")));
    tool(hide.args([&renamed, &component]));
    component
}

/// All components but the first.
fn others() -> [PathBuf; 3] {
    let same = |entry| [entry, entry];
    let program: [&Path; 2] = [server(), &assembly("server.s")];
    [
        isolated("second", &program, SERVER.into_iter().map(same)),
        isolated("third", &program, THIRD.into_iter()),
        isolated("manager", &[manager()], MANAGER.into_iter().map(same)),
    ]
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
        cc.arg(application()).args(others());
        cc.arg("-L").arg(libraries).arg("-lcomposite_stand_in");
        cc.arg(format!("-Wl,-rpath,{}", libraries.display()));
        tool(&mut cc);
        machine
    })
}
