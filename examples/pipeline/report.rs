//! What is printed at the end.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::args::Args;
use super::messages::{Entry, Figures, Flow};
use super::supervise::{Outcome, Stage};

/// All there is to report.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) args: &'a Args,
    /// How many were counted.
    pub(crate) files: usize,
    pub(crate) outcome: Outcome,
}

impl Report<'_> {
    /// Counts, top words and a table of the stages, to be read.
    pub(crate) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { args, files, outcome } = self;
        let Outcome { totals, top, stages, elapsed, .. } = outcome;
        writeln!(out, "{:>12} lines", totals.lines)?;
        writeln!(out, "{:>12} words", totals.words)?;
        writeln!(out, "{:>12} bytes", totals.bytes)?;
        writeln!(out, "{files:>12} files\n")?;
        for entry in top {
            writeln!(out, "{:>12} {}", entry.count, shown(entry))?;
        }
        if totals.forgotten != 0 {
            writeln!(out, "{:>12} rare words were forgotten", totals.forgotten)?;
        }
        let (time, rate) = (millis(elapsed.as_nanos() as u64), rate(totals.bytes, *elapsed));
        let (backend, kind) = (args.backend.as_str(), args.kind.as_str());
        writeln!(out, "\n{time}, {rate:.0} MB/s, backend {backend}, channels {kind}\n")?;
        writeln!(
            out,
            "{:<16}{:>10}{:>10}{:>8}{:>9}{:>9}{:>13}{:>13}",
            "stage", "received", "sent", "MB/s", "queue", "queue", "waited", "waited",
        )?;
        writeln!(out, "{:>53}{:>9}{:>13}{:>13}", "in", "out", "for input", "for room")?;
        stages.iter().try_for_each(|stage| row(out, stage))
    }

    /// The same as one JSON object.
    pub(crate) fn json(&self) -> Value {
        let Self { args, files, outcome } = self;
        let Outcome { totals, top, stages, unreadable, elapsed } = outcome;
        let top = top.iter().map(|entry| json!({ "word": shown(entry), "count": entry.count }));
        json!({
            "lines": totals.lines,
            "words": totals.words,
            "bytes": totals.bytes,
            "files": files,
            "unreadable": unreadable.len(),
            "backend": args.backend.as_str(),
            "kind": args.kind.as_str(),
            "workers": args.workers,
            "seconds": elapsed.as_secs_f64(),
            "stages": stages.iter().map(object).collect::<Value>(),
            "top": top.collect::<Value>(),
            "top_is_exact": totals.forgotten == 0,
        })
    }
}

fn row(out: &mut dyn Write, stage: &Stage) -> io::Result<()> {
    let Stage { name, late, figures } = stage;
    let Figures { input, output, bytes, nanos } = figures;
    let rate = rate(*bytes, Duration::from_nanos(*nanos));
    writeln!(
        out,
        "{:<16}{:>10}{:>10}{rate:>8.0}{:>9}{:>9}{:>13}{:>13}",
        format!("{name}{}", if *late { " (late)" } else { "" }),
        input.messages,
        output.messages,
        input.high_water,
        output.high_water,
        millis(input.blocked_nanos),
        millis(output.blocked_nanos),
    )
}

fn object(Stage { name, late, figures }: &Stage) -> Value {
    let Figures { input, output, bytes, nanos } = figures;
    let seconds = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64();
    let flow = |flow: &Flow| {
        json!({
            "messages": flow.messages,
            "high_water": flow.high_water,
            "blocked": flow.blocked,
            "blocked_seconds": seconds(flow.blocked_nanos),
        })
    };
    json!({
        "name": name.as_str(),
        "late": late,
        "bytes": bytes,
        "seconds": seconds(*nanos),
        "in": flow(input),
        "out": flow(output),
    })
}

/// A word as text: what is no text is replaced, what was cut off is hinted at.
fn shown(entry: &Entry) -> String {
    let word = entry.word.bytes();
    let text = String::from_utf8_lossy(word.text());
    let text = text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    text.chain(word.is_longer().then_some('…')).collect()
}

fn millis(nanos: u64) -> String {
    format!("{:.1} ms", nanos as f64 / 1e6)
}

/// Megabytes per second.
fn rate(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64().max(1e-9)
}
