//! The example `sieve`, with functions of its program and with programs that are built by themselves.

use std::path::PathBuf;
use std::process::Command;

use res::{ErrorKind, Fault};

#[path = "../crates/res-kernel/tests/common/built.rs"]
mod built;
#[path = "../examples/sieve/main.rs"]
#[allow(dead_code)]
mod sieve;

use built::built;
use sieve::{Args, answer};

fn args(args: &[&str]) -> Result<Args, String> {
    Args::parse(args.iter().map(|arg| (*arg).to_owned()))
}

fn printed(options: &[&str]) -> Result<String, Fault> {
    let mut text = Vec::new();
    answer(&args(options).expect("good arguments"), &mut text)?;
    Ok(String::from_utf8(text)?)
}

fn numbers(text: &str) -> Vec<u64> {
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
}

/// By division.
fn primes(last: u64) -> Vec<u64> {
    (2..=last).filter(|n| (2..*n).all(|d| !n.is_multiple_of(d))).collect()
}

/// As the example's usage says; where they are.
fn programs() -> PathBuf {
    built(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sieve/programs"))
}

#[test]
fn its_functions_find_the_primes() -> Result<(), Fault> {
    for last in [0, 1, 2, 3, 4, 5, 24, 25, 1000] {
        assert_eq!(numbers(&printed(&[&format!("--last={last}")])?), primes(last), "up to {last}");
    }
    Ok(())
}

#[test]
fn its_programs_find_the_primes() -> Result<(), Fault> {
    let directory = programs();
    let directory = directory.to_str().expect("a plain path");
    for last in ["2", "1000"] {
        let text = printed(&["--programs", directory, "--last", last])?;
        assert_eq!(numbers(&text), primes(last.parse()?), "up to {last}");
    }
    Ok(())
}

/// They are components, and nothing without a system.
#[test]
fn its_programs_say_what_they_are() {
    for name in ["numbers", "sieve"] {
        let output = Command::new(programs().join(name)).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("is a component"));
    }
}

#[test]
fn programs_that_are_not_there_are_named() {
    let fault = printed(&["--programs", "/nowhere"]).expect_err("there are none");
    assert_eq!(fault.kind(), ErrorKind::NotFound);
    assert!(fault.text().contains("/nowhere/numbers"), "{}", fault.text());
}

#[test]
fn what_is_not_understood_is_named() -> Result<(), Fault> {
    for (wrong, why) in [
        (&["--programs"][..], "--programs needs a value"),
        (&["--last=many"], "--last takes a number up to 1000000"),
        (&["--last", "1000001"], "--last takes a number up to 1000000"),
        (&["7"], "no option 7"),
    ] {
        assert_eq!(args(wrong).expect_err("wrong"), why);
    }
    assert!(printed(&["--help"])?.starts_with("usage: sieve"));
    Ok(())
}
