//! What the machine asks of whoever wants an answer from another process: words in memory that both
//! have mapped, looked at all the time, or slept on by the bare futex; and copies beside them.

use std::sync::atomic::Ordering::{Acquire, Release};

use res::{
    Backend, Comp, Entry, Env, Fault, Map, Mem, Memory, Name, Rights, SharedMem, Sinv, Slot,
};
use res_benches::{Candidate, pin, time};

use super::TRIPS;
use super::pause::paused;

const WORDS: Slot<Memory> = Slot::new("words");

type Mapped = <Sinv as Backend>::Map;

/// The two words, a line each, and more between them.
const PLACES: [u64; 2] = [0, 128];
/// Where what is copied begins, there and back.
const COPIES: u64 = 4096;
/// Said to who is to end.
const END: u64 = u64::MAX;

/// Waits until the word at the place is another one, in the way that is measured.
type Wait = fn(&Mapped, u64, u64) -> u64;
/// Tells who waits there.
type Tell = fn(&Mapped, u64);

fn spin(map: &Mapped, place: u64, last: u64) -> u64 {
    let word = map.word(place).expect("a word");
    loop {
        match word.load(Acquire) {
            same if same == last => std::hint::spin_loop(),
            other => return other,
        }
    }
}

fn nobody(_: &Mapped, _: u64) {}

fn futex(map: &Mapped, place: u64, operation: libc::c_int, value: u64) {
    let word: *const _ = map.word(place).expect("a word");
    // SAFETY: a word that stays mapped; its low half comes first.
    unsafe { libc::syscall(libc::SYS_futex, word, operation, value as u32, 0_usize) };
}

fn sleep(map: &Mapped, place: u64, last: u64) -> u64 {
    let word = map.word(place).expect("a word");
    loop {
        match word.load(Acquire) {
            same if same == last => futex(map, place, libc::FUTEX_WAIT, last),
            other => return other,
        }
    }
}

fn wake(map: &Mapped, place: u64) {
    futex(map, place, libc::FUTEX_WAKE, 1);
}

/// Answers each word with the same.
fn answers(env: &Env<Sinv>, wait: Wait, tell: Tell) -> Result<(), Fault> {
    pin(1);
    let map = env.take(WORDS)?.map(Rights::READ | Rights::WRITE)?;
    let [asked, answered] = PLACES;
    let mut last = 0;
    while last != END {
        last = wait(&map, asked, last);
        map.word(answered)?.store(last, Release);
        tell(&map, answered);
    }
    Ok(())
}

fn spins(env: Env<Sinv>) -> Result<(), Fault> {
    answers(&env, spin, nobody)
}

fn sleeps(env: Env<Sinv>) -> Result<(), Fault> {
    answers(&env, sleep, wake)
}

/// Whoever asks, with its partner.
struct Asker {
    map: Mapped,
    last: u64,
    wait: Wait,
    tell: Tell,
    _component: Comp<Sinv>,
}

impl Asker {
    fn new(system: &Sinv, entry: impl Entry<Sinv>, wait: Wait, tell: Tell) -> Self {
        Self::with(system, entry, wait, tell, 4096)
    }

    fn with(system: &Sinv, entry: impl Entry<Sinv>, wait: Wait, tell: Tell, bytes: u64) -> Self {
        let memory = system.mem(bytes).expect("memory is there").share();
        let map = memory.map(Rights::READ | Rights::WRITE).expect("mapped");
        let component = system.component(const { Name::new("words") }, entry).expect("made");
        component.endow(WORDS, memory).expect("endowed");
        component.start().expect("started");
        let mut asker = Self { map, last: 0, wait, tell, _component: component };
        // It begins a moment after it was started.
        asker.ask(1);
        asker
    }

    fn ask(&mut self, what: u64) {
        let [asked, answered] = PLACES;
        self.map.word(asked).expect("a word").store(what, Release);
        (self.tell)(&self.map, asked);
        self.last = (self.wait)(&self.map, answered, self.last);
    }

    fn ask_next(&mut self) {
        self.ask(self.last + 1);
    }
}

/// It would take the core from the others.
impl Drop for Asker {
    fn drop(&mut self) {
        self.ask(END);
    }
}

/// Two words, looked at all the time.
pub(crate) fn two_words(system: &Sinv) -> Candidate<'static> {
    let system = system.clone();
    Candidate::floor("two words in shared memory", move || {
        let mut asker = Asker::new(&system, spins, spin, nobody);
        time(TRIPS, || (0..TRIPS).for_each(|_| asker.ask_next()))
    })
}

/// Two words, slept on.
pub(crate) fn two_futexes(system: &Sinv) -> Candidate<'static> {
    let system = system.clone();
    Candidate::floor("bare futexes in shared memory", move || {
        let mut asker = Asker::new(&system, sleeps, sleep, wake);
        time(TRIPS, || (0..TRIPS).for_each(|_| asker.ask_next()))
    })
}

/// The same, with somebody who has slept for a while.
pub(crate) fn two_futexes_paused(system: &Sinv) -> Candidate<'static> {
    let system = system.clone();
    Candidate::floor("bare futexes in shared memory", move || {
        let mut asker = Asker::new(&system, sleeps, sleep, wake);
        paused(|| asker.ask_next())
    })
}

/// Where the bytes are that go there (0), or come back (1).
fn place(map: &Mapped, way: usize, len: usize) -> *mut u8 {
    let start = COPIES as usize + way * len;
    assert!((start + len) as u64 <= map.len());
    map.base().as_ptr().wrapping_add(start)
}

fn put(map: &Mapped, way: usize, private: &[u8]) {
    let shared = place(map, way, private.len());
    // SAFETY: within what is mapped for writing (`place`), to which nobody has a reference; the words
    // say whose turn it is.
    unsafe { shared.copy_from_nonoverlapping(private.as_ptr(), private.len()) };
}

fn get(map: &Mapped, way: usize, private: &mut [u8]) {
    let shared = place(map, way, private.len());
    // SAFETY: as above; any bytes are a value.
    unsafe { shared.copy_to_nonoverlapping(private.as_mut_ptr(), private.len()) };
}

/// Copies what comes, and copies it back.
fn copies<const N: usize>(env: Env<Sinv>) -> Result<(), Fault> {
    pin(1);
    let map = env.take(WORDS)?.map(Rights::READ | Rights::WRITE)?;
    let ([asked, answered], mut private, mut last) = (PLACES, vec![0; N], 0);
    loop {
        last = spin(&map, asked, last);
        if last != END {
            get(&map, 0, &mut private);
            put(&map, 1, &private);
        }
        map.word(answered)?.store(last, Release);
        if last == END {
            return Ok(());
        }
    }
}

/// Two words, looked at all the time, and four copies.
pub(crate) fn two_words_and_copies<const N: usize>(
    system: &Sinv,
    trips: u64,
) -> Candidate<'static> {
    let system = system.clone();
    Candidate::floor("two words in shared memory, and copies", move || {
        let mut asker = Asker::with(&system, copies::<N>, spin, nobody, COPIES + 2 * N as u64);
        let mut private = vec![7; N];
        let mut trip = || {
            put(&asker.map, 0, &private);
            asker.ask_next();
            get(&asker.map, 1, &mut private);
        };
        trip();
        time(trips, || (0..trips).for_each(|_| trip()))
    })
}
