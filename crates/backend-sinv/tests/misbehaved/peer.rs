//! A component that writes whatever it is told into the memory of the end that it was given.

use std::sync::atomic::Ordering::Release;
use std::thread::yield_now;
use std::time::Duration;

use backend_sinv::Sinv;
use chan_impls::Spsc;
use res_api::{
    AnyCap, Backend, Blockpoint, Comp, Deadline, Endowment, Env, ErrorKind, Exit, Fault, IntoCap,
    Kind, Map, Message, Name, Receiver, Rx, Sender, Slot, TryRecvError, Tx, Wake,
};

use super::memories::{Cap, memories};

const END: Name = Name::new("end");
const STEPS: Slot<Rx<Spsc, Step>> = Slot::new("steps");
const DONE: Slot<Tx<Spsc, u64>> = Slot::new("done");

/// Into which memory, where, and what; and whether only when the other side sleeps.
type Step = [u64; 4];

/// What the other side of an end sleeps on.
fn signals(cap: &Cap) -> Vec<<Sinv as Backend>::Blockpoint> {
    let inner = (0..2).filter_map(|index| cap.end(index)?.blockpoint(0));
    inner.chain(cap.blockpoint(0)).collect()
}

fn writes<D: Endowment<Sinv, Handle: IntoCap<Cap>>>(env: Env<Sinv>) -> Result<(), Fault> {
    let cap = env.take(Slot::<D>::named(END))?.into_cap();
    let (maps, signals) = (memories(&cap)?, signals(&cap));
    let (mut steps, mut done) = (env.take(STEPS)?, env.take(DONE)?);
    while let Ok([memory, at, value, asleep]) = steps.recv() {
        while asleep != 0 && !signals.iter().any(Blockpoint::armed) {
            yield_now();
        }
        maps[memory as usize].word(at)?.store(value, Release);
        for signal in &signals {
            let _ = signal.trigger(Wake::All);
        }
        done.send(1)?;
    }
    Ok(())
}

/// That component, as who has the other end sees it.
pub(crate) struct Peer {
    steps: <Spsc as Kind<Sinv>>::Snd<Step>,
    done: <Spsc as Kind<Sinv>>::Rcv<u64>,
    /// What it was told and has not said to have done.
    open: u32,
    /// Nobody waits longer.
    pub(crate) late: Deadline,
}

impl Peer {
    /// It writes that, and has done so.
    pub(crate) fn write(&mut self, memory: u64, at: u64, value: u64) {
        self.tell([memory, at, value, 0]);
        self.settle();
    }

    /// It will write that once this side sleeps.
    pub(crate) fn write_to_a_sleeper(&mut self, memory: u64, at: u64, value: u64) {
        self.tell([memory, at, value, 1]);
    }

    fn tell(&mut self, step: Step) {
        self.steps.send(step).expect("it listens");
        self.open += 1;
    }

    /// It has done all of it.
    fn settle(&mut self) {
        while self.open > 0 {
            self.done.recv_until(self.late).expect("it has done so");
            self.open -= 1;
        }
    }
}

/// Does that beside one that was given an end.
pub(crate) fn beside<D: Endowment<Sinv, Handle: IntoCap<Cap>> + 'static, T>(
    system: &Sinv,
    end: D::Handle,
    act: impl FnOnce(&mut Peer) -> T,
) -> T {
    let late = system.within(Duration::from_secs(20));
    let component: Comp<Sinv> =
        system.component(const { Name::new("writes") }, writes::<D>).expect("a component");
    let (steps, theirs) = system.chan::<Spsc, Step>(1).expect("a channel");
    let (to, done) = system.chan::<Spsc, u64>(1).expect("a channel");
    component.endow(Slot::<D>::named(END), end).map_err(|_| ()).expect("endowed");
    component.endow(STEPS, theirs).expect("endowed");
    component.endow(DONE, to).expect("endowed");
    component.start().expect("started");
    let mut peer = Peer { steps, done, open: 0, late };
    let result = act(&mut peer);
    peer.settle();
    drop(peer);
    assert_eq!(component.wait(late), Ok(Exit::Success));
    result
}

type Snd<K, T> = <K as Kind<Sinv>>::Snd<T>;
type Rcv<K, T> = <K as Kind<Sinv>>::Rcv<T>;

/// Whoever receives from one that writes into all that they share.
pub(crate) fn receiver<K: Kind<Sinv>, T: Message>(
    system: &Sinv,
    capacity: u64,
    act: impl FnOnce(&mut Peer, &mut Rcv<K, T>) -> Option<ErrorKind>,
) -> Option<ErrorKind>
where
    Snd<K, T>: IntoCap<Cap>,
{
    let (tx, mut rx) = system.chan::<K, T>(capacity as u32).expect("a channel");
    beside::<Tx<K, T>, _>(system, tx, |peer| {
        assert!(matches!(rx.try_recv(), Err(TryRecvError::Empty)));
        act(peer, &mut rx)
    })
}

/// Whoever sends to one that writes into all that they share.
pub(crate) fn sender<K: Kind<Sinv>, T: Message>(
    system: &Sinv,
    capacity: u64,
    act: impl FnOnce(&mut Peer, &mut Snd<K, T>) -> Option<ErrorKind>,
) -> Option<ErrorKind>
where
    Rcv<K, T>: IntoCap<Cap>,
{
    let (mut tx, rx) = system.chan::<K, T>(capacity as u32).expect("a channel");
    beside::<Rx<K, T>, _>(system, rx, |peer| act(peer, &mut tx))
}
