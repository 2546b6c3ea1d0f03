//! Nothing leaks, in whatever order things are made, moved about and dropped.
//!
//! With `Dynamic` each byte is counted; with `Static` systems and scenes are made again and again
//! in a region that would be full soon if a block were lost each time. `RES_LONG=1` makes it long.

// Messages come back in errors, and all kinds of things lie in one list.
#![allow(clippy::result_large_err, clippy::large_enum_variant)]

mod counting;

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backend_local::{
    AnyRcv, AnySnd, Blockpoint, Cap, CapRcv, CapSnd, Group, Local, Map, Mem, Policy, Region,
    Registration, SharedMem, Static, Thread, Timer,
};
use chan_impls::zero_copy::{Forwarder, Loan, LoanMut, ZeroCopyRcv, ZeroCopySnd};
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    AnyCap, Backend, Comp, Deadline, Env, ErrorKind, EvtGrp, Exit, Fault, Gone, IntoCap, Kind,
    Name, Receiver, Rights, Rx, Sender, Slot, Source, Trigger, TrySendError, Value, Wake, kind_of,
};
use res_api::{Blockpoint as _, Component as _, Mem as _, SharedMem as _, Thread as _, Timer as _};
use res_kernel::Linux;

use counting::{ends, eventually, live, refuse_after, unrefused, within};

type Snd<P> = <Spsc as Kind<Local<P>>>::Snd<u64>;
type Rcv<P> = <Spsc as Kind<Local<P>>>::Rcv<u64>;
type Page = [u8; 100];

/// How often, in a short run.
fn times(short: u64) -> u64 {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    match (cfg!(miri), long) {
        (true, _) => (short / 100).clamp(1, 3),
        (false, false) => short,
        (false, true) => 20 * short,
    }
}

/// One test: what others allocate at the same time would be counted.
#[test]
fn nothing_leaks() {
    ends(all_of_it);
}

fn all_of_it() {
    let before = live();
    let block = std::hint::black_box(Box::new([0; 100]));
    assert_eq!(live() - before, size_of_val(&*block), "what is allocated here counts");
    drop(block);
    wait_at_a_channel_of_std();
    bytes_of_scenes();
    blocks_of_scenes();
    bytes_of_random_rounds();
    blocks_of_random_rounds();
}

/// The first time that a thread sleeps at a channel of std, std allocates what it sleeps at, and
/// keeps it as long as the thread lives. Who starts a thread may sleep so, or may not, as it comes;
/// after this, nothing is kept any more.
fn wait_at_a_channel_of_std() {
    let (_sender, receiver) = sync_channel::<()>(0);
    assert!(receiver.recv_timeout(Duration::ZERO).is_err());
}

/// Runs `body`, and waits until all that it allocated is freed.
fn frees_everything(name: &str, body: impl FnOnce()) {
    let before = live();
    body();
    // Threads end a little after what they did is seen.
    let bytes = || format!("no more than {before} bytes live, as before, not {} ({name})", live());
    // Fewer: a thread of an earlier pass had not quite ended. The next pass begins with that.
    eventually(bytes, || live() <= before);
    assert_eq!(Counted::alive(), 0, "messages ({name})");
}

/// Runs `body` until it frees everything: the first times, std keeps something for the thread.
fn warm_up(name: &str, body: impl Fn()) {
    let frees = || {
        let before = live();
        body();
        within(5000, || live() <= before)
    };
    assert!((0..10).any(|_| frees()), "each time some bytes stay ({name}): {} now", live());
}

// --- Messages that are counted.

#[derive(Debug)]
struct Counted(Box<u64>);

static ALIVE: AtomicU64 = AtomicU64::new(0);

impl Counted {
    fn new(value: u64) -> Self {
        ALIVE.fetch_add(1, SeqCst);
        Self(Box::new(value))
    }

    fn alive() -> u64 {
        ALIVE.load(SeqCst)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        assert_ne!(*self.0, u64::MAX, "dropped twice");
        *self.0 = u64::MAX;
        assert_ne!(ALIVE.fetch_sub(1, SeqCst), 0, "more dropped than made");
    }
}

// --- Scenes: one thing each, with each policy.

type Scene<P> = fn(&Local<P>) -> Result<(), Fault>;

fn scenes<P: Policy>() -> [(&'static str, Scene<P>); 16] {
    [
        ("a channel with messages in it", messages),
        ("any type", any_type),
        ("any type, in a component that is stopped", any_type_stopped),
        ("loans outlive ends", loans),
        ("an end in transit", transit),
        ("ends in each other's queues", circles),
        ("queues in queues", nested),
        ("registrations outlive all else", registrations),
        ("sources of a component that has ended", sources_of_the_dead),
        ("endowments and names", endowments),
        ("a component that panics", panics),
        ("a component dropped inside itself", dropped_inside),
        ("a thread dropped inside itself", thread_inside),
        ("a system that ends in its own thread", tokens),
        ("looking up what ends", lookups),
        ("what another system made", foreign),
    ]
}

fn bytes_of_scenes() {
    for (name, scene) in scenes() {
        println!("scene, bytes: {name}");
        let body = || {
            let system = Local::new().expect("memory is there");
            scene(&system).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        };
        warm_up(name, body);
        (0..times(20)).for_each(|_| frees_everything(name, body));
    }
}

fn blocks_of_scenes() {
    static REGION: Region<{ 48 * 1024 }> = Region::new();
    // A block has 64 bytes at least: were one lost each time, this would be too often.
    let passes = times(REGION_BLOCKS + REGION_BLOCKS / 4);
    const REGION_BLOCKS: u64 = 48 * 1024 / 64;
    for (name, scene) in scenes::<Static>() {
        println!("scene, blocks: {name}");
        let fresh = || over_again(&REGION, name);
        // In one system, then a system each time.
        let system = fresh();
        for pass in 0..passes {
            // Workers and what they held come back a little after what they did is seen.
            let scene = || match scene(&system).map_err(|fault| (fault.kind(), fault)) {
                Err((ErrorKind::NoSlots | ErrorKind::NoMemory, _)) => false,
                Err((_, fault)) => panic!("{name}: {fault}"),
                Ok(()) => true,
            };
            eventually(|| format!("{name} in pass {pass}"), scene);
        }
        drop(system);
        for _ in 0..times(30) {
            scene(&fresh()).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        }
    }
}

/// A system where one has just ended, or is about to.
fn over_again<const BYTES: usize>(region: &'static Region<BYTES>, what: &str) -> Local<Static> {
    let mut system = None;
    eventually(
        || format!("{what}: the last system has ended"),
        || match Local::over(region, 3) {
            Ok(made) => system.replace(made).is_none(),
            Err(error) => {
                assert_eq!(kind_of(&error), ErrorKind::Exists, "{what}");
                false
            }
        },
    );
    system.expect("made above")
}

fn messages<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let (mut tx, rx) = system.chan::<Spsc, u64>(4)?;
    tx.send(1)?;
    drop(rx);
    assert!(tx.try_send(2).is_err());
    let (mut tx, rx) = system.chan::<ZeroCopy, Page>(2)?;
    tx.send([1; 100])?;
    drop((tx, rx));
    Ok(())
}

fn any_type<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    for capacity in [1, 3, 4] {
        let (mut tx, mut rx) = system.any_chan(capacity)?;
        for n in 0..u64::from(capacity) + 2 {
            drop(tx.try_send(Counted::new(n)));
        }
        drop(rx.try_recv()?);
        if capacity == 3 {
            drop(rx);
            assert!(matches!(
                tx.try_send(Counted::new(0)),
                Err(TrySendError::Gone(_, Gone::Closed))
            ));
        } else {
            drop(tx);
            assert!(rx.recv().is_ok() || capacity == 1);
        }
    }
    assert_eq!(Counted::alive(), 0);
    Ok(())
}

/// Sends and receives at the same time, after it was told to stop: whoever is told that an end is
/// gone cannot conclude that nobody uses it.
fn sends_to_itself<P: Policy>(env: Env<Local<P>>) -> Result<(), Fault> {
    let (mut tx, mut rx) = env.any_chan(4)?;
    let thread = env.thread(move || {
        for n in 0..times(300) {
            drop(tx.try_send(Counted::new(n)));
        }
    })?;
    env.publish(NAMES[0], env.mem(1)?.into_cap_of_shared()).map_err(|refused| refused.error)?;
    thread.start()?;
    while thread.join(Deadline::PASSED).is_err() {
        drop(rx.try_recv());
    }
    Ok(())
}

fn any_type_stopped<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let component = system.component(const { Name::new("itself") }, sends_to_itself::<P>)?;
    component.start()?;
    while system.lookup(NAMES[0]).is_err() && component.wait(Deadline::PASSED).is_err() {
        system.yield_now();
    }
    component.stop();
    // Stopped before it had made all, it may fail.
    assert_ne!(component.wait(Deadline::NEVER)?, Exit::Died);
    Ok(())
}

fn loans<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let (mut tx, mut rx) = system.chan::<ZeroCopy, Page>(3)?;
    tx.send([1; 100])?;
    tx.send([2; 100])?;
    let (draft, first) = (tx.loan()?, rx.recv_loan()?);
    let (mut stage, last) = rx.into_forwarder(system).map_err(|refused| refused.error)?;
    let second = stage.recv_loan_until(Deadline::NEVER)?;
    stage.forward(second)?;
    drop(tx.into_cap());
    drop((stage, last));
    assert_eq!(first.as_ref(), Some(&[1; 100]));
    drop((draft, first));
    Ok(())
}

fn transit<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let (mut over, other) = system.chanchan(3)?;
    let (mut tx, rx) = system.chan::<Spsc, u64>(1)?;
    over.send(rx.into_cap())?;
    over.send(system.mem(100)?.into_cap_of_shared())?;
    tx.send(1)?;
    drop(over);
    drop(other);
    assert_eq!(tx.gone(), Some(Gone::Closed));
    Ok(())
}

fn circles<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let ((mut tx, rx), (mut tx2, rx2), (mut tx3, rx3)) =
        (system.chanchan(2)?, system.chanchan(2)?, system.chanchan(2)?);
    // Sending ends may go round: they leave with the receivers.
    tx.send(system.chanchan(1)?.0.into_cap())?;
    tx.send(rx2.into_cap())?;
    tx2.send(rx3.into_cap())?;
    let Err(refused) = tx3.send(rx.into_cap()) else { panic!("nobody can receive it any more") };
    assert_eq!(kind_of(&refused), ErrorKind::Invalid);
    // It came back, so it can be received from.
    let mut rx = refused.into_inner().cast::<CapRcv<P, Linux>>()?;
    rx.recv()?;
    let rx2 = rx.recv()?;
    tx3.send(rx.into_cap())?;
    drop((tx, tx2, tx3));
    drop(rx2);
    Ok(())
}

fn nested<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    // As many as fit a region; on a stack any number must.
    let depth = if size_of::<P>() == 0 && !cfg!(miri) { 3000 } else { 8 };
    let (tx, mut rx) = system.chanchan(1)?;
    let mut last = Some(tx);
    for _ in 0..depth {
        let (mut tx, outer) = system.chanchan(1)?;
        tx.send(rx.into_cap())?;
        (rx, last) = (outer, Some(tx));
    }
    drop(rx);
    assert_eq!(last.and_then(|last| last.gone()), Some(Gone::Closed));
    Ok(())
}

fn registrations<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let group = system.evtgrp(4)?;
    let ((tx, rx), point) = (system.chan::<Spsc, u64>(1)?, system.blockpoint()?);
    let timer = system.timer(system.now(), Some(Duration::from_nanos(100)))?;
    let registered = [
        group.add(&tx, Trigger::Level, 0)?,
        group.add(&rx, Trigger::Edge, 1)?,
        group.add(&point, Trigger::Edge, 2)?,
        group.add(&timer, Trigger::Edge, 3)?,
    ];
    group.wait(Deadline::NEVER)?;
    drop((tx, timer));
    group.wait(Deadline::NEVER)?;
    drop(group);
    point.trigger(Wake::All);
    drop((rx, point));
    drop(registered);
    Ok(())
}

type Kept = (Group<Linux>, [Registration<Linux>; 2], Timer<Linux>, Blockpoint<Linux>);

fn makes_sources<P: Policy>(env: Env<Local<P>>) -> Result<(), Fault> {
    let (group, point) = (env.evtgrp(2)?, env.blockpoint()?);
    let timer = env.timer(env.now(), None)?;
    let registered = [group.add(&timer, Trigger::Edge, 0)?, group.add(&point, Trigger::Level, 1)?];
    put(Box::new((group, registered, timer, point)));
    Ok(())
}

fn sources_of_the_dead<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let component = system.component(const { Name::new("maker") }, makes_sources::<P>)?;
    component.start()?;
    component.wait(Deadline::NEVER)?.ok()?;
    drop(component);
    let (group, registered, timer, point) = *taken::<Kept>();
    point.trigger(Wake::All);
    assert!(group.wait(Deadline::NEVER).is_err(), "closed with its component");
    drop((point, registered, timer, group));
    Ok(())
}

const GO: Slot<Rx<Spsc, u64>> = Slot::new("go");
const NAMES: [Name; 3] = [Name::new("n0"), Name::new("n1"), Name::new("n2")];

fn waits_for_go<P: Policy>(env: Env<Local<P>>) -> Result<(), Fault> {
    let mut go = env.take(GO)?;
    let (_tx, rx) = env.chan::<Spsc, u64>(1)?;
    env.publish(NAMES[0], rx.into_cap()).map_err(|refused| refused.error)?;
    let (_tx, rx) = env.chan::<Spsc, u64>(1)?;
    let refused = env.publish(NAMES[0], rx.into_cap()).expect_err("published twice");
    assert_eq!(kind_of(&refused.error), ErrorKind::Exists);
    while go.recv().is_ok() {}
    Ok(())
}

fn endowments<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let name = const { Name::new("waits") };
    // Never started.
    let (mut tx, rx) = system.chan::<Spsc, u64>(1)?;
    let component = system.component(name, waits_for_go::<P>)?;
    component.endow(GO, rx)?;
    component.endow(Slot::<Value<u64>>::new("value"), 1)?;
    drop(component);
    assert!(tx.try_send(1).is_err());
    // Stopped before the start.
    let (tx, rx) = system.chan::<Spsc, u64>(1)?;
    let component = system.component(name, waits_for_go::<P>)?;
    component.endow(GO, rx)?;
    component.stop();
    assert!(component.start().is_err());
    assert_eq!(tx.gone(), Some(Gone::Closed));
    // Started, with an endowment that it does not take, and dropped while it runs.
    let (tx, rx) = system.chan::<Spsc, u64>(1)?;
    let (left, not_taken) = system.chan::<Spsc, u64>(1)?;
    let component = system.component(name, waits_for_go::<P>)?;
    component.endow(GO, rx)?;
    component.endow(Slot::<Rx<Spsc, u64>>::new("other"), not_taken)?;
    component.start()?;
    drop(component);
    drop(tx);
    while left.gone().is_none() {
        system.yield_now();
    }
    Ok(())
}

fn unwinds<P: Policy>(env: Env<Local<P>>) -> Result<(), Fault> {
    let (mut tx, rx) = env.any_chan(2)?;
    tx.send(Counted::new(1))?;
    let (mut over, other) = env.chanchan(1)?;
    over.send(env.chan::<Spsc, u64>(1)?.0.into_cap())?;
    env.publish(NAMES[0], env.mem(1)?.into_cap_of_shared()).map_err(|refused| refused.error)?;
    let _held = (tx, rx, over, other, env.evtgrp(1)?);
    // As a panic, without the message.
    resume_unwind(Box::new(()))
}

fn panics<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let component = system.component(const { Name::new("unwinds") }, unwinds::<P>)?;
    let (tx, rx) = system.chan::<Spsc, u64>(1)?;
    component.endow(GO, rx)?;
    component.start()?;
    assert_eq!(component.wait(Deadline::NEVER)?, Exit::Died);
    assert!(system.lookup(NAMES[0]).is_err());
    assert!(tx.gone().is_some());
    Ok(())
}

/// Where something waits for a component that has no channel for it.
static PUT: Mutex<Option<Box<dyn Any + Send>>> = Mutex::new(None);

fn put(thing: Box<dyn Any + Send>) {
    *PUT.lock().unwrap_or_else(PoisonError::into_inner) = Some(thing);
}

fn taken<T: Any>() -> Box<T> {
    let thing = PUT.lock().unwrap_or_else(PoisonError::into_inner).take();
    thing.expect("put there before").downcast().expect("of that type")
}

fn drops_itself<P: Policy>(env: Env<Local<P>>) -> Result<(), Fault> {
    let mut go = env.take(GO)?;
    while go.recv().is_ok() {}
    drop(taken::<Comp<Local<P>>>());
    // Still whole.
    drop(env.chan::<Spsc, u64>(1)?);
    Ok(())
}

fn dropped_inside<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let component = system.component(const { Name::new("inside") }, drops_itself::<P>)?;
    let (tx, rx) = system.chan::<Spsc, u64>(1)?;
    let (left, not_taken) = system.chan::<Spsc, u64>(1)?;
    component.endow(GO, rx)?;
    component.endow(Slot::<Rx<Spsc, u64>>::new("other"), not_taken)?;
    component.start()?;
    put(Box::new(component));
    drop(tx);
    while left.gone().is_none() {
        system.yield_now();
    }
    Ok(())
}

fn thread_inside<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let place = Arc::new(Mutex::new(None::<Thread<Linux>>));
    let inside = Arc::clone(&place);
    let (mut tx, mut rx) = system.chan::<Spsc, u64>(1)?;
    let (end_tx, mut end_rx) = system.chan::<Spsc, u64>(1)?;
    let thread = system.thread(move || {
        assert!(rx.recv().is_ok());
        drop(inside.lock().expect("whole").take());
        drop(end_tx);
    })?;
    thread.start()?;
    *place.lock().expect("whole") = Some(thread);
    tx.send(1)?;
    assert!(end_rx.recv().is_err());
    // And one that is never started, with things of its own.
    drop(system.thread(move || drop((tx, end_rx)))?);
    Ok(())
}

fn tokens<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    // The caller may let go before: then the system ends there.
    let (own, mut last) = (system.clone(), system.any_chan(1)?);
    last.0.send(Counted::new(1))?;
    let thread = system.thread(move || {
        let kept = own.blockpoint();
        drop(own);
        drop(last);
        drop(kept);
    })?;
    thread.start()?;
    Ok(())
}

fn lookups<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let component = system.component(const { Name::new("waits") }, waits_for_go::<P>)?;
    let (tx, rx) = system.chan::<Spsc, u64>(1)?;
    component.endow(GO, rx)?;
    component.start()?;
    let mut tx = Some(tx);
    let mut found = 0;
    for turn in 0.. {
        if turn == 3 || found > 0 {
            tx = None;
        }
        found += u32::from(system.lookup(NAMES[0]).is_ok());
        if component.wait(Deadline::PASSED).is_ok() {
            break;
        }
        system.yield_now();
    }
    assert!(found <= 1 && tx.is_none());
    assert!(system.lookup(NAMES[0]).is_err());
    Ok(())
}

fn foreign<P: Policy>(system: &Local<P>) -> Result<(), Fault> {
    let other = Local::new()?;
    let (mut over, _receiver) = system.chanchan(1)?;
    let cap = other.chan::<Spsc, u64>(1)?.1.into_cap();
    let Err(refused) = over.send(cap) else { panic!("no list of this system can hold it") };
    assert_eq!(kind_of(&refused), ErrorKind::Invalid);
    let refused = system.publish(NAMES[0], refused.into_inner()).expect_err("not here either");
    assert_eq!(kind_of(&refused.error), ErrorKind::Invalid);
    Ok(())
}

/// Shared memory as a capability.
trait IntoCapOfShared {
    fn into_cap_of_shared(self) -> Cap<Linux>;
}

impl IntoCapOfShared for Mem<Linux> {
    fn into_cap_of_shared(self) -> Cap<Linux> {
        self.share().into_cap()
    }
}

// --- Random rounds.

/// A small generator of numbers, from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// Whatever can be held.
#[allow(dead_code, reason = "some things are only held")]
enum Item<P: Policy> {
    Snd(Snd<P>),
    Rcv(Rcv<P>),
    /// What a thread or a component waits for: stays here until it is dropped.
    Go(Snd<P>),
    ZeroSnd(ZeroCopySnd<Local<P>, Page>),
    ZeroRcv(ZeroCopyRcv<Local<P>, Page>),
    LoanMut(LoanMut<Local<P>, Page>),
    Loan(Loan<Local<P>, Page>),
    Stage(Forwarder<Local<P>, Page>),
    AnySnd(AnySnd<P, Linux, Counted>),
    AnyRcv(AnyRcv<P, Linux, Counted>),
    CapSnd(CapSnd<P, Linux>),
    CapRcv(CapRcv<P, Linux>),
    Cap(Cap<Linux>),
    Point(Blockpoint<Linux>),
    Group(Group<Linux>),
    Registration(Registration<Linux>),
    Timer(Timer<Linux>),
    Mem(Mem<Linux>),
    Shared(SharedMem<Linux>),
    Map(Map<Linux>),
    Thread(Thread<Linux>),
    Component(Comp<Local<P>>),
    Token(Local<P>),
}

impl<P: Policy> Item<P> {
    fn source(&self) -> Option<&dyn Source<Blockpoint<Linux>>> {
        Some(match self {
            Self::Snd(source) => source,
            Self::Rcv(source) => source,
            Self::ZeroSnd(source) => source,
            Self::ZeroRcv(source) => source,
            Self::AnySnd(source) => source,
            Self::AnyRcv(source) => source,
            Self::CapSnd(source) => source,
            Self::CapRcv(source) => source,
            Self::Point(source) => source,
            Self::Timer(source) => source,
            Self::Thread(source) => source,
            Self::Component(source) => source,
            _ => return None,
        })
    }

    /// A capability, of what can be one.
    fn into_cap(self) -> Result<Cap<Linux>, Self> {
        Ok(match self {
            Self::Snd(end) => end.into_cap(),
            Self::Rcv(end) => end.into_cap(),
            Self::ZeroSnd(end) => end.into_cap(),
            Self::ZeroRcv(end) => end.into_cap(),
            Self::CapSnd(end) => end.into_cap(),
            Self::CapRcv(end) => end.into_cap(),
            Self::Shared(memory) => memory.into_cap(),
            Self::Cap(cap) => cap,
            other => return Err(other),
        })
    }

    fn of_cap(cap: Cap<Linux>) -> Self {
        macro_rules! try_cast {
            ($cap:ident, $($item:ident: $type:ty),*) => { $(
                let $cap = match $cap.cast::<$type>() {
                    Ok(end) => return Self::$item(end),
                    Err(error) => error.cap,
                };
            )* };
        }
        try_cast!(cap, Snd: Snd<P>, Rcv: Rcv<P>, ZeroSnd: ZeroCopySnd<Local<P>, Page>,
            ZeroRcv: ZeroCopyRcv<Local<P>, Page>, CapSnd: CapSnd<P, Linux>,
            CapRcv: CapRcv<P, Linux>, Shared: SharedMem<Linux>);
        Self::Cap(cap)
    }
}

/// What one thread holds, and what it does with it.
struct World<P: Policy> {
    items: Vec<Item<P>>,
    random: Random,
}

/// What a component gets to know of what it is to do.
const WHAT: Slot<Value<u64>> = Slot::new("what");

impl<P: Policy> World<P> {
    fn new(seed: u64) -> Self {
        Self { items: Vec::new(), random: Random(seed) }
    }

    fn take(&mut self, is: impl Fn(&Item<P>) -> bool) -> Option<Item<P>> {
        let start = self.random.below(self.items.len().max(1));
        let count = self.items.len();
        let found =
            (0..count).map(|step| (start + step) % count).find(|at| is(&self.items[*at]))?;
        Some(self.items.swap_remove(found))
    }

    /// Some of what can travel, to be owned by somebody else.
    fn some(&mut self) -> Vec<Item<P>> {
        let count = self.random.below(4);
        (0..count).filter_map(|_| self.take(|item| !matches!(item, Item::Go(_)))).collect()
    }

    fn drop_all(mut self) {
        while !self.items.is_empty() {
            let at = self.random.below(self.items.len());
            drop(self.items.swap_remove(at));
        }
    }

    fn run(&mut self, b: &Local<P>, steps: u64) {
        for _ in 0..steps {
            // What cannot be had is not had.
            let _ = match self.random.below(3) {
                0 => self.make(b),
                1 => self.change(b),
                _ => self.use_one(b),
            };
            if self.items.len() > 40 || self.random.one_in(8) {
                drop(self.take(|_| true));
            }
        }
    }

    fn make(&mut self, b: &Local<P>) -> Result<(), Fault> {
        let capacity = 1 + self.random.below(4) as u32;
        match self.random.below(12) {
            0 => {
                let (tx, rx) = b.chan::<Spsc, u64>(capacity)?;
                self.items.extend([Item::Snd(tx), Item::Rcv(rx)]);
            }
            1 => {
                let (tx, rx) = b.chan::<ZeroCopy, Page>(capacity)?;
                self.items.extend([Item::ZeroSnd(tx), Item::ZeroRcv(rx)]);
            }
            2 => {
                let (tx, rx) = unrefused(|| b.any_chan(capacity))?;
                self.items.extend([Item::AnySnd(tx), Item::AnyRcv(rx)]);
            }
            3 | 4 => {
                let (tx, rx) = b.chanchan(capacity)?;
                self.items.extend([Item::CapSnd(tx), Item::CapRcv(rx)]);
            }
            5 => self.items.push(Item::Point(b.blockpoint()?)),
            6 => self.items.push(Item::Group(b.evtgrp(capacity)?)),
            7 => {
                let period = self.random.one_in(2).then_some(Duration::from_micros(5));
                self.items.push(Item::Timer(b.timer(b.after(Duration::from_micros(5)), period)?));
            }
            8 => self.items.push(Item::Mem(b.mem(u64::from(capacity) * 50)?)),
            9 => {
                let (go, theirs) = b.chan::<Spsc, u64>(1)?;
                let (world, b2) = (self.another(), b.clone());
                let thread = b.thread(move || lives(world, &b2, theirs))?;
                self.items.extend([Item::Go(go), Item::Thread(thread)]);
            }
            10 => {
                let (go, theirs) = b.chan::<Spsc, u64>(1)?;
                let component =
                    b.component(const { Name::new("random") }, random_component::<P>)?;
                component.endow(GO, theirs)?;
                component.endow(WHAT, self.random.next())?;
                for name in NAMES {
                    if let Some(Ok(cap)) = self.take(|item| item_travels(item)).map(Item::into_cap)
                    {
                        component.as_inner().endow(name, cap).map_err(|refused| refused.error)?;
                    }
                }
                self.items.extend([Item::Go(go), Item::Component(component)]);
            }
            _ => self.items.push(Item::Token(b.clone())),
        }
        Ok(())
    }

    /// A world for another thread, with some of what is here.
    fn another(&mut self) -> Self {
        Self { items: self.some(), random: Random(self.random.next()) }
    }

    /// Turns one thing into another.
    fn change(&mut self, b: &Local<P>) -> Result<(), Fault> {
        match self.random.below(10) {
            0 | 1 => match self.take(item_travels).map(Item::into_cap) {
                Some(Ok(cap)) => self.items.push(Item::Cap(cap)),
                Some(Err(item)) => self.items.push(item),
                None => {}
            },
            2 => {
                if let Some(Item::Cap(cap)) = self.take(|item| matches!(item, Item::Cap(_))) {
                    self.items.push(Item::of_cap(cap));
                }
            }
            3 => {
                let group = self.take(|item| matches!(item, Item::Group(_)));
                let Some(Item::Group(group)) = group else { return Ok(()) };
                if let Some(source) = self.take(|item| item.source().is_some()) {
                    let trigger =
                        if self.random.one_in(2) { Trigger::Edge } else { Trigger::Level };
                    let added = source.source().map(|source| group.add(source, trigger, 0));
                    if let Some(Ok(registration)) = added {
                        self.items.push(Item::Registration(registration));
                    }
                    self.items.push(source);
                }
                self.items.push(Item::Group(group));
            }
            4 => match self.take(|item| matches!(item, Item::Mem(_) | Item::Shared(_))) {
                Some(Item::Mem(memory)) => {
                    self.items.push(Item::Shared(memory.share()));
                }
                Some(Item::Shared(shared)) => {
                    if self.random.one_in(2) {
                        self.items.push(Item::Map(shared.map(Rights::READ)?));
                        self.items.push(Item::Shared(shared.alias(Rights::READ)?));
                    }
                    self.items.push(match shared.unshare() {
                        Ok(private) => Item::Mem(private),
                        Err(shared) => Item::Shared(shared),
                    });
                }
                _ => {}
            },
            5 => {
                let receiver = self.take(|item| matches!(item, Item::ZeroRcv(_)));
                if let Some(Item::ZeroRcv(receiver)) = receiver {
                    match receiver.into_forwarder(b) {
                        Ok((stage, last)) => {
                            self.items.extend([Item::Stage(stage), Item::ZeroRcv(last)]);
                        }
                        Err(refused) => self.items.push(Item::ZeroRcv(refused.value)),
                    }
                }
            }
            6 => {
                if let Some(Ok(cap)) = self.take(item_travels).map(Item::into_cap) {
                    let name = NAMES[self.random.below(NAMES.len())];
                    if let Err(refused) = b.publish(name, cap) {
                        self.items.push(Item::Cap(refused.value));
                    }
                }
            }
            7 => {
                let name = NAMES[self.random.below(NAMES.len())];
                self.items.push(Item::of_cap(b.lookup(name)?));
            }
            _ => {
                // Over a channel of capabilities.
                let sender = self.take(|item| matches!(item, Item::CapSnd(_)));
                let Some(Item::CapSnd(mut sender)) = sender else { return Ok(()) };
                if let Some(Ok(cap)) = self.take(item_travels).map(Item::into_cap)
                    && let Err(back) = sender.try_send(cap)
                {
                    self.items.push(Item::Cap(back.into_inner()));
                }
                self.items.push(Item::CapSnd(sender));
            }
        }
        Ok(())
    }

    /// Does something with one thing, which stays.
    fn use_one(&mut self, b: &Local<P>) -> Result<(), Fault> {
        let Some(mut item) = self.take(|_| true) else { return Ok(()) };
        let value = self.random.next();
        let flag = self.random.one_in(2);
        match &mut item {
            Item::Snd(tx) => drop(tx.try_send(value)),
            Item::Rcv(rx) => drop(rx.try_recv()),
            Item::AnySnd(tx) => drop(tx.try_send(Counted::new(value))),
            Item::AnyRcv(rx) => drop(rx.try_recv()),
            Item::ZeroSnd(tx) if flag => drop(tx.try_send([1; 100])),
            Item::ZeroSnd(tx) => {
                if let Ok(loan) = tx.try_loan() {
                    self.items.push(Item::LoanMut(loan));
                }
                if let Some(Item::LoanMut(loan)) =
                    self.take(|item| matches!(item, Item::LoanMut(_)))
                    && let Err(TrySendError::Gone(back, _) | TrySendError::Refused(back, _)) =
                        tx.send_loan(loan)
                {
                    self.items.push(Item::LoanMut(back));
                }
            }
            Item::ZeroRcv(rx) => {
                if let Ok(loan) = rx.try_recv_loan() {
                    self.items.push(Item::Loan(loan));
                }
                if flag
                    && let Some(Item::Loan(loan)) = self.take(|item| matches!(item, Item::Loan(_)))
                    && let Err(back) = rx.release(loan)
                {
                    self.items.push(Item::Loan(back));
                }
            }
            Item::Stage(stage) => {
                if let Ok(loan) = stage.recv_loan_until(Deadline::PASSED) {
                    match stage.forward(loan) {
                        Err(TrySendError::Gone(loan, _)) if flag => {
                            self.items.push(Item::Loan(loan));
                        }
                        _ => {}
                    }
                }
            }
            Item::CapRcv(rx) => {
                if let Ok(cap) = rx.try_recv() {
                    self.items.push(Item::of_cap(cap));
                }
            }
            Item::Point(point) => drop(point.trigger(Wake::All)),
            Item::Group(group) if flag && value.is_multiple_of(8) => group.close(),
            Item::Group(group) => drop(group.wait(Deadline::PASSED)),
            Item::Timer(timer) if flag => {
                timer.set(b.now(), Some(Duration::from_micros(1)));
            }
            Item::Timer(timer) => drop(timer.expirations()),
            Item::Thread(thread) => drop(unrefused(|| thread.start())),
            Item::Component(component) if value.is_multiple_of(4) => component.stop(),
            Item::Component(component) if flag => drop(unrefused(|| component.start())),
            Item::Component(component) => drop(component.wait(Deadline::PASSED)),
            _ => {}
        }
        self.items.push(item);
        Ok(())
    }
}

fn item_travels<P: Policy>(item: &Item<P>) -> bool {
    matches!(
        item,
        Item::Snd(_)
            | Item::Rcv(_)
            | Item::ZeroSnd(_)
            | Item::ZeroRcv(_)
            | Item::CapSnd(_)
            | Item::CapRcv(_)
            | Item::Shared(_)
            | Item::Cap(_)
    )
}

/// What a thread or a component does with what it has.
fn lives<P: Policy>(mut world: World<P>, b: &Local<P>, mut go: Rcv<P>) {
    let steps = world.random.next() % 30;
    world.run(b, steps);
    if world.random.one_in(2) {
        while go.recv().is_ok() {}
    }
    world.drop_all();
}

fn random_component<P: Policy>(env: Env<Local<P>>) -> Result<(), Fault> {
    let go = env.take(GO)?;
    let mut world = World::new(env.take(WHAT)?);
    for name in NAMES {
        if world.random.one_in(2)
            && let Ok(cap) = env.take_endowment(name)
        {
            world.items.push(Item::of_cap(cap));
        }
    }
    let end = world.random.below(4);
    lives(world, &env, go);
    match end {
        0 => resume_unwind(Box::new(())),
        1 => Err(Fault::new(ErrorKind::Other, "by chance")),
        _ => Ok(()),
    }
}

/// A round: makes, moves and drops at random, then drops all.
fn round<P: Policy>(system: Local<P>, seed: u64) {
    let mut world = World::new(seed);
    world.run(&system, 120);
    world.items.push(Item::Token(system));
    world.drop_all();
}

fn bytes_of_random_rounds() {
    let body = |seed| {
        let system = Local::new().expect("memory is there");
        // In every other round, memory ends at some point.
        refuse_after((seed % 2 == 1).then_some(seed * 7 % 400));
        round(system, seed);
        refuse_after(None);
    };
    warm_up("random", || (0..10).for_each(body));
    for seed in 0..times(300) {
        println!("random round, bytes: seed {seed}");
        frees_everything(&format!("seed {seed}"), || body(seed));
    }
}

fn blocks_of_random_rounds() {
    static REGION: Region<{ 64 * 1024 }> = Region::new();
    for seed in 0..times(300) {
        println!("random round, blocks: seed {seed}");
        round(over_again(&REGION, &format!("seed {seed}")), seed);
    }
    drop(over_again(&REGION, "the last round"));
    assert_eq!(Counted::alive(), 0, "messages");
}
