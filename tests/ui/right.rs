//! None of the mistakes.

use res::{Backend, Deadline, Env, Fault, Kind, Local, Name, Receiver, Rx, Sender, Slot, Spsc};

#[res::message("line", version = 1)]
struct Line {
    text: [u8; 7],
    len: u8,
}

fn reader<B: Backend, K: Kind<B>>(env: Env<B>) -> Result<(), Fault> {
    let mut lines = env.take(Slot::<Rx<K, Line>>::new("lines"))?;
    while lines.recv().is_ok() {}
    Ok(())
}

fn main() -> Result<(), Fault> {
    let system = Local::new()?;
    let (mut tx, rx) = system.chan::<Spsc, Line>(4)?;
    let reader = system.component(const { Name::new("reader") }, reader::<Local, Spsc>)?;
    reader.endow(Slot::<Rx<Spsc, Line>>::new("lines"), rx)?;
    reader.start()?;
    tx.send(Line { text: *b"hello\0\0", len: 5 })?;
    drop(tx);
    reader.wait(Deadline::NEVER)?.ok()
}
