//! One of several who send over a queue that was published. It does what it likes to each word that it
//! got with its sending end, and sends whatever may be sent, all the time. Others are served as ever, and
//! the server notices nothing but what it is sent (H6).

use std::time::Duration;

use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, CapTx, Deadline, Env, Exit, Fault, Gone, Instant, IntoCap, Kind, Name,
    Receiver, RecvError, Role, Rx, Sender, Slot, Tx,
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

const OVER: Slot<CapTx> = Slot::new("over");
const STOP: Slot<Rx<Spsc, u64>> = Slot::new("stop");

/// Lends its name, until it is told to stop.
fn publishes(env: Env<Sinv>) -> Result<(), Fault> {
    env.publish(SERVICE, env.take(OVER)?.into_cap()).map_err(|refused| refused.error)?;
    let _ = env.take(STOP)?.recv();
    Ok(())
}

/// What others have sent is not lost by what the last of them says of its own end.
#[test]
fn who_leaves_last_says_nothing_for_others() {
    for built in BOTH {
        let system = Sinv::new().expect("a system");
        let late = system.within(Duration::from_secs(20));
        let (over, mut clients) = system.chanchan(CAPACITY).expect("a queue");
        let (stop, stops) = system.chan::<Spsc, u64>(1).expect("a channel");
        let publisher = system.component(const { Name::new("publisher") }, publishes);
        let publisher = publisher.expect("made");
        publisher.endow(OVER, over).expect("endowed");
        publisher.endow(STOP, stops).expect("endowed");
        publisher.start().expect("it starts");
        let mut over = found(&system);
        let (tx, mut rx) = system.chan::<Spsc, u64>(1).expect("a channel");
        over.send_until(tx.into_cap(), late).expect("there is room");
        let bad = attacker(&system, built, "hostile", "leaves last");
        bad.start().expect("it starts");
        // It has an end as well.
        let senders = || {
            let seen = system.inspect().expect("the manager is here");
            let channels = seen.channels.iter().filter(|it| it.desc.role == Role::CapSnd);
            channels.flat_map(|channel| &channel.senders).count()
        };
        while senders() < 2 {
            assert!(!late.passed(system.now()), "it finds the service");
            std::thread::yield_now();
        }
        drop((over, stop));
        assert_eq!(publisher.wait(late), Ok(Exit::Success));
        assert_eq!(bad.wait(late), Ok(Exit::Success));
        let came = clients.recv_until(late).expect("it was sent before that");
        let came = came.cast::<<Spsc as Kind<Sinv>>::Snd<u64>>();
        came.expect("a sender").try_send(7).expect("it has room");
        assert_eq!(rx.recv_until(late), Ok(7));
        let gone = clients.recv_until(late).map(drop);
        assert_eq!(gone, Err(RecvError::Gone(Gone::PeerGone)));
    }
}

/// A sending end of the service, as soon as there is one.
fn found(system: &Sinv) -> <Sinv as Backend>::CapSnd {
    loop {
        match system.lookup(SERVICE) {
            Ok(over) => return over.cast().expect("a sending end"),
            Err(_) => std::thread::yield_now(),
        }
    }
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
        let mut over = found(&system);
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
