//! The example `kv`, on both backends.

use res::Fault;

#[path = "../examples/kv/main.rs"]
#[allow(dead_code)]
mod kv;

use kv::{Args, answer};

fn args(args: &[&str]) -> Result<Args, String> {
    Args::parse(args.iter().map(|arg| (*arg).to_owned()))
}

fn printed(options: &[&str]) -> Result<String, Fault> {
    let mut text = Vec::new();
    answer(&args(options).expect("good arguments"), &mut text)?;
    Ok(String::from_utf8(text)?)
}

#[test]
fn all_visits_are_counted() -> Result<(), Fault> {
    for backend in ["local", "sinv"] {
        for visits in [0, 1, 500] {
            let text = printed(&["--backend", backend, &format!("--visits={visits}")])?;
            let lines: Vec<Vec<&str>> =
                text.lines().map(|line| line.split_whitespace().collect()).collect();
            let count = visits.to_string();
            for name in ["alice", "bob"] {
                assert!(
                    lines.iter().any(|line| line.starts_with(&[name, "visited", &count])),
                    "{text}"
                );
            }
            assert!(lines.contains(&vec!["alice", "apples,", "above", "all"]), "{text}");
            assert!(lines.contains(&vec!["bob", "pears,", "and", "quiet"]), "{text}");
            assert!(lines.contains(&vec!["carol", "(nothing)"]), "{text}");
            let both = (2 * visits).to_string();
            let (total, keys) = if visits == 0 { ("(nothing)", "2") } else { (&*both, "3") };
            assert!(lines.contains(&vec!["visits", total]), "{text}");
            assert!(lines.contains(&vec!["the", "store", "has", keys, "keys"]), "{text}");
        }
    }
    Ok(())
}

#[test]
fn what_is_not_understood_is_named() -> Result<(), Fault> {
    for (wrong, why) in [
        (&["--backend"][..], "--backend needs a value"),
        (&["--backend", "remote"], "--backend takes local or sinv"),
        (&["--visits=many"], "--visits takes a number"),
        (&["--visits", "-1"], "--visits takes a number"),
        (&["store"], "no option store"),
        (&["--help=1"], "no option --help=1"),
    ] {
        assert_eq!(args(wrong).expect_err("wrong"), why);
    }
    assert!(printed(&["--help"])?.starts_with("usage: kv"));
    Ok(())
}
