//! The private record of an end of a [`ZeroCopy`] channel, written over by whoever had the end
//! before and still has its memory mapped (H18): slots get lost, nothing outside is touched.

#[path = "common/random.rs"]
mod random;

use backend_local::Local;
use chan_impls::ZeroCopy;
use chan_impls::zero_copy::{ZeroCopyRcv, ZeroCopySnd};
use res_api::{AnyCap, Backend, IntoCap, Map, Receiver, Rights, Sender, SharedMem, TrySendError};

use random::Random;

/// Whose dropped loans are noted in one word, and in several.
const CAPACITIES: [u32; 2] = [5, 130];
/// Which of an end's memories is its record.
const RECORD: u32 = 1;

type Cap = <Local as Backend>::Cap;
type Forge = <<Local as Backend>::SharedMem as SharedMem>::Map;

/// The record of an end, mapped by somebody who keeps it.
fn keep(cap: &Cap) -> Forge {
    // SAFETY: not kept to, which is the point; the words of a record are atomics everywhere.
    let record = unsafe { cap.mem(RECORD) }.expect("an end has a record");
    record.map(Rights::READ | Rights::WRITE).expect("mapped")
}

impl Random {
    /// Numbers of slots and near them, counts, places, bits, nonsense.
    fn value(&mut self) -> u64 {
        match self.below(4) {
            0 => u64::MAX,
            1 => 1 << self.below(64),
            2 => {
                let capacity = CAPACITIES[self.below(2) as usize];
                self.below(u64::from(capacity) + 3)
            }
            _ => self.below(u64::MAX),
        }
    }
}

fn scribble(number: &mut Random, record: &Forge) {
    for _ in 0..1 + number.below(4) {
        let word = number.below(record.len() / 8) * 8;
        record.copy_in(word, &number.value().to_ne_bytes()).expect("it fits");
    }
}

#[test]
fn a_record_that_somebody_else_writes_does_no_harm() {
    let (mut sent, mut received, mut refused) = (0, 0, 0);
    for seed in 1..400 {
        let mut number = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let (tx, rx) = Local::new()
            .and_then(|system| system.chan::<ZeroCopy, u64>(CAPACITIES[seed as usize % 2]))
            .expect("a channel");
        let (tx, rx) = (tx.into_cap(), rx.into_cap());
        let records = [keep(&tx), keep(&rx)];
        let mut tx = tx.cast::<ZeroCopySnd<Local, u64>>().expect("as before");
        let mut rx = rx.cast::<ZeroCopyRcv<Local, u64>>().expect("as before");
        let (mut drafts, mut loans) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            if number.below(3) == 0 {
                let which = number.below(2) as usize;
                scribble(&mut number, &records[which]);
            }
            match number.below(8) {
                0 | 1 => match tx.try_send(7) {
                    Ok(()) => sent += 1,
                    Err(TrySendError::Full(7) | TrySendError::Gone(7, _)) => refused += 1,
                    other => panic!("{other:?}"),
                },
                2 => drafts.extend(tx.try_loan()),
                3 => {
                    if let Some(mut draft) = drafts.pop() {
                        draft.set(&7);
                        drafts.extend(tx.send_loan(draft).err().map(|error| error.into_inner()));
                    }
                }
                4 => drop((drafts.pop(), loans.pop())),
                5 => loans.extend(rx.try_recv_loan()),
                _ => match rx.try_recv() {
                    Ok(_) => received += 1,
                    Err(_) => refused += 1,
                },
            }
        }
    }
    assert!([sent, received, refused].iter().all(|count| *count > 100), "all of it was tried");
}
