//! A client, and a server, that write what they like into the frame: it ends their own connection,
//! and harms nobody else.

mod common;

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use chan_impls::call::{self, Interface};
use chan_impls::{Answers, CallError, Callee, Caller, Calls, Spsc};
use common::{Fresh, Outcome, aside, late, nap, on_both};
use res_api::{
    AnyCap, Backend, BackendError, Blockpoint, Env, Exit, Gone, IntoCap, Map, Name, Receiver,
    Rights, Sender, SharedMem, Slot, Tag, Thread, Tx, Value, Wake,
};
use res_sync::model::Atomic;

struct Doubles;

impl Interface for Doubles {
    const TAG: Tag = Tag::of::<()>(Name::new("doubles"), 1, 0);
    const PAYLOAD: u64 = 4096;
}

const HOSTILE: Slot<Answers<Doubles>> = Slot::new("hostile");
const HONEST: Slot<Answers<Doubles>> = Slot::new("honest");
const SERVER: Slot<Calls<Doubles>> = Slot::new("server");
const ENDED: Slot<Tx<Spsc, u32>> = Slot::new("ended");
const ATTACK: Slot<Value<u32>> = Slot::new("attack");

// Where the words of a frame are: an adversary knows.
const REQUEST: u64 = 0;
const ENTRY: u64 = 8;
const DEADLINE: u64 = 16;
const REPLY: u64 = 128;
const STATUS: u64 = 136;
const BEHIND: u64 = 4096;

/// The frame as an adversary sees it.
struct Raw<B: Backend> {
    map: B::Map,
    signal: B::Blockpoint,
    cap: B::Cap,
}

impl<B: Backend> Raw<B> {
    fn new(cap: B::Cap) -> Result<Self, res_api::Fault> {
        // SAFETY: the adversary uses words and copies alone, too.
        let memory = unsafe { cap.mem(0) }.expect("memory");
        let map = memory.map(Rights::READ | Rights::WRITE).map_err(|error| error.kind())?;
        let signal = cap.blockpoint(0).expect("a point");
        Ok(Self { map, signal, cap })
    }

    fn write(&self, at: u64, value: u64) {
        self.map.word(at).expect("a word").store(value, Release);
    }

    fn read(&self, at: u64) -> u64 {
        self.map.word(at).expect("a word").load(Acquire)
    }

    fn trigger(&self) {
        let _ = self.signal.trigger(Wake::All);
    }
}

/// Doubles; entry 1 doubles what is in the payload.
fn double<B: Backend>(callee: &mut Callee<B, Doubles>) -> Gone {
    callee.serve(|mut request| {
        let mut bytes = [0; 8];
        match request.entry() {
            0 => {
                let [n, ..] = request.words();
                request.reply([n.wrapping_mul(2), 0, 0]);
            }
            1 => {
                request.read(0, &mut bytes).expect("it fits");
                let n = u64::from_ne_bytes(bytes).wrapping_mul(2);
                request.write(0, &n.to_ne_bytes()).expect("it fits");
                request.reply([n, 0, 0]);
            }
            _ => request.reject(),
        }
    })
}

/// A server of two clients, one of which is hostile.
fn server<B: Backend>(env: Env<B>) -> Outcome {
    let (mut hostile, mut honest) = (env.take(HOSTILE)?, env.take(HONEST)?);
    let mut ended = env.take(ENDED)?;
    let other = aside(&*env, move || {
        assert_eq!(double(&mut honest), Gone::Closed);
    });
    let gone = double(&mut hostile);
    drop(hostile);
    ended.send(gone.code())?;
    other.join(late(&*env))?.ok()
}

const ATTACKS: u32 = 8;

/// What a hostile client does to the frame, after an honest call.
fn attack<B: Backend>(number: u32, raw: &Raw<B>) {
    // The request that would be next is number 2.
    assert_eq!((raw.read(REQUEST), raw.read(REPLY)), (1, 1));
    match number {
        // Numbers from nowhere.
        0 => raw.write(REQUEST, 3),
        1 => raw.write(REQUEST, 0),
        2 => raw.write(REQUEST, u64::MAX),
        3 => raw.write(REQUEST, 1 << 63 | 2),
        // No entry of an interface, or of this one.
        4 => {
            raw.write(ENTRY, 1 << 32);
            raw.write(REQUEST, 2);
        }
        5 => {
            raw.write(ENTRY, 2);
            raw.write(REQUEST, 2);
        }
        // The next but one, before the answer to the next.
        6 => {
            raw.write(DEADLINE, u64::MAX);
            for request in 2..1000 {
                raw.write(REQUEST, request);
                raw.trigger();
            }
            raw.write(REQUEST, 5000);
        }
        // The answer is the callee's own business; what it is told, it does not believe.
        _ => {
            raw.write(REPLY, 77);
            raw.write(STATUS, 99);
            raw.write(REQUEST, 77);
        }
    }
    raw.trigger();
}

fn hostile_client<B: Backend>(env: Env<B>) -> Outcome {
    let number = env.take(ATTACK)?;
    let mut caller = env.take(SERVER)?;
    assert_eq!(caller.call(0, [4, 0, 0, 0], late(&*env)), Ok([8, 0, 0]));
    let raw = Raw::<B>::new(caller.into_cap())?;
    attack(number, &raw);
    // It stays until the server has had enough.
    while raw.cap.blockpoint(1).expect("a point").told(res_api::Side::Waiters).is_none() {
        nap(&*env, 1);
    }
    Ok(())
}

fn a_hostile_client<B: Fresh>() {
    for number in 0..ATTACKS {
        let b = B::fresh();
        let (caller, hostile) = call::pair(&b).expect("a connection");
        let (mut honest_caller, honest) = call::pair::<_, Doubles>(&b).expect("a connection");
        let (ended, mut end) = b.chan::<Spsc, u32>(1).expect("a channel");
        let server = b.component(const { Name::new("server") }, server::<B>).expect("a component");
        server.endow(HOSTILE, hostile).expect("endowed");
        server.endow(HONEST, honest).expect("endowed");
        server.endow(ENDED, ended).expect("endowed");
        server.start().expect("started");
        let client =
            b.component(const { Name::new("client") }, hostile_client::<B>).expect("a component");
        client.endow(SERVER, caller).expect("endowed");
        client.endow(ATTACK, number).expect("endowed");
        client.start().expect("started");
        let mut honest = || {
            assert_eq!(honest_caller.call(0, [21, 0, 0, 0], late(&b)), Ok([42, 0, 0]));
        };
        (0..50).for_each(|_| honest());
        assert_eq!(end.recv_until(late(&b)), Ok(Gone::Misbehaved.code()), "attack {number}");
        assert_eq!(client.wait(late(&b)), Ok(Exit::Success), "attack {number}");
        honest();
        drop(honest_caller);
        assert_eq!(server.wait(late(&b)), Ok(Exit::Success));
    }
}

/// Changes all that it can while the server works: whatever is answered, nobody is harmed.
fn a_client_that_changes_its_mind<B: Fresh>() {
    let b = B::fresh();
    let (mut caller, mut callee) = call::pair::<_, Doubles>(&b).expect("a connection");
    let server = aside(&b, move || _ = double(&mut callee));
    caller.write(0, &3_u64.to_ne_bytes(), late(&b)).expect("it fits");
    assert_eq!(caller.call(1, [0; 4], late(&b)), Ok([6, 0, 0]));
    let raw = Raw::<B>::new(caller.into_cap()).expect("a view");
    for request in 2..2000 {
        raw.write(ENTRY, request % 2);
        raw.write(REQUEST, request);
        raw.trigger();
        while raw.read(REPLY) != request {
            for at in [DEADLINE, 24, 32, 40, 48, STATUS, BEHIND] {
                let word = raw.map.word(at).expect("a word");
                word.store(word.load(Relaxed).wrapping_add(request) | 1 << 63, Relaxed);
            }
            std::hint::spin_loop();
        }
    }
    drop(raw);
    assert_eq!(server.join(late(&b)), Ok(Exit::Success));
}

const REPLIES: u32 = 6;

/// Answers one request honestly, and the next as no server may.
fn hostile_server<B: Backend>(env: Env<B>) -> Outcome {
    let number = env.take(ATTACK)?;
    let mut callee = env.take(HONEST)?;
    callee.next(late(&*env)).expect("a request").reply([1, 2, 3]);
    let raw = Raw::<B>::new(callee.into_cap())?;
    let early = number == 5;
    while !early && raw.read(REQUEST) != 2 {
        nap(&*env, 1);
    }
    match number {
        0 => raw.write(REPLY, 3),
        1 => raw.write(REPLY, 0),
        2 => raw.write(REPLY, u64::MAX),
        3 => {
            raw.write(STATUS, 99);
            raw.write(REPLY, 2);
        }
        4 => {
            raw.write(STATUS, 1 << 32);
            raw.write(REPLY, 2);
        }
        // The answer to nothing: seen before the next is sent.
        _ => {
            nap(&*env, 50);
            raw.write(REPLY, 2);
        }
    }
    raw.trigger();
    while raw.cap.blockpoint(1).expect("a point").told(res_api::Side::Waiters).is_none() {
        nap(&*env, 1);
    }
    Ok(())
}

fn a_hostile_server<B: Fresh>() {
    for number in 0..REPLIES {
        let b = B::fresh();
        let (mut caller, callee) = call::pair::<_, Doubles>(&b).expect("a connection");
        let server =
            b.component(const { Name::new("server") }, hostile_server::<B>).expect("a component");
        server.endow(HONEST, callee).expect("endowed");
        server.endow(ATTACK, number).expect("endowed");
        server.start().expect("started");
        assert_eq!(caller.call(0, [0; 4], late(&b)), Ok([1, 2, 3]));
        if number == 5 {
            nap(&b, 200);
        }
        let misbehaved = Err(CallError::Gone(Gone::Misbehaved));
        assert_eq!(caller.call(0, [0; 4], late(&b)), misbehaved, "reply {number}");
        // Once and for all, wherever it goes.
        assert_eq!(caller.call(0, [0; 4], late(&b)), misbehaved);
        let again = caller.into_cap().cast::<Caller<B, Doubles>>();
        let mut caller = again.expect("it is one");
        assert_eq!(caller.call(0, [0; 4], late(&b)), misbehaved);
        drop(caller);
        assert_eq!(server.wait(late(&b)), Ok(Exit::Success));
    }
}

on_both! { a_hostile_client a_client_that_changes_its_mind a_hostile_server }
