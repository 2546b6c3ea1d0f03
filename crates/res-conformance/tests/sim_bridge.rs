//! A channel between two systems on the simulated machine, with many seeds: nobody sleeps for ever.

use std::time::Duration;

use backend_local::{Bridge, Dynamic, Local};
use chan_impls::Spsc;
use res_api::{Backend, Deadline, Fault, Gone, Kind, Receiver, RecvError, Sender, Thread};
use res_kernel::sim::Seeds;
use res_kernel::{Access, Isolation, Kernel, KernelMemory, Sim};
use res_sync::Park;

type System = Local<Dynamic, Sim>;
type Snd = <Spsc as Kind<System>>::Snd<u64>;
type Rcv = <Spsc as Kind<System>>::Rcv<u64>;

/// Seeds in a plain run; `RES_SEEDS` for more, `RES_SEED` for one.
const SEEDS: u64 = 200;
/// Of virtual time: whoever sleeps through it was not woken.
const PATIENCE: Duration = Duration::from_secs(1);

fn points(machine: &Sim) -> Result<[<Sim as Park>::Point; 2], Fault> {
    let points = [machine.point()?, machine.point()?];
    points.iter().for_each(|point| machine.between(point));
    Ok(points)
}

/// An end in a system, and the other one in another.
fn ends(machine: Sim, systems: &[System; 2], capacity: u32) -> Result<(Snd, Rcv), Fault> {
    let bytes = Bridge::<Sim>::bytes::<u64>(capacity).expect("a usual capacity");
    let memory = machine.memory(bytes)?;
    let there = Bridge::found(memory.alias(Access::ReadWrite)?, points(&machine)?);
    // SAFETY: nobody else uses the memory yet.
    let here = unsafe { Bridge::new::<u64>(&machine, memory, points(&machine)?) };
    Ok((systems[0].snd_over(here, capacity)?, systems[1].rcv_over(there, capacity)?))
}

fn within(system: &System) -> Deadline {
    Deadline::at(system.now() + PATIENCE)
}

/// There and back, through little room, until the first one leaves.
fn there_and_back(machine: Sim, capacity: u32) -> Result<(), Fault> {
    const COUNT: u64 = 12;
    let systems = [Local::on(machine)?, Local::on(machine)?];
    let (mut out, mut at_there) = ends(machine, &systems, capacity)?;
    let [one, two] = &systems;
    let (mut back, mut at_home) = ends(machine, &[two.clone(), one.clone()], capacity)?;
    let token = two.clone();
    let echo = two.thread(move || {
        while let Ok(number) = at_there.recv_until(within(&token)) {
            if back.send_until(number + 1, within(&token)).is_err() {
                return;
            }
        }
    })?;
    echo.start()?;
    for number in 0..COUNT {
        out.send_until(number, within(one))?;
        assert_eq!(at_home.recv_until(within(one))?, number + 1);
    }
    drop(out);
    assert_eq!(at_home.recv_until(within(one)), Err(RecvError::Gone(Gone::Closed)));
    echo.join(within(two))?.ok()
}

#[test]
fn nobody_sleeps_for_ever() {
    let found = Seeds::from_env(SEEDS).find(|machine| {
        for capacity in [1, 2] {
            there_and_back(machine, capacity).expect("it comes there and back");
        }
    });
    if let Err(found) = found {
        panic!("{found}");
    }
}
