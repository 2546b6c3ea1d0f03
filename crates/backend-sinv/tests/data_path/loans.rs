//! Messages that stay where they were written.

use std::hint::spin_loop;
use std::thread::yield_now;

use backend_sinv::Sinv;
use chan_impls::ZeroCopy;
use chan_impls::zero_copy::LoanMut;
use res_api::{Env, Fault, Rx, Slot, Source, TryRecvError, TrySendError, Tx};

use super::{FROM, Rcv, Snd, TO, there_and_back, trips};

/// As long as several lines.
type Page = [u64; 64];

const PAGES: Slot<Rx<ZeroCopy, Page>> = Slot::named(FROM);
const ANSWERS: Slot<Tx<ZeroCopy, Page>> = Slot::named(TO);

/// A slot that is free, some time.
fn free_slot(tx: &mut Snd<ZeroCopy, Page>) -> Result<LoanMut<Sinv, Page>, Fault> {
    loop {
        match tx.try_loan() {
            Err(TrySendError::Full(())) => yield_now(),
            result => return Ok(result?),
        }
    }
}

/// Answers by a slot of its own, and never sleeps.
fn polls(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(PAGES)?, env.take(ANSWERS)?);
    loop {
        match from.try_recv_loan() {
            Ok(page) => {
                let mut answer = free_slot(&mut to)?;
                answer.set(&page.get()?);
                to.send_loan(answer).map_err(|_| ()).expect("it listens");
                from.release(page).expect("its own");
            }
            Err(TryRecvError::Empty) => yield_now(),
            Err(_) => return Ok(()),
        }
    }
}

/// Lends a slot, sends it, takes the answer where it lies, and gives it back at once or later.
fn trip(tx: &mut Snd<ZeroCopy, Page>, rx: &mut Rcv<ZeroCopy, Page>, n: u64) -> bool {
    let page = core::array::from_fn(|at| n + at as u64);
    while !tx.ready() {
        spin_loop();
    }
    let Ok(mut draft) = tx.loan() else { return false };
    draft.set(&page);
    if tx.send_loan(draft).is_err() {
        return false;
    }
    while !rx.ready() {
        spin_loop();
    }
    let Ok(answer) = rx.recv_loan() else { return false };
    let is_right = answer.get() == Ok(page);
    is_right && (n.is_multiple_of(2) || rx.release(answer).is_ok())
}

#[test]
fn loans_ask_nobody() {
    there_and_back::<ZeroCopy, Page>(polls, [7; 64], (trips(), &[]), trip);
}
