//! A ring: its indices, and what lies in it.

use backend_sinv::Sinv;
use chan_impls::Spsc;
use res_api::{ErrorKind, Kind, Receiver, Sender};

use super::peer::{Peer, receiver, sender};
use super::{Cause, Flag, Flags, NO_VALUE, seen};

/// Where the words of a ring are: an adversary knows. `LATEST` is what was pushed last, with its number.
pub(super) const HEAD: u64 = 0;
pub(super) const TAIL: u64 = 128;
pub(super) const LATEST: u64 = 136;
/// The slots of a small ring, each a word.
pub(super) const SLOTS: u64 = 144;

/// The only memory of such a channel.
const RING: u64 = 0;
const CAPACITY: u64 = 4;

type Snd = <Spsc as Kind<Sinv>>::Snd<u64>;

pub(super) const CAUSES: [Cause; 13] = [
    ("a tail that is too far", |b| {
        receiver::<Spsc, u64>(b, CAPACITY, |peer, rx| {
            peer.write(RING, TAIL, CAPACITY + 1);
            seen(rx.try_recv())
        })
    }),
    ("a tail that is too far, for a batch", |b| {
        receiver::<Spsc, u64>(b, CAPACITY, |peer, rx| {
            peer.write(RING, TAIL, u64::MAX);
            seen(rx.try_recv_slice(&mut [0; 4]))
        })
    }),
    ("a tail that is too far, for a sleeper", |b| {
        receiver::<Spsc, u64>(b, CAPACITY, |peer, rx| {
            peer.write_to_a_sleeper(RING, TAIL, CAPACITY + 1);
            seen(rx.recv_until(peer.late))
        })
    }),
    ("a tail that goes back", |b| {
        receiver::<Spsc, u64>(b, CAPACITY, |peer, rx| {
            peer.write(RING, TAIL, 3);
            assert_eq!(rx.try_recv(), Ok(0), "and it knows of two more");
            peer.write(RING, TAIL, 2);
            seen(rx.try_recv_slice(&mut [0; 4]))
        })
    }),
    ("a head that is too far", |b| {
        full_sender(b, |peer, tx| {
            peer.write(RING, HEAD, CAPACITY + 1);
            seen(tx.try_send(0))
        })
    }),
    ("a head that is too far, for a batch", |b| {
        full_sender(b, |peer, tx| {
            peer.write(RING, HEAD, u64::MAX);
            seen(tx.try_send_slice(&[0; 4]))
        })
    }),
    ("a head that is too far, for a sleeper", |b| {
        full_sender(b, |peer, tx| {
            peer.write_to_a_sleeper(RING, HEAD, CAPACITY + 1);
            seen(tx.send_until(0, peer.late))
        })
    }),
    ("a head that goes back", |b| {
        full_sender(b, |peer, tx| {
            peer.write(RING, HEAD, 2);
            assert_eq!(tx.try_send(0), Ok(()), "and it knows of room for one more");
            peer.write(RING, HEAD, 1);
            seen(tx.try_send_slice(&[0; 4]))
        })
    }),
    ("no value in a slot", |b| {
        receiver::<Spsc, Flags>(b, CAPACITY, |peer, rx| {
            peer.write(RING, SLOTS, NO_VALUE);
            peer.write(RING, TAIL, 1);
            seen(rx.try_recv())
        })
    }),
    ("no value in a slot, for a batch", |b| {
        receiver::<Spsc, Flags>(b, CAPACITY, |peer, rx| {
            peer.write(RING, SLOTS + 8, NO_VALUE);
            peer.write(RING, TAIL, 2);
            seen(rx.try_recv_slice(&mut [super::CLEAR; 4]))
        })
    }),
    ("no value in a slot, for a sleeper", |b| {
        receiver::<Spsc, Flags>(b, CAPACITY, |peer, rx| {
            peer.write(RING, SLOTS, NO_VALUE);
            peer.write_to_a_sleeper(RING, TAIL, 1);
            seen(rx.recv_until(peer.late))
        })
    }),
    ("no value beside the index", |b| {
        receiver::<Spsc, Flag>(b, CAPACITY, |peer, rx| {
            peer.write(RING, LATEST, NO_VALUE);
            peer.write(RING, TAIL, 1);
            seen(rx.try_recv())
        })
    }),
    ("no value in a slot, and none beside the index", |b| {
        receiver::<Spsc, Flag>(b, CAPACITY, |peer, rx| {
            peer.write(RING, LATEST, 1 << 32);
            peer.write(RING, SLOTS, NO_VALUE);
            peer.write(RING, TAIL, 1);
            seen(rx.try_recv())
        })
    }),
];

/// Whoever sends to one that writes into the ring, which is full.
fn full_sender(
    system: &Sinv,
    act: impl FnOnce(&mut Peer, &mut Snd) -> Option<ErrorKind>,
) -> Option<ErrorKind> {
    sender::<Spsc, u64>(system, CAPACITY, |peer, tx| {
        assert_eq!(tx.try_send_slice(&[0; 4]), Ok(4));
        act(peer, tx)
    })
}
