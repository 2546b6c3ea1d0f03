//! The command line.

use std::time::Duration;

use super::{SUITES, Suite};

pub(crate) const USAGE: &str = "\
usage: campaign [OPTION]... [SUITE]...
Runs the test suites of the simulator with many seeds: all of them, or those that are
named: kernel, local, sinv, death, refusals.
  --minutes N  for so long (10)
  --seeds N    with so many seeds each, instead
  --help       print this
Exit status: 0 if nothing failed, 1 if something did, 2 if it was not understood.";

/// When it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// When each suite was run with so many seeds.
    Seeds(u64),
    /// When so much time has passed.
    Time(Duration),
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) limit: Limit,
    pub(crate) suites: Vec<&'static Suite>,
    pub(crate) help: bool,
}

impl Args {
    /// The arguments behind the name of the program; what is wrong with them.
    pub(crate) fn parse(args: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let limit = Limit::Time(Duration::from_secs(600));
        let mut parsed = Self { limit, suites: Vec::new(), help: false };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let mut number = || {
                let value = args.next().and_then(|value| value.parse::<u32>().ok());
                value.map(u64::from).ok_or_else(|| format!("{arg} takes a number"))
            };
            match &*arg {
                "--minutes" => parsed.limit = Limit::Time(Duration::from_secs(60 * number()?)),
                "--seeds" => parsed.limit = Limit::Seeds(number()?),
                "--help" | "-h" => parsed.help = true,
                name => parsed.suites.push(suite(name)?),
            }
        }
        if parsed.suites.is_empty() {
            parsed.suites.extend(&SUITES);
        }
        Ok(parsed)
    }
}

fn suite(name: &str) -> Result<&'static Suite, String> {
    let found = SUITES.iter().find(|suite| suite.name == name);
    found.ok_or_else(|| format!("no suite {name}"))
}
