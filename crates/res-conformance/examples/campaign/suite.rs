//! The suites, and how a piece of one is run.

use std::env;
use std::io;
use std::ops::Range;
use std::process::Command;

/// Tests that run in the simulator and heed `RES_SEEDS`.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    package: &'static str,
    test: &'static str,
}

pub(crate) const SUITES: [Suite; 5] = [
    Suite { name: "kernel", package: "res-kernel", test: "sim" },
    Suite { name: "local", package: "res-conformance", test: "sim" },
    Suite { name: "sinv", package: "res-conformance", test: "sim_sinv" },
    Suite { name: "death", package: "backend-sinv", test: "simulated_death" },
    Suite { name: "refusals", package: "res-conformance", test: "refusals" },
];

/// What a failing test prints before the command that runs it again.
const AGAIN: &str = "again: ";

impl Suite {
    fn command(&self) -> Command {
        let cargo = env::var_os("CARGO").unwrap_or("cargo".into());
        let mut command = Command::new(cargo);
        command.args(["test", "--package", self.package, "--test", self.test]);
        if self.package == "res-kernel" {
            command.args(["--features", "sim"]);
        }
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    /// Builds it; what the compiler says is seen.
    pub(crate) fn build(&self) -> io::Result<()> {
        let built = self.command().arg("--no-run").status()?;
        let failed = || io::Error::other(format!("{} does not build", self.name));
        if built.success() { Ok(()) } else { Err(failed()) }
    }

    /// Runs it with those seeds; how to run again what fails.
    pub(crate) fn run(&self, seeds: Range<u64>) -> io::Result<Vec<String>> {
        let some = format!("{}..{}", seeds.start, seeds.end);
        let output = self.command().env("RES_SEEDS", &some).env_remove("RES_SEED").output()?;
        if output.status.success() {
            return Ok(Vec::new());
        }
        let mut found = commands(&String::from_utf8_lossy(&output.stdout));
        if found.is_empty() {
            let Self { package, test, .. } = self;
            found.push(format!("RES_SAY=1 RES_SEEDS={some} cargo test -p {package} --test {test}"));
        }
        Ok(found)
    }
}

/// The commands that failing tests have printed, each once.
pub(crate) fn commands(output: &str) -> Vec<String> {
    let found = output.lines().filter_map(|line| line.trim().strip_prefix(AGAIN));
    let mut commands: Vec<_> = found.map(String::from).collect();
    commands.sort();
    commands.dedup();
    commands
}
