//! How far it has come: a bar where somebody looks, else lines.

use std::io::{self, IsTerminal};
use std::ops::Range;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::tally::Tally;
use super::{Limit, Suite};

/// What is shown meanwhile.
pub(crate) struct Progress {
    limit: Limit,
    /// None where nobody looks.
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(limit: Limit, suites: usize) -> Self {
        let length = match limit {
            Limit::Seeds(most) => most * suites as u64,
            Limit::Time(most) => most.as_secs(),
        };
        Self { limit, bar: io::stderr().is_terminal().then(|| bar(limit, length)) }
    }

    pub(crate) fn begins(&self, suite: &Suite, seeds: &Range<u64>) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} {}..{}", suite.name, seeds.start, seeds.end));
        }
    }

    pub(crate) fn ends(&self, tally: &Tally, seeds: &Range<u64>, elapsed: Duration) {
        let failures = tally.failures.len();
        let Some(bar) = &self.bar else {
            let (name, Range { start, end }) = (tally.suite.name, seeds);
            println!("{:>6} s  {name} {start}..{end}, {failures} failures", elapsed.as_secs());
            return;
        };
        match self.limit {
            Limit::Seeds(_) => bar.inc(seeds.end - seeds.start),
            Limit::Time(_) => bar.set_position(elapsed.as_secs()),
        }
        if failures > 0 {
            bar.println(format!("{}: {failures} failures", tally.suite.name));
        }
    }

    pub(crate) fn over(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(limit: Limit, length: u64) -> ProgressBar {
    let unit = if matches!(limit, Limit::Seeds(_)) { "seeds" } else { "s" };
    let style = format!("{{wide_bar}} {{pos}} of {{len}} {unit}  {{msg}}");
    let style = ProgressStyle::with_template(&style);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
