use res::{Backend, Fault, Sender, Spsc};

fn send<B: Backend>(b: &B) -> Result<(), Fault> {
    let (mut tx, _rx) = b.chan::<Spsc, u64>(4)?;
    tx.send("hello")?;
    Ok(())
}

fn main() {}
