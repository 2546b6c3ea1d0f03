//! None of the mistakes.

use res::{Backend, Deadline, Env, Fault, Kind, Local, Name, Receiver, Rx, Sender, Slot, Spsc};

#[res::message("line", version = 1)]
struct Line {
    text: [u8; 7],
    len: u8,
}

#[res::interface("lengths", version = 1)]
trait Lengths {
    /// How long a line is.
    fn of(&mut self, line: Line) -> u64;
    fn forget(&mut self);
}

impl Lengths for u64 {
    fn of(&mut self, line: Line) -> u64 {
        *self += u64::from(line.len);
        *self
    }

    fn forget(&mut self) {
        *self = 0;
    }
}

fn lengths<B: Backend>(b: &B) -> Result<u64, Fault> {
    let (caller, mut callee) = res::call::pair::<B, dyn Lengths>(b)?;
    let context = b.thread(move || _ = callee.serve_with(&mut 0_u64))?;
    res::Thread::start(&context)?;
    let mut lengths = LengthsClient::from(caller);
    lengths.forget()?;
    Ok(lengths.of(Line { text: *b"hello\0\0", len: 5 })?)
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
    assert_eq!(lengths(&system)?, 5);
    reader.wait(Deadline::NEVER)?.ok()
}
