//! What a component declares that it needs: it has that and no more, and so has what it makes.

use std::time::Duration;

use backend_local::LocalError;
use backend_sinv::{Limits, Lookups, Sinv};
use chan_impls::Spsc;
use res_api::{
    Backend, BackendError, Comp, Env, ErrorKind, Exit, Fault, IntoCap, Name, Receiver, Rx, Sender,
};
use res_kernel::linux::Linux;

const OPEN: Name = Name::new("open");
const SECRET: Name = Name::new("secret");

/// More components than others make, and one name.
const NEEDS: Limits = Limits { components: 3, lookups: Lookups::Only(&[OPEN]), ..Limits::DEFAULT };

fn kind<T>(result: Result<T, LocalError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn made(b: &Sinv, number: u32) -> Result<Comp<Sinv>, LocalError> {
    b.component(Name::numbered("inner", number).expect("short"), finds_one_name)
}

/// What may not be looked up may not be told from what is not there, either.
fn finds_one_name(env: Env<Sinv>) -> Result<(), Fault> {
    assert_eq!(kind(env.lookup(SECRET)), Some(ErrorKind::Denied));
    assert_eq!(kind(env.lookup(const { Name::new("nobody's") })), Some(ErrorKind::Denied));
    let mut open = env.cast::<Rx<Spsc, u64>>(env.lookup(OPEN)?)?;
    assert_eq!(open.recv(), Ok(7));
    Ok(())
}

/// What it makes has no more than itself.
fn makes_three(env: Env<Sinv>) -> Result<(), Fault> {
    assert_eq!(kind(env.lookup(SECRET)), Some(ErrorKind::Denied));
    let all: Vec<_> = (0..3).map(|number| made(&env, number)).collect::<Result<_, _>>()?;
    assert_eq!(kind(made(&env, 3)), Some(ErrorKind::NoSlots));
    assert_eq!(kind(env.limit(&all[0], Limits::DEFAULT)), Some(ErrorKind::Denied));
    all[0].start()?;
    all[0].wait(env.within(Duration::from_secs(60)))?.ok()
}

fn shown(system: &Sinv, name: Name, number: u64) {
    let (mut tx, rx) = system.chan::<Spsc, u64>(1).expect("a channel");
    tx.send(number).expect("there is room");
    system.publish(name, rx.into_cap()).map_err(|it| it.error).expect("published");
}

#[test]
fn it_has_what_it_declares_and_so_has_what_it_makes() {
    let few = Limits { components: 0, ..Limits::default() };
    let system = Sinv::on(Linux::new(), few).expect("a system");
    shown(&system, OPEN, 7);
    shown(&system, SECRET, 8);
    let component =
        system.component(const { Name::new("outer") }, makes_three).expect("a component");
    system.limit(&component, NEEDS).expect("it has not begun");
    let seen = system.inspect().expect("the manager is here");
    let it = seen.components.iter().find(|it| it.name == component.name()).expect("it is there");
    assert_eq!(it.limits, NEEDS);
    let table = seen.to_string();
    let row = table.lines().find(|line| line.ends_with("looks up open")).expect("a row");
    assert!(row.contains("outer") && row.contains("3 components"), "{row}");
    component.start().expect("started");
    assert_eq!(kind(system.limit(&component, few)), Some(ErrorKind::Invalid), "it has begun");
    assert_eq!(component.wait(system.within(Duration::from_secs(60))), Ok(Exit::Success));
    // Nobody took that.
    let secret = system.lookup(SECRET).expect("it is still there");
    assert_eq!(system.cast::<Rx<Spsc, u64>>(secret).expect("an end").recv(), Ok(8));
}
