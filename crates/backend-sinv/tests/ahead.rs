//! Capabilities that come ahead of being asked for: in order, each once, wherever the end goes that
//! receives them, and without a request to the manager.

use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::Spsc;
use res_api::{
    Backend, CapRx, CapTx, Deadline, Env, Exit, Fault, FromCap, Gone, IntoCap, Kind, Name,
    Receiver, RecvError, Rx, Sender, Slot, TryRecvError, Tx,
};
use res_kernel::sim::Seeds;
use res_kernel::{Isolation, Linux, Sim};

const ENDS: Slot<CapRx> = Slot::new("ends");
const BACK: Slot<CapTx> = Slot::new("back");
const GO: Slot<Rx<Spsc, u64>> = Slot::new("go");
const DID: Slot<Tx<Spsc, u64>> = Slot::new("did");
const READER: Name = Name::new("reader");
/// More than are ever under way at once.
const MANY: u64 = 20;
/// Fewer.
const FEW: u64 = 5;

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

/// Sends the receiving ends of channels that say `numbers`; the sending ends.
fn send_numbers<K: Isolation>(
    system: &Sinv<K>,
    over: &mut <Sinv<K> as Backend>::CapSnd,
    numbers: core::ops::Range<u64>,
) -> Result<Vec<<Spsc as Kind<Sinv<K>>>::Snd<u64>>, Fault> {
    let late = system.within(LATE);
    numbers
        .map(|number| {
            let (mut tx, rx) = system.chan::<Spsc, u64>(1)?;
            tx.send(number)?;
            over.send_until(rx.into_cap(), late)?;
            Ok(tx)
        })
        .collect()
}

const LATE: Duration = Duration::from_secs(100);

/// Takes all there is, and says what.
fn takes_all<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut go, mut did) = (env.take(ENDS)?, env.take(GO)?, env.take(DID)?);
    go.recv_until(late)?;
    for _ in 0..MANY {
        did.send_until(number::<K>(&mut ends, late)?, late)?;
    }
    Ok(())
}

/// Takes one, and gives the rest away with the end that would receive it.
fn gives_the_rest<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut back) = (env.take(ENDS)?, env.take(BACK)?);
    let (mut go, mut did) = (env.take(GO)?, env.take(DID)?);
    go.recv_until(late)?;
    did.send_until(number::<K>(&mut ends, late)?, late)?;
    back.send_until(ends.into_cap(), late)?;
    Ok(())
}

/// Takes one, and drops the end that would receive the rest.
fn drops_the_rest<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut go, mut did) = (env.take(ENDS)?, env.take(GO)?, env.take(DID)?);
    go.recv_until(late)?;
    let one = number::<K>(&mut ends, late)?;
    drop(ends);
    did.send_until(one, late)?;
    go.recv_until(late)?;
    Ok(())
}

/// Has an end of each channel already, by which it gets the other; it drops the first in between.
fn has_it_already<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut did) = (env.take(ENDS)?, env.take(DID)?);
    for _ in 0..FEW {
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
    system: Sinv<K>,
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
        Self { system: system.clone(), over, go, did, component, late }
    }

    fn start(&mut self) {
        self.component.start().expect("started");
    }

    fn ends_well(&self) {
        assert_eq!(self.component.wait(self.late), Ok(Exit::Success));
    }
}

fn all_come_in_order<K: Isolation>(system: &Sinv<K>) {
    let mut led = Led::new(system, takes_all::<K>);
    led.start();
    let first = send_numbers(&led.system, &mut led.over, 0..FEW).expect("there is room");
    led.go.send_until(0, led.late).expect("it listens");
    let more = send_numbers(&led.system, &mut led.over, FEW..MANY).expect("there is room");
    for expected in 0..MANY {
        assert_eq!(led.did.recv_until(led.late), Ok(expected));
    }
    led.ends_well();
    drop((first, more));
}

fn the_rest_goes_with_its_end<K: Isolation>(system: &Sinv<K>) {
    let mut led = Led::new(system, gives_the_rest::<K>);
    let (back, mut returned) = system.chanchan(1).expect("a channel");
    led.component.endow(BACK, back).expect("endowed");
    led.start();
    let sent = send_numbers(system, &mut led.over, 0..MANY).expect("there is room");
    led.go.send_until(0, led.late).expect("it listens");
    assert_eq!(led.did.recv_until(led.late), Ok(0));
    let ends = returned.recv_until(led.late).expect("it comes back");
    let mut ends = <Sinv<K> as Backend>::CapRcv::attach(ends).expect("it receives ends");
    for expected in 1..MANY {
        assert_eq!(number::<K>(&mut ends, led.late).map_err(|fault| fault.kind()), Ok(expected));
    }
    assert!(matches!(ends.try_recv(), Err(TryRecvError::Empty)), "each comes once");
    led.ends_well();
    drop(sent);
}

fn the_rest_leaves_with_its_end<K: Isolation>(system: &Sinv<K>) {
    let mut led = Led::new(system, drops_the_rest::<K>);
    led.start();
    let sent = send_numbers(system, &mut led.over, 0..FEW).expect("there is room");
    led.go.send_until(0, led.late).expect("it listens");
    assert_eq!(led.did.recv_until(led.late), Ok(0));
    for mut tx in sent {
        // The message is on its way; behind it somebody has to hear that nobody reads it.
        let gone = loop {
            match tx.send_until(1, led.late) {
                Ok(()) => {}
                Err(res_api::SendError::Gone(_, gone)) => break gone,
                Err(res_api::SendError::TimedOut(_)) => panic!("nobody says that it is gone"),
                Err(other) => panic!("{other:?}"),
            }
        };
        assert_eq!(gone, Gone::Closed);
    }
    led.go.send_until(0, led.late).expect("it lives");
    led.ends_well();
}

fn what_is_mapped_is_not_sent_again<K: Isolation>(system: &Sinv<K>) {
    let mut led = Led::new(system, has_it_already::<K>);
    led.start();
    for _ in 0..FEW {
        let (tx, rx) = system.chan::<Spsc, u64>(1).expect("a channel");
        for end in [tx.into_cap(), rx.into_cap()] {
            led.over.send_until(end, led.late).expect("there is room");
        }
        assert_eq!(led.did.recv_until(led.late), Ok(7));
    }
    led.ends_well();
}

/// Each of them, with a system of its own, of which nothing is left.
fn each<K: Isolation>(mut make: impl FnMut() -> Sinv<K>) {
    let cases: [fn(&Sinv<K>); 4] = [
        all_come_in_order,
        the_rest_goes_with_its_end,
        the_rest_leaves_with_its_end,
        what_is_mapped_is_not_sent_again,
    ];
    for case in cases {
        let system = make();
        case(&system);
        let seen = system.inspect().expect("the manager is here");
        assert_eq!((seen.components.len(), seen.channels.len()), (1, 0), "{seen}");
    }
}

#[test]
fn in_processes() {
    for _ in 0..20 {
        each::<Linux>(|| Sinv::new().expect("a system"));
    }
}

#[test]
fn in_the_simulator() {
    Seeds::from_env(20).check("in_the_simulator", |sim| {
        each::<Sim>(|| Sinv::on(sim, Limits::default()).expect("a system"));
    });
}

/// Counted, as the manager sees it: whoever receives asks for nothing.
#[test]
fn who_receives_asks_for_nothing() {
    fn counts(env: Env<Sinv>) -> Result<(), Fault> {
        let (mut ends, mut go, mut did) = (env.take(ENDS)?, env.take(GO)?, env.take(DID)?);
        // Kept, so that nothing is said about their end either.
        let mut kept = Vec::new();
        for n in 0..FEW {
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
    for n in 0..FEW {
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
