//! Channels between two components. The other one serves once, so this is done once.

use core::hint::black_box;
use core::time::Duration;

use chan_impls::Spsc;
use res_api::{Fault, Gone, Kind, Receiver, RecvError, Sender};
use res_kernel::Composite;

use super::beside::started;
use super::{LONG, System, system, within};
use crate::cost::{all_rounds, cost};
use crate::echo::Echo;
use crate::report::check;

type Snd = <Spsc as Kind<System>>::Snd<u64>;
type Rcv = <Spsc as Kind<System>>::Rcv<u64>;

/// There and back, asleep in one component and in the other; and what that costs.
pub(super) fn numbers(machine: Composite) -> Result<(), Fault> {
    let (mut numbers, mut answers) = ends(machine)?;
    let early = nobody_serves(machine, &mut numbers, &mut answers)?;
    let mut served = 0;
    let mut body = || served = Echo::imported().serve();
    let other = started(machine, &mut body)?;
    for number in 0..early {
        check!(answers.recv_until(within(machine, LONG))? == number + 1);
    }
    let rounds = round_trips(machine, &mut numbers, &mut answers)?;
    drop(numbers);
    check!(answers.recv() == Err(RecvError::Gone(Gone::Closed)));
    drop(other);
    check!(served == (early + rounds) as i64);
    check!(Echo::imported().serve() == -1);
    Ok(())
}

// Each has a frame of its own: stacks are short.

#[inline(never)]
fn ends(machine: Composite) -> Result<(Snd, Rcv), Fault> {
    let system = system(machine, 0)?;
    let ([to, from], capacity) = Echo::imported().open(machine)?;
    Ok((system.snd_over(to, capacity)?, system.rcv_over(from, capacity)?))
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

#[inline(never)]
fn round_trips(machine: Composite, numbers: &mut Snd, answers: &mut Rcv) -> Result<u64, Fault> {
    const ROUNDS: u64 = 500;
    const MEASURED: u32 = 1_000;
    for number in 0..ROUNDS {
        numbers.send(number)?;
        check!(answers.recv_until(within(machine, LONG))? == number + 1);
    }
    let mut sum = 0;
    cost("channel round trip between components", MEASURED, || {
        let sent = numbers.send(black_box(0)).is_ok();
        sum += answers.recv().unwrap_or(0) * u64::from(sent);
    });
    check!(sum == all_rounds(MEASURED).into());
    Ok(ROUNDS + u64::from(all_rounds(MEASURED)))
}
