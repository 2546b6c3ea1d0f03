//! Running a machine to its end, or to the end of our patience.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Runs it; its exit code, none if it took too long and was killed, and what it printed.
pub(crate) fn run(command: &mut Command, patience: Duration) -> (Option<i32>, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut out = child.stdout.take().expect("a pipe");
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came until then is what there is.
        let _ = out.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let end = Instant::now() + patience;
    let status = loop {
        match child.try_wait().expect("it is our child") {
            Some(status) => break status.code(),
            None if Instant::now() > end => {
                child.kill().expect("it is our child");
                child.wait().expect("it was killed");
                break None;
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    (status, reader.join().expect("it only reads"))
}
