//! Tables P1 to P3: single-producer single-consumer rings that do not block, ours and the peers'.
//!
//! Arguments: parts of table names (all tables without). `ROUNDS` in the environment.

use res_benches::rings::{
    ArrayQueue, Batches, Disruptor, Heapless, Item, Messages, OneThread, Ring, Ringbuf, RoundTrips,
    Rtrb, Standalone, Throughput, Work,
};
use res_benches::{Candidate, Table};

type Line = [u64; 8];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let rounds = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(101);
    let show = |title: &str, candidates: fn() -> Vec<Candidate<'static>>| {
        if wanted.is_empty() || wanted.iter().any(|part| title.contains(part.as_str())) {
            println!("{}", Table::measure(title, rounds, candidates()));
        }
    };

    show("P1 two cores, u64, capacity 1024", || all::<u64, _>(1024, || Throughput(100_000)));
    show("P1b two cores, u64, capacity 64", || all::<u64, _>(64, || Throughput(100_000)));
    show("P1c two cores, 64 bytes, capacity 1024", || all::<Line, _>(1024, || Throughput(100_000)));
    show("P1c two cores, 64 bytes, capacity 64", || all::<Line, _>(64, || Throughput(100_000)));
    show("P1d batches of 64, u64, capacity 1024", || all::<u64, _>(1024, || Batches(128_000)));
    show("P1d batches of 64, 64 bytes, capacity 1024", || all::<Line, _>(1024, || Batches(32_000)));
    show("P2 round trip, u64, capacity 64", || {
        let mut candidates = vec![
            ours::<u64, Standalone, _>(64, || RoundTrips::<Standalone>::new(64, TRIPS)),
            ours::<u64, Messages, _>(64, || RoundTrips::<Messages>::new(64, TRIPS)),
            peer::<u64, Rtrb, _>(64, || RoundTrips::<Rtrb>::new(64, TRIPS)),
            peer::<u64, Ringbuf, _>(64, || RoundTrips::<Ringbuf>::new(64, TRIPS)),
            peer::<u64, Disruptor, _>(64, || RoundTrips::<Disruptor>::new(64, TRIPS)),
            peer::<u64, Heapless, _>(64, || RoundTrips::<Heapless>::new(64, TRIPS)),
            peer::<u64, ArrayQueue, _>(64, || RoundTrips::<ArrayQueue>::new(64, TRIPS)),
        ];
        candidates.push(Candidate::floor("(two words)", two_words));
        candidates
    });
    show("P3 one thread, push and pop, u64, capacity 64", || {
        let mut candidates = all::<u64, _>(64, || OneThread(100_000));
        candidates.push(Candidate::floor("(VecDeque)", deque));
        candidates
    });
}

const TRIPS: u64 = 2_000;

/// All rings, each doing new work of its own in each round.
fn all<T, W>(capacity: u32, work: fn() -> W) -> Vec<Candidate<'static>>
where
    T: Item + Sync,
    W: Work<T, Out = f64> + 'static,
{
    vec![
        ours::<T, Standalone, W>(capacity, work),
        ours::<T, Messages, W>(capacity, work),
        peer::<T, Rtrb, W>(capacity, work),
        peer::<T, Ringbuf, W>(capacity, work),
        peer::<T, Disruptor, W>(capacity, work),
        peer::<T, Heapless, W>(capacity, work),
        peer::<T, ArrayQueue, W>(capacity, work),
    ]
}

fn ours<T, R, W>(capacity: u32, work: fn() -> W) -> Candidate<'static>
where
    T: Item,
    R: Ring<T>,
    W: Work<T, Out = f64> + 'static,
{
    Candidate::ours(R::NAME, move || R::with(capacity, work()))
}

fn peer<T, R, W>(capacity: u32, work: fn() -> W) -> Candidate<'static>
where
    T: Item,
    R: Ring<T>,
    W: Work<T, Out = f64> + 'static,
{
    Candidate::peer(R::NAME, move || R::with(capacity, work()))
}

/// A number there and back through two words on lines of their own: what the machine asks.
fn two_words() -> f64 {
    use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

    #[repr(align(128))]
    struct Word(AtomicU64);

    let (there, back) = (Word(AtomicU64::new(0)), Word(AtomicU64::new(0)));
    let wait = |word: &Word, value| {
        while word.0.load(Acquire) != value {
            std::hint::spin_loop();
        }
    };
    let client = || {
        for k in 1..=TRIPS {
            there.0.store(k, Release);
            wait(&back, k);
        }
    };
    let server = || {
        for k in 1..=TRIPS {
            wait(&there, k);
            back.0.store(k, Release);
        }
    };
    res_benches::on_two_cores(client, server) / TRIPS as f64
}

/// The same on the queue of one thread.
fn deque() -> f64 {
    let mut queue = std::collections::VecDeque::<u64>::with_capacity(64);
    res_benches::time(100_000, || {
        for k in 0..100_000 {
            queue.push_back(std::hint::black_box(k));
            assert_eq!(queue.pop_front(), Some(k));
        }
    })
}
