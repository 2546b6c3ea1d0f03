//! Several components send over one queue, whose sending end was published.

use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, BackendError, CapTx, Deadline, Env, ErrorKind, Exit, Fault, Gone, IntoCap,
    Kind, Name, Receiver, RecvError, Rx, SendError, Sender, Slot, TryRecvError, TrySendError, Tx,
};
use res_kernel::sim::Seeds;
use res_kernel::{Isolation, Linux};

const SERVICE: Name = Name::new("service");
const OVER: Slot<CapTx> = Slot::new("over");
const GO: Slot<Rx<Spsc, u64>> = Slot::new("go");
const DONE: Slot<Tx<Spsc, u64>> = Slot::new("done");

type Over<K> = <Sinv<K> as Backend>::CapSnd;

/// A sending end, as soon as there is one.
fn found<K: Isolation>(env: &Sinv<K>) -> Result<Over<K>, Fault> {
    loop {
        match env.lookup(SERVICE) {
            Ok(cap) => return Ok(cap.cast().map_err(|error| error.reason.kind())?),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                env.sleep(env.after(Duration::from_micros(50)));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A system with a queue that everybody knows, and its receiving end.
fn known<K: Isolation>(kernel: K, capacity: u32) -> (Sinv<K>, <Sinv<K> as Backend>::CapRcv) {
    let system = Sinv::on(kernel, Limits::default()).expect("a system");
    let (over, clients) = system.chanchan(capacity).expect("a queue");
    system.publish(SERVICE, over.into_cap()).expect("published");
    (system, clients)
}

/// Sends a channel over it, if there is room.
fn send_one<K: Isolation>(
    system: &Sinv<K>,
    over: &mut Over<K>,
) -> Result<(), TrySendError<<Sinv<K> as Backend>::Cap>> {
    let (tx, _rx) = system.chan::<Spsc, u64>(1).expect("a channel");
    over.try_send(tx.into_cap())
}

/// Sends that many channels over it, and hears its number on each.
fn sends<K: Isolation>(env: &Sinv<K>, over: &mut Over<K>, count: u64) -> Result<(), Fault> {
    for number in 0..count {
        let (tx, mut rx) = env.chan::<Spsc, u64>(1)?;
        let sent = over.send(tx.into_cap());
        sent.map_err(|_| Fault::new(ErrorKind::PeerGone, "the server is there"))?;
        assert_eq!(rx.recv().map_err(|_| number), Ok(7));
    }
    Ok(())
}

/// Answers so many.
fn answers<K: Isolation>(clients: &mut <Sinv<K> as Backend>::CapRcv, count: u64) {
    for _ in 0..count {
        let client = clients.recv().expect("one comes");
        let client = client.cast::<<Spsc as Kind<Sinv<K>>>::Snd<u64>>();
        client.expect("a sender").try_send(7).expect("it has room");
    }
}

const EACH: u64 = 4;

fn client<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    sends(&env, &mut found(&env)?, EACH)
}

/// There is room for fewer than there are.
fn all_are_served<K: Isolation>(kernel: K) {
    let system = Sinv::on(kernel, Limits::default()).expect("a system");
    for capacity in [1, 2] {
        let (over, mut clients) = system.chanchan(capacity).expect("a queue");
        let names = [Name::new("one"), Name::new("two"), Name::new("three")];
        let all = names.map(|name| system.component(name, client::<K>).expect("made"));
        all.iter().for_each(|client| client.start().expect("it starts"));
        let publisher = system.component(const { Name::new("publisher") }, publishes::<K>);
        let publisher = publisher.expect("made");
        publisher.endow(OVER, over).expect("endowed");
        let (go, goes) = system.chan::<Spsc, u64>(1).expect("a channel");
        publisher.endow(GO, goes).expect("endowed");
        publisher.start().expect("it starts");
        answers::<K>(&mut clients, 3 * EACH);
        all.iter().for_each(|it| assert_eq!(it.wait(Deadline::NEVER), Ok(Exit::Success)));
        // Nobody sends any more, but somebody could look it up.
        assert!(matches!(clients.try_recv(), Err(TryRecvError::Empty)));
        drop(go);
        assert_eq!(publisher.wait(Deadline::NEVER), Ok(Exit::Success));
        assert!(matches!(clients.recv(), Err(RecvError::Gone(Gone::Closed))));
    }
}

/// The name is there until it is told to go.
fn publishes<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    env.publish(SERVICE, env.take(OVER)?.into_cap()).map_err(|refused| refused.error)?;
    let _ = env.take(GO)?.recv();
    Ok(())
}

/// Has an end while its name goes, and tells when it has.
fn outlives_the_name<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let mut over = found(&env)?;
    env.take(DONE)?.send(1)?;
    let _ = env.take(GO)?.recv();
    sends(&env, &mut over, 1)
}

fn who_has_an_end_keeps_it<K: Isolation>(kernel: K) {
    let system = Sinv::on(kernel, Limits::default()).expect("a system");
    let (over, mut clients) = system.chanchan(2).expect("a queue");
    let publisher = system.component(const { Name::new("publisher") }, publishes::<K>);
    let client = system.component(const { Name::new("client") }, outlives_the_name::<K>);
    let (publisher, client) = (publisher.expect("made"), client.expect("made"));
    let (stop, stops) = system.chan::<Spsc, u64>(1).expect("a channel");
    let (go, goes) = system.chan::<Spsc, u64>(1).expect("a channel");
    let (done, mut is_done) = system.chan::<Spsc, u64>(1).expect("a channel");
    publisher.endow(OVER, over).expect("endowed");
    publisher.endow(GO, stops).expect("endowed");
    client.endow(GO, goes).expect("endowed");
    client.endow(DONE, done).expect("endowed");
    publisher.start().expect("it starts");
    client.start().expect("it starts");
    assert_eq!(is_done.recv(), Ok(1));
    drop(stop);
    assert_eq!(publisher.wait(Deadline::NEVER), Ok(Exit::Success));
    drop(go);
    answers::<K>(&mut clients, 1);
    assert!(matches!(clients.recv(), Err(RecvError::Gone(Gone::Closed))));
    assert_eq!(client.wait(Deadline::NEVER), Ok(Exit::Success));
}

/// Sends until nobody receives any more.
fn fills<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let mut over = found(&env)?;
    loop {
        let (tx, _rx) = env.chan::<Spsc, u64>(1)?;
        match over.send(tx.into_cap()) {
            Ok(()) => {}
            Err(SendError::Gone(_, Gone::Closed)) => return Ok(()),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn all_learn_that_nobody_receives<K: Isolation>(kernel: K) {
    let (system, mut clients) = known(kernel, 2);
    let names = [Name::new("one"), Name::new("two")];
    let all = names.map(|name| system.component(name, fills::<K>).expect("made"));
    all.iter().for_each(|client| client.start().expect("it starts"));
    for _ in 0..3 {
        clients.recv().expect("they send");
    }
    drop(clients);
    all.iter().for_each(|it| assert_eq!(it.wait(Deadline::NEVER), Ok(Exit::Success)));
}

/// One that fills the queue leaves room for another.
fn there_is_room_beside_one_that_floods<K: Isolation>(kernel: K) {
    let (system, mut clients) = known(kernel, 4);
    let flood = system.component(const { Name::new("flood") }, fills::<K>).expect("made");
    flood.start().expect("it starts");
    // It may fill all of it as long as it is alone.
    while clients.len() < 4 {
        system.sleep(system.after(Duration::from_micros(50)));
    }
    let mut over = found(&system).expect("it is published");
    // Somebody else is there from now on: that makes room, and it stays.
    for _ in 0..2 {
        clients.recv().expect("it sends");
    }
    send_one(&system, &mut over).expect("there is room");
    assert!(matches!(send_one(&system, &mut over), Err(TrySendError::Full(_))));
    drop(clients);
    assert_eq!(flood.wait(Deadline::NEVER), Ok(Exit::Success));
}

/// Has a queue that everybody knows, and receives nothing.
fn is_known<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let (over, _clients) = env.chanchan(2)?;
    env.publish(SERVICE, over.into_cap()).map_err(|refused| refused.error)?;
    let _ = env.take(GO)?.recv();
    Ok(())
}

fn as_many_as_there_is_room_for<K: Isolation>(kernel: K) {
    let system = Sinv::on(kernel, Limits::default()).expect("a system");
    let server = system.component(const { Name::new("server") }, is_known::<K>).expect("made");
    let (go, goes) = system.chan::<Spsc, u64>(1).expect("a channel");
    server.endow(GO, goes).expect("endowed");
    server.start().expect("it starts");
    let mut over = found(&system).expect("it is published");
    let mut send = || send_one(&system, &mut over);
    assert!(send().is_ok() && send().is_ok());
    assert!(matches!(send(), Err(TrySendError::Full(_))));
    drop(go);
    assert_eq!(server.wait(Deadline::NEVER), Ok(Exit::Success));
}

/// May have one queue at once.
fn again_and_again<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    for _ in 0..3 {
        let (over, mut clients) = env.chanchan(1)?;
        let publisher = env.component(const { Name::new("publisher") }, publishes::<K>)?;
        let (go, goes) = env.chan::<Spsc, u64>(1)?;
        publisher.endow(OVER, over)?;
        publisher.endow(GO, goes)?;
        publisher.start()?;
        let mut over = found(&env)?;
        let (tx, _rx) = env.chan::<Spsc, u64>(1)?;
        over.send(tx.into_cap()).expect("there is room");
        drop(go);
        publisher.wait(Deadline::NEVER)?.ok()?;
        clients.recv().expect("it was sent");
        drop((over, clients));
    }
    Ok(())
}

fn nothing_of_it_stays<K: Isolation>(kernel: K) {
    let limits = Limits { queues: 1, ..Limits::default() };
    let system = Sinv::on(kernel, limits).expect("a system");
    let it = system.component(const { Name::new("it") }, again_and_again::<K>).expect("made");
    it.start().expect("it starts");
    assert_eq!(it.wait(Deadline::NEVER), Ok(Exit::Success));
}

/// Sends a channel that is made for the queue, and hears what is said there.
fn makes_for_it<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let mut over = found(&env)?;
    let (tx, mut rx) = env.chan_for::<Spsc, u64>(&over, 1)?;
    over.send(tx.into_cap()).map_err(|_| Fault::new(ErrorKind::PeerGone, "the server is there"))?;
    assert_eq!(rx.recv_until(env.within(Duration::from_secs(20))), Ok(7));
    Ok(())
}

fn what_is_made_for_it_arrives<K: Isolation>(kernel: K) {
    let (system, mut clients) = known(kernel, 2);
    let client = system.component(const { Name::new("client") }, makes_for_it::<K>).expect("made");
    client.start().expect("it starts");
    let late = system.within(Duration::from_secs(20));
    let came = clients.recv_until(late).expect("it has come");
    let came = came.cast::<<Spsc as Kind<Sinv<K>>>::Snd<u64>>();
    came.expect("a sender").try_send(7).expect("it has room");
    assert_eq!(client.wait(Deadline::NEVER), Ok(Exit::Success));
}

/// Has an end, and sends nothing, until it is told to go.
fn holds<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let _over = env.take(OVER)?;
    env.take(DONE)?.send(1)?;
    let _ = env.take(GO)?.recv();
    Ok(())
}

/// There is less room as soon as somebody else has an end: whoever has enough is told so, and not that
/// anybody misbehaves, however often it asks.
fn who_has_enough_may_ask_again<K: Isolation>(kernel: K) {
    let (system, _clients) = known(kernel, 4);
    let mut over = found(&system).expect("it is published");
    let other = system.component(const { Name::new("other") }, holds::<K>).expect("made");
    let (done, mut is_done) = system.chan::<Spsc, u64>(1).expect("a channel");
    let (go, goes) = system.chan::<Spsc, u64>(1).expect("a channel");
    other.endow(OVER, found(&system).expect("it is published")).expect("endowed");
    other.endow(DONE, done).expect("endowed");
    other.endow(GO, goes).expect("endowed");
    let mut send = || send_one(&system, &mut over);
    (0..3).for_each(|_| send().expect("it is alone"));
    other.start().expect("it starts");
    assert_eq!(is_done.recv(), Ok(1));
    for _ in 0..1100 {
        let sent = send();
        assert!(matches!(sent, Err(TrySendError::Full(_))), "{sent:?}");
    }
    drop(go);
    assert_eq!(other.wait(Deadline::NEVER), Ok(Exit::Success));
    send().expect("it is alone again");
}

/// Sends two, and waits for nothing but room.
fn sends_two<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let mut over = found(&env)?;
    for _ in 0..2 {
        let (tx, _rx) = env.chan::<Spsc, u64>(1)?;
        over.send(tx.into_cap()).expect("there will be room");
    }
    Ok(())
}

/// There is more room as soon as nobody else has an end, and whoever waits for it learns that.
fn who_is_alone_again_goes_on<K: Isolation>(kernel: K) {
    let (system, clients) = known(kernel, 2);
    let mine = found(&system).expect("it is published");
    let client = system.component(const { Name::new("client") }, sends_two::<K>).expect("made");
    client.start().expect("it starts");
    while clients.is_empty() {
        system.sleep(system.after(Duration::from_micros(50)));
    }
    // It is on its way, and nobody's.
    let (mut away, _nobody) = system.chanchan(1).expect("a queue");
    away.send(mine.into_cap()).expect("there is room");
    assert_eq!(client.wait(Deadline::NEVER), Ok(Exit::Success));
    assert_eq!(clients.len(), 2);
}

/// It has no limits but its machine's.
fn whoever_composes_has_as_many_as_it_likes<K: Isolation>(kernel: K) {
    let (system, _clients) = known(kernel, 1);
    let all: Vec<_> = (0..100).map(|_| found(&system).expect("it is published")).collect();
    assert_eq!(all.len(), 100);
}

#[test]
fn on_linux() {
    who_has_enough_may_ask_again(Linux::new());
    who_is_alone_again_goes_on(Linux::new());
    whoever_composes_has_as_many_as_it_likes(Linux::new());
    what_is_made_for_it_arrives(Linux::new());
    as_many_as_there_is_room_for(Linux::new());
    nothing_of_it_stays(Linux::new());
    all_are_served(Linux::new());
    who_has_an_end_keeps_it(Linux::new());
    all_learn_that_nobody_receives(Linux::new());
    there_is_room_beside_one_that_floods(Linux::new());
}

#[test]
fn whoever_is_faster() {
    Seeds::from_env(60).check("several senders", all_are_served);
    Seeds::from_env(60).check("an end that outlives its name", who_has_an_end_keeps_it);
    Seeds::from_env(60).check("a receiver that leaves", all_learn_that_nobody_receives);
    Seeds::from_env(60).check("one that floods", there_is_room_beside_one_that_floods);
    Seeds::from_env(60).check("nothing but capacity", as_many_as_there_is_room_for);
    Seeds::from_env(60).check("what is left", nothing_of_it_stays);
    Seeds::from_env(60).check("what is made for it", what_is_made_for_it_arrives);
    Seeds::from_env(60).check("alone again", who_is_alone_again_goes_on);
    Seeds::from_env(6).check("enough", who_has_enough_may_ask_again);
}
