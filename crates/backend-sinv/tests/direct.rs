//! Capabilities that go from one component to another without the manager: in memory that is lent for
//! that, and used again and again. With those that go by the manager they come in order, each once,
//! wherever the ends of the queue go; and whoever loses one is told.

use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    AnyCap, Backend, CapRx, CapTx, Comp, Deadline, Entry, Env, EvtGrp, Exit, Fault, FromCap, Gone,
    IntoCap, Kind, Name, Receiver, RecvError, Rx, SendError, Sender, Slot, Thread, Trigger,
    TryRecvError, Tx,
};
use res_kernel::sim::Seeds;
use res_kernel::{Isolation, Linux, Sim};

const ENDS: Slot<CapRx> = Slot::new("ends");
const BACK: Slot<CapTx> = Slot::new("back");
const GO: Slot<Rx<Spsc, u64>> = Slot::new("go");
const DID: Slot<Tx<Spsc, u64>> = Slot::new("did");
const OTHER: Name = Name::new("other");
const LATE: Duration = Duration::from_secs(100);
/// More than there are places in a queue for what goes directly.
const MANY: u64 = 20;

type CapSnd<K> = <Sinv<K> as Backend>::CapSnd;
type CapRcv<K> = <Sinv<K> as Backend>::CapRcv;
type Snd<K> = <Spsc as Kind<Sinv<K>>>::Snd<u64>;
type Rcv<K> = <Spsc as Kind<Sinv<K>>>::Rcv<u64>;
type LargeSnd<K> = <ZeroCopy as Kind<Sinv<K>>>::Snd<u64>;
type LargeRcv<K> = <ZeroCopy as Kind<Sinv<K>>>::Rcv<u64>;

fn attach<C: AnyCap, E: FromCap<C>>(cap: C) -> Result<E, Fault> {
    Ok(E::attach(cap).map_err(|error| error.reason.kind())?)
}

/// A component, and what it is led by.
struct Led<K: Isolation> {
    system: Sinv<K>,
    over: CapSnd<K>,
    go: Snd<K>,
    did: Rcv<K>,
    back: CapRcv<K>,
    component: Comp<Sinv<K>>,
    late: Deadline,
}

impl<K: Isolation> Led<K> {
    fn new(system: &Sinv<K>, entry: impl Entry<Sinv<K>>) -> Self {
        Self::with(system, entry, |_| {})
    }

    /// One that is endowed with more.
    fn with(
        system: &Sinv<K>,
        entry: impl Entry<Sinv<K>>,
        endow: impl FnOnce(&Comp<Sinv<K>>),
    ) -> Self {
        let (over, ends) = system.chanchan(MANY as u32).expect("a channel");
        let (returns, back) = system.chanchan(MANY as u32).expect("a channel");
        let (go, wait) = system.chan::<Spsc, u64>(1).expect("a channel");
        let (says, did) = system.chan::<Spsc, u64>(1).expect("a channel");
        let component = system.component(OTHER, entry).expect("made");
        component.endow(ENDS, ends).expect("endowed");
        component.endow(BACK, returns).expect("endowed");
        component.endow(GO, wait).expect("endowed");
        component.endow(DID, says).expect("endowed");
        endow(&component);
        component.start().expect("started");
        let late = system.within(LATE);
        Self { system: system.clone(), over, go, did, back, component, late }
    }

    fn go(&mut self) {
        self.go.send_until(0, self.late).expect("it listens");
    }

    fn done(&mut self) -> u64 {
        self.did.recv_until(self.late).expect("it does it")
    }

    /// A channel for what goes over, or one that the manager has to know of.
    fn chan(&self, directly: bool) -> (Snd<K>, Rcv<K>) {
        let made = match directly {
            true => self.system.chan_for::<Spsc, u64>(&self.over, 1),
            false => self.system.chan::<Spsc, u64>(1),
        };
        made.expect("a channel")
    }

    /// Sends the receiving end of a channel that says a number.
    fn send_number(&mut self, number: u64, directly: bool) -> Snd<K> {
        let (mut tx, rx) = self.chan(directly);
        tx.send(number).expect("there is room");
        self.over.send_until(rx.into_cap(), self.late).expect("there is room");
        tx
    }

    /// The same, of a channel of a kind that is made in several objects.
    fn send_large_number(&mut self, number: u64) -> LargeSnd<K> {
        let made = self.system.chan_for::<ZeroCopy, u64>(&self.over, 2);
        let (mut tx, rx) = made.expect("a channel");
        tx.send(number).expect("there is room");
        self.over.send_until(rx.into_cap(), self.late).expect("there is room");
        tx
    }

    fn ends_well(&self) {
        assert_eq!(self.component.wait(self.late), Ok(Exit::Success));
    }

    /// Requests to the manager so far, of all together.
    fn requests(&self) -> u64 {
        let seen = self.system.inspect().expect("the manager is here");
        seen.components.iter().map(|member| member.requests).sum()
    }
}

/// In how many rounds somebody asked the manager: of so many requests so far, round by round.
fn rounds_that_asked(asked: &[u64]) -> usize {
    asked.windows(2).filter(|pair| pair[0] != pair[1]).count()
}

/// What the end that comes next has to say.
fn number<K: Isolation>(ends: &mut CapRcv<K>, late: Deadline) -> Result<u64, Fault> {
    let mut rx: Rcv<K> = attach(ends.recv_until(late)?)?;
    Ok(rx.recv_until(late)?)
}

/// Answers over each end that comes.
fn answers<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut n) = (env.take(ENDS)?, 0);
    while let Ok(cap) = ends.recv_until(late) {
        let mut tx: Snd<K> = attach(cap)?;
        tx.send_until(n, late)?;
        n += 1;
    }
    Ok(())
}

/// Made, passed, used and dropped, over and over: nobody asks the manager for anything any more.
fn answers_ask_for_nothing<K: Isolation>(system: &Sinv<K>, rounds: u64) {
    let mut led = Led::new(system, answers::<K>);
    let mut asked = Vec::new();
    for n in 0..rounds {
        let (tx, mut rx) = led.chan(true);
        led.over.send_until(tx.into_cap(), led.late).expect("there is room");
        assert_eq!(rx.recv_until(led.late), Ok(n));
        asked.push(led.requests());
    }
    // As many objects as were ever in use at once: a few.
    assert!(rounds_that_asked(&asked) < 10, "{asked:?}");
    drop(led.over);
    assert_eq!(led.component.wait(led.late), Ok(Exit::Success));
}

/// Gives back each end that comes.
fn returns<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut back) = (env.take(ENDS)?, env.take(BACK)?);
    while let Ok(cap) = ends.recv_until(late) {
        back.send_until(cap, late)?;
    }
    Ok(())
}

/// There and back, over and over, and each time it is used.
fn an_end_comes_back<K: Isolation>(system: &Sinv<K>, rounds: u64) {
    let mut led = Led::new(system, returns::<K>);
    let (tx, mut rx) = led.chan(true);
    let (mut end, mut asked) = (tx.into_cap(), Vec::new());
    for n in 0..rounds {
        led.over.send_until(end, led.late).expect("there is room");
        let mut tx: Snd<K> = attach(led.back.recv_until(led.late).expect("it comes back")).unwrap();
        tx.send(n).expect("there is room");
        assert_eq!(rx.recv(), Ok(n));
        end = tx.into_cap();
        asked.push(led.requests());
    }
    // One asked whether it may go back, and one whether it may come from there.
    assert!(rounds_that_asked(&asked) < 3, "{asked:?}");
    drop(end);
    assert_eq!(rx.recv_until(led.late), Err(RecvError::Gone(Gone::Closed)));
    drop(led.over);
    assert_eq!(led.component.wait(led.late), Ok(Exit::Success));
}

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

/// Which of so many go directly.
const MIXTURES: [fn(u64) -> bool; 6] =
    [|_| true, |_| false, |n| n % 2 == 0, |n| n % 2 == 1, |n| n < 3, |n| n % 5 != 0];

fn all_come_in_order<K: Isolation>(system: &Sinv<K>) {
    for directly in MIXTURES {
        let mut led = Led::new(system, takes_all::<K>);
        let few = MANY / 4;
        let first: Vec<_> = (0..few).map(|n| led.send_number(n, directly(n))).collect();
        led.go();
        let more: Vec<_> = (few..MANY).map(|n| led.send_number(n, directly(n))).collect();
        for expected in 0..MANY {
            assert_eq!(led.done(), expected);
        }
        led.ends_well();
        drop((first, more));
    }
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

fn the_rest_goes_with_its_end<K: Isolation>(system: &Sinv<K>) {
    for directly in MIXTURES {
        let mut led = Led::new(system, gives_the_rest::<K>);
        let half = MANY / 2;
        let sent: Vec<_> = (0..half).map(|n| led.send_number(n, directly(n))).collect();
        led.go();
        assert_eq!(led.done(), 0);
        // While the end is on its way.
        let more: Vec<_> = (half..MANY).map(|n| led.send_number(n, directly(n))).collect();
        let mut ends: CapRcv<K> =
            attach(led.back.recv_until(led.late).expect("it comes")).expect("it receives ends");
        for expected in 1..MANY {
            let said = number::<K>(&mut ends, led.late).map_err(|fault| fault.kind());
            assert_eq!(said, Ok(expected));
        }
        assert!(matches!(ends.try_recv(), Err(TryRecvError::Empty)), "each comes once");
        led.ends_well();
        drop((sent, more));
    }
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

/// Dies with what it has not received.
fn dies_with_the_rest<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut go, mut did) = (env.take(ENDS)?, env.take(GO)?, env.take(DID)?);
    go.recv_until(late)?;
    did.send_until(number::<K>(&mut ends, late)?, late)?;
    panic!("it dies, as it is to");
}

/// Sends until that says why it cannot.
fn told<K: Isolation>(tx: &mut Snd<K>, late: Deadline) -> Gone {
    loop {
        match tx.send_until(1, late) {
            Ok(()) => {}
            Err(SendError::Gone(_, gone)) => return gone,
            Err(SendError::TimedOut(_)) => panic!("nobody says that it is gone"),
            Err(other) => panic!("{other:?}"),
        }
    }
}

/// What is sent before, meanwhile and behind: of each somebody hears.
fn the_rest_leaves_with_its_end<K: Isolation>(system: &Sinv<K>) {
    for (why, exit) in [(Gone::Closed, Exit::Success), (Gone::PeerGone, Exit::Died)] {
        for directly in MIXTURES {
            let mut led = match why {
                Gone::Closed => Led::new(system, drops_the_rest::<K>),
                _ => Led::new(system, dies_with_the_rest::<K>),
            };
            let mut sent: Vec<_> = (0..4).map(|n| led.send_number(n, directly(n))).collect();
            led.go();
            for n in 4..MANY {
                let (mut tx, rx) = led.chan(directly(n));
                tx.send(n).expect("there is room");
                match led.over.send_until(rx.into_cap(), led.late) {
                    Ok(()) => sent.push(tx),
                    Err(SendError::Gone(cap, gone)) => {
                        assert_eq!(gone, why);
                        drop(cap);
                        assert_eq!(told::<K>(&mut tx, led.late), Gone::Closed);
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            assert_eq!(led.done(), 0);
            for mut tx in sent {
                let gone = told::<K>(&mut tx, led.late);
                // The first may have been received, and dropped, before it died.
                assert!(gone == why || gone == Gone::Closed, "{gone:?}");
            }
            if exit == Exit::Success {
                led.go();
            }
            assert_eq!(led.component.wait(led.late), Ok(exit));
        }
    }
}

/// Sends ends, and dies: what it has sent is received, and behind what it said there is nothing.
fn sends_and_dies<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let mut back = env.take(BACK)?;
    let mut kept = Vec::new();
    for n in 0..4 {
        let (mut tx, rx) = env.chan_for::<Spsc, u64>(&back, 1)?;
        tx.send_until(n, late)?;
        back.send_until(rx.into_cap(), late)?;
        kept.push(tx);
    }
    // As if it had been killed: nothing says by itself that it is gone.
    std::mem::forget((kept, back));
    panic!("it dies, as it is to");
}

fn what_the_dead_have_sent_comes<K: Isolation>(system: &Sinv<K>) {
    for first in [false, true] {
        let mut led = Led::new(system, sends_and_dies::<K>);
        let mut received = Vec::new();
        if first {
            received.push(led.back.recv_until(led.late).expect("it was sent"));
        }
        assert_eq!(led.component.wait(led.late), Ok(Exit::Died));
        while let Ok(cap) = led.back.recv_until(led.late) {
            received.push(cap);
        }
        assert_eq!(received.len(), 4);
        for (n, cap) in (0..).zip(received) {
            let mut rx: Rcv<K> = attach(cap).expect("it receives");
            assert_eq!(rx.recv_until(led.late), Ok(n));
            assert_eq!(rx.recv_until(led.late), Err(RecvError::Gone(Gone::PeerGone)));
        }
        let gone = led.back.recv_until(led.late).expect_err("there is no more");
        assert_eq!(gone, RecvError::Gone(Gone::PeerGone));
    }
}

/// Keeps all that comes, then says a number over each; how many heard it.
fn keeps<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut go, mut did) = (env.take(ENDS)?, env.take(GO)?, env.take(DID)?);
    let mut kept = Vec::new();
    for _ in 0..MANY {
        kept.push(attach::<_, Snd<K>>(ends.recv_until(late)?)?);
    }
    go.recv_until(late)?;
    let heard = (0..).zip(&mut kept).map(|(n, tx)| tx.send_until(n, late).is_ok()).filter(|it| *it);
    Ok(did.send_until(heard.count() as u64, late)?)
}

/// As long as anything is there that was made in it, memory is not used for anything else.
fn what_is_kept_keeps_its_memory<K: Isolation>(system: &Sinv<K>) {
    let mut led = Led::new(system, keeps::<K>);
    let mut reads = Vec::new();
    for n in 0..MANY {
        let (tx, rx) = led.chan(true);
        led.over.send_until(tx.into_cap(), led.late).expect("there is room");
        // What nobody reads any more is all the other one's.
        reads.extend((n % 2 == 1).then_some((n, rx)));
    }
    led.go();
    assert_eq!(led.done(), MANY / 2);
    for (n, mut rx) in reads {
        assert_eq!(rx.recv_until(led.late), Ok(n));
        assert_eq!(rx.recv_until(led.late), Err(RecvError::Gone(Gone::Closed)));
    }
    led.ends_well();
}

/// Nor as long as it is on its way back.
fn what_comes_back_keeps_its_memory<K: Isolation>(system: &Sinv<K>) {
    let mut led = Led::new(system, returns::<K>);
    let mut reads = Vec::new();
    for n in 0..MANY {
        let (tx, rx) = led.chan(true);
        led.over.send_until(tx.into_cap(), led.late).expect("there is room");
        let back = n as u32 + 1;
        while led.back.len() < back {
            system.yield_now();
        }
        reads.extend((n % 2 == 1).then_some((n, rx)));
    }
    let mut heard = 0;
    for n in 0..MANY {
        let back = led.back.recv_until(led.late).expect("it comes back");
        let mut tx: Snd<K> = attach(back).expect("it sends");
        heard += u64::from(tx.send_until(n, led.late).is_ok());
    }
    assert_eq!(heard, MANY / 2);
    for (n, mut rx) in reads {
        assert_eq!(rx.recv_until(led.late), Ok(n));
        assert_eq!(rx.recv_until(led.late), Err(RecvError::Gone(Gone::Closed)));
    }
    drop(led.over);
    assert_eq!(led.component.wait(led.late), Ok(Exit::Success));
}

/// Gives what comes to a third, by a name.
fn passes_on<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut go, mut did) = (env.take(ENDS)?, env.take(GO)?, env.take(DID)?);
    env.publish(const { Name::new("passed on") }, ends.recv_until(late)?)
        .map_err(|refused| refused.error)?;
    did.send_until(0, late)?;
    go.recv_until(late)?;
    Ok(())
}

/// It works wherever it goes, by the manager too, and its memory is not used again then.
fn it_may_go_elsewhere<K: Isolation>(system: &Sinv<K>) {
    let mut led = Led::new(system, passes_on::<K>);
    let (tx, mut rx) = led.chan(true);
    led.over.send_until(tx.into_cap(), led.late).expect("there is room");
    assert_eq!(led.done(), 0);
    let passed_on = system.lookup(const { Name::new("passed on") }).expect("it is there");
    let mut tx: Snd<K> = attach(passed_on).expect("it sends");
    // What is made next does not lie where that does.
    let (mut other, mut reads) = led.chan(true);
    for n in 0..5 {
        tx.send_until(n, led.late).expect("it is received");
        other.send(n + 100).expect("there is room");
        assert_eq!((rx.recv_until(led.late), reads.recv()), (Ok(n), Ok(n + 100)));
    }
    drop(rx);
    assert_eq!(told::<K>(&mut tx, led.late), Gone::Closed);
    led.go();
    led.ends_well();
}

/// The other end is elsewhere, and so is not told by who has the memory when the one that is sent last
/// finds nobody.
fn who_is_elsewhere_is_told_as_well<K: Isolation>(system: &Sinv<K>) {
    const NAME: Name = Name::new("elsewhere");
    let (mut over, there) = system.chanchan(4).expect("a channel");
    let (tx, rx) = system.chan_for::<Spsc, u64>(&over, 1).expect("a channel");
    system.publish(NAME, rx.into_cap()).expect("it may be known");
    let mut rx: Rcv<K> = attach(system.lookup(NAME).expect("it is")).expect("it receives");
    drop(there);
    // Whether or not that is an error, it is gone.
    let _ = over.try_send(tx.into_cap());
    assert_eq!(rx.recv_until(system.within(LATE)), Err(RecvError::Gone(Gone::Closed)));
}

const MORE_ENDS: Slot<CapRx> = Slot::new("more");

/// Takes one end directly first, then the other, which came before it, by the manager; gives back the
/// first, and hears by the second.
fn has_both<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut more) = (env.take(ENDS)?, env.take(MORE_ENDS)?);
    let (mut back, mut go, mut did) = (env.take(BACK)?, env.take(GO)?, env.take(DID)?);
    go.recv_until(late)?;
    let tx = ends.recv_until(late)?;
    let _other = more.recv_until(late)?;
    let mut rx: Rcv<K> = attach(more.recv_until(late)?)?;
    back.send_until(tx, late)?;
    did.send_until(rx.recv_until(late)?, late)?;
    Ok(())
}

fn both_ways_count<K: Isolation>(system: &Sinv<K>) {
    let (mut more, more_ends) = system.chanchan(4).expect("a channel");
    let mut led = Led::with(system, has_both::<K>, |component| {
        component.endow(MORE_ENDS, more_ends).expect("endowed");
    });
    let (tx, rx) = led.chan(true);
    let (_kept, other) = led.chan(false);
    for cap in [other.into_cap(), rx.into_cap()] {
        more.send_until(cap, led.late).expect("there is room");
    }
    led.over.send_until(tx.into_cap(), led.late).expect("there is room");
    led.go();
    let back = led.back.recv_until(led.late).expect("it comes back");
    let mut tx: Snd<K> = attach(back).expect("it sends");
    tx.send_until(5, led.late).expect("it is received");
    assert_eq!(led.done(), 5);
    led.ends_well();
}

/// A kind that is made of several ends and of more memory goes there and back, and soon nobody asks for
/// anything either.
fn any_kind_may_go<K: Isolation>(system: &Sinv<K>, rounds: u64) {
    let mut led = Led::new(system, returns::<K>);
    let mut asked = Vec::new();
    for n in 0..rounds {
        let _tx = led.send_large_number(n);
        let cap = led.back.recv_until(led.late).expect("it comes back");
        let mut rx: LargeRcv<K> = attach(cap).expect("it receives");
        assert_eq!(rx.recv_until(led.late), Ok(n));
        asked.push(led.requests());
    }
    // Now and then it has not yet let go.
    assert!(rounds_that_asked(&asked) < 10, "{asked:?}");
    drop(led.over);
    assert_eq!(led.component.wait(led.late), Ok(Exit::Success));
}

/// What the message is of the end that comes next, which is of a kind that is made in several objects;
/// and how often there was no room for it.
fn large_number<K: Isolation>(
    ends: &mut CapRcv<K>,
    mut make_room: impl FnMut() -> bool,
    late: Deadline,
) -> Result<(u64, u64), Fault> {
    let mut refused = 0;
    let cap = loop {
        match ends.recv_until(late) {
            Err(RecvError::NoSlots | RecvError::NoMemory) if make_room() => refused += 1,
            came => break came?,
        }
    };
    let mut rx: LargeRcv<K> = attach(cap)?;
    Ok((rx.recv_until(late)?, refused))
}

/// Has as much as it may when something comes the first time.
fn has_no_room<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, mut go, mut did) = (env.take(ENDS)?, env.take(GO)?, env.take(DID)?);
    let mut filling = Vec::new();
    while let Ok(queue) = env.chanchan(1) {
        filling.push(queue);
    }
    did.send_until(0, late)?;
    go.recv_until(late)?;
    let (n, refused) = large_number(&mut ends, || filling.pop().is_some(), late)?;
    filling.clear();
    did.send_until(refused, late)?;
    did.send_until(n, late)?;
    while let Ok((n, _)) = large_number(&mut ends, || false, late) {
        did.send_until(n, late)?;
    }
    Ok(())
}

/// Where there is room for some of its objects only, it stays where it is with all of them: they are used
/// again like others.
fn it_waits_for_room<K: Isolation>(system: &Sinv<K>) {
    let mut led = Led::new(system, has_no_room::<K>);
    led.done();
    led.send_large_number(7);
    led.go();
    assert!(led.done() > 1, "it was refused with some of its objects there");
    assert_eq!(led.done(), 7);
    for n in 0..10 {
        led.send_large_number(n);
        assert_eq!(led.done(), n);
    }
    // Five for a channel, and as many again, since what was sent last is kept.
    let seen = system.inspect().expect("the manager is here");
    assert!(seen.memory.len() <= 10, "{seen}");
    drop(led.over);
    assert_eq!(led.component.wait(led.late), Ok(Exit::Success));
}

/// Groups that watch what is made for a channel, here and there, whatever has been in its memory
/// before; before it goes, and when it has come.
fn groups_watch_it<K: Isolation>(system: &Sinv<K>) {
    let mut led = Led::new(system, answers_by_group::<K>);
    let group = system.evtgrp(4).expect("a group");
    for n in 0..10 {
        let (tx, mut rx) = led.chan(true);
        let (mut asks, asked) = led.chan(true);
        let early = n % 2 == 0;
        let watch = |rx: &Rcv<K>| group.add(rx, Trigger::Level, n).expect("added");
        let registered = early.then(|| watch(&rx));
        for cap in [tx.into_cap(), asked.into_cap()] {
            led.over.send_until(cap, led.late).expect("there is room");
        }
        let registered = registered.unwrap_or_else(|| watch(&rx));
        // It sleeps by then, as a rule.
        system.sleep(system.after(Duration::from_micros(200)));
        asks.send_until(n, led.late).expect("it lives");
        assert_eq!(group.wait(led.late).expect("an answer").data, n);
        assert_eq!(rx.recv_until(led.late), Ok(n + 1));
        assert_eq!(group.wait(led.late).expect("the end").data, n);
        assert_eq!(rx.recv_until(led.late), Err(RecvError::Gone(Gone::Closed)));
        drop(registered);
    }
    drop(led.over);
    assert_eq!(led.component.wait(led.late), Ok(Exit::Success));
}

fn answers_by_group<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut ends, group) = (env.take(ENDS)?, env.evtgrp(4)?);
    while let Ok(cap) = ends.recv_until(late) {
        let mut tx: Snd<K> = attach(cap)?;
        let mut asked: Rcv<K> = attach(ends.recv_until(late)?)?;
        let _registered = group.add(&asked, Trigger::Level, 7)?;
        assert_eq!(group.wait(late)?.data, 7);
        tx.send_until(asked.recv_until(late)? + 1, late)?;
    }
    Ok(())
}

/// Receives from queue after queue, and gives back what comes first, always over the same one.
fn returns_of_many<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let late = env.within(LATE);
    let (mut queues, mut back) = (env.take(ENDS)?, env.take(BACK)?);
    while let Ok(cap) = queues.recv_until(late) {
        let mut ends: CapRcv<K> = attach(cap)?;
        back.send_until(ends.recv_until(late)?, late)?;
    }
    Ok(())
}

/// A queue that lives on does not keep what nobody has any more.
fn what_nobody_has_goes<K: Isolation>(system: &Sinv<K>) {
    let mut led = Led::new(system, returns_of_many::<K>);
    let mut most = 0;
    for n in 0..30 {
        let (mut over, ends) = system.chanchan(1).expect("a channel");
        led.over.send_until(ends.into_cap(), led.late).expect("there is room");
        let (tx, mut rx) = system.chan_for::<Spsc, u64>(&over, 1).expect("a channel");
        over.send_until(tx.into_cap(), led.late).expect("there is room");
        let back = led.back.recv_until(led.late).expect("it comes back");
        let mut tx: Snd<K> = attach(back).expect("it sends");
        tx.send(n).expect("there is room");
        assert_eq!(rx.recv(), Ok(n));
        let seen = system.inspect().expect("the manager is here");
        most = most.max(seen.components[0].bytes);
    }
    assert!(most < 20 * 4096, "{most} bytes at once");
    drop(led.over);
    assert_eq!(led.component.wait(led.late), Ok(Exit::Success));
}

/// Both ends of the queue are in one component.
fn it_may_stay_where_it_is<K: Isolation>(system: &Sinv<K>) {
    let (mut over, mut there) = system.chanchan(4).expect("a channel");
    for n in 0..50 {
        let (tx, mut rx) = system.chan_for::<Spsc, u64>(&over, 1).expect("a channel");
        over.send(tx.into_cap()).expect("there is room");
        let mut tx: Snd<K> = attach(there.recv().expect("it comes")).expect("it sends");
        tx.send(n).expect("there is room");
        assert_eq!(rx.recv(), Ok(n));
    }
}

/// One thread sends, and another of the same component uses what comes, and drops it.
fn threads_of_one_component<K: Isolation>(system: &Sinv<K>, rounds: u64) {
    let (mut over, mut there): (CapSnd<K>, CapRcv<K>) = system.chanchan(4).expect("a channel");
    let late = system.within(LATE);
    let other = system.thread(move || {
        while let Ok(cap) = there.recv_until(late) {
            let mut tx: Snd<K> = attach(cap).expect("it sends");
            tx.send_until(1, late).expect("it is read");
        }
    });
    let other = other.expect("a thread");
    other.start().expect("it starts");
    for _ in 0..rounds {
        let (tx, mut rx) = system.chan_for::<Spsc, u64>(&over, 1).expect("a channel");
        over.send_until(tx.into_cap(), late).expect("there is room");
        assert_eq!(rx.recv_until(late), Ok(1));
        assert_eq!(rx.recv_until(late), Err(RecvError::Gone(Gone::Closed)));
    }
    drop(over);
    other.join(late).expect("it ends").ok().expect("and well");
}

const OVER: Slot<CapTx> = Slot::new("over");
/// How many things a component may have: more than are under way and kept at once; and how many it makes.
const FEW_OBJECTS: u32 = 120;
const MORE: u64 = 300;

/// Makes ends for whoever receives there, who passes them on; and some that are meant for others.
fn makes_many<K: Isolation>(env: Env<Sinv<K>>) -> Result<(), Fault> {
    let (mut over, late) = (env.take(OVER)?, env.within(LATE));
    let (others, _kept) = env.chanchan(1)?;
    for n in 0..MORE {
        let meant = if n % 2 == 0 { &over } else { &others };
        let (mut tx, rx) = env.chan_for::<Spsc, u64>(meant, 1)?;
        tx.send_until(n, late)?;
        over.send_until(rx.into_cap(), late)?;
    }
    Ok(())
}

/// What others have is not waited for, nor is what has come kept, until nothing else can be made or come.
fn few_objects_are_enough<K: Isolation>(system: &Sinv<K>) {
    let led = Led::new(system, returns::<K>);
    let Led { over, mut back, component, late, .. } = led;
    let makes = system.component(const { Name::new("makes") }, makes_many::<K>).expect("made");
    makes.endow(OVER, over).expect("endowed");
    makes.start().expect("started");
    for expected in 0..MORE {
        let said = number::<K>(&mut back, late).map_err(|fault| fault.kind());
        assert_eq!(said, Ok(expected));
    }
    assert_eq!(makes.wait(late), Ok(Exit::Success));
    assert_eq!(component.wait(late), Ok(Exit::Success));
}

/// Each of them, with a system of its own, of which nothing is left.
fn each<K: Isolation>(rounds: u64, mut make: impl FnMut() -> Sinv<K>) {
    let cases: [&dyn Fn(&Sinv<K>); 17] = [
        &|system| answers_ask_for_nothing(system, rounds),
        &|system| an_end_comes_back(system, rounds),
        &all_come_in_order,
        &the_rest_goes_with_its_end,
        &the_rest_leaves_with_its_end,
        &what_the_dead_have_sent_comes,
        &what_is_kept_keeps_its_memory,
        &what_comes_back_keeps_its_memory,
        &it_may_go_elsewhere,
        &who_is_elsewhere_is_told_as_well,
        &both_ways_count,
        &|system| any_kind_may_go(system, rounds),
        &it_waits_for_room,
        &groups_watch_it,
        &what_nobody_has_goes,
        &it_may_stay_where_it_is,
        &few_objects_are_enough,
    ];
    for case in cases {
        let system = make();
        case(&system);
        let seen = system.inspect().expect("the manager is here");
        let left = (seen.components.len(), seen.channels.len(), seen.memory.len());
        assert_eq!(left, (1, 0, 0), "{seen}");
        // Where a group watched before anybody else had the word, an arena with the manager stays.
        let main = &seen.components[0];
        assert!(main.objects <= 1 && main.bytes == 0, "{seen}");
    }
}

fn few() -> Limits {
    Limits { objects: FEW_OBJECTS, ..Limits::default() }
}

#[test]
fn in_processes() {
    for _ in 0..5 {
        each::<Linux>(200, || Sinv::on(Linux::new(), few()).expect("a system"));
    }
}

#[test]
fn in_the_simulator() {
    Seeds::from_env(20).check("in_the_simulator", |sim| {
        each::<Sim>(30, || Sinv::on(sim, few()).expect("a system"));
    });
}

#[test]
fn between_threads() {
    threads_of_one_component::<Linux>(&Sinv::new().expect("a system"), 5_000);
    Seeds::from_env(5_000).check("between_threads", |sim| {
        let system = Sinv::on(sim, Limits::default()).expect("a system");
        threads_of_one_component::<Sim>(&system, 3);
    });
}
