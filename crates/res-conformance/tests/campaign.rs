//! The campaign: what it is asked for, how it goes on, and how it knows what failed.

#[allow(dead_code)]
#[path = "../examples/campaign/main.rs"]
mod campaign;

use std::time::Duration;

use campaign::suite::commands;
use campaign::tally::{Summary, Tally};
use campaign::{Args, Limit, SUITES};

fn parse(line: &str) -> Result<Args, String> {
    Args::parse(line.split_whitespace().map(String::from))
}

#[test]
fn the_command_line_is_understood() {
    let args = parse("").expect("nothing is wrong");
    assert_eq!((args.limit, args.suites.len()), (Limit::Time(Duration::from_secs(600)), 5));
    let args = parse("--seeds 7 local death").expect("nothing is wrong");
    let names: Vec<_> = args.suites.iter().map(|suite| suite.name).collect();
    assert_eq!((args.limit, names), (Limit::Seeds(7), vec!["local", "death"]));
    for wrong in ["--seeds", "--minutes x", "--seeds -1", "nobody"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn no_seed_is_left_out_or_run_twice() {
    let mut tally = Tally::new(&SUITES[0]);
    let (mut next, fast) = (0, Duration::ZERO);
    while let Some(seeds) = tally.next(Limit::Seeds(100), Duration::ZERO) {
        assert_eq!(seeds.start, next);
        next = seeds.end;
        tally.add(seeds.end - seeds.start, fast, Vec::new());
    }
    assert_eq!((next, tally.seeds), (100, 100));
    let minute = Duration::from_secs(60);
    assert_eq!(tally.next(Limit::Time(minute), minute), None);
}

#[test]
fn failures_are_told_with_how_to_run_them_again() {
    let output = "thread panicked\nagain: RES_SEED=2 cargo test b\n\
                  ok\n  again: RES_SEED=1 cargo test a\nagain: RES_SEED=2 cargo test b";
    let found = commands(output);
    assert_eq!(found, ["RES_SEED=1 cargo test a", "RES_SEED=2 cargo test b"]);
    let mut tally = Tally::new(&SUITES[1]);
    tally.add(10, Duration::from_secs(20), found.clone());
    tally.add(10, Duration::from_secs(20), found);
    let summary = Summary(&[tally]).to_string();
    let lines: Vec<_> = summary.lines().collect();
    assert_eq!(lines[1], "local            20      0.5        2");
    assert_eq!(lines[2..], ["RES_SEED=1 cargo test a", "RES_SEED=2 cargo test b"]);
}
