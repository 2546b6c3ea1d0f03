//! Calls in a simulation: clients of a service, one directly and two through a component between.
//! Each of the components is killed at each step: who calls gets its own answer or a typed error,
//! and nobody waits for ever.

mod common;
#[path = "common/each_step.rs"]
mod each_step;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backend_local::{Dynamic, Local};
use backend_sinv::{Limits, Sinv};
use chan_impls::call::{self, Interface, Request};
use chan_impls::service::{Service, connect};
use chan_impls::{Answers, CallError, Callee, Caller, Calls, Spsc};
use common::{Outcome, aside};
use res_api::{
    Backend, BackendError, Comp, Deadline, Env, ErrorKind, Exit, Gone, Kind, Name, Receiver, Rx,
    Sender, Slot, Tag, Thread, kind_of,
};
use res_kernel::Sim;
use res_kernel::sim::Seeds;

use each_step::{Kill, long};

/// What the servers here are asked.
struct Numbers;

impl Interface for Numbers {
    const TAG: Tag = Tag::of::<()>(Name::new("numbers"), 1, 0);
    const PAYLOAD: u64 = 8;
}

// The entries. All double a number, in the words and in the payload.
const DOUBLE: u32 = 0;
/// Longer than its client waits.
const SLOW: u32 = 1;
/// When somebody else says so.
const WAIT: u32 = 2;

const SERVICE: Name = Name::new("numbers");
const FIRST: Slot<Answers<Numbers>> = Slot::new("first");
const SECOND: Slot<Answers<Numbers>> = Slot::new("second");
const SERVER: Slot<Calls<Numbers>> = Slot::new("server");
const GO: Slot<Rx<Spsc, u64>> = Slot::new("go");

/// How long a slow answer takes, and how long its client waits.
const TIME: Duration = Duration::from_micros(300);
const PATIENCE: Duration = Duration::from_micros(100);
/// How long a client looks for the service.
const SEARCH: Duration = Duration::from_millis(20);

/// Who is killed, if anybody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Nobody,
    Server,
    Middle,
    Client,
}

// The server.

type Go<B> = Arc<Mutex<Option<<Spsc as Kind<B>>::Rcv<u64>>>>;

fn server<B: Backend>(env: Env<B>) -> Outcome {
    let go = Arc::new(Mutex::new(Some(env.take(GO)?)));
    let mut service = Service::<B, Numbers>::publish(&*env, SERVICE, 4)?;
    let b = (*env).clone();
    service.serve(move |mut client| _ = client.serve(|request| answer(&b, &go, request)));
    Ok(())
}

fn answer<B: Backend>(b: &B, go: &Go<B>, request: Request<'_, B, Numbers>) {
    match request.entry() {
        SLOW => b.sleep(b.after(TIME)),
        WAIT => {
            // Not locked while it waits.
            let go = go.lock().expect("nobody panics").take();
            let told = go.map(|mut go| go.recv_until(request.deadline()));
            assert!(told.is_some(), "one client waits");
        }
        _ => {}
    }
    double(request, |n| Ok([2 * n, n]));
}

/// Answers with what is made of the number, in the words and in the payload. What came in the payload
/// is of the same request.
fn double<B: Backend>(
    mut request: Request<'_, B, Numbers>,
    make: impl FnOnce(u64) -> Result<[u64; 2], ErrorKind>,
) {
    let [n, ..] = request.words();
    let mut bytes = [0; 8];
    request.read(0, &mut bytes).expect("it fits");
    assert_eq!(u64::from_ne_bytes(bytes), n, "another call's payload");
    match make(n) {
        Ok([double, n]) => {
            request.write(0, &double.to_ne_bytes()).expect("it fits");
            request.reply([double, n, 0]);
        }
        Err(why) => request.refuse(why),
    }
}

// Between.

/// Passes on what its two clients ask, each in a thread of its own.
fn middle<B: Backend>(env: Env<B>) -> Outcome {
    let (first, second) = (env.take(FIRST)?, env.take(SECOND)?);
    let b = (*env).clone();
    let other = aside(&*env, move || pass_on(&b, second));
    pass_on(&*env, first);
    other.join(Deadline::NEVER)?.ok()
}

fn pass_on<B: Backend>(b: &B, mut client: Callee<B, Numbers>) {
    let server = connect::<B, Numbers>(b, SERVICE, b.within(SEARCH));
    let mut server = server.map_err(|error| error.kind());
    client.serve(|request| {
        let (entry, deadline) = (request.entry(), request.deadline());
        double(request, |n| {
            let server = server.as_mut().map_err(|kind| *kind)?;
            ask(server, entry, n, deadline).map_err(|error| kind_of(&error))
        });
    });
}

// Clients.

/// Asks for one number; the answer is the one to this question.
fn ask<B: Backend>(
    server: &mut Caller<B, Numbers>,
    entry: u32,
    n: u64,
    deadline: Deadline,
) -> Result<[u64; 2], CallError> {
    server.write(0, &n.to_ne_bytes(), deadline)?;
    let [double, same, _] = server.call(entry, [n, 0, 0, 0], deadline)?;
    let mut bytes = [0; 8];
    server.read(0, &mut bytes)?;
    assert_eq!([double, same, u64::from_ne_bytes(bytes)], [2 * n, n, 2 * n], "another's answer");
    Ok([double, same])
}

/// Asks for numbers from `n` on. Some calls are given up, and their answers come late (H13).
fn several<B: Backend>(
    b: &B,
    server: &mut Caller<B, Numbers>,
    n: u64,
    late: Deadline,
) -> Result<(), CallError> {
    ask(server, DOUBLE, n, late)?;
    for n in [n + 1, n + 3] {
        match ask(server, SLOW, n, b.within(PATIENCE)) {
            Ok(_) | Err(CallError::TimedOut) => {}
            Err(error) => return Err(error),
        }
        ask(server, DOUBLE, n + 1, late)?;
    }
    Ok(())
}

fn late<B: Backend>(b: &B) -> Deadline {
    b.within(Duration::from_secs(10))
}

fn client<B: Backend>(env: Env<B>) -> Outcome {
    let mut server = env.take(SERVER)?;
    let late = late(&*env);
    ask(&mut server, WAIT, 100, late)?;
    Ok(several(&*env, &mut server, 101, late)?)
}

// The scene.

impl Victim {
    /// Whether this is how a call may end, through the middle or not.
    fn explains(self, error: CallError, through_middle: bool) -> bool {
        match error {
            CallError::Gone(Gone::PeerGone) if through_middle => self == Self::Middle,
            CallError::Gone(Gone::PeerGone) => self == Self::Server,
            // What the middle was told, or that it found nobody.
            CallError::Refused(ErrorKind::PeerGone | ErrorKind::NotFound) => {
                self == Self::Server && through_middle
            }
            _ => false,
        }
    }

    /// Whether this is how that component may end.
    fn explains_end(self, of: Self, exit: Exit) -> bool {
        match exit {
            Exit::Success => true,
            Exit::Died => self == of,
            Exit::Failed(fault) => match (of, fault.kind()) {
                // Stopped before it had begun, since another one was dead by then.
                (Self::Server, ErrorKind::Closed) => self != Self::Nobody,
                (Self::Client, ErrorKind::PeerGone) => [Self::Server, Self::Middle].contains(&self),
                (Self::Client, ErrorKind::NotFound) => self == Self::Server,
                _ => false,
            },
        }
    }
}

/// Nobody has slept until the deadline.
#[track_caller]
fn in_time<B: Backend>(b: &B, late: Deadline) {
    assert!(!late.passed(b.now()), "a wake-up was lost");
}

/// A service, a component that passes on to it, and a client of that.
struct Cast<B: Backend> {
    components: [(Victim, Comp<B>); 3],
    to_middle: Caller<B, Numbers>,
    go: <Spsc as Kind<B>>::Snd<u64>,
}

fn cast<B: Backend>(b: &B) -> Cast<B> {
    let (to_middle, first) = call::pair(b).expect("a connection");
    let (caller, second) = call::pair(b).expect("a connection");
    let (go, waits) = b.chan::<Spsc, u64>(1).expect("a channel");
    let below = b.component(const { Name::new("server") }, server::<B>).expect("a component");
    below.endow(GO, waits).expect("endowed");
    let between = b.component(const { Name::new("middle") }, middle::<B>).expect("a component");
    between.endow(FIRST, first).expect("endowed");
    between.endow(SECOND, second).expect("endowed");
    let above = b.component(const { Name::new("client") }, client::<B>).expect("a component");
    above.endow(SERVER, caller).expect("endowed");
    let components = [(Victim::Server, below), (Victim::Middle, between), (Victim::Client, above)];
    Cast { components, to_middle, go }
}

/// Starts it; whether it lived to be told what it is.
fn starts<B: Backend>(component: &Comp<B>, may_die: bool) -> bool {
    let started = component.start();
    if let Err(error) = &started {
        assert!(may_die && kind_of(error) == ErrorKind::PeerGone, "{error}");
    }
    started.is_ok()
}

/// Calls the service, through the middle and directly, while the client waits.
fn calls<B: Backend>(b: &B, to_middle: &mut Caller<B, Numbers>, victim: Victim, late: Deadline) {
    if let Err(error) = several(b, to_middle, 200, late) {
        assert!(victim.explains(error, true), "{error:?}");
        assert_eq!(ask(to_middle, DOUBLE, 1, late), Err(error), "once and for all");
    }
    in_time(b, late);
    match connect::<B, Numbers>(b, SERVICE, b.within(SEARCH)) {
        Ok(mut direct) => {
            if let Err(error) = several(b, &mut direct, 300, late) {
                assert!(victim.explains(error, false), "{error:?}");
                assert_eq!(ask(&mut direct, DOUBLE, 1, late), Err(error), "once and for all");
            }
        }
        Err(error) => {
            let known = [ErrorKind::PeerGone, ErrorKind::NotFound].contains(&error.kind());
            assert!(known && victim == Victim::Server, "{error}");
        }
    }
    in_time(b, late);
}

/// Components of which one may die.
fn first_scene<B: Backend>(b: &B, victim: Victim) {
    let late = late(b);
    let Cast { components, mut to_middle, mut go } = cast(b);
    let started = components.iter().take_while(|(who, it)| starts::<B>(it, *who == victim)).count();
    if started == components.len() {
        calls(b, &mut to_middle, victim, late);
        let _ = go.try_send(1);
    }
    drop((to_middle, go));
    // From the client down: each leaves when it has nobody above it, but for the service.
    let mut components = Vec::from(components);
    components.truncate(started);
    while let Some((who, component)) = components.pop() {
        if who == Victim::Server {
            component.stop();
        }
        let exit = component.wait(late).expect("it ends");
        assert!(victim.explains_end(who, exit), "{who:?}: {exit:?}");
    }
    in_time(b, late);
}

fn echo<B: Backend>(env: Env<B>) -> Outcome {
    env.take(FIRST)?.serve(|request| double(request, |n| Ok([2 * n, n])));
    Ok(())
}

/// Others, that live.
fn second_scene<B: Backend>(b: &B) {
    let late = late(b);
    let (mut caller, callee) = call::pair(b).expect("a connection");
    let component = b.component(const { Name::new("echo") }, echo::<B>).expect("a component");
    component.endow(FIRST, callee).expect("endowed");
    component.start().expect("started");
    for n in 0..2 {
        ask(&mut caller, DOUBLE, n, late).expect("it lives");
    }
    drop(caller);
    assert_eq!(component.wait(late), Ok(Exit::Success));
    in_time(b, late);
}

fn scenes<B: Backend>(b: &B, victim: Victim) {
    first_scene(b, victim);
    second_scene(b);
}

/// In domains.
fn apart(sim: Sim, victim: Victim) {
    let system = Sinv::on(sim, Limits::default()).expect("a system");
    scenes(&system, victim);
    let seen = system.inspect().expect("the manager is here");
    assert_eq!(seen.components.len(), 1, "{seen}");
    assert_eq!((seen.channels.len(), seen.memory.len()), (0, 0), "{seen}");
}

#[test]
fn calls_in_one_space() {
    let seeds = Seeds::from_env(if long() { 2000 } else { 60 });
    seeds.check("calls_in_one_space", |sim| {
        let system = Local::<Dynamic, Sim>::on(sim).expect("a system");
        scenes(&system, Victim::Nobody);
    });
}

#[test]
fn calls_between_domains() {
    let seeds = Seeds::from_env(if long() { 1000 } else { 30 });
    seeds.check("calls_between_domains", |sim| apart(sim, Victim::Nobody));
}

fn kill(domain: u32, victim: Victim) {
    let runs = Kill { domain, seeds: 2, stride: 19 }.at_each_step(move |sim| apart(sim, victim));
    println!("{runs} runs");
}

#[test]
fn a_server_that_is_killed() {
    kill(1, Victim::Server);
}

#[test]
fn a_component_in_the_middle_that_is_killed() {
    kill(2, Victim::Middle);
}

#[test]
fn a_client_that_is_killed() {
    kill(3, Victim::Client);
}
