//! One of several who send over a queue that was published. It does what it likes to each word that it
//! got with its sending end, and sends whatever may be sent, all the time. Others are served as ever, and
//! the server notices nothing but what it is sent (H6).

use std::time::Duration;

use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, Deadline, Env, Exit, Fault, Instant, IntoCap, Kind, Receiver, RecvError,
    Sender, Slot, Tx,
};

use super::attacker::bits::UNTIL;
use super::attacker::sender::SERVICE;
use super::words::length;
use super::{BOTH, Built, attacker};
use crate::Sinv;

const CAPACITY: u32 = 8;
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

#[test]
fn one_of_several_senders_harms_nobody() {
    BOTH.into_iter().for_each(beside);
}

fn beside(built: Built) {
    let system = Sinv::new().expect("a system");
    let until = system.now() + length();
    let late = Deadline::at(until + Duration::from_secs(20));
    let (useless, mut counted) = system.chan::<Spsc, u64>(1).expect("a channel");
    let server = system.component(SERVICE, serves).expect("made");
    server.endow(USELESS, useless).expect("endowed");
    // Whoever is served last is.
    server.endow(UNTIL, (until + Duration::from_secs(1)).as_nanos()).expect("endowed");
    server.start().expect("it starts");
    let bad = attacker(&system, built, "hostile", "sends all the time");
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
