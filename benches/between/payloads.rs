//! Tables P6b and P6d: payloads of all sizes, written and read, or handed over untouched.

use std::hint::black_box;

use res::{
    Backend, Comp, Entry, Env, Fault, Kind, Name, Receiver, Rx, Sender, Sinv, Slot, Spsc, Tx,
    ZeroCopy,
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

/// Reads what comes, and writes as much, so many bytes at a time.
fn answers<const N: usize>(env: Env<Sinv>, piece: usize) -> Result<(), Fault> {
    pin(1);
    let (mut from, mut to) = (env.take(from::<N>())?, env.take(to::<N>())?);
    let mut seen = vec![0; piece];
    while let Ok(loan) = from.recv_loan() {
        let mut answer = to.loan()?;
        for at in (0..N).step_by(piece) {
            loan.copy_out(at as u64, &mut seen)?;
            answer.copy_in(at as u64, &seen)?;
        }
        drop(loan);
        to.send_loan(answer)?;
    }
    Ok(())
}

/// Has a copy of all of it, as who uses a socket has.
fn echo<const N: usize>(env: Env<Sinv>) -> Result<(), Fault> {
    answers::<N>(env, N)
}

/// What fits the first cache: who makes or uses a payload piece by piece has no copy of it.
const PIECE: usize = 4096;

fn echo_in_place<const N: usize>(env: Env<Sinv>) -> Result<(), Fault> {
    answers::<N>(env, PIECE)
}

struct Partner<const N: usize> {
    tx: Snd<N>,
    rx: Rcv<N>,
    seen: Vec<u8>,
    _component: Comp<Sinv>,
}

impl<const N: usize> Partner<N> {
    fn new(system: &Sinv, entry: impl Entry<Sinv>, piece: usize) -> Self {
        let (tx, theirs) = system.chan::<ZeroCopy, [u8; N]>(2).expect("memory is there");
        let (back, rx) = system.chan::<ZeroCopy, [u8; N]>(2).expect("memory is there");
        let component = system.component(const { Name::new("echo") }, entry).expect("made");
        component.endow(from(), theirs).expect("endowed");
        component.endow(to(), back).expect("endowed");
        component.start().expect("started");
        Self { tx, rx, seen: vec![7; piece], _component: component }
    }

    /// Writes, waits, and reads.
    fn trip(&mut self) {
        let mut loan = self.tx.loan().expect("it listens");
        for at in (0..N).step_by(self.seen.len()) {
            loan.copy_in(at as u64, black_box(&self.seen)).expect("it fits");
        }
        self.tx.send_loan(loan).expect("it listens");
        let answer = self.rx.recv_loan().expect("it answers");
        for at in (0..N).step_by(self.seen.len()) {
            answer.copy_out(at as u64, &mut self.seen).expect("it fits");
        }
    }
}

fn ours<const N: usize>(
    system: &Sinv,
    name: &'static str,
    entry: impl Entry<Sinv>,
    piece: usize,
) -> Candidate<'static> {
    let (system, mut partner) = (system.clone(), None);
    Candidate::ours(name, move || {
        let partner = partner.get_or_insert_with(|| Partner::<N>::new(&system, entry, piece));
        time(trips(N), || (0..trips(N)).for_each(|_| partner.trip()))
    })
}

/// Payloads of `N` bytes, written and read by both sides.
pub(crate) fn of<const N: usize>(system: &Sinv) -> Vec<Candidate<'static>> {
    let mut all = vec![ours::<N>(system, "Sinv, ZeroCopy", echo::<N>, N)];
    if N > PIECE {
        all.push(ours::<N>(system, "Sinv, ZeroCopy, in place", echo_in_place::<N>, PIECE));
    }
    all.extend(peers::payloads(N, trips(N)));
    #[cfg(feature = "iceoryx2")]
    all.extend(super::iceoryx2_peer::payloads(N, trips(N)));
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
    vec![
        ours,
        peers::ipc_shared_memory(WHOLE),
        #[cfg(feature = "iceoryx2")]
        super::iceoryx2_peer::loans(WHOLE),
    ]
}
