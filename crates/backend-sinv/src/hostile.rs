//! Components that do not keep to the rules, beside others that do.

mod direct;
mod lent;
mod published;
#[path = "../../chan-impls/tests/common/random.rs"]
mod random;
mod raw;
mod words;

use std::time::Duration;
use std::vec::Vec;

use backend_local::outside::WordId;
use backend_local::parcel::{AnyParcel, Head, Parcel, Piece};
use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, Barrier, Comp, Deadline, Desc, Env, ErrorKind, Exit, Fault, Gone, IntoCap,
    Name, Receiver, Rights, Role, Rx, Sender, Side, Slot, Tx, Value,
};
use res_kernel::linux::LinuxSocket;
use res_kernel::{DomainEntry, Linux, Socket};

use crate::Sinv;
use crate::request::{Destination, Request, Said};
use crate::wire::Wire;

use random::Random;
use raw::{ask, begin, component, value};

const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");
const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");
/// How often it asks.
const ROUNDS: Slot<Value<u64>> = Slot::new("rounds");

fn echo(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(FROM)?, env.take(TO)?);
    while let Ok(n) = from.recv() {
        to.send(n)?;
    }
    Ok(())
}

fn rounds() -> u64 {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    if long { 200_000 } else { 4_000 }
}

/// Something that could be asked for, about things of others with numbers that are in use.
fn random_request(number: &mut Random, own: u32) -> Request {
    let id = number.below(64);
    let word = WordId { object: number.below(64), offset: 16 * number.below(20) as u32 };
    let name = Name::numbered("name", number.below(4) as u32).expect("short");
    let sides = [Side::Waiters, Side::Signallers];
    let side = sides[number.below(2) as usize];
    let role = [Role::Snd, Role::Rcv, Role::CapSnd, Role::CapRcv, Role::Mem, Role::File]
        [number.below(6) as usize];
    let piece = |number: &mut Random| match number.below(5) {
        0 => Piece::Memory { object: id, bytes: u64::MAX, rights: Rights::all() },
        1 => Piece::Word {
            word,
            side: Some(side),
            barrier: Barrier::Fence,
            kept: number.below(2) == 0,
            peer_here: number.below(2) == 0,
        },
        2 => Piece::Queue(id),
        3 => Piece::File(id),
        _ => Piece::Word { word, side: None, barrier: Barrier::Fence, kept: true, peer_here: true },
    };
    let pieces: Vec<_> = (0..number.below(4)).map(|_| piece(number)).collect();
    let (desc, count) = (Desc::plain(role, id), pieces.len() as u32);
    let head = Head { desc, rights: Rights::all(), state: id, pieces: count };
    let parcel = Parcel { head, pieces };
    let other = number.below(16) as u32;
    match number.below(28) {
        0 => Request::Memory(number.below(3) * 8192),
        1 => Request::Forget(id),
        2 => Request::Left(word, side, Gone::Revoked),
        3 => Request::LeftQueue(id, role, Gone::Revoked),
        4 => Request::Export(Destination::Endowment(other, name), parcel),
        5 => Request::Export(Destination::Queue(id), parcel),
        6 => Request::Export(Destination::Name(name), parcel),
        7 => Request::Take(name),
        8 => Request::Lookup(name),
        9 => Request::Queue(number.below(3) as u32),
        10 => Request::Receive(id),
        11 => Request::Watch(word),
        12 => Request::Unwatch(word),
        13 => Request::Arena(id, (number.below(2) == 0).then_some(word)),
        14 => Request::Ring(word),
        // Not itself: it is needed.
        15 => Request::Stop(if other == own { 0 } else { other }),
        16 => Request::Abandon(other),
        17 => Request::Start(other),
        18 => Request::Again(id),
        19 => Request::Recall(id),
        20 => Request::Return(id, parcel),
        21 => Request::Lend(id, number.below(3) * 8192),
        22 => Request::Admit(id, word.object),
        23 => Request::Fetch(id, word.object),
        24 => Request::Board(),
        25 => Request::Endowments(id as u32),
        // It begins outside of the program.
        26 => Request::Component(name, u64::MAX - id),
        _ => Request::Notices(),
    }
}

/// Asks for whatever it likes, and begins to make something of it.
fn forges(_: Linux, socket: LinuxSocket) {
    let (hello, _) = begin(&socket);
    let mut number = Random(u64::from(hello.id) * 0x9e37_79b9 + 1);
    for _ in 0..value(&socket, ROUNDS) {
        if ask(&socket, &random_request(&mut number, hello.id)).is_none() {
            std::process::exit(3);
        }
    }
    ask(&socket, &Request::Ends(Exit::Success));
}

/// Listens at each word of what it was given, and at places where none is; how many bells it got.
fn watches(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    let mut bells = 0;
    for name in [FROM.name(), TO.name()] {
        let Some(Said::Parcel(parcel)) = ask(&socket, &Request::Take(name)) else { return };
        parcel.each(&mut |_, piece| {
            let Piece::Word { word, side: Some(side), .. } = piece else { return };
            let is_answered =
                |word| matches!(ask(&socket, &Request::Watch(word)), Some(Said::Number(_)));
            assert_eq!(is_answered(*word), *side == Side::Waiters, "{word:?}");
            bells += u32::from(*side == Side::Waiters);
            assert!(!is_answered(WordId { offset: 240, ..*word }), "there is no word");
        });
    }
    assert_eq!(bells, 2, "one for data, one for room");
    ask(&socket, &Request::Ends(Exit::Success));
}

/// Gives back what never came to it, so that two queues would be in one another.
fn closes_a_circle(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    let queue = || match ask(&socket, &Request::Queue(2)) {
        Some(Said::Number(queue)) => queue,
        other => panic!("a queue: {other:?}"),
    };
    let (one, two) = (queue(), queue());
    let receiver = |queue| {
        let desc = Desc::plain(Role::CapRcv, 2);
        let head = Head { desc, rights: Rights::all(), state: 0, pieces: 1 };
        Parcel { head, pieces: Vec::from([Piece::Queue(queue)]) }
    };
    assert_eq!(ask(&socket, &Request::Recall(one)), Some(Said::Done()));
    // Over its own channel it does not go.
    ask(&socket, &Request::Return(one, receiver(one)));
    ask(&socket, &Request::Return(one, receiver(two)));
    let closes = Request::Export(Destination::Queue(two), receiver(one));
    assert_eq!(ask(&socket, &closes), Some(Said::Refused(ErrorKind::Invalid)));
    // It was the only one that came back.
    let received = ask(&socket, &Request::Receive(one));
    assert_eq!(received, Some(Said::Parcel(receiver(two))));
    assert_eq!(ask(&socket, &Request::Receive(one)), Some(Said::NotNow()));
    assert_eq!(ask(&socket, &closes), Some(Said::Done()), "there is no circle any more");
    ask(&socket, &Request::Ends(Exit::Success));
}

/// Says what means nothing.
fn babbles(_: Linux, socket: LinuxSocket) {
    let (hello, _) = begin(&socket);
    let mut number = Random(u64::from(hello.id) | 1);
    loop {
        let bytes: Vec<u8> = (0..number.below(64)).map(|_| number.below(256) as u8).collect();
        if socket.send(&bytes, &[]).is_err() {
            return;
        }
    }
}

/// Says that it ends, and lives on.
fn lives_on(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    ask(&socket, &Request::Ends(Exit::Success));
    loop {
        let _ = socket.send(&Request::Notices().encoded(), &[]);
    }
}

/// Says the same once more, word for word.
fn repeats(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    let twice = |request: Request| [(); 2].map(|()| ask(&socket, &request).expect("it answers"));
    let [one, other] = twice(Request::Board());
    assert_eq!((&one, &other), (&Said::Number(0), &Said::Number(0)));
    let [one, other] = twice(Request::Queue(1));
    assert!(matches!((one, other), (Said::Number(one), Said::Number(other)) if one != other));
    let name = const { Name::new("child") };
    let [one, other] = twice(Request::Component(name, u64::MAX));
    let (Said::Number(one), Said::Number(other)) = (one, other) else { panic!("two of them") };
    assert_ne!(one, other);
    // It begins nowhere.
    let start = twice(Request::Start(one as u32));
    assert_eq!(start, [const { Said::Refused(ErrorKind::Invalid) }; 2]);
    for child in [one, other] {
        twice(Request::Abandon(child as u32));
        let abandoned = ask(&socket, &Request::Start(child as u32));
        assert_eq!(abandoned, Some(Said::Refused(ErrorKind::Stale)));
    }
    let [one, other] = twice(Request::Take(FROM.name()));
    let Said::Parcel(parcel) = one else { panic!("it was endowed with that: {one:?}") };
    assert_eq!(other, Said::Refused(ErrorKind::NotFound));
    let own = Destination::Name(const { Name::new("own") });
    let [one, other] = twice(Request::Export(own, parcel));
    assert_eq!(one, Said::Done());
    assert_eq!(other, Said::Refused(ErrorKind::Denied), "it is not its own any more");
    ask(&socket, &Request::Ends(Exit::Success));
}

const OWNED: Name = Name::new("owned");

/// Wants a name that belongs to another, and what is under it.
fn wants_a_name(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    let Some(Said::Parcel(mine)) = ask(&socket, &Request::Take(FROM.name())) else {
        panic!("it was endowed with that")
    };
    let taken = ask(&socket, &Request::Export(Destination::Name(OWNED), mine.clone()));
    assert_eq!(taken, Some(Said::Refused(ErrorKind::Exists)));
    let Some(Said::Parcel(found)) = ask(&socket, &Request::Lookup(OWNED)) else {
        panic!("everybody may look it up")
    };
    // What it got is one end of several. All that it can do with that it does.
    found.each(&mut |_, piece| match piece {
        Piece::Queue(queue) => {
            for role in [Role::CapSnd, Role::CapRcv] {
                ask(&socket, &Request::LeftQueue(*queue, role, Gone::Revoked));
            }
        }
        Piece::Word { word, .. } => {
            for side in [Side::Waiters, Side::Signallers] {
                ask(&socket, &Request::Left(*word, side, Gone::Revoked));
            }
        }
        _ => {}
    });
    // As its end, so its name does not go to the next who asks.
    let taken = ask(&socket, &Request::Export(Destination::Name(OWNED), mine));
    assert_eq!(taken, Some(Said::Refused(ErrorKind::Exists)));
    ask(&socket, &Request::Ends(Exit::Success));
}

/// Says its last word in the middle.
fn breaks_off(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    let request = Request::Take(Name::new("name")).encoded();
    let _ = socket.send(&request[..request.len() / 2], &[]);
    let _ = socket.recv(&mut [0; 64], &mut [], Deadline::NEVER);
}

/// Asks, and never takes an answer.
fn does_not_listen(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    loop {
        match socket.send(&Request::Notices().encoded(), &[]) {
            Err(error) if error.kind != ErrorKind::NoSlots => return,
            _ => std::thread::yield_now(),
        }
    }
}

/// One of these beside a pair that keeps to the rules: the pair goes on, and so does the manager.
fn beside_an_honest_pair(entry: DomainEntry<Linux>, count: usize, ends: impl Fn(Exit) -> bool) {
    let system = Sinv::new().expect("a system");
    let late = system.within(Duration::from_secs(120));
    let (mut tx, from) = system.chan::<Spsc, u64>(4).expect("a channel");
    let (to, mut rx) = system.chan::<Spsc, u64>(4).expect("a channel");
    let honest = system.component(const { Name::new("honest") }, echo).expect("made");
    honest.endow(FROM, from).expect("endowed");
    honest.endow(TO, to).expect("endowed");
    honest.start().expect("started");
    let hostile: Vec<_> = (0..count)
        .map(|index| {
            let hostile = component(&system, &std::format!("hostile{index}"), entry);
            let hostile = Comp::new(system.clone(), hostile);
            hostile.endow(ROUNDS, rounds()).expect("endowed");
            hostile.start().expect("started");
            hostile
        })
        .collect();
    let mut n = 0;
    for hostile in &hostile {
        loop {
            tx.send_until(n, late).expect("it lives");
            assert_eq!(rx.recv_until(late), Ok(n));
            n += 1;
            match hostile.wait(Deadline::PASSED) {
                Ok(exit) => break assert!(ends(exit), "{exit:?}"),
                Err(_) => assert!(!late.passed(system.now())),
            }
        }
    }
    // What it made is gone, and what others have is there.
    let seen = system.inspect().expect("the manager is here");
    assert_eq!(seen.components.len(), 2, "{seen}");
    assert_eq!(seen.channels.len(), 2, "{seen}");
    assert_eq!(seen.memory.len(), 0, "{seen}");
    drop(tx);
    assert_eq!(honest.wait(late), Ok(Exit::Success));
}

#[test]
fn what_was_never_given_cannot_be_had() {
    beside_an_honest_pair(forges, 3, |exit| exit == Exit::Success);
}

#[test]
fn who_says_that_it_ends_is_ended() {
    beside_an_honest_pair(lives_on, 3, |exit| exit == Exit::Success);
}

/// It ends well, with one thing.
fn with_one_end(entry: DomainEntry<Linux>, system: &Sinv) {
    let (_tx, from) = system.chan::<Spsc, u64>(4).expect("a channel");
    let hostile = Comp::new(system.clone(), component(system, "hostile", entry));
    hostile.endow(FROM, from).expect("endowed");
    hostile.start().expect("started");
    assert_eq!(hostile.wait(system.within(Duration::from_secs(20))), Ok(Exit::Success));
    let seen = system.inspect().expect("the manager is here");
    assert_eq!(seen.components.len(), 1, "{seen}");
}

#[test]
fn what_is_said_twice_means_no_more_than_it_says() {
    with_one_end(repeats, &Sinv::new().expect("a system"));
}

#[test]
fn a_name_and_what_is_under_it_stay_their_owners() {
    let system = Sinv::new().expect("a system");
    let (over, mut clients) = system.chanchan(2).expect("a queue");
    system.publish(OWNED, over.into_cap()).expect("it is free");
    with_one_end(wants_a_name, &system);
    let over = system.lookup(OWNED).expect("it is there");
    let mut over = over.cast::<<Sinv as Backend>::CapSnd>().expect("as before");
    let (tx, _rx) = system.chan::<Spsc, u64>(1).expect("a channel");
    over.try_send(tx.into_cap()).expect("somebody receives");
    clients.try_recv().expect("it has come");
}

#[test]
fn what_is_given_back_closes_no_circle() {
    beside_an_honest_pair(closes_a_circle, 1, |exit| exit == Exit::Success);
}

#[test]
fn only_who_waits_on_a_word_gets_a_bell_for_it() {
    let system = Sinv::new().expect("a system");
    let (_tx, from) = system.chan::<Spsc, u64>(4).expect("a channel");
    let (to, _rx) = system.chan::<Spsc, u64>(4).expect("a channel");
    let watches = component(&system, "watches", watches);
    let watches = Comp::new(system.clone(), watches);
    watches.endow(FROM, from).expect("endowed");
    watches.endow(TO, to).expect("endowed");
    watches.start().expect("started");
    assert_eq!(watches.wait(system.within(Duration::from_secs(20))), Ok(Exit::Success));
}

#[test]
fn who_babbles_is_ended() {
    beside_an_honest_pair(babbles, 3, |exit| exit == Exit::Died);
}

#[test]
fn who_breaks_off_is_ended() {
    beside_an_honest_pair(breaks_off, 1, |exit| exit == Exit::Died);
}

#[test]
fn who_does_not_listen_is_ended() {
    beside_an_honest_pair(does_not_listen, 1, |exit| exit == Exit::Died);
}
