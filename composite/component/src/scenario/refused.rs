//! What the manager refuses.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

use backend_local::outside::WordId;
use backend_sinv::composite::ask::{Ask, answered};
use chan_impls::Spsc;
use res_api::{Backend, ErrorKind, Fault, Gone, IntoCap, Receiver, RecvError, Role, Sender, Side};
use res_kernel::composite::interface::memmgr::BufferId;
use res_kernel::{Composite, KernelMemory};
use res_sync::event::EPOCH_SHIFT;

use super::isolated::attach;
use crate::peer::{Peer, name};
use crate::report::check;

/// What another component is told when it asks.
fn asked(by: Peer, ask: Ask) -> Result<[u64; 3], ErrorKind> {
    answered(by.call(ask.to_words()))
}

/// Words that say nothing, and those of a component that has not come.
pub(super) fn nonsense(_: Composite) -> Result<(), Fault> {
    let stranger = |ask| asked(Peer::THIRD_ASKS, ask);
    for words in [[0; 4], [16, 0, 0, 0], [u64::MAX; 4], [2, 64, 1, 0], [5, 1, 1 << 32, 1]] {
        check!(answered(Peer::THIRD_ASKS.call(words)) == Err(ErrorKind::Invalid));
    }
    for ask in [Ask::Memory(64), Ask::Lookup, Ask::Publish(100), Ask::End, Ask::Forget(1)] {
        check!(stranger(ask) == Err(ErrorKind::Stale));
    }
    Ok(())
}

/// Who does not have it cannot sleep there, leave it, watch it, ring it, or forget it.
pub(super) fn not_the_holder(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    // The other one has come, and has something of its own.
    let (_kept, other) = own.chan::<Spsc, u64>(2)?;
    own.publish(name(70)?, other.into_cap()).map_err(|refused| refused.error)?;
    check!(Peer::HOLD.get([70, 0, 0, 0])? == 0);
    let [object, ..] = asked(Peer::OWN_ASKS, Ask::Memory(64))?;
    let word = WordId { object, offset: 0 };
    let place = asked(Peer::OWN_ASKS, Ask::Place(word))?;
    for ask in [
        Ask::Place(word),
        Ask::Left(word, Side::Signallers, Gone::Misbehaved),
        Ask::Watch(word, 0),
        Ask::Unwatch(word),
        Ask::Ring(word),
        Ask::Forget(object),
    ] {
        check!(asked(Peer::ASK, ask) == Err(ErrorKind::Denied));
    }
    queue_of_another()?;
    check!(asked(Peer::OWN_ASKS, Ask::Place(word)) == Ok(place));
    check!(asked(Peer::OWN_ASKS, Ask::Forget(object)) == Ok([0; 3]));
    check!(asked(Peer::ASK, Ask::Forget(object)) == Err(ErrorKind::Stale));
    check!(Peer::HOLD.get([0; 4])? == 0);
    Ok(())
}

/// A queue, too, is for who has an end of it.
fn queue_of_another() -> Result<(), Fault> {
    let [queue, object, _] = asked(Peer::OWN_ASKS, Ask::Queue(2))?;
    for ask in [
        Ask::Receive(queue),
        Ask::Send(queue, 100),
        Ask::LeftQueue(queue, Role::CapRcv, Gone::Closed),
        Ask::LeftQueue(queue, Role::CapSnd, Gone::Closed),
        Ask::Forget(object),
    ] {
        check!(asked(Peer::ASK, ask) == Err(ErrorKind::Denied));
    }
    check!(asked(Peer::OWN_ASKS, Ask::Receive(queue)) == Ok([0; 3]));
    for role in [Role::CapRcv, Role::CapSnd] {
        check!(asked(Peer::OWN_ASKS, Ask::LeftQueue(queue, role, Gone::Closed)) == Ok([0; 3]));
    }
    check!(asked(Peer::OWN_ASKS, Ask::Receive(queue)) == Err(ErrorKind::Stale));
    check!(asked(Peer::OWN_ASKS, Ask::Forget(object)) == Ok([0; 3]));
    Ok(())
}

/// Numbers of one's own, used wrongly.
pub(super) fn one_s_own(machine: Composite) -> Result<(), Fault> {
    let _own = attach(machine)?;
    check!(Peer::HOLD.get([0; 4])? == 0);
    let peer = |ask| asked(Peer::ASK, ask);
    check!(peer(Ask::Attach) == Err(ErrorKind::Exists));
    check!(peer(Ask::Memory(0)) == Err(ErrorKind::Invalid));
    let [object, buffer, _] = peer(Ask::Memory(64))?;
    check!(buffer != 0);
    let word = |offset| WordId { object, offset };
    for offset in [8, 256, u32::MAX] {
        check!(peer(Ask::Place(word(offset))) == Err(ErrorKind::Invalid));
        check!(peer(Ask::Ring(word(offset))) == Err(ErrorKind::Invalid));
    }
    check!(peer(Ask::Watch(word(0), 64)) == Err(ErrorKind::Invalid));
    check!(peer(Ask::Watch(word(0), 63)) == Ok([0; 3]));
    check!(peer(Ask::Watch(word(0), 62)) == Err(ErrorKind::Exists));
    check!(peer(Ask::Unwatch(word(0)))?[0] == 63);
    check!(peer(Ask::Unwatch(word(0))) == Err(ErrorKind::NotFound));
    let [first, again] = [peer(Ask::Place(word(16)))?, peer(Ask::Place(word(16)))?];
    check!(first == again && first[0] != 0);
    check!(peer(Ask::Forget(object)) == Ok([0; 3]));
    check!(peer(Ask::Forget(object)) == Err(ErrorKind::Stale));
    check!(peer(Ask::Place(word(0))) == Err(ErrorKind::Stale));
    Ok(())
}

/// A word says how far its blockpoint has come, and whoever has it can say anything: with what nobody
/// can have counted up to, the blockpoint is not used in the next life of the memory.
pub(super) fn implausible(machine: Composite) -> Result<(), Fault> {
    let _own = attach(machine)?;
    let counted = 1_000;
    let first = life_with(machine, counted)?;
    let second = life_with(machine, u64::MAX >> EPOCH_SHIFT)?;
    check!(second == Life { recorded: counted, ..first });
    let third = life_with(machine, counted)?;
    check!(third.buffer == first.buffer && third.point != first.point);
    check!(third.recorded == 0);
    Ok(())
}

/// What a memory has while it lives.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Life {
    buffer: u64,
    point: u64,
    /// How far the blockpoint may have come.
    recorded: u64,
}

/// A life of the only memory of its size, at the end of which its first word says that epoch.
fn life_with(machine: Composite, epoch: u64) -> Result<Life, Fault> {
    let own = |ask| asked(Peer::OWN_ASKS, ask);
    let [object, buffer, _] = own(Ask::Memory(20_000))?;
    let [point, recorded, _] = own(Ask::Place(WordId { object, offset: 0 }))?;
    // SAFETY: the manager said it, of memory that this component alone has; one thread of it asks.
    let memory = unsafe { machine.open(buffer as BufferId)? };
    let word = memory.base().cast::<AtomicU64>();
    // SAFETY: the first of its pages, which stay mapped; used by atomics only.
    unsafe { word.as_ref() }.store(epoch << EPOCH_SHIFT, SeqCst);
    own(Ask::Forget(object))?;
    Ok(Life { buffer, point, recorded })
}

/// A component that writes anything into its page publishes nothing that is not its own, and has
/// not changed what others have.
pub(super) fn forged(machine: Composite) -> Result<(), Fault> {
    let own = attach(machine)?;
    let (mut tx, rx) = own.chan::<Spsc, u64>(2)?;
    own.publish(name(71)?, rx.into_cap()).map_err(|refused| refused.error)?;
    let refused = Peer::THIRD_FORGES.get([71, 0, 0, 0])?;
    check!(refused > 1_000);
    // It said that its end has left.
    check!(tx.send(1).is_err());
    check!(own.lookup(res_api::Name::new("forged")).is_err());
    let (mut tx, mut rx) = own.chan::<Spsc, u64>(2)?;
    tx.send(1)?;
    drop(tx);
    check!(rx.recv()? == 1);
    check!(rx.recv() == Err(RecvError::Gone(Gone::Closed)));
    Ok(())
}
