//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::thread;

pub(crate) const USAGE: &str = "\
usage: pipeline [OPTION]... [PATH]...
Counts lines, words and bytes of files, and of the files in directories, as
`LC_ALL=C wc` does, and the most frequent words. Without PATH: the sources of
this repository.
  --backend NAME  who supplies the resources: local (the default), or sinv: each
                  component is a process of its own
  --kind NAME     what the channels of data are: spsc (the default), zero-copy
  --workers N     how many workers count: 1 to 64; half of them join late
  --inspect       show, in the middle of the work, who lives, who holds what and
                  who waits (on the standard error; with --backend sinv)
  --json          print one JSON object
  --help          print this
Exit status: 0 if all was counted, 1 if something could not be read (the rest
is counted) or the pipeline failed, 2 if it was not understood.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BackendName {
    Local,
    Sinv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KindName {
    Spsc,
    ZeroCopy,
}

impl BackendName {
    const ALL: [Self; 2] = [Self::Local, Self::Sinv];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Sinv => "sinv",
        }
    }
}

impl KindName {
    const ALL: [Self; 2] = [Self::Spsc, Self::ZeroCopy];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Spsc => "spsc",
            Self::ZeroCopy => "zero-copy",
        }
    }
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) backend: BackendName,
    pub(crate) kind: KindName,
    pub(crate) workers: u32,
    pub(crate) inspect: bool,
    pub(crate) json: bool,
    pub(crate) help: bool,
    pub(crate) paths: Vec<PathBuf>,
}

impl Args {
    /// The arguments behind the name of the program; what is wrong with them.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, String> {
        let mut parsed = Self {
            backend: BackendName::Local,
            kind: KindName::Spsc,
            workers: thread::available_parallelism()
                .map_or(2, |cores| cores.get() as u32)
                .clamp(2, MOST),
            inspect: false,
            json: false,
            help: false,
            paths: Vec::new(),
        };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let Some(option) = arg.to_str().filter(|text| text.starts_with('-')) else {
                parsed.paths.push(arg.into());
                continue;
            };
            if option == "--" {
                parsed.paths.extend(args.map(PathBuf::from));
                break;
            }
            let (flag, attached) = match option.split_once('=') {
                Some((flag, value)) => (flag, Some(OsString::from(value))),
                None => (option, None),
            };
            let mut value = || {
                let value = attached.clone().or_else(|| args.next());
                value.ok_or_else(|| format!("{flag} needs a value"))
            };
            match flag {
                "--backend" => {
                    parsed.backend = choose(flag, &value()?, &BackendName::ALL, |it| it.as_str())?
                }
                "--kind" => {
                    parsed.kind = choose(flag, &value()?, &KindName::ALL, |it| it.as_str())?
                }
                "--workers" => parsed.workers = workers(&value()?)?,
                "--inspect" if attached.is_none() => parsed.inspect = true,
                "--json" if attached.is_none() => parsed.json = true,
                "--help" | "-h" if attached.is_none() => parsed.help = true,
                _ => return Err(format!("no option {option}")),
            }
        }
        match (parsed.inspect, parsed.backend) {
            (true, BackendName::Local) => Err("--inspect needs --backend sinv".into()),
            _ => Ok(parsed),
        }
    }
}

/// More workers than this are a mistake.
const MOST: u32 = 64;

fn workers(value: &OsStr) -> Result<u32, String> {
    let number = value.to_str().and_then(|text| text.parse().ok());
    let number = number.filter(|number| (1..=MOST).contains(number));
    number.ok_or_else(|| format!("--workers takes a number from 1 to {MOST}"))
}

fn choose<T: Copy>(
    flag: &str,
    value: &OsStr,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, String> {
    let found = all.iter().copied().find(|one| value == name(*one));
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().copied().map(name).collect();
        format!("{flag} takes {}", names.join(" or "))
    })
}
