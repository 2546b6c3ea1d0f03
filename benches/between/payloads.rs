//! Tables P6b and P6d: payloads of all sizes, written and read, or handed over untouched.

use std::hint::black_box;

use res::{
    Backend, Comp, Entry, Env, Fault, Kind, Name, Receiver, Rx, Sender, Sinv, Slot, Spsc, Tx,
    ZeroCopy,
};
use res_benches::{Candidate, pin, time};

use super::{floors, peers};

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

/// How a payload goes over.
#[derive(Clone, Copy)]
struct Shape {
    /// Bytes of it.
    whole: usize,
    /// Bytes that its maker and its user have of it at a time: all of it, or a piece.
    private: usize,
    /// Slots of the channel. One holds all of it, or a part.
    slots: u32,
}

impl Shape {
    /// Both sides have a copy of all of it, as who uses a socket has.
    const fn copied(whole: usize) -> Self {
        Self { whole, private: whole, slots: if whole <= PIECE { SLOTS } else { 1 } }
    }

    /// Made and used where it lies, piece by piece: nobody has a copy of it.
    const fn in_place(whole: usize) -> Self {
        Self { whole, private: PIECE, slots: 1 }
    }

    /// The same as [`Shape::copied`], in parts: one side reads what the other still writes.
    const fn parts(whole: usize) -> Self {
        Self { whole, private: whole, slots: SLOTS }
    }
}

/// What fits the first cache.
const PIECE: usize = 4096;
/// A part of a payload, and how many may be on their way.
const PART: usize = 16_384;
const SLOTS: u32 = 4;
/// More than fit the first cache.
const MANY: u32 = 32;

/// Writes a payload, as slots of `N` bytes.
fn write<const N: usize>(tx: &mut Snd<N>, shape: Shape, private: &[u8]) -> Result<(), Fault> {
    for start in (0..shape.whole).step_by(N) {
        let mut loan = tx.loan()?;
        for at in (0..N).step_by(shape.private) {
            let here = &private[(start + at) % shape.private..][..N.min(shape.private)];
            loan.copy_in(at as u64, black_box(here))?;
        }
        tx.send_loan(loan)?;
    }
    Ok(())
}

/// Reads one.
fn read<const N: usize>(rx: &mut Rcv<N>, shape: Shape, private: &mut [u8]) -> Result<(), Fault> {
    for start in (0..shape.whole).step_by(N) {
        let loan = rx.recv_loan()?;
        for at in (0..N).step_by(shape.private) {
            let here = &mut private[(start + at) % shape.private..][..N.min(shape.private)];
            loan.copy_out(at as u64, here)?;
        }
        rx.release(loan).expect("it is of that channel");
    }
    Ok(())
}

/// Reads what comes, and writes as much.
fn answers<const N: usize>(env: &Env<Sinv>, shape: Shape) -> Result<(), Fault> {
    pin(1);
    let (mut from, mut to) = (env.take(from::<N>())?, env.take(to::<N>())?);
    let mut private = vec![0; shape.private];
    while read(&mut from, shape, &mut private).is_ok() {
        write(&mut to, shape, &private)?;
    }
    Ok(())
}

fn copied<const N: usize>(env: Env<Sinv>) -> Result<(), Fault> {
    answers::<N>(&env, Shape::copied(N))
}

fn in_place<const N: usize>(env: Env<Sinv>) -> Result<(), Fault> {
    answers::<N>(&env, Shape::in_place(N))
}

fn parts<const N: usize>(env: Env<Sinv>) -> Result<(), Fault> {
    answers::<PART>(&env, Shape::parts(N))
}

struct Partner<const N: usize> {
    tx: Snd<N>,
    rx: Rcv<N>,
    shape: Shape,
    private: Vec<u8>,
    _component: Comp<Sinv>,
}

impl<const N: usize> Partner<N> {
    fn new(system: &Sinv, entry: impl Entry<Sinv>, shape: Shape) -> Self {
        let channel = || system.chan::<ZeroCopy, [u8; N]>(shape.slots).expect("memory is there");
        let ((tx, theirs), (back, rx)) = (channel(), channel());
        let component = system.component(const { Name::new("echo") }, entry).expect("made");
        component.endow(from(), theirs).expect("endowed");
        component.endow(to(), back).expect("endowed");
        component.start().expect("started");
        Self { tx, rx, shape, private: vec![7; shape.private], _component: component }
    }

    /// Writes, waits, and reads.
    fn trip(&mut self) {
        write(&mut self.tx, self.shape, &self.private).expect("it listens");
        read(&mut self.rx, self.shape, &mut self.private).expect("it answers");
    }
}

/// A payload in slots of `N` bytes.
fn ours<const N: usize>(
    system: &Sinv,
    name: &'static str,
    entry: impl Entry<Sinv>,
    shape: Shape,
) -> Candidate<'static> {
    let (system, mut partner) = (system.clone(), None);
    Candidate::ours(name, move || {
        let partner = partner.get_or_insert_with(|| Partner::<N>::new(&system, entry, shape));
        let trips = trips(shape.whole);
        // The caches are another candidate's.
        partner.trip();
        time(trips, || (0..trips).for_each(|_| partner.trip()))
    })
}

const fn by_value<const N: usize>() -> Slot<Rx<Spsc, [u8; N]>> {
    Slot::new("by value")
}

const fn back<const N: usize>() -> Slot<Tx<Spsc, [u8; N]>> {
    Slot::new("back")
}

fn echoes<const N: usize>(env: Env<Sinv>) -> Result<(), Fault> {
    pin(1);
    let (mut from, mut to) = (env.take(by_value::<N>())?, env.take(back::<N>())?);
    while let Ok(payload) = from.recv() {
        to.send(black_box(payload))?;
    }
    Ok(())
}

/// Payloads that are messages of a ring, copied in and out as a whole.
fn messages<const N: usize>(system: &Sinv) -> Candidate<'static> {
    let (system, mut partner) = (system.clone(), None);
    Candidate::ours("Sinv, Spsc of 4", move || {
        let (tx, rx, payload, _) = partner.get_or_insert_with(|| {
            let channel = || system.chan::<Spsc, [u8; N]>(4).expect("memory is there");
            let ((tx, theirs), (to, rx)) = (channel(), channel());
            let component = system.component(const { Name::new("echo") }, echoes::<N>);
            let component = component.expect("made");
            component.endow(by_value(), theirs).expect("endowed");
            component.endow(back(), to).expect("endowed");
            component.start().expect("started");
            (tx, rx, [7; N], component)
        });
        let mut trip = || {
            tx.send(black_box(*payload)).expect("it listens");
            *payload = rx.recv().expect("it answers");
        };
        trip();
        time(trips(N), || (0..trips(N)).for_each(|_| trip()))
    })
}

/// Payloads of `N` bytes, written and read by both sides.
pub(crate) fn of<const N: usize>(system: &Sinv) -> Vec<Candidate<'static>> {
    let mut all = vec![ours::<N>(system, "Sinv, ZeroCopy", copied::<N>, Shape::copied(N))];
    if N <= PIECE {
        let many = Shape { slots: MANY, ..Shape::copied(N) };
        all.push(ours::<N>(system, "Sinv, ZeroCopy of 32", copied::<N>, many));
        all.push(messages::<N>(system));
    }
    if N > PIECE {
        let name = "Sinv, ZeroCopy, in place";
        all.push(ours::<N>(system, name, in_place::<N>, Shape::in_place(N)));
    }
    if N > PART {
        let name = "Sinv, ZeroCopy, in parts of 16 KiB";
        all.push(ours::<PART>(system, name, parts::<N>, Shape::parts(N)));
    }
    all.push(floors::two_words_and_copies::<N>(system, trips(N)));
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
        from.release(loan).expect("it is of that channel");
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
            let (tx, theirs) = system.chan::<ZeroCopy, [u8; WHOLE]>(64).expect("memory is there");
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
