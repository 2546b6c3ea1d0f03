//! One of several who send over a queue that was published.

use std::vec::Vec;

use backend_local::parcel::{AnyParcel, Head, Parcel, Piece};
use res_api::{Desc, Exit, Gone, Instant, Name, Rights, Role};
use res_kernel::Linux;
use res_kernel::linux::{LinuxMemory, LinuxSocket};
use res_sync::Park;

use super::Begun;
use super::bits::{UNTIL, change, clear};
use super::raw::{ask, ask_for, value, words};
use crate::request::{Destination, Request, Said};

/// The name that it was published under.
pub(crate) const SERVICE: Name = Name::new("service");
/// How many ends it looks up.
const ENDS: usize = 3;

/// A sending end of the service: of which queue, and its memory.
fn found(socket: &LinuxSocket) -> (u64, Vec<LinuxMemory>) {
    loop {
        match ask_for(socket, &Request::Lookup(SERVICE)) {
            Some((Said::Parcel(parcel, _), memory)) => return (queue_of(&parcel), memory),
            _ => std::thread::yield_now(),
        }
    }
}

fn queue_of(end: &Parcel) -> u64 {
    let queue = end.pieces().find_map(|piece| match piece {
        Piece::Queue(queue) => Some(queue),
        _ => None,
    });
    queue.expect("an end of a queue")
}

/// A queue, and its memory.
fn own(socket: &LinuxSocket) -> (u64, Vec<LinuxMemory>) {
    match ask_for(socket, &Request::Queue(4)) {
        Some((Said::Number(queue), memory)) => (queue, memory),
        _ => panic!("a queue"),
    }
}

/// Memory, which may be sent as often as one likes.
fn something(socket: &LinuxSocket) -> Parcel {
    let Some(Said::Number(object)) = ask(socket, &Request::Memory(4096)) else {
        panic!("a little memory")
    };
    let head =
        Head { desc: Desc::plain(Role::Mem, 4096), rights: Rights::all(), state: 0, pieces: 1 };
    let pieces = Vec::from([Piece::Memory { object, bytes: 4096, rights: Rights::all() }]);
    Parcel { head, pieces }
}

/// Has an end for longer than its name is there, and says of it what it likes.
pub(super) fn leaves_last(_: Begun, socket: &LinuxSocket) {
    let (queue, _memory) = found(socket);
    let leaves = |queue| ask(socket, &Request::LeftQueue(queue, Role::CapSnd, Gone::Revoked));
    while let Some(Said::Parcel(another, _)) = ask(socket, &Request::Lookup(SERVICE)) {
        leaves(queue_of(&another));
    }
    leaves(queue);
    ask(socket, &Request::Ends(Exit::Success));
}

/// Until it is late.
pub(super) fn sends_all_the_time(_: Begun, socket: &LinuxSocket) {
    let until = Instant::from_nanos(value(socket, UNTIL));
    let mut ends: Vec<_> = (0..ENDS).map(|_| found(socket)).collect();
    // And one of its own, which the manager reads as well.
    ends.push(own(socket));
    let something = something(socket);
    for round in 0.. {
        if Linux::new().now() >= until {
            break;
        }
        for (queue, memory) in &ends {
            memory.iter().flat_map(words).for_each(|word| change(word, round));
            memory.iter().flat_map(words).for_each(clear);
            ask(socket, &Request::Export(Destination::Queue(*queue), something.clone()));
            // Refused, but for its own.
            ask(socket, &Request::Receive(*queue));
        }
    }
    ask(socket, &Request::Ends(Exit::Success));
}
