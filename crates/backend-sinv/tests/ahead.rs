//! Capabilities that come ahead of being asked for: without a request to the manager, and without what
//! is here already. (That they come in order, each once, wherever the end goes that receives them:
//! `direct`.)

use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::Spsc;
use res_api::{
    Backend, CapRx, Deadline, Env, Exit, Fault, FromCap, Gone, IntoCap, Kind, Name, Receiver,
    RecvError, Rx, Sender, Slot, Tx,
};
use res_kernel::sim::Seeds;
use res_kernel::{Isolation, Linux, Sim};

const ENDS: Slot<CapRx> = Slot::new("ends");
const GO: Slot<Rx<Spsc, u64>> = Slot::new("go");
const DID: Slot<Tx<Spsc, u64>> = Slot::new("did");
const READER: Name = Name::new("reader");
/// More than are ever under way at once.
const MANY: u64 = 5;

type Rcv<K> = <Spsc as Kind<Sinv<K>>>::Rcv<u64>;
type Rig<K> = (<Sinv<K> as Backend>::CapSnd, <Sinv<K> as Backend>::CapRcv);

/// What the end that comes next has to say.
fn number<K: Isolation>(
    ends: &mut <Sinv<K> as Backend>::CapRcv,
    late: Deadline,
) -> Result<u64, Fault> {
    let cap = ends.recv_until(late)?;
    Ok(Rcv::<K>::attach(cap).map_err(|error| error.reason.kind())?.recv_until(late)?)
}

const LATE: Duration = Duration::from_secs(100);

/// Has an end of each channel already, by which it gets the other; it drops the first in between.
fn has_it_already<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut did) = (env.take(ENDS)?, env.take(DID)?);
    for _ in 0..MANY {
        let tx = ends.recv_until(late)?;
        let tx = <<Spsc as Kind<Sinv<K>>>::Snd<u64>>::attach(tx);
        let mut tx = tx.map_err(|error| error.reason.kind())?;
        tx.send(7)?;
        let other = env.thread(move || drop(tx))?;
        res_api::Thread::start(&other)?;
        let seen = number::<K>(&mut ends, late)?;
        res_api::Thread::join(&other, late)?;
        did.send_until(seen, late)?;
    }
    Ok(())
}

/// A component that receives capabilities, and what it is led by.
struct Led<K: Isolation> {
    over: <Sinv<K> as Backend>::CapSnd,
    go: <Spsc as Kind<Sinv<K>>>::Snd<u64>,
    did: Rcv<K>,
    component: res_api::Comp<Sinv<K>>,
    late: Deadline,
}

impl<K: Isolation> Led<K> {
    fn new(system: &Sinv<K>, entry: impl res_api::Entry<Sinv<K>>) -> Self {
        let (over, ends): Rig<K> = system.chanchan(MANY as u32).expect("a channel");
        let (go, wait) = system.chan::<Spsc, u64>(1).expect("a channel");
        let (says, did) = system.chan::<Spsc, u64>(1).expect("a channel");
        let component = system.component(READER, entry).expect("made");
        component.endow(ENDS, ends).expect("endowed");
        component.endow(GO, wait).expect("endowed");
        component.endow(DID, says).expect("endowed");
        let late = system.within(LATE);
        Self { over, go, did, component, late }
    }

    fn start(&mut self) {
        self.component.start().expect("started");
    }

    fn ends_well(&self) {
        assert_eq!(self.component.wait(self.late), Ok(Exit::Success));
    }
}

fn what_is_mapped_is_not_sent_again<K: Isolation>(system: &Sinv<K>) {
    let mut led = Led::new(system, has_it_already::<K>);
    led.start();
    for _ in 0..MANY {
        let (tx, rx) = system.chan::<Spsc, u64>(1).expect("a channel");
        for end in [tx.into_cap(), rx.into_cap()] {
            led.over.send_until(end, led.late).expect("there is room");
        }
        assert_eq!(led.did.recv_until(led.late), Ok(7));
    }
    led.ends_well();
}

/// With a system of its own, of which nothing is left.
fn check<K: Isolation>(system: &Sinv<K>) {
    what_is_mapped_is_not_sent_again(system);
    let seen = system.inspect().expect("the manager is here");
    assert_eq!((seen.components.len(), seen.channels.len()), (1, 0), "{seen}");
}

#[test]
fn in_processes() {
    for _ in 0..20 {
        check::<Linux>(&Sinv::new().expect("a system"));
    }
}

#[test]
fn in_the_simulator() {
    Seeds::from_env(20).check("in_the_simulator", |sim| {
        check::<Sim>(&Sinv::on(sim, Limits::default()).expect("a system"));
    });
}

/// Counted, as the manager sees it: whoever receives asks for nothing.
#[test]
fn who_receives_asks_for_nothing() {
    fn counts(env: Env<Sinv>) -> Result<(), Fault> {
        let (mut ends, mut go, mut did) = (env.take(ENDS)?, env.take(GO)?, env.take(DID)?);
        // Kept, so that nothing is said about their end either.
        let mut kept = Vec::new();
        for n in 0..MANY {
            kept.push(ends.recv_until(env.within(LATE))?);
            did.send_until(n, env.within(LATE))?;
        }
        go.recv_until(env.within(LATE))?;
        Ok(())
    }
    let system = Sinv::new().expect("a system");
    let mut led = Led::new(&system, counts);
    led.start();
    let requests = || {
        let seen = system.inspect().expect("the manager is here");
        seen.components.iter().find(|it| it.name == READER).expect("it lives").requests
    };
    let mut before = None;
    let mut sent = Vec::new();
    for n in 0..MANY {
        let (tx, rx) = system.chan::<Spsc, u64>(1).expect("a channel");
        led.over.send_until(rx.into_cap(), led.late).expect("there is room");
        sent.push(tx);
        assert_eq!(led.did.recv_until(led.late), Ok(n));
        assert_eq!(requests(), *before.get_or_insert_with(&requests), "after {n} ends");
    }
    led.go.send_until(0, led.late).expect("it listens");
    led.ends_well();
    assert!(matches!(led.did.recv_until(led.late), Err(RecvError::Gone(Gone::Closed))));
}
