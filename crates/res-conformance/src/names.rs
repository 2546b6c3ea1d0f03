//! Names that are published and looked up (R3, Q7).

use res_api::{
    AnyCap, Backend, CapTx, Env, ErrorKind, Exit, Fault, Gone, IntoCap, Kind, Map, Mem, Name,
    Receiver, RecvError, Rights, Role, Rx, Sender, SharedMem, Slot, TrySendError, kind_of,
};

use crate::channel::Rcv;
use crate::stage::{chan, stage};
use crate::{Failure, Harness};

const NAME: Name = Name::new("published");
const OTHER: Name = Name::new("other");

type Shared<H> = <<H as Harness>::Backend as Backend>::SharedMem;

/// R3: memory that is published is shared with everybody who asks.
pub fn r3_published_memory_is_shared<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let memory = s.mem(64)?.share();
    let view = memory.map(Rights::READ | Rights::WRITE)?;
    s.publish(NAME, memory.into_cap()).map_err(|refused| Failure::from(refused.error))?;
    for n in 1..4 {
        view.copy_in(0, &[n])?;
        let found: Shared<H> = s.lookup(NAME)?.cast()?;
        let mut byte = [0];
        found.map(Rights::READ)?.copy_out(0, &mut byte)?;
        check_eq!(byte, [n], "read by who looked it up");
    }
    Ok(())
}

/// R3: an end that is published goes to the first who asks, in its place.
pub fn r3_a_published_end_goes_to_the_first<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (mut tx, mut rx) = chan::<H, u64>(h, &s, 2)?;
    tx.try_send(1)?;
    tx.try_send(2)?;
    rx.try_recv()?;
    s.publish(NAME, rx.into_cap()).map_err(|refused| Failure::from(refused.error))?;
    let mut rx = s.lookup(NAME)?.cast::<Rcv<H, u64>>()?;
    check_eq!(rx.try_recv(), Ok(2), "by the first who asked");
    let kind = s.lookup(NAME).err().map(|error| kind_of(&error));
    check_eq!(kind, Some(ErrorKind::NotFound), "the second who asked");
    Ok(())
}

/// R3: the sending end of a channel of capabilities that is published is shared with everybody who
/// asks, and the channel stays open as long as one of them has it.
pub fn r3_a_published_sender_of_capabilities_is_shared<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (tx, mut rx) = s.chanchan(4)?;
    s.publish(NAME, tx.into_cap()).map_err(|refused| Failure::from(refused.error))?;
    for size in [64, 128, 192] {
        let mut found = s.cast::<CapTx>(s.lookup(NAME)?)?;
        found.try_send(s.mem(size)?.share().into_cap())?;
        drop(found);
        check_eq!(rx.gone(), None, "as long as it is published");
    }
    for size in [64, 128, 192] {
        check_eq!(rx.recv_until(s.soon())?.desc().capacity, size, "in order");
    }
    let mut found = s.cast::<CapTx>(s.lookup(NAME)?)?;
    drop(rx);
    let sent = found.try_send(s.mem(64)?.share().into_cap());
    check!(matches!(sent, Err(TrySendError::Gone(_, Gone::Closed))), "to nobody: {sent:?}");
    Ok(())
}

/// R3: a name that nobody published is `NotFound`.
pub fn r3_an_unknown_name_is_not_found<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let kind = s.lookup(NAME).err().map(|error| kind_of(&error));
    check_eq!(kind, Some(ErrorKind::NotFound), "looking up");
    let kind = s.take_endowment(NAME).err().map(|error| kind_of(&error));
    check_eq!(kind, Some(ErrorKind::NotFound), "taking as an endowment");
    Ok(())
}

/// R3: a name that is taken is `Exists`; the capability comes back, and the first stays.
pub fn r3_a_name_is_published_once<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    s.publish(NAME, s.mem(64)?.share().into_cap())
        .map_err(|refused| Failure::from(refused.error))?;
    let (mut tx, rx) = chan::<H, u64>(h, &s, 1)?;
    let Err(refused) = s.publish(NAME, rx.into_cap()) else {
        check!(false, "published twice");
        return Ok(());
    };
    check_eq!(kind_of(&refused.error), ErrorKind::Exists, "the second time");
    check_eq!(tx.gone(), None, "the end that was refused");
    tx.try_send(1)?;
    check_eq!(refused.value.cast::<Rcv<H, u64>>()?.try_recv(), Ok(1), "over the end");
    check_eq!(s.lookup(NAME)?.desc().role, Role::Mem, "what was published first");
    let kind = s.lookup(OTHER).err().map(|error| kind_of(&error));
    check_eq!(kind, Some(ErrorKind::NotFound), "another name");
    Ok(())
}

/// R5: what may not be handed on may not be published.
pub fn r5_what_may_not_be_handed_on_is_not_published<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let mut cap = s.mem(64)?.share().into_cap();
    cap.narrow(Rights::READ);
    let Err(refused) = s.publish(NAME, cap) else {
        check!(false, "published without TRANSFER");
        return Ok(());
    };
    check_eq!(kind_of(&refused.error), ErrorKind::Denied, "publishing");
    check_eq!(refused.value.rights(), Rights::READ, "rights of what came back");
    Ok(())
}

/// R32: what is looked up has no more rights than what was published.
pub fn r32_looking_up_widens_no_rights<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let mut cap = s.mem(64)?.share().into_cap();
    let given = Rights::READ | Rights::TRANSFER;
    cap.narrow(given);
    s.publish(NAME, cap).map_err(|refused| Failure::from(refused.error))?;
    for _ in 0..2 {
        check!(given.contains(s.lookup(NAME)?.rights()), "rights: {:?}", s.lookup(NAME)?.rights());
    }
    Ok(())
}

const fn go<K>() -> Slot<Rx<K, u64>> {
    Slot::new("go")
}

fn publisher<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let mut go = env.take(go::<K>())?;
    let (tx, rx) = env.chan::<K, u64>(1)?;
    env.publish(NAME, rx.into_cap()).map_err(|refused| Fault::from(refused.error))?;
    env.publish(OTHER, env.mem(64)?.share().into_cap())
        .map_err(|refused| Fault::from(refused.error))?;
    // Until it may end.
    let _ = go.recv();
    drop(tx);
    Ok(())
}

/// R3: another component finds what one has published; names die with who published them.
pub fn r3_a_name_dies_with_its_component<H: Harness>(h: &H) -> Result<(), Failure> {
    let s = stage(h);
    let (tx, rx) = chan::<H, u64>(h, &s, 1)?;
    let component = s.component(NAME, publisher::<H::Backend, H::Kind>)?;
    component.endow(go::<H::Kind>(), rx)?;
    component.start()?;
    s.poll("the second name is published", || s.lookup(OTHER).is_ok())?;
    let mut found = s.lookup(NAME)?.cast::<Rcv<H, u64>>()?;
    check_eq!(found.gone(), None, "while the publisher lives");
    drop(tx);
    check_eq!(component.wait(s.soon()), Ok(Exit::Success), "the publisher's end");
    let kind = s.lookup(OTHER).err().map(|error| kind_of(&error));
    check_eq!(kind, Some(ErrorKind::NotFound), "the name of one that has ended");
    check_eq!(found.recv_until(s.soon()), Err(RecvError::Gone(Gone::Closed)), "what was found");
    // The name is free again.
    s.publish(OTHER, s.mem(64)?.share().into_cap()).map_err(|refused| Failure::from(refused.error))
}
