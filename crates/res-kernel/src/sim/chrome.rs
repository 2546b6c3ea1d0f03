//! A run in the format of `chrome://tracing` and of Perfetto, to be looked at.

use core::fmt;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::vec::Vec;
use std::{env, fs};

use super::outcome::{Outcome, Place};
use super::trace::{Event, Step};

/// The events of a [recorded](super::Simulation::record) run as JSON, for `chrome://tracing` or
/// <https://ui.perfetto.dev>.
///
/// * A domain is a process, a thread is a thread. Where it runs there is a span, and where it sleeps
///   there is one that says where.
/// * Each step is a mark. Arrows go from a waking to who wakes, from a start to who begins, and from
///   who sends at a socket to who receives.
/// * The time is that of the run, but each step takes a nanosecond at least: most take none, and
///   would lie on top of each other. How late it really was is with each mark.
///
/// [`Seeds`](super::Seeds) write such files where `RES_TRACE` names a directory.
///
/// ```
/// use res_kernel::sim::{ChromeTrace, Simulation};
///
/// let outcome = Simulation::new(1).record().run(|_| {});
/// let json = ChromeTrace(&outcome.events).to_string();
/// assert!(json.starts_with(r#"{"displayTimeUnit":"ns","traceEvents":["#));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ChromeTrace<'a>(pub &'a [Event]);

impl fmt::Display for ChromeTrace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"{"displayTimeUnit":"ns","traceEvents":["#)?;
        let mut drawing = Drawing::new(f);
        self.0.iter().try_for_each(|event| drawing.event(event))?;
        drawing.finish()?;
        f.write_str("\n]}\n")
    }
}

impl Outcome {
    /// Writes a [recorded](super::Simulation::record) run as `name`, for
    /// [Chrome](ChromeTrace), into the directory that `RES_TRACE` names; does nothing where that
    /// names none. Tests that run seeds by themselves call it for those that fail.
    ///
    /// ```
    /// use res_kernel::sim::Simulation;
    ///
    /// Simulation::new(1).record().run(|_| {}).draw("nothing");
    /// ```
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn draw(&self, name: &str) {
        let Some(directory) = env::var_os("RES_TRACE").map(PathBuf::from) else { return };
        let path = directory.join(std::format!("{name}.json"));
        let text = std::format!("{}", ChromeTrace(&self.events));
        let written = fs::create_dir_all(&directory).and_then(|()| fs::write(&path, text));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// A place in the picture.
#[derive(Clone, Copy)]
struct Spot {
    domain: u32,
    thread: u32,
    /// Nanoseconds; no two events have the same.
    at: u64,
}

/// Numbers of processes begin here: a thread with the number of its process is the main thread, which no
/// thread of a domain is.
const PROCESSES: u32 = 1_000_000;

impl Spot {
    fn process(self) -> u32 {
        PROCESSES + self.domain
    }

    /// Perfetto takes thread 0, which is the clock, for the main thread, whatever that is called. So it is.
    fn track(self) -> u32 {
        if self.thread == 0 { self.process() } else { self.thread }
    }
}

/// What is known of a thread so far.
#[derive(Default)]
struct Track {
    named: bool,
    /// Since when it sleeps, and where.
    asleep: Option<(Spot, Place)>,
    /// Who woke or started it, until it runs.
    called: Option<Spot>,
}

/// Writes what is complete, and keeps the beginnings of what is not.
struct Drawing<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    lines: u64,
    arrows: u64,
    /// The time of the last event.
    now: u64,
    /// Since when a thread has been running.
    running: Option<Spot>,
    /// By thread.
    tracks: BTreeMap<u32, Track>,
    /// Messages that nobody has received yet, by number.
    sent: BTreeMap<u32, Spot>,
}

impl<'a, 'f> Drawing<'a, 'f> {
    fn new(out: &'a mut fmt::Formatter<'f>) -> Self {
        let (tracks, sent) = (BTreeMap::new(), BTreeMap::new());
        Self { out, lines: 0, arrows: 0, now: 0, running: None, tracks, sent }
    }

    fn event(&mut self, event: &Event) -> fmt::Result {
        let Event { at, domain, thread, step } = *event;
        self.now = at.as_nanos().max(self.now + 1);
        let here = Spot { domain, thread, at: self.now };
        self.name(here)?;
        if thread != 0 && !step.is_suffered() {
            self.runs(here)?;
        }
        self.mark(here, event)?;
        self.follow(here, step)
    }

    /// What begins with that, or ends.
    fn follow(&mut self, here: Spot, step: Step) -> fmt::Result {
        let thread = here.thread;
        match step {
            Step::Time(_) => self.runs_no_more(),
            Step::Sleep(place) => {
                self.track(thread).asleep = Some((here, place));
                self.runs_no_more()
            }
            Step::Start(other) | Step::Late(other) => {
                self.track(other).called = Some(here);
                Ok(())
            }
            Step::Woke(other) => {
                if thread != 0 {
                    self.track(other).called = Some(here);
                }
                self.sleeps_no_more(other)
            }
            Step::Stop => self.stops(thread),
            Step::Sent(message) => {
                self.sent.insert(message, here);
                Ok(())
            }
            Step::Received(message) => match self.sent.remove(&message) {
                Some(from) => self.arrow("message", from, here),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// What has not ended lasts to the end of the picture.
    fn finish(&mut self) -> fmt::Result {
        self.now += 1;
        self.runs_no_more()?;
        let threads: Vec<_> = self.tracks.keys().copied().collect();
        threads.into_iter().try_for_each(|thread| self.sleeps_no_more(thread))
    }

    fn track(&mut self, thread: u32) -> &mut Track {
        self.tracks.entry(thread).or_default()
    }

    /// The thread runs; before it another one may have.
    fn runs(&mut self, here: Spot) -> fmt::Result {
        if self.running.is_some_and(|running| running.thread == here.thread) {
            return Ok(());
        }
        self.runs_no_more()?;
        self.running = Some(here);
        match self.track(here.thread).called.take() {
            Some(from) => self.arrow("wake", from, here),
            None => Ok(()),
        }
    }

    fn runs_no_more(&mut self) -> fmt::Result {
        match self.running.take() {
            Some(from) => self.span("runs", from),
            None => Ok(()),
        }
    }

    fn stops(&mut self, thread: u32) -> fmt::Result {
        if self.running.is_some_and(|running| running.thread == thread) {
            self.runs_no_more()?;
        }
        self.sleeps_no_more(thread)
    }

    fn sleeps_no_more(&mut self, thread: u32) -> fmt::Result {
        match self.track(thread).asleep.take() {
            Some((from, place)) => self.span(place, from),
            None => Ok(()),
        }
    }

    /// From there until now.
    fn span(&mut self, name: impl fmt::Display, from: Spot) -> fmt::Result {
        let length = Micros(self.now - from.at);
        self.line("X", name, from, format_args!(r#","dur":{length}"#))
    }

    fn mark(&mut self, here: Spot, event: &Event) -> fmt::Result {
        // What the clock does is seen all over.
        let scope = if here.thread == 0 { "g" } else { "t" };
        let now = event.at.as_nanos();
        self.line("i", event.step, here, format_args!(r#","s":"{scope}","args":{{"ns":{now}}}"#))
    }

    fn arrow(&mut self, name: &str, from: Spot, to: Spot) -> fmt::Result {
        self.arrows += 1;
        let id = self.arrows;
        self.line("s", name, from, format_args!(r#","cat":"{name}","id":{id}"#))?;
        self.line("f", name, to, format_args!(r#","cat":"{name}","id":{id},"bp":"e""#))
    }

    /// Says what the thread and its domain are called, once.
    fn name(&mut self, here: Spot) -> fmt::Result {
        let Spot { domain, thread, .. } = here;
        if core::mem::replace(&mut self.track(thread).named, true) {
            return Ok(());
        }
        let process = format_args!(r#","args":{{"name":"domain {domain}"}}"#);
        self.line("M", "process_name", here, process)?;
        match thread {
            0 => self.line("M", "thread_name", here, format_args!(r#","args":{{"name":"clock"}}"#)),
            _ => {
                let name = format_args!(r#","args":{{"name":"thread {thread}"}}"#);
                self.line("M", "thread_name", here, name)
            }
        }
    }

    fn line(
        &mut self,
        kind: &str,
        name: impl fmt::Display,
        spot: Spot,
        more: fmt::Arguments<'_>,
    ) -> fmt::Result {
        let comma = if self.lines == 0 { "" } else { "," };
        self.lines += 1;
        let (pid, tid, ts) = (spot.process(), spot.track(), Micros(spot.at));
        write!(
            self.out,
            "{comma}\n{{\"ph\":\"{kind}\",\"name\":\"{name}\",\"pid\":{pid},\"tid\":{tid},\"ts\":{ts}{more}}}"
        )
    }
}

/// Nanoseconds as microseconds, exactly.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}
