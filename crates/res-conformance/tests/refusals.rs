//! A machine that is short of something: each creation of a scene fails once, one after the other.
//! Whoever asked is told so by a typed error, and what was handed over comes back. Nobody waits in
//! vain, nobody panics, nothing is left behind, and the next time all goes well.
//!
//! `RES_SEEDS=n` tries each in n orders, `RES_SEED=n` in that one alone.

#[path = "../../backend-local/tests/counting/mod.rs"]
mod counting;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use backend_local::{Dynamic, Local, Region, Static};
use backend_sinv::{Inspection, Limits, Sinv};
use chan_impls::service::{Service, connect};
use chan_impls::{Spsc, ZeroCopy, interface};
use res_api::{
    Backend, CapRx, Component, Deadline, Endowment, Env, ErrorKind, EvtGrp, Exit, Fault, Gone,
    IntoCap, Kind, Mem, Memory, Name, Receiver, RecvError, Refused, Rights, Rx, SendError, Sender,
    SharedMem, Slot, Thread, Timer, Trigger, Tx, kind_of,
};
use res_kernel::Sim;
use res_kernel::sim::{Failing, Faults, Outcome, Seeds, Simulation, Step, Transcript};

use counting::live;

const NAMES: [Name; 2] = [Name::new("first"), Name::new("second")];
const NUMBERS: Slot<Rx<Spsc, u64>> = Slot::new("numbers");
const ANSWERS: Slot<Tx<Spsc, u64>> = Slot::new("answers");
const MEMORY: Slot<Memory> = Slot::new("memory");
const ENDS: Slot<CapRx> = Slot::new("ends");

thread_local! {
    /// How often the scene has been tried before.
    static ATTEMPT: Cell<usize> = const { Cell::new(0) };
    /// Why a component did not get an endowment.
    static NOT_TAKEN: Cell<Option<ErrorKind>> = const { Cell::new(None) };
}

fn is_lack(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NoMemory | ErrorKind::NoSlots)
}

/// Hands something over; if it is refused for lack of something it comes back, and then it goes.
fn hand_over<V, R, E: std::error::Error + 'static>(
    value: V,
    act: impl Fn(V) -> Result<R, Refused<V, E>>,
) -> Result<R, E> {
    act(value).or_else(|Refused { value, error }| {
        assert!(is_lack(kind_of(&error)), "{error}");
        act(value).map_err(|refused| refused.error)
    })
}

fn late<B: Backend>(b: &B) -> Deadline {
    b.within(Duration::from_secs(10))
}

/// One number goes from end to end.
fn works<B: Backend>(
    b: &B,
    tx: &mut impl Sender<Msg = u64>,
    rx: &mut impl Receiver<Msg = u64>,
) -> Result<(), Fault> {
    tx.send_until(7, late(b))?;
    assert_eq!(rx.recv_until(late(b))?, 7);
    Ok(())
}

// --- Scenes: one thing each.

fn memory<B: Backend>(b: &B) -> Result<(), Fault> {
    let mut shared = b.mem(100)?.share();
    if let Err(error) = shared.map(Rights::READ) {
        assert!(is_lack(kind_of(&error)), "{error}");
        // What could not be shared is as private as it was.
        shared = shared.unshare().map_err(|_| ErrorKind::Exists)?.share();
    }
    let view = shared.alias(Rights::READ)?.map(Rights::READ)?;
    assert_eq!(res_api::Map::len(&view), shared.len());
    Ok(())
}

fn rings<B: Backend>(b: &B) -> Result<(), Fault> {
    let (mut tx, mut rx) = b.chan::<Spsc, u64>(2)?;
    works(b, &mut tx, &mut rx)?;
    let (mut tx, mut rx) = b.chan::<ZeroCopy, u64>(2)?;
    works(b, &mut tx, &mut rx)
}

/// In memory that comes back.
fn rings_in_memory<B: Backend>(b: &B) -> Result<(), Fault> {
    let attr = <Spsc as Kind<B>>::Attr::default();
    let (mut tx, mut rx) = hand_over(b.mem(4096)?, |memory| {
        let made = b.chan_in::<Spsc, u64>(memory, 2, &attr);
        made.map_err(|Refused { value, error }| Refused {
            value: value.expect("nobody else knows it"),
            error,
        })
    })?;
    works(b, &mut tx, &mut rx)
}

fn groups<B: Backend>(b: &B) -> Result<(), Fault> {
    let group = b.evtgrp(4)?;
    let (mut tx, rx) = b.chan::<Spsc, u64>(2)?;
    let timer = b.timer(b.after(Duration::from_secs(60)), None)?;
    let point = b.blockpoint()?;
    let _kept = (
        group.add(&rx, Trigger::Level, 1)?,
        group.add(&timer, Trigger::Edge, 2)?,
        group.add(&point, Trigger::Edge, 3)?,
    );
    tx.send_until(1, late(b))?;
    assert_eq!(group.wait(late(b))?.data, 1);
    timer.cancel();
    Ok(())
}

fn threads<B: Backend>(b: &B) -> Result<(), Fault> {
    let (mut tx, mut rx) = b.chan::<Spsc, u64>(2)?;
    let inner = b.clone();
    let body = move || tx.send_until(7, late(&inner)).expect("there is room");
    let thread = hand_over((b.mem(512)?, body), |(memory, body)| b.thread_in(memory, body))?;
    hand_over((), |()| thread.start().map_err(|error| Refused { value: (), error }))?;
    assert_eq!(rx.recv_until(late(b))?, 7);
    assert_eq!(thread.join(late(b))?, Exit::Success);
    Ok(())
}

/// Sends a capability, which comes back if it is refused.
fn send<B: Backend>(b: &B, over: &mut B::CapSnd, cap: B::Cap) -> Result<(), Fault> {
    match over.send_until(cap, late(b)) {
        Ok(()) => Ok(()),
        Err(SendError::Gone(_, gone)) => Err(gone.into()),
        // Memory that could not be shared has to be shared anew; all else goes the second time.
        Err(SendError::Refused(cap, kind)) if is_lack(kind) => {
            over.send_until(cap, late(b)).map_err(|_| kind.into())
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// The end that it is; it comes back if it cannot be used.
fn sender<B: Backend>(b: &B, cap: B::Cap) -> Result<<Spsc as Kind<B>>::Snd<u64>, ErrorKind> {
    hand_over(cap, |cap| {
        let cast = b.cast::<Tx<Spsc, u64>>(cap);
        cast.map_err(|error| Refused { value: error.cap, error: error.reason.kind() })
    })
}

fn capabilities<B: Backend>(b: &B) -> Result<(), Fault> {
    let (mut over, mut ends) = b.chanchan(2)?;
    let (tx, mut rx) = b.chan::<Spsc, u64>(2)?;
    send(b, &mut over, tx.into_cap())?;
    let mut tx = sender(b, ends.recv_until(late(b))?)?;
    works(b, &mut tx, &mut rx)?;
    send(b, &mut over, b.mem(64)?.share().into_cap())?;
    ends.recv_until(late(b))?;
    Ok(())
}

/// Made for that, twice: the second time in the memory of the first.
fn capabilities_made_for<B: Backend>(b: &B) -> Result<(), Fault> {
    let (mut over, mut ends) = b.chanchan(2)?;
    for _ in 0..2 {
        let (tx, mut rx) = b.chan_for::<Spsc, u64>(&over, 2)?;
        send(b, &mut over, tx.into_cap())?;
        let mut tx = sender(b, ends.recv_until(late(b))?)?;
        works(b, &mut tx, &mut rx)?;
    }
    Ok(())
}

fn names<B: Backend>(b: &B) -> Result<(), Fault> {
    let (tx, mut rx) = b.chan::<Spsc, u64>(2)?;
    // What came under the first one may be lost.
    let name = NAMES[ATTEMPT.get()];
    hand_over(tx.into_cap(), |cap| b.publish(name, cap))?;
    let mut tx = b.cast::<Tx<Spsc, u64>>(b.lookup(name)?).map_err(|error| error.reason.kind())?;
    works(b, &mut tx, &mut rx)
}

/// Takes an endowment. Of one that it cannot have it is told why.
fn take<B: Backend, D: Endowment<B>>(env: &Env<B>, slot: Slot<D>) -> Result<D::Handle, Fault> {
    let taken = env.take(slot);
    if let Some(kind) = taken.as_ref().err().map(|error| kind_of(error)) {
        NOT_TAKEN.set(Some(kind));
    }
    Ok(taken?)
}

/// Answers numbers, the last one over an end that it is given.
fn next<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    let (mut numbers, mut answers) = (take(&env, NUMBERS)?, take(&env, ANSWERS)?);
    let mut ends = take(&env, ENDS)?;
    answers.send(numbers.recv()? + 1)?;
    let mut given = env.cast::<Tx<Spsc, u64>>(ends.recv()?).map_err(|error| error.reason)?;
    given.send(numbers.recv()? + 1)?;
    Ok(())
}

fn components<B: Backend>(b: &B) -> Result<(), Fault> {
    let (mut tx, numbers) = b.chan::<Spsc, u64>(2)?;
    let (answers, mut rx) = b.chan::<Spsc, u64>(2)?;
    let (mut over, ends) = b.chanchan(1)?;
    let component = b.component(NAMES[0], next::<B>)?;
    let endow =
        |name: Name, cap: B::Cap| hand_over(cap, |cap| component.as_inner().endow(name, cap));
    endow(NUMBERS.name(), numbers.into_cap())?;
    endow(ANSWERS.name(), answers.into_cap())?;
    endow(ENDS.name(), ends.into_cap())?;
    hand_over((), |()| component.start().map_err(|error| Refused { value: (), error }))?;
    tx.send_until(1, late(b))?;
    assert_eq!(rx.recv_until(late(b))?, 2);
    let (given, mut got) = b.chan_for::<Spsc, u64>(&over, 2)?;
    send(b, &mut over, given.into_cap())?;
    tx.send_until(2, late(b))?;
    assert_eq!(got.recv_until(late(b))?, 3);
    assert_eq!(component.wait(late(b))?, Exit::Success);
    Ok(())
}

/// Says that it has begun, and then takes what it reads.
fn reads<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    take(&env, ANSWERS)?.send(1)?;
    take(&env, MEMORY)?.map(Rights::READ)?;
    Ok(())
}

/// One that has begun is told what it cannot have, and does not die of it.
fn reading<B: Backend>(b: &B) -> Result<(), Fault> {
    let (answers, mut rx) = b.chan::<Spsc, u64>(2)?;
    let component = b.component(NAMES[0], reads::<B>)?;
    let endow =
        |name: Name, cap: B::Cap| hand_over(cap, |cap| component.as_inner().endow(name, cap));
    endow(ANSWERS.name(), answers.into_cap())?;
    endow(MEMORY.name(), b.mem(64)?.share().alias(Rights::READ | Rights::TRANSFER)?.into_cap())?;
    hand_over((), |()| component.start().map_err(|error| Refused { value: (), error }))?;
    assert_eq!(rx.recv_until(late(b))?, 1);
    let exit = component.wait(late(b))?;
    assert_ne!(exit, Exit::Died);
    if exit == Exit::Success { Ok(()) } else { Err(ErrorKind::NoMemory.into()) }
}

#[interface("doubles", version = 1)]
trait Doubles {
    fn double(&mut self, number: u64) -> u64;
}

struct Doubler;

impl Doubles for Doubler {
    fn double(&mut self, number: u64) -> u64 {
        2 * number
    }
}

fn serves<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    let mut service = Service::<B, dyn Doubles>::publish(&*env, NAMES[0], 2)?;
    service.serve(|mut client| _ = client.serve_with(&mut Doubler));
    Ok(())
}

/// Calls the service, which may be gone, or have no context for this client.
fn calls<B: Backend>(b: &B) -> Result<(), Fault> {
    let soon = b.within(Duration::from_secs(1));
    let mut client = DoublesClient::from(connect(b, NAMES[0], soon)?);
    client.set_deadline(late(b));
    assert_eq!(client.double(4)?, 8);
    Ok(())
}

fn services<B: Backend>(b: &B) -> Result<(), Fault> {
    let server = b.component(NAMES[1], serves::<B>)?;
    hand_over((), |()| server.start().map_err(|error| Refused { value: (), error }))?;
    let called = calls(b);
    server.stop();
    match (called, server.wait(late(b))?) {
        (called, Exit::Success) => called,
        // It may never have come to publish anything.
        (Err(_), _) => Err(Gone::PeerGone.into()),
        (Ok(()), exit) => panic!("it served, and then {exit:?}"),
    }
}

type Scene<B> = (&'static str, fn(&B) -> Result<(), Fault>);

fn scenes<B: Backend>() -> [Scene<B>; 11] {
    [
        ("memory", memory),
        ("rings", rings),
        ("rings in memory", rings_in_memory),
        ("groups", groups),
        ("threads", threads),
        ("capabilities", capabilities),
        ("capabilities that are made for that", capabilities_made_for),
        ("names", names),
        ("components", components),
        ("reading", reading),
        ("services", services),
    ]
}

// --- Runs.

/// What the scene may come to where something is lacking, here or on the other side.
fn is_told(kind: ErrorKind) -> bool {
    is_lack(kind) || [ErrorKind::PeerGone, ErrorKind::Closed].contains(&kind)
}

/// A scene, and once more if it did not go well.
fn play<B: Backend>(b: &B, scene: fn(&B) -> Result<(), Fault>) {
    ATTEMPT.set(0);
    NOT_TAKEN.set(None);
    if let Err(fault) = scene(b) {
        assert!(NOT_TAKEN.get().is_none_or(is_lack), "{:?}", NOT_TAKEN.get());
        assert!(is_told(fault.kind()), "{fault}");
        ATTEMPT.set(1);
        scene(b).unwrap_or_else(|fault| panic!("the second time: {fault}"));
    }
}

/// A system; the second time if not the first.
fn system<B, E: std::error::Error + 'static>(make: impl Fn() -> Result<B, E>) -> B {
    let made = hand_over((), |()| make().map_err(|error| Refused { value: (), error }));
    made.expect("the second time")
}

fn refused(outcome: &Outcome) -> usize {
    outcome.events.iter().filter(|event| event.step == Step::Refused).count()
}

/// Runs `body` where the machine is short of one thing. True if that was asked for.
fn runs(name: &str, seed: u64, faults: Faults, body: impl FnOnce(Sim) + 'static) -> bool {
    let outcome = Simulation::new(seed).faults(faults).record().run(body);
    if outcome.failure.is_some() {
        outcome.draw(&format!("{name}-{seed}"));
    }
    let text = Transcript(&outcome.events).to_string();
    let last = text.len().saturating_sub(4000);
    assert_eq!(
        outcome.failure,
        None,
        "{name}, {faults:?}, {outcome}{}\n\
         again: RES_SEED={seed} cargo test -p res-conformance --test refusals",
        &text[last..]
    );
    refused(&outcome) > 0
}

/// Lets one creation in `body` fail after the other, in several orders; so many there were.
fn each_fails_once(
    name: &str,
    faults: fn(Failing) -> Faults,
    body: impl Fn(Sim) + Clone + 'static,
) -> u64 {
    let mut failed = 0;
    for seed in Seeds::from_env(5) {
        let fails = |which: &u64| runs(name, seed, faults(Failing::The(*which)), body.clone());
        failed += (1..).take_while(fails).count() as u64;
    }
    failed
}

const KINDS: [(&str, fn(Failing) -> Faults); 2] = [
    ("creations", |creation| Faults { creation, ..Faults::default() }),
    ("memory objects", |memory| Faults { memory, ..Faults::default() }),
];

/// All bytes are freed at the end, whatever failed.
fn local(name: &str, scene: fn(&Local<Dynamic, Sim>) -> Result<(), Fault>) {
    let body = move |sim| play::<Local<Dynamic, Sim>>(&system(|| Local::on(sim)), scene);
    // What is kept for the next runs.
    runs(name, 0, Faults::default(), body);
    let before = live();
    let failed = each_fails_once(name, KINDS[0].1, body);
    assert!(failed > 0 && live() <= before, "{name}: {} bytes more", live() - before);
    println!("Local, {name}: {failed} {}", KINDS[0].0);
}

/// A system in memory of its own, with its threads from the beginning: the next one finds that memory
/// free, or waits for it for ever.
fn pooled(name: &str, scene: fn(&Local<Static, Sim>) -> Result<(), Fault>) {
    static REGION: Region<{ 4 << 20 }> = Region::new();
    let body = move |sim| {
        let system = system(|| Local::over_with(sim, &REGION, 3, Deadline::NEVER));
        play::<Local<Static, Sim>>(&system, scene);
    };
    let failed = each_fails_once(name, KINDS[0].1, body);
    println!("Local<Static>, {name}: {failed} {}", KINDS[0].0);
}

/// What the manager knows of.
fn known(system: &Sinv<Sim>) -> [u64; 5] {
    let seen = system.inspect().expect("the manager is here");
    let Inspection { components, channels, memory, .. } = seen;
    let (objects, bytes) = (components[0].objects.into(), components[0].bytes);
    [components.len() as u64, channels.len() as u64, memory.len() as u64, objects, bytes]
}

thread_local! {
    /// What the manager knows behind a scene in which nothing failed.
    static KNOWN: Cell<Option<[u64; 5]>> = const { Cell::new(None) };
}

/// What is left is no more than if nothing had failed.
fn sinv(name: &str, scene: fn(&Sinv<Sim>) -> Result<(), Fault>) {
    let body = move |sim| {
        let system: Sinv<Sim> = system(|| Sinv::on(sim, Limits::default()));
        play(&system, scene);
        // One that was told that it lacks something may not quite have ended.
        while known(&system)[0] > 1 {
            system.yield_now();
        }
        let known = known(&system);
        let usual = KNOWN.get().unwrap_or(known);
        assert_eq!(known, usual, "components, channels, memory, objects, bytes");
        KNOWN.set(Some(usual));
    };
    KNOWN.set(None);
    runs(name, 0, Faults::default(), body);
    for (what, faults) in KINDS {
        let failed = each_fails_once(name, faults, body);
        println!("Sinv, {name}: {failed} {what}");
    }
}

// --- Mistakes, which have to be noticed.

/// Leaves something behind where it does not come to its end.
fn leaves_behind<B: Backend>(b: &B) -> Result<(), Fault> {
    let memory = b.mem(64)?.share();
    match b.blockpoint() {
        Ok(_) => Ok(()),
        Err(error) => {
            std::mem::forget(memory);
            Err(error.into())
        }
    }
}

/// Waits for what does not come.
fn waits_in_vain<B: Backend>(b: &B) -> Result<(), Fault> {
    let (tx, mut rx) = b.chan::<Spsc, u64>(1)?;
    let point = b.blockpoint();
    // Where all goes well, the other side leaves.
    let _kept = point.is_err().then_some(tx);
    match rx.recv_until(late(b)) {
        Err(RecvError::Gone(_)) => Ok(()),
        received => Err(received.map(|_| ErrorKind::Other)?.into()),
    }
}

/// Says something else than what was wrong.
fn says_something_else<B: Backend>(b: &B) -> Result<(), Fault> {
    b.blockpoint().map(|_| ()).map_err(|_| ErrorKind::Denied.into())
}

fn is_noticed(check: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(check)).is_err(), "the mistake is not noticed");
}

fn mistakes() {
    is_noticed(|| local("leaves behind", leaves_behind));
    is_noticed(|| sinv("leaves behind", leaves_behind));
    is_noticed(|| local("waits in vain", waits_in_vain));
    is_noticed(|| sinv("says something else", says_something_else));
}

/// One test: what others allocate meanwhile would be counted.
#[test]
fn what_is_lacking_is_told_and_nothing_is_lost() {
    scenes().into_iter().for_each(|(name, scene)| local(name, scene));
    scenes().into_iter().for_each(|(name, scene)| pooled(name, scene));
    scenes().into_iter().for_each(|(name, scene)| sinv(name, scene));
    mistakes();
}
