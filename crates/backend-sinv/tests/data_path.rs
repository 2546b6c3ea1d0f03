//! What goes through a channel between two processes asks nobody: not the manager, and, as long as
//! nobody sleeps, not the machine. Nor does a call, or what a group in another process is told.

#[path = "data_path/calls.rs"]
mod calls;
#[path = "data_path/channels.rs"]
mod channels;
#[path = "data_path/filter.rs"]
mod filter;
#[path = "data_path/groups.rs"]
mod groups;
#[path = "data_path/loans.rs"]
mod loans;
#[path = "data_path/waits.rs"]
mod waits;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backend_sinv::Sinv;
use res_api::{
    Backend, Comp, Entry, Exit, Kind, Message, Name, Receiver, Rx, Sender, Slot, Source, Tx,
};

use filter::call_nobody;

const PARTNER: Name = Name::new("partner");
const FROM: Name = Name::new("from");
const TO: Name = Name::new("to");

/// How often each is done.
fn trips() -> u64 {
    if std::env::var_os("RES_LONG").is_some_and(|value| value == "1") { 20_000 } else { 2_000 }
}

type Snd<K, T> = <K as Kind<Sinv>>::Snd<T>;
type Rcv<K, T> = <K as Kind<Sinv>>::Rcv<T>;

/// Until it is dropped, no other test runs: each has two who do not sleep.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The component at the other end. It never sleeps.
fn partner(system: &Sinv, entry: impl Entry<Sinv>) -> Comp<Sinv> {
    system.component(PARTNER, entry).expect("a component")
}

/// Does that in a thread which calls nobody, but by those calls, while all of the system asks the manager
/// for nothing.
fn asking_nobody<T: Send + 'static>(
    system: &Sinv,
    but: &'static [i64],
    act: impl FnOnce() -> T + Send + 'static,
) -> T {
    let requests = || {
        let seen = system.inspect().expect("the manager is here");
        seen.components.iter().map(|member| member.requests).collect::<Vec<_>>()
    };
    let before = requests();
    let acts = std::thread::spawn(move || {
        call_nobody(but);
        act()
    });
    let done = acts.join().expect("it ends well");
    assert_eq!(requests(), before, "asked of the manager");
    done
}

/// How many of so many are made well, one after the other.
fn count(trips: u64, mut trip: impl FnMut(u64) -> bool) -> u64 {
    (0..trips).take_while(|n| trip(*n)).count() as u64
}

/// It ends when there is nothing more to do.
fn ends_well(system: &Sinv, component: &Comp<Sinv>) {
    let late = system.within(Duration::from_secs(20));
    assert_eq!(component.wait(late), Ok(Exit::Success));
}

/// Goes to a partner and back over two channels of one kind, again and again, and asks nobody.
fn there_and_back<K: Kind<Sinv>, T: Message>(
    entry: impl Entry<Sinv>,
    first: T,
    (trips, but): (u64, &'static [i64]),
    mut trip: impl FnMut(&mut Snd<K, T>, &mut Rcv<K, T>, u64) -> bool + Send + 'static,
) {
    let _alone = alone();
    let system = Sinv::new().expect("a system");
    let (mut tx, from) = system.chan::<K, T>(8).expect("a channel");
    let (to, mut rx) = system.chan::<K, T>(8).expect("a channel");
    let component = partner(&system, entry);
    component.endow(Slot::<Rx<K, T>>::named(FROM), from).expect("endowed");
    component.endow(Slot::<Tx<K, T>>::named(TO), to).expect("endowed");
    component.start().expect("started");
    tx.send(first).map_err(|_| ()).expect("it listens");
    // Who has slept for long spins less.
    while !rx.ready() {
        std::thread::yield_now();
    }
    assert!(rx.recv().is_ok(), "it has begun");

    let (tx, rx, done) = asking_nobody(&system, but, move || {
        let done = count(trips, |n| trip(&mut tx, &mut rx, n));
        (tx, rx, done)
    });
    assert_eq!(done, trips);
    drop((tx, rx));
    ends_well(&system, &component);
}
