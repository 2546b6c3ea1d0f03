//! Counts lines, words and bytes of many files with a pipeline of components:
//!
//! ```text
//!            files             blocks            summaries, words
//! composer ---------> reader ==========> workers ==================> aggregator ---> composer
//!                        ^                                               |    totals, top words
//!                        +----------------------- credits ---------------+
//! ```
//!
//! Each component is written once, over any backend `B` and any kind of channel `K`; which they
//! are is decided in [`main`], in one line each. The reader can open nothing: it is handed open
//! files. Half of the workers join while the pipeline runs; the ends of their channels, and those
//! for the reader and the aggregator, travel over channels of channels.

mod aggregator;
mod args;
mod compose;
mod count;
mod ends;
mod files;
pub(crate) mod messages;
mod reader;
mod report;
mod stitch;
mod supervise;
mod table;
mod word;
mod worker;

use std::env;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use res::{Fault, Files, Local, Spsc, ZeroCopy};

pub(crate) use args::Args;
use args::{BackendName, KindName};
pub(crate) use files::{Input, Unreadable};
pub(crate) use report::Report;
use supervise::{Open, run};

fn main() -> Result<ExitCode, Fault> {
    let args = match Args::parse(env::args_os().skip(1)) {
        Ok(args) => args,
        Err(wrong) => return Ok(refuse(&format!("{wrong}\n{}", args::USAGE))),
    };
    if args.help {
        println!("{}", args::USAGE);
        return Ok(ExitCode::SUCCESS);
    }
    match count(&args)? {
        Ok(report) if args.json => println!("{:#}", report.json()),
        Ok(report) => report.text(&mut io::stdout().lock())?,
        Err(unreadable) => return Ok(refuse(&unreadable.to_string())),
    }
    Ok(ExitCode::SUCCESS)
}

/// Counts what is asked for, on the backend that is asked for.
pub(crate) fn count(args: &Args) -> Result<Result<Report<'_>, Unreadable>, Fault> {
    let inputs = match files::find(&args.paths) {
        Ok(inputs) => inputs,
        Err(unreadable) => return Ok(Err(unreadable)),
    };
    match args.backend {
        BackendName::Local => over_kind(&Local::new()?, Local::file, args, &inputs),
    }
}

/// The same on any backend, over the kind of channel that is asked for.
pub(crate) fn over_kind<'a, B: Files>(
    system: &B,
    open: Open<B>,
    args: &'a Args,
    inputs: &[Input],
) -> Result<Result<Report<'a>, Unreadable>, Fault> {
    let bar = bar(inputs);
    let watch = &mut |bytes| bar.set_position(bytes);
    let outcome = match args.kind {
        KindName::Spsc => run::<B, Spsc>(system, open, inputs, args.workers, watch),
        KindName::ZeroCopy => run::<B, ZeroCopy>(system, open, inputs, args.workers, watch),
    };
    bar.finish_and_clear();
    Ok(outcome?.map(|outcome| Report { args, files: inputs.len(), outcome }))
}

/// A bar where somebody looks.
fn bar(inputs: &[Input]) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}");
    let bar = ProgressBar::new(inputs.iter().map(|input| input.bytes).sum());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("pipeline: {why}");
    ExitCode::from(2)
}
