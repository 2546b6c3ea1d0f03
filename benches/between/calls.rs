//! Table P12: invocations of a server in another process.

use std::hint::black_box;

use res::call::{self, Interface};
use res::{
    Answers, Backend, Caller, Comp, Deadline, Entry, Env, Fault, Local, Name, Sinv, Slot, Tag,
};
use res_benches::{Candidate, pin, time};

use super::anew::anew;
use super::pause::paused;
use super::{TRIPS, floors, peers};

/// Entry 0 adds.
struct Adder;

impl Interface for Adder {
    const TAG: Tag = Tag::of::<()>(Name::new("adder"), 1, 0);
}

const CLIENT: Slot<Answers<Adder>> = Slot::new("client");

fn adds<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    pin(1);
    let mut client = env.take(CLIENT)?;
    client.serve(|request| {
        let [left, right, ..] = request.words();
        request.reply([left + right, 0, 0]);
    });
    Ok(())
}

/// A server, and a connection to it.
fn server<B: Backend>(system: &B, entry: impl Entry<B>) -> (Caller<B, Adder>, Comp<B>) {
    let (caller, callee) = call::pair::<B, Adder>(system).expect("memory is there");
    let component = system.component(const { Name::new("adder") }, entry).expect("made");
    component.endow(CLIENT, callee).expect("endowed");
    component.start().expect("started");
    (caller, component)
}

fn add<B: Backend>(caller: &mut Caller<B, Adder>, n: u64) {
    let words = caller.call(0, [n, 1, 0, 0], Deadline::NEVER).expect("it answers");
    assert_eq!(black_box(words)[0], n + 1);
}

fn trips<B: Backend, E: Entry<B>>(system: &B, entry: E) -> impl FnMut() -> f64 + use<B, E> {
    let (system, mut connected) = (system.clone(), None);
    move || {
        let (caller, _) = connected.get_or_insert_with(|| server(&system, entry));
        // It has slept while others had their turn.
        add(caller, 0);
        time(TRIPS, || (0..TRIPS).for_each(|n| add(caller, n)))
    }
}

pub(crate) fn spinning(sinv: &Sinv, local: &Local) -> Vec<Candidate<'static>> {
    let (between, within) = (sinv.clone(), local.clone());
    let mut all = vec![
        Candidate::ours("Sinv, Caller and Callee", anew(move || trips(&between, adds::<Sinv>))),
        Candidate::floor("Local: within one process", anew(move || trips(&within, adds::<Local>))),
        floors::two_words(sinv),
    ];
    all.extend(peers::blocking(64));
    #[cfg(feature = "iceoryx2")]
    all.push(super::iceoryx2_peer::invocation());
    all
}

pub(crate) fn parked(sinv: &Sinv) -> Vec<Candidate<'static>> {
    let (system, mut connected) = (sinv.clone(), None);
    let ours = Candidate::ours("Sinv, Caller and Callee", move || {
        let (caller, _) = connected.get_or_insert_with(|| server(&system, adds::<Sinv>));
        paused(|| add(caller, 1))
    });
    vec![
        ours,
        floors::two_futexes_paused(sinv),
        peers::stream_paused(64),
        #[cfg(feature = "iceoryx2")]
        super::iceoryx2_peer::events_paused(),
    ]
}
