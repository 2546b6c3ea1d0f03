//! Our side: components in processes, and the same in threads.

use std::hint::black_box;

use res::{
    Backend, Comp, Component, Deadline, Entry, Env, Fault, IntoCap, Kind, Local, Message, Name,
    Receiver, Rx, Sender, Sinv, Slot, Spsc, Tx,
};
use res_benches::{Candidate, pin, time};

use super::anew::anew;
use super::pause::rested;
use super::{MESSAGES, TRIPS, floors, memory_peer, peers, starts};

type Line = [u64; 8];

const ENDS: Slot<res::CapRx> = Slot::new("ends");
const BACK: Slot<res::CapTx> = Slot::new("back");
/// Ends of a round.
const ENDS_PASSED: u64 = 200;

const fn from<K, T>() -> Slot<Rx<K, T>> {
    Slot::new("from")
}

const fn to<K, T>() -> Slot<Tx<K, T>> {
    Slot::new("to")
}

/// Answers each message with the same.
fn echo<B: Backend, K: Kind<B>, T: Message>(env: Env<B>) -> Result<(), Fault> {
    pin(1);
    let (mut from, mut to) = (env.take(from::<K, T>())?, env.take(to::<K, T>())?);
    while let Ok(message) = from.recv() {
        to.send(message)?;
    }
    Ok(())
}

/// The same, without sleeping.
fn polls<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    pin(1);
    let (mut from, mut to) = (env.take(from::<Spsc, u64>())?, env.take(to::<Spsc, u64>())?);
    loop {
        match from.try_recv() {
            Ok(message) => to.send(message)?,
            Err(res::TryRecvError::Empty) => std::hint::spin_loop(),
            Err(_) => return Ok(()),
        }
    }
}

/// Takes all that comes, and answers once for so many.
fn sink<B: Backend, T: Message>(env: Env<B>) -> Result<(), Fault> {
    pin(1);
    let (mut from, mut to) = (env.take(from::<Spsc, T>())?, env.take(to::<Spsc, u64>())?);
    let mut count = 0;
    while let Ok(message) = from.recv() {
        black_box(message);
        count += 1;
        if count % MESSAGES == 0 {
            to.send(count)?;
        }
    }
    Ok(())
}

/// Answers over each end that it gets.
fn greets<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    pin(1);
    let mut ends = env.take(ENDS)?;
    while let Ok(cap) = ends.recv() {
        env.cast::<Tx<Spsc, u64>>(cap)?.send(1)?;
    }
    Ok(())
}

/// Gives back each end that it gets.
fn returns<B: Backend>(env: Env<B>) -> Result<(), Fault> {
    pin(1);
    let (mut ends, mut back) = (env.take(ENDS)?, env.take(BACK)?);
    while let Ok(cap) = ends.recv() {
        back.send(cap)?;
    }
    Ok(())
}

fn nothing<B: Backend>(_: Env<B>) -> Result<(), Fault> {
    Ok(())
}

fn speaks(env: Env<Sinv>) -> Result<(), Fault> {
    Ok(env.take(to::<Spsc, u64>())?.send(1)?)
}

/// A component that ends by itself.
struct Ended(Comp<Sinv>);

impl Drop for Ended {
    fn drop(&mut self) {
        let exit = self.0.wait(Deadline::NEVER).expect("it ends");
        assert!(exit.is_success());
    }
}

/// A component that answers, and the channels to it and back.
struct Partner<B: Backend, K: Kind<B>, T: Message, U: Message> {
    tx: K::Snd<T>,
    rx: K::Rcv<U>,
    _component: Comp<B>,
}

impl<B: Backend, K: Kind<B>, T: Message, U: Message> Partner<B, K, T, U> {
    fn new(system: &B, capacity: u32, entry: impl Entry<B>) -> Self {
        let (tx, theirs) = system.chan::<K, T>(capacity).expect("memory is there");
        let (back, rx) = system.chan::<K, U>(capacity).expect("memory is there");
        let component = system.component(const { Name::new("partner") }, entry).expect("made");
        component.endow(from::<K, T>(), theirs).expect("endowed");
        component.endow(to::<K, U>(), back).expect("endowed");
        component.start().expect("started");
        Self { tx, rx, _component: component }
    }
}

/// Nanoseconds for a round trip.
fn trips<B: Backend, K: Kind<B>, T: Message + Default + Copy, E: Entry<B>>(
    system: &B,
    entry: E,
) -> impl FnMut() -> f64 + use<B, K, T, E> {
    let mut partner = None;
    let system = system.clone();
    move || {
        let Partner { tx, rx, .. } =
            partner.get_or_insert_with(|| Partner::<B, K, T, T>::new(&system, 1, entry));
        let mut trip = || {
            tx.send(black_box(T::default())).expect("it listens");
            black_box(rx.recv().expect("it answers"));
        };
        // It has slept while others had their turn.
        trip();
        time(TRIPS, || (0..TRIPS).for_each(|_| trip()))
    }
}

/// Nanoseconds for a round trip to who polls, as does who asks.
fn asks(mut partner: Partner<Sinv, Spsc, u64, u64>) -> impl FnMut() -> f64 {
    move || {
        let Partner { tx, rx, .. } = &mut partner;
        // It begins a moment after it was started.
        tx.send(0).expect("it listens");
        rx.recv().expect("it answers");
        time(TRIPS, || {
            for n in 0..TRIPS {
                tx.send(black_box(n)).expect("it listens");
                while rx.try_recv().is_err() {
                    std::hint::spin_loop();
                }
            }
        })
    }
}

/// A channel to a component that receives, and answers when a round is over.
struct Stream<B: Backend, T: Message> {
    tx: <Spsc as Kind<B>>::Snd<T>,
    rx: <Spsc as Kind<B>>::Rcv<u64>,
    _component: Comp<B>,
}

impl<B: Backend, T: Message + Default + Copy> Stream<B, T> {
    fn new(system: &B, capacity: u32) -> Self {
        let (tx, theirs) = system.chan::<Spsc, T>(capacity).expect("memory is there");
        let (back, rx) = system.chan::<Spsc, u64>(1).expect("memory is there");
        let component = system.component(const { Name::new("sink") }, sink::<B, T>).expect("made");
        component.endow(from::<Spsc, T>(), theirs).expect("endowed");
        component.endow(to::<Spsc, u64>(), back).expect("endowed");
        component.start().expect("started");
        Self { tx, rx, _component: component }
    }

    /// Nanoseconds for a message.
    fn round(&mut self) -> f64 {
        time(MESSAGES, || {
            for _ in 0..MESSAGES {
                self.tx.send(black_box(T::default())).expect("it listens");
            }
            self.rx.recv().expect("it answers")
        })
    }
}

/// Nanoseconds for a message that goes one way.
fn stream<B: Backend, T: Message + Default + Copy>(
    system: &B,
    capacity: u32,
) -> impl FnMut() -> f64 + use<B, T> {
    let (system, mut stream) = (system.clone(), None);
    move || stream.get_or_insert_with(|| Stream::<B, T>::new(&system, capacity)).round()
}

type Made = (Snd, Rcv);
type Snd = <Spsc as Kind<Sinv>>::Snd<u64>;
type Rcv = <Spsc as Kind<Sinv>>::Rcv<u64>;

/// A channel that may go anywhere.
fn made(system: &Sinv) -> Made {
    system.chan::<Spsc, u64>(1).expect("memory is there")
}

/// One of which an end goes over that channel of capabilities.
fn made_for(system: &Sinv, over: &CapSnd) -> Made {
    system.chan_for::<Spsc, u64>(over, 1).expect("memory is there")
}

type CapSnd = <Sinv as Backend>::CapSnd;

/// There and back: two passes.
fn passes(system: &Sinv, make: fn(&Sinv, &CapSnd) -> Made) -> impl FnMut() -> f64 + use<> {
    let system = system.clone();
    let mut partner = None;
    move || {
        let (over, back, end, _) = partner.get_or_insert_with(|| {
            let (over, theirs) = system.chanchan(4).expect("memory is there");
            let (to, back) = system.chanchan(4).expect("memory is there");
            let (tx, rx) = make(&system, &over);
            let name = const { Name::new("returns") };
            let component = system.component(name, returns::<Sinv>).expect("made");
            component.endow(ENDS, theirs).expect("endowed");
            component.endow(BACK, to).expect("endowed");
            component.start().expect("started");
            (over, back, Some(tx.into_cap()), (rx, component))
        });
        let mut pass = || {
            over.send(end.take().expect("it came back")).expect("it listens");
            *end = Some(back.recv().expect("it comes back"));
        };
        // It has slept while others had their turn.
        pass();
        time(2 * ENDS_PASSED, || (0..ENDS_PASSED).for_each(|_| pass()))
    }
}

/// An end that is made and sent, and an answer over it.
fn answers(system: &Sinv, make: fn(&Sinv, &CapSnd) -> Made) -> impl FnMut() -> f64 + use<> {
    let system = system.clone();
    let mut over = None;
    move || {
        let (over, _) = over.get_or_insert_with(|| {
            let (over, theirs) = system.chanchan(4).expect("memory is there");
            let name = const { Name::new("greets") };
            let component = system.component(name, greets::<Sinv>).expect("made");
            component.endow(ENDS, theirs).expect("endowed");
            component.start().expect("started");
            (over, component)
        });
        let mut ask = || {
            let (tx, mut rx) = make(&system, over);
            over.send(tx.into_cap()).expect("it listens");
            rx.recv().expect("it answers");
        };
        ask();
        time(ENDS_PASSED, || (0..ENDS_PASSED).for_each(|_| ask()))
    }
}

/// One system of each kind.
pub(crate) struct Systems {
    sinv: Sinv,
    local: Local,
}

impl Systems {
    pub(crate) fn new() -> Self {
        let (sinv, local) = (Sinv::new().expect("processes"), Local::new().expect("memory"));
        Self { sinv, local }
    }

    pub(crate) fn both(&self) -> (&Sinv, &Local) {
        (&self.sinv, &self.local)
    }

    pub(crate) fn polling(&self) -> Vec<Candidate<'static>> {
        let of = |capacity| {
            let system = self.sinv.clone();
            anew(move || asks(Partner::new(&system, capacity, polls::<Sinv>)))
        };
        vec![
            Candidate::ours("Sinv, Spsc of 4, try_recv", of(4)),
            Candidate::ours("Sinv, Spsc of 1, try_recv", of(1)),
            Candidate::ours("Sinv, Spsc of 64, try_recv", of(64)),
            floors::two_words(&self.sinv),
            #[cfg(feature = "iceoryx2")]
            super::iceoryx2_peer::polling(),
            #[cfg(feature = "iceoryx2")]
            super::iceoryx2_peer::request_response(),
        ]
    }

    pub(crate) fn blocking(&self) -> Vec<Candidate<'static>> {
        let (sinv, local) = (self.sinv.clone(), self.local.clone());
        let between = move || trips::<_, Spsc, u64, _>(&sinv, echo::<Sinv, Spsc, u64>);
        let within = move || trips::<_, Spsc, u64, _>(&local, echo::<Local, Spsc, u64>);
        let mut all = vec![
            Candidate::ours("Sinv, Spsc", anew(between)),
            Candidate::floor("Local, Spsc: within one process", anew(within)),
        ];
        all.push(floors::two_futexes(&self.sinv));
        all.extend(peers::blocking(8));
        #[cfg(feature = "iceoryx2")]
        all.push(super::iceoryx2_peer::events());
        all
    }

    pub(crate) fn one_way(&self) -> Vec<Candidate<'static>> {
        let mut all =
            vec![Candidate::ours("Sinv, Spsc of 1024", stream::<Sinv, Line>(&self.sinv, 1024))];
        all.extend(peers::one_way());
        #[cfg(feature = "iceoryx2")]
        all.push(super::iceoryx2_peer::one_way());
        all
    }

    /// The bound of 1.1.
    pub(crate) fn within_and_between(&self) -> Vec<Candidate<'static>> {
        let (sinv, local) = (self.sinv.clone(), self.local.clone());
        vec![
            Candidate::ours("Sinv, u64, 1024", anew(move || stream::<Sinv, u64>(&sinv, 1024))),
            Candidate::peer("Local, u64, 1024", anew(move || stream::<Local, u64>(&local, 1024))),
        ]
    }

    pub(crate) fn passing(&self) -> Vec<Candidate<'static>> {
        let ours = |name, make| Candidate::ours(name, passes(&self.sinv, make));
        vec![
            ours("Sinv: an end that is made for that, halved", made_for),
            ours("Sinv: any end, there and back, halved", |system, _| made(system)),
            peers::descriptors_passed(ENDS_PASSED),
            memory_peer::memory_passed(ENDS_PASSED),
            peers::ipc_ends_passed(ENDS_PASSED),
        ]
    }

    pub(crate) fn making_and_passing(&self) -> Vec<Candidate<'static>> {
        let ours = |name, make| Candidate::ours(name, answers(&self.sinv, make));
        vec![
            ours("Sinv: made for that, passed, used", made_for),
            ours("Sinv: made, passed, used", |system, _| made(system)),
            peers::eventfds_passed(ENDS_PASSED),
            peers::ipc_ends_used(ENDS_PASSED),
        ]
    }

    /// Until it says something: what has to be done behind a start is left out.
    pub(crate) fn starting_to_speak(&self) -> Vec<Candidate<'static>> {
        let system = self.sinv.clone();
        let ours = Candidate::ours("Sinv: a channel, made, started, heard", move || {
            rested(|| {
                let (tx, mut rx) = system.chan::<Spsc, u64>(1).expect("memory is there");
                let name = const { Name::new("speaks") };
                let component = system.component(name, speaks).expect("made");
                component.endow(to::<Spsc, u64>(), tx).expect("endowed");
                component.start().expect("started");
                assert_eq!(rx.recv(), Ok(1));
                Ended(component)
            })
        });
        let mut all = vec![ours];
        all.extend(starts::starting_to_speak());
        all
    }

    pub(crate) fn starting(&self) -> Vec<Candidate<'static>> {
        const STARTS: u64 = 20;
        let system = self.sinv.clone();
        let ours = Candidate::ours("Sinv: made, started, ended", move || {
            time(STARTS, || {
                for _ in 0..STARTS {
                    let name = const { Name::new("nothing") };
                    let component = system.component(name, nothing::<Sinv>).expect("made");
                    component.start().expect("started");
                    let exit = component.as_inner().wait(Deadline::NEVER).expect("it ends");
                    assert!(exit.is_success());
                }
            })
        });
        let mut all = vec![ours];
        all.extend(starts::starting(STARTS));
        all
    }
}
