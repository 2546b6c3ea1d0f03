//! Many components and channels at once.

use std::time::Instant;

use backend_sinv::Sinv;
use chan_impls::Spsc;
use res_api::{
    Backend, Comp, Component, Deadline, Env, Exit, Fault, Name, Receiver, Rx, Sender, Slot, Tx,
    Value,
};

const TOTAL: Slot<Tx<Spsc, u64>> = Slot::new("total");
const CHANNELS: Slot<Value<u32>> = Slot::new("channels");

fn number(index: u32) -> Slot<Rx<Spsc, u64>> {
    Slot::named(Name::numbered("number", index).expect("short"))
}

/// Adds up one number from each of its channels.
fn adds_up(env: Env<Sinv>) -> Result<(), Fault> {
    let mut total = env.take(TOTAL)?;
    let mut sum = 0;
    for index in 0..env.take(CHANNELS)? {
        sum += env.take(number(index))?.recv()?;
    }
    Ok(total.send(sum)?)
}

#[test]
fn many_components_with_many_channels() {
    let long = std::env::var_os("RES_LONG").is_some_and(|value| value == "1");
    let (components, channels) = if long { (1000, 9) } else { (50, 9) };
    let begin = Instant::now();
    let system = Sinv::new().expect("a system");
    let mut all: Vec<(Comp<Sinv>, Vec<_>, _)> = Vec::new();
    for index in 0..components {
        let name = Name::numbered("component", index).expect("short");
        let component = system.component(name, adds_up).expect("a component");
        let (total, result) = system.chan::<Spsc, u64>(1).expect("a channel");
        component.endow(TOTAL, total).expect("endowed");
        component.endow(CHANNELS, channels).expect("endowed");
        let mut senders = Vec::new();
        for channel in 0..channels {
            let (tx, rx) = system.chan::<Spsc, u64>(16).expect("a channel");
            component.endow(number(channel), rx).expect("endowed");
            senders.push(tx);
        }
        all.push((component, senders, result));
    }
    println!("made after {:?}", begin.elapsed());
    all.iter().for_each(|(component, ..)| component.start().expect("started"));
    println!("started after {:?}", begin.elapsed());
    let seen = system.inspect().expect("the manager is here");
    assert_eq!(seen.components.len(), components as usize + 1);
    for (place, (_, senders, _)) in all.iter_mut().enumerate() {
        for tx in senders.iter_mut() {
            tx.send(place as u64).expect("it listens");
        }
    }
    for (place, (component, _, result)) in all.iter_mut().enumerate() {
        assert_eq!(result.recv(), Ok(u64::from(channels) * place as u64));
        assert_eq!(component.as_inner().wait(Deadline::NEVER), Ok(Exit::Success));
    }
    println!("answered and ended after {:?}", begin.elapsed());
    drop(all);
    let seen = system.inspect().expect("the manager is here");
    assert_eq!((seen.components.len(), seen.channels.len()), (1, 0), "{seen}");
    println!("torn down after {:?}", begin.elapsed());
}
