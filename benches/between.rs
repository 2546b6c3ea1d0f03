//! Tables P6, P9, P10 and P12: what crosses from one process to another.
//!
//! The other process of a peer is this program again, told by its environment whom to play.
//! Arguments: parts of table names (all tables without). `ROUNDS` in the environment.

#[path = "between/anew.rs"]
mod anew;
#[path = "between/calls.rs"]
mod calls;
#[path = "between/floors.rs"]
mod floors;
#[cfg(feature = "iceoryx2")]
#[path = "between/iceoryx2_peer.rs"]
mod iceoryx2_peer;
#[path = "between/memory_peer.rs"]
mod memory_peer;
#[path = "between/pause.rs"]
mod pause;
#[path = "between/payloads.rs"]
mod payloads;
#[path = "between/peers.rs"]
mod peers;
#[path = "between/starts.rs"]
mod starts;
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
    let show = |title: &str, candidates: Vec<Candidate<'_>>| {
        if wanted.is_empty() || wanted.iter().any(|part| title.contains(part.as_str())) {
            println!("{}", Table::measure(title, rounds, candidates));
        }
    };
    // On whichever core, as those are who are started.
    show("P10 start of a component, and its end", systems.starting());
    show("P10 start of a component that speaks, behind a pause", systems.starting_to_speak());
    pin(0);
    let (sinv, local) = systems.both();
    show("P6 round trip of 8 bytes, polling", systems.polling());
    show("P6e round trip of 8 bytes, blocking", systems.blocking());
    show("P6b round trip of 64 bytes, written and read, blocking", payloads::of::<64>(sinv));
    show("P6b round trip of 4 KiB, written and read, blocking", payloads::of::<4096>(sinv));
    show("P6b round trip of 64 KiB, written and read, blocking", payloads::of::<65_536>(sinv));
    show("P6b round trip of 1 MiB, written and read, blocking", payloads::of::<1_048_576>(sinv));
    show("P6b round trip of 4 MiB, written and read, blocking", payloads::of::<4_194_304>(sinv));
    show("P6c one way, 64 bytes", systems.one_way());
    show("P6d one way, 1 MiB handed over untouched", payloads::handed_over(sinv));
    show("a channel between processes against one within", systems.within_and_between());
    show("P9 passing an end that both have used", systems.passing());
    show("P9b making an end, passing it, and an answer over it", systems.making_and_passing());
    show("P12 invocation, both awake", calls::spinning(sinv, local));
    show("P12 invocation of who sleeps", calls::parked(sinv));
}
