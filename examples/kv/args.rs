//! The command line.

use super::flags::Flags;

pub(crate) const USAGE: &str = "\
usage: kv [OPTION]...
A key-value service, and two clients that use it at the same time.
  --backend NAME  who supplies the resources: local (the default), or sinv: each
                  component is a process of its own
  --visits N      how often each client calls (10000)
  --help          print this
Exit status: 0 if all went well, 1 if not, 2 if it was not understood.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackendName {
    Local,
    Sinv,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) backend: BackendName,
    pub(crate) visits: u64,
    pub(crate) help: bool,
}

impl Args {
    /// The arguments behind the name of the program; what is wrong with them.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self { backend: BackendName::Local, visits: 10_000, help: false };
        let mut flags = Flags::of(args);
        while let Some(flag) = flags.next() {
            match &*flag {
                "--backend" => parsed.backend = backend(&flags.value()?)?,
                "--visits" => parsed.visits = visits(&flags.value()?)?,
                "--help" | "-h" if flags.is_bare() => parsed.help = true,
                _ => return Err(flags.unknown()),
            }
        }
        Ok(parsed)
    }
}

fn backend(value: &str) -> Result<BackendName, String> {
    match value {
        "local" => Ok(BackendName::Local),
        "sinv" => Ok(BackendName::Sinv),
        _ => Err("--backend takes local or sinv".to_owned()),
    }
}

fn visits(value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| "--visits takes a number".to_owned())
}
