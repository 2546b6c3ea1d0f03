//! A call: the numbers of requests and answers, and what they say.

use backend_sinv::Sinv;
use chan_impls::call::{self, Stub};
use chan_impls::{Answers, Callee, Calls, interface};
use res_api::{Deadline, ErrorKind};

use super::peer::{Peer, beside};
use super::{Cause, Flag, NO_VALUE, SET, seen};

#[interface("same", version = 1)]
trait Same {
    /// The same.
    fn same(&mut self, flag: Flag) -> Flag;
}

impl Same for () {
    fn same(&mut self, flag: Flag) -> Flag {
        flag
    }
}

// Where the words of a frame are: an adversary knows.
const REQUEST: u64 = 0;
const ENTRY: u64 = 8;
const WORDS: u64 = 24;
const REPLY: u64 = 128;
const STATUS: u64 = 136;
const RESULT: u64 = 144;

/// The only memory of a connection.
const FRAME: u64 = 0;

pub(super) const CAUSES: [Cause; 12] = [
    ("a request that is not the next", |b| {
        callee(b, |peer, callee| {
            peer.write(FRAME, REQUEST, 2);
            seen(callee.next(Deadline::PASSED))
        })
    }),
    ("a request that is not the next, for a sleeper", |b| {
        callee(b, |peer, callee| {
            peer.write_to_a_sleeper(FRAME, REQUEST, u64::MAX);
            seen(callee.next(peer.late))
        })
    }),
    ("a request that goes back", |b| {
        callee(b, |peer, callee| {
            answer_one(peer, callee);
            peer.write(FRAME, REQUEST, 0);
            seen(callee.next(Deadline::PASSED))
        })
    }),
    ("a number of no entry", |b| {
        callee(b, |peer, callee| {
            peer.write(FRAME, ENTRY, 1 << 32);
            peer.write(FRAME, REQUEST, 1);
            seen(callee.next(Deadline::PASSED))
        })
    }),
    ("an entry of another interface", |b| {
        callee(b, |peer, callee| {
            peer.write(FRAME, ENTRY, 1);
            served(peer, callee)
        })
    }),
    ("an argument that is no value", |b| {
        callee(b, |peer, callee| {
            peer.write(FRAME, WORDS, NO_VALUE);
            served(peer, callee)
        })
    }),
    ("an answer to nothing", |b| {
        caller(b, |peer, stub| {
            peer.write(FRAME, REPLY, 1);
            seen(stub.invoke::<_, Flag>(0, &(SET,)))
        })
    }),
    ("an answer that is not the next, for a sleeper", |b| {
        caller(b, |peer, stub| {
            peer.write_to_a_sleeper(FRAME, REPLY, 2);
            seen(stub.invoke::<_, Flag>(0, &(SET,)))
        })
    }),
    ("an answer that goes back", |b| {
        caller(b, |peer, stub| {
            peer.write(FRAME, RESULT, 1);
            peer.write_to_a_sleeper(FRAME, REPLY, 1);
            assert_eq!(stub.invoke(0, &(SET,)), Ok(SET));
            peer.write(FRAME, REPLY, 0);
            seen(stub.invoke::<_, Flag>(0, &(SET,)))
        })
    }),
    ("a reason that is none", |b| {
        caller(b, |peer, stub| {
            peer.write(FRAME, STATUS, 99);
            peer.write_to_a_sleeper(FRAME, REPLY, 1);
            seen(stub.invoke::<_, Flag>(0, &(SET,)))
        })
    }),
    ("a reason that is too large for one", |b| {
        caller(b, |peer, stub| {
            peer.write(FRAME, STATUS, 1 << 32);
            peer.write_to_a_sleeper(FRAME, REPLY, 1);
            seen(stub.invoke::<_, Flag>(0, &(SET,)))
        })
    }),
    ("an answer that is no value", |b| {
        caller(b, |peer, stub| {
            peer.write(FRAME, RESULT, NO_VALUE);
            peer.write_to_a_sleeper(FRAME, REPLY, 1);
            seen(stub.invoke::<_, Flag>(0, &(SET,)))
        })
    }),
];

/// Whoever answers one that writes into the frame.
fn callee(
    system: &Sinv,
    act: impl FnOnce(&mut Peer, &mut Callee<Sinv, dyn Same>) -> Option<ErrorKind>,
) -> Option<ErrorKind> {
    let (caller, mut callee) = call::pair::<_, dyn Same>(system).expect("a connection");
    beside::<Calls<dyn Same>, _>(system, caller, |peer| {
        assert_eq!(seen(callee.next(Deadline::PASSED)), Some(ErrorKind::TimedOut));
        act(peer, &mut callee)
    })
}

/// Whoever calls one that writes into the frame.
fn caller(
    system: &Sinv,
    act: impl FnOnce(&mut Peer, &mut Stub<Sinv, dyn Same>) -> Option<ErrorKind>,
) -> Option<ErrorKind> {
    let (caller, callee) = call::pair::<_, dyn Same>(system).expect("a connection");
    let mut stub = Stub::from(caller);
    beside::<Answers<dyn Same>, _>(system, callee, |peer| {
        stub.set_deadline(peer.late);
        act(peer, &mut stub)
    })
}

/// A request comes, and is answered.
fn answer_one(peer: &mut Peer, callee: &mut Callee<Sinv, dyn Same>) {
    peer.write(FRAME, REQUEST, 1);
    callee.next(Deadline::PASSED).expect("a request").reply([0; 3]);
}

/// A request comes, and is served: that it is none of the interface is said behind it.
fn served(peer: &mut Peer, callee: &mut Callee<Sinv, dyn Same>) -> Option<ErrorKind> {
    peer.write(FRAME, REQUEST, 1);
    call::Dispatch::dispatch(&mut () as &mut dyn Same, callee.next(peer.late).expect("a request"));
    seen(callee.next(Deadline::PASSED))
}
