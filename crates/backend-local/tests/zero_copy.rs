//! Loans of a zero-copy channel: several, in any order, dropped anywhere, passed on.

use backend_local::Local;
use chan_impls::zero_copy::{ZeroCopyRcv, ZeroCopySnd};
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    AnyCap, Backend, Deadline, ErrorKind, EvtGrp, Fault, Gone, IntoCap, Kind, Receiver, RecvError,
    Sender, Thread, Trigger, TryRecvError, TrySendError,
};

type Page = [u8; 1024];
type Pair = (ZeroCopySnd<Local, Page>, ZeroCopyRcv<Local, Page>);

fn pair(system: &Local, capacity: u32) -> Pair {
    system.chan::<ZeroCopy, Page>(capacity).expect("memory is there")
}

fn page(byte: u8) -> Page {
    [byte; 1024]
}

#[test]
fn loans_come_back_in_any_order() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut tx, mut rx) = pair(&system, 3);
    for byte in 0..3 {
        tx.send(page(byte))?;
    }
    assert!(matches!(tx.try_loan(), Err(TrySendError::Full(()))));
    let loans = [rx.recv_loan()?, rx.recv_loan()?, rx.recv_loan()?];
    assert_eq!(loans.each_ref().map(|loan| loan.as_ref().map(|page| page[7])), [0, 1, 2].map(Some));
    let [first, second, third] = loans;
    rx.release(second).expect("it is this end's");
    tx.send(page(3))?;
    drop(third);
    // The drop is noticed at the receiver's next operation.
    assert_eq!(rx.try_recv()?, page(3));
    tx.send(page(4))?;
    tx.send(page(5))?;
    assert_eq!(first.get(), Ok(page(0)));
    assert!(matches!(tx.try_send(page(6)), Err(TrySendError::Full(_))));
    Ok(())
}

/// However many words it takes to note which loans were dropped.
#[test]
fn all_slots_are_free_again_when_their_loans_were_dropped() -> Result<(), Fault> {
    let system = Local::new()?;
    for capacity in [1, 63, 64, 65, 128, 200] {
        let (mut tx, mut rx) = pair(&system, capacity);
        for round in 0..3 {
            let drafts: Result<Vec<_>, _> = (0..capacity).map(|_| tx.try_loan()).collect();
            let mut drafts = drafts?;
            assert!(matches!(tx.try_loan(), Err(TrySendError::Full(()))));
            // Some are not sent, but dropped.
            let sent = drafts.split_off(drafts.len() / (round + 2));
            let unsent = drafts.len() as u32;
            drop(drafts);
            for draft in sent {
                tx.send_loan(draft).map_err(TrySendError::without_message)?;
            }
            let loans: Result<Vec<_>, _> = (unsent..capacity).map(|_| rx.try_recv_loan()).collect();
            let mut loans = loans?;
            loans.reverse();
            drop(loans);
            assert_eq!(rx.try_recv().err(), Some(TryRecvError::Empty), "{capacity}");
        }
    }
    Ok(())
}

#[test]
fn a_loan_is_written_in_place_and_an_unsent_one_is_free_again() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut tx, mut rx) = pair(&system, 1);
    drop(tx.loan()?);
    let mut loan = tx.loan()?;
    assert!(matches!(tx.try_loan(), Err(TrySendError::Full(()))));
    loan.bytes_mut().fill(9);
    loan.copy_in(1, b"abc")?;
    assert_eq!(loan.copy_in(1022, b"abc"), Err(ErrorKind::Invalid));
    tx.send_loan(loan)?;
    let got = rx.recv()?;
    assert_eq!(&got[..5], b"\x09abc\x09");
    Ok(())
}

#[test]
fn loans_of_another_channel_are_refused() -> Result<(), Fault> {
    let system = Local::new()?;
    let ((mut tx, mut rx), (mut other_tx, mut other_rx)) = (pair(&system, 1), pair(&system, 1));
    let loan = tx.loan()?;
    let refused = other_tx.send_loan(loan);
    let Err(TrySendError::Refused(loan, ErrorKind::Invalid)) = refused else {
        panic!("sent over the wrong channel: {refused:?}");
    };
    tx.send_loan(loan)?;
    let loan = rx.recv_loan()?;
    let loan = other_rx.release(loan).expect_err("given back to the wrong channel");
    rx.release(loan).expect("it is this end's");
    Ok(())
}

#[test]
fn a_drop_in_another_thread_wakes_a_sender_short_of_slots() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut tx, mut rx) = pair(&system, 1);
    tx.send(page(1))?;
    let loan = rx.recv_loan()?;
    let receiving = system.thread(move || {
        // Sleeps in `recv`, while the only slot is in the loan.
        assert_eq!(rx.recv(), Ok(page(2)));
        assert_eq!(rx.recv(), Err(RecvError::Gone(Gone::Closed)));
    })?;
    receiving.start()?;
    let dropping = system.thread(move || drop(loan))?;
    dropping.start()?;
    tx.send(page(2))?;
    drop(tx);
    receiving.join(Deadline::NEVER)?.ok()
}

#[test]
fn messages_are_passed_on_without_copying() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut tx, rx) = pair(&system, 2);
    let (mut stage, mut last) = rx.into_forwarder(&system).expect("memory is there");
    let sender = system.thread(move || {
        for round in 0..1000_u32 {
            tx.send(page(round as u8)).expect("the stage lives");
        }
    })?;
    let middle = system.thread(move || {
        let mut kept = 0;
        loop {
            match stage.recv_loan_until(Deadline::NEVER) {
                Ok(loan) if loan.as_ref().is_some_and(|page| page[0] == 13) => {
                    kept += 1;
                    stage.release(loan).expect("it is this end's");
                }
                Ok(loan) => stage.forward(loan).expect("the last stage lives"),
                Err(gone) => {
                    assert_eq!(gone, RecvError::Gone(Gone::Closed));
                    break;
                }
            }
        }
        assert_eq!(kept, 4);
    })?;
    sender.start()?;
    middle.start()?;
    let mut expected = (0..1000_u32).map(|round| round as u8).filter(|byte| *byte != 13);
    loop {
        match last.recv_loan() {
            Ok(loan) => assert_eq!(loan.get()?[1023], expected.next().expect("no more than sent")),
            Err(gone) => {
                assert_eq!(gone, RecvError::Gone(Gone::Closed));
                break;
            }
        }
    }
    assert_eq!(expected.next(), None);
    sender.join(Deadline::NEVER)?.ok()?;
    middle.join(Deadline::NEVER)?.ok()
}

#[test]
fn slots_of_a_stage_that_is_gone_come_back() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut tx, rx) = pair(&system, 1);
    let (mut stage, last) = rx.into_forwarder(&system).expect("memory is there");
    tx.send(page(1))?;
    let loan = stage.recv_loan_until(Deadline::NEVER)?;
    stage.forward(loan)?;
    assert!(matches!(tx.try_send(page(2)), Err(TrySendError::Full(_))));
    drop(last);
    stage.collect();
    tx.send(page(2))?;
    let loan = stage.recv_loan_until(Deadline::NEVER)?;
    let Err(TrySendError::Gone(loan, Gone::Closed)) = stage.forward(loan) else {
        panic!("passed on to nobody");
    };
    stage.release(loan).expect("it is this end's");
    Ok(())
}

#[test]
fn an_end_travels_with_what_it_knows() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut tx, mut rx) = pair(&system, 2);
    tx.send(page(1))?;
    assert_eq!(rx.recv()?, page(1));
    tx.send(page(2))?;
    let loan = rx.recv_loan()?;
    let (tx, rx) = (tx.into_cap(), rx.into_cap());
    let tx = tx.cast::<<Spsc as Kind<Local>>::Snd<Page>>().expect_err("another kind").cap;
    let mut tx = tx.cast::<<ZeroCopy as Kind<Local>>::Snd<Page>>()?;
    let mut rx = rx.cast::<<ZeroCopy as Kind<Local>>::Rcv<Page>>()?;
    tx.send(page(3))?;
    assert!(matches!(tx.try_send(page(4)), Err(TrySendError::Full(_))));
    assert_eq!(rx.recv()?, page(3));
    rx.release(loan).expect("lent before the journey");
    tx.send(page(5))?;
    tx.send(page(6))?;
    drop(tx);
    assert_eq!((rx.recv()?, rx.recv()?), (page(5), page(6)));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Gone(Gone::Closed)));
    Ok(())
}

#[test]
fn both_ends_are_sources() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut tx, mut rx) = pair(&system, 1);
    let group = system.evtgrp(2)?;
    let _registered = (group.add(&tx, Trigger::Level, 0)?, group.add(&rx, Trigger::Level, 1)?);
    assert_eq!(group.wait(Deadline::NEVER)?.data, 0);
    tx.send(page(1))?;
    assert!(matches!(tx.try_send(page(2)), Err(TrySendError::Full(_))));
    assert_eq!(group.wait(Deadline::NEVER)?.data, 1);
    assert_eq!(rx.recv()?, page(1));
    assert_eq!(rx.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(group.wait(Deadline::NEVER)?.data, 0);
    drop(rx);
    assert!(tx.send(page(3)).is_err());
    Ok(())
}

/// Numbers come back several at a time; each is looked at by itself.
#[test]
fn numbers_that_are_not_away_are_not_believed() -> Result<(), Fault> {
    type Numbers = <Spsc as Kind<Local>>::Snd<u32>;
    for (numbers, free) in [
        (&[0, 1, 2][..], 3),
        (&[3, 0, 2, 1], 4),
        (&[2, 2], 0),
        (&[1, 0, 1], 0),
        (&[1, 0, 4], 0),
        (&[u32::MAX], 0),
    ] {
        let (mut tx, rx) = pair(&Local::new()?, 4);
        for byte in 0..4 {
            tx.send(page(byte))?;
        }
        let cap = rx.into_cap();
        let returned = cap.end(1).expect("where numbers go back");
        let mut returned = returned.cast::<Numbers>().map_err(|error| error.reason.kind())?;
        numbers.iter().try_for_each(|number| returned.send(*number))?;
        let mut loans = Vec::new();
        let why = loop {
            match tx.try_loan() {
                Ok(loan) => loans.push(loan),
                Err(why) => break why,
            }
        };
        assert_eq!(loans.len(), free, "{numbers:?}");
        let found = matches!(why, TrySendError::Gone((), Gone::Misbehaved));
        assert_eq!(found, free == 0, "{numbers:?}: {why:?}");
        drop((loans, returned.into_cap()));
    }
    Ok(())
}
