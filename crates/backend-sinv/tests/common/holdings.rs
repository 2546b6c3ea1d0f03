//! What a program has of the machine: counted before and behind. In test binaries of their own, since
//! the tests of one binary disturb each other.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// What this process has of the machine, and how many processes descend from it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Holdings {
    descriptors: usize,
    objects: usize,
    threads: usize,
    processes: usize,
}

impl Holdings {
    fn now() -> Self {
        let count = |path| fs::read_dir(path).expect("there is /proc").count();
        let maps = fs::read_to_string("/proc/self/maps").expect("there is /proc");
        Self {
            descriptors: count("/proc/self/fd"),
            objects: maps.lines().filter(|line| line.contains("memfd:res")).count(),
            threads: count("/proc/self/task"),
            processes: descendants(),
        }
    }

    /// Once nothing has changed for a while.
    pub(crate) fn stable() -> Self {
        let mut before = Self::now();
        let mut same = 0;
        while same < 20 {
            std::thread::sleep(Duration::from_millis(5));
            let now = Self::now();
            same = if now == before { same + 1 } else { 0 };
            before = now;
        }
        before
    }

    /// Waits until it is as it was: threads end a moment after they were told of.
    pub(crate) fn settle(&self) {
        let mut now = Self::now();
        for _ in 0..500 {
            if now == *self {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
            now = Self::now();
        }
        assert_eq!(now, *self, "what is left");
    }
}

fn descendants() -> usize {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").expect("there is /proc").flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((head, tail)) = stat.rsplit_once(')') else { continue };
        let number = head.split(' ').next().and_then(|number| number.parse::<u32>().ok());
        let mut fields = tail.split_whitespace();
        let (state, parent) = (fields.next(), fields.next().and_then(|it| it.parse::<u32>().ok()));
        if let (Some(number), Some(parent), true) = (number, parent, state != Some("Z")) {
            parents.insert(number, parent);
        }
    }
    let own = std::process::id();
    let descends = |mut at: u32| {
        for _ in 0..parents.len() {
            match parents.get(&at) {
                Some(parent) if *parent == own => return true,
                Some(parent) => at = *parent,
                None => return false,
            }
        }
        false
    };
    parents.keys().filter(|number| descends(**number)).count()
}
