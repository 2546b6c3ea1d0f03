//! Slots of a pool: their numbers, which come and go through two rings, and what lies in them.

use backend_sinv::Sinv;
use chan_impls::ZeroCopy;
use res_api::{Backend, ErrorKind, Kind, Receiver, Rx, Sender, TrySendError, kind_of};

use super::peer::{Peer, beside, receiver, sender};
use super::rings::{HEAD, LATEST, SLOTS, TAIL};
use super::{CLEAR, Cause, Flags, NO_VALUE, seen};

/// The memories of such an end: numbers of slots that were sent, of those that came back, and the slots.
const SENT: u64 = 0;
const RETURNED: u64 = 1;
const POOL: u64 = 2;

const CAPACITY: u64 = 2;
/// How long a ring of numbers is.
const NUMBERS: u64 = 4 * CAPACITY;

type Snd = <ZeroCopy as Kind<Sinv>>::Snd<Flags>;

/// It pushes the number of a slot into one of the rings, as the `position`th.
fn push(peer: &mut Peer, ring: u64, position: u64, slot: u64) {
    peer.write(ring, SLOTS + 8 * (position % NUMBERS), slot);
    peer.write(ring, LATEST, position << 32 | slot);
    peer.write(ring, TAIL, position + 1);
}

pub(super) const CAUSES: [Cause; 15] = [
    ("a number that is no slot", |b| {
        receiver::<ZeroCopy, Flags>(b, CAPACITY, |peer, rx| {
            push(peer, SENT, 0, CAPACITY);
            seen(rx.try_recv())
        })
    }),
    ("a number that is no slot, for a loan", |b| {
        receiver::<ZeroCopy, Flags>(b, CAPACITY, |peer, rx| {
            push(peer, SENT, 0, u64::from(u32::MAX));
            seen(rx.try_recv_loan())
        })
    }),
    ("a number that is no slot, for a sleeper", |b| {
        receiver::<ZeroCopy, Flags>(b, CAPACITY, |peer, rx| {
            peer.write(SENT, LATEST, CAPACITY);
            peer.write_to_a_sleeper(SENT, TAIL, 1);
            seen(rx.recv_loan_until(peer.late))
        })
    }),
    ("a slot that is sent twice", |b| {
        receiver::<ZeroCopy, Flags>(b, CAPACITY, |peer, rx| {
            push(peer, SENT, 0, 0);
            let _loan = rx.try_recv_loan().expect("it is sent once");
            push(peer, SENT, 1, 0);
            seen(rx.try_recv())
        })
    }),
    ("a tail of what was sent that is too far", |b| {
        receiver::<ZeroCopy, Flags>(b, CAPACITY, |peer, rx| {
            peer.write(SENT, TAIL, NUMBERS + 1);
            seen(rx.try_recv_loan())
        })
    }),
    ("no value in a slot of the pool", |b| {
        receiver::<ZeroCopy, Flags>(b, CAPACITY, |peer, rx| {
            peer.write(POOL, 0, NO_VALUE);
            push(peer, SENT, 0, 0);
            seen(rx.try_recv())
        })
    }),
    ("no value in a loan", |b| {
        receiver::<ZeroCopy, Flags>(b, CAPACITY, |peer, rx| {
            push(peer, SENT, 0, 0);
            let loan = rx.try_recv_loan().expect("it is sent");
            assert_eq!(loan.get(), Ok(CLEAR));
            peer.write(POOL, 0, NO_VALUE);
            seen(loan.get())
        })
    }),
    ("a number of no slot that comes back", |b| {
        sender::<ZeroCopy, Flags>(b, CAPACITY, |peer, tx| {
            send_all(tx);
            push(peer, RETURNED, 0, CAPACITY);
            seen(tx.try_send(CLEAR))
        })
    }),
    ("a slot that comes back and was not sent", |b| {
        sender::<ZeroCopy, Flags>(b, CAPACITY, |peer, tx| {
            tx.try_send(CLEAR).expect("there is room");
            let _loan = tx.try_loan().expect("there is room");
            push(peer, RETURNED, 0, 1);
            seen(tx.try_send(CLEAR))
        })
    }),
    ("a slot that comes back twice", |b| {
        sender::<ZeroCopy, Flags>(b, CAPACITY, |peer, tx| {
            send_all(tx);
            push(peer, RETURNED, 0, 0);
            push(peer, RETURNED, 1, 0);
            seen(tx.try_loan())
        })
    }),
    ("a tail of what came back that is too far", |b| {
        sender::<ZeroCopy, Flags>(b, CAPACITY, |peer, tx| {
            send_all(tx);
            peer.write(RETURNED, TAIL, NUMBERS + 1);
            seen(tx.try_loan())
        })
    }),
    ("a tail of what came back that is too far, for a sleeper", |b| {
        sender::<ZeroCopy, Flags>(b, CAPACITY, |peer, tx| {
            send_all(tx);
            peer.write_to_a_sleeper(RETURNED, TAIL, NUMBERS + 1);
            seen(tx.loan_until(peer.late))
        })
    }),
    ("slots that come back and were not received", |b| {
        sender::<ZeroCopy, Flags>(b, CAPACITY, |peer, tx| {
            send_all(tx);
            for position in 0.. {
                push(peer, RETURNED, position, position % CAPACITY);
                let sent = tx.try_send(CLEAR);
                if sent.is_err() {
                    assert_eq!(position, NUMBERS - CAPACITY);
                    return seen(sent);
                }
            }
            None
        })
    }),
    ("slots that come back from a stage further on and were not received", |b| {
        stage(b, |peer, pass| {
            (0..CAPACITY).for_each(|_| assert_eq!(pass(), None));
            (0..CAPACITY).for_each(|slot| push(peer, RETURNED, slot, slot));
            pass()
        })
    }),
    ("a head of what was passed on that is too far", |b| {
        stage(b, |peer, pass| {
            (0..CAPACITY).for_each(|_| assert_eq!(pass(), None));
            push(peer, RETURNED, 0, 0);
            peer.write(SENT, HEAD, CAPACITY + 1);
            pass()
        })
    }),
];

/// No slot is left.
fn send_all(tx: &mut Snd) {
    (0..CAPACITY).for_each(|_| tx.try_send(CLEAR).expect("there is room"));
    assert!(matches!(tx.try_send(CLEAR), Err(TrySendError::Full(_))));
}

/// Whoever passes on to one that writes into all that they share; what it is told when it passes one on.
fn stage(
    system: &Sinv,
    act: impl FnOnce(&mut Peer, &mut dyn FnMut() -> Option<ErrorKind>) -> Option<ErrorKind>,
) -> Option<ErrorKind> {
    let (mut tx, rx) = system.chan::<ZeroCopy, Flags>(CAPACITY as u32).expect("a channel");
    let (mut stage, last) = rx.into_forwarder(system).map_err(|_| ()).expect("a stage");
    let mut pass = move || {
        stage.collect();
        tx.try_send(CLEAR).expect("there is room");
        let loan = stage.recv_loan_until(res_api::Deadline::NEVER).expect("it is sent");
        stage.forward(loan).err().map(|error| kind_of(&error))
    };
    beside::<Rx<ZeroCopy, Flags>, _>(system, last, |peer| act(peer, &mut pass))
}
