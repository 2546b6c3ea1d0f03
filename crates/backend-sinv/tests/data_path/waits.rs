//! Who waits asks nobody but for sleep: whoever answers while it spins is not even asked for that, but
//! on a busy machine may be late.

use chan_impls::Spsc;
use res_api::{Deadline, Receiver, Sender};

use super::calls::with_one_who_answers;
use super::channels::polls;
use super::filter::SLEEPING;
use super::{there_and_back, trips};

#[test]
fn who_receives_asks_for_nothing_but_sleep() {
    there_and_back::<Spsc, u64>(polls, 7, (trips(), SLEEPING), |tx, rx, n| {
        tx.send(n).is_ok() && rx.recv() == Ok(n)
    });
}

#[test]
fn who_is_answered_asks_for_nothing_but_sleep() {
    with_one_who_answers((trips(), SLEEPING), |caller, n| {
        caller.call(0, [n, 0, 0, 0], Deadline::NEVER) == Ok([n, 0, 0])
    });
}
