//! Services: found by name, a context for each client.

mod common;

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backend_sinv::Sinv;
use chan_impls::service::{Service, connect};
use chan_impls::{CallError, Spsc, interface};
use common::{Fresh, Outcome, aside, late, nap, on_both};
use res_api::{
    Backend, BackendError, Blockpoint, Comp, Deadline, Env, ErrorKind, Exit, Gone, IntoCap, Mem,
    Name, Receiver, Sender, Slot, Thread, Tx, Value,
};

const NAME: Name = Name::new("tally");
const CONTEXTS: Slot<Value<u32>> = Slot::new("contexts");
const QUOTA: Slot<Value<u32>> = Slot::new("quota");
const DONE: Slot<Tx<Spsc, u64>> = Slot::new("done");

#[interface("tally", version = 1)]
trait Tally {
    /// Adds to what is common to all clients.
    fn add(&mut self, count: u64) -> u64;
    fn abort(&mut self) -> u64;
    fn doze(&mut self, millis: u64);
}

#[interface("tally", version = 2)]
trait Other {
    fn add(&mut self, count: u64) -> u64;
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<u64>>);

impl Tally for Shared {
    fn add(&mut self, count: u64) -> u64 {
        let mut total = self.0.lock().expect("nobody panics");
        *total += count;
        *total
    }

    fn abort(&mut self) -> u64 {
        std::process::abort()
    }

    fn doze(&mut self, millis: u64) {
        std::thread::sleep(Duration::from_millis(millis));
    }
}

fn server<B: Backend>(env: Env<B>) -> Outcome {
    let contexts = env.take(CONTEXTS)?;
    let mut service = Service::<B, dyn Tally>::publish(&*env, NAME, contexts)?;
    if env.has(QUOTA) {
        service.set_quota(env.take(QUOTA)?);
    }
    let shared = Shared::default();
    service.serve(move |mut client| _ = client.serve_with(&mut shared.clone()));
    Ok(())
}

fn made<B: Backend>(b: &B, contexts: u32) -> Comp<B> {
    let component = b.component(const { Name::new("server") }, server::<B>).expect("a component");
    component.endow(CONTEXTS, contexts).expect("endowed");
    component
}

fn started<B: Backend>(b: &B, contexts: u32) -> Comp<B> {
    let component = made(b, contexts);
    component.start().expect("started");
    component
}

fn client<B: Backend>(b: &B) -> TallyClient<B> {
    let mut client = TallyClient::from(connect(b, NAME, late(b)).expect("it is there"));
    client.set_deadline(late(b));
    client
}

fn adds<B: Backend>(env: Env<B>) -> Outcome {
    let mut tally = client(&*env);
    let mut last = 0;
    for _ in 0..200 {
        last = tally.add(1)?;
    }
    Ok(env.take(DONE)?.send(last)?)
}

fn several_clients<B: Fresh>() {
    let b = B::fresh();
    let mut ends = Vec::new();
    // Clients come before the server does.
    for number in 0..3 {
        let name = Name::numbered("client", number).expect("a name");
        let component = b.component(name, adds::<B>).expect("a component");
        let (done, rx) = b.chan::<Spsc, u64>(1).expect("a channel");
        component.endow(DONE, done).expect("endowed");
        component.start().expect("started");
        ends.push((component, rx));
    }
    let server = started(&b, 8);
    let mut most = 0;
    for (component, mut rx) in ends {
        component.wait(late(&b)).expect("it ends").ok().expect("all as expected");
        most = most.max(rx.recv().expect("a number"));
    }
    assert_eq!(most, 600, "whoever was last");
    assert_eq!(client(&b).add(0), Ok(600));
    server.stop();
    assert_eq!(server.wait(late(&b)), Ok(Exit::Success));
}

fn no_more_contexts_than_allowed<B: Fresh>() {
    let b = B::fresh();
    let _server = started(&b, 2);
    let (mut first, mut second) = (client(&b), client(&b));
    assert_eq!((first.add(1), second.add(1)), (Ok(1), Ok(2)));
    for _ in 0..3 {
        assert_eq!(client(&b).add(1), Err(CallError::Gone(Gone::Closed)));
    }
    assert_eq!((first.add(1), second.add(1)), (Ok(3), Ok(4)));
    // When one has left there is room again, a moment later.
    drop(first);
    let mut tries = 0;
    while client(&b).add(0).is_err() {
        tries += 1;
        assert!(tries < 2000, "the context has not ended");
        nap(&b, 1);
    }
    assert_eq!(second.add(1), Ok(5));
}

/// Each context is made on demand, and ends with its client.
fn contexts_come_and_go<B: Fresh>() {
    let b = B::fresh();
    let (mut over, clients) = b.chanchan(4).expect("a channel");
    let running = Arc::new(AtomicU32::new(0));
    let (own, counted) = (b.clone(), running.clone());
    let server = aside(&b, move || {
        let mut service =
            Service::<B, dyn Tally>::over(&own, clients, 8).map_err(|_| ()).expect("a service");
        let shared = Shared::default();
        let gone = service.serve(move |mut client| {
            counted.fetch_add(1, SeqCst);
            assert_eq!(client.serve_with(&mut shared.clone()), Gone::Closed);
            counted.fetch_sub(1, SeqCst);
        });
        assert_eq!((gone, service.contexts()), (Gone::Closed, 0));
        assert_eq!(service.refused(), 2, "what was not a client");
    });
    let mut clients = Vec::new();
    // What is no client of it is dropped.
    let memory = b.mem(64).expect("memory").share();
    over.send(memory.into_cap()).expect("it listens");
    let (stranger, callee) = chan_impls::call::pair::<_, dyn Other>(&b).expect("a connection");
    over.send(callee.into_cap()).expect("it listens");
    let mut stranger = OtherClient::from(stranger);
    stranger.set_deadline(late(&b));
    assert_eq!(stranger.add(1), Err(CallError::Gone(Gone::Closed)));
    for number in 1..=4 {
        let (caller, callee) = chan_impls::call::pair::<_, dyn Tally>(&b).expect("a connection");
        over.send(callee.into_cap()).expect("it listens");
        let mut client = TallyClient::from(caller);
        client.set_deadline(late(&b));
        client.add(1).expect("it answers");
        assert_eq!(running.load(SeqCst), number);
        clients.push(client);
    }
    drop(over);
    // Those that are there are served to the end.
    for client in &mut clients {
        client.add(1).expect("it answers");
    }
    nap(&b, 20);
    assert_eq!(server.join(Deadline::PASSED), Err(res_api::WaitError::TimedOut));
    drop(clients);
    assert_eq!(server.join(late(&b)), Ok(Exit::Success));
    assert_eq!(running.load(SeqCst), 0);
}

fn what_is_not_there<B: Fresh>() {
    let b = B::fresh();
    let nothing = connect::<B, dyn Tally>(&b, NAME, Deadline::PASSED).expect_err("no name");
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
    let soon = b.within(Duration::from_millis(20));
    let nothing = connect::<B, dyn Tally>(&b, NAME, soon).expect_err("no name");
    assert_eq!(nothing.kind(), ErrorKind::NotFound);
    assert!(b.now() >= soon.instant().expect("a point"), "it waited");
    let page = b.mem(64).expect("memory").share().into_cap();
    b.publish(NAME, page).expect("published");
    let memory = connect::<B, dyn Tally>(&b, NAME, late(&b)).expect_err("memory");
    assert_eq!(memory.kind(), ErrorKind::TypeMismatch);
    let taken = Service::<B, dyn Tally>::publish(&b, NAME, 1).expect_err("taken");
    assert_eq!(taken.kind(), ErrorKind::Exists);
}

fn the_wrong_interface_is_turned_away<B: Fresh>() {
    let b = B::fresh();
    let _server = started(&b, 4);
    let mut tally = client(&b);
    assert_eq!(tally.add(1), Ok(1));
    let mut other = OtherClient::from(connect(&b, NAME, late(&b)).expect("it is there"));
    other.set_deadline(late(&b));
    assert_eq!(other.add(1), Err(CallError::Gone(Gone::Closed)));
    assert_eq!(client(&b).add(1), Ok(2));
    assert_eq!(tally.add(1), Ok(3));
}

/// One that takes its time keeps nobody waiting.
fn a_slow_client_is_no_other_ones_concern<B: Fresh>() {
    let b = B::fresh();
    let _server = started(&b, 4);
    let mut slow = client(&b);
    slow.add(0).expect("it answers");
    slow.set_timeout(Duration::from_millis(1));
    assert_eq!(slow.doze(500), Err(CallError::TimedOut));
    let start = b.now();
    let mut other = client(&b);
    for _ in 0..20 {
        other.add(1).expect("it answers");
    }
    assert!(b.now() - start < Duration::from_millis(450));
}

on_both! {
    several_clients no_more_contexts_than_allowed contexts_come_and_go what_is_not_there
    the_wrong_interface_is_turned_away a_slow_client_is_no_other_ones_concern
}

#[test]
fn a_service_that_dies() {
    let b = Sinv::fresh();
    let server = started(&b, 4);
    let (mut first, mut second) = (client(&b), client(&b));
    second.add(1).expect("it answers");
    let gone = Err(CallError::Gone(Gone::PeerGone));
    assert_eq!(first.abort(), gone);
    assert_eq!(second.add(1), gone);
    assert_eq!(server.wait(late(&b)), Ok(Exit::Died));
    // The name went with it; another one can take its place.
    let _again = started(&b, 4);
    assert_eq!(client(&b).add(7), Ok(7));
}

/// Connects until it is refused, and says how often it was not; then it stays, with all that it has.
fn takes_all(env: Env<Sinv>) -> Outcome {
    let mut done = env.take(DONE)?;
    let mut taken = Vec::new();
    loop {
        let mut tally = client(&*env);
        if tally.add(0).is_err() {
            break;
        }
        taken.push(tally);
    }
    done.send(taken.len() as u64)?;
    // Until it is to stop.
    let _ = env.blockpoint()?.wait_until(Deadline::NEVER, || None::<()>);
    Ok(())
}

/// One of those, with all that it has: so many contexts.
fn greedy(b: &Sinv, number: u32, contexts: u64) -> Comp<Sinv> {
    let name = Name::numbered("greedy", number).expect("a name");
    let component = b.component(name, takes_all).expect("a component");
    let (done, mut rx) = b.chan::<Spsc, u64>(1).expect("a channel");
    component.endow(DONE, done).expect("endowed");
    component.start().expect("started");
    assert_eq!(rx.recv_until(late(b)), Ok(contexts));
    component
}

#[test]
fn no_component_takes_all_contexts() {
    let b = Sinv::fresh();
    let _server = started(&b, 5);
    // Half of them, and what is left.
    let (first, _second) = (greedy(&b, 0, 3), greedy(&b, 1, 2));
    // What one had is for others when it has ended; the composing program may have all of that.
    first.stop();
    let (mut clients, mut tries) = (Vec::new(), 0);
    while clients.len() < 3 {
        let mut tally = client(&b);
        match tally.add(0) {
            Ok(_) => clients.push(tally),
            Err(_) => nap(&b, 1),
        }
        tries += 1;
        assert!(tries < 2000, "the contexts have not ended");
    }
}

#[test]
fn a_service_says_how_many_contexts_one_component_has() {
    let b = Sinv::fresh();
    let server = made(&b, 5);
    server.endow(QUOTA, 1).expect("endowed");
    server.start().expect("started");
    let _all: Vec<_> = (0..5).map(|number| greedy(&b, number, 1)).collect();
    assert_eq!(client(&b).add(0), Err(CallError::Gone(Gone::Closed)), "none is left");
}

/// Dies in the middle of its calls.
fn hurried(env: Env<Sinv>) -> Outcome {
    let mut tally = client(&*env);
    tally.add(1)?;
    tally.set_timeout(Duration::from_millis(1));
    let _ = tally.doze(100);
    std::process::abort()
}

#[test]
fn clients_that_die_leave_no_context() {
    let b = Sinv::fresh();
    let _server = started(&b, 2);
    let mut tally = client(&b);
    for round in 0..3 {
        let name = Name::numbered("hurried", round).expect("a name");
        let component = b.component(name, hurried).expect("a component");
        component.start().expect("started");
        assert_eq!(component.wait(late(&b)), Ok(Exit::Died));
        // Its context ends when the handler does.
        let mut tries = 0;
        while client(&b).add(0).is_err() {
            tries += 1;
            assert!(tries < 2000, "the context has not ended");
            nap(&b, 1);
        }
        assert_eq!(tally.add(0), Ok(round as u64 + 1));
    }
}
