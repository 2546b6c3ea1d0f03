//! Tables P6b and P6d: payloads of all sizes, written and read, or handed over untouched.

use std::hint::black_box;

use res::{
    Backend, Comp, Env, Fault, Kind, Name, Receiver, Rx, Sender, Sinv, Slot, Spsc, Tx, ZeroCopy,
};
use res_benches::{Candidate, pin, time};

use super::peers;

const fn from<const N: usize>() -> Slot<Rx<ZeroCopy, [u8; N]>> {
    Slot::new("from")
}

const fn to<const N: usize>() -> Slot<Tx<ZeroCopy, [u8; N]>> {
    Slot::new("to")
}

const DONE: Slot<Tx<Spsc, u64>> = Slot::new("done");

type Snd<const N: usize> = <ZeroCopy as Kind<Sinv>>::Snd<[u8; N]>;
type Rcv<const N: usize> = <ZeroCopy as Kind<Sinv>>::Rcv<[u8; N]>;

/// Round trips of a round: fewer of large payloads.
fn trips(bytes: usize) -> u64 {
    (4_000_000 / bytes as u64).clamp(2, 2_000)
}

/// Reads what comes, and writes as much.
fn echo<const N: usize>(env: Env<Sinv>) -> Result<(), Fault> {
    pin(1);
    let (mut from, mut to) = (env.take(from::<N>())?, env.take(to::<N>())?);
    let mut seen = vec![0; N];
    while let Ok(loan) = from.recv_loan() {
        loan.copy_out(0, &mut seen)?;
        drop(loan);
        let mut answer = to.loan()?;
        answer.copy_in(0, &seen)?;
        to.send_loan(answer)?;
    }
    Ok(())
}

struct Partner<const N: usize> {
    tx: Snd<N>,
    rx: Rcv<N>,
    seen: Vec<u8>,
    _component: Comp<Sinv>,
}

impl<const N: usize> Partner<N> {
    fn new(system: &Sinv) -> Self {
        let (tx, theirs) = system.chan::<ZeroCopy, [u8; N]>(2).expect("memory is there");
        let (back, rx) = system.chan::<ZeroCopy, [u8; N]>(2).expect("memory is there");
        let component = system.component(const { Name::new("echo") }, echo::<N>).expect("made");
        component.endow(from(), theirs).expect("endowed");
        component.endow(to(), back).expect("endowed");
        component.start().expect("started");
        Self { tx, rx, seen: vec![7; N], _component: component }
    }

    /// Writes, waits, and reads.
    fn trip(&mut self) {
        let mut loan = self.tx.loan().expect("it listens");
        loan.copy_in(0, black_box(&self.seen)).expect("it fits");
        self.tx.send_loan(loan).expect("it listens");
        let answer = self.rx.recv_loan().expect("it answers");
        answer.copy_out(0, &mut self.seen).expect("it fits");
    }
}

/// Payloads of `N` bytes, written and read by both sides.
pub(crate) fn of<const N: usize>(system: &Sinv) -> Vec<Candidate<'static>> {
    let (system, mut partner) = (system.clone(), None);
    let ours = Candidate::ours("Sinv, ZeroCopy", move || {
        let partner = partner.get_or_insert_with(|| Partner::<N>::new(&system));
        time(trips(N), || (0..trips(N)).for_each(|_| partner.trip()))
    });
    let mut all = vec![ours];
    all.extend(peers::payloads(N, trips(N)));
    all
}

/// How much is handed over without a look at it.
const WHOLE: usize = 1 << 20;
/// How often, in a round.
const HANDED: u64 = 20_000;

/// Gives back what comes, unread, and says when so many have come.
fn gives_back(env: Env<Sinv>) -> Result<(), Fault> {
    pin(1);
    let (mut from, mut done) = (env.take(from::<WHOLE>())?, env.take(DONE)?);
    let mut count = 0;
    while let Ok(loan) = from.recv_loan() {
        drop(loan);
        count += 1;
        if count % HANDED == 0 {
            done.send(count)?;
        }
    }
    Ok(())
}

/// 1 MiB handed over, one way, untouched.
pub(crate) fn handed_over(system: &Sinv) -> Vec<Candidate<'static>> {
    let (system, mut partner) = (system.clone(), None);
    let ours = Candidate::ours("Sinv, ZeroCopy, loans", move || {
        let (tx, done, _) = partner.get_or_insert_with(|| {
            let (tx, theirs) = system.chan::<ZeroCopy, [u8; WHOLE]>(16).expect("memory is there");
            let (done, hears) = system.chan::<Spsc, u64>(1).expect("memory is there");
            let name = const { Name::new("gives back") };
            let component = system.component(name, gives_back).expect("made");
            component.endow(from(), theirs).expect("endowed");
            component.endow(DONE, done).expect("endowed");
            component.start().expect("started");
            (tx, hears, component)
        });
        time(HANDED, || {
            for _ in 0..HANDED {
                let loan = tx.loan().expect("it listens");
                tx.send_loan(loan).expect("it listens");
            }
            done.recv().expect("it says so")
        })
    });
    vec![ours, peers::ipc_shared_memory(WHOLE)]
}
