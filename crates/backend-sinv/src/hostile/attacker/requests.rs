//! Requests that nobody makes who keeps to the rules.

use std::vec::Vec;

use backend_local::outside::WordId;
use backend_local::parcel::{AnyParcel, Head, Parcel, Piece};
use res_api::{
    Barrier, Deadline, Desc, ErrorKind, Exit, Gone, Name, Rights, Role, Side, Slot, Value,
};
use res_kernel::Socket;
use res_kernel::linux::LinuxSocket;

use super::Begun;
use super::random::Random;
use super::raw::{ask, value};
use crate::request::{Destination, Request, Said};
use crate::wire::Wire;

/// What it was endowed with.
const FROM: Name = Name::new("from");
const TO: Name = Name::new("to");
/// How often it asks.
pub(crate) const ROUNDS: Slot<Value<u64>> = Slot::new("rounds");

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
pub(super) fn forges(Begun { hello, .. }: Begun, socket: &LinuxSocket) {
    let mut number = Random(u64::from(hello.id) * 0x9e37_79b9 + 1);
    for _ in 0..value(socket, ROUNDS) {
        if ask(socket, &random_request(&mut number, hello.id)).is_none() {
            std::process::exit(3);
        }
    }
    ask(socket, &Request::Ends(Exit::Success));
}

/// Listens at each word of what it was given, and at places where none is; how many bells it got.
pub(super) fn watches(_: Begun, socket: &LinuxSocket) {
    let mut bells = 0;
    for name in [FROM, TO] {
        let Some(Said::Parcel(parcel, _)) = ask(socket, &Request::Take(name)) else { return };
        parcel.each(&mut |_, piece| {
            let Piece::Word { word, side: Some(side), .. } = piece else { return };
            let is_answered =
                |word| matches!(ask(socket, &Request::Watch(word)), Some(Said::Number(_)));
            assert_eq!(is_answered(*word), *side == Side::Waiters, "{word:?}");
            bells += u32::from(*side == Side::Waiters);
            assert!(!is_answered(WordId { offset: 240, ..*word }), "there is no word");
        });
    }
    assert_eq!(bells, 2, "one for data, one for room");
    ask(socket, &Request::Ends(Exit::Success));
}

/// Gives back what never came to it, so that two queues would be in one another.
pub(super) fn closes_a_circle(_: Begun, socket: &LinuxSocket) {
    let queue = || match ask(socket, &Request::Queue(2)) {
        Some(Said::Number(queue)) => queue,
        other => panic!("a queue: {other:?}"),
    };
    let (one, two) = (queue(), queue());
    let receiver = |queue| {
        let desc = Desc::plain(Role::CapRcv, 2);
        let head = Head { desc, rights: Rights::all(), state: 0, pieces: 1 };
        Parcel { head, pieces: Vec::from([Piece::Queue(queue)]) }
    };
    assert_eq!(ask(socket, &Request::Recall(one)), Some(Said::Done()));
    // Over its own channel it does not go.
    ask(socket, &Request::Return(one, receiver(one)));
    ask(socket, &Request::Return(one, receiver(two)));
    let closes = Request::Export(Destination::Queue(two), receiver(one));
    assert_eq!(ask(socket, &closes), Some(Said::Refused(ErrorKind::Invalid)));
    // It was the only one that came back.
    let received = ask(socket, &Request::Receive(one));
    let came = |end| matches!(&received, Some(Said::Parcel(came, _)) if *came == end);
    assert!(came(receiver(two)), "{received:?}");
    assert_eq!(ask(socket, &Request::Receive(one)), Some(Said::NotNow()));
    assert_eq!(ask(socket, &closes), Some(Said::Done()), "there is no circle any more");
    ask(socket, &Request::Ends(Exit::Success));
}

/// Says what means nothing.
pub(super) fn babbles(Begun { hello, .. }: Begun, socket: &LinuxSocket) {
    let mut number = Random(u64::from(hello.id) | 1);
    loop {
        let bytes: Vec<u8> = (0..number.below(64)).map(|_| number.below(256) as u8).collect();
        if socket.send(&bytes, &[]).is_err() {
            return;
        }
    }
}

/// Says that it ends, and lives on.
pub(super) fn lives_on(_: Begun, socket: &LinuxSocket) {
    ask(socket, &Request::Ends(Exit::Success));
    loop {
        let _ = socket.send(&Request::Notices().encoded(), &[]);
    }
}

/// Says the same once more, word for word.
pub(super) fn repeats(_: Begun, socket: &LinuxSocket) {
    let twice = |request: Request| [(); 2].map(|()| ask(socket, &request).expect("it answers"));
    let [one, other] = twice(Request::Board());
    assert_eq!((&one, &other), (&Said::Number(0), &Said::Number(0)));
    let [one, other] = twice(Request::Queue(1));
    assert!(matches!((one, other), (Said::Number(one), Said::Number(other)) if one != other));
    let name = const { Name::new("child") };
    let invalid = [const { Said::Refused(ErrorKind::Invalid) }; 2];
    match twice(Request::Component(name, u64::MAX)) {
        [Said::Number(one), Said::Number(other)] => {
            assert_ne!(one, other);
            // It begins nowhere.
            assert_eq!(twice(Request::Start(one as u32)), invalid);
            for child in [one, other] {
                twice(Request::Abandon(child as u32));
                let abandoned = ask(socket, &Request::Start(child as u32));
                assert_eq!(abandoned, Some(Said::Refused(ErrorKind::Stale)));
            }
        }
        // A program that was built by itself makes none.
        refused => assert_eq!(refused, invalid),
    }
    let [one, other] = twice(Request::Take(FROM));
    let Said::Parcel(parcel, _) = one else { panic!("it was endowed with that: {one:?}") };
    assert_eq!(other, Said::Refused(ErrorKind::NotFound));
    let own = Destination::Name(const { Name::new("own") });
    let [one, other] = twice(Request::Export(own, parcel));
    assert_eq!(one, Said::Done());
    assert_eq!(other, Said::Refused(ErrorKind::Denied), "it is not its own any more");
    ask(socket, &Request::Ends(Exit::Success));
}

/// A name that is another's.
pub(crate) const OWNED: Name = Name::new("owned");

/// Wants a name that belongs to another, and what is under it.
pub(super) fn wants_a_name(_: Begun, socket: &LinuxSocket) {
    let Some(Said::Parcel(mine, _)) = ask(socket, &Request::Take(FROM)) else {
        panic!("it was endowed with that")
    };
    let taken = ask(socket, &Request::Export(Destination::Name(OWNED), mine.clone()));
    assert_eq!(taken, Some(Said::Refused(ErrorKind::Exists)));
    let Some(Said::Parcel(found, _)) = ask(socket, &Request::Lookup(OWNED)) else {
        panic!("everybody may look it up")
    };
    // Not as many as it likes, wherever it sends them: each costs the manager something, whoever
    // sends.
    let Some(Said::Number(away)) = ask(socket, &Request::Queue(1000)) else { panic!("a queue") };
    let more = (0..1000).map_while(|_| match ask(socket, &Request::Lookup(OWNED)) {
        Some(Said::Parcel(end, _)) => ask(socket, &Request::Export(Destination::Queue(away), end)),
        refused => {
            assert_eq!(refused, Some(Said::Refused(ErrorKind::NoSlots)));
            None
        }
    });
    assert!(more.count() < 1000);
    // What it got is one end of several. All that it can do with that it does.
    found.each(&mut |_, piece| match piece {
        Piece::Queue(queue) => {
            let lent = ask(socket, &Request::Lend(*queue, 4096));
            assert_eq!(lent, Some(Said::Refused(ErrorKind::Denied)), "nobody reads there");
            for role in [Role::CapSnd, Role::CapRcv] {
                ask(socket, &Request::LeftQueue(*queue, role, Gone::Revoked));
            }
        }
        Piece::Word { word, .. } => {
            for side in [Side::Waiters, Side::Signallers] {
                ask(socket, &Request::Left(*word, side, Gone::Revoked));
            }
        }
        _ => {}
    });
    // As its end, so its name does not go to the next who asks.
    let taken = ask(socket, &Request::Export(Destination::Name(OWNED), mine));
    assert_eq!(taken, Some(Said::Refused(ErrorKind::Exists)));
    ask(socket, &Request::Ends(Exit::Success));
}

/// Says its last word in the middle.
pub(super) fn breaks_off(_: Begun, socket: &LinuxSocket) {
    let request = Request::Take(Name::new("name")).encoded();
    let _ = socket.send(&request[..request.len() / 2], &[]);
    let _ = socket.recv(&mut [0; 64], &mut [], Deadline::NEVER);
}

/// Asks, and never takes an answer.
pub(super) fn does_not_listen(_: Begun, socket: &LinuxSocket) {
    loop {
        match socket.send(&Request::Notices().encoded(), &[]) {
            Err(error) if error.kind != ErrorKind::NoSlots => return,
            _ => std::thread::yield_now(),
        }
    }
}
