//! Who waits, and finds what it waits for before it sleeps, asks nobody. On a busy machine its peer may
//! be late: then it sleeps, which is the end of its process. So each try is this program once more,
//! and one of many has to come through.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use chan_impls::Spsc;
use res_api::{Deadline, Receiver, Sender};

use super::calls::with_one_who_answers;
use super::channels::polls;
use super::{alone, there_and_back};

/// Says to this program, executed once more, that it is a try.
const TRY: &str = "RES_TEST_TRY";
/// How many there are, at most.
const TRIES: u32 = 1000;
/// How often each waits.
const WAITS: u64 = 20;

/// Whether a try comes through. What ends it otherwise is a call of the machine, and nothing else.
fn comes_through(test: &str) -> bool {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--exact", test]).env(TRY, "1").stdout(Stdio::null());
    let status = command.status().expect("this program again");
    assert!(status.success() || status.signal() == Some(libc::SIGSYS), "{status}");
    status.success()
}

/// Is such a try, or makes them: where there is another core for the peer.
fn one_of_many(test: &str, one: impl FnOnce()) {
    if env::var_os(TRY).is_some() {
        one();
    } else if available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        let _alone = alone();
        assert!((0..TRIES).any(|_| comes_through(test)), "each called the machine");
    }
}

#[test]
fn who_receives_while_it_spins_asks_nobody() {
    one_of_many("spins::who_receives_while_it_spins_asks_nobody", || {
        there_and_back::<Spsc, u64>(polls, 7, WAITS, |tx, rx, n| {
            tx.send(n).is_ok() && rx.recv() == Ok(n)
        });
    });
}

#[test]
fn who_is_answered_while_it_spins_asks_nobody() {
    one_of_many("spins::who_is_answered_while_it_spins_asks_nobody", || {
        with_one_who_answers(WAITS, |caller, n| {
            caller.call(0, [n, 0, 0, 0], Deadline::NEVER) == Ok([n, 0, 0])
        });
    });
}
