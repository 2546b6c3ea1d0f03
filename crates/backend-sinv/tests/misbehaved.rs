//! Each way in which a peer can break the protocol of a channel or a call is seen by the other side as
//! just that: `Misbehaved`. The peer is a component of its own, and writes the very word that it must not
//! write so.

#[path = "misbehaved/calls.rs"]
mod calls;
#[path = "misbehaved/loans.rs"]
mod loans;
#[path = "common/memories.rs"]
mod memories;
#[path = "misbehaved/peer.rs"]
mod peer;
#[path = "misbehaved/rings.rs"]
mod rings;

use std::error::Error;

use backend_sinv::Sinv;
use res_api::{ErrorKind, kind_of, message};

/// How often each of them is tried.
const ROUNDS: usize = 3;

/// What breaks the protocol, and what the other side is told.
type Cause = (&'static str, fn(&Sinv) -> Option<ErrorKind>);

/// A message that is noted beside the index, and not every one.
#[message("flag", version = 1)]
#[derive(Debug, PartialEq, Eq)]
struct Flag {
    is_set: bool,
}

const SET: Flag = Flag { is_set: true };

/// A message that is not: all of a word.
#[message("flags", version = 1)]
#[derive(Debug, PartialEq, Eq)]
struct Flags {
    first: bool,
    others: [u8; 7],
}

const CLEAR: Flags = Flags { first: false, others: [0; 7] };

/// Neither a flag nor flags.
const NO_VALUE: u64 = 2;

/// What an operation fails with.
fn seen<T, E: Error + 'static>(result: Result<T, E>) -> Option<ErrorKind> {
    result.err().map(|error| kind_of(&error))
}

fn all_are_seen(causes: &[Cause]) {
    let system = Sinv::new().expect("a system");
    for (name, cause) in causes {
        let count = (0..ROUNDS).filter(|_| cause(&system) == Some(ErrorKind::Misbehaved)).count();
        println!("{name}: {count}");
        assert_eq!(count, ROUNDS, "{name}");
    }
}

#[test]
fn what_breaks_a_ring_is_seen() {
    all_are_seen(&rings::CAUSES);
}

#[test]
fn what_breaks_loans_is_seen() {
    all_are_seen(&loans::CAUSES);
}

#[test]
fn what_breaks_a_call_is_seen() {
    all_are_seen(&calls::CAUSES);
}
