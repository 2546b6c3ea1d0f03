//! Memory, and an array.

use std::vec;

use proptest::prelude::*;
use res_api::{Backend, ErrorKind, Map, Mem, Rights, SharedMem};

use crate::stage::stage;
use crate::{Failure, Harness};

const LEN: u64 = 192;
const BOTH: Rights = Rights::READ.union(Rights::WRITE);

#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// Through which view, where, how many bytes, the first of them.
    CopyIn(usize, u64, usize, u8),
    CopyOut(usize, u64, usize),
    Load(usize, u64),
    Word(usize, u64),
}

fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..LEN + 20,
        2 => (0..LEN / 8).prop_map(|word| word * 8),
        1 => u64::MAX - 20..=u64::MAX,
    ]
}

/// Within a few words, mostly; or much of the memory.
fn len() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 0..40_usize, 1 => 100..LEN as usize + 20]
}

/// Bytes of which each is another one than its neighbours.
fn bytes(len: usize, first: u8) -> std::vec::Vec<u8> {
    (0..len).map(|at| first.wrapping_add(at as u8)).collect()
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let view = 0..3_usize;
    prop_oneof![
        (view.clone(), offset(), len(), any::<u8>())
            .prop_map(|(view, at, len, byte)| Op::CopyIn(view, at, len, byte)),
        (view.clone(), offset(), len()).prop_map(|(view, at, len)| Op::CopyOut(view, at, len)),
        (view.clone(), offset()).prop_map(|(view, at)| Op::Load(view, at)),
        (view, offset()).prop_map(|(view, at)| Op::Word(view, at)),
    ]
}

/// The range, if it is within the memory.
fn range(at: u64, len: usize) -> Option<core::ops::Range<usize>> {
    let end = at.checked_add(len as u64).filter(|end| *end <= LEN)?;
    Some(at as usize..end as usize)
}

fn word(model: &[u8], at: u64) -> Result<u64, ErrorKind> {
    let range = range(at, 8).filter(|_| at.is_multiple_of(8)).ok_or(ErrorKind::Invalid)?;
    let bytes = <[u8; 8]>::try_from(&model[range]).map_err(|_| ErrorKind::Invalid)?;
    Ok(u64::from_ne_bytes(bytes))
}

pub(super) fn replay<H: Harness>(h: &H, ops: &[Op]) -> Result<(), Failure> {
    let s = stage(h);
    let memory = s.mem(LEN)?.share();
    check_eq!(memory.len(), LEN, "bytes, where a multiple of 64 was asked for");
    let alias = memory.alias(BOTH)?;
    let views = [memory.map(BOTH)?, alias.map(BOTH)?, alias.map(Rights::READ)?];
    let mut model = [0_u8; LEN as usize];
    for op in ops {
        step(&views, &mut model, *op)?;
    }
    Ok(())
}

fn step<M: Map>(views: &[M; 3], model: &mut [u8], op: Op) -> Result<(), Failure> {
    let denied = |view: usize| (view == 2).then_some(ErrorKind::Denied);
    let invalid = || ErrorKind::Invalid;
    match op {
        Op::CopyIn(view, at, len, byte) => {
            let found = views[view].copy_in(at, &bytes(len, byte));
            let expected = denied(view).map_or(range(at, len).ok_or_else(invalid), Err);
            check_eq!(found, expected.clone().map(drop), "{op:?}");
            if let Ok(range) = expected {
                model[range].copy_from_slice(&bytes(len, byte));
            }
        }
        Op::CopyOut(view, at, len) => {
            let mut bytes = vec![0; len];
            let found = views[view].copy_out(at, &mut bytes).map(|()| bytes);
            let expected = range(at, len).ok_or_else(invalid).map(|range| model[range].to_vec());
            check_eq!(found, expected, "{op:?}");
        }
        Op::Load(view, at) => check_eq!(views[view].load(at), word(model, at), "{op:?}"),
        Op::Word(view, at) => {
            let expected = denied(view).map_or(word(model, at), Err);
            check_eq!(views[view].word(at).map(drop), expected.map(drop), "{op:?}");
        }
    }
    Ok(())
}
