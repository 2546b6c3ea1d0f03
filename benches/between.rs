//! Tables P6, P9, P10 and P12: what crosses from one process to another.
//!
//! The other process of a peer is this program again, told by its environment whom to play.
//! Arguments: parts of table names (all tables without). `ROUNDS` in the environment.

#[cfg(feature = "iceoryx2")]
#[path = "between/iceoryx2_peer.rs"]
mod iceoryx2_peer;
#[path = "between/peers.rs"]
mod peers;
#[path = "between/system.rs"]
mod system;

use res_benches::{Candidate, Table, pin};

/// Round trips of a round.
const TRIPS: u64 = 2_000;
/// Messages of a round that goes one way.
const MESSAGES: u64 = 50_000;

fn main() {
    if peers::play() {
        return;
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let rounds = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(31);
    // Before this thread is pinned: cores are counted when a system is made.
    let systems = system::Systems::new();
    pin(0);
    let show = |title: &str, candidates: Vec<Candidate<'_>>| {
        if wanted.is_empty() || wanted.iter().any(|part| title.contains(part.as_str())) {
            println!("{}", Table::measure(title, rounds, candidates));
        }
    };
    show("P6 round trip of 8 bytes, polling", systems.polling());
    show("P6e round trip of 8 bytes, blocking", systems.blocking());
    show("P6b round trip of 4 KiB, written and read, blocking", systems.pages());
    show("P6c one way, 64 bytes", systems.one_way());
    show("a channel between processes against one within", systems.within_and_between());
    show("P9 passing an end, and an answer over it", systems.passing());
    show("P10 start of a component, and its end", systems.starting());
}
