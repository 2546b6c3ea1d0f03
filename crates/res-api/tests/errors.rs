//! The class of any error, and where a fault comes from.

use std::error::Error;
use std::fmt;

use res_api::{
    CastError, CastReason, ErrorKind, Exit, Fault, Gone, KindId, Name, RecvError, Refused, Role,
    SendError, Tag, TakeError, TryRecvError, TrySendError, WaitError, kind_of,
};

/// An error of a user, caused by another.
#[derive(Debug)]
struct Outer<E>(E);

impl<E: fmt::Debug> fmt::Display for Outer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("outer")
    }
}

impl<E: Error + 'static> Error for Outer<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// An error of a user, caused by any.
#[derive(Debug)]
struct Boxed(Box<dyn Error + Send + Sync>);

impl fmt::Display for Boxed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("boxed")
    }
}

impl Error for Boxed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

const GONE: [(Gone, ErrorKind); 5] = [
    (Gone::Closed, ErrorKind::Closed),
    (Gone::PeerGone, ErrorKind::PeerGone),
    (Gone::Misbehaved, ErrorKind::Misbehaved),
    (Gone::PeerRevoked, ErrorKind::Revoked),
    (Gone::Revoked, ErrorKind::Revoked),
];

const KINDS: [ErrorKind; 14] = [
    ErrorKind::NoMemory,
    ErrorKind::NoSlots,
    ErrorKind::Denied,
    ErrorKind::NotFound,
    ErrorKind::Exists,
    ErrorKind::TypeMismatch,
    ErrorKind::Stale,
    ErrorKind::PeerGone,
    ErrorKind::Misbehaved,
    ErrorKind::Revoked,
    ErrorKind::TimedOut,
    ErrorKind::Invalid,
    ErrorKind::Closed,
    ErrorKind::Other,
];

#[test]
fn codes_are_fixed_and_never_0() {
    for (kind, code) in KINDS.into_iter().zip(1..) {
        assert_eq!(kind.code(), code);
        assert_eq!(ErrorKind::from_code(code), Some(kind));
    }
    for code in [0, 15, u32::MAX] {
        assert_eq!(ErrorKind::from_code(code), None);
    }
}

#[test]
fn a_kind_is_of_its_kind() {
    for kind in KINDS {
        assert_eq!(kind_of(&kind), kind);
        assert!(!kind.to_string().is_empty());
    }
}

#[test]
fn why_the_other_side_is_gone_has_a_kind() {
    for (gone, kind) in GONE {
        assert_eq!(kind_of(&gone), kind);
        assert_eq!(kind_of(&WaitError::Gone(gone)), kind);
        assert_eq!(kind_of(&SendError::Gone("message", gone)), kind);
        assert_eq!(kind_of(&TrySendError::Gone("message", gone)), kind);
        assert_eq!(kind_of(&RecvError::Gone(gone)), kind);
        assert_eq!(kind_of(&TryRecvError::Gone(gone)), kind);
        assert_eq!(kind_of(&CastError::new((), CastReason::Gone(gone))), kind);
    }
    assert_eq!(kind_of(&WaitError::TimedOut), ErrorKind::TimedOut);
}

#[test]
fn what_was_not_sent_has_a_kind() {
    assert_eq!(kind_of(&SendError::TimedOut(())), ErrorKind::TimedOut);
    assert_eq!(kind_of(&TrySendError::Full(())), ErrorKind::NoSlots);
    for kind in KINDS {
        assert_eq!(kind_of(&SendError::Refused((), kind)), kind);
        assert_eq!(kind_of(&TrySendError::Refused((), kind)), kind);
    }
}

#[test]
fn a_receive_that_timed_out_has_a_kind() {
    assert_eq!(kind_of(&RecvError::TimedOut), ErrorKind::TimedOut);
    for (tried, kind) in
        [(TryRecvError::NoMemory, ErrorKind::NoMemory), (TryRecvError::NoSlots, ErrorKind::NoSlots)]
    {
        assert_eq!((kind_of(&tried), kind_of(&RecvError::from(tried))), (kind, kind));
    }
}

#[test]
fn the_message_comes_back() {
    let message = || String::from("mine");
    for error in [
        SendError::TimedOut(message()),
        SendError::Gone(message(), Gone::Closed),
        SendError::Refused(message(), ErrorKind::Denied),
    ] {
        assert!(!error.to_string().contains("mine") && !format!("{error:?}").contains("mine"));
        assert_eq!(error.into_inner(), "mine");
    }
    for error in [
        TrySendError::Full(message()),
        TrySendError::Gone(message(), Gone::Closed),
        TrySendError::Refused(message(), ErrorKind::Denied),
    ] {
        assert_eq!(error.into_inner(), "mine");
    }
}

#[test]
fn a_failed_cast_has_a_kind_and_gives_the_capability_back() {
    let name = const { Name::new("lines") };
    let wrong_types = [
        CastReason::Role { have: Role::Snd, want: Role::Rcv },
        CastReason::Kind { have: KindId::new(*b"spsc", 1), want: KindId::new(*b"spsc", 2) },
        CastReason::Message { have: Tag::NONE, want: <u64 as res_api::Message>::TAG },
    ];
    let reasons = wrong_types
        .map(|reason| (reason, ErrorKind::TypeMismatch))
        .into_iter()
        .chain([(CastReason::NotThere, ErrorKind::NotFound)])
        .chain(KINDS.map(|kind| (CastReason::Parts(kind), kind)))
        .chain(GONE.map(|(gone, kind)| (CastReason::Gone(gone), kind)));
    for (reason, kind) in reasons {
        let error = CastError::new("a capability", reason);
        assert_eq!((kind_of(&error), error.cap, error.reason), (kind, "a capability", reason));
        assert_eq!(error.to_string(), reason.to_string());
        let error = TakeError::new(name, reason);
        assert_eq!((kind_of(&error), error.name, error.reason), (kind, name, reason));
        assert_eq!(error.to_string(), format!("endowment \"lines\": {reason}"));
    }
}

#[test]
fn a_failed_cast_says_both_types() {
    let (have, want) = (KindId::new(*b"spsc", 1), KindId::new(*b"zcpy", 2));
    let shown = CastReason::Kind { have, want }.to_string();
    assert!(shown.contains("spsc/1") && shown.contains("zcpy/2"), "{shown}");
    let (have, want) = (<u64 as res_api::Message>::TAG, <[u16; 2] as res_api::Message>::TAG);
    let shown = CastReason::Message { have, want }.to_string();
    assert!(shown.contains("u64 v1 (8 bytes") && shown.contains("u16 v1 (4 bytes"), "{shown}");
}

#[test]
fn a_kind_is_found_along_the_sources() {
    for kind in KINDS {
        assert_eq!(kind_of(&Refused { value: (), error: kind }), kind);
        assert_eq!(kind_of(&Outer(kind)), kind);
        assert_eq!(kind_of(&Outer(Outer(Refused { value: [0; 9], error: Outer(kind) }))), kind);
        assert_eq!(kind_of(&Boxed(Box::new(kind))), kind);
        assert_eq!(kind_of(&Boxed(Box::new(Boxed(Box::new(Outer(kind)))))), kind);
        let boxed: Box<dyn Error> = Box::new(SendError::Refused((), kind));
        assert_eq!(kind_of(&*boxed), kind);
    }
    let io = std::io::Error::other(Boxed(Box::new(RecvError::Gone(Gone::Revoked))));
    assert_eq!(kind_of(&io), ErrorKind::Revoked);
}

#[test]
fn the_first_kind_counts() {
    /// An error that has a class and a cause of another class.
    #[derive(Debug)]
    struct Two;

    impl fmt::Display for Two {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("two")
        }
    }

    impl Error for Two {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            static FIRST: SendError<()> = SendError::Gone((), Gone::PeerGone);
            Some(&FIRST)
        }
    }

    assert_eq!(kind_of(&Two), ErrorKind::PeerGone);
}

#[test]
fn what_has_no_kind_is_other() {
    assert_eq!(kind_of(&fmt::Error), ErrorKind::Other);
    assert_eq!(kind_of(&Outer(Outer(fmt::Error))), ErrorKind::Other);
    assert_eq!(kind_of(&"x".parse::<u32>().unwrap_err()), ErrorKind::Other);
    assert_eq!(kind_of(&*Box::<dyn Error>::from("text")), ErrorKind::Other);
}

#[test]
fn a_chain_that_is_a_circle_ends() {
    #[derive(Debug)]
    struct Circle;

    impl fmt::Display for Circle {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("circle")
        }
    }

    impl Error for Circle {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    assert_eq!(kind_of(&Circle), ErrorKind::Other);
    let fault = Fault::from(Outer(Circle));
    assert_eq!((fault.kind(), fault.text()), (ErrorKind::Other, "outer"));
}

#[test]
fn a_long_chain_is_not_a_circle() {
    let mut error = Boxed(Box::new(ErrorKind::Stale));
    for _ in 0..20 {
        error = Boxed(Box::new(error));
    }
    assert_eq!(kind_of(&error), ErrorKind::Stale);
}

/// The line of this file where a fault was made.
fn line_of(fault: Fault) -> u32 {
    assert_eq!(fault.location().file(), file!());
    fault.location().line()
}

#[test]
fn a_question_mark_makes_a_fault_of_its_own_line() {
    fn kind(line: &mut u32) -> Result<(), Fault> {
        *line = line!() + 1;
        Err(ErrorKind::Denied)?;
        Ok(())
    }
    fn sent(line: &mut u32) -> Result<(), Fault> {
        *line = line!() + 1;
        Err(SendError::Gone((), Gone::PeerGone))?;
        Ok(())
    }
    fn foreign(line: &mut u32) -> Result<u32, Fault> {
        *line = line!() + 1;
        Ok("x".parse::<u32>()?)
    }
    let mut line = 0;
    let fault = kind(&mut line).unwrap_err();
    assert_eq!((line_of(fault), fault.kind()), (line, ErrorKind::Denied));
    let fault = sent(&mut line).unwrap_err();
    assert_eq!((line_of(fault), fault.kind()), (line, ErrorKind::PeerGone));
    let fault = foreign(&mut line).unwrap_err();
    assert_eq!((line_of(fault), fault.kind()), (line, ErrorKind::Other));
    assert_eq!(fault.text(), "x".parse::<u32>().unwrap_err().to_string());
}

#[test]
fn a_fault_keeps_its_line_on_its_way() {
    fn inner(line: &mut u32) -> Result<(), Fault> {
        *line = line!() + 1;
        Err(RecvError::Gone(Gone::Closed))?;
        Ok(())
    }
    fn outer(line: &mut u32) -> Result<(), Fault> {
        inner(line)?;
        Ok(())
    }
    let mut line = 0;
    let fault = outer(&mut line).unwrap_err();
    assert_eq!((line_of(fault), fault.kind()), (line, ErrorKind::Closed));
    let exit = Exit::from(Err(fault));
    assert_eq!(exit.ok().unwrap_err(), fault, "an exit keeps it too");
}

#[test]
fn a_fault_made_by_hand_has_the_line_of_its_maker() {
    let (fault, line) = (Fault::new(ErrorKind::Invalid, "no input"), line!());
    assert_eq!(
        (line_of(fault), fault.kind(), fault.text()),
        (line, ErrorKind::Invalid, "no input")
    );
    let (fault, line) = (Exit::Died.ok().unwrap_err(), line!());
    assert_eq!((line_of(fault), fault.kind()), (line, ErrorKind::PeerGone));
}

#[test]
fn a_fault_shows_what_and_where() {
    let (fault, line) = (Fault::new(ErrorKind::Invalid, format_args!("{} lines", 7)), line!());
    let shown = fault.to_string();
    assert!(shown.starts_with("7 lines ("), "{shown}");
    assert!(shown.contains(&format!("{}:{line}:", file!())), "{shown}");
    assert_eq!(format!("{fault:?}"), format!("Invalid: {shown}"));
}

#[test]
fn too_long_a_text_is_cut_at_a_character() {
    for shift in 0..4 {
        let text = format!("{}{}", "x".repeat(shift), "\u{1f980}".repeat(100));
        let fault = Fault::new(ErrorKind::Other, &text);
        let kept = fault.text();
        assert!(text.starts_with(kept));
        assert!((Fault::TEXT - 3..=Fault::TEXT).contains(&kept.len()), "{}", kept.len());
    }
    let fits = "x".repeat(Fault::TEXT);
    assert_eq!(Fault::new(ErrorKind::Other, &fits).text(), fits);
}

#[test]
fn an_exit_is_a_result() {
    let fault = Fault::new(ErrorKind::Stale, "");
    assert_eq!(Exit::from(()).ok(), Ok(()));
    assert_eq!(Exit::from(Ok(())), Exit::Success);
    assert_eq!(Exit::from(Err(fault)), Exit::Failed(fault));
    assert!(Exit::Success.is_success());
    assert!(!Exit::Failed(fault).is_success() && !Exit::Died.is_success());
}
