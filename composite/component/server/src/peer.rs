//! What this component does with the channels that it and others find by names. It does so on a thread
//! of whoever invokes it, and as a component of the system itself.
//!
//! Names are numbers here, to fit into an invocation.

use core::cell::Cell;
use core::sync::atomic::Ordering::SeqCst;

use backend_local::Region;
use backend_sinv::composite::Sinv;
use chan_impls::call::{Callee, Interface};
use chan_impls::service::Service;
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    AnyCap, Backend, Deadline, Fault, IntoCap, Kind, Map, Name, Receiver, Rights, Rx, Sender,
    SharedMem, Tag, Tx,
};
use res_kernel::composite::Once;
use res_kernel::composite::syscall::{Answer, Client};
use res_kernel::{Composite, KernelError};

type Cap = <Sinv as Backend>::Cap;
type Pages = <ZeroCopy as Kind<Sinv>>::Snd<[u8; 4096]>;

static REGION: Region<{ 64 * 1024 }> = Region::new();
static MACHINE: Once<Composite> = Once::new();
static OWN: Once<Sinv> = Once::new();

/// The machine, which this component is only invoked on.
pub(crate) fn machine() -> Result<Composite, KernelError> {
    MACHINE.get_or_make(Composite::boot_to_serve).copied()
}

// Much has a frame of its own here: stacks are short.

/// What this component is of the system.
#[inline(never)]
fn own() -> Result<&'static Sinv, Fault> {
    let attached = OWN.get_or_make(|| Sinv::attach(machine()?, &REGION, 0, Deadline::PASSED));
    Ok(attached?)
}

fn name(number: u64) -> Result<Name, Fault> {
    Ok(Name::numbered("end", number as u32)?)
}

#[inline(never)]
fn publish(own: &Sinv, number: u64, cap: Cap) -> Result<(), Fault> {
    own.publish(name(number)?, cap).map_err(|refused| refused.error.into())
}

#[inline(never)]
fn find(own: &Sinv, number: u64) -> Result<Cap, Fault> {
    Ok(own.lookup(name(number)?)?)
}

/// What went well, as a number; else the negative code of what did not.
pub(crate) fn answer(result: Result<u64, Fault>) -> Answer {
    Answer::of(match result {
        Ok(number) => number as i64,
        Err(fault) => -i64::from(fault.kind().code()),
    })
}

/// Numbers that come by the first channel go back by the second, one greater, until the first is
/// closed; how many.
pub(crate) fn echo(_: Client, [from, to, ..]: [u64; 4]) -> Answer {
    answer(own().and_then(|own| {
        let (numbers, answers) = (find(own, from)?, find(own, to)?);
        let mut numbers = own.cast::<Rx<Spsc, u64>>(numbers)?;
        let mut answers = own.cast::<Tx<Spsc, u64>>(answers)?;
        let mut count = 0;
        while let Ok(number) = numbers.recv() {
            count += 1;
            answers.send(number + 1)?;
        }
        Ok(count)
    }))
}

/// Makes a channel of that capacity, publishes its receiving end, and sends so many numbers; how many
/// were taken.
pub(crate) fn offer(_: Client, [to, capacity, count, _]: [u64; 4]) -> Answer {
    answer(own().and_then(|own| {
        let (mut tx, rx) = own.chan::<Spsc, u64>(capacity as u32)?;
        publish(own, to, rx.into_cap())?;
        Ok((0..count).take_while(|number| tx.send(*number).is_ok()).count() as u64)
    }))
}

/// The same, with slots of pages.
pub(crate) fn lend(_: Client, [to, capacity, count, _]: [u64; 4]) -> Answer {
    answer(own().and_then(|own| {
        let (tx, rx) = own.chan::<ZeroCopy, [u8; 4096]>(capacity as u32)?;
        publish(own, to, rx.into_cap())?;
        send_pages(tx, count)
    }))
}

#[inline(never)]
fn send_pages(mut tx: Pages, count: u64) -> Result<u64, Fault> {
    for number in 0..count {
        let mut page = tx.loan()?;
        page.copy_in(0, &number.to_le_bytes())?;
        page.copy_in(4088, &number.to_le_bytes())?;
        tx.send_loan(page)?;
    }
    Ok(count)
}

/// What the calls are about: the sum of the words.
struct Sum;

impl Interface for Sum {
    const TAG: Tag = Tag::of::<()>(Name::new("sum"), 1, 0);
}

/// Answers the calls that come by that end, until the caller leaves; how many.
pub(crate) fn serve(_: Client, [from, ..]: [u64; 4]) -> Answer {
    answer(own().and_then(|own| Ok(sums(find(own, from)?.cast::<Callee<Sinv, Sum>>()?))))
}

/// Answers calls until the caller leaves; how many.
#[inline(never)]
fn sums(mut callee: Callee<Sinv, Sum>) -> u64 {
    let mut count = 0;
    callee.serve(|request| {
        count += 1;
        let sum = request.words().into_iter().fold(0, u64::wrapping_add);
        let entry = request.entry();
        request.reply([sum, entry.into(), count]);
    });
    count
}

/// A service under that name, for so many clients, one after the other; how many calls of theirs it
/// answered.
pub(crate) fn host(_: Client, [named, clients, ..]: [u64; 4]) -> Answer {
    answer(own().and_then(|own| {
        let mut service = Service::<Sinv, Sum>::publish(own, name(named)?, 1)?;
        let mut count = 0;
        for _ in 0..clients {
            count += sums(service.accept(Deadline::NEVER)?);
        }
        Ok(count)
    }))
}

/// Receives ends of channels by that channel, and one number by each, until it is closed; their sum.
pub(crate) fn collect(_: Client, [from, ..]: [u64; 4]) -> Answer {
    answer(own().and_then(|own| {
        let mut ends = find(own, from)?.cast::<<Sinv as Backend>::CapRcv>()?;
        let mut sum = 0;
        while let Ok(end) = ends.recv() {
            sum += first_of(own, end)?;
        }
        Ok(sum)
    }))
}

#[inline(never)]
fn first_of(own: &Sinv, end: Cap) -> Result<u64, Fault> {
    Ok(own.cast::<Rx<Spsc, u64>>(end)?.recv()?)
}

/// Sends so many ends of channels by that channel, with a number in each.
pub(crate) fn supply(_: Client, [to, count, ..]: [u64; 4]) -> Answer {
    answer(own().and_then(|own| {
        let mut ends = find(own, to)?.cast::<<Sinv as Backend>::CapSnd>()?;
        for number in 0..count {
            ends.send(full(own, number)?)?;
        }
        Ok(count)
    }))
}

#[inline(never)]
fn full(own: &Sinv, number: u64) -> Result<Cap, Fault> {
    let (mut tx, rx) = own.chan::<Spsc, u64>(1)?;
    tx.send(number)?;
    Ok(rx.into_cap())
}

/// What is under one name goes under another one.
pub(crate) fn pass(_: Client, [from, to, ..]: [u64; 4]) -> Answer {
    answer(own().and_then(|own| {
        publish(own, to, find(own, from)?)?;
        Ok(0)
    }))
}

/// What is under a name is kept until it is held again; of none, nothing is.
pub(crate) fn hold(_: Client, [from, ..]: [u64; 4]) -> Answer {
    struct Held(Cell<Option<Cap>>);
    // SAFETY: whoever invokes this does so by one thread at a time.
    unsafe impl Sync for Held {}
    static HELD: Held = Held(Cell::new(None));

    drop(HELD.0.take());
    if from == 0 {
        return Answer::of(0);
    }
    answer(own().and_then(|own| {
        HELD.0.set(Some(find(own, from)?));
        Ok(0)
    }))
}

/// Writes a word into the memory of that name; what was there.
pub(crate) fn write(_: Client, [from, offset, word, _]: [u64; 4]) -> Answer {
    answer(own().and_then(|own| {
        let memory = find(own, from)?.cast::<<Sinv as Backend>::SharedMem>()?;
        let map = memory.map(Rights::READ | Rights::WRITE)?;
        Ok(map.word(offset)?.swap(word, SeqCst))
    }))
}
