//! What is printed at the end.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::args::Args;
use super::messages::{Entry, Figures};
use super::supervise::{Outcome, Stage};

/// Counts, top words and a table of the stages, to be read.
pub(crate) fn text(
    out: &mut dyn Write,
    args: &Args,
    files: usize,
    outcome: &Outcome,
) -> io::Result<()> {
    let Outcome { totals, top, stages, elapsed } = outcome;
    writeln!(out, "{:>12} lines", totals.lines)?;
    writeln!(out, "{:>12} words", totals.words)?;
    writeln!(out, "{:>12} bytes", totals.bytes)?;
    writeln!(out, "{files:>12} files\n")?;
    for entry in top {
        writeln!(out, "{:>12} {}", entry.count, shown(entry))?;
    }
    if totals.forgotten != 0 {
        writeln!(out, "{:>12} rare words were forgotten: these are approximate", totals.forgotten)?;
    }
    let (backend, kind) = (args.backend.as_str(), args.kind.as_str());
    let rate = rate(totals.bytes, elapsed.as_nanos() as u64);
    writeln!(
        out,
        "\n{:.1} ms, {rate:.0} MB/s, {backend} backend, {kind} channels",
        millis(*elapsed)
    )?;
    writeln!(
        out,
        "\n{:<16}{:>10}{:>10}{:>10}{:>12}{:>12}{:>12}",
        "stage", "received", "sent", "MB/s", "longest in", "waited in", "waited out",
    )?;
    for Stage { name, late, figures } in stages {
        let Figures { input, output, bytes, nanos } = figures;
        let stage = format!("{name}{}", if *late { " (late)" } else { "" });
        let [waited_in, waited_out] = [input, output]
            .map(|flow| format!("{:.1} ms", millis(Duration::from_nanos(flow.blocked_nanos))));
        writeln!(
            out,
            "{stage:<16}{:>10}{:>10}{:>10.0}{:>12}{waited_in:>12}{waited_out:>12}",
            input.messages,
            output.messages,
            self::rate(*bytes, *nanos),
            input.high_water,
        )?;
    }
    Ok(())
}

/// The same as one JSON object.
pub(crate) fn json(args: &Args, files: usize, outcome: &Outcome) -> Value {
    let Outcome { totals, top, stages, elapsed } = outcome;
    let top = top.iter().map(|entry| json!({ "word": shown(entry), "count": entry.count }));
    json!({
        "lines": totals.lines,
        "words": totals.words,
        "bytes": totals.bytes,
        "files": files,
        "backend": args.backend.as_str(),
        "kind": args.kind.as_str(),
        "workers": args.workers,
        "seconds": elapsed.as_secs_f64(),
        "stages": stages.iter().map(stage).collect::<Value>(),
        "top": top.collect::<Value>(),
        "top_is_exact": totals.forgotten == 0,
    })
}

fn stage(Stage { name, late, figures }: &Stage) -> Value {
    let Figures { input, output, bytes, nanos } = figures;
    let flow = |flow: &super::messages::Flow| {
        json!({
            "messages": flow.messages,
            "blocked": flow.blocked,
            "blocked_seconds": Duration::from_nanos(flow.blocked_nanos).as_secs_f64(),
            "high_water": flow.high_water,
        })
    };
    json!({
        "name": name.as_str(),
        "late": late,
        "bytes": bytes,
        "seconds": Duration::from_nanos(*nanos).as_secs_f64(),
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

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

fn rate(bytes: u64, nanos: u64) -> f64 {
    bytes as f64 * 1e3 / nanos.max(1) as f64
}
