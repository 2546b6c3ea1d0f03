//! What people see who look at a system.

use std::time::Duration;

use backend_sinv::Sinv;
use chan_impls::Spsc;
use res_api::{Backend, Deadline, Env, Exit, Fault, Name, Receiver, Rx, Sender, Slot, Tx, Value};

const FROM: Slot<Rx<Spsc, u64>> = Slot::new("from");
const TO: Slot<Tx<Spsc, u64>> = Slot::new("to");
const LEFT: Slot<Value<u64>> = Slot::new("left");

/// Sends three numbers, and waits for what does not come.
fn waits(env: Env<Sinv>) -> Result<(), Fault> {
    let (mut from, mut to) = (env.take(FROM)?, env.take(TO)?);
    for number in 0..3 {
        to.send(number)?;
    }
    assert!(from.recv().is_err());
    Ok(())
}

#[test]
fn who_has_what_and_who_waits() {
    let system = Sinv::new().expect("a system");
    let waiting = const { Name::new("waiting") };
    let component = system.component(waiting, waits).expect("made");
    let (tx, from) = system.chan::<Spsc, u64>(4).expect("a channel");
    let (to, mut rx) = system.chan::<Spsc, u64>(8).expect("a channel");
    component.endow(FROM, from).expect("endowed");
    component.endow(TO, to).expect("endowed");
    component.endow(LEFT, 5).expect("endowed");
    let look = || system.inspect().expect("the manager is here");
    let seen = look();
    let it = seen.components.iter().find(|it| it.name == waiting).expect("it is made");
    assert_eq!((it.process, it.started, it.own_program, it.creator), (None, false, false, 1));
    assert_eq!((it.untaken, it.objects, it.files, it.requests), (3, 0, 0, 0));
    component.start().expect("it starts");
    // It is asleep in a moment.
    let late = system.after(Duration::from_secs(60));
    let seen = loop {
        let seen = look();
        let asleep = |channel: &backend_sinv::Channel| !channel.waiting.is_empty();
        if seen.channels.iter().any(asleep) {
            break seen;
        }
        assert!(system.now() < late, "{seen}");
        system.sleep(system.after(Duration::from_millis(1)));
    };
    let it = seen.components.iter().find(|it| it.name == waiting).expect("it lives");
    let process = it.process.expect("it runs");
    assert!(std::path::Path::new(&format!("/proc/{process}")).exists());
    assert_eq!((it.started, it.untaken, it.objects, it.files), (true, 1, 2, 0));
    let me = 1;
    let with = |capacity| {
        let found = seen.channels.iter().find(|channel| channel.desc.capacity == capacity);
        let channel = found.expect("it is there");
        (channel.queued, &channel.senders[..], &channel.receivers[..], &channel.waiting[..])
    };
    assert_eq!(with(4), (Some(0), &[me][..], &[it.id][..], &[it.id][..]));
    assert_eq!(with(8), (Some(3), &[it.id][..], &[me][..], &[][..]));
    // The same for people.
    let (table, isolation) = (seen.to_string(), &seen.isolation);
    assert!(table.contains(&format!("components ({isolation})")), "{table}");
    let row = |part: &str| table.lines().find(|line| line.contains(part)).expect("a row");
    assert!(row("waiting ").contains(&process.to_string()), "{table}");
    let ends = row("spsc");
    assert!(ends.contains("u64"), "{table}");
    assert_eq!((rx.recv(), rx.recv(), rx.recv()), (Ok(0), Ok(1), Ok(2)));
    drop((tx, rx));
    assert_eq!(component.wait(Deadline::NEVER), Ok(Exit::Success));
    let seen = look();
    assert_eq!((seen.components.len(), seen.channels.len()), (1, 0), "{seen}");
}
