//! The command line.

use std::path::PathBuf;

use super::flags::Flags;

pub(crate) const USAGE: &str = "\
usage: sieve [OPTION]...
Prime numbers, by a chain of components, each of which knows one of them.
  --last N        up to which number (1000)
  --programs DIR  the components are the programs numbers and sieve, which were
                  built by themselves and are in that directory; without it
                  they are functions of this program. Each is a process in both
                  cases. To build them:
                    (cd examples/sieve/programs && cargo build --release)
                  and then they are in examples/sieve/programs/target/
                  x86_64-unknown-linux-gnu/release
  --help          print this
Exit status: 0 if all went well, 1 if not, 2 if it was not understood.";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) last: u64,
    pub(crate) programs: Option<PathBuf>,
    pub(crate) help: bool,
}

impl Args {
    /// The arguments behind the name of the program; what is wrong with them.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self { last: 1000, programs: None, help: false };
        let mut flags = Flags::of(args);
        while let Some(flag) = flags.next() {
            match &*flag {
                "--last" => parsed.last = last(&flags.value()?)?,
                "--programs" => parsed.programs = Some(flags.value()?.into()),
                "--help" | "-h" if flags.is_bare() => parsed.help = true,
                _ => return Err(flags.unknown()),
            }
        }
        Ok(parsed)
    }
}

/// Each prime up to the root is a process.
const MOST: u64 = 1_000_000;

fn last(value: &str) -> Result<u64, String> {
    let last = value.parse().ok().filter(|last| *last <= MOST);
    last.ok_or_else(|| format!("--last takes a number up to {MOST}"))
}
