//! What two components ring each other in goes with them.

use std::time::Duration;

use backend_sinv::{Limits, Sinv};
use chan_impls::Spsc;
use res_api::{Backend, Env, EvtGrp, Exit, Fault, Name, Receiver, Sender, Slot, Trigger, Tx};
use res_kernel::Sim;
use res_kernel::sim::Seeds;

type System = Sinv<Sim>;

const ANSWERS: Slot<Tx<Spsc, u64>> = Slot::new("answers");
const ONE: Name = Name::new("one");

fn sends(env: Env<System>) -> Result<(), Fault> {
    let mut answers = env.take(ANSWERS)?;
    answers.send(1)?;
    Ok(answers.send(2)?)
}

/// A component that sends, also while a group listens, and ends.
fn round(system: &System) -> Result<(), Fault> {
    let late = system.within(Duration::from_secs(10));
    let (answers, mut rx) = system.chan::<Spsc, u64>(1)?;
    let component = system.component(ONE, sends)?;
    component.endow(ANSWERS, answers)?;
    component.start()?;
    assert_eq!(rx.recv_until(late)?, 1);
    let group = system.evtgrp(1)?;
    let _registered = group.add(&rx, Trigger::Level, 1)?;
    group.wait(late)?;
    assert_eq!(rx.recv_until(late)?, 2);
    assert_eq!(component.wait(late)?, Exit::Success);
    Ok(())
}

#[test]
fn nothing_is_left_of_the_arenas_of_components_that_ended() {
    Seeds::from_env(50).check("nothing_is_left_of_the_arenas", |sim| {
        let system = System::on(sim, Limits::default()).expect("a system");
        let objects = || {
            let seen = system.inspect().expect("the manager is here");
            seen.components[0].objects
        };
        let before = objects();
        for _ in 0..4 {
            round(&system).expect("a round");
        }
        // The last one may not have been told yet.
        let most = before + 1;
        assert!(objects() <= most, "{} objects, not {most}", objects());
    });
}
