//! A long campaign in the simulator: each of its test suites with more and more seeds, for as long as
//! one likes. A bar shows how far it has come; where nobody looks, there is a line for each piece.
//! At the end: how many seeds each suite was run with, and how to run again what failed.

mod args;
mod progress;
pub(crate) mod suite;
pub(crate) mod tally;

use std::env;
use std::io;
use std::process::ExitCode;
use std::time::Instant;

pub(crate) use args::{Args, Limit};
use progress::Progress;
pub(crate) use suite::{SUITES, Suite};
use tally::{Summary, Tally};

fn main() -> ExitCode {
    let args = match Args::parse(env::args().skip(1)) {
        Ok(args) => args,
        Err(wrong) => {
            eprintln!("campaign: {wrong}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    if args.help {
        println!("{}", args::USAGE);
        return ExitCode::SUCCESS;
    }
    match campaign(&args) {
        Ok(tallies) => {
            println!("{}", Summary(&tallies));
            let failed = tallies.iter().any(|tally| !tally.failures.is_empty());
            ExitCode::from(u8::from(failed))
        }
        Err(error) => {
            eprintln!("campaign: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all suites, a piece of one after a piece of the other.
fn campaign(args: &Args) -> io::Result<Vec<Tally>> {
    let mut tallies: Vec<_> = args.suites.iter().map(|suite| Tally::new(suite)).collect();
    for tally in &tallies {
        tally.suite.build()?;
    }
    let (start, progress) = (Instant::now(), Progress::new(args.limit, tallies.len()));
    loop {
        let mut over = true;
        for tally in &mut tallies {
            let Some(seeds) = tally.next(args.limit, start.elapsed()) else { continue };
            over = false;
            progress.begins(tally.suite, &seeds);
            let (began, count) = (Instant::now(), seeds.end - seeds.start);
            let failures = tally.suite.run(seeds.clone())?;
            tally.add(count, began.elapsed(), failures);
            progress.ends(tally, &seeds, start.elapsed());
        }
        if over {
            progress.over();
            return Ok(tallies);
        }
    }
}
