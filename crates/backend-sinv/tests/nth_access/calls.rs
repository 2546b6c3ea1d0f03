//! Calls: who asks dies, or who answers.

use std::cell::RefCell;
use std::time::Duration;

use chan_impls::call::{self, Callee, Caller, Interface};
use chan_impls::service::{Service, connect};
use chan_impls::{Answers, CallError, Calls};
use res_api::{
    Backend, BackendError, Deadline, Env, ErrorKind, Exit, Gone, Name, RecvError, Slot, Tag,
};

use crate::ground::{Ground, Outcome, System, Trial, mortally, told};

/// Doubles a number, in the words and in the payload.
struct Doubles;

impl Interface for Doubles {
    const TAG: Tag = Tag::of::<()>(Name::new("doubles"), 1, 0);
    const PAYLOAD: u64 = 8;
}

const SERVER: Slot<Calls<Doubles>> = Slot::new("server");
const CLIENT: Slot<Answers<Doubles>> = Slot::new("client");
const SERVICE: Name = Name::new("doubles");

fn ask(server: &mut Caller<System, Doubles>, n: u64, late: Deadline) -> Result<(), CallError> {
    server.write(0, &n.to_ne_bytes(), late)?;
    let answer = server.call(0, [n, n, n, n], late)?;
    let mut bytes = [0; 8];
    server.read(0, &mut bytes)?;
    assert_eq!((answer, u64::from_ne_bytes(bytes)), ([2 * n; 3], 2 * n));
    Ok(())
}

fn answer(client: &mut Callee<System, Doubles>, late: Deadline) -> Result<(), RecvError> {
    let mut request = client.next(late)?;
    let [n, ..] = request.words();
    let mut bytes = [0; 8];
    request.read(0, &mut bytes).expect("it fits");
    assert_eq!((request.entry(), request.words(), u64::from_ne_bytes(bytes)), (0, [n; 4], n));
    request.write(0, &(2 * n).to_ne_bytes()).expect("it fits");
    request.reply([2 * n; 3]);
    Ok(())
}

fn asks(env: Env<System>) -> Outcome {
    let mut server = env.take(SERVER)?;
    mortally(&env, || (1..3).try_for_each(|n| ask(&mut server, n, Deadline::NEVER)))??;
    Ok(())
}

/// Each request is whole, and the last one is followed by the end.
fn asking(trial: &Trial<'_>) -> Exit {
    let (caller, mut callee) = call::pair(trial.system).expect("a connection");
    let component = trial.component(asks);
    component.endow(SERVER, caller).expect("endowed");
    component.start().expect("started");
    let gone = loop {
        match answer(&mut callee, trial.late) {
            Ok(()) => {}
            Err(RecvError::Gone(gone)) => break gone,
            Err(why) => panic!("nobody says that it is gone: {why}"),
        }
    };
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    exit
}

fn answers(env: Env<System>) -> Outcome {
    let mut client = env.take(CLIENT)?;
    mortally(&env, || (0..2).try_for_each(|_| answer(&mut client, Deadline::NEVER)))??;
    Ok(())
}

/// Asks as long as somebody answers; why nobody does any more.
fn ask_all(trial: &Trial<'_>, server: &mut Caller<System, Doubles>) -> Gone {
    let mut n = 1;
    loop {
        match ask(server, n, trial.late) {
            Ok(()) => n += 1,
            Err(CallError::Gone(gone)) => return gone,
            Err(error) => panic!("nobody says that it is gone: {error}"),
        }
    }
}

fn answering(trial: &Trial<'_>) -> Exit {
    let (mut caller, callee) = call::pair(trial.system).expect("a connection");
    let component = trial.component(answers);
    component.endow(CLIENT, callee).expect("endowed");
    component.start().expect("started");
    let gone = ask_all(trial, &mut caller);
    let exit = trial.end_of(&component);
    assert_eq!(gone, told(exit));
    exit
}

/// Serves one client once.
fn serves(env: Env<System>) -> Outcome {
    let fault = mortally(&env, || {
        let mut service = Service::<System, Doubles>::publish(&env, SERVICE, 1)?;
        let mut client = service.accept(Deadline::NEVER)?;
        answer(&mut client, Deadline::NEVER)?;
        Ok(())
    });
    fault?
}

/// A client finds it, or finds that it is gone, wherever it was.
fn serving(trial: &Trial<'_>) -> Exit {
    let component = trial.component(serves);
    component.start().expect("started");
    let connected = loop {
        // Until it is there, or never will be.
        match connect::<_, Doubles>(trial.system, SERVICE, Deadline::PASSED) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if component.wait(Deadline::PASSED).is_ok() {
                    break None;
                }
            }
            connected => break Some(connected),
        }
    };
    let gone = match connected {
        Some(Ok(mut server)) => Some(ask_all(trial, &mut server)),
        Some(Err(error)) => {
            assert_eq!(error.kind(), ErrorKind::PeerGone);
            None
        }
        None => None,
    };
    let exit = trial.end_of(&component);
    assert!(gone.is_none_or(|gone| [Gone::Closed, told(exit)].contains(&gone)), "{gone:?}");
    exit
}

/// Of a service that lives on.
const STAYS: Name = Name::new("stays");

fn connects(env: Env<System>) -> Outcome {
    mortally(&env, || {
        let mut server = connect::<_, Doubles>(&*env, STAYS, Deadline::NEVER)?;
        ask(&mut server, 1, Deadline::NEVER)?;
        Ok(())
    })?
}

/// Serves a client until it leaves.
fn serve_one(trial: &Trial<'_>, mut client: Callee<System, Doubles>) {
    let gone = loop {
        if let Err(error) = answer(&mut client, trial.late) {
            break error;
        }
    };
    let known = [Gone::Closed, Gone::PeerGone].map(RecvError::Gone);
    assert!(known.contains(&gone), "{gone:?}");
}

/// The service takes whoever comes, and loses whoever dies.
fn connecting(trial: &Trial<'_>, service: &mut Service<System, Doubles>) -> Exit {
    let component = trial.component(connects);
    component.start().expect("started");
    loop {
        let ended = component.wait(Deadline::PASSED);
        match service.accept(trial.system.within(Duration::from_millis(1))) {
            Ok(client) => serve_one(trial, client),
            Err(RecvError::TimedOut) => {
                if let Ok(exit) = ended {
                    return exit;
                }
            }
            Err(why) => panic!("the service is gone: {why}"),
        }
    }
}

#[test]
fn calls() {
    let mut ground = Ground::new();
    ground.try_each("ask", asking);
    ground.try_each("answer", answering);
    ground.try_each("serve", serving);
    let service = Service::publish(&ground.system, STAYS, 1).expect("a service");
    let service = RefCell::new(service);
    ground.try_each("connect", |trial| connecting(trial, &mut service.borrow_mut()));
}
