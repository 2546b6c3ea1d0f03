//! Batches: in order, as many as fit, one notification, and what becomes of those that nobody
//! receives.

use backend_local::Local;
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    AnyCap, Backend, ChanAttr, ChanFlags, Deadline, ErrorKind, Fault, Gone, IntoCap, Kind,
    Receiver, Sender, Thread, TryRecvError, TrySendError,
};

fn as_many_as_fit<K: Kind<Local>>() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut tx, mut rx) = system.chan::<K, u32>(5)?;
    let all: Vec<u32> = (0..12).collect();
    assert_eq!(tx.try_send_slice(&all)?, 5);
    assert_eq!(tx.try_send_slice(&all[5..]), Err(TrySendError::Full(())));
    assert_eq!(tx.try_send_slice(&[])?, 0);
    let mut into = [0; 3];
    assert_eq!(rx.try_recv_slice(&mut into)?, 3);
    assert_eq!(into, [0, 1, 2]);
    assert_eq!(tx.try_send_slice(&all[5..])?, 3);
    let mut into = [0; 9];
    assert_eq!(rx.try_recv_slice(&mut into)?, 5);
    assert_eq!(into[..5], all[3..8]);
    assert_eq!(rx.try_recv_slice(&mut into), Err(TryRecvError::Empty));
    assert_eq!(rx.try_recv_slice(&mut [])?, 0);
    assert_eq!(tx.try_send_slice(&all[8..])?, 4);
    drop(tx);
    assert_eq!(rx.try_recv_slice(&mut into)?, 4);
    assert_eq!(into[..4], all[8..]);
    assert_eq!(rx.try_recv_slice(&mut into), Err(TryRecvError::Gone(Gone::Closed)));
    Ok(())
}

#[test]
fn spsc_as_many_as_fit() -> Result<(), Fault> {
    as_many_as_fit::<Spsc>()
}

#[test]
fn zero_copy_as_many_as_fit() -> Result<(), Fault> {
    as_many_as_fit::<ZeroCopy>()
}

#[test]
fn a_batch_to_nobody_is_not_sent() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut tx, rx) = system.chan::<Spsc, u32>(4)?;
    drop(rx);
    assert_eq!(tx.try_send_slice(&[1, 2]), Err(TrySendError::Gone((), Gone::Closed)));
    assert_eq!(tx.len(), 0);
    Ok(())
}

#[test]
fn a_batch_wakes_a_sleeping_receiver() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut tx, mut rx) = system.chan::<Spsc, u32>(64)?;
    let sum = system.thread(move || {
        let mut expected = 0..100_000;
        let mut into = [0; 48];
        while let Ok(first) = rx.recv() {
            assert_eq!(Some(first), expected.next());
            let more = rx.try_recv_slice(&mut into).unwrap_or(0);
            assert!(into[..more].iter().all(|n| expected.next() == Some(*n)));
        }
        assert_eq!(expected.next(), None);
    })?;
    sum.start()?;
    let all: Vec<u32> = (0..100_000).collect();
    let mut sent = 0;
    while sent < all.len() {
        match tx.try_send_slice(&all[sent..]) {
            Ok(more) => sent += more,
            Err(TrySendError::Full(())) => {
                tx.send(all[sent])?;
                sent += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    drop(tx);
    sum.join(Deadline::NEVER)?.ok()
}

#[test]
fn ends_of_a_local_channel_do_not_travel() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut over, _carried) = system.chanchan(1)?;
    let attr = ChanAttr { local: true, ..ChanAttr::default() };
    let (tx, _rx) = system.chan_with::<Spsc, u32>(1, &attr)?;
    let cap = tx.into_cap();
    assert_eq!(cap.desc().flags(), ChanFlags::SND | ChanFlags::LOCAL);
    let refused = over.try_send(cap);
    assert!(matches!(refused, Err(TrySendError::Refused(_, ErrorKind::Denied))), "{refused:?}");
    Ok(())
}
