//! Tables P4 to P8: what blocks, on the library backend: channels, notification, locks, groups.
//!
//! The two that the foundation promises stand first: a blocking channel against its own raw ring.
//! Arguments: parts of table names (all tables without). `ROUNDS` in the environment.

use std::hint::black_box;
use std::sync::mpsc::sync_channel;

use chan_impls::Spsc;
use chan_impls::standalone::ring;
use res::kernel::linux::LinuxPoint;
use res::kernel::{Kernel, Linux};
use res::sync::{Barrier, Mutex};
use res::{Backend, Blockpoint, Deadline, EvtGrp, Local, Message, Receiver, Sender, Trigger, Wake};
use res_benches::{Candidate, Table, on_two_cores, time};

type Line = [u64; 8];

const MESSAGES: u64 = 100_000;
const TRIPS: u64 = 2_000;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let rounds = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(51);
    let show = |title: &str, candidates: fn() -> Vec<Candidate<'static>>| {
        if wanted.is_empty() || wanted.iter().any(|part| title.contains(part.as_str())) {
            println!("{}", Table::measure(title, rounds, candidates()));
        }
    };
    show("blocking against raw, u64, capacity 1024", || against_raw::<u64>(1024));
    show("blocking against raw, u64, capacity 64", || against_raw::<u64>(64));
    show("blocking against raw, 64 bytes, capacity 1024", || against_raw::<Line>(1024));
    show("blocking against raw, 64 bytes, capacity 64", || against_raw::<Line>(64));
    show("P4 blocking, one producer, u64, capacity 1024", throughput);
    show("P5 blocking round trip, u64, capacity 1", round_trip);
    show("P7 notify with nobody waiting", notify);
    show("P7b mutex, uncontended", lock);
    show("P8 one of 10 sources ready", || one_of(10));
    show("P8 one of 1,000 sources ready", || one_of(1_000));
    show("P8 one of 10,000 sources ready", || one_of(10_000));
}

/// Nanoseconds for each message of `MESSAGES`.
fn each(nanos: f64) -> f64 {
    nanos / MESSAGES as f64
}

/// A blocking channel, and the ring without blocking as the one to compare with.
fn against_raw<T: Message + Copy + Default>(capacity: u32) -> Vec<Candidate<'static>> {
    vec![
        Candidate::ours("Spsc, send and recv", move || blocking::<T>(capacity)),
        Candidate::peer("ring, push and pop", move || raw::<T>(capacity)),
    ]
}

fn blocking<T: Message + Copy + Default>(capacity: u32) -> f64 {
    let system = Local::new().expect("memory is there");
    let (mut tx, mut rx) = system.chan::<Spsc, T>(capacity).expect("memory is there");
    each(on_two_cores(
        move || {
            for _ in 0..MESSAGES {
                tx.send(black_box(T::default())).expect("the receiver lives");
            }
            tx
        },
        move || {
            for _ in 0..MESSAGES {
                black_box(rx.recv().expect("the sender lives"));
            }
            rx
        },
    ))
}

fn raw<T: Message + Copy + Default>(capacity: u32) -> f64 {
    let (mut tx, mut rx) = ring::<T>(capacity).expect("memory is there");
    each(on_two_cores(
        move || {
            for _ in 0..MESSAGES {
                let item = black_box(T::default());
                while tx.push(item).is_err() {
                    std::hint::spin_loop();
                }
            }
            tx
        },
        move || {
            for _ in 0..MESSAGES {
                while black_box(rx.pop()).is_none() {
                    std::hint::spin_loop();
                }
            }
            rx
        },
    ))
}

/// One candidate of the peers: `send` and `recv` of a blocking channel.
macro_rules! peer_throughput {
    ($name:literal, $channel:expr) => {
        Candidate::peer($name, || {
            let (tx, rx) = $channel;
            each(on_two_cores(
                move || {
                    for n in 0..MESSAGES {
                        tx.send(black_box(n)).expect("the receiver lives");
                    }
                    tx
                },
                move || {
                    for _ in 0..MESSAGES {
                        black_box(rx.recv().expect("the sender lives"));
                    }
                    rx
                },
            ))
        })
    };
}

fn throughput() -> Vec<Candidate<'static>> {
    vec![
        Candidate::ours("Spsc", || blocking::<u64>(1024)),
        peer_throughput!("std sync_channel", sync_channel::<u64>(1024)),
        peer_throughput!("crossbeam", crossbeam_channel::bounded::<u64>(1024)),
        peer_throughput!("kanal", kanal::bounded::<u64>(1024)),
        Candidate::floor("(raw ring)", || raw::<u64>(1024)),
    ]
}

macro_rules! peer_round_trip {
    ($name:literal, $channel:expr) => {
        Candidate::peer($name, || {
            let ((there, from), (back, home)) = ($channel, $channel);
            on_two_cores(
                move || {
                    for n in 0..TRIPS {
                        there.send(n).expect("the other lives");
                        black_box(home.recv().expect("the other lives"));
                    }
                },
                move || {
                    for _ in 0..TRIPS {
                        back.send(from.recv().expect("the other lives")).expect("the other lives");
                    }
                },
            ) / TRIPS as f64
        })
    };
}

fn round_trip() -> Vec<Candidate<'static>> {
    vec![
        Candidate::ours("Spsc", || {
            let system = Local::new().expect("memory is there");
            let channel = || system.chan::<Spsc, u64>(1).expect("memory is there");
            let ((mut there, mut from), (mut back, mut home)) = (channel(), channel());
            on_two_cores(
                move || {
                    for n in 0..TRIPS {
                        there.send(n).expect("the other lives");
                        black_box(home.recv().expect("the other lives"));
                    }
                    (there, home)
                },
                move || {
                    for _ in 0..TRIPS {
                        let n = from.recv().expect("the other lives");
                        back.send(n).expect("the other lives");
                    }
                    (from, back)
                },
            ) / TRIPS as f64
        }),
        peer_round_trip!("std sync_channel", sync_channel::<u64>(1)),
        peer_round_trip!("crossbeam", crossbeam_channel::bounded::<u64>(1)),
        peer_round_trip!("kanal", kanal::bounded::<u64>(1)),
    ]
}

fn notify() -> Vec<Candidate<'static>> {
    const TIMES: u64 = 100_000;
    let system = Local::new().expect("memory is there");
    let changed = system.blockpoint().expect("memory is there");
    let word = std::sync::atomic::AtomicU64::new(0);
    let (parking, std) = (parking_lot::Condvar::new(), std::sync::Condvar::new());
    vec![
        Candidate::ours("blockpoint", move || {
            time(TIMES, || {
                for _ in 0..TIMES {
                    black_box(black_box(&changed).trigger(Wake::All));
                }
            })
        }),
        Candidate::peer("parking_lot Condvar", move || {
            time(TIMES, || (0..TIMES).map(|_| black_box(&parking).notify_all()).sum::<usize>())
        }),
        Candidate::peer("std Condvar", move || {
            time(TIMES, || (0..TIMES).for_each(|_| black_box(&std).notify_all()))
        }),
        Candidate::floor("(a load)", move || {
            let load = || black_box(&word).load(std::sync::atomic::Ordering::Acquire);
            time(TIMES, || (0..TIMES).fold(0, |sum, _| sum ^ load()))
        }),
    ]
}

fn lock() -> Vec<Candidate<'static>> {
    const TIMES: u64 = 100_000;
    let locked = |barrier| {
        let lock = Mutex::new(Linux::new(), LinuxPoint::default(), barrier, 0_u64);
        move || time(TIMES, || (0..TIMES).for_each(|_| *black_box(&lock).lock() += 1))
    };
    let (parking, std) = (parking_lot::Mutex::new(0_u64), std::sync::Mutex::new(0_u64));
    vec![
        Candidate::ours("Mutex, asymmetric", locked(Linux::new().barrier())),
        Candidate::ours("Mutex, fenced", locked(Barrier::Fence)),
        Candidate::peer("parking_lot", move || {
            time(TIMES, || (0..TIMES).for_each(|_| *black_box(&parking).lock() += 1))
        }),
        Candidate::peer("std", move || {
            let lock = || std.lock().expect("nobody panics");
            time(TIMES, || (0..TIMES).for_each(|_| *black_box(lock()) += 1))
        }),
    ]
}

/// One thread makes one source ready, waits for it, and takes what is there.
fn one_of(sources: u32) -> Vec<Candidate<'static>> {
    const TIMES: u64 = 2_000;
    let system = Local::new().expect("memory is there");
    let group = system.evtgrp(sources).expect("memory is there");
    let mut ends: Vec<_> =
        (0..sources).map(|_| system.chan::<Spsc, u64>(1).expect("memory is there")).collect();
    let registered: Vec<_> = (0_u64..)
        .zip(&ends)
        .map(|(data, (_, rx))| group.add(rx, Trigger::Edge, data).expect("there is room"))
        .collect();
    let pairs: Vec<_> = (0..sources).map(|_| crossbeam_channel::bounded::<u64>(1)).collect();
    vec![
        Candidate::ours("event group", move || {
            let _registered = &registered;
            let step = sources as usize / 7 + 1;
            let mut at = 0;
            time(TIMES, || {
                for n in 0..TIMES {
                    at = (at + step) % ends.len();
                    ends[at].0.send(n).expect("the receiver lives");
                    let which = group.wait(Deadline::NEVER).expect("the group is open").data;
                    black_box(ends[which as usize].1.try_recv()).expect("there is a message");
                }
            })
        }),
        Candidate::peer("crossbeam ready", move || {
            let mut select = crossbeam_channel::Select::new();
            for (_, rx) in &pairs {
                select.recv(rx);
            }
            let times = (20_000 / u64::from(sources)).clamp(5, TIMES);
            let step = sources as usize / 7 + 1;
            let mut at = 0;
            time(times, || {
                for n in 0..times {
                    at = (at + step) % pairs.len();
                    pairs[at].0.send(n).expect("the receiver lives");
                    let which = select.ready();
                    black_box(pairs[which].1.try_recv()).expect("there is a message");
                }
            })
        }),
    ]
}
