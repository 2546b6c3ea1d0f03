use res::{Backend, Fault, Spsc};

fn compose<B: Backend>(b: &B) -> Result<(), Fault> {
    let (_tx, _rx) = b.chan::<Spsc, String>(4)?;
    Ok(())
}

fn main() {}
