//! Another component, which serves on our threads.

use res_api::Fault;
use res_kernel::{Composite, KernelThread};
use res_sync::Park;

use super::beside::started;
use crate::report::check;
use crate::tally::Tally;

/// Four words there, a result and three words back; nothing else is changed by it.
pub(super) fn words(_: Composite) -> Result<(), Fault> {
    let tally = Tally::imported();
    let mut seen = [1.5_f64, -2.5, 3.25, 8.0];
    for round in 0..1_000_u32 {
        let one = u64::from(round);
        let answer = tally.sum([one, 7, 10_000, 20_002]);
        check!(answer.result as u64 == one + 2 * 7 + 3 * 10_000 + 4 * 20_002);
        check!(answer.extra == [one.min(7), 20_002, 1 + one % 2]);
        // Values that a compiler keeps in registers, SSE ones too, are what they were.
        seen = seen.map(|value| value + f64::from(round));
    }
    let sum = f64::from(999 * 1_000 / 2);
    check!(seen == [1.5 + sum, sum - 2.5, sum + 3.25, sum + 8.0]);
    Ok(())
}

/// The server knows the component and the thread.
pub(super) fn who(machine: Composite) -> Result<(), Fault> {
    let mine = Tally::imported().who();
    check!(mine.result != 0);
    check!(mine.extra == [machine.current().into(), mine.result as u64, 0]);
    let mut other = None;
    let mut body = || other = Some(Tally::imported().who());
    let beside = started(machine, &mut body)?;
    let thread = beside.thread.id();
    drop(beside);
    let seen = other.map(|answer| (answer.result, answer.extra[0]));
    check!(seen == Some((mine.result, thread.into())));
    Ok(())
}

/// A thread sleeps in the server, while others come and go there.
pub(super) fn sleeps(machine: Composite) -> Result<(), Fault> {
    const ROUNDS: i64 = 500;
    let tally = Tally::imported();
    let mut woken = 0;
    let mut body = || {
        for seen in 0..ROUNDS {
            woken += i64::from(tally.wait(seen) > seen);
        }
    };
    let other = started(machine, &mut body)?;
    for count in 1..=ROUNDS {
        check!(tally.more() == count);
    }
    drop(other);
    check!(woken == ROUNDS);
    Ok(())
}
