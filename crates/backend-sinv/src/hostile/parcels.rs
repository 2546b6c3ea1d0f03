//! Each way in which what goes over a queue of capabilities can be none is seen by whoever is at the
//! other end as just that: `Misbehaved`. The component that does it has no runtime, and makes up what it
//! sends: directly, in the memory of the queue, and by way of the manager, which asks whether all of it
//! is the sender's to give, and not what it makes.

use std::fs::File;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::yield_now;
use std::time::Duration;
use std::vec::Vec;

use backend_local::distant::QUEUE_NUMBERS;
use backend_local::parcel::{Head, Parcel, Piece};
use chan_impls::Spsc;
use res_api::{
    Backend, BackendError, Comp, Deadline, Desc, ErrorKind, InFile, IntoCap, Name, Receiver,
    Rights, Role, Sender, Slot, Value, kind_of,
};
use res_kernel::linux::{LinuxMemory, LinuxSocket};
use res_kernel::{Linux, Socket};

use super::component;
use super::direct::{ENDS, LIKE, OVER, queue_of, ring, taken, within};
use super::raw::{ask, begin, value, words};
use crate::Sinv;
use crate::request::{Destination, Request, Said};
use crate::wire::Wire as _;

/// Which of them one does.
const CAUSE: Slot<Value<u64>> = Slot::new("cause");
/// An open file.
const FILE: Slot<InFile> = Slot::new("file");
/// Where it publishes what it makes up.
const NAME: Name = Name::new("made_up");

/// How often each is tried.
const ROUNDS: usize = 3;

/// What one has that sends: its end of the queue, and the end of a channel that it may give away.
struct Sends<'a> {
    socket: &'a LinuxSocket,
    queue: u64,
    memory: LinuxMemory,
    like: Parcel,
}

impl Sends<'_> {
    /// Puts that where the receiver looks first.
    fn directly(&self, bytes: &[u8]) {
        let ring = ring(&self.memory);
        assert!(ring.write(0, bytes));
        ring.push(0);
    }

    /// An end as it may be sent directly, with a change.
    fn lent(&self, change: impl FnOnce(&mut Parcel)) {
        let Some(Said::Number(object)) = ask(self.socket, &Request::Lend(self.queue, 4096)) else {
            panic!("memory is lent")
        };
        let mut parcel = within(&self.like, object);
        change(&mut parcel);
        self.directly(&parcel.encoded());
    }

    /// Gives it to the manager.
    fn export(&self, to: Destination, parcel: Parcel) {
        assert_eq!(ask(self.socket, &Request::Export(to, parcel)), Some(Said::Done()));
    }

    /// A handle of that role which is made of something else.
    fn disguised(&self, role: Role, pieces: Vec<Piece>) -> Parcel {
        let (desc, count) = (Desc::plain(role, 64), pieces.len() as u32);
        Parcel { head: Head { desc, rights: Rights::all(), state: 0, pieces: count }, pieces }
    }

    /// Memory of its own.
    fn own_memory(&self) -> Piece {
        let Some(Said::Number(object)) = ask(self.socket, &Request::Memory(4096)) else {
            panic!("a little memory")
        };
        Piece::Memory { object, bytes: 64, rights: Rights::all() }
    }

    /// A word of the end that it may give away.
    fn own_word(&self) -> Piece {
        let word = self.like.pieces.iter().find(|piece| matches!(piece, Piece::Word { .. }));
        *word.expect("an end waits on something")
    }

    fn file(&self) -> Piece {
        match ask(self.socket, &Request::Take(FILE.name())) {
            Some(Said::Parcel(parcel, _)) => parcel.pieces[0],
            other => panic!("it was endowed with a file: {other:?}"),
        }
    }
}

/// What breaks the protocol, and how one does that.
type Cause = (&'static str, fn(&Sends<'_>));

const SENT: [Cause; 15] = [
    ("bytes that are no parcel", |it| it.directly(&[0xff; 64])),
    ("nothing", |it| it.directly(&[])),
    ("an end in memory that was not lent for the queue", |it| it.directly(&it.like.encoded())),
    ("an end in memory that nobody has", |it| {
        it.directly(&within(&it.like, u64::MAX).encoded());
    }),
    ("an end of a queue", |it| {
        it.lent(|parcel| parcel.pieces[0] = Piece::Queue(it.queue));
    }),
    ("memory itself", |it| it.lent(|parcel| parcel.head.desc.role = Role::Mem)),
    ("an end that stays in its component", |it| it.lent(|parcel| parcel.head.desc.local = true)),
    ("one of several ends", |it| {
        it.lent(|parcel| {
            for piece in &mut parcel.pieces {
                if let Piece::Word { kept, .. } = piece {
                    *kept = true;
                }
            }
        });
    }),
    ("a word where none is", |it| {
        it.lent(|parcel| move_words(parcel, |offset| offset + (1 << 20)))
    }),
    ("a word between two", |it| it.lent(|parcel| move_words(parcel, |offset| offset + 8))),
    ("memory of no bytes", |it| {
        it.lent(|parcel| {
            for piece in &mut parcel.pieces {
                if let Piece::Memory { bytes, .. } = piece {
                    *bytes = 0;
                }
            }
        });
    }),
    ("something of which the manager knows nothing", |it| {
        words(&it.memory)[QUEUE_NUMBERS[0] as usize / 8].store(1, SeqCst);
    }),
    ("memory that is a word", |it| {
        let parcel = it.disguised(Role::Mem, Vec::from([it.own_word()]));
        it.export(Destination::Queue(it.queue), parcel);
    }),
    ("a file that is memory", |it| {
        let parcel = it.disguised(Role::File, Vec::from([it.own_memory()]));
        it.export(Destination::Queue(it.queue), parcel);
    }),
    ("an end that is made of a file", |it| {
        let parcel = it.disguised(Role::Snd, Vec::from([it.file()]));
        it.export(Destination::Queue(it.queue), parcel);
    }),
];

/// Says that the words of an end are elsewhere.
fn move_words(end: &mut Parcel, moved: fn(u32) -> u32) {
    for piece in &mut end.pieces {
        if let Piece::Word { word, .. } = piece {
            word.offset = moved(word.offset);
        }
    }
}

const PUBLISHED: [Cause; 2] = [
    ("a name of memory that is nothing", |it| {
        it.export(Destination::Name(NAME), it.disguised(Role::Mem, Vec::new()));
    }),
    ("a name of memory that is a word", |it| {
        let parcel = it.disguised(Role::Mem, Vec::from([it.own_word()]));
        it.export(Destination::Name(NAME), parcel);
    }),
];

/// Does that, and then nothing until it is killed.
fn makes_up(socket: &LinuxSocket, causes: &[Cause]) {
    begin(socket);
    let (_, act) = causes[value(socket, CAUSE) as usize];
    let (over, memory) = taken(socket, OVER.name());
    let (like, _) = taken(socket, LIKE.name());
    act(&Sends { socket, queue: queue_of(&over), memory, like });
    let _ = socket.recv(&mut [0; 64], &mut [], Deadline::NEVER);
}

fn sends(_: Linux, socket: LinuxSocket) {
    makes_up(&socket, &SENT);
}

fn publishes(_: Linux, socket: LinuxSocket) {
    makes_up(&socket, &PUBLISHED);
}

/// One that makes up what it sends, beside one that looks until it is told something.
fn beside<T>(
    entry: fn(Linux, LinuxSocket),
    cause: usize,
    mut look: impl FnMut(&Sinv, &mut <Sinv as Backend>::CapRcv) -> Result<T, ErrorKind>,
) -> Option<ErrorKind> {
    let system = Sinv::new().expect("a system");
    let (over, mut ends) = system.chanchan(4).expect("a queue");
    let (like, _kept) = system.chan::<Spsc, u64>(2).expect("a channel");
    let this = std::env::current_exe().and_then(File::open).expect("this program");
    let bad = Comp::new(system.clone(), component(&system, "hostile", entry));
    bad.endow(CAUSE, cause as u64).expect("endowed");
    bad.endow(OVER, over).expect("endowed");
    bad.endow(LIKE, like).expect("endowed");
    bad.endow(FILE, system.file(this).expect("a file")).expect("endowed");
    bad.start().expect("started");
    let seen = until_told(&system, || look(&system, &mut ends));
    system.stop(Deadline::PASSED).expect("it is the composer");
    seen
}

/// Looks until there is something, or nothing will be: what it is told then.
fn until_told<T>(
    system: &Sinv,
    mut look: impl FnMut() -> Result<T, ErrorKind>,
) -> Option<ErrorKind> {
    let late = system.within(Duration::from_secs(20));
    loop {
        match look() {
            Err(ErrorKind::TimedOut | ErrorKind::NotFound | ErrorKind::NoSlots) => {
                assert!(!late.passed(system.now()), "nothing comes");
                yield_now();
            }
            result => return result.err(),
        }
    }
}

fn all_are_seen(causes: &[Cause], of: impl Fn(usize) -> Option<ErrorKind>) {
    for (index, (name, _)) in causes.iter().enumerate() {
        let seen: Vec<_> = (0..ROUNDS).map(|_| of(index)).collect();
        std::println!("{name}: {seen:?}");
        assert_eq!(seen, [Some(ErrorKind::Misbehaved); ROUNDS], "{name}");
    }
}

#[test]
fn what_is_sent_and_is_no_capability_is_seen() {
    all_are_seen(&SENT, |cause| {
        beside(sends, cause, |_, ends| ends.try_recv().map_err(|error| kind_of(&error)))
    });
}

#[test]
fn what_is_published_and_is_no_capability_is_seen() {
    all_are_seen(&PUBLISHED, |cause| {
        beside(publishes, cause, |system, _| system.lookup(NAME).map_err(|error| error.kind()))
    });
}

/// Says that it has received all that was sent, and receives nothing.
fn receives_nothing(_: Linux, socket: LinuxSocket) {
    begin(&socket);
    let (_, memory) = taken(&socket, ENDS.name());
    let [pushed, popped] = QUEUE_NUMBERS.map(|at| &words(&memory)[at as usize / 8]);
    loop {
        popped.store(pushed.load(SeqCst), SeqCst);
        yield_now();
    }
}

#[test]
fn a_full_queue_that_is_said_to_have_room_is_seen() {
    for _ in 0..ROUNDS {
        let system = Sinv::new().expect("a system");
        let (mut over, ends) = system.chanchan(1).expect("a queue");
        let bad = Comp::new(system.clone(), component(&system, "hostile", receives_nothing));
        bad.endow(ENDS, ends).expect("endowed");
        bad.start().expect("started");
        // There is room for some: those that are on their way to it.
        let seen = until_told(&system, || {
            let end = system.chan::<Spsc, u64>(1).expect("a channel").0.into_cap();
            let refused = over.try_send(end).err().map(|error| kind_of(&error));
            Err::<(), _>(refused.unwrap_or(ErrorKind::NoSlots))
        });
        assert_eq!(seen, Some(ErrorKind::Misbehaved));
        system.stop(Deadline::PASSED).expect("it is the composer");
    }
}
