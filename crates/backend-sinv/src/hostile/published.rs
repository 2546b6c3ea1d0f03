//! One of several who send over a queue that was published. It does what it likes to each word that it
//! got with its sending end, and sends whatever may be sent, all the time. Others are served as ever, and
//! the server notices nothing but what it is sent (H6).

use std::time::Duration;
use std::vec::Vec;

use backend_local::parcel::{AnyParcel, Head, Parcel, Piece};
use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, Comp, Deadline, Desc, Env, Exit, Fault, Instant, IntoCap, Kind, Name,
    Receiver, RecvError, Rights, Role, Sender, Slot, Tx, Value,
};
use res_kernel::Linux;
use res_kernel::linux::{LinuxMemory, LinuxSocket};
use res_sync::Park;

use super::raw::{ask, ask_for, begin, component, value, words};
use super::words::{change, clear, length};
use crate::Sinv;
use crate::request::{Destination, Request, Said};

const SERVICE: Name = Name::new("service");
/// How many ends it looks up.
const ENDS: usize = 3;
const CAPACITY: u32 = 8;
const UNTIL: Slot<Value<u64>> = Slot::new("until");
/// How many came that nobody could use.
const USELESS: Slot<Tx<Spsc, u64>> = Slot::new("useless");

/// Answers whoever sends it a channel, until it is late.
fn serves(env: Env<Sinv>) -> Result<(), Fault> {
    let (over, mut clients) = env.chanchan(CAPACITY)?;
    env.publish(SERVICE, over.into_cap()).map_err(|refused| refused.error)?;
    let (mut useless, until) = (0, Deadline::at(Instant::from_nanos(env.take(UNTIL)?)));
    loop {
        match clients.recv_until(until) {
            Ok(cap) => match cap.cast::<<Spsc as Kind<Sinv>>::Snd<u64>>() {
                Ok(mut client) => client.try_send(7).expect("it has room"),
                Err(_) => useless += 1,
            },
            Err(RecvError::TimedOut) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    Ok(env.take(USELESS)?.send(useless)?)
}

/// A sending end of the service: of which queue, and its memory.
fn found(socket: &LinuxSocket) -> (u64, Vec<LinuxMemory>) {
    loop {
        if let Some((Said::Parcel(parcel), memory)) = ask_for(socket, &Request::Lookup(SERVICE)) {
            let queue = parcel.pieces().find_map(|piece| match piece {
                Piece::Queue(queue) => Some(queue),
                _ => None,
            });
            return (queue.expect("an end of a queue"), memory);
        }
        std::thread::yield_now();
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

fn hostile(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    let until = Instant::from_nanos(value(&socket, UNTIL));
    let ends: Vec<_> = (0..ENDS).map(|_| found(&socket)).collect();
    let something = something(&socket);
    for round in 0.. {
        if Linux::new().now() >= until {
            break;
        }
        for (queue, memory) in &ends {
            memory.iter().flat_map(words).for_each(|word| change(word, round));
            memory.iter().flat_map(words).for_each(clear);
            ask(&socket, &Request::Export(Destination::Queue(*queue), something.clone()));
        }
    }
    ask(&socket, &Request::Ends(Exit::Success));
}

#[test]
fn one_of_several_senders_harms_nobody() {
    let system = Sinv::new().expect("a system");
    let until = system.now() + length();
    let late = Deadline::at(until + Duration::from_secs(20));
    let (useless, mut counted) = system.chan::<Spsc, u64>(1).expect("a channel");
    let server = system.component(SERVICE, serves).expect("made");
    server.endow(USELESS, useless).expect("endowed");
    // Whoever is served last is.
    server.endow(UNTIL, (until + Duration::from_secs(1)).as_nanos()).expect("endowed");
    server.start().expect("it starts");
    let bad = Comp::new(system.clone(), component(&system, "hostile", hostile));
    bad.endow(UNTIL, until.as_nanos()).expect("endowed");
    bad.start().expect("it starts");
    let mut served = 0;
    while system.now() < until {
        let over = loop {
            match system.lookup(SERVICE) {
                Ok(over) => break over,
                Err(_) => std::thread::yield_now(),
            }
        };
        let mut over = over.cast::<<Sinv as Backend>::CapSnd>().expect("a sending end");
        let (tx, mut rx) = system.chan::<Spsc, u64>(1).expect("a channel");
        over.send_until(tx.into_cap(), late).expect("the server lives");
        assert_eq!(rx.recv_until(late), Ok(7));
        served += 1;
    }
    assert_eq!(bad.wait(late), Ok(Exit::Success));
    assert_eq!(server.wait(late), Ok(Exit::Success));
    let useless = counted.recv_until(late).expect("it said so");
    std::println!("{served} were served beside {useless} that were useless");
    assert!(served > 0 && useless > 0, "both came: {served}, {useless}");
}
