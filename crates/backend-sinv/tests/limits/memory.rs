//! Memory of its own, of which the machine gives a component so much and no more. It is reserved and not
//! touched, so that this costs the machine nothing.

use std::time::Duration;

use backend_local::LocalError;
use backend_sinv::Sinv;
use chan_impls::Spsc;
use res_api::{
    Backend, BackendError, Comp, Entry, Env, ErrorKind, Exit, Fault, Kind, Name, Receiver, Rx,
    Sender, Slot, Thread, Tx,
};

const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");
const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");

const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;
/// What it can have of memory, for whatever it is.
const MOST: usize = 64 * GIB;

/// Memory that is only reserved; none where the machine refuses it.
fn reserved(bytes: usize) -> Option<Vec<u8>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(bytes).ok().map(|()| memory)
}

/// All memory that there is, but for less than a MiB in one piece.
fn everything() -> Vec<Vec<u8>> {
    // To note what there is takes none any more.
    let (mut all, mut bytes) = (Vec::with_capacity(2 * MOST / GIB), GIB);
    while bytes >= MIB {
        assert!(all.len() < all.capacity(), "there is no end to it");
        match reserved(bytes) {
            Some(memory) => all.push(memory),
            None => bytes /= 2,
        }
    }
    all
}

/// A thread that does nothing, to its end.
fn a_thread(b: &Sinv) -> Result<(), LocalError> {
    let thread = b.thread(|| ())?;
    thread.start()?;
    assert_eq!(thread.join(b.within(Duration::from_secs(20))), Ok(Exit::Success));
    Ok(())
}

fn kind<T>(result: Result<T, LocalError>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

/// Takes all that there is, and lives on; once it is told so, gives it back.
fn takes_everything(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(FROM)?, env.take(TO)?);
    let all = everything();
    assert_eq!(kind(env.mem(4 * MIB as u64)), Some(ErrorKind::NoMemory));
    // Its stack is memory, too; and there is none of another one that has ended.
    assert_eq!(kind(a_thread(&env)), Some(ErrorKind::NoSlots));
    to.send(all.iter().map(Vec::capacity).sum::<usize>() as u64)?;
    from.recv()?;
    drop(all);
    drop(env.mem(4 * MIB as u64)?);
    a_thread(&env)?;
    Ok(to.send(0)?)
}

/// Has memory each time that it is asked for that.
fn has_memory(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(FROM)?, env.take(TO)?);
    while let Ok(n) = from.recv() {
        assert!(reserved(GIB).is_some());
        drop(env.mem(4 * MIB as u64)?);
        a_thread(&env)?;
        to.send(n)?;
    }
    Ok(())
}

type Ends = (<Spsc as Kind<Sinv>>::Snd<u64>, <Spsc as Kind<Sinv>>::Rcv<u64>);

/// A component that has begun, what goes to it, and what comes from it.
fn begun(system: &Sinv, name: &str, entry: impl Entry<Sinv>) -> (Comp<Sinv>, Ends) {
    let component = system.component(Name::parse(name).expect("a name"), entry).expect("made");
    let (tx, from) = system.chan::<Spsc, u64>(1).expect("a channel");
    let (to, rx) = system.chan::<Spsc, u64>(1).expect("a channel");
    component.endow(FROM, from).expect("endowed");
    component.endow(TO, to).expect("endowed");
    component.start().expect("started");
    (component, (tx, rx))
}

#[test]
fn who_has_no_memory_left_lives_on_and_harms_nobody() {
    let system = Sinv::new().expect("a system");
    let late = system.within(Duration::from_secs(60));
    let (sibling, (mut ask, mut answers)) = begun(&system, "sibling", has_memory);
    let (full, (mut tell, mut hear)) = begun(&system, "full", takes_everything);
    let mut asks = |n| {
        ask.send(n).expect("it listens");
        assert_eq!(answers.recv_until(late), Ok(n));
    };
    asks(1);
    let taken = hear.recv_until(late).expect("it lives");
    assert!(taken > 0 && taken <= MOST as u64, "{taken}");
    asks(2);
    tell.send(0).expect("it listens");
    assert_eq!(hear.recv_until(late), Ok(0), "it has some again");
    asks(3);
    drop(ask);
    for component in [full, sibling] {
        assert_eq!(component.wait(late), Ok(Exit::Success));
    }
}
