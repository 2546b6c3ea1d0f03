//! A blockpoint, and for each checkpoint whether a trigger came after it.

use std::vec::Vec;

use proptest::prelude::*;
use res_api::{Backend, Blockpoint, Checkpoint, Deadline, Gone, Side, WaitError, Wake};

use crate::stage::stage;
use crate::{Failure, Harness};

#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    Arm,
    Trigger(Wake),
    /// At one of the checkpoints.
    Wait(usize),
    Look(bool),
    Tell(Side, Gone),
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let wake = prop_oneof![Just(Wake::One), Just(Wake::All)];
    let side = prop_oneof![Just(Side::Waiters), Just(Side::Signallers)];
    let gone = (1..6_u32).prop_map(|code| Gone::from_code(code).unwrap_or(Gone::Closed));
    prop_oneof![
        6 => Just(Op::Arm),
        6 => wake.prop_map(Op::Trigger),
        6 => (0..4_usize).prop_map(Op::Wait),
        3 => any::<bool>().prop_map(Op::Look),
        1 => (side, gone).prop_map(|(side, gone)| Op::Tell(side, gone)),
    ]
}

/// What has been told to waiters and to signallers.
#[derive(Default)]
struct Told([Option<Gone>; 2]);

impl Told {
    fn of(&mut self, side: Side) -> &mut Option<Gone> {
        &mut self.0[usize::from(side == Side::Signallers)]
    }
}

pub(super) fn replay<H: Harness>(h: &H, ops: &[Op]) -> Result<(), Failure> {
    let s = stage(h);
    let point = s.blockpoint()?;
    let mut armed: Vec<(Checkpoint<'_, _>, bool)> = Vec::new();
    let mut told = Told::default();
    for op in ops {
        match *op {
            Op::Arm => armed.push((point.checkpoint(), false)),
            Op::Trigger(wake) => {
                check_eq!(point.trigger(wake), *told.of(Side::Signallers), "{op:?}");
                armed.iter_mut().for_each(|(_, triggered)| *triggered = true);
            }
            Op::Wait(at) if at < armed.len() => {
                let (checkpoint, triggered) = armed.swap_remove(at);
                let expected = expected_wait(*told.of(Side::Waiters), triggered);
                check_eq!(checkpoint.wait(Deadline::PASSED), expected, "{op:?}");
            }
            Op::Wait(_) => {}
            Op::Look(finds) => {
                let found = point.wait_until(Deadline::PASSED, || finds.then_some(()));
                let expected = expected_wait(*told.of(Side::Waiters), finds);
                check_eq!(found, if finds { Ok(()) } else { expected }, "{op:?}");
            }
            Op::Tell(side, gone) => {
                point.tell(side, gone);
                let before = told.of(side);
                if Some(gone) > *before {
                    *before = Some(gone);
                    armed.iter_mut().for_each(|(_, triggered)| *triggered = true);
                } else {
                    // Nothing has changed, so whether it wakes is left open.
                    armed.clear();
                }
            }
        }
        for side in [Side::Waiters, Side::Signallers] {
            check_eq!(point.told(side), *told.of(side), "{side:?} after {op:?}");
        }
    }
    Ok(())
}

fn expected_wait(told: Option<Gone>, triggered: bool) -> Result<(), WaitError> {
    match (told, triggered) {
        (Some(gone), _) => Err(WaitError::Gone(gone)),
        (None, true) => Ok(()),
        (None, false) => Err(WaitError::TimedOut),
    }
}
