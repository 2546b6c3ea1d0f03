//! Components that find each other by names: this one, another one, and a third.

use core::hint::black_box;
use core::sync::atomic::Ordering::SeqCst;
use core::time::Duration;

use backend_local::Region;
use backend_sinv::composite::Sinv;
use chan_impls::call::{self, CallError, Caller, Interface};
use chan_impls::service::connect;
use chan_impls::{Spsc, ZeroCopy};
use res_api::{
    AnyCap, Backend, BackendError, Deadline, ErrorKind, EvtGrp, Fault, Gone, IntoCap, Kind, Map,
    Mem, Name, Receiver, RecvError, Rights, Rx, Sender, SharedMem, Tag, Trigger, Tx,
};
use res_kernel::Composite;

use super::beside::started;
use super::{LONG, within};
use crate::cost::{all_rounds, cost};
use crate::peer::{Peer, name};
use crate::report::check;

type Snd = <Spsc as Kind<Sinv>>::Snd<u64>;
type Rcv = <Spsc as Kind<Sinv>>::Rcv<u64>;
type Pages = <ZeroCopy as Kind<Sinv>>::Rcv<[u8; 4096]>;
type Cap = <Sinv as Backend>::Cap;

static REGION: Region<{ 128 * 1024 }> = Region::new();

/// This component, as one of the system, when the last one has let go of its memory.
pub(super) fn attach(machine: Composite) -> Result<Sinv, Fault> {
    Ok(Sinv::attach(machine, &REGION, 0, within(machine, LONG))?)
}

pub(super) fn publish(own: &Sinv, number: u64, cap: Cap) -> Result<(), Fault> {
    own.publish(name(number)?, cap).map_err(|refused| refused.error.into())
}

/// Looks until it is there.
#[inline(never)]
fn find(own: &Sinv, number: u64) -> Result<Cap, Fault> {
    let late = own.within(LONG);
    loop {
        match own.lookup(name(number)?) {
            Err(error) if error.kind() == ErrorKind::NotFound && !late.passed(own.now()) => {
                own.yield_now();
            }
            found => return Ok(found?),
        }
    }
}

/// A channel to an echo and one from there, by the names 1 and 2.
fn to_an_echo(own: &Sinv) -> Result<(Snd, Rcv), Fault> {
    Ok((sends_to(own, 1)?, receives_from(own, 2)?))
}

// Each has a frame of its own: stacks are short.

#[inline(never)]
fn sends_to(own: &Sinv, number: u64) -> Result<Snd, Fault> {
    let (tx, rx) = own.chan::<Spsc, u64>(4)?;
    publish(own, number, rx.into_cap())?;
    Ok(tx)
}

#[inline(never)]
fn receives_from(own: &Sinv, number: u64) -> Result<Rcv, Fault> {
    let (tx, rx) = own.chan::<Spsc, u64>(4)?;
    publish(own, number, tx.into_cap())?;
    Ok(rx)
}

#[inline(never)]
fn numbers_of(own: &Sinv, cap: Cap) -> Result<Rcv, Fault> {
    Ok(own.cast::<Rx<Spsc, u64>>(cap)?)
}

#[inline(never)]
fn pages_of(own: &Sinv, cap: Cap) -> Result<Pages, Fault> {
    Ok(own.cast::<Rx<ZeroCopy, [u8; 4096]>>(cap)?)
}

/// There and back, asleep in one component and in the other; and what that costs.
pub(super) fn numbers(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let (numbers, answers) = to_an_echo(&own)?;
    talk(machine, numbers, answers)
}

#[inline(never)]
fn talk(machine: Composite, mut numbers: Snd, mut answers: Rcv) -> Result<(), Fault> {
    let early = nobody_serves(machine, &mut numbers, &mut answers)?;
    let mut served = Ok(0);
    let mut body = || served = Peer::ECHO.get([1, 2, 0, 0]);
    let other = started(machine, &mut body)?;
    for number in 0..early {
        check!(answers.recv_until(within(machine, LONG))? == number + 1);
    }
    let rounds = round_trips(&mut numbers, &mut answers)?;
    drop(numbers);
    check!(answers.recv_until(within(machine, LONG)) == Err(RecvError::Gone(Gone::Closed)));
    drop(other);
    check!(served? == early + rounds);
    Ok(())
}

/// How many numbers there is room for. Nothing comes back.
#[inline(never)]
fn nobody_serves(machine: Composite, numbers: &mut Snd, answers: &mut Rcv) -> Result<u64, Fault> {
    let mut sent = 0;
    while numbers.try_send(sent).is_ok() {
        sent += 1;
    }
    check!(sent == numbers.capacity().into());
    let soon = within(machine, Duration::from_millis(5));
    check!(answers.recv_until(soon) == Err(RecvError::TimedOut));
    Ok(sent)
}

/// How many there were.
#[inline(never)]
fn round_trips(numbers: &mut Snd, answers: &mut Rcv) -> Result<u64, Fault> {
    const ROUNDS: u32 = 1_000;
    let mut sum = 0;
    cost("channel round trip between components", ROUNDS, || {
        let sent = numbers.send(black_box(1)).is_ok();
        sum += answers.recv().unwrap_or(0) * u64::from(sent);
    });
    check!(sum == 2 * u64::from(all_rounds(ROUNDS)));
    Ok(all_rounds(ROUNDS).into())
}

/// A channel of another component's: its sender sleeps where there is no room, the receiver where
/// there is nothing; and it leaves.
pub(super) fn offered(machine: Composite) -> Result<(), Fault> {
    const COUNT: u64 = 2_000;
    let own = attach(machine)?;
    let mut sent = Ok(0);
    let mut body = || sent = Peer::OFFER.get([10, 3, COUNT, 0]);
    let other = started(machine, &mut body)?;
    let mut rx = numbers_of(&own, find(&own, 10)?)?;
    for number in 0..COUNT {
        check!(rx.recv_until(within(machine, LONG))? == number);
    }
    check!(rx.recv_until(within(machine, LONG)) == Err(RecvError::Gone(Gone::Closed)));
    drop(other);
    check!(sent? == COUNT);
    Ok(())
}

/// The receiver leaves, and the sender, which sleeps, is told.
pub(super) fn receiver_leaves(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let mut sent = Ok(0);
    let mut body = || sent = Peer::OFFER.get([11, 2, 1_000, 0]);
    let other = started(machine, &mut body)?;
    let mut rx = numbers_of(&own, find(&own, 11)?)?;
    for number in 0..10 {
        check!(rx.recv_until(within(machine, LONG))? == number);
    }
    drop(rx);
    drop(other);
    check!((10..=12).contains(&sent?));
    Ok(())
}

/// Slots that are written in one component and read where they lie in another.
pub(super) fn pages(machine: Composite) -> Result<(), Fault> {
    const COUNT: u64 = 100;
    let own = attach(machine)?;
    let mut sent = Ok(0);
    let mut body = || sent = Peer::LEND.get([12, 2, COUNT, 0]);
    let other = started(machine, &mut body)?;
    let mut rx = pages_of(&own, find(&own, 12)?)?;
    for number in 0..COUNT {
        let page = rx.recv_loan_until(within(machine, LONG))?;
        for at in [0, 4088] {
            let mut bytes = [0; 8];
            page.copy_out(at, &mut bytes)?;
            check!(u64::from_le_bytes(bytes) == number);
        }
    }
    drop(other);
    check!(sent? == COUNT);
    Ok(())
}

/// What the calls are about, as the other component says it.
struct Sum;

impl Interface for Sum {
    const TAG: Tag = Tag::of::<()>(Name::new("sum"), 1, 0);
}

/// Calls of another component, and what they cost.
pub(super) fn calls(machine: Composite) -> Result<(), Fault> {
    const ROUNDS: u32 = 500;
    let own = attach(machine)?;
    let (mut caller, callee) = call::pair::<_, Sum>(&own)?;
    publish(&own, 13, callee.into_cap())?;
    let mut served = Ok(0);
    let mut body = || served = Peer::SERVE.get([13, 0, 0, 0]);
    let other = started(machine, &mut body)?;
    check!(caller.call(7, [1, 2, 3, 4], within(machine, LONG))? == [10, 7, 1]);
    let mut wrong = 0;
    cost("call between components", ROUNDS, || {
        let answer = caller.call(8, [1, 0, 0, 0], Deadline::NEVER);
        wrong += u32::from(!answer.is_ok_and(|words| words[..2] == [1, 8]));
    });
    check!(wrong == 0);
    drop(caller);
    drop(other);
    check!(served? == 1 + u64::from(all_rounds(ROUNDS)));
    Ok(())
}

/// A service that is found by its name: by one client, and then by another that has waited; and by one
/// that takes something else for it.
pub(super) fn service(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let mut served = Ok(0);
    let mut body = || served = Peer::HOST.get([15, 2, 0, 0]);
    let other = started(machine, &mut body)?;
    let mut first = connected::<Sum>(&own, 15)?;
    check!(first.call(1, [1, 2, 3, 4], within(machine, LONG))? == [10, 1, 1]);
    let mut second = connected::<Sum>(&own, 15)?;
    let soon = within(machine, Duration::from_millis(5));
    check!(second.call(2, [0; 4], soon).is_err_and(|error| error == CallError::TimedOut));
    check!(first.call(3, [5, 0, 0, 0], within(machine, LONG))? == [5, 3, 2]);
    drop(first);
    check!(second.call(4, [6, 0, 0, 0], within(machine, LONG))?[..2] == [6, 4]);
    drop(second);
    drop(other);
    // What had timed out was not begun.
    check!(served? == 3);
    let none = connected::<Sum>(&own, 16);
    check!(none.is_err_and(|error| error.kind() == ErrorKind::NotFound));
    let _numbers = sends_to(&own, 16)?;
    let other = connected::<Sum>(&own, 16);
    check!(other.is_err_and(|error| error.kind() == ErrorKind::TypeMismatch));
    Ok(())
}

#[inline(never)]
fn connected<I: Interface>(own: &Sinv, number: u64) -> Result<Caller<Sinv, I>, Fault> {
    let late = own.within(Duration::from_millis(100));
    Ok(connect(own, name(number)?, late)?)
}

/// What it costs to make something that can be given away, and to get it.
pub(super) fn costs(machine: Composite) -> Result<(), Fault> {
    const ROUNDS: u32 = 200;
    let own = attach(machine)?;
    let mut missing = 0;
    cost("channel made and dropped", ROUNDS, || {
        missing += u32::from(own.chan::<Spsc, u64>(4).is_err());
    });
    let memory = own.mem(64)?.share();
    publish(&own, 14, memory.into_cap())?;
    let name = name(14)?;
    cost("lookup of memory", ROUNDS, || {
        missing += u32::from(own.lookup(name).is_err());
    });
    check!(missing == 0);
    Ok(())
}

/// What was published is nobody's until somebody takes it, and one does.
pub(super) fn escrow(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let (mut tx, rx) = own.chan::<Spsc, u64>(2)?;
    publish(&own, 20, rx.into_cap())?;
    // It lives, although nobody has the other end.
    tx.send(7)?;
    let (_other, second) = own.chan::<Spsc, u64>(2)?;
    let taken = own.publish(name(20)?, second.into_cap());
    let Err(refused) = taken else { return Err(Fault::new(ErrorKind::Other, "it was taken")) };
    check!(refused.error.kind() == ErrorKind::Exists);
    // It came back, and is what it was.
    check!(refused.value.cast::<Rcv>().is_ok());
    check!(Peer::HOLD.get([20, 0, 0, 0])? == 0);
    check!(own.lookup(name(20)?).is_err_and(|error| error.kind() == ErrorKind::NotFound));
    // The name stays taken, and nobody else publishes anything there.
    check!(Peer::PASS.get([20, 20, 0, 0]).is_err_and(|fault| fault.kind() == ErrorKind::NotFound));
    tx.send(8)?;
    check!(Peer::HOLD.get([0; 4])? == 0);
    check!(tx.send(9).is_err());
    Ok(())
}

/// Names go with the component that published them, and so does what nobody took.
pub(super) fn names_end(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let (tx, rx) = own.chan::<Spsc, u64>(2)?;
    publish(&own, 21, rx.into_cap())?;
    publish(&own, 22, tx.into_cap())?;
    check!(Peer::HOLD.get([22, 0, 0, 0])? == 0);
    drop(own);
    // Another one, which has the names to itself.
    let own = attach(machine)?;
    check!(own.lookup(name(21)?).is_err_and(|error| error.kind() == ErrorKind::NotFound));
    let (mut tx, rx) = own.chan::<Spsc, u64>(2)?;
    publish(&own, 21, rx.into_cap())?;
    tx.send(1)?;
    check!(Peer::HOLD.get([0; 4])? == 0);
    Ok(())
}

/// An end goes from here to another component, from there to a third, and comes back to life there.
pub(super) fn given_on(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let (mut numbers, mut answers) = to_an_echo(&own)?;
    numbers.send(40)?;
    check!(Peer::PASS.get([1, 31, 0, 0])? == 0);
    check!(Peer::PASS.get([2, 32, 0, 0])? == 0);
    numbers.send(41)?;
    let mut served = Ok(0);
    let mut body = || served = Peer::THIRD_ECHO.get([31, 32, 0, 0]);
    let other = started(machine, &mut body)?;
    for number in 40..42 {
        check!(answers.recv_until(within(machine, LONG))? == number + 1);
    }
    drop(numbers);
    check!(answers.recv_until(within(machine, LONG)) == Err(RecvError::Gone(Gone::Closed)));
    drop(other);
    check!(served? == 2);
    Ok(())
}

/// An end that comes back is what it was: its words and memory are found again.
pub(super) fn comes_back(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let (mut tx, rx) = own.chan::<Spsc, u64>(2)?;
    tx.send(1)?;
    publish(&own, 33, rx.into_cap())?;
    check!(Peer::PASS.get([33, 34, 0, 0])? == 0);
    let mut rx = own.cast::<Rx<Spsc, u64>>(own.lookup(name(34)?)?)?;
    tx.send(2)?;
    check!((rx.recv()?, rx.recv()?) == (1, 2));
    let soon = within(machine, Duration::from_millis(1));
    check!(rx.recv_until(soon) == Err(RecvError::TimedOut));
    drop(tx);
    check!(rx.recv() == Err(RecvError::Gone(Gone::Closed)));
    Ok(())
}

/// Memory by a name, which several may have. What is for reading only stays here.
pub(super) fn memory(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let memory = own.mem(10_000)?.share();
    let map = memory.map(Rights::READ | Rights::WRITE)?;
    let read_only = memory.alias(Rights::READ | Rights::TRANSFER)?;
    publish(&own, 40, memory.into_cap())?;
    check!(Peer::WRITE.get([40, 8_000, 5, 0])? == 0);
    check!(Peer::WRITE.get([40, 8_000, 6, 0])? == 5);
    check!(map.load(8_000)? == 6);
    map.word(8_000)?.store(7, SeqCst);
    check!(Peer::WRITE.get([40, 8_000, 8, 0])? == 7);
    let refused = own.publish(name(41)?, read_only.into_cap()).map_err(|refused| refused.error);
    check!(refused.is_err_and(|error| error.kind() == ErrorKind::Invalid));
    Ok(())
}

/// Two threads of this component ask at a time, each for something else.
pub(super) fn threads(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    publish(&own, 42, own.mem(100)?.share().into_cap())?;
    publish(&own, 43, own.mem(9_000)?.share().into_cap())?;
    let mut other = Ok(());
    let mut body = || other = asks_for(&own, 42, 128);
    let beside = started(machine, &mut body)?;
    asks_for(&own, 43, 9_024)?;
    drop(beside);
    other
}

/// What is under that name has so many bytes, each time.
fn asks_for(own: &Sinv, number: u64, bytes: u64) -> Result<(), Fault> {
    for _ in 0..300 {
        let memory = own.lookup(name(number)?)?.cast::<<Sinv as Backend>::SharedMem>()?;
        check!(memory.len() == bytes);
        own.yield_now();
    }
    Ok(())
}

/// A group that watches what comes from another component, and from this one.
pub(super) fn group(machine: Composite) -> Result<(), Fault> {
    const COUNT: u64 = 200;
    let own = attach(machine)?;
    let group = own.evtgrp(2)?;
    let (mut near, mut here) = own.chan::<Spsc, u64>(2)?;
    let _here = group.add(&here, Trigger::Level, 1)?;
    let mut sent = Ok(0);
    let mut body = || sent = Peer::OFFER.get([50, 3, COUNT, 0]);
    let other = started(machine, &mut body)?;
    let mut there = numbers_of(&own, find(&own, 50)?)?;
    let _there = group.add(&there, Trigger::Level, 2)?;
    let (mut came, mut expected) = (0, 0);
    let (mut closed, mut nudged) = (false, false);
    while !closed {
        match group.wait(within(machine, LONG))?.data {
            // It is reported until it has been seen empty.
            1 => match here.try_recv() {
                Ok(number) => check!(number == expected),
                Err(error) => check!(error == res_api::TryRecvError::Empty),
            },
            _ => loop {
                match there.try_recv() {
                    Ok(number) => {
                        check!(number == came);
                        came += 1;
                    }
                    Err(res_api::TryRecvError::Empty) => break,
                    Err(why) => {
                        check!(why == res_api::TryRecvError::Gone(Gone::Closed));
                        closed = true;
                        break;
                    }
                }
            },
        }
        // Once: nobody else takes it out, and there may be nothing new for a while.
        if came >= COUNT / 2 && !nudged {
            nudged = true;
            expected = came;
            near.send(came)?;
            check!(group.wait(within(machine, LONG))?.data <= 2);
        }
    }
    check!(came == COUNT);
    drop(other);
    check!(sent? == COUNT);
    Ok(())
}

/// What there is no room for is refused, and what is dropped can be had again.
pub(super) fn full(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let mut published = 0;
    let refused = loop {
        let (_tx, rx) = own.chan::<Spsc, u64>(1)?;
        match own.publish(Name::numbered("many", published)?, rx.into_cap()) {
            Ok(()) => published += 1,
            Err(refused) => break refused.error.kind(),
        }
    };
    check!((published, refused) == (16, ErrorKind::NoSlots));
    for _ in 0..3 {
        let mut all = [const { None }; 64];
        let mut made = 0;
        let refused = loop {
            match own.mem(64)?.share().map(Rights::READ) {
                Ok(memory) => all[made] = Some(memory),
                Err(error) => break error.kind(),
            }
            made += 1;
        };
        // The ends that nobody has looked up are among them.
        check!((made, refused) == (48 - 16, ErrorKind::NoMemory));
    }
    drop(own);
    let own = attach(machine)?;
    for _ in 0..500 {
        let (mut tx, mut rx) = own.chan::<Spsc, u64>(1)?;
        tx.send(1)?;
        check!(rx.recv()? == 1);
    }
    Ok(())
}

/// What this machine has none of.
pub(super) fn says_no(machine: Composite) -> Result<(), Fault> {
    fn nothing(_: res_api::Env<Sinv>) {}

    let own = attach(machine)?;
    static OTHER: Region<{ 16 * 1024 }> = Region::new();
    let twice = Sinv::attach(machine, &OTHER, 0, Deadline::PASSED);
    check!(twice.is_err_and(|error| error.kind() == ErrorKind::Exists));
    let component = own.new_component(const { Name::new("component") }, nothing);
    check!(component.is_err_and(|error| error.kind() == ErrorKind::NoSlots));
    let endowed = own.take_endowment(const { Name::new("endowed") });
    check!(endowed.is_err_and(|error| error.kind() == ErrorKind::NotFound));
    let unknown = own.lookup(const { Name::new("unknown") });
    check!(unknown.is_err_and(|error| error.kind() == ErrorKind::NotFound));
    Ok(())
}

/// What is under a name is not of the type that somebody wants.
pub(super) fn wrong_type(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let (tx, _rx) = own.chan::<Spsc, u64>(1)?;
    publish(&own, 60, tx.into_cap())?;
    let wrong = own.cast::<Rx<Spsc, u64>>(own.lookup(name(60)?)?);
    let Err(wrong) = wrong else { return Err(Fault::new(ErrorKind::Other, "it was cast")) };
    check!(own.cast::<Tx<Spsc, u64>>(wrong.cap).is_ok());
    Ok(())
}
