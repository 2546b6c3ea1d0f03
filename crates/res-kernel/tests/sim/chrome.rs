//! A run as it is drawn: whole, and without contradictions.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::time::Duration;

use res_kernel::sim::{ChromeTrace, Event, Failure, SimSocket, Simulation, Step};
use res_kernel::{Domain, Isolation, Kernel, KernelThread, Sim, Socket};
use res_sync::model::Atomic;
use res_sync::{Deadline, Event as Count, Park, Wake};
use serde_json::Value;

use crate::common::{Word, shared, spawn};

/// Answers once, and then waits for ever.
fn answers(_: Sim, socket: SimSocket) {
    while socket.recv(&mut [0; 8], &mut [], Deadline::NEVER).is_ok() {
        socket.send(b"so", &[]).expect("the other side lives");
    }
}

/// Threads that wait for each other and for the clock, and a domain that is killed.
fn program(sim: Sim) {
    let shared = shared((sim.point().expect("a point"), Word::new(0), Word::new(0)));
    let turns = |mine: u64| {
        let shared = Rc::clone(&shared);
        move || {
            let (point, word, count) = &*shared;
            let event = Count { park: &sim, point, word, barrier: sim.barrier() };
            for _ in 0..3 {
                let turn = || (count.load(Acquire) % 2 == mine).then_some(());
                event.wait_until(Deadline::NEVER, turn).expect("the other one lives");
                count.fetch_add(1, AcqRel);
                event.trigger(Wake::All);
            }
            let soon = Deadline::at(sim.now() + Duration::from_millis(1));
            let _ = event.wait_until(soon, || None::<()>);
        }
    };
    let threads = [spawn(sim, turns(0)), spawn(sim, turns(1))];
    let (domain, socket) = sim.domain(answers).expect("a domain");
    socket.send(b"what", &[]).expect("it listens");
    socket.recv(&mut [0; 8], &mut [], Deadline::NEVER).expect("it answers");
    threads.iter().for_each(KernelThread::join);
    domain.kill();
}

fn sleeps_for_ever(sim: Sim) {
    let (point, word) = (sim.point().expect("a point"), Word::new(0));
    let event = Count { park: &sim, point: &point, word: &word, barrier: sim.barrier() };
    let _ = event.wait_until(Deadline::NEVER, || None::<()>);
}

fn lines(events: &[Event]) -> Vec<Value> {
    let text = ChromeTrace(events).to_string();
    let Value::Object(mut whole) = serde_json::from_str(&text).expect("JSON") else {
        panic!("no object");
    };
    let Some(Value::Array(lines)) = whole.remove("traceEvents") else { panic!("no list") };
    lines
}

fn is(line: &Value, kind: &str) -> bool {
    line["ph"] == kind
}

/// In nanoseconds: what is written has three digits behind the point.
fn nanos(value: &Value) -> u64 {
    (value.as_f64().expect("a number") * 1_000.0).round() as u64
}

type Thread = (u64, u64);

fn thread(line: &Value) -> Thread {
    let number = |key: &str| line[key].as_u64().expect("a number");
    (number("pid"), number("tid"))
}

/// Spans by thread: from, to, and what.
fn spans(lines: &[Value]) -> BTreeMap<Thread, Vec<(u64, u64, String)>> {
    let mut spans = BTreeMap::<_, Vec<_>>::new();
    for line in lines.iter().filter(|line| is(line, "X")) {
        let from = nanos(&line["ts"]);
        let to = from + nanos(&line["dur"]);
        let name = line["name"].as_str().expect("a name").to_string();
        spans.entry(thread(line)).or_default().push((from, to, name));
    }
    spans
}

/// Each span takes time, and no thread does two things at a time, or two threads run.
fn wrong_spans(lines: &[Value]) -> Option<String> {
    let spans = spans(lines);
    let running = spans.values().flatten().filter(|(_, _, name)| name == "runs").cloned();
    let groups = spans.values().cloned().chain([running.collect()]);
    groups.into_iter().find_map(|mut spans| {
        spans.sort();
        let empty = spans.iter().find(|(from, to, _)| from >= to);
        let overlapping = spans.windows(2).find(|pair| pair[0].1 > pair[1].0).map(|pair| &pair[1]);
        empty.or(overlapping).map(|span| format!("{span:?}"))
    })
}

/// Each arrow has a beginning, and then an end, each within a span of that thread.
fn wrong_arrows(lines: &[Value]) -> Option<String> {
    let spans = spans(lines);
    let within = |line: &Value| {
        let at = nanos(&line["ts"]);
        let spans = spans.get(&thread(line));
        spans.is_some_and(|spans| spans.iter().any(|(from, to, _)| (*from..*to).contains(&at)))
    };
    let mut ends = BTreeMap::<_, Vec<_>>::new();
    for line in lines.iter().filter(|line| is(line, "s") || is(line, "f")) {
        ends.entry(line["id"].as_u64()).or_default().push(line);
    }
    ends.into_values().find_map(|ends| match ends[..] {
        [from, to] if is(from, "s") && is(to, "f") && within(from) && within(to) => {
            (nanos(&from["ts"]) >= nanos(&to["ts"])).then(|| format!("{from}, {to}"))
        }
        _ => Some(format!("{ends:?}")),
    })
}

/// Time goes on from mark to mark of a thread, and is never before what it was in the run.
fn wrong_times(lines: &[Value]) -> Option<String> {
    let mut last = BTreeMap::new();
    lines.iter().filter(|line| is(line, "i")).find_map(|line| {
        let now = nanos(&line["ts"]);
        let before = last.insert(thread(line), now);
        let real = line["args"]["ns"].as_u64().expect("a number");
        (before >= Some(now) || now < real).then(|| format!("{line}"))
    })
}

fn wrong(lines: &[Value]) -> Option<String> {
    wrong_spans(lines).or_else(|| wrong_arrows(lines)).or_else(|| wrong_times(lines))
}

#[test]
fn runs_are_drawn_without_contradictions() {
    for seed in 0..200 {
        let outcome = Simulation::new(seed).record().run(program);
        assert_eq!(outcome.failure, None, "{outcome}");
        assert_eq!(wrong(&lines(&outcome.events)), None, "seed {seed}");
    }
}

/// Also where a thread is stopped while it runs or sleeps.
#[test]
fn so_are_runs_with_a_kill_at_any_step() {
    for step in 0..60 {
        let outcome = Simulation::new(3).kill(1, step).record().run(program);
        assert_eq!(wrong(&lines(&outcome.events)), None, "step {step}: {outcome}");
    }
}

#[test]
fn what_happens_is_in_it() {
    let outcome = Simulation::new(4).record().run(program);
    let lines = lines(&outcome.events);
    let count = |kind: &str, name: &str| {
        let named = |line: &&Value| is(line, kind) && line["name"] == name;
        lines.iter().filter(named).count()
    };
    assert!(count("s", "wake") >= 3, "two are started, one waits for another");
    assert_eq!((count("s", "message"), count("f", "message")), (2, 2));
    assert!(count("X", "sleeps at point 1") >= 2, "both wait for a millisecond");
    assert!(count("X", "listens at end 1 of a socket") >= 1);
    assert_eq!(count("i", "killed"), 1);
    let names: Vec<_> = lines.iter().filter(|line| line["name"] == "process_name").collect();
    assert!(names.iter().any(|line| line["args"]["name"] == "domain 1"), "{names:?}");
    // Readers take 0, and the number of the process, for its main thread: that is the clock only.
    let clock = |line: &&Value| line["tid"] == 0 || line["tid"] == line["pid"];
    let tracks: Vec<_> = lines.iter().filter(|line| line["name"] == "thread_name").collect();
    assert!(
        tracks.iter().filter(|line| clock(line)).all(|line| line["args"]["name"] == "clock"),
        "{tracks:?}"
    );
    assert!(tracks.iter().any(clock) && lines.iter().all(|line| line["tid"] != 0), "{tracks:?}");
    let end = lines.iter().map(|line| nanos(&line["ts"])).max();
    assert!(end >= Some(1_000_000), "a millisecond passed: {end:?}");
}

/// Who sleeps for ever does so to the end of the picture.
#[test]
fn a_deadlock_is_drawn() {
    let outcome = Simulation::new(1).record().run(sleeps_for_ever);
    assert!(matches!(outcome.failure, Some(Failure::Deadlock(_))));
    let lines = lines(&outcome.events);
    assert_eq!(wrong(&lines), None);
    let spans = spans(&lines);
    let last = spans.values().flatten().max_by_key(|(_, to, _)| *to).expect("a span");
    assert_eq!(last.2, "sleeps at point 1");
}

/// What these tests look for is found where it is planted.
#[test]
fn contradictions_are_found() {
    let outcome = Simulation::new(4).record().run(program);
    let lines = lines(&outcome.events);
    let without = |kind: &str| {
        let mut lines = lines.clone();
        let at = lines.iter().position(|line| is(line, kind)).expect("there is one");
        lines.remove(at);
        lines
    };
    assert!(wrong_arrows(&without("s")).is_some(), "an arrow from nowhere");
    assert!(wrong_arrows(&without("f")).is_some(), "an arrow to nowhere");
    let mut longer = lines.clone();
    let span = longer.iter_mut().find(|line| is(line, "X")).expect("there is one");
    span["dur"] = 1e9.into();
    assert!(wrong_spans(&longer).is_some(), "two at a time");
    let mut early = lines.clone();
    let mark = early.iter_mut().rfind(|line| is(line, "i")).expect("there is one");
    mark["ts"] = 0.0.into();
    assert!(wrong_times(&early).is_some(), "back in time");
    // And where a waking is lost, its sleeper does two things at a time.
    let wakes = |event: &Event| matches!(event.step, Step::Woke(_));
    let events: Vec<_> = outcome.events.iter().copied().filter(|event| !wakes(event)).collect();
    assert!(wrong_spans(&self::lines(&events)).is_some(), "asleep and running");
}
