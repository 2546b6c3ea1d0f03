use res::{Backend, Fault, Rx, Slot};

const LINES: Slot<Rx<u64, u64>> = Slot::new("lines");

fn compose<B: Backend>(b: &B) -> Result<(), Fault> {
    let (_tx, _rx) = b.chan::<Vec<u64>, u64>(4)?;
    Ok(())
}

fn take<B: Backend>(env: res::Env<B>) -> Result<(), Fault> {
    let _lines = env.take(LINES)?;
    Ok(())
}

fn main() {}
