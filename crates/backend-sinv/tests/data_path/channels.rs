//! Messages that are copied: one by one, by the forms that wait, and in batches.

use std::hint::spin_loop;
use std::thread::yield_now;

use backend_sinv::Sinv;
use chan_impls::Spsc;
use res_api::{Env, Fault, Receiver, Rx, Sender, Slot, Source, TryRecvError, Tx};

use super::{FROM, Rcv, Snd, TO, there_and_back, trips};

const NUMBERS: Slot<Rx<Spsc, u64>> = Slot::named(FROM);
const ANSWERS: Slot<Tx<Spsc, u64>> = Slot::named(TO);

/// As many as fit.
const BATCH: usize = 8;

/// Answers, and never sleeps.
pub(super) fn polls(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(NUMBERS)?, env.take(ANSWERS)?);
    loop {
        match from.try_recv() {
            Ok(n) => to.send(n)?,
            Err(TryRecvError::Empty) => yield_now(),
            Err(_) => return Ok(()),
        }
    }
}

/// The same with as many as there are.
fn polls_for_batches(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(NUMBERS)?, env.take(ANSWERS)?);
    let mut numbers = [0; BATCH];
    loop {
        match from.try_recv_slice(&mut numbers) {
            // Whoever asks takes all answers before it asks for more.
            Ok(count) => assert_eq!(to.try_send_slice(&numbers[..count])?, count),
            Err(TryRecvError::Empty) => yield_now(),
            Err(_) => return Ok(()),
        }
    }
}

#[test]
fn data_asks_nobody() {
    there_and_back::<Spsc, u64>(polls, 7, (trips(), &[]), |tx, rx, n| {
        if tx.try_send(n).is_err() {
            return false;
        }
        loop {
            match rx.try_recv() {
                Err(TryRecvError::Empty) => spin_loop(),
                result => return result == Ok(n),
            }
        }
    });
}

/// Until something is there, or nothing will be.
fn await_ready(rx: &Rcv<Spsc, u64>) {
    while !rx.ready() {
        spin_loop();
    }
}

#[test]
fn who_need_not_wait_asks_nobody() {
    there_and_back::<Spsc, u64>(polls, 7, (trips(), &[]), |tx, rx, n| {
        let numbers = n..n + rx.capacity() as u64;
        numbers.clone().all(|n| tx.send(n).is_ok())
            && numbers.clone().all(|n| {
                await_ready(rx);
                rx.recv() == Ok(n)
            })
    });
}

/// A batch that is taken in as many pieces as it comes in.
fn batch(tx: &mut Snd<Spsc, u64>, rx: &mut Rcv<Spsc, u64>, n: u64) -> bool {
    let sent: [u64; BATCH] = core::array::from_fn(|at| n + at as u64);
    if tx.try_send_slice(&sent) != Ok(BATCH) {
        return false;
    }
    let (mut back, mut have) = ([0; BATCH], 0);
    while have < BATCH {
        match rx.try_recv_slice(&mut back[have..]) {
            Ok(count) => have += count,
            Err(TryRecvError::Empty) => spin_loop(),
            Err(_) => return false,
        }
    }
    back == sent
}

#[test]
fn batches_ask_nobody() {
    there_and_back::<Spsc, u64>(polls_for_batches, 7, (trips(), &[]), batch);
}
