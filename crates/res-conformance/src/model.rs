//! State machines against reference models: lists of operations, generated and shrunk by proptest.
//!
//! Reproducible: the same list of operations each time, more of them with `RES_LONG=1`. What fails
//! is printed whole, as a list that can be kept in a table of traces.

mod events;
mod memory;
mod points;

use std::fmt::Debug;
use std::vec;
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use res_api::{
    AnyCap, Backend, CastError, Desc, ErrorKind, FromCap, IntoCap, KindId, Name, Rights,
};

use crate::channel::Snd;
use crate::stage::{chan, stage};
use crate::trace::{self, Op};
use crate::{Failure, Harness};

/// Runs `test` on generated values.
fn run<H: Harness, S: Strategy<Value: Debug + Clone>>(
    cases: u32,
    strategy: S,
    test: impl Fn(S::Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    // No fewer where there are more machines instead: these are the same on each.
    let cases = H::rounds(cases.into()).max(cases.into());
    let cases = u32::try_from(cases).unwrap_or(u32::MAX);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let test = |value| test(value).map_err(|found| TestCaseError::fail(std::format!("{found:?}")));
    TestRunner::new_with_rng(config, rng).run(&strategy, test).map_err(|error| {
        std::eprintln!("on {}: {error}", H::NAME);
        Failure::new(ErrorKind::Other, error)
    })
}

fn channel_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => Just(Op::TrySend),
        4 => Just(Op::Send),
        6 => Just(Op::TryRecv),
        4 => Just(Op::Recv),
        1 => Just(Op::Drain),
        2 => Just(Op::MoveTx),
        2 => Just(Op::MoveRx),
        1 => Just(Op::CarryTx),
        1 => Just(Op::CarryRx),
        1 => Just(Op::DropTx),
        1 => Just(Op::DropRx),
    ]
}

/// R13: a channel does what its model does: order, bound, deadlines, close in every order, ends
/// that move.
pub fn r13_a_channel_does_what_its_model_does<H: Harness>(h: &H) -> Result<(), Failure> {
    let strategy = (1..6_u32, vec(channel_op(), 1..60));
    run::<H, _>(96, strategy, |(capacity, ops)| trace::replay(h, capacity, &ops))
}

/// R26: a group does what its model does: coalescing without loss, level until idle, removal, full
/// and closed groups.
pub fn r26_a_group_does_what_its_model_does<H: Harness>(h: &H) -> Result<(), Failure> {
    run::<H, _>(96, vec(events::op(), 1..50), |ops| events::replay(h, &ops))
}

/// R8: a blockpoint does what its model does: which waits a trigger ends, and who is told what.
pub fn r8_a_blockpoint_does_what_its_model_does<H: Harness>(h: &H) -> Result<(), Failure> {
    run::<H, _>(96, vec(points::op(), 1..40), |ops| points::replay(h, &ops))
}

/// R31: memory does what an array does, through any view with the rights, within its bounds.
pub fn r31_memory_does_what_its_model_does<H: Harness>(h: &H) -> Result<(), Failure> {
    run::<H, _>(96, vec(memory::op(), 1..40), |ops| memory::replay(h, &ops))
}

/// The description with the fields changed that `mask` says.
fn changed(mut desc: Desc, mask: u8) -> Desc {
    let bit = |at: u8| mask & 1 << at != 0;
    if bit(0) {
        desc.msg.align *= 2;
    }
    if bit(1) {
        desc.msg.size += 1;
    }
    if bit(2) {
        desc.msg.layout ^= 1 << 40;
    }
    if bit(3) {
        desc.msg.version += 1;
    }
    if bit(4) {
        desc.msg.name = const { Name::new("changed") };
    }
    if bit(5) {
        desc.kind = KindId::new(*b"none", 1);
    }
    desc
}

/// R21: a cast accepts a description only if every field is right; whatever it refuses comes back
/// with its description and with rights that only ever shrank.
pub fn r21_casts_do_what_their_model_does<H: Harness>(h: &H) -> Result<(), Failure> {
    let rights = vec(any::<u32>().prop_map(Rights::from_bits_truncate), 0..4);
    run::<H, _>(128, (0..64_u8, rights), |(mask, narrowed): (u8, Vec<Rights>)| {
        let s = stage(h);
        let (tx, _rx) = chan::<H, u64>(h, &s, 1)?;
        let desc = changed(tx.into_cap().desc(), mask);
        check_eq!(Snd::<H, u64>::accepts(&desc).is_ok(), mask == 0, "accepts");
        let mut cap = s.bundle(desc, None, [])?;
        let mut model = cap.rights();
        for rights in narrowed {
            cap.narrow(rights);
            model &= rights;
            check_eq!(cap.rights(), model, "rights");
        }
        let Err(CastError { cap, reason, .. }) = cap.cast::<Snd<H, u64>>() else {
            check!(false, "a capability without parts is a sender");
            return Ok(());
        };
        check_eq!(reason.kind() == ErrorKind::TypeMismatch, mask != 0, "the reason");
        check_eq!((cap.desc(), cap.rights()), (desc, model), "what came back");
        Ok(())
    })
}
