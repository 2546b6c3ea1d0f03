//! A key-value service, and two clients that use it at the same time:
//!
//! ```text
//! alice ---.
//!           >---> store <--- composer, which looks at the end
//! bob -----'
//! ```
//!
//! The store publishes itself under a name; whoever connects gets a thread there, and calls methods
//! of a trait. Each component is written once, over any backend `B`; which one it is is decided in
//! [`answer`].

mod args;
mod client;
#[path = "../common/flags.rs"]
mod flags;
mod store;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use res::{Backend, Comp, ErrorKind, Fault, Local, Name, Receiver, Sinv, Spsc};

pub(crate) use args::Args;
use args::BackendName;
use client::{FIGURES, Figures, TASK, Task, VISITS, client, to_store};
use store::{Key, Value, store};

fn main() -> ExitCode {
    let args = match Args::parse(env::args().skip(1)) {
        Ok(args) => args,
        Err(wrong) => {
            eprintln!("kv: {wrong}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match answer(&args, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("kv: {}", fault.text());
            ExitCode::FAILURE
        }
    }
}

/// Does what is asked for, and prints how it went.
pub(crate) fn answer(args: &Args, out: &mut dyn Write) -> Result<(), Fault> {
    if args.help {
        return Ok(writeln!(out, "{}", args::USAGE)?);
    }
    let outcome = match args.backend {
        BackendName::Local => run(&Local::new()?, args.visits)?,
        BackendName::Sinv => run(&Sinv::new()?, args.visits)?,
    };
    Ok(outcome.print(args.backend, out)?)
}

/// Who the clients are, and what they like.
const PEOPLE: [(&str, &str); 2] = [("alice", "apples, above all"), ("bob", "pears, and quiet")];

pub(crate) struct Outcome {
    figures: Vec<Figures>,
    /// What is under which key at the end.
    found: Vec<(&'static str, Option<String>)>,
    keys: u64,
}

/// Composes the system, and lets it run to its end.
pub(crate) fn run<B: Backend>(b: &B, visits: u64) -> Result<Outcome, Fault> {
    let server = b.component(const { Name::new("store") }, store::<B>)?;
    server.start()?;
    let mut clients = Vec::new();
    for (name, likes) in PEOPLE {
        let component = b.component(Name::parse(name)?, client::<B>)?;
        let (tx, figures) = b.chan::<Spsc, Figures>(1)?;
        component.endow(TASK, Task { name: Key::new(name)?, likes: Value::new(likes)?, visits })?;
        component.endow(FIGURES, tx)?;
        component.start()?;
        clients.push((component, figures));
    }
    let mut figures = Vec::new();
    for (component, mut end) in clients {
        finish(b, &component)?;
        figures.push(end.recv()?);
    }
    let mut store = to_store(b)?;
    let keys = PEOPLE.into_iter().map(|(name, _)| name).chain([VISITS, "carol"]);
    let found = keys.map(|key| Ok((key, store.get(Key::new(key)?)?.text())));
    let found = found.collect::<Result<_, Fault>>()?;
    let keys = store.count()?;
    server.stop();
    finish(b, &server)?;
    Ok(Outcome { figures, found, keys })
}

/// Waits for the end of a component; says which one failed.
fn finish<B: Backend>(b: &B, component: &Comp<B>) -> Result<(), Fault> {
    let exit = component.wait(b.within(Duration::from_secs(120)));
    let exit = exit.map_err(|_| Fault::new(ErrorKind::TimedOut, "a component does not end"))?;
    let name = component.name();
    exit.ok().map_err(|fault| Fault::new(fault.kind(), format_args!("{name}: {fault}")))
}

impl Outcome {
    fn print(&self, backend: BackendName, out: &mut dyn Write) -> io::Result<()> {
        let each = match backend {
            BackendName::Local => "threads of this process",
            BackendName::Sinv => "each a process of its own",
        };
        writeln!(out, "a store and {} clients, {each}\n", PEOPLE.len())?;
        for ((name, _), figures) in PEOPLE.into_iter().zip(&self.figures) {
            let Figures { calls, nanos } = *figures;
            let micros = nanos as f64 / 1000.0 / calls.max(1) as f64;
            writeln!(out, "  {name:<8} visited {calls} times, {micros:.1} µs each")?;
        }
        writeln!(out, "\nthe store has {} keys\n", self.keys)?;
        for (key, value) in &self.found {
            let value = value.as_deref().unwrap_or("(nothing)");
            writeln!(out, "  {key:<8} {value}")?;
        }
        Ok(())
    }
}
