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
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use res::{ErrorKind, Fault, Files, Local, Sinv, Spsc, ZeroCopy};

pub(crate) use args::Args;
use args::{BackendName, KindName};
pub(crate) use files::{Found, Input};
pub(crate) use report::Report;
use supervise::{Open, Outcome, run};

fn main() -> ExitCode {
    let args = match Args::parse(env::args_os().skip(1)) {
        Ok(args) => args,
        Err(wrong) => {
            complain(format_args!("{wrong}\n{}", args::USAGE));
            return ExitCode::from(2);
        }
    };
    match answer(&args, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            complain(fault.text());
            ExitCode::FAILURE
        }
    }
}

/// Prints what is asked for; whether that is all of it, and not only what could be read.
pub(crate) fn answer(args: &Args, out: &mut dyn Write) -> Result<bool, Fault> {
    if args.help {
        print(out, |out| writeln!(out, "{}", args::USAGE))?;
        return Ok(true);
    }
    let report = count(args)?;
    report.outcome.unreadable.iter().for_each(complain);
    print(out, |out| match args.json {
        true => writeln!(out, "{:#}", report.json()),
        false => report.text(out),
    })?;
    Ok(report.outcome.unreadable.is_empty())
}

fn print(
    out: &mut dyn Write,
    text: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    match text(out) {
        // Whoever reads it has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Counts what is asked for, on the backend that is asked for.
pub(crate) fn count(args: &Args) -> Result<Report<'_>, Fault> {
    let found = files::find(&args.paths);
    match args.backend {
        BackendName::Local => over_kind(&Local::new()?, Local::file, args, found, &|_| ()),
        BackendName::Sinv => {
            let system = Sinv::new()?;
            let _interrupt = system.stop_on_interrupt(GRACE)?;
            let report = over_kind(&system, Sinv::file, args, found, &|system| {
                if let Some(seen) = system.inspect().filter(|_| args.inspect) {
                    let _ = write!(io::stderr(), "{seen}");
                }
            });
            match report {
                Err(_) if system.is_stopping() => Err(Fault::new(ErrorKind::Closed, "interrupted")),
                report => report,
            }
        }
    }
}

/// How long components may take to end when the program is interrupted.
const GRACE: Duration = Duration::from_secs(2);

/// The same on any backend, over the kind of channel that is asked for. `look` looks at the system
/// once, when something has been counted.
pub(crate) fn over_kind<'a, B: Files>(
    system: &B,
    open: Open<B>,
    args: &'a Args,
    Found { inputs, mut unreadable }: Found,
    look: &dyn Fn(&B),
) -> Result<Report<'a>, Fault> {
    let bar = bar(&inputs);
    let mut looked = false;
    let watch = &mut |bytes| {
        bar.set_position(bytes);
        if !std::mem::replace(&mut looked, true) {
            look(system);
        }
    };
    let outcome = match args.kind {
        KindName::Spsc => run::<B, Spsc>(system, open, &inputs, args.workers, watch),
        KindName::ZeroCopy => run::<B, ZeroCopy>(system, open, &inputs, args.workers, watch),
    };
    bar.finish_and_clear();
    let mut outcome = outcome?;
    let files = inputs.len() - outcome.unreadable.len();
    unreadable.append(&mut outcome.unreadable);
    Ok(Report { args, files, outcome: Outcome { unreadable, ..outcome } })
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

/// Says it, if anybody listens.
fn complain(of: impl Display) {
    let _ = writeln!(io::stderr(), "pipeline: {of}");
}
