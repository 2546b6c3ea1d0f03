//! Where a candidate's two processes meet: names that nobody else has, and that end with it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use iceoryx2::prelude::{
    Config, FileName, LogLevel, Node, NodeBuilder, Path as Root, SemanticString,
    SignalHandlingMode, ipc, set_log_level,
};

use crate::peers::{Other, other};

/// What all names begin with; then comes the id of the bench's process.
const PREFIX: &str = "res-bench-";
/// Where iceoryx2 leaves names, of files and of memory.
const DIRECTORIES: [&str; 2] = ["/tmp", "/dev/shm"];

/// A node of its own configuration.
#[derive(Debug)]
pub(super) struct Place {
    name: String,
    node: Node<ipc::Service>,
    /// Made here, so it ends here.
    _made: Option<Made>,
}

impl Place {
    /// One that nobody else knows.
    pub(super) fn new() -> Self {
        static PLACES: AtomicU32 = AtomicU32::new(0);
        remove(died);
        let (process, number) = (std::process::id(), PLACES.fetch_add(1, Relaxed));
        let name = format!("{PREFIX}{process}-{number}_");
        let made = Some(Made(name.clone()));
        Self { _made: made, ..Self::of(&name) }
    }

    /// One that the other process has made.
    pub(super) fn of(name: &str) -> Self {
        set_log_level(LogLevel::Error);
        let mut config = Config::default();
        let root = format!("/tmp/{name}");
        config.global.set_root_path(&Root::new(root.as_bytes()).expect("a path"));
        config.global.prefix = FileName::new(name.as_bytes()).expect("a file's name");
        let builder = NodeBuilder::new().config(&config);
        let builder = builder.signal_handling_mode(SignalHandlingMode::Disabled);
        let node = builder.create::<ipc::Service>().expect("a node");
        Self { name: name.to_owned(), node, _made: None }
    }

    pub(super) fn node(&self) -> &Node<ipc::Service> {
        &self.node
    }

    /// Starts the other process, and waits until it is there.
    pub(super) fn other(&self, role: &str, size: usize, is_there: impl Fn() -> bool) -> Other {
        let other = other(role, &format!("{} {size}", self.name), std::process::Stdio::null());
        while !is_there() {
            std::thread::yield_now();
        }
        other
    }
}

/// Names that are taken away in the end, also those of a process that was killed.
#[derive(Debug)]
struct Made(String);

impl Drop for Made {
    fn drop(&mut self) {
        remove(|rest| self.0.strip_prefix(PREFIX).is_some_and(|own| rest.starts_with(own)));
    }
}

/// Whether the process died that the name is of.
fn died(rest: &str) -> bool {
    let process = rest.split('-').next().unwrap_or_default();
    process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists()
}

/// Removes the names of benches of which, behind the prefix, that holds.
fn remove(holds: impl Fn(&str) -> bool) {
    for entry in DIRECTORIES.iter().flat_map(std::fs::read_dir).flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().and_then(|name| name.strip_prefix(PREFIX)).is_some_and(&holds) {
            remove_whole(&entry.path());
        }
    }
}

fn remove_whole(path: &PathBuf) {
    // Others may be faster.
    let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
}
