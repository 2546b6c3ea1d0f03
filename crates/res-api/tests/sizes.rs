//! What is handed about on data paths is small, and markers are nothing.

use std::mem::{align_of, size_of};

use res_api::{
    CapRx, CapTx, Deadline, ErrorKind, Event, Exit, Fault, Gone, InFile, Instant, KindId, Memory,
    Name, RecvError, Rights, Rx, SendError, Slot, ThreadId, TryRecvError, TrySendError, Tx, Value,
    WaitError,
};

#[test]
fn why_not_fits_a_register() {
    assert_eq!(size_of::<Option<Gone>>(), 4);
    assert_eq!(size_of::<Option<ErrorKind>>(), 4);
    assert_eq!(size_of::<Result<(), WaitError>>(), 4);
    assert_eq!(size_of::<Result<(), RecvError>>(), 4);
    assert_eq!(size_of::<Result<(), TryRecvError>>(), 4);
    assert!(size_of::<Result<(), SendError<()>>>() <= 8);
    assert!(size_of::<Result<(), TrySendError<()>>>() <= 8);
}

#[test]
fn a_result_costs_a_message_one_word_at_most() {
    assert!(size_of::<Result<u64, RecvError>>() <= 16);
    assert!(size_of::<Result<u64, TryRecvError>>() <= 16);
    assert!(size_of::<Result<(), SendError<u64>>>() <= 16);
    assert!(size_of::<Result<(), TrySendError<u64>>>() <= 16);
    assert!(size_of::<Event>() <= 16);
}

#[test]
fn numbers_are_as_small_as_they_are() {
    assert_eq!((size_of::<Instant>(), size_of::<Deadline>()), (8, 8));
    assert_eq!((size_of::<KindId>(), size_of::<ThreadId>(), size_of::<Rights>()), (8, 4, 4));
}

#[test]
fn names_cross_domains_as_they_are() {
    assert_eq!((size_of::<Name>(), align_of::<Name>()), (Name::SIZE, 1));
    assert_eq!(size_of::<Slot<Rx<(), u64>>>(), size_of::<Name>());
}

#[test]
fn markers_are_nothing() {
    assert_eq!(size_of::<(Tx<u64, u64>, Rx<u64, u64>, Value<u64>)>(), 0);
    assert_eq!(size_of::<(CapTx, CapRx, Memory, InFile)>(), 0);
}

#[test]
fn a_fault_is_its_text_and_little_more() {
    assert!(size_of::<Fault>() <= Fault::TEXT + 24);
    assert_eq!(size_of::<Exit>(), size_of::<Fault>());
}

/// A slot is a name, whatever lies under it.
#[test]
fn slots_and_faults_go_anywhere() {
    fn anywhere<T: Copy + Send + Sync + 'static>() {}
    struct NotEvenSend(#[allow(dead_code, reason = "for its type")] std::rc::Rc<()>);
    anywhere::<Slot<Rx<NotEvenSend, NotEvenSend>>>();
    anywhere::<Fault>();
    anywhere::<Exit>();
}
